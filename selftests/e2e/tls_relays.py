# SPDX-License-Identifier: GPL-2.0-only
"""Real Postfix and Exim deliver in plain text and by every kind of TLS, and what the kernel counts
for each sender domain is what the server tallied. The kinds are STARTTLS, TLS from the first byte,
and several messages over one TLS session. Prints rows of the table of selftests/README.md."""
# ALONE: what it counts has to get its probes while the server keeps its greeting back
import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402
import probe_scenes  # noqa: E402
from clients_tls import Mix  # noqa: E402
from host import Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, CAROL, DAVE  # noqa: E402
from mta_tree import Dns  # noqa: E402
from system import wait_for  # noqa: E402

FIELDS = compare.FIELDS + ("opaque",)
# Each way has a domain of its own to send to, and a customer who sends, whose domain the counts are of.
WAYS = {"plain": (ALICE, "alice@alice.test"), "starttls": (BOB, "bob@bob.test"),
        "implicit": (CAROL, "carol@carol.test"), "reused": (DAVE, "dave@dave.test")}
ADDRESSES = {f"{way}.test": [f"198.51.100.{n}"] for n, way in enumerate(WAYS, 1)}
MESSAGES = 8    # over one session, where it is used again

POSTFIX_SERVICES = """
smtps-out unix - - y - - smtp -o smtp_tls_wrappermode=yes -o smtp_tls_security_level=encrypt
reuse-out unix - - y - 1 smtp -o smtp_tls_connection_reuse=yes -o smtp_tls_security_level=encrypt
  -o smtp_connection_cache_destinations=reused.test
tlsproxy unix - - y - 0 tlsproxy
"""
EXIM_ROUTER = """implicit:
  driver = dnslookup
  domains = implicit.test
  transport = remote_smtps
  no_more
"""
EXIM_TRANSPORT = """remote_smtps:
  driver = smtp
  protocol = smtps
  helo_data = REMOTE_SMTP_HELO_DATA
"""


def make_postfix(host):
    server = mta.Postfix(host, {
        "smtp_tls_policy_maps": "inline:{ {plain.test=none} }", "smtp_tls_security_level": "encrypt",
        "transport_maps": "inline:{ {implicit.test=smtps-out:[mx1.implicit.test]:465}, "
                          "{reused.test=reuse-out:} }"})
    master = "etc/postfix/master.cf"
    server.tree.write(master, server.tree.read(master) + POSTFIX_SERVICES)
    return server


class Exim(mta.Exim):
    """One queue runner at a time: several would deliver what waits for one host side by side, and might
    use no session again."""
    def daemon_command(self):
        return [option for option in super().daemon_command() if option != "-q1s"]

    wait_queue_empty = mta.Exim.drain


def make_exim(host):
    server = Exim(host)
    main = "etc/exim4/conf.d/main/000_test"
    server.tree.write(main, server.tree.read(main)
                      + f"REMOTE_SMTP_HOSTS_AVOID_TLS = {ADDRESSES['plain.test'][0]}\n")
    server.tree.write("etc/exim4/conf.d/router/150_test", EXIM_ROUTER)
    server.tree.write("etc/exim4/conf.d/transport/50_test", EXIM_TRANSPORT)
    return server


@contextlib.contextmanager
def running(make):
    options = {"limit": {"min_failures": 1000000}}
    with Host(options, server={"tls": True, "tls_inside": True, "greeting_ms": 500}) as host:
        Dns(host, ADDRESSES)
        server = make(host)
        host.write_conf({"watch": {"relay_users": f"{server.user} mail"}})
        server.configure()
        host.start()
        server.start()
        try:
            yield server
        except BaseException:
            print(server.diagnosis(), file=sys.stderr)
            raise


def mix_of(way, sender, at_data):
    """What is deferred is tried again, and then accepted or refused."""
    mix = Mix(way, f"{way}.test")
    if way == "reused":
        for number in range(MESSAGES):
            mix.add(sender, "", ("", "r550", "e554.5.7.1")[number % 3])
        return mix
    mix.add(sender, "", "")
    mix.add(sender, "r550.5.1.1", "", "r450.4.2.1+250")
    mix.add(sender, at_data)
    mix.add(sender, "e554.5.7.1", "")
    mix.add(sender, "e452.4.3.1+550")
    return mix


def send(server, at_data, held):
    """Everything, until the queue is empty; what must become of each try: {way: outcomes}."""
    mixes = {way: mix_of(way, sender, at_data) for way, (_, sender) in WAYS.items()}
    for way, (uid, _) in WAYS.items():
        for sender, rcpts in mixes[way].messages:
            done = server.sendmail(uid, sender, rcpts, held if way == "reused" else ())
            equal(done.returncode, 0, f"exit of sendmail ({done.stderr})")
    server.wait_queue_empty(60)
    return {way: sorted(mix.outcomes) for way, mix in mixes.items()}


