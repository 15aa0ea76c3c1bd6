# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of OpenSMTPD and Sendmail share: a Host with a running smtplimit and a real server that
runs `smtplimit answer`; suspended customers, and whether mail of somebody gets through."""
import contextlib
import math
import re
import subprocess
import time

import clients
import mta
import scenes
from host import Host
from ktap import equal, true
from mta_tree import DOMAINS as CUSTOMERS
from system import wait_for, within

DOMAINS = {"far.test": ["198.51.100.1"]}
MESSAGE_S = 2.0
ANSWER_S = 1.5      # with a daemon that hangs
NAMES = {uid: name for name, uid in mta.USERS.items()}


def hook(host, server, *more):
    """smtplimit hook, for the tree of the server."""
    command = [host.binary, "-c", host.conf, "hook", server.name, "--root", server.tree.root, *more]
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          check=False, cwd="/")


def said(host, server, *more):
    """What it says, on success."""
    done = hook(host, server, *more)
    equal(done.returncode, 0, f"exit of hook {' '.join(more)} ({done.stderr})")
    return done.stdout.splitlines()[-1]


def contents(server, paths):
    return {path: server.tree.path(path).read_bytes() for path in paths}


def bare(text):
    """Without the block of the hook in a sendmail.mc."""
    return re.sub(r"dnl BEGIN smtplimit.*?dnl END smtplimit[^\n]*\n", "", text, flags=re.DOTALL)


def goes_in_and_out(host, server, paths):
    """Each file to the byte as before, and in again."""
    before = contents(server, paths)
    true(said(host, server, "--install").startswith(f"{server.name}: installed; now run: "), "--install")
    installed = contents(server, paths)
    true(all(before[path] != installed[path] for path in paths), "a file is as it was")
    equal(said(host, server, "--install"), f"{server.name}: already installed", "second --install")
    equal(contents(server, paths), installed, "files after a second --install")
    said(host, server, "--remove")
    equal(contents(server, paths), before, "files after --remove")
    equal(said(host, server, "--remove"), f"{server.name}: not installed", "second --remove")
    said(host, server, "--install")
    equal(contents(server, paths), installed, "files after another --install")


@contextlib.contextmanager
def running(make, paths, relays):
    """The daemon and the server run, and the hook is in; yields host with host.mta."""
    owners = "".join(f"{domain}: {user}\n" for domain, user in CUSTOMERS.items())
    with Host({"watch": {"relay_users": relays}, "feed": {"postfix": "off"}}) as host:
        (host.dir / "owners").write_text(owners, encoding="ascii")
        host.write_conf({"accounts": {"source": "file", "file": host.dir / "owners"}})
        mta.Dns(host, DOMAINS)
        host.mta = server = make(host)
        host.start()
        server.configure()
        goes_in_and_out(host, server, paths)
        server.start()
        yield host


def address(uid):
    return f"{NAMES[uid]}@{NAMES[uid]}.test"


def fresh(act=""):
    return scenes.fresh(act)[0]


def suspended_file(host):
    return (host.dir / "run" / "suspended").read_text("utf-8")


def suspend(host, uid, length="30m"):
    """By hand; the account in status."""
    name = NAMES[uid]
    done = host.cli("suspend", name, "--for", length)
    equal(done.returncode, 0, f"exit of suspend ({done.stderr})")
    wait_for(lambda: host.suspended(name) and f"{name}: " in suspended_file(host), 10,
             f"{name} to be suspended")
    return host.account(name)


def fail_until_suspended(host, uid):
    """Five mails that the remote refuses; the account. Its figures are those of the text."""
    name = NAMES[uid]
    for _ in range(5):
        host.mta.sendmail(uid, address(uid), [fresh("r550.5.1.1")])
    wait_for(lambda: host.suspended(name) and f"{name}: " in suspended_file(host), 20,
             f"{name} to be suspended")
    return host.account(name)


def text_of(account, domain, bad=5):
    """The whole refusal of an account in status, which had `bad` failed mails alone."""
    return scenes.refusal(account, domain, bad_=bad, percent=100 if bad else 0)


def is_delivered(host, rcpt):
    wait_for(lambda: any(e["recipient"] == rcpt and e["outcome"] == "delivered"
                         for e in host.tally().log), 15, f"{rcpt} at the remote")


def never_came(host, rcpts):
    """The remote was not even asked, and nothing waits."""
    host.mta.wait_queue_empty()
    equal([e for e in host.tally().log if e["recipient"] in rcpts], [], "attempts at the remote")


def ways(server, uid):
    """{way: a function of sender and recipient that is true when the server took the mail}"""
    found = {"sendmail": lambda sender, rcpt: server.sendmail(uid, sender, [rcpt]).returncode == 0,
             "PHP mail()": lambda sender, rcpt: server.php_mail(uid, sender, rcpt).returncode == 0,
             "loopback SMTP": lambda sender, rcpt: server.swaks(uid, sender, [rcpt]).ok}
    if server.has_auth:
        found["SMTP AUTH"] = lambda sender, rcpt: server.swaks(
            uid, sender, [rcpt], auth=NAMES[uid]).ok
    return found


def sends(host, uid, sender=None, limit_s=math.inf):
    """This customer's mail flows, each way."""
    for way, send in ways(host.mta, uid).items():
        def one(way=way, send=send):
            rcpt = fresh()
            true(send(sender or address(uid), rcpt), f"{NAMES[uid]} cannot send by {way}")
            is_delivered(host, rcpt)
        within(limit_s, one)


