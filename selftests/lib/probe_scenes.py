# SPDX-License-Identifier: GPL-2.0-only
"""Where probes on TLS libraries come and go: the same for either way of attaching (e2e/tls_probes.py,
e2e/tls_probes_perf.py). A client is held in its session for as long as a test looks at it."""
import contextlib
import itertools
import os
import shutil
import subprocess
import time
from pathlib import Path

import system
from clients import need
from host import PYTHON, REMOTE4
from ktap import equal, true
from scenes import running
from system import wait_for
from tls_script import prober_stopped

_uids = itertools.count(22001)
_copies = itertools.count(1)
MANY = 40       # more than 30 attaches in a minute are worth one for all (user/tls/prober_library.c)
USUAL = ("lib*/*/libssl*.so*", "lib*/*/libgnutls*.so*", "local/lib/libssl*.so*",
         "local/lib/libgnutls*.so*", "lib*/libssl*.so*", "lib*/libgnutls*.so*")

HOLD = """
import smtplib, ssl, sys
smtp = smtplib.SMTP(sys.argv[1], 25, local_hostname="u.test", timeout=20)
if "tls" in sys.argv:
    smtp.starttls(context=ssl._create_unverified_context())
smtp.ehlo()
print("held", flush=True)
sys.stdin.readline()
smtp.quit()
"""
# Without smtplib: that loads libssl.
PLAIN = """
import socket, sys
smtp = socket.create_connection((sys.argv[1], 25), 20)
smtp.recv(4096)
print("held", flush=True)
sys.stdin.readline()
"""
MAP = """
import ssl, sys
print("held", flush=True)
sys.stdin.readline()
"""


class Held:
    """A process that does something and then waits: `with Held(host) as client`, or end()."""

    def __init__(self, host, *words, text=HOLD, uid=None, library=None):
        self.uid = uid or next(_uids)
        self.child = host.popen_as(
            self.uid, [PYTHON, "-c", text, REMOTE4, *words], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **({"LD_LIBRARY_PATH": str(library)} if library else {})})
        self.pid = self.child.pid

    def held(self):
        equal(self.child.stdout.readline(), "held\n", "what the client says")
        return self

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.write("\n")
            self.child.stdin.close()
        equal(self.child.wait(20), 0, "exit of the client")

    def __enter__(self):
        return self.held()

    def __exit__(self, kind, *_):
        if kind is None:
            self.end()


def library_of(name="libssl.so.3"):
    """Where the dynamic linker finds it."""
    for line in subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True,
                               env={"PATH": "/usr/sbin:/sbin"}).stdout.splitlines():
        if line.split()[:1] == [name]:
            return Path(line.split()[-1]).resolve()
    raise RuntimeError(f"no {name}")


def hide_libraries(host):
    """For this test's mount namespace the system's own are copies: nobody else has to pay."""
    found = {path.resolve() for pattern in USUAL for path in Path("/usr").glob(pattern)}
    for number, path in enumerate(sorted(found)):
        copy = host.dir / f"hidden{number}"
        shutil.copy(path, copy)
        system.mount(str(copy), str(path), None, system.MS_BIND)
        host.cleanups.append(lambda at=str(path): system.umount(at))
    return found


def private_library(host):
    """A directory with a libssl of its own, for LD_LIBRARY_PATH."""
    where = host.dir / f"lib{next(_copies)}"
    where.mkdir(mode=0o755)
    shutil.copy(library_of(), where / "libssl.so.3")
    return where


def upgrade(where):
    """Replace it as a package manager does."""
    shutil.copy(where / "libssl.so.3", where / "new")
    (where / "new").rename(where / "libssl.so.3")


def pins(host, pid=""):
    """The names of the probes, of a process or of all."""
    return sorted(p.name for p in host.pin("").glob(f"link_tls_{pid}*"))


def whole_pins(host):
    return [name for name in pins(host) if name.startswith("link_tls_lib_")]


def hooks(host):
    return sorted(p.name for p in host.pin("").glob("link_tlshook*"))


def tls_pid(host, pid):
    return host.map("smtpl_tls_pids").get(pid)


def tls_state(host):
    return host.map("smtpl_tls_state")[0]


