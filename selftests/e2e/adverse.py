# SPDX-License-Identifier: GPL-2.0-only
"""What others do to the host must not cost the limit: senders with domains without end, a database
that somebody holds or that cannot be written, a full disk; and the little that the responder is given."""
import contextlib
import itertools
import os
import re
import signal
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
import system  # noqa: E402
from host import TREE, Host, bpftool  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

ALICE, BOB, CAROL, RELAY, GAMES = 20001, 20002, 20003, 38, 5
RELAYED = {"watch": {"relay_users": "list"}}

LOCKED_S = 8        # longer than SQLite would wait
STALE_S = 3         # of a heartbeat that is renewed every second
STATE_BYTES = 400 << 10
CANNOT_SAVE = "cannot save"
CANNOT_WRITE = "cannot write to the state database"
RESPONDER = "smtpl-responder"
ORDERED = f"{compare.account_name(GAMES)} is suspended"


# domains without end

def limit(name):
    """A number of headers/limits.h."""
    text = (TREE / "headers" / "limits.h").read_text(encoding="ascii")
    word = re.search(rf"^#define {name} (.*)$", text, re.MULTILINE)[1]
    if word.isdigit():
        return int(word)
    of, by = re.fullmatch(r"\((\w+) / (\d+)\)", word).groups()
    return limit(of) // int(by)


def pretend_domains(host, uid, count):
    """Let the kernel believe that a uid has this many domains in smtpl_counts."""
    row = {**host.counts()[uid, ""], "domains": count}
    key = struct.pack("=I", uid).ljust(4 + limit("SMTPL_DOMAIN_SIZE"), b"\0")
    value = struct.pack(f"={len(row)}Q", *row.values())
    bpftool("map", "update", "pinned", host.pin("smtpl_counts"), "key", "hex", *key.hex(" ").split(),
            "value", "hex", *value.hex(" ").split())
    equal(host.counts()[uid, ""], row, "the entry of the uid")


