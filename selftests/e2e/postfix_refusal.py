# SPDX-License-Identifier: GPL-2.0-only
"""Real Postfix with smtplimit's hook refuses a suspended customer's mail by every way in and from
its queue, with the text that says why, while others' mail flows. Nothing is left in the queue. With
a dead or stopped daemon it refuses whom it had suspended until the end, and nobody else."""
# ALONE: it measures how long mail waits for a daemon that hangs
import email
import math
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB  # noqa: E402
from mta_tree import HOSTNAME  # noqa: E402
from system import family, proc_text, wait_for, within  # noqa: E402

DOMAINS = {"far.test": ["198.51.100.1", "198.51.100.2"]}
MAIN, MASTER = "etc/postfix/main.cf", "etc/postfix/master.cf"
MESSAGE_S = 2.0
READERS = "pickup", "qmgr", "cleanup", "trivial-rewrite", "smtpd"


def fresh(act=""):
    return scenes.fresh(act)[0]


def suspend(server, name="alice", length="30m"):
    """By hand; the account in status."""
    done = server.host.cli("suspend", name, "--for", length)
    equal(done.returncode, 0, f"exit of suspend ({done.stderr})")
    wait_for(lambda: server.host.suspended(name), 10, f"{name} to be suspended")
    listed = server.host.dir / "run" / "suspended"
    wait_for(lambda: f"{name}: " in listed.read_text("utf-8"), 10, f"{name} in the file")
    return server.host.account(name)


def release(server, name="alice"):
    equal(server.host.cli("release", name).returncode, 0, "exit of release")
    wait_for(lambda: not server.host.suspended(name), 10, f"{name} to be released")
    listed = server.host.dir / "run" / "suspended"
    wait_for(lambda: f"{name}: " not in listed.read_text("utf-8"), 10, f"{name} out of the file")


def text_of(account, domain="alice.test"):
    """The refusal, without the codes. She was suspended by hand."""
    return scenes.refusal(account, domain).removeprefix("550 5.7.1 ")


def bounces(server, name):
    """[(recipient, diagnosis)] of the bounces in a mailbox, headers unfolded."""
    found = []
    for text in server.mailbox(name).split("\nFrom MAILER-DAEMON "):
        message = email.message_from_string(text.partition("\n")[2])
        for part in message.walk():
            if part.get_content_type() == "message/delivery-status":
                blocks = [b for b in part.get_payload() if b["Final-Recipient"]]
                found += [(b["Final-Recipient"].split(";")[1].strip(),
                           scenes.timeless(" ".join(b["Diagnostic-Code"].split()))) for b in blocks]
    return found


def bounce_of(server, name, rcpt):
    """Wait for the bounce of a recipient in a mailbox; its diagnosis."""
    def arrived():
        return [text for to, text in bounces(server, name) if to == rcpt]
    return wait_for(arrived, 15, f"the bounce of {rcpt} for {name}")[0]


def is_delivered(server, rcpt):
    """Wait until the remote has it."""
    def there():
        return any(e["recipient"] == rcpt and e["outcome"] == "delivered"
                   for e in server.host.tally().log)
    wait_for(there, 10, f"{rcpt} at the remote")


def never_came(server, *rcpts):
    """The remote was not even asked, and nothing waits."""
    server.wait_queue_empty()
    came = [e for e in server.host.tally().log if e["recipient"] in rcpts]
    equal(came, [], "attempts at the remote")


def sends(server, uid, name, limit_s=math.inf):
    """This customer's mail flows, by every way."""
    sender = f"{name}@{name}.test"
    ways = (lambda rcpt: server.sendmail(uid, sender, [rcpt]).returncode == 0,
            lambda rcpt: server.php_mail(uid, sender, rcpt).returncode == 0,
            lambda rcpt: server.swaks(uid, sender, [rcpt]).ok,
            lambda rcpt: server.swaks(uid, sender, [rcpt], auth=name).ok)
    for number, way in enumerate(ways):
        def one(way=way, number=number):
            rcpt = fresh()
            true(way(rcpt), f"{name} cannot send by way {number}")
            is_delivered(server, rcpt)
        within(limit_s, one)


