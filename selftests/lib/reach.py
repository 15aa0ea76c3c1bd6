# SPDX-License-Identifier: GPL-2.0-only
"""Everything of smtplimit's that userspace can reach, as bytes: {place: bytes}. For tests that look for
what must not be there."""
import contextlib
import ctypes
import functools
import json
import mmap
import os
import struct
import subprocess
import tempfile
from pathlib import Path

from host import bpftool
from system import family, proc_text

_PAGE = mmap.PAGESIZE
_SYS_BPF, _SYS_PIDFD_GETFD = 321, 438
_BPF_MAP_LOOKUP_ELEM, _BPF_OBJ_GET = 1, 7
_RING_HEAD = _PAGE              # the consumer's page, ahead of the producer's

_libc = ctypes.CDLL(None, use_errno=True)


def _syscall(number, *arguments):
    result = _libc.syscall(number, *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"))
    return _syscall(_SYS_BPF, command, buffer, 128)


def _map_fd(pin):
    path = ctypes.create_string_buffer(str(pin).encode())
    return _bpf(_BPF_OBJ_GET, struct.pack("=QII", ctypes.addressof(path), 0, 0))


def _ring(pin, size):
    """The pages as they are: also what was read long ago and not yet written over."""
    fd = _map_fd(pin)
    try:
        with mmap.mmap(fd, _PAGE + size, mmap.MAP_SHARED, mmap.PROT_READ, offset=_RING_HEAD) as pages:
            return pages[_PAGE:]
    finally:
        os.close(fd)


def _bytes_of(value):
    """A key or value of bpftool's raw dump."""
    if isinstance(value, list):
        return bytes(int(byte, 16) for byte in value)
    return b""


def _entry(entry):
    parts = [_bytes_of(entry.get("key")), _bytes_of(entry.get("value"))]
    parts += [_bytes_of(each.get("value")) for each in entry.get("values", [])]
    return b"".join(parts)


@functools.cache
def _info(pin):
    return json.loads(bpftool("-j", "map", "show", "pinned", pin))


def _map(pin):
    """One pinned map; b"" for those that cannot be walked (storage of sockets and tasks)."""
    info = _info(pin)
    if info["type"] == "ringbuf":
        return _ring(pin, info["max_entries"])
    if info["type"] in ("sk_storage", "task_storage", "queue"):
        return b""
    entries = json.loads(bpftool("-j", "map", "dump", "pinned", pin))
    return b"\0".join(map(_entry, entries))


def maps(host):
    return {f"map {pin.name}": _map(pin) for pin in host.pin("").iterdir()
            if not pin.name.startswith("link_")}


def storage(host, name, fd):
    """What a storage map holds of the socket or the task that a descriptor of this process names."""
    pin = host.pin(name)
    size = _info(pin)["bytes_value"]
    value, key = ctypes.create_string_buffer(size), ctypes.c_int(fd)
    attributes = struct.pack("=IIQQQ", _map_fd(pin), 0, ctypes.addressof(key),
                             ctypes.addressof(value), 0)
    try:
        _bpf(_BPF_MAP_LOOKUP_ELEM, attributes)
    except FileNotFoundError:
        return b""
    finally:
        os.close(struct.unpack_from("=I", attributes)[0])
    return value.raw


def sockets(host, pid):
    """What is kept of each socket of a process, and of its first thread."""
    pidfd = os.pidfd_open(pid)
    found = {f"task {pid}": storage(host, "smtpl_tls_thrds", pidfd)}
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if not os.readlink(link).startswith("socket:"):
            continue
        fd = _syscall(_SYS_PIDFD_GETFD, pidfd, int(link.name), 0)
        found[f"socket {pid}/{link.name}"] = storage(host, "smtpl_session", fd)
        os.close(fd)
    os.close(pidfd)
    return found


def memory(pid):
    """All that a process can write to: heap, stacks, data, what it has mapped. One that has ended has nothing."""
    parts = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in proc_text(f"{pid}/maps").splitlines():
            where, mode, *_ = line.split()
            first, last = (int(end, 16) for end in where.split("-"))
            if "w" not in mode:
                continue
            try:
                mem.seek(first)
                parts.append(mem.read(last - first))
            except (OSError, ValueError):
                continue
    return b"\0".join(parts)


def processes(host):
    """The daemon and its children."""
    return {f"memory of {proc_text(f'{pid}/comm').strip()} {pid}": memory(pid) for pid in family(host.daemon.pid)}


def files(host):
    """The state database with its log, the run directory, the daemon's log."""
    found = {"daemon's log": host.log().encode()}
    for directory in ("state", "run"):
        for path in (host.dir / directory).rglob("*"):
            if path.is_file():
                found[f"{directory}/{path.name}"] = path.read_bytes()
    return found


def outputs(host):
    commands = (("status",), ("-j", "status"), ("config",), ("check",))
    return {"output of " + " ".join(c): (d.stdout + d.stderr).encode()
            for c in commands for d in [host.cli(*c)]}


def everything(host, *pids):
    """`pids`: processes that are probed, whose sockets are asked for, too."""
    found = {**maps(host), **processes(host), **files(host), **outputs(host)}
    for pid in pids:
        found.update(sockets(host, pid))
    return found


def search(places, needles):
    """Which of the needles are where, whatever their case: {(place, needle)}."""
    with tempfile.TemporaryDirectory() as directory:
        patterns = Path(directory, "needles")
        patterns.write_bytes(b"\n".join(needles))
        names = {}
        for n, (place, content) in enumerate(places.items()):
            names[str(n)] = place
            Path(directory, str(n)).write_bytes(content)
        done = subprocess.run(["grep", "-aoiHFf", patterns, "--", *names], cwd=directory, check=False,
                              stdout=subprocess.PIPE)
        if done.returncode > 1:
            raise RuntimeError("grep failed")
        lines = done.stdout.decode("ascii", "replace").splitlines()
        return {(names[line.partition(":")[0]], line.partition(":")[2].lower()) for line in lines}
