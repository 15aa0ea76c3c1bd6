# SPDX-License-Identifier: GPL-2.0-only
"""A command that hangs, fails or floods and a webhook that fails hold up no other notice, what failed is tried
again, and a storm of 1,000 suspensions gives few digests."""
# SECONDS: 200
import contextlib
import json
import socket
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
from desk import Desk, lines, of  # noqa: E402
from host import Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

STORM, FIRST = 1000, 30001


@contextlib.contextmanager
def bare():
    """A host without a mail server."""
    with Host() as host:
        host.desk = Desk(host)
        host.write_conf({"notify": host.desk.settings()})
        host.start()
        yield host


def test_a_verdict_is_a_notice_with_its_figures(host):
    scenes.is_delivered(scenes.good(host, 20001, 3))
    scenes.bad(host, 20001, 7)
    scenes.is_suspended(host, 20001)
    notice = host.desk.comes("uid:20001", "suspended")
    equal((notice["by_hand"], notice["bad"] >= 5, notice["percent"] >= 50), (False, True, True), f"{notice}")


def test_observe_is_marked_as_simulated(host):
    host.write_conf({"limit": {"mode": "observe"}})
    host.daemon.send_signal(1)
    wait_for(lambda: "settings read again" in host.log(), 10, "the reload")
    scenes.bad(host, 20002, 8)
    notice = host.desk.comes("uid:20002", "suspended")
    equal(notice["simulated"], True, "simulated")
    host.write_conf({"limit": {"mode": "enforce"}})
    host.daemon.send_signal(1)


def test_a_webhook_that_fails_is_tried_again(host):
    (host.desk.dir / "broken").touch()
    equal(host.cli("suspend", "uid:20005").returncode, 0, "exit of suspend")
    wait_for(lambda: any(p["broken"] for p in lines(host.desk.posted)), 20, "a failure of the webhook")
    wait_for(lambda: 'by webhook: the reply is 500; it is tried again in 60 s' in host.log(), 10, "a line in the log")
    (host.desk.dir / "broken").unlink()


def running(word):
    """Command lines of processes that have this word."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
            found += [words] if word in words else []
    return found


def test_commands_that_hang_fail_or_flood(host):
    """Each is ended and named in the log; the webhook has all three meanwhile."""
    for uid in (20012, 20013, 20011):
        equal(host.cli("suspend", f"uid:{uid}").returncode, 0, "exit of suspend")
    wait_for(lambda: all(of(host.desk.hooked(), f"uid:{u}", "suspended") for u in (20011, 20012, 20013)), 15,
             "the webhook to have all")
    wait_for(lambda: 'failed with status 1, and said "no \\x1b[31mway"' in host.log(), 20, "the failure in the log")
    wait_for(lambda: len([f for f in lines(host.desk.ran) if f["input"]["account"] == "uid:20011"]) == 1, 20,
             "the command that hangs")
    equal(host.cli("suspend", "uid:20014").returncode, 0, "exit of suspend")
    host.desk.comes("uid:20014", "suspended", 50)
    equal(running(str(host.desk.ran)), [], "commands that go on")


def test_and_arrives_in_the_end(host):
    def arrived():
        return [p for p in lines(host.desk.posted)
                if not p["broken"] and json.loads(p["body"])["account"] == "uid:20005"]
    wait_for(arrived, 70, "the notice that failed at first")


def order_storm(host):
    """So many orders at once, as the command line gives them to the daemon (refuse/order_socket.h)."""
    for uid in range(FIRST, FIRST + STORM):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as order:
            order.connect(str(host.dir / "run" / "order"))
            order.send(struct.pack("=II128s?7xQ256s", 1, uid, b"", True, 600, b"a storm"))
            equal(struct.unpack_from("=ii", order.recv(4096)), (0, 0), f"answer for {uid}")


def test_a_storm_is_few_digests(host):
    """Orders come one by one: on a slow machine they outlast the time of one digest."""
    def digested(notices):
        return sum(n["count"] for n in notices if n["kind"] == "digest")

    host.stop()     # the next queue knows nothing of the notices before
    host.start()
    before, told = len(host.desk.hooked()), digested(host.desk.commanded())
    order_storm(host)
    wait_for(lambda: digested(host.desk.hooked()[before:]) == STORM, 250, "the digests")
    wait_for(lambda: digested(host.desk.commanded()) - told == STORM, 20, "the command's")
    new = host.desk.hooked()[before:]
    equal([(n["kind"], list(n["kinds"])) for n in new], [("digest", ["suspended"])] * len(new), "notices")
    true(len(new) <= 4, f"{len(new)} digests")
    losses = {k: v for k, v in host.status()["losses"].items() if v and k.startswith("notices")}
    equal(losses, {}, "losses")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), bare())
