# SPDX-License-Identifier: GPL-2.0-only
"""The set-ups of configs/ in real servers: each is put into the server's tree, hooked, used and unhooked.

    cases = of("configs_exim")
    with running(mta.Exim) as server:
        for case in cases:
            goes_through(server, case)

The daemon and the tree are the same for all of them; the server is started for each. Who pays is known
from who hands a mail in: all are ALICE's and say that they are BOB's, so that a sender's domain cannot be
what decides. What has arrived says the remote's own tally.
"""
import contextlib
import os
import re
import shutil
import stat
import sys
from pathlib import Path

import mta
import scenes
from host import LIB, PYTHON, SENDER4, Host
from ktap import diagnose, equal, true
from mta_tree import DOMAINS, HOSTNAME
from system import wait_for

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
REMOTES = {"far.test": ["198.51.100.1"]}
WAYS = ["sendmail", "loopback", "auth", "inbound"]
KEYS = {"server", "test", "ways", "config", "leftover", "filter", "instance", "fails"}
FORGED = "bob@bob.test"
# Where a server keeps its configuration, in a tree.
ETC = {"exim": ["etc/exim4", "etc/exim.conf", "etc/valiases", "etc/virtual"],
       "postfix": ["etc/postfix", "etc/postfix-out"]}

# Takes mail by SMTP and hands it on, as a filter does that has nothing against it.
FILTER = """
import warnings
warnings.simplefilter("ignore")
import asyncore, smtpd
smtpd.PureProxy(("127.0.0.1", 10024), ("127.0.0.1", 10025), decode_data=True)
print("ready", flush=True)
asyncore.loop(timeout=0.2)
"""


class Case:
    """A directory of configs/."""

    def __init__(self, directory):
        self.name, self.directory = directory.name, directory
        keys = {}
        for line in (directory / "case").read_text("utf-8").splitlines():
            if line and not line.startswith("#"):
                key, _, value = line.partition("=")
                keys[key.strip()] = value.strip()
        if keys.keys() - KEYS or keys.get("server") not in ETC:
            raise RuntimeError(f"{directory}/case: {keys}")
        self.server = keys["server"]
        self.test = keys.get("test", f"configs_{self.server}")
        self.ways = keys.get("ways", " ".join(WAYS)).split()
        self.config, self.filter = keys.get("config"), keys.get("filter")
        self.debian = not self.config or keys.get("leftover") == "yes"
        self.instance = keys.get("instance")
        self.fails = keys.get("fails")

    def files(self):
        return [p for p in sorted(self.directory.rglob("*"))
                if p.is_file() and p != self.directory / "case"]


def of(test):
    """Those of a file of e2e/."""
    cases = [Case(d) for d in sorted(CONFIGS.iterdir()) if (d / "case").exists()]
    return [case for case in cases if case.test == test]


# the tree


def snapshot(server):
    """{path: everything about it but its times} of the configuration."""
    found = {}
    for top in ETC[server.name]:
        top = server.tree.path(top)
        for path in [top, *sorted(top.rglob("*"))] if top.exists() else []:
            about = path.lstat()
            content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[str(path.relative_to(server.tree.root))] = (
                content, stat.filemode(about.st_mode), about.st_uid, about.st_gid)
    return found


def changed(before, after):
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def clean(server):
    for top in ETC[server.name]:
        path = server.tree.path(top)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def filled(server, text):
    if server.name == "postfix":
        base = "".join(f"{name} = {value}\n" for name, value in server.settings.items())
        text = text.replace("@BASE@\n", base)
        text = text.replace("@DIST@\n", shipped(server.tree.read("usr/share/postfix/master.cf.dist"), text))
    else:
        users = ":".join(mta.USERS)
        text = text.replace("@AUTH@\n", server.auth.format(secret=mta.SECRET, users=users))
    return text.replace("@HELO@", server.helo).replace("@LOCAL@", " : ".join(mta.LOCAL_DOMAINS))


def shipped(dist, text):
    """Debian's master.cf without comments and without the services that the case has itself."""
    own = {tuple(line.split()[:2]) for line in text.splitlines() if line[:1] not in ("#", " ", "\t", "@", "")}
    kept, keep = [], True
    for line in dist.splitlines(keepends=True):
        if line[:1] not in ("#", " ", "\t", "\n"):
            keep = tuple(line.split()[:2]) not in own
        if keep and not line.startswith("#"):
            kept.append(line)
    return "".join(kept)


