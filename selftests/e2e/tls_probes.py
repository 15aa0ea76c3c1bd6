# SPDX-License-Identifier: GPL-2.0-only
"""Probes on TLS libraries come with a session and go with its process, whatever becomes of the
library or of the daemon. They are put into the library itself where that is wanted, or by itself
where many short processes send and nobody else maps it."""
# SECONDS: 120
import contextlib
import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import probe_scenes  # noqa: E402
import system  # noqa: E402
from host import LIB, PYTHON  # noqa: E402
from ktap import equal, true  # noqa: E402
from probe_scenes import Held, is_idle, many, pins, probed, tls_files, tls_pid, told  # noqa: E402
from probe_scenes import whole_pins  # noqa: E402
from system import wait_for  # noqa: E402

_numbers = itertools.count()


def test_file_of_many_senders_alone(host):
    """A restart keeps it, wherever it lies, while it is mapped and unchanged."""
    where = probe_scenes.private_library(host)
    with Held(host, "tls", library=where):
        many(host, where)
        file, = wait_for(lambda: [f for f in tls_files(host, where / "libssl.so.3") if f["whole"]], 5,
                         "the file to be probed as a whole")
        equal(file["error"], 0, "error")
        with Held(host, "tls", library=where) as client:
            probed(host, client.pid)
            equal(pins(host, client.pid), [], "pins of the process")
            equal(tls_pid(host, client.pid)["files"], 1, "its files")
        before = whole_pins(host)
        equal(len(before), 1, "pins of whole files")
        wait_for(lambda: pins(host) == before, 10, "the pins of processes to be out")
        for stop in host.stop, host.kill:
            stop()
            host.start()
            wait_for(lambda: told(host)["processes"] == 1, 10, "the process to be taken over")
            equal(pins(host), before, "pins")
    host.stop()
    with open(where / "libssl.so.3", "ab") as text:
        text.write(b"x")
    host.start()
    equal(pins(host), [], "pins when it is another file by now")


def test_file_that_others_map(host):
    where = probe_scenes.private_library(host)
    with Held(host, text=probe_scenes.MAP, uid=25001, library=where):
        many(host, where)
        is_idle(host)
        equal([f["whole"] for f in tls_files(host, where / "libssl.so.3")], [0], "the file")


def test_library_for_all(host):
    libraries = probe_scenes.hide_libraries(host)
    host.stop()
    host.write_conf({"watch": {"tls": "library"}})
    host.start()
    told(host)
    files = {Path(probe_scenes.path_of(f)).resolve(): f["whole"] for f in
             host.map("smtpl_tls_files").values()}
    equal(set(files.values()), {1}, f"whole, of {files}")
    true(set(files) <= libraries and probe_scenes.library_of() in files, f"{files} of {libraries}")
    equal(len(whole_pins(host)), len(files), "pins")
    with Held(host, "tls") as client:
        probed(host, client.pid)
        equal(pins(host), whole_pins(host), "pins")


def test_library_that_comes_later(host):
    before = whole_pins(host)
    where = probe_scenes.private_library(host)
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
        equal(len(whole_pins(host)), len(before) + 1, "pins of whole files")
        equal(pins(host, client.pid), [], "pins of the process")


@contextlib.contextmanager
def silent_mount(at):
    """A user's file system, into which he lets everybody, and where no look-up ends."""
    with subprocess.Popen([PYTHON, LIB / "fuse_server.py", at, "25001", "60", "allow_other"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        try:
            equal(server.stdout.readline(), "mounted\n", "what the FUSE server says")
            os.kill(server.pid, signal.SIGSTOP)
            yield
        finally:
            server.kill()
            server.wait()
            system.umount(str(at))


def test_restart_when_a_user_answers_for_the_path(host):
    """He is not asked: the library is found where it is mapped."""
    where = probe_scenes.private_library(host)
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
        before = pins(host)
        with silent_mount(where):
            host.stop()
            host.start()
            wait_for(lambda: told(host)["processes"] == 1, 10, "the process to be taken over")
            true(set(pins(host)) <= set(before), f"pins: {pins(host)}, and before {before}")
            equal(tls_pid(host, client.pid)["files"], 1, "its files")


def test_library_that_is_linked_again(host):
    """Its times differ, and still it is one file: two probes in a place would tell of each call twice."""
    where = probe_scenes.private_library(host)
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
        before = whole_pins(host)
        os.link(where / "libssl.so.3", where / "other")
        with Held(host, "tls", library=where) as second:
            probed(host, second.pid)
            after = whole_pins(host)
            equal(len(after), len(before), "pins of whole files")
            true(after != before, "the probes are those of the file as it was")
            equal(pins(host), after, "pins")


def test_library_that_is_written_over(host):
    """Not replaced: new processes get what is in it now, and the old places would crash them."""
    where = probe_scenes.private_library(host)
    before = whole_pins(host)
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
    true(len(whole_pins(host)) > len(before), "the library is not probed")
    with open(where / "libssl.so.3", "ab") as file:
        file.write(b"x")
    wait_for(lambda: whole_pins(host) == before, 5, "its probes to be out")
    with Held(host, "tls", library=where) as client:
        probed(host, client.pid)
        equal(len(whole_pins(host)), len(before) + 1, "pins of whole files")


def test_library_of_a_customer(host):
    """Only where root alone can write may one process's file be everybody's."""
    where = probe_scenes.private_library(host)
    before = whole_pins(host)
    os.chown(where / "libssl.so.3", 26001, 26001)
    with Held(host, "tls", uid=26001, library=where) as client:
        probed(host, client.pid)
        equal(len(pins(host, client.pid)), 1, "pins of the process")
        equal(whole_pins(host), before, "pins of whole files")
    wait_for(lambda: pins(host) == whole_pins(host), 10, "the process's to be out")


def test_restart_of_library_mode(host):
    """What is attached stays; of what is not mapped that is not promised."""
    before = whole_pins(host)
    host.kill()
    equal(whole_pins(host), before, "pins after a kill")
    host.start()
    true(whole_pins(host) and set(whole_pins(host)) <= set(before), "pins after a restart")
    with Held(host, "tls") as client:
        probed(host, client.pid)
        equal(pins(host), whole_pins(host), "pins of a session")
        host.kill()
        host.start()
        probed(host, client.pid)
        equal(pins(host), whole_pins(host), "pins of a session that was there before")
    host.stop()
    host.write_conf({"watch": {"tls": "process"}})


def test_kernel_that_takes_no_probes(host):
    """Sessions in TLS are opaque, as they are without any of this; the rest goes on."""
    host.stop()
    os.environ["SMTPLIMIT_TLS_WAY"] = "none"
    host.start()
    os.environ["SMTPLIMIT_TLS_WAY"] = "multi"
    true("sessions in TLS are opaque: the kernel takes no probes: uprobe_multi: " in host.log(),
         host.log())
    equal((pins(host), probe_scenes.hooks(host)), ([], []), "what is left of the probes")
    with Held(host, "tls") as client:
        equal(pins(host), [], "pins")
    wait_for(lambda: host.counts()[client.uid, ""]["opaque"] == 1, 10, "an opaque session")


if __name__ == "__main__":
    ktap.main(ktap.tests(vars(probe_scenes)) + ktap.tests(globals()), probe_scenes.fixture("multi"))