def is_refused(host, uid, sender=None):
    """Each way; the recipients."""
    rcpts = []
    for way, send in ways(host.mta, uid).items():
        rcpts.append(fresh())
        true(not send(sender or address(uid), rcpts[-1]), f"{NAMES[uid]} may send by {way}")
    return rcpts


def refused(host, uid):
    """Attempts that status says were turned away, once all of them are saved."""
    scenes.looked(host, 2)
    account = host.account(NAMES[uid])
    return account["total"]["refused"] if account else 0


def counts_refused(host, uid, more, act):
    """So many more after act(), to the one."""
    before = refused(host, uid)
    act()
    wait_for(lambda: refused(host, uid) >= before + more, 15, f"{more} more than {before} refused")
    equal(refused(host, uid), before + more, f"refused of {NAMES[uid]}")


def each_refusal_at_mail_is_counted(host):
    """A message that is turned away at MAIL is one attempt, and a further try a further one."""
    def act():
        for _ in range(2):
            host.mta.sendmail(mta.ALICE, address(mta.ALICE), [fresh()])
        for _ in range(3):
            host.mta.swaks(mta.ALICE, address(mta.ALICE), [fresh(), fresh()])
        host.mta.sendmail(mta.BOB, address(mta.BOB), [fresh()])
    counts_refused(host, mta.ALICE, 5, act)
    equal(refused(host, mta.BOB), 0, "refused of bob")


def smtp_refusal(sent):
    """The line that turned it down."""
    true(not sent.ok, f"taken:\n{sent.text}")
    return [scenes.timeless(line.partition("<** ")[2]) for line in sent.text.splitlines() if line.startswith("<** ")]


def remote_mail(host, sender, to):
    """Another host's mail for a local user arrives, whoever it says that it is from."""
    sent = host.mta.swaks_from_remote(sender, [to])
    true(isinstance(sent, clients.Sent) and sent.ok, f"mail of {sender} from outside:\n{sent.text}")


def without_the_daemon(host, prefix=lambda sender: ""):
    """Killed while ALICE is suspended for long, and DAVE for seconds; then with nothing known at all."""
    suspend(host, mta.ALICE, "10m")
    end = scenes.iso(suspend(host, mta.DAVE, "20s")["until"])
    host.kill()
    refused = is_refused(host, mta.DAVE)
    true(time.time() < end, "dave's suspension was over before all of this was tried")
    refused += is_refused(host, mta.ALICE)
    sent = host.mta.swaks(mta.ALICE, address(mta.ALICE), [fresh()])
    line = smtp_refusal(sent)[0]
    true(line.startswith(f"550 5.7.1 {prefix(address(mta.ALICE))}Domain alice.test is not allowed to send "),
         f"refusal: {line}")
    sends(host, mta.BOB, limit_s=MESSAGE_S)
    wait_for(lambda: time.time() > end, 60, "the end of dave's suspension")
    sends(host, mta.DAVE, limit_s=MESSAGE_S)
    is_refused(host, mta.ALICE)
    never_came(host, refused)
    (host.dir / "run" / "suspended").unlink()
    sends(host, mta.ALICE, limit_s=MESSAGE_S)