class Place:
    """A server whose configuration can be that of one case after the other. It begins with its own."""

    def __init__(self, server):
        self.server, self.tree = server, server.tree
        self.kept = server.host.dir / "kept"
        self.kept.mkdir()
        for number, top in enumerate(ETC[server.name]):
            if self.tree.path(top).exists():
                shutil.copytree(self.tree.path(top), self.kept / str(number), symlinks=True)
                chown_alike(self.tree.path(top), self.kept / str(number))

    def put(self, case):
        clean(self.server)
        # Not each delivers as the mailbox's user, and none into one of another's.
        for mailbox in self.tree.path("var/mail").iterdir():
            mailbox.unlink()
        for number, top in enumerate(ETC[self.server.name]):
            if case.debian and (self.kept / str(number)).exists():
                shutil.copytree(self.kept / str(number), self.tree.path(top), symlinks=True)
                chown_alike(self.kept / str(number), self.tree.path(top))
        for path in case.files():
            inside = path.relative_to(case.directory)
            self.tree.write(inside, filled(self.server, path.read_text("utf-8")),
                            0o755 if os.access(path, os.X_OK) else 0o644)


def chown_alike(source, target):
    """copytree() does not keep owners."""
    for path in [source, *source.rglob("*")]:
        about = path.lstat()
        os.lchown(target / path.relative_to(source), about.st_uid, about.st_gid)
        if not path.is_symlink():
            (target / path.relative_to(source)).chmod(stat.S_IMODE(about.st_mode))


@contextlib.contextmanager
def running(make):
    """The daemon, and a server that does not run yet: server.place."""
    with Host() as host:
        mta.Dns(host, REMOTES)
        server = make(host)
        (host.dir / "owners").write_text("".join(f"{d}: {user}\n" for d, user in DOMAINS.items()), "ascii")
        feed = server.tree.path(server.log_path) if server.name == "postfix" else "off"
        host.write_conf({"watch": {"relay_users": f"{server.user} mail"},
                         "accounts": {"source": "file", "file": host.dir / "owners"},
                         "feed": {"postfix": feed}})
        server.place = Place(server)
        host.start()
        yield server


# what every case goes through


class Step:
    """Which one it is at, for `fails`."""

    def __init__(self, case):
        self.case, self.name = case, "put"

    def __call__(self, name):
        self.name = name


def goes_through(server, case):
    step = Step(case)
    try:
        with contextlib.ExitStack() as stack:
            one(server, case, step, stack)
    except BaseException as error:
        if not known(case, step, error):
            print(f"# at the step {step.name}\n{server.diagnosis()}", file=sys.stderr, flush=True)
            raise
        diagnose(f"{case.name}: fails as is known: {case.fails}")
        return
    finally:
        leaves_nothing(server, case)
    true(not case.fails, f"this works now: take out of the case: {case.fails}")


def leaves_nothing(server, case):
    """To the next case, whatever became of this one."""
    kind = KINDS[server.name](server, case)
    for more in kind.hooks():
        server.hook("--remove", *more)
    server.host.cli("release", "alice")
    for directory in kind.queues:
        for path in server.tree.path(directory).rglob("*"):
            if path.is_file():
                path.unlink()


def known(case, step, error):
    return isinstance(error, Exception) and bool(case.fails) and step.name == case.fails.partition(":")[0]


def one(server, case, step, stack):
    server.place.put(case)
    kind = KINDS[server.name](server, case)
    kind.prepare()
    step("accept")
    kind.accepts()
    before = snapshot(server)
    step("install")
    for more in kind.hooks():
        installs(server, more)
    step("accept-hooked")
    kind.accepts()
    hooked = snapshot(server)
    step("start")
    stack.callback(kind.stop)
    kind.start(stack)
    step("check")
    lines = server.tree.run(["smtplimit", "-c", server.host.conf, "check"]).stdout.splitlines()
    lines = [line for line in lines if f"hook of {server.name}" in line]
    true(lines and all(re.match(r"yes +hook of \w+: installed", line) for line in lines), f"check: {lines}")
    step("pays")
    pays(server, case)
    step("refuses")
    refuses(server, case)
    step("stop")
    kind.stop()
    step("remove")
    equal(changed(hooked, snapshot(server)), set(), "files that a running server changed")
    for more in kind.hooks():
        equal(server.hook("--remove", *more).returncode, 0, "exit of hook --remove")
    equal(changed(before, snapshot(server)), set(), "files that are not as before")
    kind.accepts()