def told(host):
    """What the prober tells from now on: it does so once a second."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME) * 1e9
    return wait_for(lambda: (s := tls_state(host))["heartbeat_ns"] > now and s, 10, "a heartbeat")


def tls_files(host, path):
    """The entries of a file name, the one that was there first first."""
    return sorted((f for f in host.map("smtpl_tls_files").values() if path_of(f) == str(path)),
                  key=lambda f: f["last_ns"])


def path_of(file):
    path = file["path"]
    return path if isinstance(path, str) else bytes(path).partition(b"\0")[0].decode()


def probed(host, pid):
    return wait_for(lambda: (tls_pid(host, pid) or {}).get("since_ns"), 10, f"probes in {pid}")


def is_idle(host):
    """No process has probes, and nothing is left of those that had. Perf uprobes are taken out one
    process a second, and only when it is quiet."""
    wait_for(lambda: not pins(host) and not host.map("smtpl_tls_pids"), 90, "all probes to be out")
    equal(told(host)["processes"], 0, "processes with probes")


def many(host, where):
    """As many short processes as make the prober think of the whole file."""
    for n in range(MANY):
        with Held(host, "tls", uid=24001 + n % 7, library=where) as client:
            probed(host, client.pid)


def test_probes_live_as_long_as_the_process(host):
    where = private_library(host)
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
        true(pins(host, client.pid), "no pins of the process")
        equal(pins(host), pins(host, client.pid), "pins of all")
        file, = wait_for(lambda: tls_files(host, where / "libssl.so.3"), 5, "the file to be listed")
        equal((file["libraries"], file["processes"], file["whole"], file["error"]), (1, 1, 0, 0),
              "the file's entry")
        per_probe = tls_state(host)["way"] == 2
        equal(len(pins(host)), file["probes"] if per_probe else 1, "pins")
        true(file["probes"] >= 10, f"probes: {file['probes']}")
        equal(tls_pid(host, client.pid)["files"], 1, "files of the process")
        wait_for(lambda: tls_state(host)["processes"] == 1, 5, "one process with probes")
    is_idle(host)
    wait_for(lambda: tls_files(host, where / "libssl.so.3")[0]["processes"] == 0, 5,
             "nobody in the file's entry")


def test_process_without_a_library(host):
    before = told(host)
    with Held(host, text=PLAIN) as client:
        entry = wait_for(lambda: tls_pid(host, client.pid), 10, "the process to be known")
        equal((entry["since_ns"], entry["files"]), (0, 0), "its entry")
        wait_for(lambda: tls_state(host)["without"] == before["without"] + 1, 5, "it to be counted")
        equal(pins(host), [], "pins")
    is_idle(host)


def test_process_that_has_ended(host):
    """Before anybody could look."""
    before = told(host)
    with prober_stopped(host):
        Held(host, text=PLAIN).held().end()
    wait_for(lambda: told(host)["unreadable"] == before["unreadable"] + 1, 5, "it to be counted")
    is_idle(host)


def test_upgrade_while_a_process_runs(host):
    where = private_library(host)
    with Held(host, "tls", library=where) as old:
        probed(host, old.pid)
        upgrade(where)
        with Held(host, "tls", library=where) as new:
            probed(host, new.pid)
            files = wait_for(lambda: len(f := tls_files(host, where / "libssl.so.3")) == 2 and f, 5,
                             "both files to be listed")
            equal([(f["processes"], f["error"]) for f in files], [(1, 0)] * 2, "their entries")
            true(pins(host, old.pid) and pins(host, new.pid), "pins of both")
    is_idle(host)


def sixty_short_processes(host):
    """What the prober tells of them. Somebody else maps the library, too, so it is not probed as a whole."""
    before = told(host)
    with Held(host, text=MAP):
        for _ in range(10):
            clients = [Held(host, "tls", uid=23001 + n) for n in range(6)]
            for client in clients:
                client.held().end()
    is_idle(host)
    after = told(host)
    count = {k: after[k] - before[k] for k in ("probed", "skipped", "unreadable", "failed", "without")}
    equal((count["failed"], count["without"]), (0, 0), f"of {count}")
    # One that has ended may have asked twice: unreadable is no exact number.
    true(count["probed"] + count["skipped"] + count["unreadable"] >= 60, f"of {count}")
    true(count["probed"] <= 60, f"of {count}")
    return count


def test_many_short_processes(host):
    """Most are met alive: of one of two times sixty, as the machine may stand still."""
    counts = [sixty_short_processes(host)]
    if tls_state(host)["way"] != 1:
        return
    if counts[0]["probed"] < 50:
        counts.append(sixty_short_processes(host))
    equal(counts[-1]["skipped"], 0, f"skipped, of {counts}")
    true(counts[-1]["probed"] >= 50, f"of {counts}")


def test_restart_takes_over(host):
    gone = Held(host, "tls").held()
    with Held(host, "tls") as client:
        for pid in (client.pid, gone.pid):
            probed(host, pid)
        before = pins(host, client.pid)
        entry = tls_pid(host, client.pid)
        host.kill()
        gone.end()
        equal(pins(host, client.pid), before, "pins after a kill")
        true(pins(host, gone.pid), "the probes of the other are out already")
        host.start()
        wait_for(lambda: told(host)["processes"] == 1, 10, "the process to be taken over")
        equal(pins(host), before, "pins after the restart")
        equal(tls_pid(host, client.pid)["since_ns"], entry["since_ns"], "since when it is probed")
        equal(tls_pid(host, gone.pid), None, "the entry of the one that ended")
    is_idle(host)


def test_session_while_nobody_ran(host):
    """The question waits in the ring."""
    host.kill()
    with Held(host, "tls") as client:
        equal(pins(host), [], "pins without a daemon")
        host.start()
        probed(host, client.pid)
    is_idle(host)


def another_prober(host, than, timeout=10):
    """The prober's pid, when it is another one by now."""
    return wait_for(lambda: (pid := tls_state(host)["pid"]) not in (0, than) and pid, timeout, "another prober")


