# SPDX-License-Identifier: GPL-2.0-only
"""A user whose silent FUSE server holds up the probes, and fork(2) on the whole host with them,
loses his FUSE connection, and nobody else loses one. Such a server locks the memory of his own
process, and who puts probes into the libraries that it maps waits for it. None is ended while
nothing stands still; and after three times no probes are put in for a while."""
# ALONE: it guards this host against FUSE servers, and has fork(2) stand still on all of it
import contextlib
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import probe_scenes  # noqa: E402
import system  # noqa: E402
from host import PYTHON, REMOTE4  # noqa: E402
from ktap import equal, true  # noqa: E402
from probe_scenes import PLAIN, Held, pins, probed, told  # noqa: E402
from system import children, wait_for  # noqa: E402
from tls_script import prober_stopped  # noqa: E402

SERVER = Path(__file__).resolve().parents[1] / "lib/fuse_server.py"
LOST = "lost 107"       # ENOTCONN: his connection was ended
LIFE_S = 40      # of a FUSE server; and of one that nothing waits for
LONG_S = 150
PAUSE_S = 25
FREE_S = 20      # what is free by then was set free

# Arguments: FILE LIBRARY ADDRESS. Maps the library, reads from the file, and when told to locks its memory
# by mapping the file once more; when told to again, opens an SMTP session meanwhile.
HOSTILE = """
import ctypes, mmap, os, socket, sys, threading
path, library, address = sys.argv[1:]
libc = ctypes.CDLL(None)
def map_file(fd, size):
    libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, fd, None)
def read():
    try:
        print("got", os.read(first, 4096)[:1].decode(), flush=True)
    except OSError as error:
        print("lost", error.errno, flush=True)
def talk():
    if os.read(0, 1):
        smtp.connect((address, 25))
        smtp.recv(100)
smtp = socket.socket()
map_file(os.open(library, os.O_RDONLY), os.path.getsize(library))
first = os.open(path, os.O_RDONLY)
reader = threading.Thread(target=read)
reader.start()
os.read(0, 1)
second = os.open(path, os.O_RDONLY)
talker = threading.Thread(target=talk)
talker.start()
map_file(second, 4096)
reader.join()
talker.join()
"""
# Arguments: FILE HELPER ADDRESS. As HOSTILE, but another process locks the memory that both have, and this
# one then execs, which holds up who opens a file of its in /proc: nothing shows that it waits, for who looks
# waits as well. A child that has its socket has it asked for once more. It maps no TLS library itself: the
# prober would stand still elsewhere.
EXEC = """
import ctypes, os, socket, sys, time
path, helper, address = sys.argv[1:]
first, second = os.open(path, os.O_RDONLY), os.open(path, os.O_RDONLY)
smtp = socket.create_connection((address, 465))
told, tell = os.pipe()
if os.fork() == 0:
    try:
        print("got", os.read(first, 4096)[:1].decode(), flush=True)
    except OSError as error:
        print("lost", error.errno, flush=True)
    os._exit(0)
if os.fork() == 0:
    os.read(told, 1)
    time.sleep(1)
    import ssl
    ssl._create_unverified_context().wrap_socket(smtp)
    os._exit(0)
os.read(0, 1)
ctypes.CDLL(helper).lock_by_another(second)
time.sleep(1)
os.write(tell, b"x")
os.execv("/bin/sleep", ["sleep", "30"])
"""
HELPER = """
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
static char stack[65536] __attribute__((aligned(16)));
static int lock(void *fd)
{
	mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, (long)fd, 0);
	_exit(0);
}
int lock_by_another(int fd)
{
	return clone(lock, stack + sizeof(stack), CLONE_VM | SIGCHLD, (void *)(long)fd);
}
"""
_numbers = itertools.count()


