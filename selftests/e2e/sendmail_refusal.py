# SPDX-License-Identifier: GPL-2.0-only
"""Real Sendmail with smtplimit's map refuses a suspended customer's mail by every way in, with the
text that says why, while others' mail flows. The ways are sendmail(1), PHP's mail(), SMTP AUTH and
loopback SMTP, whatever name he writes. With a dead or stopped daemon it refuses whom it had
suspended until the end, and nobody else."""
# ALONE: it measures how long mail waits for a daemon that hangs
import os
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import refusal_scenes as scenes  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402
from refusal_scenes import address, fresh, hook, text_of  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, CAROL  # noqa: E402
from system import wait_for, within  # noqa: E402

CF, MC = "etc/mail/sendmail.cf", "etc/mail/sendmail.mc"


def said_to(sender):
    """Sendmail puts the address before the text."""
    return f"<{sender}>... "


def smtp_text(account, sender):
    """The domain is alice's own, whoever she says that she is."""
    text = text_of(account, "alice.test")
    return text.replace("550 5.7.1 ", f"550 5.7.1 {said_to(sender)}", 1)


def bounce_says(host, name, rcpt, text):
    def arrived():
        return rcpt in host.mta.mailbox(name)
    wait_for(arrived, 15, f"a bounce for {rcpt}")
    mailbox = scenes.scenes.timeless(" ".join(host.mta.mailbox(name).split()))
    true(text in mailbox, f"{text!r} is not in the bounce:\n{mailbox}")


def test_configuration_made_anew(host):
    """As Debian's sendmailconfig does it, from the sendmail.mc: it is still in, and comes out."""
    tree = host.mta.tree
    before = scenes.contents(host.mta, [MC, CF])
    tree.run(["sh", "-c", f"m4 /{MC} > /{CF}"], check=True)
    equal(scenes.said(host, host.mta, "--install"), "sendmail: already installed", "--install")
    scenes.said(host, host.mta, "--remove")
    true("smtplimit" not in tree.read(MC) + tree.read(CF), "something of smtplimit is left")
    for path, text in before.items():
        tree.path(path).write_bytes(text)


def test_broken_configuration_stays(host):
    tree, text = host.mta.tree, "V10/Berkeley\nSBroken\nRno tab\n"
    tree.write("etc/broken/sendmail.cf", text)
    done = hook(host, host.mta, "--dir", "/etc/broken", "--install")
    equal(done.returncode, 1, "exit")
    true("nothing is changed: " in done.stderr and "no tab" in done.stderr, done.stderr)
    equal(tree.read("etc/broken/sendmail.cf"), text, "the file")


def test_own_failures_suspend(host):
    host.alice = scenes.fail_until_suspended(host, ALICE)
    true(not host.suspended("bob"), "bob is suspended")


def test_sendmail_is_refused(host):
    rcpts = [fresh(), fresh()]
    done = host.mta.sendmail(ALICE, address(ALICE), rcpts[:1])
    equal(done.returncode, os.EX_UNAVAILABLE, "sendmail's exit status")
    equal(host.mta.php_mail(ALICE, address(ALICE), rcpts[1]).returncode, 1, "PHP's mail() gives true")
    for rcpt in rcpts:
        bounce_says(host, "alice", rcpt, smtp_text(host.alice, address(ALICE)))
    scenes.never_came(host, rcpts)


def test_smtp_is_refused(host):
    text = smtp_text(host.alice, address(ALICE))
    for more in ({}, {"auth": "alice"}, {"port": 587}):
        sent = host.mta.swaks(ALICE, address(ALICE), [fresh()], **more)
        equal(scenes.smtp_refusal(sent), [text], f"refusal ({more})")


def test_who_calls_is_refused(host):
    """Whatever name alice writes; and her name in another's mail is that one's business."""
    rcpt, text = fresh(), smtp_text(host.alice, address(BOB))
    true(host.mta.sendmail(ALICE, address(BOB), [rcpt]).returncode, "in bob's name by sendmail")
    for more in ({}, {"auth": "alice"}):
        sent = host.mta.swaks(ALICE, address(BOB), [rcpt], **more)
        equal(scenes.smtp_refusal(sent), [text], f"in bob's name ({more})")
    # Alice's password is known: what counts is the name that it opens, not who connects.
    sent = host.mta.swaks(CAROL, address(CAROL), [rcpt], auth="alice")
    equal(scenes.smtp_refusal(sent), [smtp_text(host.alice, address(CAROL))], "with alice's password")
    scenes.never_came(host, [rcpt])
    scenes.sends(host, CAROL, sender=address(ALICE))


