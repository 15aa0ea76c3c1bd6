# SPDX-License-Identifier: GPL-2.0-only
"""A host of its own for a test: a network namespace `sender` with smtplimit, one `remote` with the SMTP
server, a cgroup for the senders, a bpffs, state and run directories.

    with Host({"limit": {"min_failures": 5}}) as host:
        host.start()
        host.run_as(20001, ["swaks", ...])

Mounts and namespaces live in a mount namespace of this process, so they end with it even when it is
killed; processes die with it, too. What could stay behind is the cgroup, and the next Host removes it.

    sender 203.0.113.2, .3, 2001:db8::2, ::3     remote 203.0.113.1, 2001:db8::1
    198.51.100.0/24 and 2001:db8:1::/48 are the remote's, too: as many hosts as a test wants.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import system
import tally
from ktap import Skip
from system import wait_for

TREE = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("O", TREE / "build"))
LIB = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
REMOTE4, REMOTE6 = "203.0.113.1", "2001:db8::1"
SENDER4, SENDER6 = ("203.0.113.2", "203.0.113.3"), ("2001:db8::2", "2001:db8::3")
# The machine's own mail log is none of a test's business.
DEFAULTS = {"watch": {"ports": "25,465,587"}, "feed": {"postfix": "off"}}


def sh(*command, **options):
    """Run a command that must succeed; its output."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout.strip()}")
    return done.stdout


def remove_cgroup(path):
    """Kill what is left in a cgroup that a test made, then remove it."""
    def emptied():
        pids = (path / "cgroup.procs").read_text(encoding="ascii").split()
        for pid in pids:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not pids

    if path.is_dir():
        wait_for(emptied, 10, f"{path} to be empty")
        path.rmdir()


def remove_leftovers(root):
    """Cgroups and directories of tests that were killed. Another test may be doing the same."""
    for where, remove in ((root, remove_cgroup), (Path(tempfile.gettempdir()), shutil.rmtree)):
        for path in where.glob("smtplimit-test-*"):
            if not os.path.exists(f"/proc/{path.name.split('-')[2]}"):
                with contextlib.suppress(FileNotFoundError):
                    remove(path)


