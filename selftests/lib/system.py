# SPDX-License-Identifier: GPL-2.0-only
"""The few system calls that Python 3.11 has no name for, what /proc says, and waiting for a condition."""
import ctypes
import os
import time
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def unshare(flags):
    _call("unshare", flags)


def setns(path, kind):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", fd, kind)
    finally:
        os.close(fd)


def mount(source, target, kind, flags=0, data=None):
    _call("mount", source.encode(), target.encode(), kind.encode() if kind else None,
          ctypes.c_ulong(flags), data.encode() if data else None)


def umount(target):
    _call("umount2", target.encode(), MNT_DETACH)


def die_with_parent(signal_number=9):
    _call("prctl", PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def wait_for(predicate, timeout=10.0, what=None):
    """Poll until predicate() is true and return its value; TimeoutError names what was awaited. The last look
    begins after the time is over."""
    end = time.monotonic() + timeout
    while True:
        late = time.monotonic() > end
        value = predicate()
        if value:
            return value
        if late:
            name = what or getattr(predicate, "__name__", "condition")
            raise TimeoutError(f"not within {timeout} s: {name}")
        time.sleep(0.01)


def within(limit_s, act, between=None):
    """act() takes less than that. Of three tries one has to, as the whole machine may stand still in any; each
    must begin from the same state, which between() restores. The seconds of each."""
    took = []
    while not took or (took[-1] >= limit_s and len(took) < 3):
        if took and between:
            between()
        start = time.monotonic()
        act()
        took.append(time.monotonic() - start)
    if len(took) > 1:
        print(f"# tried again: {[round(t, 1) for t in took]} s", flush=True)
    if took[-1] >= limit_s:
        raise AssertionError(f"took {[round(t, 1) for t in took]} s, not less than {limit_s} s")
    return took


def proc_text(name):
    """A file of /proc, "" if its process has ended."""
    try:
        return Path("/proc", name).read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid, name=None):
    """Of this process, that have this name; none of one that has ended."""
    pids = [int(child) for child in proc_text(f"{pid}/task/{pid}/children").split()]
    return [child for child in pids if name in (None, proc_text(f"{child}/comm").strip())]


def family(pid):
    """This process and all below it."""
    pids = [pid]
    for parent in pids:
        pids += children(parent)
    return pids


def cgroup2_mount():
    """Where the cgroup v2 hierarchy is mounted, or None."""
    with open("/proc/self/mountinfo", encoding="ascii") as mounts:
        for line in mounts:
            left, right = line.split(" - ", 1)
            if right.split()[0] == "cgroup2" and left.split()[3] == "/":
                return left.split()[4]
    return None