def test_domains_of_a_relay_are_bounded():
    with running(RELAYED) as host:
        most = limit("SMTPL_DOMAINS_PER_RELAY")
        true(most <= limit("SMTPL_COUNTS_MAX") // 2, f"one relay may fill the map: {most}")
        scenes.good(host, RELAY, 1, sender="a@known.test")
        pretend_domains(host, RELAY, most - 1)
        scenes.bad(host, RELAY, 2, sender="a@last.test")
        scenes.bad(host, RELAY, 3, sender="a@over.test")
        scenes.bad(host, RELAY, 1, sender="a@known.test")
        tally = host.tally()
        tally.cells[RELAY, ""]["failed"] += tally.cells.pop((RELAY, "over.test"))["failed"]
        compare.map_equals(host, tally)
        equal(host.counts()[RELAY, ""]["domains"], most, "domains of the relay")
        compare.stats_are(host, domains_over=3, counts_full=0)
        scenes.suspend(host, ALICE, sender="a@over.test")
        compare.stats_are(host, domains_over=3, counts_full=0)
        scenes.window_is(host, "domain:last.test", failed=2)
        scenes.window_is(host, "domain:known.test", delivered=1, failed=1)


def many_domains(host, uid, names, act):
    """One mail of each domain."""
    messages = [{"sender": f"user@{name}.test", "rcpts": scenes.fresh(act)} for name in names]
    clients.jobs(host, uid, [{"to": "203.0.113.1", "uid": uid, "how": "pipeline",
                              "messages": messages}])


def test_direct_sender_with_many_domains_is_judged_over_all():
    most, over = limit("SMTPL_DOMAINS_PER_UID"), 8
    half = (most + over) // 2
    with running() as host:
        names = [f"d{n}" for n in range(2 * half)]
        many_domains(host, ALICE, names[:half], "")
        many_domains(host, ALICE, names[half:-1], "r550")
        scenes.window_is(host, ALICE, delivered=half, failed=half - 1)
        scenes.looked(host)
        scenes.is_not_suspended(host, ALICE)
        equal(host.counts()[ALICE, ""]["domains"], most, "domains")
        equal(host.counts()[ALICE, ""]["failed"], over - 1, "failed without a domain of its own")
        compare.stats_are(host, domains_over=over - 1, counts_full=0)
        many_domains(host, ALICE, names[-1:], "r550")
        scenes.is_suspended(host, ALICE)
        equal(scenes.kernel_suspension(host, ALICE)["bad"], half, "failures at the verdict")


# a database that cannot be written

@contextlib.contextmanager
def locked(host):
    """Somebody is in the middle of a write to the state database."""
    with scenes.database(host, write=True) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def age(host):
    """Of the heartbeat."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - scenes.heartbeat(host)


def text_refuses(host, uid):
    account = scenes.is_suspended(host, uid)
    scenes.is_refused(scenes.good(host, uid, 1), scenes.refusal(account))


def test_locked_database():
    with running() as host:
        scenes.bad(host, ALICE, 2)
        scenes.window_is(host, ALICE, failed=2)
        with locked(host):
            end = time.monotonic() + LOCKED_S
            scenes.bad(host, ALICE, 3)
            wait_for(lambda: scenes.kernel_suspension(host, ALICE), 4, "the suspension")
            text_refuses(host, ALICE)
            oldest = gap = 0
            looked = time.monotonic()
            while looked < end:
                oldest = max(oldest, age(host))
                gap, looked = max(gap, time.monotonic() - looked), time.monotonic()
            # In a gap between two looks the whole machine may have stood still.
            true(oldest < STALE_S + gap, f"the heartbeat was {oldest:.1f} s old, and a gap {gap:.1f} s")
            equal(scenes.suspension_saved(host, ALICE), None, "saved, so that nothing is tested here")
        wait_for(lambda: scenes.suspension_saved(host, ALICE), 10, "the suspension to be saved")
        scenes.window_is(host, ALICE, failed=5)
        with locked(host):      # soon again, which is not told again
            scenes.bad(host, BOB, 1)
            scenes.looked(host, 2)
        scenes.window_is(host, BOB, failed=1)
        equal(host.log().count(CANNOT_SAVE), 1, f"complaints of a failed save in\n{host.log()}")


def test_suspended_again_before_the_end_could_be_saved():
    """The row of the first suspension is over, the second one is not: it stays, in the database, too."""
    with running({"limit": {"suspend": "10s"}}) as host:
        scenes.suspend(host, ALICE)
        first = wait_for(lambda: scenes.suspension_saved(host, ALICE), 10, "the row of the first")
        host.write_conf({"limit": {"suspend": "1h"}})
        host.daemon.send_signal(signal.SIGHUP)
        with locked(host):
            wait_for(lambda: not scenes.kernel_suspension(host, ALICE), 30, "the end of the first")
            scenes.looked(host)
            scenes.suspend(host, ALICE)
            scenes.looked(host)
            true(scenes.kernel_suspension(host, ALICE), "released by the row of the first suspension")
            equal(scenes.suspension_saved(host, ALICE), first, "the row of the first")
        wait_for(lambda: scenes.suspension_saved(host, ALICE) not in (None, first), 10,
                 "the second to be saved")
        scenes.looked(host)
        true(scenes.suspension_saved(host, ALICE), "the row of the second is gone")
        equal(host.log().count("may send again"), 1, "ends in the log")


def test_released_while_the_database_is_locked():
    """The release is not undone by the next boot."""
    with running() as host:
        scenes.suspend(host, ALICE)
        wait_for(lambda: scenes.suspension_saved(host, ALICE), 10, "the suspension to be saved")
        host.write_conf({"watch": {"exempt_users": ALICE}})
        with locked(host):
            host.daemon.send_signal(signal.SIGHUP)
            wait_for(lambda: not scenes.kernel_suspension(host, ALICE), 10, "the release")
            scenes.looked(host)
        wait_for(lambda: not scenes.suspension_saved(host, ALICE), 10, "the row to be gone")
        equal(scenes.saved(host, "SELECT * FROM windows WHERE uid = ?", ALICE), [], "saved window")


class SmallDisk:
    """The state directory of a host on a file system of its own, which can be filled up."""

    def __init__(self, host):
        state = host.dir / "state"
        state.mkdir(mode=0o700)
        system.mount("tmpfs", str(state), "tmpfs", data=f"size={STATE_BYTES}")
        host.cleanups.append(lambda: system.umount(str(state)))
        self.filler = state / "filler"

    def fill(self):
        with contextlib.suppress(OSError), open(self.filler, "ab", buffering=0) as out:
            while out.write(b"x" * 4096):
                pass

    def empty(self):
        self.filler.unlink()


@contextlib.contextmanager
def with_small_disk():
    with Host() as host:
        disk = SmallDisk(host)
        host.start()
        scenes.suspend(host, BOB)
        wait_for(lambda: scenes.suspension_saved(host, BOB), 10, "the suspension to be saved")
        yield host, disk


def saving_fails(host, disk):
    """Fill the disk and send until nothing can be saved any more: some room may be in the log."""
    uids = itertools.count(20100)

    def failed():
        disk.fill()
        scenes.good(host, next(uids), 1)
        return CANNOT_SAVE in host.log()
    wait_for(failed, 20, "a save to fail")
    disk.fill()


def test_full_disk():
    with with_small_disk() as (host, disk):
        scenes.bad(host, ALICE, 2)
        scenes.window_is(host, ALICE, failed=2)
        saving_fails(host, disk)
        scenes.bad(host, ALICE, 3)
        text_refuses(host, ALICE)
        scenes.looked(host, 4)
        equal(host.log().count(CANNOT_SAVE), 1, f"complaints of a failed save in\n{host.log()}")
        equal(scenes.suspension_saved(host, ALICE), None, "saved, so that nothing is tested here")
        disk.empty()
        wait_for(lambda: scenes.suspension_saved(host, ALICE), 10, "the suspension to be saved")
        scenes.window_is(host, ALICE, failed=5)


def starts_and_refuses(host):
    host.start()
    text_refuses(host, BOB)
    scenes.suspend(host, CAROL)
    text_refuses(host, CAROL)
    scenes.looked(host)


def test_start_on_a_full_disk():
    """Killed, ended or, as by a reboot, gone from the kernel before."""
    with with_small_disk() as (host, disk):
        host.stop()
        disk.fill()
        starts_and_refuses(host)
        host.kill()
        starts_and_refuses(host)
        host.kill()
        equal(host.cli("unload").returncode, 0, "exit of unload")
        starts_and_refuses(host)
        equal(host.log().count(CANNOT_WRITE), 1, f"warnings in\n{host.log()}")
        disk.empty()
        wait_for(lambda: scenes.suspension_saved(host, CAROL), 10, "the suspension to be saved")


# the rest

def reload(host, changes):
    times = host.log().count("settings read again")
    host.write_conf(changes)
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: host.log().count("settings read again") > times, 10, "the settings to be read")


def test_exempt_for_a_while():
    with running() as host:
        scenes.suspend(host, ALICE)
        reload(host, {"watch": {"exempt_users": ALICE}})
        scenes.is_not_suspended(host, ALICE)
        scenes.bad(host, ALICE, 5)
        scenes.total_is(host, ALICE, failed=10)
        scenes.looked(host)
        scenes.is_not_suspended(host, ALICE)
        reload(host, {"watch": {"exempt_users": ""}})
        scenes.looked(host)
        scenes.is_not_suspended(host, ALICE)
        scenes.bad(host, ALICE, 4)
        scenes.window_is(host, ALICE, failed=4)
        scenes.suspend(host, ALICE, 1)


def responder(host):
    """The pid of the daemon's child that speaks with senders, or None."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            text = status.read_text(encoding="utf-8", errors="replace")
            if (text.startswith(f"Name:\t{RESPONDER}\n")
                    and f"\nPPid:\t{host.daemon.pid}\n" in text and "\nState:\tZ" not in text):
                return int(status.parent.name)
    return None


def has_nothing(pid):
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="ascii").splitlines()
    true(len(maps) > 10, f"not the maps of a process: {maps}")
    equal([m for m in maps if m.split()[1][1] == "w" and m.split()[1][3] == "s"], [],
          "writable shared mappings")
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    sets = dict(re.findall(r"^(Cap\w+):\t(\w+)$", status, re.MULTILINE))
    equal(sets, dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16),
          "capabilities")


