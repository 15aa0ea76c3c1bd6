# SPDX-License-Identifier: GPL-2.0-only
"""When a relay has used up its share of domains, those that have been idle for an hour are
forgotten, the oldest first, and nothing else changes. A domain that had no room has some again, and
one that comes back begins at zero.

This host may have booted just now: the daemon runs in a time namespace where three hours more have
gone by.
"""
# SECONDS: 120
import contextlib
import ctypes
import os
import sqlite3
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
import system  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

RELAY, ALICE, BOB = 38, 20001, 20002
RELAY_SHARE, SHARE = 131072 // 4, 256   # headers/limits.h
AT_ONCE, THIRD = 4096, SHARE // 3
AHEAD_S = 3 * 3600
CLONE_NEWTIME = 0x80
YOUNG = [f"young{n}.test" for n in range(10)]
HAD = {"connections": 0, "delivered": 2, "deferred": 1, "failed": 3, "unknown": 1}
OPTIONS = {"limit": {"window": "5m", "suspend": "5m"}, "watch": {"relay_users": "list"}}


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), what)
    return result


@contextlib.contextmanager
def ahead():
    """Children that are started in here live AHEAD_S later. (Not by unshare(1), which would have to
    fork: on older kernels exec enters no time namespace.)"""
    system.unshare(CLONE_NEWTIME)
    try:
        Path("/proc/self/timens_offsets").write_text(f"boottime {AHEAD_S} 0\n", encoding="ascii")
        yield
    finally:
        system.setns("/proc/self/ns/time", CLONE_NEWTIME)


class Counts:
    """Writes into smtpl_counts, which bpftool does one entry a process."""

    def __init__(self, host):
        self.lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
        self.fd = check(self.lib.bpf_obj_get(str(host.pin("smtpl_counts")).encode()), "obj_get")
        self.rows = host.counts()
        self.fields = list(next(iter(self.rows.values())))

    def put(self, uid, domain, **values):
        row = {**dict.fromkeys(self.fields, 0), **self.rows.get((uid, domain), {}), **values}
        value = struct.pack(f"={len(self.fields)}Q", *(row[f] for f in self.fields))
        key = struct.pack("=I128s", uid, domain.encode())
        check(self.lib.bpf_map_update_elem(self.fd, key, value, ctypes.c_uint64(0)), "update_elem")


def old(number):
    return f"old{number}.test"


def fill(host):
    """Every entry of a domain `old` was last used as many ns after the boot as its number says."""
    counts = Counts(host)
    later = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + AHEAD_S * 10**9
    for domain in YOUNG:
        counts.put(RELAY, domain, last_ns=later, **HAD)
    counts.put(RELAY, "kept.test", last_ns=1, **HAD)    # suspended by hand
    used = {RELAY: len(YOUNG) + 2, ALICE: 1, BOB: 1}    # one.test of each
    for uid, share in ((RELAY, RELAY_SHARE), (ALICE, SHARE), (BOB, SHARE // 2)):
        for number in range(1, share - used[uid] + 1):
            counts.put(uid, old(number), last_ns=number, **HAD)
        counts.put(uid, "", domains=share)
    counts.put(ALICE, "", domains=SHARE + 7)            # it says more than there is
    os.close(counts.fd)


def prepare(host):
    for uid in (RELAY, ALICE, BOB):
        scenes.good(host, uid, 1)
    equal(host.cli("suspend", "domain:kept.test", "--for", "24h").returncode, 0, "suspend")
    equal(host.stop(), 0, "exit status")
    fill(host)


def domains(rows, uid):
    return {domain for owner, domain in rows if owner == uid and domain}


def saved_keys(host):
    with sqlite3.connect(f"file:{host.dir}/state/state.db?mode=ro", uri=True) as db:
        return set(db.execute("SELECT uid, domain FROM counts"))


def test_without_room_a_domain_is_counted_nowhere(host):
    scenes.bad(host, RELAY, 5, sender="a@late.test")
    rows = host.counts()
    true((RELAY, "late.test") not in rows, "there was room for late.test")
    equal((rows[RELAY, ""]["failed"], rows[RELAY, ""]["domains"]), (5, RELAY_SHARE), "the whole's")


def test_the_oldest_are_forgotten_and_nothing_else_changes(host):
    before = host.counts()
    with ahead():
        host.start()
    wait_for(lambda: "room was short" in host.log(), 90, "room to be made")
    alice, relay = SHARE - THIRD + 1, AT_ONCE - (SHARE - 1)     # all of hers are among the oldest
    true(f"{alice + relay} idle" in host.log(), f"not as many: {host.log()}")
    equal(host.stop(), 0, "exit status")
    after = host.counts()
    equal(domains(before, RELAY) - domains(after, RELAY), {old(n) for n in range(1, relay + 1)},
          "the relay's domains that went")
    equal(domains(before, ALICE) - domains(after, ALICE),
          {old(n) for n in range(1, alice + 1)}, "Alice's domains that went")
    left = {uid: len(domains(after, uid)) for uid in (RELAY, ALICE, BOB)}
    equal(left, {RELAY: RELAY_SHARE - relay, ALICE: THIRD - 1, BOB: SHARE // 2}, "domains left")
    for uid, count in left.items():
        before[uid, ""]["domains"] = count
    equal({key for key in after if after[key] != before[key]}, set(), "entries that changed")
    equal(sorted(saved_keys(host) ^ set(after))[:5], [], "keys only in the map or the database")


def test_a_domain_has_room_again_and_is_judged(host):
    host.start()
    scenes.bad(host, RELAY, 5, sender="a@late.test")
    wait_for(lambda: host.suspended("domain:late.test"), 15, "domain:late.test to be suspended")


def test_one_that_comes_back_begins_at_zero(host):
    scenes.bad(host, RELAY, 4, sender=f"a@{old(1)}")
    scenes.total_is(host, f"domain:{old(1)}", failed=4)
    account = scenes.window_is(host, f"domain:{old(1)}", failed=4)
    true(not account["suspended"], "suspended by failures of long ago")
    row = host.counts()[RELAY, old(1)]
    equal({f: row[f] for f in HAD}, {**dict.fromkeys(HAD, 0), "failed": 4}, "the entry")
    scenes.bad(host, RELAY, 1, sender=f"a@{old(1)}")
    wait_for(lambda: host.suspended(f"domain:{old(1)}"), 15, f"{old(1)} to be suspended")
    rows = host.counts()
    equal(rows[RELAY, ""]["domains"], len(domains(rows, RELAY)), "domains of the relay")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running(OPTIONS, prepare))
