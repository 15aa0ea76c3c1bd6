# SPDX-License-Identifier: GPL-2.0-only
"""Real Exim refuses a suspended customer's mail by every way in and from its queue, with the text
that says why, while others' mail flows. Without the daemon a suspension holds until its end, and no
mail waits longer than 2 seconds."""
# ALONE: it measures how long mail waits for a daemon that hangs
import calendar
import contextlib
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import exim_scenes  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, CAROL, DAVE, HOSTNAME, NAMES, USERS  # noqa: E402
from system import wait_for, within  # noqa: E402

LATER = "r451-later@one.test"
# By hand, from the file: Exim cannot say how long that is.
TEXT = re.compile(r"550 5\.7\.1 Domain (\S+) is not allowed to send mail at present\. Message discarded\. "
                  r"Sending is possible again at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\.")

# Identities of SMTP AUTH: alice in any form, or a domain of hers; and others.
ALICES = [form.format(domain) for domain in (HOSTNAME, HOSTNAME.split(".", maxsplit=1)[0], HOSTNAME.title() + ".")
          for form in ("alice@{}", *(("alice%{}", "alice+{}") if "." in domain else ()))]
ALICES += ["alice", "x@alice.test", "x%Alice.Test", "x+alice.test", "x%bob.test+alice.test", "x+bob.test@alice.test"]
OTHERS = ["bob", f"bob@{HOSTNAME}", "x@bob.test", "alice@bob.test", "x+alice.test@bob.test", "alice+x",
          f"alice@{HOSTNAME}.bob.test", "alice@sender.test", "alice@"]


def prepare(server):
    """Let all of these in."""
    part = "etc/exim4/conf.d/auth/90_test"
    auth = server.tree.read(part)
    users = f"{{{':'.join(USERS)}}}"
    equal(auth.count(users), 1, f"{users} in {auth}")
    server.tree.write(part, auth.replace(users, f"{{{':'.join([*USERS, *ALICES, *OTHERS])}}}"))


def address(uid):
    return f"{NAMES[uid]}@{NAMES[uid]}.test"


def delivered(host):
    return {e["recipient"] for e in host.tally().log if e["outcome"] == "delivered"}


def is_delivered(host, rcpt, timeout=15):
    wait_for(lambda: rcpt in delivered(host), timeout, f"{rcpt} to be delivered")


def refusal_of(host, uid):
    """The whole text, from what status says of the account."""
    account = host.account(NAMES[uid])
    return scenes.refusal(account, f"{NAMES[uid]}.test", host.bad)


def bounces(host, uid):
    """The mailbox, as one line, so that a text that was broken into lines is found."""
    return scenes.timeless(" ".join(host.exim.mailbox(NAMES[uid]).split()))


def bounce_says(host, uid, rcpt, text):
    wait_for(lambda: rcpt in bounces(host, uid), 20, f"a bounce for {rcpt}")
    true(text in bounces(host, uid), f"{text!r} is not in the bounce:\n{host.exim.mailbox(NAMES[uid])}")


def neighbour_sends(host, uid=BOB):
    rcpt = scenes.fresh()[0]
    equal(host.exim.sendmail(uid, address(uid), [rcpt]).returncode, 0, "exit of a neighbour's sendmail")
    is_delivered(host, rcpt)


def smtp_text(transcript):
    """The one refusal in what swaks or a server said, its lines put together."""
    lines = re.findall(r"^(?:<\*\* )?(550)[- ](.*?)\r?$", transcript, re.MULTILINE)
    return scenes.timeless(" ".join(["550"] + [text for _, text in lines]))


def smtp_refused(sent, text):
    true(not sent.ok, f"taken:\n{sent.text}")
    equal(smtp_text(sent.text), text, "refusal")


def test_install_is_idempotent(host):
    first = exim_scenes.hook(host, host.exim, "--install")
    equal((first.returncode, first.stdout), (0, "exim: already installed\n"), "second --install")


def test_own_failures_suspend(host):
    """One mail stays in the queue, then the rule strikes."""
    server = host.exim
    neighbour_sends(host)
    server.sendmail(ALICE, address(ALICE), [LATER])
    wait_for(server.queue, 10, "the mail to be queued")
    scenes.window_is(host, "alice", deferred=1)
    for rcpt in scenes.fresh("r550.5.1.1", 4):
        server.sendmail(ALICE, address(ALICE), [rcpt])
    wait_for(lambda: host.suspended("alice"), 15, "alice to be suspended")
    host.bad = 5
    true(not host.suspended("domain:alice.test"), "an account of the domain")


