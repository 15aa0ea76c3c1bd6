# SPDX-License-Identifier: GPL-2.0-only
"""A user whose FUSE server is silent locks the memory of his own process, and who puts probes into the
libraries that it maps waits for it, and fork(2) on the whole host with him. His FUSE connection is ended;
nobody else's is, and none while nothing stands still; and who goes on with it finds that no probes are
put in for a while."""
import contextlib
import itertools
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
from system import wait_for  # noqa: E402

SERVER = Path(__file__).resolve().parents[1] / "lib/fuse_server.py"
LOST = "lost 107"       # ENOTCONN: his connection was ended
FREE_S = 20      # less than the server lives: what is free by then was set free

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
_numbers = itertools.count()


class Fuse:
    """A user with a FUSE file system, and a process of his that waits for it."""

    def __init__(self, host, where, owner=None):
        number = next(_numbers)
        self.uid = 27001 + number
        self.owner = self.uid if owner is None else owner
        self.mount = host.dir / f"fuse{number}"
        self.mount.mkdir(mode=0o755)
        self.server = subprocess.Popen([PYTHON, SERVER, self.mount, str(self.owner)], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.says("mounted")
        user = self.owner or self.uid
        self.process = host.popen_as(
            user if self.owner else 0,
            [PYTHON, "-c", HOSTILE, self.mount / "f", where / "libssl.so.3", REMOTE4], gid=self.owner,
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
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


def rescued(host, before, uid):
    """The guard has ended the one connection of this user."""
    state = wait_for(lambda: (s := told(host))["held"] > before["held"] and s, FREE_S, "the rescue")
    equal((state["held"], state["held_uid"]), (before["held"] + 1, uid), "rescues, and who was in the way")
    equal(len(re.findall(rf"a FUSE file system of uid {uid} is ended", host.log())), 1, host.log())


def test_slow_server_is_left_alone(host):
    """It waits, and nothing else waits for it."""
    where = probe_scenes.private_library(host)
    before = told(host)
    with Fuse(host, where) as fuse:
        for _ in range(3):
            with Held(host, "tls", library=where) as client:
                probed(host, client.pid)
        fuse.tell(fuse.server)
        equal(fuse.answered(), "got x", "the read")
    equal(told(host)["held"], before["held"], "rescues")


def test_who_looks_is_held_up(host):
    """He opens a session himself: the prober waits for his memory."""
    where = probe_scenes.private_library(host)
    before = told(host)
    with Fuse(host, where) as fuse:
        fuse.lock()
        fuse.connect()
        rescued(host, before, fuse.uid)
        equal(fuse.answered(), LOST, "the read")
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
    true("who puts probes into TLS libraries stood still" in host.log(), host.log())


def test_roots_own_is_left_alone(host):
    """It does not help, and is said."""
    where = probe_scenes.private_library(host)
    before = told(host)
    with Fuse(host, where) as other, Fuse(host, where, owner=0) as fuse:
        fuse.lock()
        with Held(host, text=PLAIN):
            fuse.connect()
            wait_for(lambda: "to end FUSE file systems does not help" in host.log(), 30, "a word")
        equal(other.answered(), LOST, "the read of the user")
        fuse.tell(fuse.server)
        equal(fuse.answered(), "got x", "the read of root")
    wait_for(lambda: told(host)["held"] == before["held"] + 1, 5, "the rescue to be told")


def test_forks_stand_still(host):
    """Somebody else's process gets probes in a library that his maps. The third time within minutes is
    once too often."""
    where = probe_scenes.private_library(host)
    before = told(host)
    with Held(host, "tls", library=where) as old:
        probed(host, old.pid)
        with Fuse(host, where) as fuse:
            fuse.lock()
            with Held(host, "tls", library=where) as client:
                rescued(host, before, fuse.uid)
                probed(host, client.pid)
                equal(fuse.answered(), LOST, "the read")
        true("fork(2) on this host stood still" in host.log(), host.log())
        is_paused(host, old)


def is_paused(host, old):
    state = told(host)
    true(state["paused_ns"] > state["heartbeat_ns"], f"{state}")
    problem, = [p for p in host.status()["problems"] if p.startswith("TLS: ")]
    true(f"uid {state['held_uid']}" in problem, problem)
    before = pins(host)
    with Held(host, "tls") as client:
        wait_for(lambda: told(host)["skipped"] > state["skipped"], 5, "the ask to be counted")
        equal(probe_scenes.tls_pid(host, client.pid), None, "its entry")
        equal(pins(host), before, "pins")
        host.stop()
        host.start()
        equal(told(host)["paused_ns"], 0, "the pause after a restart")
        wait_for(lambda: pins(host) == pins(host, old.pid), 10, "all but those of the living to be out")
        true(pins(host), "no pins of the living")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), probe_scenes.fixture("multi"))
