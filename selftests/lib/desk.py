# SPDX-License-Identifier: GPL-2.0-only
"""Where the notices of a Host arrive: a webhook that checks signatures, and the administrator's command.

    desk = Desk(host)
    host.write_conf({"notify": desk.settings()})
    host.start()
    desk.comes("uid:20001", "suspended")
"""
import hashlib
import hmac
import json
from pathlib import Path

import system
from host import PYTHON
from ktap import equal
from mta_tree import MS_BIND
from system import wait_for

SECRET = "correct horse battery staple"
PORT = 8025
SENDMAIL = Path("/usr/sbin/sendmail")

# Writes what is POSTed to a file, a line of JSON each; answers 500 while the file "broken" is there.
WEBHOOK = """
import http.server, json, os, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        broken = os.path.exists(sys.argv[3])
        with open(sys.argv[2], "a") as out:
            out.write(json.dumps({"headers": dict(self.headers), "body": body, "broken": broken}) + "\\n")
        self.send_response(500 if broken else 204)
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook)
print("ready", flush=True)
server.serve_forever()
"""

# What a command does: a line of JSON with its environment, its input and its user. By $SMTPLIMIT_ACCOUNT
# it hangs, fails or floods instead.
COMMAND = """
import json, os, sys, time
env = {k: v for k, v in os.environ.items() if k.startswith("SMTPLIMIT_")}
status = {l.split(":")[0]: l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapBnd", "NoNewPrivs"))}
fact = {"env": env, "input": json.load(sys.stdin), "uid": os.getuid(), "groups": os.getgroups(), **status}
with open(sys.argv[1], "a") as out:
    out.write(json.dumps(fact) + "\\n")
name = env.get("SMTPLIMIT_ACCOUNT")
if name == "uid:20011":
    time.sleep(600)
if name == "uid:20012":
    sys.exit("no \\x1b[31mway")
if name == "uid:20013":
    while True:
        print("x" * 4096)
"""


def lines(path):
    """The lines of JSON in a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def of(facts, account, kind):
    return [f for f in facts if f.get("account") == account and f.get("kind") == kind]


class Desk:
    """Where the notices of a host arrive."""

    def __init__(self, host):
        self.host = host
        self.dir = host.dir / "desk"
        self.dir.mkdir()
        self.dir.chmod(0o777)
        self.posted, self.ran = self.dir / "posted", self.dir / "ran"
        (self.dir / "command.py").write_text(COMMAND, "ascii")
        (self.dir / "secret").write_text(SECRET + "\n", "ascii")
        (self.dir / "secret").chmod(0o600)
        (self.dir / "contacts").write_text("# account address\n", "ascii")
        hook = host.popen_as(None, [PYTHON, "-c", WEBHOOK, PORT, self.posted, self.dir / "broken"],
                             cgroup=False, stdout=-1, text=True)
        equal(hook.stdout.readline(), "ready\n", "the webhook's server")

    def contact(self, account, address):
        with open(self.dir / "contacts", "a", encoding="ascii") as out:
            out.write(f"{account} {address}\n")

    def sendmail_of(self, server):
        """The sendmail(1) of a mail server's tree stands in the place of the machine's own, as far as this
        test sees, and its calls are written down."""
        wrapper = self.dir / "sendmail"
        line = " ".join(str(word) for word in server.tree.command([]))
        wrapper.write_text(f"#!/bin/sh\necho \"$(id -u) $*\" >>{self.dir}/calls\nexec {line} {SENDMAIL} \"$@\"\n",
                           "ascii")
        wrapper.chmod(0o755)
        target = str(SENDMAIL.resolve())
        system.mount(str(wrapper), target, None, MS_BIND)
        self.host.cleanups.append(lambda: system.umount(target))

    def sendmail_calls(self):
        return (self.dir / "calls").read_text("utf-8").splitlines()

    def settings(self):
        return {"command": f"exec {PYTHON} {self.dir}/command.py {self.ran}",
                "webhook": f"http://127.0.0.1:{PORT}/hook", "webhook_secret_file": self.dir / "secret"}

    def hooked(self):
        """What the webhook has got, each with a signature that holds."""
        for post in lines(self.posted):
            want = hmac.new(SECRET.encode(), post["body"].encode(), hashlib.sha256).hexdigest()
            equal(post["headers"].get("X-Smtplimit-Signature"), f"sha256={want}", "signature")
            equal(post["headers"]["Content-Type"], "application/json", "type")
        return [json.loads(post["body"]) for post in lines(self.posted)]

    def commanded(self):
        return [fact["input"] for fact in lines(self.ran)]

    def comes(self, account, kind, timeout=30):
        """Wait until both have a notice; it."""
        wait_for(lambda: of(self.hooked(), account, kind) and of(self.commanded(), account, kind), timeout,
                 f"{kind} of {account} at webhook and command; the log:\n{self.host.log()[-3000:]}")
        found = of(self.hooked(), account, kind)
        equal(len(found), 1, f"notices of {account} {kind}")
        equal(of(self.commanded(), account, kind), found, "the command's input")
        return found[0]
