# SPDX-License-Identifier: GPL-2.0-only
"""Probes that are of no use any more are removed within a minute or two, and those of a session
that is open and silent stay. Of no use are those in a process that has once sent a mail and lives
on, and those in a library that other programs have come to map. A prober that could not be started
again is tried again as slowly."""
# SECONDS: 150
import os
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import probe_scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from probe_scenes import MAP, PLAIN, Held, pins, probed, tls_files, tls_pid, whole_pins  # noqa: E402
from system import children, wait_for  # noqa: E402

# Waits for its probes, sends, lives on, and sends again when told to.
WORKER = """
import smtplib, ssl, sys
for _ in range(2):
    smtp = smtplib.SMTP(sys.argv[1], 25, local_hostname="u.test", timeout=20)
    print("held", flush=True)
    sys.stdin.readline()
    smtp.starttls(context=ssl._create_unverified_context())
    smtp.ehlo()
    if "silent" in sys.argv:
        print("held", flush=True)
        sys.stdin.readline()
    smtp.quit()
    print("held", flush=True)
    sys.stdin.readline()
"""


def go_on(client):
    client.child.stdin.write("\n")
    client.child.stdin.flush()
    return client.held()


def test_after_a_minute(host):
    where = probe_scenes.private_library(host)
    with Held(host, "tls", library=where):
        probe_scenes.many(host, where)
        wait_for(lambda: whole_pins(host), 10, "a file to be probed as a whole")
        sharer = Held(host, "tls", library=where).held()
    worker, silent = Held(host, text=WORKER).held(), Held(host, "silent", text=WORKER).held()
    with Held(host, text=MAP, library=where), Held(host, text=PLAIN) as plain:
        wait_for(lambda: tls_pid(host, plain.pid), 10, "the one without TLS to be known")
        for client in (worker, silent, sharer):
            probed(host, client.pid)
        go_on(worker)
        go_on(silent)
        equal(pins(host, sharer.pid), [], "pins of one whose library is probed as a whole")
        wait_for(lambda: not whole_pins(host), 150, "the library to be left alone")
        wait_for(lambda: pins(host, sharer.pid), 10, "probes for the process instead")
        equal([f["whole"] for f in tls_files(host, where / "libssl.so.3")], [0], "whole")
        wait_for(lambda: not pins(host, worker.pid), 150, "the worker to be left alone")
        equal(tls_pid(host, worker.pid), None, "the worker's entry")
        wait_for(lambda: not tls_pid(host, plain.pid), 30, "the one without TLS to be forgotten")
        true(pins(host, silent.pid), "no pins of the silent session")
    go_on(worker)
    probed(host, worker.pid)
    for client in (worker, silent, sharer):
        client.child.kill()
    probe_scenes.is_idle(host)


def test_prober_that_cannot_be_started(host):
    """It is tried again after a minute."""
    prober = probe_scenes.tls_state(host)["pid"]
    keeper, = children(host.daemon.pid, "smtpl-supervise")
    before = resource.prlimit(keeper, resource.RLIMIT_NOFILE)
    resource.prlimit(keeper, resource.RLIMIT_NOFILE, (3, before[1]))
    os.kill(prober, 9)
    wait_for(lambda: "cannot be started again: Too many open files; tried again in 60 s" in host.log(), 10,
             "the first try")
    resource.prlimit(keeper, resource.RLIMIT_NOFILE, before)
    probe_scenes.another_prober(host, prober, 80)
    with Held(host, "tls") as client:
        probed(host, client.pid)
    probe_scenes.is_idle(host)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), probe_scenes.fixture("multi"))