def test_with_and_without_delay_checks(host):
    """The feature takes away the ruleset check_mail: ours stands in its place, else within it."""
    tree = host.mta.tree
    tree.write("etc/plain/sendmail.mc", re.sub(r".*delay_checks.*\n", "", scenes.bare(tree.read(MC))))
    make = ["sh", "-c", "m4 /etc/plain/sendmail.mc > /etc/plain/sendmail.cf"]
    tree.run(make, check=True)
    true("\nScheck_mail\n" in tree.read("etc/plain/sendmail.cf"), "delay_checks is still there")
    scenes.said(host, host.mta, "--dir", "/etc/plain", "--install")
    for path in ("/etc/plain/sendmail.cf", "/etc/plain/sendmail.cf", f"/{CF}"):
        for sender, refused in ((address(ALICE), True), (address(BOB), False)):
            done = tree.run(["sendmail", "-bt", "-C", path], stdin=f"check_mail <{sender}>\n")
            equal("$# error $@ 5 . 7 . 1" in done.stdout, refused, f"{path} of {sender}:\n{done.stdout}")
        tree.run(make, check=True)      # and from the sendmail.mc with our block


def test_odd_senders(host):
    """They neither break the look-up nor get through."""
    for sender in ('"a b, c"@alice.test', '"x,<y"@alice.test', "a(7/5)@alice.test", '"\\""@alice.test',
                   "x@alice.test,<bob@bob.test", "$&{auth_authen}@alice.test"):
        sent = host.mta.swaks(ALICE, sender, [fresh()])
        refused = scenes.smtp_refusal(sent)
        true(refused and re.match(r"5\d\d ", refused[0]), f"{sender}: {refused}")


def test_each_refusal_is_counted(host):
    scenes.each_refusal_at_mail_is_counted(host)


def test_neighbours_mail_flows(host):
    scenes.sends(host, BOB)
    scenes.remote_mail(host, address(ALICE), f"bob@{mta.HOSTNAME}")
    true(host.mta.swaks(ALICE, "<>", [f"carol@{mta.HOSTNAME}"]).ok, "a bounce is refused")


def test_look_up_with_nonsense(host):
    for key in ("", "-j", "--help", "x", "192.0.2.1,99999,,<x@alice.test>", "<" * 5000, ",,,<@>"):
        done = host.mta.tree.run(["smtplimit", "-c", host.conf, "answer", "sendmail", "--", key], uid=8)
        equal((done.returncode, done.stdout), (0, ""), f"answer to {key[:40]!r}")


def test_daemon_that_hangs(host):
    os.kill(host.daemon.pid, signal.SIGSTOP)
    try:
        rcpts = []

        def send():
            rcpts.append(fresh())
            true(host.mta.swaks(BOB, address(BOB), rcpts[-1:]).ok, "bob cannot send")
        took = within(scenes.ANSWER_S, send)
        true(min(took) > 0.9, f"it took {took} s")
        for rcpt in rcpts:
            scenes.is_delivered(host, rcpt)
        scenes.is_refused(host, ALICE)
    finally:
        os.kill(host.daemon.pid, signal.SIGCONT)


def test_release(host):
    equal(host.cli("release", "alice").returncode, 0, "exit of release")
    wait_for(lambda: not host.suspended("alice"), 10, "the release")
    scenes.sends(host, ALICE)


def test_without_the_daemon(host):
    scenes.without_the_daemon(host, said_to)


def test_program_is_gone(host):
    """Somebody removed smtplimit, and left the hook."""
    host.mta.tree.path("usr/sbin/smtplimit").unlink()
    scenes.sends(host, ALICE)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running(mta.Sendmail, [MC, CF], "smmsp smmta mail"))