def counted(server, before):
    """What the map has more than before."""
    return {key: {f: row[f] - (before[key][f] if key in before else 0) for f in FIELDS}
            for key, row in server.host.counts().items()}


def but_missed(got, want, key, stretches):
    """A server that goes on with a session in a child has probes there a while after the fork. What it does
    until then is such a stretch, QUIT alone among others: each is told as one unknown, and of the row of
    `key` nothing may be missing but what is told."""
    rows = {k: {f: n for f, n in row.items() if f != "unknown"} for k, row in got.items()}
    rows = {k: row for k, row in rows.items() if row}
    row, full = rows.get(key, {}), want[key]
    unknown = sum(r.get("unknown", 0) for r in got.values())
    missing = sum(full.values()) - sum(row.values())
    if any(n > full.get(f, 0) for f, n in row.items()) or not min(missing, 1) <= unknown <= missing + stretches:
        return got
    return {**rows, key: full}


def judge(server, library, at_data="", held=(), forks=False):
    """at_data: the act of a refusal at DATA; held: options of sendmail(1) that put off the delivery; forks:
    the server goes on with a session in another process."""
    before, stats_before = server.host.counts(), server.host.status()["stats"]
    server.host.ask_server("reset")
    want = send(server, at_data, held)
    seen = server.host.tally()
    for way, (_, sender) in WAYS.items():
        got = sorted((e["sender"], e["recipient"], e["outcome"]) for e in seen.log if e["sender"] == sender)
        equal(got, want[way], f"{way}: the server's tally")
    sessions = [s for s in server.host.sessions() if s["address"] == ADDRESSES["reused.test"][0]]
    true(len(sessions) < MESSAGES, f"no session of {len(sessions)} was used again")
    cells = compare.map_cells(seen.cells, FIELDS)
    reused = server.uid, WAYS["reused"][1].partition("@")[2]

    def got():
        rows = compare.map_cells(counted(server, before), FIELDS)
        if not forks:
            return rows
        stats = server.host.status()["stats"]
        stretches = sum(stats[name] - stats_before[name] for name in ("tls_blind", "tls_late"))
        return but_missed(rows, cells, reused, stretches)

    try:
        compare.settle(got, cells, 10, "smtpl_counts")
    finally:
        table(server, library, seen, counted(server, before))


def table(server, library, seen, rows):
    words = []
    for _, sender in WAYS.values():
        key = server.uid, sender.partition("@")[2]
        words.append("opaque" if key not in rows else "exact" if rows[key] == {
            f: seen.cells[key][f] for f in FIELDS} else "wrong")
    ktap.diagnose(f"{'server':26}{'TLS library':24}" + "".join(f"{way:10}" for way in WAYS))
    ktap.diagnose(f"{server.name:26}{library:24}" + "".join(f"{w:10}" for w in words))
    status = server.host.status()
    ktap.diagnose({name: n for name, n in status["stats"].items() if n and name.startswith("tls_")})
    ktap.diagnose({name: n for name, n in status["tls"].items() if n and name != "libraries"})


def know_tlsproxy(server):
    """tlsproxy(8) lives long and is not the process that connects: the first session through a new one
    has begun before it can have probes, as this server answers at once. That session is not judged."""
    _, sender = WAYS["reused"]
    equal(server.sendmail(DAVE, sender, ["first@reused.test"]).returncode, 0, "exit of sendmail")
    server.wait_queue_empty(20)

    def over():
        stats = server.host.status()["stats"]
        return sum(stats[f"tls_{name}"] for name in ("sessions", "unbound", "opaque")) == 1
    wait_for(over, 20, "the end of the first session through tlsproxy")


def know_exim(server):
    """What it maps is looked into once, which can take longer than a session. That session is not judged."""
    equal(server.sendmail(ALICE, WAYS["plain"][1], ["first@plain.test"]).returncode, 0, "exit of sendmail")
    server.wait_queue_empty(20)
    probe_scenes.told(server.host)


def test_postfix():
    with running(make_postfix) as server:
        know_tlsproxy(server)
        judge(server, "OpenSSL", at_data="d451.4.3.0+550")


def test_exim():
    """It sends BDAT instead of DATA. What waits in its queue for one host goes over one session."""
    with running(make_exim) as server:
        know_exim(server)
        judge(server, "GnuTLS", held=["-odqs"], forks=True)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