def test_prober_ends(host):
    """It is started again, and takes over what there is; not the third time within ten minutes."""
    with Held(host, "tls") as first:
        probed(host, first.pid)
        before = pins(host)
        for times in 1, 2:
            prober = tls_state(host)["pid"]
            os.kill(prober, 9)
            another_prober(host, prober)
            equal(host.log().count("TLS libraries is gone (signal 9); it is started again\n"), times, host.log())
            with Held(host, "tls") as client:
                probed(host, client.pid)
            wait_for(lambda: pins(host) == before, 60, "the probes of the first process alone")
        os.kill(tls_state(host)["pid"], 9)
        wait_for(lambda: tls_state(host)["pid"] == 0, 5, "the end to be noticed")
    beat = host.status()["daemon"]["heartbeat"]
    wait_for(lambda: host.status()["daemon"]["heartbeat"] != beat, 10, "the daemon's next heartbeat")
    equal(host.log().count("TLS libraries is gone for good"), 1, host.log())
    true("TLS: the prober has ended" in host.cli("status").stdout, "status does not say so")
    host.stop()
    host.start()
    with Held(host, "tls") as client:
        probed(host, client.pid)
    is_idle(host)


def test_ask_that_ends_the_prober(host):
    """It is not put to the next one."""
    before = told(host)
    with contextlib.ExitStack() as stack:
        with prober_stopped(host):
            client = stack.enter_context(Held(host, text=PLAIN))
            strace = subprocess.Popen(
                [need("strace"), "-qq", "-o", "/dev/null", "-p", str(before["pid"]), "-P", f"/proc/{client.pid}/maps",
                 "-e", "inject=openat:signal=KILL"])
            wait_for(lambda: f"TracerPid:\t{strace.pid}\n" in system.proc_text(f"{before['pid']}/status"), 10,
                     "strace")
        another_prober(host, before["pid"])
        strace.wait(10)
        after = told(host)
        equal((after["without"], tls_pid(host, client.pid)), (before["without"], None), "what was made of it")
        with Held(host, "tls") as other:
            probed(host, other.pid)
    is_idle(host)


def test_switched_off(host):
    with Held(host, "tls") as client:
        probed(host, client.pid)
        true(hooks(host), "no hooks")
        host.stop()
        host.write_conf({"watch": {"tls": "off"}})
        host.start()
        equal((pins(host), hooks(host)), ([], []), "what is left of the probes")
    host.stop()
    host.write_conf({"watch": {"tls": "process"}})
    host.start()
    with Held(host, "tls") as client:
        probed(host, client.pid)
    is_idle(host)


def test_unload_while_a_process_has_probes(host):
    with Held(host, "tls") as client:
        probed(host, client.pid)
        done = host.cli("unload")
        equal((done.returncode, done.stderr), (0, ""), "unload")
        true(not host.pin("").exists(), f"left: {list(host.bpffs.glob('smtplimit/**/*'))}")
    host.daemon.wait(20)
    host.start()


@contextlib.contextmanager
def fixture(way, options=None):
    os.environ["SMTPLIMIT_TLS_WAY"] = way
    with running(options, server={"tls": True}) as host:
        yield host