class Fuse:
    """A user with a FUSE file system, and a process of his, or of a guest's, that waits for it."""

    def __init__(self, host, library, owner=None, guest=None, text=HOSTILE, life_s=LIFE_S):
        number = next(_numbers)
        self.uid = 27001 + number
        self.owner = self.uid if owner is None else owner
        self.mount = host.dir / f"fuse{number}"
        self.mount.mkdir(mode=0o755)
        options = [] if guest is None else ["allow_other"]
        self.server = subprocess.Popen([PYTHON, SERVER, self.mount, str(self.owner), str(life_s), *options],
                                       text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.says("mounted")
        user = self.owner if guest is None else guest
        self.process = host.popen_as(
            user, [PYTHON, "-c", text, self.mount / "f", library, REMOTE4], gid=user, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.says("read")

    def says(self, word):
        equal(self.server.stdout.readline(), word + "\n", "what the FUSE server says")

    def tell(self, child):
        child.stdin.write("\n")
        child.stdin.flush()

    def lock(self):
        """Until this is answered or ended, the process's memory is locked."""
        self.tell(self.process)
        wait_for(self.is_locked, 10, "the process to wait in mmap")

    def is_locked(self):
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "D"

    def connect(self):
        self.tell(self.process)

    def answered(self):
        """What became of the read."""
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # The server first: nothing waits for it then.
        self.server.kill()
        self.server.wait()
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):
            system.umount(str(self.mount))


@contextlib.contextmanager
def bystander(host, library):
    """Somebody else, who waits for his server as well, and nothing waits for him."""
    with Fuse(host, library, life_s=LONG_S) as fuse:
        yield
        fuse.tell(fuse.server)
        equal(fuse.answered(), "got x", "the read of somebody else")


def rescued(host, before, uid):
    """The guard has ended the one connection of this user."""
    state = wait_for(lambda: (s := told(host))["held"] > before["held"] and s, FREE_S, "the rescue")
    equal((state["held"], state["held_uid"]), (before["held"] + 1, uid), "rescues, and who was in the way")
    equal(len(re.findall(rf"a FUSE file system of uid {uid} is ended", host.log())), 1, host.log())


def go_on(host, pause_s=3600):
    """From the beginning: with no rescues, and no pause."""
    host.stop()
    os.environ["SMTPLIMIT_TLS_PAUSE_S"] = str(pause_s)
    host.start()


def library_of(where):
    return where / "libssl.so.3"


def test_slow_server_is_left_alone(host):
    """It waits, and nothing else waits for it."""
    where = probe_scenes.private_library(host)
    before = told(host)
    with bystander(host, library_of(where)):
        for _ in range(3):
            with Held(host, "tls", library=where) as client:
                probed(host, client.pid)
    equal(told(host)["held"], before["held"], "rescues")


def test_who_looks_is_held_up(host):
    """He opens a session himself: the prober waits for his memory."""
    where = probe_scenes.private_library(host)
    before = told(host)
    with bystander(host, library_of(where)), Fuse(host, library_of(where)) as fuse:
        fuse.lock()
        fuse.connect()
        rescued(host, before, fuse.uid)
        equal(fuse.answered(), LOST, "the read")
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
    true(f"who looks for TLS libraries for process {fuse.process.pid} of uid {fuse.uid}," in host.log(), host.log())


def test_who_looks_is_held_up_by_an_exec(host):
    before = told(host)
    helper = host.dir / "lock_by_another.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", helper], input=HELPER, text=True,
                   check=True)
    with Fuse(host, helper, text=EXEC) as fuse:
        wait_for(lambda: probe_scenes.tls_pid(host, fuse.process.pid), 10, "it to have been looked at")
        fuse.tell(fuse.process)
        rescued(host, before, fuse.uid)
        equal(fuse.answered(), LOST, "the read")


def test_roots_own_is_left_alone(host):
    """It does not help to end others, and is said."""
    where = probe_scenes.private_library(host)
    before = told(host)
    with bystander(host, library_of(where)), Fuse(host, library_of(where), owner=0) as fuse:
        fuse.lock()
        with Held(host, text=PLAIN):
            fuse.connect()
            wait_for(lambda: "and no FUSE file system is to blame" in host.log(), 30, "a word")
        true(f"for process {fuse.process.pid} of uid 0," in host.log(), host.log())
        fuse.tell(fuse.server)
        equal(fuse.answered(), "got x", "the read of root")
    equal(told(host)["held"], before["held"], "rescues")


def test_guest_of_another_user(host):
    """His own connections, of which there are none, come first."""
    go_on(host)
    where = probe_scenes.private_library(host)
    before = told(host)
    with Fuse(host, library_of(where), guest=28001) as fuse:
        fuse.lock()
        fuse.connect()
        rescued(host, before, fuse.uid)
        equal(fuse.answered(), LOST, "the read")
    true("of uid 28001, whose memory is locked" in host.log(), host.log())


def hold_forks(host, where):
    """Somebody else's process gets probes in a library that his maps."""
    before = told(host)
    with bystander(host, library_of(where)), Fuse(host, library_of(where)) as fuse:
        fuse.lock()
        with Held(host, "tls", library=where) as client:
            rescued(host, before, fuse.uid)
            equal(fuse.answered(), LOST, "the read")
            return fuse