def test_queued_mail_fails(host):
    """At the next routing, with the text; it is no outcome of alice's."""
    bounce_says(host, ALICE, LATER, refusal_of(host, ALICE))
    host.exim.wait_queue_empty()
    row = [r for r in host.exim.log().splitlines() if f"** {LATER}" in r]
    equal(len(row), 1, f"failures of {LATER} in the log: {row}")
    true("R=smtplimit: " in row[0], f"not failed by the hook: {row[0]}")
    wait_for(lambda: exim_scenes.told(host)["alice"]["refused"] == 1, 10, "the refusal to be counted")
    equal(exim_scenes.told(host)["alice"]["failed"], 4, "failed")


def test_sendmail_is_refused(host):
    rcpt = scenes.fresh()[0]
    done = host.exim.sendmail(ALICE, address(ALICE), [rcpt])
    true(done.returncode != 0, "sendmail's exit status is 0")
    bounce_says(host, ALICE, rcpt, refusal_of(host, ALICE))
    done = host.exim.sendmail(ALICE, address(ALICE), [rcpt], more=["-oep"])
    true(done.returncode != 0 and refusal_of(host, ALICE) in scenes.timeless(" ".join(done.stderr.split())),
         f"-oep says {done.stderr}")


def test_php_mail_is_refused(host):
    rcpt = scenes.fresh()[0]
    equal(host.exim.php_mail(ALICE, address(ALICE), rcpt).returncode, 1, "PHP's mail() gives true")
    bounce_says(host, ALICE, rcpt, refusal_of(host, ALICE))


def test_smtp_is_refused(host):
    text = refusal_of(host, ALICE)
    rcpt = scenes.fresh()[0]
    smtp_refused(host.exim.swaks(ALICE, address(ALICE), [rcpt], auth="alice"), text)
    smtp_refused(host.exim.swaks(ALICE, address(ALICE), [rcpt]), text)
    # The person is refused, whatever name he writes, and whoever connects with his password.
    smtp_refused(host.exim.swaks(CAROL, address(ALICE), [rcpt], auth="alice"), text)
    forged = host.exim.swaks(ALICE, address(BOB), [rcpt], auth="alice")
    smtp_refused(forged, text)


def test_bs_is_refused(host):
    lines = f"EHLO x\nMAIL FROM:<{address(ALICE)}>\nRCPT TO:<{scenes.fresh()[0]}>\nQUIT\n"
    done = host.exim.tree.run(["/usr/sbin/sendmail", "-bs"], uid=ALICE, stdin=lines)
    equal(smtp_text(done.stdout), refusal_of(host, ALICE), "what sendmail -bs says")


def refused(host):
    """Of alice, as it is saved and as status has it."""
    return exim_scenes.told(host)["alice"]["refused"], host.account("alice")["total"]["refused"]


def test_each_recipient_is_counted(host):
    """What is turned away at the door is counted once for each recipient, retries too, and not for local ones."""
    scenes.looked(host, 2)
    before, shown = refused(host)
    swaks = host.exim.swaks(ALICE, address(ALICE), scenes.fresh(count=3), auth="alice")
    turned = len(re.findall(r"^<\*\* 550 ", swaks.text, re.MULTILINE))
    equal(turned, 3, f"replies to RCPT:\n{swaks.text}")
    again = scenes.fresh(count=1)
    for _ in range(2):
        host.exim.swaks(ALICE, address(ALICE), again)
    host.exim.sendmail(ALICE, address(ALICE), scenes.fresh(count=4))
    host.exim.sendmail(ALICE, address(ALICE), ["carol@carol.test"])
    host.exim.swaks(ALICE, address(ALICE), ["dave@dave.test"], auth="alice")
    wait_for(lambda: refused(host) >= (before + 9, shown + 9), 10, f"9 more than {before}, {shown}: {refused(host)}")
    scenes.looked(host, 2)
    equal(refused(host), (before + 9, shown + 9), "refused")


def test_local_mail_is_not(host):
    host.exim.sendmail(ALICE, address(ALICE), ["carol@carol.test"])
    wait_for(lambda: address(ALICE) in host.exim.mailbox("carol"), 15, "alice's mail in carol's mailbox")
    sent = host.exim.swaks(ALICE, address(ALICE), ["dave@dave.test"], auth="alice")
    true(sent.ok, f"local mail is refused:\n{sent.text}")


def test_mail_from_outside_is_not(host):
    """Though it bears the name of alice's domain."""
    sent = host.exim.swaks_from_remote(address(ALICE), ["bob@bob.test"])
    true(sent.ok, f"mail from outside is refused:\n{sent.text}")


def test_neighbour_is_not(host):
    neighbour_sends(host)
    rcpt = scenes.fresh()[0]
    true(host.exim.swaks(BOB, address(BOB), [rcpt], auth="bob").ok, "bob's SMTP AUTH")
    is_delivered(host, rcpt)
    # Nor is he for what alice does in his name.
    true(not host.suspended("bob"), "bob is suspended")


def test_nothing_of_alice_has_left(host):
    host.exim.wait_queue_empty()
    seen = {e["recipient"] for e in host.tally().log if e["sender"] == address(ALICE)}
    true(not any(re.match(r"n\d+@", rcpt) for rcpt in seen), f"alice has sent: {seen}")


