# SPDX-License-Identifier: GPL-2.0-only
"""A daemon that starts judges nobody by mail from before the end of a suspension, nor by mail that
was judged already, however the last daemon ended. That holds at whatever point a start failed."""
# SECONDS: 150
import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

ALICE, GAMES = 20001, 5
SHORT = {"limit": {"suspend": "10s"}}
PATIENT = {"limit": {"min_failures": 1000, **compare.tally.ALONE}}
RELEASES = 6

# A start goes on without its first children, which guard a trial of probes on TLS libraries and put such probes.
# It ends at its third, or at its fourth, which is made when everything is restored.
FAILING = ("error=EAGAIN:when=3", "signal=KILL:when=3", "signal=KILL:when=4")


def tampered(host, call, how, **more):
    """Start the daemon with something done to one of its system calls."""
    host.start(wrapper=[clients.need("strace"), "-D", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                        "-e", f"inject={call}:{how}"], **more)


def fail_to_start(host, how):
    tampered(host, "clone", how, wait=False)
    true(host.daemon.wait(30) != 0, f"a start went well with {how}")
    true("ready" not in host.log(), f"ready with {how}: {host.log()}")


def unload(host):
    """As a reboot: nothing is left in the kernel."""
    done = host.cli("unload")
    equal((done.returncode, done.stderr), (0, ""), "unload")


def suspended_and_saved(host):
    scenes.suspend(host, ALICE)
    wait_for(lambda: scenes.suspension_saved(host, ALICE), 10, "the suspension to be saved")


def suspension_over(host):
    wait_for(lambda: not scenes.kernel_suspension(host, ALICE), 30, "the suspension to be over")


def begins_anew(host):
    """The window is empty, and it takes five failures to be suspended."""
    scenes.looked(host)
    scenes.is_not_suspended(host, ALICE)
    scenes.window_is(host, ALICE)
    scenes.bad(host, ALICE, 4)
    scenes.window_is(host, ALICE, failed=4)
    scenes.looked(host)
    scenes.is_not_suspended(host, ALICE)
    scenes.suspend(host, ALICE, 1)


def test_suspension_that_ended_while_nobody_ran():
    with running(SHORT) as host:
        suspended_and_saved(host)
        host.kill()
        suspension_over(host)
        host.start()
        begins_anew(host)
        scenes.total_is(host, ALICE, failed=10)


def test_suspension_that_ended_before_a_reboot():
    with running(SHORT) as host:
        suspended_and_saved(host)
        host.kill()
        suspension_over(host)
        unload(host)
        host.start()
        begins_anew(host)
        scenes.total_is(host, ALICE, failed=10)


def test_end_of_a_suspension_that_was_not_saved():
    """The daemon cleared the kernel's entry and died before the database had a word of it."""
    with running(SHORT) as host:
        suspended_and_saved(host)
        with scenes.database(host, write=True) as db:
            db.execute("BEGIN IMMEDIATE")
            wait_for(lambda: ALICE not in host.map("smtpl_uids"), 30, "the entry to be cleared")
            host.kill()
        true(scenes.suspension_saved(host, ALICE), "the end was saved: nothing is tested here")
        host.start()
        begins_anew(host)


def test_lost_database_and_a_start_that_fails():
    with running(PATIENT) as host:
        scenes.mail(host, ALICE, ["r550"] * 6 + [""])
        scenes.window_is(host, ALICE, delivered=1, failed=6)
        host.stop()
        host.write_conf({"limit": {"min_failures": 5}})
        for how in FAILING:
            shutil.rmtree(host.dir / "state")
            fail_to_start(host, how)
            host.start()
            scenes.looked(host)
            scenes.is_not_suspended(host, ALICE)
            scenes.window_is(host, ALICE)
            scenes.mail(host, ALICE, ["r550", "r451", ""])
            scenes.window_is(host, ALICE, delivered=1, deferred=1, failed=1)
            compare.map_equals(host, host.tally())
            compare.status_equals(host, host.tally(), window=False)
            host.stop()


def kernel_ahead(host):
    """Three failures are in the saved totals and not in the window: the daemon died between."""
    with scenes.database(host, write=True) as db:
        db.execute("UPDATE counts SET failed = failed + 3 WHERE domain = 'one.test'")
        equal(db.execute("SELECT changes()").fetchone(), (1,), "rows changed")