def installs(server, more):
    done = server.hook("--install", *more)
    equal(done.returncode, 0, f"exit of hook --install: {done.stderr}")
    equal(done.stderr, "", "warnings of hook --install")
    after = snapshot(server)
    done = server.hook("--install", *more)
    equal((done.returncode, done.stdout), (0, f"{server.name}: already installed\n"), "second --install")
    equal(changed(after, snapshot(server)), set(), "files that a second --install changed")


def sent(server, case, way, rcpt):
    """ALICE's mail, by one way: did the server take it? BOB's address is on it, and his uid talks by SMTP AUTH."""
    if way == "sendmail":
        return server.sendmail(mta.ALICE, FORGED, [rcpt]).returncode == 0
    if way == "auth":
        return server.swaks(mta.BOB, FORGED, [rcpt], auth="alice").ok
    if way == "second":     # the port of the further instance
        return server.swaks(mta.ALICE, FORGED, [rcpt], port=2525).ok
    return server.swaks(mta.ALICE, FORGED, [rcpt]).ok


def ways_out(case):
    return [way for way in case.ways if way != "inbound"] + (["second"] if case.instance else [])


def arrivals(host, rcpts):
    return sorted(e["recipient"] for e in host.tally().log
                  if e["recipient"] in rcpts and e["outcome"] == "delivered")


def comes_in(server, case):
    """Mail from another host, in BOB's name, for CAROL."""
    if "inbound" not in case.ways:
        return
    marker = scenes.fresh()[0]
    text = f"Subject: {marker}\n\nhello\n"
    done = server.swaks_from_remote(FORGED, ["carol@carol.test"], ["--data", text])
    true(done.ok, f"mail from outside is not taken:\n{done.text}")
    wait_for(lambda: marker in server.mailbox("carol"), 20, "mail from outside in the mailbox")


def windows(host):
    found = {}
    for account in host.status()["accounts"]:
        row = {o: account["window"][o] for o in ("delivered", "deferred", "failed")}
        if any(row.values()):
            found[account["account"]] = row
    return found


def pays(server, case):
    want = windows(server.host)
    rcpts = {way: scenes.fresh()[0] for way in ways_out(case)}
    for way, rcpt in rcpts.items():
        true(sent(server, case, way, rcpt), f"a mail by {way} is not taken")
    comes_in(server, case)
    wait_for(lambda: arrivals(server.host, rcpts.values()) == sorted(rcpts.values()), 30, "the mails at the remote")
    server.wait_queue_empty()
    want.setdefault("alice", {"delivered": 0, "deferred": 0, "failed": 0})["delivered"] += len(rcpts)
    seen = {}

    def charged():
        seen.update(now=windows(server.host))
        return seen["now"] == want
    try:
        wait_for(charged, 15)
    except TimeoutError:
        raise AssertionError(f"charged: {seen['now']}, want {want}") from None


def listed(host):
    return (host.dir / "run" / "suspended").read_text("utf-8")


def refuses(server, case):
    host = server.host
    equal(host.cli("suspend", "alice", "--for", "30m").returncode, 0, "exit of suspend")
    wait_for(lambda: host.suspended("alice") and "alice: " in listed(host), 10, "alice to be suspended")
    rcpts = {way: scenes.fresh()[0] for way in ways_out(case)}
    for way, rcpt in rcpts.items():
        took = sent(server, case, way, rcpt)
        if way == "sendmail" and server.name == "postfix":
            # pickup(8) refuses it a moment later, by a bounce to the address that she gave.
            wait_for(lambda rcpt=rcpt: rcpt in server.mailbox("bob"), 20, f"the bounce of {rcpt}")
        else:
            true(not took, f"a suspended account may send by {way}")
    comes_in(server, case)
    server.wait_queue_empty()
    equal([e for e in host.tally().log if e["recipient"] in rcpts.values()], [], "attempts for a suspended account")
    equal(host.cli("release", "alice").returncode, 0, "exit of release")
    wait_for(lambda: not host.suspended("alice") and "alice: " not in listed(host), 10, "the release")


def warm_up(server):
    """Until a server has reported for the first time what the wire saw is charged, by the sender's domain."""
    def told():
        return any(f["running"] for f in server.host.status()["feeds"])
    if not told():
        server.sendmail(0, "root@marker.test", scenes.fresh())
        wait_for(told, 20, "the feed to run")
        wait_for(lambda: "domain:marker.test" in windows(server.host), 20, "its first mail to be charged")


