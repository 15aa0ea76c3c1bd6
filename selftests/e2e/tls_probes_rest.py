# SPDX-License-Identifier: GPL-2.0-only
"""Probes that are of no use any more go within a minute or two: those in a process that has once sent a
mail and lives on, and those in a library that other programs have come to map. Those of a session that
is open and silent stay."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import probe_scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from probe_scenes import MAP, PLAIN, Held, pins, probed, tls_files, tls_pid, whole_pins  # noqa: E402
from system import wait_for  # noqa: E402

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
    probe_scenes.many(host, where)
    true(whole_pins(host), "no file is probed as a whole")
    worker, silent = Held(host, text=WORKER).held(), Held(host, "silent", text=WORKER).held()
    sharer = Held(host, "tls", library=where).held()
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


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), probe_scenes.fixture("multi"))
