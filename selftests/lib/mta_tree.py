# SPDX-License-Identifier: GPL-2.0-only
"""A root tree of its own for a mail server that is not installed on this machine: the unpacked packages
(scripts/install-deps mta) over the machine's own files, by overlayfs, written to a tmpfs. What runs
in it is in the Host's network namespace `sender` and its cgroup, in a PID namespace that ends with
the test, and under the host name mail.sender.test.

    tree = Tree(host, "exim")
    tree.run(["exim4", "-bV"])              as root
    tree.run(["id"], uid=20001)
    tree.write("etc/mailname", "sender.test\\n")

The mounts are made in the mount namespace of this process (Host), below host.dir, and end with it.
The Host's directory, with the daemon's run directory and configuration, and this one are in the tree at
their own paths; smtplimit itself is /usr/sbin/smtplimit there.
"""
import os
import shutil
import signal
import subprocess
from pathlib import Path

import host as host_
import system
from ktap import Skip
from system import wait_for

PACKAGES = Path("/var/cache/smtplimit-test")
MS_BIND = 0x1000
HOSTNAME = "mail.sender.test"
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LC_ALL": "C", "TZ": "UTC"}

# Names that the packages' scripts would have made, where the machine has none of that name: uid and gid.
SERVER_USERS = {"Debian-exim": 30101, "opensmtpd": 30102, "opensmtpq": 30103, "smmta": 30104,
                "smmsp": 30105, "postfix": 30106, "spamd": 30108}
SERVER_GROUPS = {"postdrop": 30107}
# Whom services run as that hand in or send what is others' (night_parts.py), with numbers as on real hosts.
SERVICE_USERS = {"list": 38, "debian-spamd": 781, "stunnel4": 782, "dovecot": 783, "dovenull": 784,
                 "vmail": 5000}
# The customers.
USERS = {"alice": 20001, "bob": 20002, "carol": 20003, "dave": 20004}
DOMAINS = {f"{name}.test": name for name in USERS}

HOSTS = f"""127.0.0.1 localhost
{host_.SENDER4[0]} {HOSTNAME} mail
{host_.SENDER4[1]} other.sender.test
"""

# Take datagrams at /dev/log and write them as rsyslogd does.
SYSLOG = """
import os, re, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
print("ready", flush=True)
with open(sys.argv[2], "ab", buffering=0) as out:
    while True:
        line = re.sub(rb"^<\\d+>(?:[A-Z][a-z]{2} [ \\d]\\d [\\d:]{8} )?", b"", s.recv(65536))
        stamp = time.strftime("%b %e %H:%M:%S ", time.gmtime()).encode()
        out.write(stamp + b"mail " + line.rstrip(b"\\0\\n").replace(b"\\n", b"#012") + b"\\n")
"""


def add_customers(names):
    """More of them, before the Host is made; each has a domain NAME.test."""
    for uid, name in enumerate(names, max(USERS.values()) + 1):
        USERS[name] = uid
        DOMAINS[f"{name}.test"] = name


def _missing(names, present):
    return {name: number for name, number in names.items() if name not in present}


def _extended(path, names, line):
    text = Path(path).read_text(encoding="utf-8")
    present = {row.partition(":")[0] for row in text.splitlines()}
    return text + "".join(line(name, number) for name, number in _missing(names, present).items())


def add_users(host):
    """Give this process, the daemon and the trees a passwd database with the servers' users and the
    customers. Before host.start(). Nobody else sees it."""
    if hasattr(host, "passwd"):
        return
    users = {**SERVER_USERS, **SERVICE_USERS, **USERS}
    host.passwd = {
        "passwd": _extended("/etc/passwd", users,
                            lambda n, i: f"{n}:x:{i}:{i}::/home/{n}:/bin/sh\n"),
        "group": _extended("/etc/group", {**users, **SERVER_GROUPS}, lambda n, i: f"{n}:x:{i}:\n")}
    for name, text in host.passwd.items():
        path = host.dir / f"etc-{name}"
        path.write_text(text, encoding="utf-8")
        system.mount(str(path), f"/etc/{name}", None, MS_BIND)
        host.cleanups.append(lambda target=f"/etc/{name}": system.umount(target))


