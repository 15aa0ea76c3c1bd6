# SPDX-License-Identifier: GPL-2.0-only
"""tls_client step by step: a Client is the process, a Session one of its connections. A step that can
fail raises; what the server said comes back as text ("250", "end", "error").

    client = Client(host)
    session = client.open(20001)                    # probed, STARTTLS, EHLO
    session.message("me@one.test", ["a@far.test", "r550-b@far.test"])
    session.quit()
"""
import contextlib
import functools
import itertools
import os
import signal
import subprocess
from pathlib import Path

import compare
from host import BUILD, REMOTE4, TREE, sh
from ktap import equal, true
from system import wait_for

SERVER = {"tls": True, "tls_inside": True, "tls_ports": [465, 443]}
FIELDS = compare.FIELDS + ("opaque",)
STATS = ("tls_sessions", "tls_late", "tls_unbound", "tls_opaque", "tls_unasked", "tls_full",
         "tls_blind")
PROBED = ("openssl", "memory", "gnutls")
_paths = itertools.count(1)


@functools.cache
def program():
    made = BUILD / "lib" / "tls_client"
    sh("make", "-s", "-C", TREE / "selftests", f"O={BUILD}", made)
    return made


class Client:
    def __init__(self, host, uid=0, preload=None):
        self.host = host
        self.child = host.popen_as(
            uid, [program()], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, **({"LD_PRELOAD": str(preload)} if preload else {})})
        self.pid = self.child.pid
        self.answers = {}       # thread -> those not yet asked for
        self.count = itertools.count()

    def start(self, command, thread=0):
        """Give a command without waiting."""
        prefix = f"@{thread} " if thread else ""
        self.child.stdin.write(f"{prefix}{command}\n")
        self.child.stdin.flush()

    def finish(self, what, thread=0):
        """The words of the next answer of a thread."""
        while not self.answers.get(thread):
            line = self.child.stdout.readline()
            true(line, f"tls_client ended with {self.child.poll()} at: {what}")
            number, word, *rest = line.split(" ")
            self.answers.setdefault(int(number), []).append([word.strip(), *rest])
        word, *rest = self.answers[thread].pop(0)
        true(word == "ok", f"{what}: {' '.join([word, *rest]).strip()}")
        return " ".join(rest).split()

    def ask(self, command, thread=0):
        self.start(command, thread)
        return self.finish(command, thread)

    def probed(self, pid=None):
        """Wait until the process has its probes."""
        def known():
            entry = self.host.map("smtpl_tls_pids").get(pid or self.pid)
            return entry and entry["since_ns"]
        wait_for(known, 20, f"probes in process {pid or self.pid}")

    def session(self, uid, to=REMOTE4, port=25):
        """Connected; nothing was read yet."""
        session = Session(self, next(self.count), uid, port)
        self.ask(f"connect {session.number} {to} {port} {uid}")
        return session

    def open(self, uid, kind="openssl", options=(), probed=True, **where):
        """A session inside TLS, after EHLO. `probed`: with probes from its beginning."""
        session = self.session(uid, **where)
        if probed:
            self.probed()
        session.greet()
        session.tls(kind, options)
        session.hello()
        return session

    def fork(self):
        """From here on the child is spoken to, until exit()."""
        return int(self.ask("fork")[0])

    def exit(self):
        self.start("exit")

    def end(self):
        self.start("exit")
        self.child.wait(20)