def refused_lines(sent):
    return [scenes.timeless(line.partition("<** ")[2]) for line in sent.text.splitlines() if line.startswith("<**")]


def is_refused_by_smtp(server, account, uid, sender, prefix, **more):
    """The text names her own domain, whatever she wrote."""
    rcpt = fresh()
    sent = server.swaks(uid, sender, [rcpt], **more)
    true(not sent.ok, f"{sender} may send:\n{sent.text}")
    equal(refused_lines(sent), [f"550 5.7.1 {prefix.format(rcpt)} {text_of(account)}"],
          f"refusal of {sender}")
    return rcpt


RCPT, DATA = "<{}>: Recipient address rejected:", "<DATA>: Data command rejected:"


def is_refused_by_every_way(server, account):
    rcpts = [fresh(), fresh()]
    equal(server.sendmail(ALICE, "alice@alice.test", rcpts[:1]).returncode, 0, "exit of sendmail")
    equal(server.php_mail(ALICE, "alice@alice.test", rcpts[1]).returncode, 0, "mail()")
    for rcpt in rcpts:
        equal(bounce_of(server, "alice", rcpt), f"X-Postfix; {text_of(account)}", "bounce")
    rcpts.append(is_refused_by_smtp(server, account, ALICE, "alice@alice.test", RCPT))
    rcpts.append(is_refused_by_smtp(server, account, BOB, "alice@alice.test", RCPT,
                                    auth="alice"))
    never_came(server, *rcpts)


def test_installed_without_a_warning(server):
    for command in (["postfix", "check"], ["postconf", "-n"], ["postconf", "-M"], ["postconf", "-P"]):
        done = server.tree.run(command)
        equal((done.returncode, done.stderr), (0, ""), " ".join(command))
    true("smtplimit-policy" in server.tree.read(MASTER), "master.cf has no service of ours")
    done = server.hook("--install")
    equal((done.returncode, done.stdout), (0, "postfix: already installed\n"), "installed twice")


def test_everybody_sends_while_nobody_is_suspended(server):
    sends(server, ALICE, "alice", limit_s=MESSAGE_S)
    sends(server, BOB, "bob", limit_s=MESSAGE_S)


def test_a_suspended_customer_is_refused_by_every_way(server):
    account = suspend(server)
    is_refused_by_every_way(server, account)
    sends(server, BOB, "bob", limit_s=MESSAGE_S)


def test_whom_she_says_she_is_does_not_matter(server):
    """With bob's address, by loopback and by SMTP AUTH; and what she calls with -f."""
    account = server.host.account("alice")
    rcpts = [is_refused_by_smtp(server, account, ALICE, "bob@bob.test", DATA),
             is_refused_by_smtp(server, account, BOB, "bob@bob.test", DATA, auth="alice")]
    rcpts.append(fresh())
    server.sendmail(ALICE, "bob@bob.test", rcpts[-1:])
    bounce_of(server, "bob", rcpts[-1])
    never_came(server, *rcpts)


def test_each_recipient_is_counted(server):
    """By each way that turns her away: at RCPT, at DATA, and behind sendmail(1)."""
    def refused():
        scenes.looked(server.host, 2)
        return server.host.account("alice")["total"]["refused"]
    before = refused()
    server.swaks(ALICE, "alice@alice.test", [fresh() for _ in range(3)])
    for _ in range(2):
        server.swaks(BOB, "bob@bob.test", [fresh(), fresh()], auth="alice")
    server.sendmail(ALICE, "alice@alice.test", [fresh(), fresh()])
    server.wait_queue_empty()
    wait_for(lambda: refused() >= before + 9, 15, f"9 more than {before} refused")
    equal(refused(), before + 9, "refused")


RECEIVED = "Received: by {} (Postfix, from userid {})\n\tid 1; Mon, 1 Jan 2024 00:00:00 +0000 (UTC)\n"