@contextlib.contextmanager
def pause(host):
    """Yields a process with probes from before it."""
    go_on(host, pause_s=PAUSE_S)
    where = probe_scenes.private_library(host)
    with Held(host, "tls", library=where) as old:
        probed(host, old.pid)
        for _ in range(2):
            hold_forks(host, where)
            equal(told(host)["paused_ns"], 0, "the pause")
        with Held(host, "tls", library=where) as client:
            probed(host, client.pid)
        fuse = hold_forks(host, where)
        true(f"fork(2) on this host for process {fuse.process.pid} of uid {fuse.uid}," in host.log(), host.log())
        yield old


def lasts_and_ends(host, old):
    state = told(host)
    true(state["paused_ns"] > state["heartbeat_ns"], f"{state}")
    problem, = [p for p in host.status()["problems"] if p.startswith("TLS: ")]
    true(f"uid {state['held_uid']}" in problem, problem)
    before = pins(host)
    with Held(host, "tls") as client:
        wait_for(lambda: told(host)["skipped"] > state["skipped"], 5, "the ask to be counted")
        equal(probe_scenes.tls_pid(host, client.pid), None, "its entry")
        equal(pins(host), before, "pins")
    own = pins(host, old.pid)
    true(own and pins(host) != own, "no pins, or none of one that has ended")
    wait_for(lambda: not told(host)["paused_ns"], PAUSE_S + 10, "the pause to end")
    wait_for(lambda: pins(host) == own, 10, "all but those of the living to be out")
    equal(told(host)["processes"], 1, "processes with probes")
    with Held(host, "tls") as client:
        probed(host, client.pid)


def test_forks_stand_still(host):
    """The third time within minutes is once too often."""
    with pause(host) as old:
        lasts_and_ends(host, old)


def test_prober_ends_in_a_pause(host):
    """It is the next one's, too."""
    with pause(host) as old:
        state = told(host)
        os.kill(state["pid"], 9)
        probe_scenes.another_prober(host, state["pid"])
        equal(told(host)["paused_ns"], state["paused_ns"], "the end of the pause")
        lasts_and_ends(host, old)


def test_own_file_is_held(host):
    """Where it is tried if the kernel takes probes: by each start, and by check. The guard of a daemon
    would see that fork(2) stands still as well, and could be the first."""
    host.stop()
    with Fuse(host, host.binary) as fuse:
        fuse.lock()
        done = host.cli("check")
        equal(done.returncode, 0, "exit of check")
        equal(len(re.findall(rf"a FUSE file system of uid {fuse.uid} is ended", done.stderr)), 1, done.stderr)
    way = os.environ.pop("SMTPLIMIT_TLS_WAY")   # with which nothing is tried
    with Fuse(host, host.binary) as fuse:
        fuse.lock()
        host.start()
        os.environ["SMTPLIMIT_TLS_WAY"] = way
        equal(len(re.findall(rf"a FUSE file system of uid {fuse.uid} is ended", host.log())), 1, host.log())


def test_guard_is_lost(host):
    """Without it nothing is put in: the prober begins anew with another."""
    prober = told(host)["pid"]
    guard, = children(prober, "smtpl-guard")
    os.kill(guard, 9)
    prober = probe_scenes.another_prober(host, prober)
    true("the guard that keeps users from holding up who puts probes is gone" in host.log(), host.log())
    equal(len(children(prober, "smtpl-guard")), 1, "its guards")


def test_guard_is_lost_before_an_ask(host):
    """The ask is not worked on."""
    state = told(host)
    with contextlib.ExitStack() as stack:
        with prober_stopped(host):
            client = stack.enter_context(Held(host, text="import ssl\n" + PLAIN))
            guard, = children(state["pid"], "smtpl-guard")
            os.kill(guard, 9)
            wait_for(lambda: ") Z " in system.proc_text(f"{guard}/stat"), 10, "its end")
        probe_scenes.another_prober(host, state["pid"])
        told(host)
        equal((pins(host), probe_scenes.tls_pid(host, client.pid)), ([], None), "what was made of it")


def test_unload_takes_all_out(host):
    where = probe_scenes.private_library(host)
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
        with bystander(host, library_of(where)), Fuse(host, library_of(where)) as fuse:
            fuse.lock()
            done = host.cli("unload")
            equal(done.returncode, 0, "exit of unload")
            equal(len(re.findall(rf"a FUSE file system of uid {fuse.uid} is ended", done.stderr)), 1, done.stderr)
            equal(fuse.answered(), LOST, "the read")
    host.daemon.wait(20)
    host.start()


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), probe_scenes.fixture("multi"))