class EximCase:
    """Exim's own words for what a case needs."""

    def __init__(self, server, case):
        self.server, self.case, self.tree = server, case, server.tree
        self.queues = ["var/spool/exim4/input"]
        self.built = case.name in ("exim-split", "exim-template", "hestia")

    def hooks(self):
        return [[]]

    def prepare(self):
        """Which file an Exim reads is compiled into it: the string is replaced in this one."""
        path = self.tree.path("usr/sbin/exim4")
        own = b"/etc/exim4/exim4.conf:/var/lib/exim4/config.autogenerated"
        if not hasattr(self.server, "program"):
            self.server.program = path.read_bytes()
            equal(self.server.program.count(own + b"\0"), 1, "places of the path in the program")
        place = (self.case.config or own.decode()).encode()
        path.unlink()
        path.write_bytes(self.server.program.replace(own, place.ljust(len(own), b"\0")))
        path.chmod(0o4755)
        self.tree.path("var/lib/exim4/config.autogenerated").unlink(missing_ok=True)
        if not self.case.debian:
            return
        conf = self.tree.path("etc/exim4/update-exim4.conf.conf")
        split = "true" if self.case.name == "exim-split" else "false"
        conf.write_text(re.sub(r"(dc_use_split_config)='\w+'", rf"\1='{split}'", conf.read_text("utf-8")), "utf-8")
        if self.case.name == "exim-template":
            self.tree.write("etc/exim4/exim4.conf.localmacros", self.tree.read("etc/exim4/conf.d/main/000_test"))
            own_parts = self.server.auth.format(secret=mta.SECRET, users=":".join(mta.USERS))
            template = self.tree.read("etc/exim4/exim4.conf.template")
            template = template.replace("begin authenticators\n", f"begin authenticators\n\n{own_parts}")
            self.tree.write("etc/exim4/exim4.conf.template",
                            template.replace("begin retry\n", "begin retry\n\n* * F,1h,1s\n"))

    def accepts(self):
        if self.built:
            self.tree.run(["update-exim4.conf"], check=True)
        self.tree.run(["exim4", "-bV"], check=True)

    def start(self, stack):
        self.server.start()
        warm_up(self.server)

    def stop(self):
        if self.server.process:
            self.server.stop()
            self.server.process = None


class PostfixCase:
    def __init__(self, server, case):
        self.server, self.case, self.tree = server, case, server.tree
        self.started = False
        self.directories = ["/etc/postfix"] + ([case.instance] if case.instance else [])
        self.queues = [f"var/spool/{d.rpartition('/')[2]}/{queue}" for d in self.directories
                       for queue in ("active", "deferred", "defer", "incoming", "maildrop")]

    def hooks(self):
        return [["--dir", directory] if directory != "/etc/postfix" else [] for directory in self.directories]

    def prepare(self):
        self.tree.run(["newaliases"], check=True)
        self.tree.run(["/usr/lib/postfix/configure-instance.sh", "-"], check=True)
        for directory in self.directories[1:]:
            name = directory.rpartition("/")[2]
            self.tree.directory(f"var/lib/{name}", "postfix:postfix", 0o755)
            self.tree.directory(f"var/spool/{name}", "root:root", 0o755)
            self.tree.write(f"{directory}/dynamicmaps.cf", "")
            self.tree.run(["/usr/lib/postfix/configure-instance.sh", name], check=True)

    def accepts(self):
        for directory in self.directories:
            self.tree.run(["postfix", "-c", directory, "check"], check=True)
            self.tree.run(["postconf", "-c", directory, "-n"], check=True)

    def start(self, stack):
        if self.case.filter:
            child = self.server.host.popen_as(None, self.tree.command([PYTHON, "-c", FILTER], 8),
                                              stdout=-1, text=True)
            equal(child.stdout.readline(), "ready\n", "the filter")
            stack.callback(self.tree.terminate, child)
        if self.case.instance:      # the wrapper starts all of them, and none stays in the foreground
            self.tree.run(["postfix", "start"], check=True)
            self.server.wait_listening()
            self.server.wait_listening(2525)
        else:
            self.server.start()
        self.started = True
        warm_up(self.server)

    def stop(self):
        if self.case.instance and self.started:
            self.tree.run(["postfix", "stop"], check=True)
        elif self.started:
            self.server.stop()
        self.started = False


KINDS = {"exim": EximCase, "postfix": PostfixCase}


def tests(path):
    """A test function for each case of a file of e2e/, for ktap."""
    def test_of(case):
        def test(running_server):
            goes_through(running_server, case)
        test.__name__ = f"test_{case.name.replace('-', '_')}"
        return test
    return [test_of(case) for case in of(Path(path).stem)]
