# SPDX-License-Identifier: GPL-2.0-only
"""A Host with a running smtplimit, and a real Exim that smtplimit's hook is installed in."""
import contextlib
import json
import re
import sqlite3
import subprocess

import exim_log
import mta
from host import PYTHON, Host
from ktap import equal, true
from mta_tree import DOMAINS as CUSTOMERS
from system import wait_for

REMOTES = {"far.test": ["198.51.100.1", "198.51.100.2"], "one.test": ["198.51.100.3"],
           "tls.test": ["198.51.100.4"], "busy.test": ["198.51.100.5"]}

TELLING = "etc/exim4/conf.d/acl/01_smtplimit"


def hook(host, server, *more):
    """smtplimit hook exim, for the tree of the server."""
    command = [host.binary, "-c", host.conf, "hook", "exim", "--root", server.tree.root, *more]
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          check=False, cwd="/")


def installed(host, server):
    """Install it, build the configuration anew; what it said."""
    done = hook(host, server, "--install")
    equal(done.returncode, 0, f"exit of hook --install ({done.stderr})")
    return done.stdout


@contextlib.contextmanager
def running(options=None, prepare=None, tell_s=None, **more):
    """The daemon and the server run; yields host with host.exim. prepare(server): what to change in
    its tree before it starts. tell_s: for so long Exim waits to be heard, not for 2 s: all is told, also where
    the machine stands still."""
    owners = "".join(f"{domain}: {user}\n" for domain, user in CUSTOMERS.items())
    options = {"watch": {"relay_users": "Debian-exim"}, "feed": {"postfix": "off"}, **(options or {})}
    with Host(options, **more) as host:
        (host.dir / "owners").write_text(owners, encoding="ascii")
        host.write_conf({"accounts": {"source": "file", "file": host.dir / "owners"}})
        mta.Dns(host, REMOTES)
        host.exim = server = mta.Exim(host)
        host.start()
        if prepare:
            prepare(server)
        server.configure()  # as Debian's package has done before a hook is installed
        installed(host, server)
        if tell_s:
            text = server.tree.read(TELLING)
            true("{2s}{}{$pid}}" in text, f"nothing is told by {text}")
            server.tree.write(TELLING, text.replace("{2s}{}{$pid}}", f"{{{tell_s}s}}{{}}{{$pid}}}}"))
        server.configure()
        server.start()
        yield host
        true("smtplimit" not in server.tree.read("var/log/exim4/paniclog"), "the hook made Exim panic:\n"
             + server.tree.read("var/log/exim4/paniclog"))


# Messages over one SMTP connection after the other; standard input: [[sender, [recipient, ...]], ...]
SMTP = """
import json, smtplib, sys
port, ehlo, user = sys.argv[1:]
with smtplib.SMTP("127.0.0.1", int(port), local_hostname=ehlo, timeout=60) as s:
    if user:
        s.ehlo()
        s.login(user, "secret")
    for sender, rcpts in json.load(sys.stdin):
        s.sendmail(sender, rcpts, "Subject: test\\r\\n\\r\\nhello\\r\\n")
"""


def submit(host, uid, messages, auth=""):
    """By a program of this uid, over loopback SMTP, which says its name in the EHLO."""
    name = next(n for n, number in mta.USERS.items() if number == uid)
    done = host.run_as(uid, [PYTHON, "-c", SMTP, 587 if auth else 25, f"{name}.client", auth],
                       json.dumps(messages))
    equal(done.returncode, 0, f"exit of {name}'s SMTP client ({done.stderr})")


def windows(host):
    """{account: {outcome: mails}} of the accounts that have some in their window."""
    rows = {a["account"]: {o: a["window"][o] for o in exim_log.OUTCOMES}
            for a in host.status()["accounts"]}
    return {name: row for name, row in rows.items() if any(row.values())}


def told(host):
    """{customer: {outcome: attempts}}, and what was refused, that Exim has told of, as it is saved."""
    cells = [*exim_log.OUTCOMES, "refused"]
    sums = ", ".join(f"SUM({cell})" for cell in cells)
    with contextlib.closing(sqlite3.connect(host.dir / "state" / "state.db")) as db:
        rows = {uid: row for uid, *row in db.execute(f"SELECT uid, {sums} FROM told GROUP BY uid")}
    return {name: dict(zip(cells, rows[uid])) for name, uid in mta.USERS.items() if uid in rows}


def tally(host):
    return exim_log.EximLog(host.exim.log(), mta.LOCAL_DOMAINS)


def agrees(host, timeout=30):
    """Wait until the mails and attempts of every account are what Exim's log says; its tally."""
    seen = {}

    def same():
        log = tally(host)
        attempts = {name: {o: row[o] for o in exim_log.OUTCOMES} for name, row in told(host).items()}
        seen.update(log=(log.mails, log.attempts), smtplimit=(windows(host), attempts))
        return log if seen["log"] == seen["smtplimit"] else None
    try:
        return wait_for(same, timeout)
    except TimeoutError:
        raise AssertionError("mails and attempts:\nsmtplimit {smtplimit}\nlog       {log}".format(
            **seen)) from None


def waiting(host):
    """Senders of what is in the queue, but for bounces, which may find nobody."""
    rows = host.exim.tree.run(["exim4", "-bp"]).stdout
    return re.findall(r"^ *\S+ +\S+ \w{6}-\w{6}-\w{2} <(.+)>", rows, re.MULTILINE)
