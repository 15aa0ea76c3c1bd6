# SPDX-License-Identifier: GPL-2.0-only
"""status tells by its exit code whether anybody is judged, also after the run directory was edited,
and reads the file of users once for 5,000 accounts."""
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
import system  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

ACCOUNTS, FIRST = 5000, 50001
GAMES = 5


def status(host, code, *arguments):
    done = host.cli(*arguments, "status")
    equal((done.returncode, done.stderr), (code, ""), f"exit and stderr of status {arguments}")
    return done.stdout


def test_exit_codes():
    """0 while a daemon judges; 3 when it is stopped, dead or stuck, and when nothing is loaded."""
    with running() as host:
        true("daemon: running" in status(host, 0), "running")
        host.daemon.send_signal(signal.SIGSTOP)
        wait_for(lambda: host.cli("status").returncode == 3, 20, "status to find it stuck")
        true("is stuck" in status(host, 3), "stuck")
        status(host, 3, "-j")
        host.daemon.send_signal(signal.SIGCONT)
        wait_for(lambda: host.cli("status").returncode == 0, 20, "status to find it well again")
        host.kill()
        true("daemon: dead since" in status(host, 3), "dead")
        host.start()
        status(host, 0)
        host.stop()
        true("daemon: stopped" in status(host, 3), "stopped")
        equal(host.cli("unload").returncode, 0, "exit of unload")
        true("smtplimit is not loaded" in status(host, 3), "not loaded")


def test_run_directory_edited():
    """The daemon lives on where it was started: it is neither called dead nor worked around."""
    with running() as host:
        good, pid = host.conf.read_text(encoding="ascii"), host.daemon.pid
        run = host.dir / "run"
        host.conf.write_text(good.replace(f"run = {run}\n", f"run = {host.dir}/other\n"), encoding="ascii")
        text = status(host, 0)
        where = f'the running daemon (pid {pid}) uses another run directory, "{run}"'
        true(f"problem: {where}" in text and f"daemon: running, pid {pid}" in text, text)
        for command in (["suspend", "games"], ["release", "games"], ["unload"]):
            done = host.cli(*command)
            equal((done.returncode, done.stdout), (1, ""), f"{command}: {done}")
            true(where in done.stderr and "restart it" in done.stderr, f"{command}: {done}")
        scenes.is_not_suspended(host, GAMES)
        true(not (host.dir / "other").exists(), "another run directory was made")
        host.kill()
        true("daemon: dead since" in status(host, 3), "after its end")
        host.conf.write_text(good, encoding="ascii")


def many_users(host):
    """A file of users of the test's own, and a count for each of them."""
    users = host.dir / "passwd"
    lines = [f"cust{uid}:x:{uid}:{uid}::/:/bin/false" for uid in range(FIRST, FIRST + ACCOUNTS)]
    users.write_text(Path("/etc/passwd").read_text(encoding="utf-8") + "\n".join(lines) + "\n",
                     encoding="utf-8")
    system.mount(str(users), "/etc/passwd", None, system.MS_BIND)
    host.cleanups.append(lambda: system.umount("/etc/passwd"))
    with scenes.database(host, write=True) as db:
        db.execute("BEGIN")
        db.executemany("INSERT INTO counts SELECT ?, 'shop.test', '', 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0",
                       [(uid,) for uid in range(FIRST, FIRST + ACCOUNTS)])
        db.execute("COMMIT")


def test_users_are_read_once():
    """strace(1) counts."""
    with running() as host:
        host.stop()
        equal(host.cli("unload").returncode, 0, "exit of unload")
        many_users(host)
        trace = host.dir / "trace"
        done = host.run_as(0, ["strace", "-f", "-e", "trace=openat", "-o", trace, host.binary, "-c",
                               host.conf, "status", "--all"], cgroup=False)
        equal((done.returncode, done.stderr), (3, ""), "exit of status, with nothing loaded")
        equal(len(re.findall(r"^cust\d+ ", done.stdout, re.M)), ACCOUNTS, "rows")
        opened = re.findall(r'"/etc/passwd"', trace.read_text(encoding="utf-8"))
        true(1 <= len(opened) <= 60, f"/etc/passwd was opened {len(opened)} times")
        print(f"# {ACCOUNTS} accounts: /etc/passwd opened {len(opened)} times", flush=True)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
