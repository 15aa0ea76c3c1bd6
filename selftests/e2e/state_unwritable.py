# SPDX-License-Identifier: GPL-2.0-only
"""The limit holds, and suspend and release work, while the state database cannot be written: somebody
has locked it, or its disk is full or read-only."""
# SECONDS: 90
import contextlib
import itertools
import re
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
import system  # noqa: E402
from host import Host, sh  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

ALICE, BOB, CAROL, GAMES = 20001, 20002, 20003, 5

LOCKED_S = 8        # longer than SQLite would wait
STALE_S = 3         # of a heartbeat that is renewed every second
STATE_BYTES = 400 << 10
CANNOT_SAVE = "cannot save"
CANNOT_WRITE = "cannot write to the state database"


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


def listed(host):
    """The names in the file that mail servers go by."""
    file = host.dir / "run" / "suspended"
    return {line.partition(":")[0] for line in file.read_text(encoding="ascii").splitlines()}


def saving_problem(host):
    return [p for p in host.status()["problems"] if p.startswith("saves_failed is ")]


def by_hand_refuses(host, uid):
    scenes.is_suspended(host, uid)
    equal([code for code, _ in scenes.good(host, uid, 1)["replies"] if code >= 500], [550], "refusals")


def holds(host, command, uid):
    """What was ordered is so in the kernel, and in the file that mail servers go by."""
    in_force, name = command == "suspend", compare.account_name(uid)
    equal(bool(scenes.kernel_suspension(host, uid)), in_force, f"in force after {command}")
    wait_for(lambda: (name in listed(host)) == in_force, 10, f"the file after {command}")


def ordered(host, command, uid):
    """An order that cannot be saved is carried out, and the command says what it is worth."""
    done = host.cli(command, compare.account_name(uid))
    equal((done.returncode, len(done.stderr.splitlines())), (0, 1), f"{command}: {done}")
    true("it holds, but is not saved" in done.stderr, f"{command}: {done.stderr}")
    true(re.fullmatch(r"\S+ is suspended until \S+: by hand\n" if command == "suspend" else
                      r"\S+ may send again\n", done.stdout), f"{command}: {done.stdout}")
    holds(host, command, uid)


def ordered_without_a_daemon(host, command, uid, room=True):
    """Nobody tries on to save it: that is a failure, unless the daemon's end left room for it."""
    done = host.cli(command, compare.account_name(uid))
    if not room or done.returncode:
        equal((done.returncode, len(done.stderr.splitlines())), (1, 1), f"{command}: {done}")
        true("but that is not saved" in done.stderr, f"{command}: {done.stderr}")
    holds(host, command, uid)


def test_orders_on_a_full_disk():
    with with_small_disk() as (host, disk):
        equal(saving_problem(host), [], "problems at first")
        saving_fails(host, disk)
        ordered(host, "suspend", GAMES)
        by_hand_refuses(host, GAMES)
        ordered(host, "release", BOB)
        scenes.is_delivered(scenes.good(host, BOB, 1))
        wait_for(lambda: saving_problem(host), 10, "status to show it")
        true("problem: saves_failed is " in host.cli("status").stdout, "the text of status")
        host.kill()
        disk.fill()
        ordered_without_a_daemon(host, "release", GAMES)
        disk.fill()
        ordered_without_a_daemon(host, "suspend", GAMES)
        starts_and_refuses_not(host, BOB)
        by_hand_refuses(host, GAMES)
        disk.empty()
        wait_for(lambda: not scenes.suspension_saved(host, BOB), 10, "the row to be gone")
        wait_for(lambda: not saving_problem(host), 30, "the end of the problem")


def starts_and_refuses_not(host, uid):
    """A release that could not be saved outlives a restart of the daemon."""
    host.start()
    scenes.looked(host)
    scenes.is_not_suspended(host, uid)


class FailingDisk:
    """The state directory of a host on a real file system, which an error makes read-only."""

    def __init__(self, host):
        self.state = host.dir / "state"
        self.state.mkdir(mode=0o700)
        image = host.dir / "disk"
        with open(image, "wb") as out:
            out.truncate(8 << 20)
        sh("mkfs.ext4", "-q", image)
        sh("mount", "-o", "loop", image, self.state)
        host.cleanups.append(lambda: sh("umount", self.state))

    def fail(self):
        sh("mount", "-o", "remount,abort", self.state)


def test_orders_on_a_disk_that_fails():
    with Host() as host:
        disk = FailingDisk(host)
        host.start()
        scenes.suspend(host, BOB)
        wait_for(lambda: scenes.suspension_saved(host, BOB), 10, "the suspension to be saved")
        disk.fail()
        ordered(host, "suspend", GAMES)
        by_hand_refuses(host, GAMES)
        ordered(host, "release", BOB)
        scenes.is_delivered(scenes.good(host, BOB, 1))
        scenes.suspend(host, ALICE)
        wait_for(lambda: saving_problem(host), 10, "status to show it")
        host.kill()
        ordered_without_a_daemon(host, "release", GAMES, room=False)
        equal(host.cli("status", "games").returncode, 3, "exit of status")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