def window_stays(host, failed):
    """The first start and those after it show the same."""
    for _ in range(2):
        host.start()
        scenes.looked(host)
        scenes.window_is(host, ALICE, delivered=1, failed=4)
        scenes.total_is(host, ALICE, delivered=1, failed=failed)
        host.stop()


def test_saved_totals_ahead_of_the_window():
    with running(PATIENT) as host:
        scenes.mail(host, ALICE, ["r550"] * 4 + [""])
        scenes.window_is(host, ALICE, delivered=1, failed=4)
        host.stop()
        failed = 4
        for how in (None, *FAILING):
            unload(host)
            kernel_ahead(host)
            failed += 3
            if how:
                fail_to_start(host, how)
            window_stays(host, failed)


def release_in_the_middle(host):
    """Killed when the kernel lets the account through, and who gave the order, too."""
    child = host.popen_as(0, [host.binary, "-c", host.conf, "release", f"uid:{ALICE}"], cgroup=False,
                          stdout=subprocess.DEVNULL)
    wait_for(lambda: not scenes.kernel_suspension(host, ALICE), 10, "the release")
    host.kill()
    child.kill()
    child.wait()


def release_to_the_end(host):
    done = host.cli("release", f"uid:{ALICE}")
    host.kill()
    equal((done.returncode, done.stderr), (0, ""), "release")


def test_killed_behind_a_release():
    with running() as host:
        suspended_and_saved(host)
        for n in range(RELEASES):
            (release_in_the_middle if n % 3 == 2 else release_to_the_end)(host)
            host.start()
            begins_anew(host)
            wait_for(lambda: scenes.suspension_saved(host, ALICE), 10, "the suspension to be saved")


def holds_the_lock(host):
    """Does the daemon that was started last hold the lock?"""
    # struct flock of a 64-bit host: l_type, l_whence, l_start, l_len, l_pid
    form = "hhqqi4x"
    with contextlib.suppress(FileNotFoundError), open(host.dir / "run" / "lock", "rb") as lock:
        asked = struct.pack(form, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(form, fcntl.fcntl(lock, fcntl.F_GETLK, asked))
        return answer[0] == fcntl.F_WRLCK and answer[-1] == host.daemon.pid
    return False


def test_order_while_the_daemon_starts():
    """Whoever finds the lock held waits until the daemon that has just begun takes orders."""
    with running() as host:
        host.stop()
        # The first thing that is done with the lock: writing the pid into its file.
        tampered(host, "ftruncate", "delay_exit=5000000:when=1", wait=False)
        wait_for(lambda: holds_the_lock(host), 10, "the lock to be taken")
        true(not host.log(), f"started already: {host.log()}")
        done = host.cli("suspend", "games", "--for", "1h")
        equal((done.returncode, done.stderr), (0, ""), "suspend")
        equal(host.daemon.poll(), None, "exit status of the daemon")
        host.wait_ready()
        scenes.is_suspended(host, GAMES)


def test_own_domain_of_the_text():
    """The null sender has no domain: the text names the account's own. Only the suspension has it
    when nothing is in the window."""
    with running() as host:
        scenes.suspend(host, ALICE, sender="user@own.test")
        equal(host.cli("release", f"uid:{ALICE}").returncode, 0, "exit of release")
        equal(host.cli("suspend", f"uid:{ALICE}", "--for", "1h").returncode, 0, "exit of suspend")
        account = scenes.is_suspended(host, ALICE)
        text = scenes.refusal(account, "own.test", 0, 5, 0)
        scenes.is_refused(scenes.mail(host, ALICE, [""], sender=""), text)
        for prepare in (host.kill, host.stop, lambda: (host.stop(), unload(host))):
            wait_for(lambda: scenes.suspension_saved(host, ALICE), 10, "the suspension to be saved")
            equal(scenes.saved(host, "SELECT * FROM windows WHERE uid = ?", ALICE), [], "saved window")
            prepare()
            host.start()
            scenes.is_refused(scenes.mail(host, ALICE, [""], sender=""), text)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
