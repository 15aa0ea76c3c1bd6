# SPDX-License-Identifier: GPL-2.0-only
"""Real Exim sends to thousands of recipients with every outcome, and each account's mails and
totals equal a tally of Exim's own log. Mail is handed in by every way; there are two MX hosts,
greylisting, retries, plain text and TLS."""
# SECONDS: 200
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import exim_scenes  # noqa: E402
import ktap  # noqa: E402
import tally  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, CAROL, DAVE  # noqa: E402
from system import wait_for  # noqa: E402

# What the remote says to a recipient, as often as it comes in ten; with two MX hosts both are asked.
FAR = ["", "", "", "", "r550.5.1.1", "r451.4.7.1+451.4.7.1+250", "", "r450+450+550", "r552.5.2.2", ""]
ONE = ["", "r450.4.2.0+250", "", "r550", "", "r451+451+250", "", "r452+550.5.7.1", "", ""]
PER_MESSAGE = 20
_serial = itertools.count(1)


def rcpts(domain, acts, count=PER_MESSAGE):
    return [f"{act}{'-' if act else ''}n{next(_serial)}@{domain}"
            for act in itertools.islice(itertools.cycle(acts), count)]


def messages(sender, domain, acts, count):
    return [[sender, rcpts(domain, acts)] for _ in range(count)]


def plain_to_far(server):
    """The hosts of far.test are spoken to without TLS, the others with."""
    path = "etc/exim4/conf.d/main/000_test"
    server.tree.write(path, server.tree.read(path)
                      + "REMOTE_SMTP_HOSTS_AVOID_TLS = 198.51.100.1 : 198.51.100.2\n")


def test_nobodys_mail(host):
    """A null sender's; and from the first one that is told of on, Exim is believed more than the wire."""
    equal(host.exim.sendmail(0, "<>", rcpts("one.test", [""], 1)).returncode, 0, "exit of sendmail")
    wait_for(lambda: " Completed" in host.exim.log(), 20, "its delivery")
    wait_for(lambda: any(f["mta"] == "exim" and f["running"] for f in host.status()["feeds"]), 20, "Exim's feed")


def test_sendmail(host):
    for sender, to in messages("alice@alice.test", "far.test", FAR, 60):
        equal(host.exim.sendmail(ALICE, sender, to).returncode, 0, "exit of sendmail")


def test_smtp_auth(host):
    exim_scenes.submit(host, BOB, messages("bob@bob.test", "one.test", ONE, 70), auth="bob")


def test_loopback_smtp(host):
    exim_scenes.submit(host, CAROL, messages("carol@carol.test", "far.test", FAR, 60))


def test_tls(host):
    exim_scenes.submit(host, DAVE, messages("dave@dave.test", "tls.test", ONE, 60), auth="dave")


def test_php_mail(host):
    for _ in range(5):
        equal(host.exim.php_mail(DAVE, "dave@dave.test", ", ".join(rcpts("far.test", FAR, 4))).returncode, 0,
              "exit of PHP")


def test_whole_messages(host):
    """Refused or put off at MAIL, DATA, the end of data; with one recipient and with several."""
    for act in ("m451+250", "m550"):
        for count in (1, 3):
            sender = f"{act}-alice{next(_serial)}@alice.test"
            host.exim.sendmail(ALICE, sender, rcpts("one.test", [""], count))
    for act in ("d451+250", "d554.5.6.0", "e451+250", "e550.5.7.1", "edrop+250", "rdrop+250"):
        for domain in ("one.test", "tls.test"):
            host.exim.sendmail(ALICE, "alice@alice.test", rcpts(domain, [act], 1))
            host.exim.sendmail(ALICE, "alice@alice.test", rcpts(domain, ["", act, ""], 3))


def test_what_never_gets_to_a_host(host):
    host.exim.sendmail(BOB, "bob@bob.test", ["n1@nowhere.test", "n2@nowhere.test", "n3@never.test"])
    host.exim.sendmail(BOB, "bob@bob.test", ["n4@busy.test", "n5@busy.test"])


def test_odd_addresses(host):
    """Nothing in them is a word of Exim's language."""
    for address in ('"a b"@one.test', '"}{$pid"@one.test', '"${lc:X}"@one.test', "a'b=C@one.test"):
        done = host.exim.sendmail(CAROL, address.replace("one.test", "carol.test"), [address])
        equal(done.returncode, 0, f"sendmail from and to {address} ({done.stderr})")


def test_mails_equal_the_log(host):
    """When all but those for the host that is always busy are gone."""
    wait_for(lambda: exim_scenes.waiting(host) == ["bob@bob.test"], 240, "all but one message to leave the queue")
    host.exim.stop()
    log = exim_scenes.agrees(host)
    ktap.diagnose(f"mails {log.mails} attempts {log.attempts} nobody's {log.nobody}")
    true(len(log.recipients) >= 5000, f"{len(log.recipients)} recipients")
    equal(set(log.mails), {"alice", "bob", "carol", "dave"}, "accounts")
    for name, mails in log.mails.items():
        true(min(mails["delivered"], mails["failed"], log.attempts[name]["deferred"]) > 0,
             f"{name} has not every outcome: {mails}")


def test_no_panic(host):
    equal(host.exim.tree.read("var/log/exim4/paniclog"), "", "Exim's panic log")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()),
              exim_scenes.running({"limit": {"min_failures": 1000000, **tally.ALONE}}, plain_to_far, tell_s=60,
                                  server={"tls": True,
                                          "special": {"198.51.100.5": {"greeting": "421"}}}))
