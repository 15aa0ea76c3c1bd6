# SPDX-License-Identifier: GPL-2.0-only
"""Real OpenSMTPD with smtplimit's filter refuses a suspended customer's mail by every way in, with
the text that says why, while others' mail flows. The ways are sendmail(1), PHP's mail() and
loopback SMTP, whatever name he writes. With a dead or stopped daemon it refuses whom it had
suspended until the end, and nobody else. (Debian 12's OpenSMTPD has no working TLS, and without TLS
no SMTP AUTH.)"""
# ALONE: it measures how long mail waits for a daemon that hangs
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import refusal_scenes as scenes  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402
from refusal_scenes import address, fresh, hook, text_of  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, CAROL  # noqa: E402
from mta_tree import inner_pid  # noqa: E402
from system import wait_for, within  # noqa: E402

CONF = "etc/smtpd.conf"
SEVERAL = """filter true proc-exec "/bin/true"
filter both chain { true }
include "/etc/more.conf"
listen on lo port 26 filter true	# mine
listen on lo \\
	port 27 filter { true }
listen on lo port 28 filter both
action "local" mbox
match for local action "local"
"""


def test_install_where_there_are_filters(host):
    """Each listener gets ours, and the server takes the file; all comes back to the byte."""
    tree = host.mta.tree
    files = {"etc/several/smtpd.conf": SEVERAL, "etc/more.conf": "listen on socket\nlisten on lo port 29"}
    for path, text in files.items():
        tree.write(path, text)
    done = hook(host, host.mta, "--dir", "/etc/several", "--install")
    equal(done.returncode, 0, f"exit of --install ({done.stderr})")
    equal(tree.run(["smtpd", "-n", "-f", "/etc/several/smtpd.conf"]).returncode, 0, "smtpd -n")
    text = tree.read("etc/several/smtpd.conf")
    for line in ("port 26 filter { smtplimit, true }\t# mine", "port 27 filter {smtplimit,  true }",
                 "filter both chain {smtplimit,  true }", "listen on lo port 28 filter both\n"):
        true(line in text, f"{line!r} is not in\n{text}")
    equal(tree.read("etc/more.conf"),
          "listen on socket filter smtplimit\nlisten on lo port 29 filter smtplimit", "the include")
    equal(hook(host, host.mta, "--dir", "/etc/several", "--remove").returncode, 0, "exit of --remove")
    equal({path: tree.read(path) for path in files}, files, "files after --remove")


def test_broken_configuration_stays(host):
    tree, text = host.mta.tree, "listen on lo\nlisten onn lo\n"
    tree.write("etc/broken/smtpd.conf", text)
    done = hook(host, host.mta, "--dir", "/etc/broken", "--install")
    equal(done.returncode, 1, "exit")
    true("nothing is changed: its configuration is broken as it is: smtpd -n" in done.stderr
         and "syntax error" in done.stderr, done.stderr)
    equal(tree.read("etc/broken/smtpd.conf"), text, "the file")


def test_own_failures_suspend(host):
    host.alice = scenes.fail_until_suspended(host, ALICE)
    true(not host.suspended("bob"), "bob is suspended")


def test_sendmail_is_refused(host):
    rcpt = fresh()
    done = host.mta.sendmail(ALICE, address(ALICE), [rcpt])
    true(done.returncode, "sendmail's exit status is 0")
    equal(scenes.scenes.timeless(done.stderr.strip()), f"sendmail: command failed: {text_of(host.alice, 'alice.test')}",
          "what sendmail says")
    done = host.mta.php_mail(ALICE, address(ALICE), rcpt)
    equal(done.returncode, 1, "PHP's mail() gives true")
    true(text_of(host.alice, "alice.test") in scenes.scenes.timeless(done.stderr), f"PHP says {done.stderr}")
    scenes.never_came(host, [rcpt])


def test_smtp_is_refused(host):
    sent = host.mta.swaks(ALICE, address(ALICE), [fresh()])
    equal(scenes.smtp_refusal(sent), [text_of(host.alice, "alice.test")], "refusal")


def test_who_calls_is_refused(host):
    """Whatever name alice writes; and her name in another's mail is that one's business."""
    rcpt, text = fresh(), text_of(host.alice, "alice.test")
    done = host.mta.sendmail(ALICE, address(BOB), [rcpt])
    true(done.returncode and text in scenes.scenes.timeless(done.stderr), f"in bob's name by sendmail: {done.stderr}")
    sent = host.mta.swaks(ALICE, address(BOB), [rcpt])
    equal(scenes.smtp_refusal(sent), [text], "in bob's name by SMTP")
    scenes.never_came(host, [rcpt])
    scenes.sends(host, CAROL, sender=address(ALICE))


def test_each_refusal_is_counted(host):
    scenes.each_refusal_at_mail_is_counted(host)


def test_neighbours_mail_flows(host):
    scenes.sends(host, BOB)
    scenes.remote_mail(host, address(ALICE), f"bob@{mta.HOSTNAME}")
    true(host.mta.swaks(ALICE, "<>", [f"carol@{mta.HOSTNAME}"]).ok, "a bounce is refused")


