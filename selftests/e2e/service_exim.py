# SPDX-License-Identifier: GPL-2.0-only
"""Through real Exim a list manager's mail is charged to the owner of the list, whose suspension stops
no other list. A user who redirects everybody's mail is no account; an outsider who writes a
customer's sender suspends nobody, and a web host of ours does."""
# SECONDS: 50
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import exim_scenes  # noqa: E402
import ktap  # noqa: E402
import mta_tree  # noqa: E402
import scenes  # noqa: E402
import tally  # noqa: E402
from host import REMOTE4  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE  # noqa: E402
from system import wait_for  # noqa: E402

BAD = "r550.5.1.1"
VMAIL = mta_tree.SERVICE_USERS["vmail"]
LIST = mta_tree.SERVICE_USERS["list"]
EXIM4 = "etc/exim4/update-exim4.conf.conf"


def fresh(act=""):
    return scenes.fresh(act)[0]


def at_remote(host, rcpt, outcome="delivered"):
    wait_for(lambda: any(e["recipient"] == rcpt and e["outcome"] == outcome for e in host.tally().log), 20,
             f"{rcpt} at the remote")


def send(host, uid, sender, act="", count=1):
    for _ in range(count):
        rcpt = fresh(act)
        equal(host.exim.sendmail(uid, sender, [rcpt]).returncode, 0, f"exit of sendmail for {rcpt}")
        at_remote(host, rcpt, "failed" if act else "delivered")


def windows_are(host, **want):
    wait_for(lambda: {n: {o: m for o, m in w.items() if m} for n, w in exim_scenes.windows(host).items()}
             == want, 20, f"the windows {want}: {exim_scenes.windows(host)}\n{host.log()}")


def test_first_of_all(host):
    """From the first one that is told of on, the server is believed more than the wire."""
    send(host, ALICE, "alice@alice.test")
    windows_are(host, alice={"delivered": 1})


def test_a_lists_owner_pays(host):
    """Two dead members of bob's list, carol's is fine."""
    send(host, LIST, "list-bounces@bob.test", BAD, 2)
    send(host, LIST, "list-bounces@carol.test")
    windows_are(host, alice={"delivered": 1}, bob={"failed": 2}, carol={"delivered": 1})


def test_a_suspended_lists_owner_stops_no_other(host):
    send(host, LIST, "list-bounces@bob.test", BAD, 3)
    wait_for(lambda: host.suspended("bob"), 20, f"bob to be suspended: {host.account('bob')}")
    send(host, LIST, "list-bounces@carol.test")
    rcpt = fresh()
    done = host.exim.sendmail(LIST, "list-bounces@bob.test", [rcpt])
    true(done.returncode and "Domain bob.test has exceeded" in done.stderr + host.exim.log(),
         f"bob's list may send: {done}")
    equal(scenes.kernel_suspension(host, LIST), None, "a suspension of the list manager")
    equal(host.cli("release", "bob").returncode, 0, "exit of release")
    windows_are(host, alice={"delivered": 1}, carol={"delivered": 2})


def test_what_a_redirector_passes_on_is_nobodys(host):
    """Six failures under a customer's name by vmail, whose uid is one of a customer's."""
    send(host, VMAIL, "alice@alice.test", BAD, 6)
    wait_for(lambda: host.status()["nobody"]["failed"] == 6, 20,
             f"six charged to nobody: {host.status()['nobody']}")
    windows_are(host, alice={"delivered": 1}, carol={"delivered": 2})
    equal((host.account("vmail")["role"], host.account("vmail")["service"]), ("service", "name"), "vmail")


def outsider(host, count):
    for _ in range(count):
        rcpt = f"{fresh(BAD).partition('@')[0]}@one.test"
        true(host.exim.swaks_from_remote("dave@dave.test", [rcpt]).ok, f"{rcpt} is not relayed")
        at_remote(host, rcpt, "failed")


def test_an_outsider_suspends_nobody(host):
    """Six mails with dave's address for dead addresses of a domain that this host is backup MX of."""
    before = host.status()["nobody"]["failed"]
    outsider(host, 6)
    wait_for(lambda: host.status()["nobody"]["failed"] == before + 6, 20,
             f"six more charged to nobody: {host.status()['nobody']}")
    windows_are(host, alice={"delivered": 1}, carol={"delivered": 2})


def test_a_web_host_of_ours_is_believed(host):
    host.write_conf({"accounts": {"trusted_hosts": f"{REMOTE4}/32, 2001:db8::/32"}})
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: "settings read again" in host.log(), 10, "the settings to be read again")
    outsider(host, 5)
    wait_for(lambda: host.suspended("dave"), 20, f"dave to be suspended: {host.account('dave')}")
    sent = host.exim.swaks_from_remote("dave@dave.test", ["x@one.test"])
    true(not sent.ok and "Domain dave.test has exceeded" in " ".join(sent.text.split()),
         f"he is not refused:\n{sent.text}")


def prepare(server):
    """one.test is relayed for."""
    text = server.tree.read(EXIM4)
    server.tree.write(EXIM4, text + "dc_relay_domains='one.test'\n")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()),
              exim_scenes.running({"limit": tally.ALONE}, prepare))
