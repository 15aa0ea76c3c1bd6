# SPDX-License-Identifier: GPL-2.0-only
"""Real Postfix with faults of this host: a filter on an own address that is down, a back end over quota, a
login that has expired, no route, no resolver. Nobody is charged for any of it, each fault is counted to the
attempt, and a customer's own dead addresses still suspend him."""
# SECONDS: 190
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
import own_fault_scenes as faults  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, CAROL, DAVE  # noqa: E402
from system import wait_for  # noqa: E402

DOMAINS = {"far.test": ["198.51.100.1"]}
MAILS = 8           # more than the five that suspend
NAMES_S = 120       # so long nothing is found, then it is the resolver

# What Postfix logs of each; retries as well.
LINES = {"server": r"relay=none, .*status=deferred \((?:delivery temporarily suspended: )?connect to "
                   r"203\.0\.113\.2\[203\.0\.113\.2\]:10025: Connection refused\)",
         "login": r"status=deferred \((?:delivery temporarily suspended: )?SASL authentication failed; ",
         "network": r"status=deferred \((?:delivery temporarily suspended: )?connect to 192\.0\.2\.1\[192\.0\.2\.1\]:"
                    r"25: Network is unreachable\)"}


def send(server, uid, name, domain, count):
    for n in range(count):
        done = server.sendmail(uid, f"{name}@{name}.test", [f"n{n}@{domain}"])
        equal(done.returncode, 0, f"exit of sendmail ({done.stderr})")


def in_log(server):
    return {name: len(re.findall(row, server.log())) for name, row in LINES.items()
            if re.search(row, server.log())}


def test_own_dead_addresses(server):
    """While all is well: the rule holds for who deserves it."""
    for n in range(5):
        server.sendmail(BOB, "bob@bob.test", [f"r550.5.1.1-n{n}@far.test"])
    wait_for(lambda: server.host.suspended("bob"), 20, "bob to be suspended")


def test_no_names_at_first(server):
    """Fewer than suspend: until it is known to be the resolver, they count."""
    server.dns.process.kill()
    for n in range(4):
        send(server, DAVE, "dave", f"name{n}.test", 1)
    wait_for(lambda: len(set(re.findall(r"name=(name\d\.test) type=MX: Host not found, try again", server.log()))) == 4,
             60, "four names not to be found")
    server.since = time.time()
    equal(server.host.suspended("dave"), False, "dave is suspended")


def test_faults_are_nobodys(server):
    for uid, name, domain in ((ALICE, "alice", "filter.test"), (CAROL, "carol", "smart.test"), (CAROL, "carol", "noway.test"),
                              (ALICE, "alice", "quota.test"), (CAROL, "carol", "quota.test")):
        send(server, uid, name, domain, MAILS)
    wait_for(lambda: min(in_log(server).get(name, 0) for name in LINES) >= MAILS and server.full() >= MAILS, 40,
             "each fault to be met")
    faults.attempts_are(server.host, lambda: in_log(server))
    faults.nobody_is_charged(server.host, ["alice", "carol"])
    for what in ("a server or filter of this host does not answer", "a smart host does not take this host's login",
                 "there is no way to the remote from here"):
        faults.said_once(server.host, what)
    said = faults.faults(server.host)
    true("535 5.7.8" in said["login"]["text"] and "Network is unreachable" in said["network"]["text"], f"texts: {said}")
    text = server.host.cli("status").stdout
    equal(len(re.findall(r"^own fault: .* attempts? since .*, charged to nobody: ", text, re.MULTILINE)), 3, text)


def test_no_names(server):
    """Two minutes without any answer, and more domains than would suspend."""
    wait_for(lambda: time.time() > server.since + NAMES_S + 2, NAMES_S + 30, "two minutes")
    for n in range(10, 18):
        send(server, DAVE, "dave", f"name{n}.test", 1)
    wait_for(lambda: "resolver" in faults.faults(server.host), 60, "the fault")
    wait_for(lambda: len(set(re.findall(r"name=(name1\d\.test) type=MX: Host not found, try again", server.log()))) == 8,
             60, "all names not to be found")
    faults.said_once(server.host, "no names can be looked up")
    for name in ("alice", "carol", "dave"):
        equal(server.host.suspended(name), False, f"{name} is suspended")


def make(host):
    server = mta.Postfix(host)
    smart = f"[{faults.SMART}]:{faults.SMART_PORT}"
    server.settings.update({
        "transport_maps": "inline:{" + ", ".join((
            f"filter.test=smtp:[{faults.OWN_ADDRESS}]:{faults.FILTER_PORT}",
            f"quota.test=lmtp:inet:127.0.0.1:{faults.BACK_END_PORT}", f"smart.test=smtp:{smart}",
            f"noway.test=smtp:[{faults.UNROUTED}]")) + "}",
        "smtp_sasl_auth_enable": "yes", "smtp_sasl_security_options": "noanonymous",
        "smtp_sasl_password_maps": "inline:{ {" + smart + "=user:expired} }"})
    return server


def prepare(server):
    host = server.host
    server.full = faults.serve(host, "sender", faults.BACK_END_PORT, faults.FULL, ".")
    faults.serve(host, "remote", faults.SMART_PORT, faults.NO_LOGIN, "AUTH")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), mta.hooked(make, DOMAINS, prepare=prepare))