def test_many_callers_at_once(host):
    """Sendmail of two customers at the same moment: each is known, or judged by the sender."""
    def start(uid, rcpt):
        command = ["sh", "-c", 'echo hello | exec /usr/sbin/sendmail -f "$0" "$1"', address(uid), rcpt]
        return uid, rcpt, host.mta.tree.popen(command, uid=uid, stderr=subprocess.DEVNULL)

    jobs = [start((ALICE, BOB)[n % 2], fresh()) for n in range(24)]
    codes = {(uid, rcpt): child.wait(30) for uid, rcpt, child in jobs}
    equal([k for k, code in codes.items() if k[0] == BOB and code], [], "bob's that were refused")
    equal([k for k, code in codes.items() if k[0] == ALICE and not code], [], "alice's that were taken")
    for uid, rcpt in codes:
        if uid == BOB:
            scenes.is_delivered(host, rcpt)
    scenes.never_came(host, [rcpt for uid, rcpt in codes if uid == ALICE])


def goes_on(pid, child):
    """nsenter(1) stops with what it runs."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
        child.send_signal(signal.SIGCONT)
    return child.poll() is not None


def test_caller_beside_a_long_submission(host):
    """Bob's sendmail stands still in the middle of a message: his connection is known to be his, so
    that it is alice who calls now, in his name."""
    rcpts, text = [fresh(), fresh()], host.dir / "long"
    text.write_text("Subject: long\n\n" + "x" * 70 + "\n" + ("y" * 70 + "\n") * 400000, encoding="ascii")
    command = ["sh", "-c", 'exec /usr/sbin/sendmail -f "$0" "$1" <"$2"', address(BOB), rcpts[0], text]
    incoming = host.mta.tree.path("var/spool/smtpd/incoming")
    child = host.mta.tree.popen(command, uid=BOB)
    pid = wait_for(lambda: inner_pid(child) if any(incoming.iterdir()) else None, 20, "bob's message")
    os.kill(pid, signal.SIGSTOP)
    try:
        true(any(incoming.iterdir()), "bob's message was taken too soon for this test")
        done = host.mta.sendmail(ALICE, address(BOB), rcpts[1:])
        true(done.returncode and text_of(host.alice, "alice.test") in scenes.scenes.timeless(done.stderr), f"taken: {done.stderr}")
    finally:
        wait_for(lambda: goes_on(pid, child), 30, "the end of bob's sendmail")
    equal(child.returncode, 0, "exit of bob's sendmail")
    scenes.is_delivered(host, rcpts[0])
    scenes.never_came(host, rcpts[1:])


def test_filter_answers_whatever_comes(host):
    """It neither ends nor leaves a question open."""
    session, token = "5066755635621e3e", "3a8d52051222e3fe"
    ask = f"filter|0.6|1.2|smtp-in|mail-from|{session}|{token}|"
    lines = ["config|ready", "", "|||||", "report", "filter|x", "\0\xff\x01" * 50,
             f"report|0.6|1.2|smtp-in|link-connect|{session}|h|pass|nonsense|nonsense",
             ask + address(ALICE), ask + "x" * 70000 + "@alice.test", ask + address(BOB),
             f"filter|0.6|1.2|smtp-in|something|{session}|{token}|x",
             f"filter|0.6|1.2|smtp-in|mail-from|{token}|{token}|{address(ALICE)}"]
    done = host.mta.tree.run(["smtplimit", "-c", host.conf, "answer", "opensmtpd"], uid=host.mta.uid,
                             stdin="\n".join(lines) + "\n")
    equal(done.returncode, 0, f"exit ({done.stderr})")
    answers = [scenes.scenes.timeless(line) for line in done.stdout.splitlines() if not line.startswith("register|")]
    head = f"filter-result|{session}|{token}|"
    equal(answers, [f"{head}reject|{text_of(host.alice, 'alice.test')}", f"{head}proceed",
                    f"{head}proceed", f"{head}proceed", f"filter-result|{token}|{token}|proceed"],
          "answers")


def test_daemon_that_hangs(host):
    os.kill(host.daemon.pid, signal.SIGSTOP)
    try:
        rcpts = []

        def send():
            rcpts.append(fresh())
            equal(host.mta.sendmail(BOB, address(BOB), rcpts[-1:]).returncode, 0, "exit of sendmail")
        took = within(scenes.ANSWER_S, send, between=host.mta.reload)   # the filter asks at once, when it is new
        true(min(took) > 0.9, f"sendmail took {took} s")
        for rcpt in rcpts:
            scenes.is_delivered(host, rcpt)
        scenes.is_refused(host, ALICE)
    finally:
        os.kill(host.daemon.pid, signal.SIGCONT)


def test_release(host):
    equal(host.cli("release", "alice").returncode, 0, "exit of release")
    wait_for(lambda: not host.suspended("alice"), 10, "the release")
    # The filter leaves a daemon that hung alone for some seconds, and goes by the file.
    wait_for(lambda: "alice" not in scenes.suspended_file(host), 10, "alice out of the file")
    scenes.sends(host, ALICE)


def test_without_the_daemon(host):
    scenes.without_the_daemon(host)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running(mta.Opensmtpd, [CONF], "opensmtpd"))
