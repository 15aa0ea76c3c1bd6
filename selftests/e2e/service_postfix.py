# SPDX-License-Identifier: GPL-2.0-only
"""Whatever a bad customer sends through real Postfix and its content filter, others' mail flows, and
mail from outside reaches its mailbox. The filter hands in again by sendmail(1) as a user of its
own. An outsider who writes a customer's sender suspends nobody, a web host of ours does."""
# SECONDS: 60
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
import mta_tree  # noqa: E402
import scenes  # noqa: E402
from host import REMOTE4  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB  # noqa: E402
from system import wait_for  # noqa: E402

DOMAINS = {"far.test": ["198.51.100.1", "198.51.100.2"], "backup.test": ["198.51.100.3"]}
BAD = "r550.5.1.1"
FILTER = "spamd"
UID = 30110
# As spamc(1) with -e: the rest of its command line is what gets the message.
SPAMC = '#!/bin/sh\nshift\nexec "$@"\n'
PIPE = (f"spam unix - n n - 10 pipe flags=Rq user={FILTER} argv=/usr/bin/spamc -e /usr/sbin/sendmail -i "
        "-f ${sender} -- ${recipient}")


UNFILTERED = ["--port", "2526"]


def fresh(act=""):
    return scenes.fresh(act)[0]


def at_remote(server, rcpt, outcome="delivered"):
    wait_for(lambda: any(e["recipient"] == rcpt and e["outcome"] == outcome
                         for e in server.host.tally().log), 20, f"{rcpt} at the remote")


def everybody_sends(server):
    """bob's good mail leaves, and mail from outside reaches carol's mailbox."""
    rcpt, marker = fresh(), fresh()
    true(server.swaks(BOB, "bob@bob.test", [rcpt], auth="bob").ok, "bob's mail is not taken in")
    at_remote(server, rcpt)
    true(server.swaks_from_remote(marker, ["carol@carol.test"]).ok, "mail for carol is not taken in")
    wait_for(lambda: marker in server.mailbox("carol"), 20, "mail for carol in her mailbox")


def is_named(server):
    text = server.host.cli("status").stdout
    true(f"service user: {FILTER}, since it has the name of one" in text, f"status has no {FILTER}:\n{text}")
    true(f"{FILTER} (uid {UID}) is a service user" in server.host.log(), "the log has not named it")
    text = server.host.cli("check").stdout
    true(f"service user {FILTER}" in text, f"check has no {FILTER}:\n{text}")


def test_named_before_anything(server):
    is_named(server)


def test_a_filter_is_no_account(server):
    """Who submitted the mail pays, whatever sender she writes."""
    for _ in range(5):
        rcpt = fresh(BAD)
        true(server.swaks(ALICE, "bob@bob.test", [rcpt], auth="alice").ok, "not taken in")
        at_remote(server, rcpt, "failed")
    wait_for(lambda: server.host.suspended("alice"), 20, f"alice to be suspended: {server.host.status()}")
    everybody_sends(server)
    server.wait_queue_empty()
    account = server.host.account(FILTER)
    if account:
        equal((account["role"], account["service"], account["suspended"], account["window"]["failed"]),
              ("service", "name", False, 0), "what the filter is")
    equal(scenes.kernel_suspension(server.host, UID), None, "a suspension of the filter")


def test_a_customer_behind_it_is_refused(server):
    """What she sends is refused where it comes in, and the filter's mail is not."""
    true(not server.swaks(ALICE, "alice@alice.test", [fresh()], auth="alice").ok, "she may send")
    everybody_sends(server)


def outsider(server, count):
    for _ in range(count):
        rcpt = f"{fresh(BAD).partition('@')[0]}@backup.test"
        true(server.swaks_from_remote("dave@dave.test", [rcpt], UNFILTERED).ok, f"{rcpt} is not relayed")
        at_remote(server, rcpt, "failed")


def test_an_outsider_suspends_nobody(server):
    """Six mails with dave's address for dead addresses of a domain that this host is backup MX of."""
    before = server.host.status()["nobody"]["failed"]
    outsider(server, 6)
    wait_for(lambda: server.host.status()["nobody"]["failed"] >= before + 6, 20,
             f"six more charged to nobody: {server.host.status()['nobody']}")
    account = server.host.account("dave")
    true(not account or account["window"]["failed"] == 0, f"dave is charged: {account}")


def test_a_web_host_of_ours_is_believed(server):
    server.host.write_conf({"accounts": {"trusted_hosts": f"{REMOTE4}/32, 2001:db8::/32"}})
    server.host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: "settings read again" in server.host.log(), 10, "the settings to be read again")
    outsider(server, 5)
    wait_for(lambda: server.host.suspended("dave"), 20, "dave to be suspended")
    sent = server.swaks_from_remote("dave@dave.test", ["x@backup.test"], UNFILTERED)
    true(not sent.ok and "Domain dave.test has exceeded" in sent.text, f"he is not refused:\n{sent.text}")
    everybody_sends(server)


def make(host):
    server = mta.Postfix(host, {"relay_domains": "backup.test"})
    server.tree.write("usr/bin/spamc", SPAMC, 0o755)
    master = server.tree.read("etc/postfix/master.cf") + PIPE + "\n2526 inet n - y - - smtpd\n"
    for service in ("smtp      inet", "submission inet"):
        begin = next(line for line in master.splitlines() if line.startswith(service))
        master = master.replace(begin + "\n", begin + "\n  -o content_filter=spam:dummy\n", 1)
    server.tree.write("etc/postfix/master.cf", master)
    return server


if __name__ == "__main__":
    mta_tree.SERVER_USERS[FILTER] = UID
    ktap.main(ktap.tests(globals()),
              mta.hooked(make, DOMAINS, {"limit": {"one_remote": 100, "trouble_accounts": 0}}))