class Host:
    """See the top of this file. binary: the smtplimit to run."""

    def __init__(self, options=None, binary=None, server=None, outside=False):
        self.options = {name: dict(keys) for name, keys in DEFAULTS.items()}
        for section, keys in (options or {}).items():
            self.options.setdefault(section, {}).update(keys)
        self.binary = Path(binary or BUILD / "smtplimit")
        self.server_config = server or {}
        self.outside = outside      # the daemon runs in the root network namespace
        self.cleanups = []
        self.daemon = None
        self.log_path = None
        self.unseen = tally.Tally()     # attempts that the server cannot see

    # making and removing

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Undo everything that was done, last things first, whatever fails on the way."""
        while self.cleanups:
            cleanup = self.cleanups.pop()
            try:
                cleanup()
            except Exception as error:
                print(f"# cleanup: {error}", file=sys.stderr, flush=True)

    def _make(self):
        if os.geteuid() != 0:
            raise Skip("not root")
        root = system.cgroup2_mount()
        if not root:
            raise Skip("no cgroup v2 hierarchy is mounted")
        self.name = f"smtplimit-test-{os.getpid()}"
        self.dir = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.cleanups.append(lambda: shutil.rmtree(self.dir))
        self.dir.chmod(0o755)
        self._make_cgroup(Path(root))
        self._make_mounts()
        self._make_network()
        self.conf = self.dir / "smtplimit.conf"
        self.write_conf()
        self.start_server()

    def _make_cgroup(self, root):
        remove_leftovers(root)
        self.cgroup = root / self.name
        self.cgroup.mkdir()
        self.cleanups.append(lambda: remove_cgroup(self.cgroup))

    def _make_mounts(self):
        system.unshare(system.CLONE_NEWNS)
        system.mount("none", "/", None, system.MS_REC | system.MS_PRIVATE)
        os.makedirs("/run/netns", exist_ok=True)
        system.mount("tmpfs", "/run/netns", "tmpfs")
        self.cleanups.append(lambda: system.umount("/run/netns"))
        self.bpffs = self.dir / "bpf"
        self.bpffs.mkdir()
        system.mount("bpf", str(self.bpffs), "bpf")
        self.cleanups.append(lambda: system.umount(str(self.bpffs)))

    def _make_network(self):
        for name in ("sender", "remote"):
            self.add_netns(name)
        sh("ip", "link", "add", "eth0", "netns", "sender", "type", "veth",
           "peer", "name", "eth0", "netns", "remote")
        for name, v4, v6 in (("sender", SENDER4, SENDER6), ("remote", [REMOTE4], [REMOTE6])):
            for address in [a + "/24" for a in v4] + [a + "/64" for a in v6]:
                self.ip(name, "addr", "add", address, "dev", "eth0",
                        *(["nodad"] if ":" in address else []))
            self.ip(name, "link", "set", "eth0", "up")
        for network, gateway in (("198.51.100.0/24", REMOTE4), ("2001:db8:1::/48", REMOTE6)):
            self.ip("sender", "route", "add", network, "via", gateway)
            self.ip("remote", "route", "add", "local", network, "dev", "lo")

    def add_netns(self, name):
        sh("ip", "netns", "add", name)
        self.cleanups.append(lambda: sh("ip", "netns", "delete", name))
        self.ip(name, "link", "set", "lo", "up")

    def ip(self, netns, *arguments):
        return sh("ip", "-n", netns, *arguments)

    def sysctl(self, netns, name, value):
        sh("nsenter", f"--net=/run/netns/{netns}", "sysctl", "-qw", f"{name}={value}")

    # processes

    def enter(self, uid=None, gid=None, netns="sender", cgroup=True):
        """What a child does before exec."""
        def prepare():
            if cgroup:
                (self.cgroup / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
            if netns:
                system.setns(f"/run/netns/{netns}", system.CLONE_NEWNET)
            if uid is not None:
                os.setgroups([])
                os.setresgid(*[uid if gid is None else gid] * 3)
                os.setresuid(uid, uid, uid)
            system.die_with_parent()
        return prepare

    def popen_as(self, uid, command, gid=None, netns="sender", cgroup=True, **options):
        """Start a command as a uid inside the sender's namespace and cgroup."""
        options.setdefault("cwd", "/")
        child = subprocess.Popen([str(c) for c in command],
                                 preexec_fn=self.enter(uid, gid, netns, cgroup), **options)
        self.cleanups.append(lambda: (child.kill(), child.wait()))
        return child

    def run_as(self, uid, command, stdin=None, timeout=120, **options):
        """The same, to its end: a CompletedProcess with text output."""
        child = self.popen_as(uid, command, text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.cleanups.pop()
        try:
            out, err = child.communicate(stdin, timeout)
        except BaseException:
            child.kill()
            child.wait()
            raise
        return subprocess.CompletedProcess(command, child.returncode, out, err)

    # the SMTP server

    def start_server(self):
        config = {"ports": [25, 587, 2525], **self.server_config}
        if config.pop("tls", False):
            config["cert"] = self.make_certificate()
            config.setdefault("tls_ports", [465])
        self.server = subprocess.Popen(
            [PYTHON, LIB / "server.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=self.enter(netns="remote", cgroup=False))
        self.cleanups.append(lambda: (self.server.kill(), self.server.wait()))
        self.ask_server(json.dumps(config))

    def make_certificate(self):
        pem = self.dir / "server.pem"
        sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
           "/CN=server.test", "-keyout", pem, "-out", self.dir / "cert.pem")
        with open(pem, "a", encoding="ascii") as out:
            out.write((self.dir / "cert.pem").read_text(encoding="ascii"))
        return str(pem)

    def ask_server(self, line):
        self.server.stdin.write(line + "\n")
        self.server.stdin.flush()
        answer = self.server.stdout.readline()
        if not answer:
            raise RuntimeError("the test server is gone")
        return json.loads(answer)

    def tally(self):
        return tally.Tally.from_json(self.ask_server("tally"))

    def expected(self):
        """The server's tally, and what it cannot have seen."""
        whole = self.tally()
        whole.merge(self.unseen)
        return whole

    def sessions(self):
        return self.ask_server("sessions")

    # smtplimit

    def write_conf(self, changes=None):
        for section, keys in (changes or {}).items():
            self.options.setdefault(section, {}).update(keys)
        own = {"watch": {"cgroup": self.cgroup},
               "paths": {"state": self.dir / "state", "run": self.dir / "run",
                         "bpffs": self.bpffs / "smtplimit"}}
        text = ""
        for section in sorted(self.options.keys() | own.keys()):
            keys = {**own.get(section, {}), **self.options.get(section, {})}
            text += f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
        new = self.conf.with_suffix(".new")
        new.write_text(text, encoding="ascii")
        new.rename(self.conf)

    def start(self, wait=True, binary=None, wrapper=()):
        """Start the daemon; with `wait`, until it says that it is ready."""
        number = len(list(self.dir.glob("daemon-*.log")))
        self.log_path = self.dir / f"daemon-{number}.log"
        command = [binary or self.binary, "-c", self.conf, "run"]
        if not self.outside:
            command = ["nsenter", "--net=/run/netns/sender", *command]
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.daemon = subprocess.Popen([str(c) for c in [*wrapper, *command]], stderr=log,
                                           stdout=log, cwd="/", preexec_fn=system.die_with_parent)
        if number == 0:
            self.cleanups.append(self._unload)
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout=30):
        def ready():
            if self.daemon.poll() is not None:
                raise RuntimeError(f"smtplimit ended with {self.daemon.returncode}:\n{self.log()}")
            return any(line.split()[-1:] == ["ready"] for line in self.log().splitlines())
        wait_for(ready, timeout, "smtplimit to be ready")

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="backslashreplace")

    def kill(self, number=signal.SIGKILL):
        """End the daemon and wait for it."""
        if self.daemon and self.daemon.poll() is None:
            self.daemon.send_signal(number)
        status = self.daemon.wait(20)
        return status

    def stop(self):
        return self.kill(signal.SIGTERM)

    def _unload(self):
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
        self.cli("unload")

    def cli(self, *arguments, conf=None, timeout=60):
        """Run the command line tool beside the daemon."""
        command = [self.binary, "-c", conf or self.conf, *arguments]
        enter = None if self.outside else self.enter(cgroup=False)
        return subprocess.run([str(c) for c in command], capture_output=True, text=True,
                              timeout=timeout, check=False, cwd="/", preexec_fn=enter)

    def status(self):
        done = self.cli("-j", "status")
        if done.returncode not in (0, 3):     # 3: nobody judges now
            raise RuntimeError(f"status: exit {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def account(self, name):
        """The account's object in `status -j`, or None."""
        found = [a for a in self.status()["accounts"] if a["account"] == name]
        return found[0] if found else None

    def suspended(self, name):
        account = self.account(name)
        return bool(account and account["suspended"])

    def pin(self, name):
        return self.bpffs / "smtplimit" / "v1" / name

    def map(self, name):
        """A pinned map as bpftool shows it: {key: value}; struct keys become tuples."""
        dump = json.loads(bpftool("-j", "map", "dump", "pinned", self.pin(name)))
        return {key_of(e["key"]): e["value"] for e in (e.get("formatted", e) for e in dump)
                if not vanished(e["value"])}

    def counts(self):
        """The pinned map smtpl_counts: {(uid, domain): {field: value}}."""
        return self.map("smtpl_counts")


def bpftool(*arguments):
    return sh(shutil.which("bpftool") or "/usr/sbin/bpftool", *arguments)


def vanished(value):
    """bpftool found the key, and a moment later no value: it was deleted meanwhile."""
    return isinstance(value, dict) and value.keys() == {"error"}


def key_of(key):
    if not isinstance(key, dict):
        return key
    fields = tuple(text_of(v) if isinstance(v, (list, str)) else v for v in key.values())
    return fields if len(fields) > 1 else fields[0]


def text_of(array):
    """A char array as bpftool prints it: a string, or a list of numbers or characters."""
    if isinstance(array, str):
        return array.rstrip("\0")
    data = bytes(c if isinstance(c, int) else ord(c) for c in array)
    return data.partition(b"\0")[0].decode()
