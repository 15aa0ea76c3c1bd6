# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's own run statistics say of BPF programs: how often each ran, and how long.

    with enabled():
        before = read(names)
        ...
        spent = read(names) - before

They cost time themselves, and count it in; empty.bpf.c shows how much."""
import ctypes
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field

from host import bpftool

BPF_STATS_RUN_TIME = 0


@dataclass
class RunStats:
    """name -> (runs, nanoseconds)"""
    of: dict = field(default_factory=dict)

    def __sub__(self, other):
        return RunStats({name: (runs - other.of[name][0], ns - other.of[name][1])
                         for name, (runs, ns) in self.of.items()})

    def runs(self, *names):
        return sum(self.of[n][0] for n in names)

    def ns(self, *names):
        """Nanoseconds a run, over all runs of these programs."""
        return sum(self.of[n][1] for n in names) / max(1, self.runs(*names))

    def whole_ns(self):
        return sum(ns for _, ns in self.of.values())


@contextmanager
def enabled():
    """Until the descriptor is closed, by whatever end of this process. (A sysctl would stay.)"""
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    fd = libbpf.bpf_enable_stats(BPF_STATS_RUN_TIME)
    if fd < 0:
        raise OSError(-fd, f"bpf_enable_stats: {os.strerror(-fd)}")
    try:
        yield
    finally:
        os.close(fd)


def pinned_programs(host):
    """{name: id} of the daemon that this host runs. Its pinned links tell: the same names may be
    those of another test's daemon, too."""
    ids = {}
    for pin in sorted(host.pin("").glob("link_*")):
        link = json.loads(bpftool("-j", "link", "show", "pinned", pin))
        ids[program(link["prog_id"])["name"]] = link["prog_id"]
    return ids


def program(number):
    return json.loads(bpftool("-j", "prog", "show", "id", number))


def read(ids):
    """The statistics of programs: {name: id} -> RunStats"""
    stats = RunStats()
    for name, number in ids.items():
        shown = program(number)
        stats.of[name] = (shown.get("run_cnt", 0), shown.get("run_time_ns", 0))
    return stats
