# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of this host's own faults share: a back end whose mailboxes are full, a smart host that
takes no login, and what status says of faults.

Mail for these domains meets a fault, as the test's server is set up: filter.test (nothing listens on an own
address), quota.test (the back end), smart.test (the login), noway.test (no route); and nameN.test, once the
name server is stopped. Nothing listens to any other."""
import json
import re

from host import PYTHON, SENDER4
from ktap import equal
from system import wait_for

OWN_ADDRESS, UNROUTED, SMART = SENDER4[0], "192.0.2.1", "198.51.100.9"
FILTER_PORT, BACK_END_PORT, SMART_PORT = 10025, 2424, 2587

# Answers by the first word of each command; of a body, by its dot. Prints a line for each reply of `counted`.
SERVER = """
import json, socketserver, sys
port, replies, counted = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
class Session(socketserver.StreamRequestHandler):
    def say(self, word):
        self.wfile.write((replies.get(word, "250 ok") + "\\r\\n").encode())
        if word == counted:
            print(word, flush=True)
    def handle(self):
        self.say("greeting")
        while line := self.rfile.readline():
            word = line.split()[0].decode().upper() if line.split() else ""
            self.say(word)
            if word == "DATA":
                while self.rfile.readline() not in (b".\\r\\n", b""):
                    pass
                self.say(".")
            if word == "QUIT":
                return
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
server = Server(("0.0.0.0", port), Session)
print("ready", flush=True)
server.serve_forever()
"""

FULL = {"greeting": "220 back end", "LHLO": "250 back end", "DATA": "354 go", ".": "452 4.2.2 Mailbox is over quota",
        "QUIT": "221 bye"}
NO_LOGIN = {"greeting": "220 smart host", "EHLO": "250-smart host\r\n250 AUTH PLAIN LOGIN XTEST",
            "AUTH": "535 5.7.8 Error: authentication failed", "QUIT": "221 bye"}


def serve(host, netns, port, replies, counted):
    """Such a server; a function that gives how many replies of `counted` it has given."""
    path = host.dir / f"server-{port}"
    with open(path, "w", encoding="ascii") as out:
        host.popen_as(None, [PYTHON, "-c", SERVER, port, json.dumps(replies), counted], netns=netns, cgroup=False,
                      stdout=out)
    wait_for(lambda: "ready" in path.read_text("ascii"), 10, f"the server on port {port}")
    return lambda: path.read_text("ascii").count(counted + "\n")


def faults(host):
    """{fault: its object} in status."""
    return {f["fault"]: f for f in host.status()["faults"]}


def attempts_are(host, want, timeout=20):
    """Wait until status has exactly these faults: {fault: attempts}, or a function that gives it."""
    seen = {}

    def same():
        seen["want"] = want() if callable(want) else want
        seen["got"] = {name: f["attempts"] for name, f in faults(host).items()}
        return seen["got"] == seen["want"]
    try:
        wait_for(same, timeout)
    except TimeoutError:
        raise AssertionError(f"faults: got {seen['got']}, want {seen['want']}") from None


def nobody_is_charged(host, names):
    """Neither suspended nor with a bad mail that counts."""
    for name in names:
        account = host.account(name)
        if account:
            bad = account["window"]["deferred"] + account["window"]["failed"]
            equal((account["suspended"], bad), (False, 0), f"{name} ({account['window']})")


def said_once(host, what):
    """In the log of the daemon."""
    equal(len(re.findall(re.escape(f"own fault: {what}"), host.log())), 1, f"lines on {what}")