def test_what_bob_passes_on_is_his(server):
    """Her uid on another host is not her, nor is a message of hers within his."""
    other, inner = fresh(), fresh()
    text = mta.MESSAGE.format(sender="bob@bob.test", to=other)
    server.sendmail(BOB, "bob@bob.test", [other],
                    text=RECEIVED.format("mx.remote.example", ALICE) + text)
    is_delivered(server, other)
    part = f"{RECEIVED.format(HOSTNAME, ALICE)}Subject: inner\n\ninner\n"
    text = mta.MESSAGE.format(sender="bob@bob.test", to=inner)
    server.sendmail(BOB, "bob@bob.test", [inner],
                    text=text.replace("\n\nhello\n", f"\nContent-Type: message/rfc822\n\n{part}"))
    is_delivered(server, inner)


def test_mail_from_outside_comes_in(server):
    marker = fresh()
    true(server.swaks_from_remote(marker, ["alice@alice.test"]).ok, "mail for alice is not taken in")
    wait_for(lambda: marker in server.mailbox("alice"), 10, "mail for alice in her mailbox")


def test_what_waits_in_the_queue_bounces(server):
    release(server)
    rcpts = [fresh("r451"), fresh("r451")]
    server.sendmail(ALICE, "alice@alice.test", rcpts[:1])
    true(server.swaks(ALICE, "alice@alice.test", rcpts[1:]).ok, "not taken in")
    for rcpt in rcpts:
        wait_for(lambda r=rcpt: any(e["recipient"] == r for e in server.host.tally().log), 10,
                 f"the first attempt of {rcpt}")
    scenes.window_is(server.host, "alice", deferred=2)
    account = suspend(server)
    for rcpt in rcpts:
        equal(bounce_of(server, "alice", rcpt), f"X-Postfix; {text_of(account)}", "bounce")
    server.wait_queue_empty()


def test_daemon_dead_while_she_is_suspended(server):
    account = server.host.account("alice")
    server.host.kill()
    is_refused_by_every_way(server, account)
    sends(server, BOB, "bob", limit_s=MESSAGE_S)


def test_a_dead_daemons_suspension_ends(server):
    server.host.start()
    release(server)
    account = suspend(server, length="12s")
    server.host.kill()
    is_refused_by_smtp(server, account, ALICE, "alice@alice.test", RCPT)
    end = scenes.iso(account["until"])
    while time.time() < end - 1:
        sent = server.swaks(ALICE, "alice@alice.test", [fresh()])
        true(not sent.ok or time.time() >= end, "not refused until the end")
    wait_for(lambda: time.time() > end + 1, 20, "the end of the suspension")
    sends(server, ALICE, "alice", limit_s=MESSAGE_S)


def test_daemon_stopped(server):
    """It neither answers nor is it gone."""
    server.host.start()
    account = suspend(server)
    server.host.daemon.send_signal(signal.SIGSTOP)
    try:
        is_refused_by_smtp(server, account, ALICE, "alice@alice.test", RCPT)
        sends(server, BOB, "bob")
    finally:
        server.host.daemon.send_signal(signal.SIGCONT)
    sends(server, BOB, "bob", limit_s=MESSAGE_S)


def test_removed_to_the_byte(server):
    done = server.hook("--remove")
    equal(done.returncode, 0, f"exit of hook --remove ({done.stderr})")
    equal((server.tree.read(MAIN), server.tree.read(MASTER)), server.before, "the files")
    old = [pid for pid in family(server.process.pid) if proc_text(f"{pid}/comm").strip() in READERS]
    true(old, "no process has read the old settings")
    equal(server.tree.run(["postfix", "reload"]).returncode, 0, "exit of postfix reload")
    wait_for(lambda: not any(proc_text(f"{pid}/comm") for pid in old), 20, "what runs with the old settings to end")
    rcpt = fresh()
    server.sendmail(ALICE, "alice@alice.test", [rcpt])
    is_delivered(server, rcpt)


def make(host):
    server = mta.Postfix(host)
    server.settings["smtpd_data_restrictions"] = "reject_unauth_pipelining"
    server.settings["header_checks"] = "regexp:/etc/postfix/header_checks"
    server.tree.write("etc/postfix/header_checks", "/^X-Never:/ REJECT never\n")
    return server


def prepare(server):
    """The files before the hook."""
    configure = server.configure

    def configure_and_note():
        configure()
        server.before = (server.tree.read(MAIN), server.tree.read(MASTER))
    server.configure = configure_and_note


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), mta.hooked(make, DOMAINS, prepare=prepare))
