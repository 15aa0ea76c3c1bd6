# SPDX-License-Identifier: GPL-2.0-only
"""The Host that other tests run on puts every process where it belongs and leaves nothing behind,
even when a test is killed. Needs no smtplimit."""
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
import system  # noqa: E402
import tally  # noqa: E402
from host import LIB, PYTHON, Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import proc_text, wait_for  # noqa: E402

UID = 20001

HOLD = """
import sys
sys.path.insert(0, sys.argv[1])
from host import Host
with Host() as host:
    child = host.popen_as(20001, ["sleep", "1000"])
    print(host.cgroup, host.dir, child.pid, host.server.pid, flush=True)
    child.wait()
"""


def test_a_child_is_who_and_where_it_should_be():
    with Host() as host:
        done = host.run_as(UID, ["sh", "-c", "id -u; id -G; grep ^0:: /proc/self/cgroup; ip -br addr"])
        uid, gids, cgroup, *links = done.stdout.splitlines()
        equal((uid, gids), (str(UID), str(UID)), "uid and groups")
        true(cgroup.endswith("/" + host.name), f"cgroup: {cgroup}")
        equal(len(links), 2, f"links of the namespace: {links}")


def test_both_addresses_of_the_remote_and_all_behind_it():
    with Host() as host:
        for to in ("203.0.113.1", "2001:db8::1", "198.51.100.200", "2001:db8:1::1:25"):
            scenes.is_delivered(scenes.good(host, UID, 1, to=to))
        equal(scenes.good(host, UID, 1, port=26)["error"], 111, "errno on a port without server")
        equal(host.tally().total(UID)["delivered"], 4, "delivered")


def alive(pid):
    state = proc_text(f"{pid}/stat").rpartition(")")[2].split()[:1]
    return state not in ([], ["Z"])


def test_nothing_stays_behind():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        child = subprocess.Popen([PYTHON, "-c", HOLD, LIB], stdout=subprocess.PIPE, text=True,
                                 stderr=subprocess.DEVNULL)
        cgroup, directory, *pids = child.stdout.readline().split()
        true(os.path.isdir(cgroup) and os.path.isdir(directory), "the host was not made")
        child.send_signal(number if number == signal.SIGKILL else signal.SIGINT)
        child.wait(20)
        wait_for(lambda: not any(alive(p) for p in pids), 10, f"{pids} to be gone")
        if number != signal.SIGKILL:
            true(not os.path.exists(cgroup) and not os.path.exists(directory), "left behind")
    with Host():
        true(not os.path.exists(cgroup) and not os.path.exists(directory), "left by the killed one")


def test_nothing_is_seen_outside():
    with Host() as host:
        outside = subprocess.run(["cat", "/proc/1/mountinfo"], capture_output=True, text=True,
                                 check=True).stdout
        true(str(host.bpffs) not in outside, "the bpffs is mounted for everybody")
        true("/run/netns" not in outside, "the namespaces are named for everybody")
    equal(list(Path(tempfile.gettempdir()).glob(f"smtplimit-test-{os.getpid()}-*")), [], "directories")
    root = Path(system.cgroup2_mount())
    equal(list(root.glob(f"smtplimit-test-{os.getpid()}")), [], "cgroups")


def test_a_difference_is_found():
    class Fake:
        """A host whose map is given."""
        def __init__(self, cells):
            self.cells = cells

        def counts(self):
            return self.cells

    want = tally.Tally()
    want.bump(UID, "one.test", "failed", 2)
    row = dict.fromkeys(compare.FIELDS, 0)
    compare.map_equals(Fake({(UID, "one.test"): {**row, "failed": 2}, (UID, ""): row}), want)
    for wrong in ({(UID, "one.test"): {**row, "failed": 1}}, {(UID, "two.test"): {**row, "failed": 2}},
                  {(UID, "one.test"): {**row, "failed": 2, "unknown": 1}}, {}):
        try:
            compare.map_equals(Fake(wrong), want, timeout=0.05)
        except AssertionError:
            continue
        raise AssertionError(f"taken for equal: {wrong}")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