def test_release(host):
    equal(host.cli("release", "alice").returncode, 0, "exit of release")
    wait_for(lambda: not host.suspended("alice"), 10, "the release")
    neighbour_sends(host, ALICE)


def test_daemon_that_hangs(host):
    """It is stopped, its children go on: 2 seconds a question."""
    os.kill(host.daemon.pid, signal.SIGSTOP)
    try:
        rcpts = []

        def send():
            rcpts.extend(scenes.fresh())
            equal(host.exim.sendmail(BOB, address(BOB), rcpts[-1:]).returncode, 0, "exit")
        within(3, send)
        for rcpt in rcpts:
            is_delivered(host, rcpt)
    finally:
        os.kill(host.daemon.pid, signal.SIGCONT)


def test_daemon_killed_during_a_suspension(host):
    """Of alice for long, of dave for some seconds more."""
    host.cli("suspend", "alice", "--for", "10m")
    host.cli("suspend", "dave", "--for", "20s")
    listed = host.dir / "run" / "suspended"
    wait_for(lambda: {"alice:", "dave:"} <= {r.split()[0] for r in listed.read_text("utf-8").splitlines()},
             10, "both in the file")
    until = host.account("dave")["until"]
    host.kill()
    for uid in (ALICE, DAVE):
        rcpt = scenes.fresh()[0]
        sent = host.exim.swaks(uid, address(uid), [rcpt], auth=NAMES[uid])
        true(not sent.ok and TEXT.fullmatch(smtp_text(sent.text)), f"swaks: {sent.text}")
        done = host.exim.sendmail(uid, address(uid), [rcpt], more=["-oep"])
        true(done.returncode != 0 and TEXT.search(" ".join(done.stderr.split())),
             f"sendmail: {done.stderr}")
    neighbour_sends(host)
    end = calendar.timegm(time.strptime(until, "%Y-%m-%dT%H:%M:%SZ"))
    wait_for(lambda: time.time() > end, 60, "the end of dave's suspension")
    neighbour_sends(host, DAVE)
    true(host.exim.sendmail(ALICE, address(ALICE), scenes.fresh()).returncode != 0, "alice may send")


def test_identities_without_the_daemon(host):
    """As the daemon reads them: user, user@HOST, and the domain of all others."""
    def passes(identity):
        return host.exim.swaks(CAROL, address(CAROL), scenes.fresh(), auth=identity,
                               more=["--quit-after", "RCPT"]).ok
    equal([i for i in ALICES + OTHERS if passes(i)], OTHERS, "who may send")


def test_the_question(host):
    """Both ends of a connection; none of sendmail(1), by whatever protocol."""
    path = host.dir / "run" / "exim"
    path.unlink(missing_ok=True)
    lines = f"EHLO x\nMAIL FROM:<{address(BOB)}>\nRCPT TO:<{scenes.fresh()[0]}>\nQUIT\n"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen()
        listener.settimeout(20)
        sender = threading.Thread(target=lambda: (
            host.exim.swaks(BOB, address(BOB), scenes.fresh(), auth="bob", more=["--quit-after", "RCPT"]),
            host.exim.tree.run(["/usr/sbin/sendmail", "-bs"], uid=BOB, stdin=lines)))
        sender.start()
        asked = []
        for _ in range(2):
            peer, _ = listener.accept()
            # Exim waits for 2 s: it may be gone.
            with contextlib.suppress(BrokenPipeError), peer, peer.makefile("rw", encoding="ascii") as stream:
                asked.append(dict(word.split("=", 1) for word in stream.readline().split()))
                stream.write("ok -\n")
        sender.join()
    path.unlink()
    by_smtp, by_sendmail = asked
    true(by_smtp["port"].isdigit(), f"the client's port: {by_smtp}")
    equal([by_smtp[key] for key in ("uid", "addr", "to", "toport")], ["", "127.0.0.1", "127.0.0.1", "587"], "SMTP")
    equal([by_sendmail[key] for key in ("uid", "addr", "port", "to", "toport")], [str(BOB), "", "", "", ""],
          "sendmail -bs")


def test_mail_flows_without_the_daemon(host):
    """Within 2 seconds a message, by each way; also when the file is gone."""
    (host.dir / "run" / "suspended").unlink()
    for send in (lambda rcpt: host.exim.sendmail(ALICE, address(ALICE), [rcpt]).returncode == 0,
                 lambda rcpt: host.exim.swaks(ALICE, address(ALICE), [rcpt]).ok,
                 lambda rcpt: host.exim.swaks(ALICE, address(ALICE), [rcpt], auth="alice").ok):
        def one(send=send):
            rcpt = scenes.fresh()[0]
            true(send(rcpt), f"{rcpt} was not taken")
            is_delivered(host, rcpt)
        within(2, one)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), exim_scenes.running(prepare=prepare))