class Dns:
    """A name server (dnsmasq) on the remote host. domains: {name: [addresses]}: each address is an MX
    host of its own, mx1.NAME, mx2.NAME, ..., asked in this order. The customers' domains are there as
    well. Other names do not exist."""

    def __init__(self, host, domains):
        self.host = host
        command = [program("dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--user=root",
                   "--pid-file=", "--no-resolv", "--no-hosts", "--bind-interfaces", "--port=53",
                   f"--listen-address={host_.REMOTE4}", "--log-facility=-", "--local=/test/",
                   "--local=/in-addr.arpa/", "--local=/ip6.arpa/"]
        own = {name: [host_.SENDER4[0]] for name in DOMAINS}
        for name, addresses in {**own, **domains}.items():
            for n, address in enumerate(addresses, 1):
                command += [f"--mx-host={name},mx{n}.{name},{n * 10}",
                            f"--host-record=mx{n}.{name},{address}"]
        with open(host.dir / "dnsmasq.log", "w", encoding="utf-8") as log:
            self.process = host.popen_as(None, command, netns="remote", cgroup=False, stdout=log,
                                         stderr=log)
        wait_for(self._answers, 10, "dnsmasq to listen")

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("dnsmasq: " + (self.host.dir / "dnsmasq.log").read_text("utf-8"))
        rows = host_.sh("nsenter", "--net=/run/netns/remote", "cat", "/proc/net/udp")
        return ":0035 " in rows


def program(name):
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not found:
        raise Skip(f"{name} is not installed (scripts/install-deps mta)")
    return found


class Tree:
    """See the top of this file. `removed`: directories of the machine that are not seen in it."""

    def __init__(self, host, name, removed=()):
        self.host, self.name = host, name
        self.base = host.dir / f"tree-{name}"
        self.root = self.base / "root"
        self.base.mkdir()
        add_users(host)
        self._mount_root(removed)
        self.unpack(name)
        self._mount_rest()
        self._write_etc()
        self._start_init()
        self._start_syslog()

    def _mount(self, source, target, kind, flags=0, data=None):
        target.mkdir(parents=True, exist_ok=True)
        system.mount(str(source), str(target), kind, flags, data)
        self.host.cleanups.append(lambda: system.umount(str(target)))

    def _mount_root(self, removed):
        top = self.base / "rw"
        self._mount("tmpfs", top, "tmpfs", data="mode=0755")
        (top / "upper").mkdir()
        (top / "work").mkdir()
        self._mount("overlay", self.root, "overlay",
                    data=f"lowerdir=/,upperdir={top}/upper,workdir={top}/work")
        self.root.chmod(0o755)
        for path in removed:
            shutil.rmtree(self.path(path), ignore_errors=True)

    def unpack(self, name):
        """The unpacked packages of this name, too. Not as a layer of its own: a layer may not lie inside
        another one."""
        if not (PACKAGES / name / ".complete").exists():
            raise Skip(f"{name} is not unpacked (scripts/install-deps mta)")
        host_.sh("cp", "-a", "--remove-destination", f"{PACKAGES / name}/.", self.root)

    def add(self, name):
        """One more of the unpacked packages."""
        if not (PACKAGES / name / ".complete").exists():
            raise Skip(f"{name} is not unpacked (scripts/install-deps mta)")
        host_.sh("cp", "-a", "--remove-destination", f"{PACKAGES / name}/.", self.root)

    def _mount_rest(self):
        self._mount("/proc", self.path("proc"), None, MS_BIND | system.MS_REC)
        self._mount("tmpfs", self.path("dev"), "tmpfs", data="mode=0755")
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            device = os.stat(f"/dev/{name}").st_rdev
            os.mknod(self.path(f"dev/{name}"), 0o20666, device)
            self.path(f"dev/{name}").chmod(0o666)
        for name, mode in (("run", "0755"), ("tmp", "1777")):
            self._mount("tmpfs", self.path(name), "tmpfs", data=f"mode={mode}")
        for path in (self.host.dir, host_.LIB):
            self._mount(path, self.path(path), None, MS_BIND)

    def _write_etc(self):
        for name, text in self.host.passwd.items():
            self.write(f"etc/{name}", text)
        self.write("etc/resolv.conf", f"nameserver {host_.REMOTE4}\noptions timeout:2 attempts:2\n")
        self.write("etc/hosts", HOSTS)
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
                   "services: files\nprotocols: files\n")
        self.write("etc/mailname", "sender.test\n")
        self.write("etc/aliases", "postmaster: root\n")
        self.directory("var/mail", "root:mail", 0o2775)
        shutil.copy2(self.host.binary, self.path("usr/sbin/smtplimit"))
        for name, uid in USERS.items():
            self.directory(f"home/{name}", f"{uid}:{uid}", 0o755)

    def _start_init(self):
        """The namespaces' first process, which takes all others along when it ends. What is orphaned
        becomes its child: with SIGCHLD ignored the kernel clears it away."""
        self.init = self.host.popen_as(
            None, ["unshare", "--pid", "--uts", "--fork", "--kill-child=KILL", "sh", "-c",
                   f"trap '' CHLD; hostname {HOSTNAME}; exec sleep infinity"], env=ENVIRONMENT)
        self.init_pid = wait_for(lambda: inner_pid(self.init), 10, "the tree's first process")
        wait_for(lambda: os.readlink(f"/proc/{self.init_pid}/exe").endswith("/sleep"), 10,
                 "the tree's namespaces")

    def _start_syslog(self):
        self.directory("var/log", "root:adm", 0o2775)
        self.syslog = self.host.popen_as(
            None, [host_.PYTHON, "-c", SYSLOG, self.path("dev/log"), self.path("var/log/mail.log")],
            stdout=subprocess.PIPE, text=True)
        if self.syslog.stdout.readline() != "ready\n":
            raise RuntimeError("the syslog receiver did not start")

    # files

    def path(self, inside):
        return self.root / str(inside).lstrip("/")

    def read(self, inside):
        path = self.path(inside)
        return path.read_text("utf-8", "backslashreplace") if path.exists() else ""

    def write(self, inside, text, mode=0o644, owner=None):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        if owner:
            self.own(inside, owner, mode)

    def directory(self, inside, owner, mode):
        path = self.path(inside)
        path.mkdir(parents=True, exist_ok=True)
        self.own(inside, owner, mode)

    def own(self, inside, owner, mode):
        """owner: "user:group", as names or numbers. Changing the owner clears setuid bits: mode last."""
        host_.sh("chown", owner, self.path(inside))
        self.path(inside).chmod(mode)

    # processes

    def command(self, command, uid=0, gid=None):
        """The command line, in the namespaces of the Host, that runs `command` in the tree."""
        user = f"+{uid}:+{uid if gid is None else gid}"
        return ["nsenter", "--target", self.init_pid, "--pid", "--uts", "chroot",
                f"--userspec={user}", "--groups=" if uid else f"--groups=+{gid or 0}",
                self.root, *command]

    def popen(self, command, uid=0, **options):
        options.setdefault("env", ENVIRONMENT)
        return self.host.popen_as(None, self.command(command, uid), **options)

    def run_as(self, uid, command, stdin=None, **options):
        """As Host.run_as()."""
        return self.run(command, uid, stdin, **options)

    def run(self, command, uid=0, stdin=None, timeout=120, check=False, **options):
        """To its end: a CompletedProcess with text output. check: it must succeed."""
        options.setdefault("env", ENVIRONMENT)
        done = self.host.run_as(None, self.command(command, uid), stdin, timeout, **options)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}: "
                               f"{(done.stdout + done.stderr).strip()}")
        return done

    def terminate(self, process, timeout=20):
        """End what popen() started: the process inside, not the one that entered for it."""
        pid = inner_pid(process)
        if pid:
            os.kill(pid, signal.SIGTERM)
        process.wait(timeout)


def inner_pid(process):
    """The first child of a process, or None."""
    return next(iter(system.children(process.pid)), None)
