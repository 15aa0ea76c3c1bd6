# SPDX-License-Identifier: GPL-2.0-only
"""When Postfix writes its log in a way that is not understood, the wire is charged, and the log, status
and check say so; the log counts again when it is understood. No mail is counted twice or not at all, and
no recipient's address makes the log one that is not understood."""
# SECONDS: 40
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
import scenes  # noqa: E402
import tally  # noqa: E402
from host import PYTHON  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE  # noqa: E402
from system import wait_for  # noqa: E402

SIGHT = 20      # lines, maillog_sight.h
# A Postfix of a later version: what this one logs, with other words while a file is there.
LATER = """
import os, sys, time
source, target, flag = sys.argv[1:]
with open(source, "rb") as log, open(target, "ab", buffering=0) as out:
    line = b""
    while True:
        line += log.readline()
        if not line.endswith(b"\\n"):
            time.sleep(0.02)
            continue
        if os.path.exists(flag):
            line = line.replace(b", status=", b", outcome=")
        out.write(line)
        line = b""
"""

_sent = {"delivered": 0, "failed": 0}


def sends(server, good, bad):
    """And waits until Postfix is done with them."""
    rcpts = scenes.fresh(count=good) + scenes.fresh("r550.5.1.1", bad)
    equal(server.sendmail(ALICE, "alice@alice.test", rcpts).returncode, 0, "exit of sendmail")
    server.wait_queue_empty()
    _sent["delivered"] += good
    _sent["failed"] += bad


def counted(server):
    scenes.window_is(server.host, "alice", **_sent, timeout=20)
    scenes.total_is(server.host, "alice", **_sent)


def feed(server):
    return server.host.status()["feeds"][0]


def check_of_feed(server):
    """Its lines about what servers report."""
    rows = json.loads(server.host.cli("-j", "check").stdout)["requirements"]
    return [row["why"] for row in rows if row["name"] == "reports of postfix"]


def test_addresses_do_not_blind(server):
    """Recipients whose addresses look like Postfix's words, without their end."""
    for start in range(0, SIGHT + 4, 4):
        rcpts = [f'"{n}>, relay=x, status=odd (no"@far.test' for n in range(start, start + 4)]
        equal(server.sendmail(ALICE, "alice@alice.test", rcpts).returncode, 0, "exit of sendmail")
        _sent["delivered"] += 4
    server.wait_queue_empty()
    counted(server)
    equal(feed(server)["running"], True, "the feed runs")
    equal(server.host.status()["losses"]["maillog_unread"], 0, "lines that were not understood")


def test_blind_and_back(server):
    sends(server, 2, 2)
    counted(server)
    equal(check_of_feed(server), [], "check before")
    server.flag.touch()
    sends(server, 10, SIGHT)
    wait_for(lambda: feed(server)["stopped"] == "blind", 20, "the feed to be stopped")
    counted(server)
    said = "Postfix's log is read but not understood"
    equal(server.host.log().count(said), 1, "times that the log says so")
    true(", outcome=" in server.host.log(), "the log has no example")
    true("STOPPED" in server.host.cli("status").stdout, "status does not say STOPPED")
    true(any("not understood" in line for line in server.host.status()["problems"]), "no problem")
    true("not understood" in check_of_feed(server)[0], "check does not say so")
    sends(server, 3, 2)         # charged from the wire, at once
    counted(server)
    server.flag.unlink()
    sends(server, 5, SIGHT)
    wait_for(lambda: feed(server)["running"], 20, "the feed to run again")
    sends(server, 2, 2)
    counted(server)
    equal(feed(server)["stopped"], None, "why it is stopped")
    equal(check_of_feed(server), [], "check afterwards")
    true("Postfix's log is understood again" in server.host.log(), "the log does not say so")


def prepare(server):
    tree = server.tree
    tree.write("var/log/later.log", "")
    server.flag = tree.path("var/log/later")
    server.host.write_conf({"feed": {"postfix": tree.path("var/log/later.log")}})
    tree.popen([PYTHON, "-c", LATER, "/var/log/mail.log", "/var/log/later.log", "/var/log/later"])


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), mta.hooked(
        mta.Postfix, {"far.test": ["198.51.100.1"]}, {"limit": {"min_failures": 1000000, **tally.ALONE}},
        prepare=prepare))
