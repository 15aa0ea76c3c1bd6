# SPDX-License-Identifier: GPL-2.0-only
"""Through real Exim, the user who handed a mail in pays for it, whatever sender he writes, and
nobody pays for forwards, bounces, automatic replies and callouts."""
# SECONDS: 40
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import exim_scenes  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
import tally  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, CAROL, DAVE  # noqa: E402
from system import wait_for  # noqa: E402

BAD = "r550.5.1.1"
AWAY = """# Exim filter
if personal then
  mail to $reply_address subject "away" text "I am away."
endif
"""


def prepare(server):
    """Mail for list@ is passed on to a remote that refuses it, dave answers by a filter; senders from
    far.test are verified by a callout."""
    server.tree.write("etc/aliases", f"list: {BAD}-forwarded@one.test, forwarded@one.test\n")
    server.tree.write("home/dave/.forward", AWAY, 0o644, "dave:dave")
    server.tree.write("etc/exim4/local_sender_callout", "*@far.test\n")


def windows(host):
    return {name: {o: n for o, n in mails.items() if n}
            for name, mails in exim_scenes.windows(host).items()}


def logged(host, text, count=1):
    try:
        wait_for(lambda: host.exim.log().count(text) == count, 20)
    except TimeoutError:
        rows = [r for r in host.exim.log().splitlines() if "queue run" not in r and "frozen" not in r]
        raise AssertionError("\n".join([f"not {count} times {text!r} in the log:", *rows[-20:]])) from None


class Charged:
    """with Charged(host, alice={"failed": 1}): exactly this is added to the accounts' windows."""

    def __init__(self, host, **more):
        self.host, self.more = host, more

    def __enter__(self):
        self.want = {name: dict(mails) for name, mails in windows(self.host).items()}
        for name, mails in self.more.items():
            row = self.want.setdefault(name, {})
            for outcome, count in mails.items():
                row[outcome] = row.get(outcome, 0) + count

    def __exit__(self, kind, *_):
        if kind:
            return
        marker(self.host, self.want)
        try:
            wait_for(lambda: windows(self.host) == self.want, 15, "the windows")
        except TimeoutError:
            equal(windows(self.host), self.want, "mails in the windows")


def marker(host, want):
    """What was told before this mail of root's by the same sender's server has been taken in, too."""
    want.setdefault("domain:marker.test", {})
    want["domain:marker.test"]["delivered"] = want["domain:marker.test"].get("delivered", 0) + 1
    wait_for(lambda: not exim_scenes.waiting(host), 30, "the queue to hold no more than bounces")
    host.exim.sendmail(0, "m@marker.test", scenes.fresh())


def test_first_of_all(host):
    """From the first one that is told of on, the server is believed more than the wire."""
    with Charged(host):
        pass


def test_forged_by_sendmail(host):
    with Charged(host, alice={"failed": 1}):
        host.exim.sendmail(ALICE, "bob@bob.test", scenes.fresh(BAD))


def test_forged_by_php(host):
    with Charged(host, alice={"failed": 1}):
        host.exim.php_mail(ALICE, "bob@bob.test", scenes.fresh(BAD)[0])


def test_forged_by_smtp_auth(host):
    """The identity pays, whoever has its password."""
    with Charged(host, alice={"failed": 1}):
        host.exim.swaks(CAROL, "bob@bob.test", scenes.fresh(BAD), auth="alice")


def test_forged_by_loopback_smtp(host):
    with Charged(host, alice={"failed": 1}):
        host.exim.swaks(ALICE, "bob@bob.test", scenes.fresh(BAD))


def test_forged_by_bs(host):
    lines = f"EHLO x\nMAIL FROM:<bob@bob.test>\nRCPT TO:<{scenes.fresh(BAD)[0]}>\nDATA\nSubject: x\n\nx\n.\nQUIT\n"
    with Charged(host, alice={"failed": 1}):
        host.exim.tree.run(["/usr/sbin/sendmail", "-bs"], uid=ALICE, stdin=lines)


def test_domain_without_an_owner(host):
    """Root's mail is charged by its sender; an unknown domain is an account of its own."""
    with Charged(host, **{"domain:nobody.test": {"failed": 1}, "bob": {"failed": 1}}):
        host.exim.sendmail(0, "x@nobody.test", scenes.fresh(BAD))
        host.exim.sendmail(0, "x@bob.test", scenes.fresh(BAD))


def test_never_at_a_host(host):
    with Charged(host, alice={"failed": 2}):
        host.exim.sendmail(ALICE, "alice@alice.test", ["a@nowhere.test", "b@nowhere.test"])


def test_forward_of_outside_mail(host):
    """And the bounce to the sender."""
    with Charged(host):
        true(host.exim.swaks_from_remote("x@one.test", ["list@bob.test"]).ok, "mail from outside")
        logged(host, f"** {BAD}-forwarded@one.test <list@bob.test>")
        logged(host, "=> x@one.test R=")


def test_forward_of_a_neighbours_mail(host):
    """Neither the one nor the other pays for what became of bob's copies; carol does for a list of her
    own."""
    with Charged(host, alice={"delivered": 1}, carol={"failed": 1, "delivered": 1}):
        host.exim.sendmail(ALICE, "alice@alice.test", ["list@bob.test"] + scenes.fresh())
        logged(host, f"** {BAD}-forwarded@one.test <list@bob.test>", 2)
        host.exim.sendmail(CAROL, "carol@carol.test", ["list@carol.test"])


def test_bounce(host):
    """To a sender at a remote: a null sender."""
    with Charged(host, alice={"failed": 1}):
        host.exim.sendmail(ALICE, "elsewhere@one.test", scenes.fresh(BAD))
        logged(host, "=> elsewhere@one.test R=")


def test_autoreply(host):
    with Charged(host):
        true(host.exim.swaks_from_remote(f"{BAD}-y@one.test", ["dave@dave.test"],
                                         ["--header", "To: dave@dave.test"]).ok, "mail from outside")
        logged(host, f"** {BAD}-y@one.test R=")
        logged(host, "=> dave <dave@dave.test>")


def test_callout(host):
    """Exim asks the sender's host, which says no: RCPT without a message."""
    with Charged(host):
        sent = host.exim.swaks_from_remote(f"{BAD}-z@far.test", ["carol@carol.test"])
        true(not sent.ok and "Sender verif" in sent.text, f"no callout:\n{sent.text}")


def test_local_mail(host):
    line = "=> dave <dave@dave.test>"
    before = host.exim.log().count(line)
    with Charged(host):
        host.exim.sendmail(ALICE, "alice@alice.test", ["dave@dave.test", "nosuch@dave.test"])
        logged(host, line, before + 1)
        logged(host, "** nosuch@dave.test")


def test_nobody_is_suspended(host):
    true(not any(host.suspended(name) for name in ("alice", "bob", "carol", "dave")), "suspended")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()),
              exim_scenes.running({"limit": {"min_failures": 1000000, **tally.ALONE}}, prepare))