class Session:
    def __init__(self, client, number, uid, port, thread=0):
        self.client, self.number, self.uid, self.port = client, number, uid, port
        self.thread = thread
        self.implicit = port in (465, 443)
        self.object = None

    def do(self, command, *arguments):
        words = [str(word) for word in (command, self.number, *arguments)]
        return self.client.ask(" ".join(word for word in words if word), self.thread)

    def say(self, *lines):
        """Lines in one write."""
        self.do("say", "".join(line + "\\n" for line in lines))

    def reply(self, count=1):
        return self.do("reply", count)

    def expect(self, *codes):
        equal(self.reply(len(codes)), [str(code) for code in codes], f"replies, uid {self.uid}")

    def talk(self, line, code=250):
        self.say(line)
        self.expect(code)

    def set(self, *options):
        for option in options:
            self.do("set", option)

    def greet(self):
        """What is said in the clear."""
        if not self.implicit:
            self.expect(220)
            self.talk("EHLO clear.test")
            self.talk("STARTTLS", 220)

    def begin(self, kind, at=""):
        self.object = self.do("begin", kind, at)[0]

    def tls(self, kind, options=(), at=""):
        self.begin(kind, at)
        self.set(*options)
        self.do("finish")

    def ehlo(self):
        """The server knows the user by it."""
        return "EHLO web.test" if self.port == 443 else f"EHLO u{self.uid}.test"

    def hello(self):
        if self.implicit:
            self.expect(220)
        self.talk(self.ehlo())

    def steps(self, sender, rcpts, body=("Subject: test", "", "hello")):
        """A message, one step at a time: a generator, so that sessions can be interleaved."""
        self.talk(f"MAIL FROM:<{sender}>")
        yield
        for rcpt in rcpts:
            self.talk(f"RCPT TO:<{rcpt}>", code_of(rcpt))
            yield
        self.talk("DATA", 354)
        yield
        self.say(*body)
        yield
        self.talk(".", code_of(rcpts[0], "e"))

    def message(self, *arguments, **more):
        for _ in self.steps(*arguments, **more):
            pass

    def pipeline(self, sender, rcpts, end=""):
        """The same in two writes, the replies to each read afterwards. `end`: behind the dot."""
        self.say(f"MAIL FROM:<{sender}>", *[f"RCPT TO:<{rcpt}>" for rcpt in rcpts], "DATA")
        self.expect(250, *[code_of(rcpt) for rcpt in rcpts], 354)
        self.say("Subject: test", "", "hello", ".", *([end] if end else []))
        self.expect(code_of(rcpts[0], "e"), *([250] if end else []))

    def close(self):
        self.do("close")

    def quit(self):
        self.talk("QUIT", 221)
        self.do("bye")
        self.close()


def code_of(address, stage="r"):
    """What the server was asked to answer at a stage: 250 unless it says a code (script.py)."""
    head, dash, _ = address.partition("-")
    for directive in head.split("_") if dash else []:
        digits = directive.lstrip("abcdefghijklmnopqrstuvwxyz")[:3]
        if directive[0] == stage and digits:
            return int(digits)
    return 250


def round_robin(generators):
    """Each takes a step in turn until all are done."""
    left = list(generators)
    while left:
        left = [g for g in left if next(g, "done") != "done"]


@contextlib.contextmanager
def prober_stopped(host):
    """Nothing is probed until the end of this."""
    pid = prober(host)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def passing_path(host):
    return host.dir / f"pass-{next(_paths)}"


def prober(host):
    """Its pid. 0, where it has ended, would be all of the test's own processes to kill(2)."""
    return wait_for(lambda: host.map("smtpl_tls_state")[0]["pid"], 10, "a prober")


class Watch:
    """What a test adds: accounts of some uids in the map, and statistics of TLS."""

    def __init__(self, host):
        self.host = host
        self.before = self.stats()

    def stats(self):
        now = self.host.status()["stats"]
        return {name: now[name] for name in STATS}

    def added(self):
        now = self.stats()
        return {name: now[name] - self.before[name] for name in STATS if now[name] != self.before[name]}

    def stats_are(self, **want):
        """Nothing else was added. Sessions are settled when the kernel lets go of their sockets."""
        want = {name: count for name, count in want.items() if count}
        compare.settle(lambda: self.added(), want, 10, "statistics of TLS")

    def exact(self, *uids, **stats):
        """The server's own tally of these uids, cell by cell, and these statistics."""
        self.counted(self.host.tally(), *uids)
        self.stats_are(**stats)

    def counted(self, expected, *uids):
        want = nonzero({key: row for key, row in expected.cells.items() if key[0] in uids})
        true(want, f"the server knows nothing of {uids}")
        compare.settle(lambda: self.cells(*uids), want, 10, "smtpl_counts")

    def cells(self, *uids):
        """What the map holds of these uids, without zeros."""
        return nonzero({key: row for key, row in self.host.counts().items() if key[0] in uids})


def nonzero(rows):
    return compare.map_cells(rows, FIELDS)