def test_responder_has_nothing():
    """Neither the first one nor the one that follows when it died."""
    with running() as host:
        daemon = Path(f"/proc/{host.daemon.pid}/maps").read_text(encoding="ascii")
        true("rw-s" in daemon, "the daemon itself shares nothing: nothing is tested here")
        scenes.suspend(host, ALICE)
        first = responder(host)
        has_nothing(first)
        os.kill(first, signal.SIGKILL)
        second = wait_for(lambda: (pid := responder(host)) not in (None, first) and pid, 20,
                          "the next responder")
        wait_for(lambda: not scenes.good(host, ALICE, 1)["error"], 10, "its text")
        has_nothing(second)


def test_order_that_cannot_be_deleted_is_carried_out_once():
    with running() as host:
        with scenes.database(host, write=True) as db:
            db.execute("CREATE TRIGGER stuck BEFORE DELETE ON orders BEGIN"
                       " SELECT raise(abort, 'stuck'); END")
            child = host.popen_as(0, [host.binary, "-c", host.conf, "suspend", "games"], cgroup=False,
                                  stdout=-1, stderr=-1)
            scenes.is_suspended(host, GAMES)
            first = scenes.kernel_suspension(host, GAMES)
            scenes.looked(host, 3)
            equal(scenes.kernel_suspension(host, GAMES), first, "suspension")
            equal(host.log().count(ORDERED), 1, f"carried out in\n{host.log()}")
            equal(len(scenes.saved(host, "SELECT * FROM orders")), 1, "orders left")
            db.execute("DROP TRIGGER stuck")
        wait_for(lambda: not scenes.saved(host, "SELECT * FROM orders"), 10, "the order to be gone")
        equal(child.wait(10), 0, "exit of suspend")
        equal(host.cli("release", "games").returncode, 0, "exit of release")
        scenes.is_not_suspended(host, GAMES)
        equal(host.log().count(ORDERED), 1, f"carried out in\n{host.log()}")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
