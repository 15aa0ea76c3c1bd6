# SPDX-License-Identifier: GPL-2.0-only
"""`smtplimit history` has every suspension after its end, and each that was only observed, whoever
ended it and whatever was killed in between. The journal has their events with fields."""
# SECONDS: 70
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
import system  # noqa: E402
from host import Host, sh  # noqa: E402
from ktap import Skip, equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

ALICE, BOB, GAMES = 20001, 20002, 5
JOURNALD = "/lib/systemd/systemd-journald"
SUSPENDED, WOULD_SUSPEND = "9b1f7ba84d8e478e9c2cb19900b7b8b2", "ad9c012ac1f84f3f88d72a6fd9f82936"
RELEASED, IS_OVER = "bef037ff91d04256888b2242db55ace6", "06e221dd023e46918402476b9eaba6e0"
# What systemd does for a unit whose stderr is the journal, then what is behind it on the command line.
INTO_JOURNAL = """
import os, socket, sys
stream = socket.socket(socket.AF_UNIX)
stream.connect("/run/systemd/journal/stdout")
stream.sendall(b"smtplimit\\n\\n6\\n1\\n0\\n0\\n0\\n")
os.dup2(stream.fileno(), 2)
at = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{at.st_dev}:{at.st_ino}"
os.execvp(sys.argv[1], sys.argv[1:])
"""
SHORT = {"limit": {"suspend": "10s"}}
BY_RULE = {"by_hand": False, "bad": 5, "min": 5, "percent": 100, "domain": "one.test",
           "reason": "deferred and failed mails 5/5 (100%)"}
OVER = {"end": "over", "told": False, "observed": False, **BY_RULE}


def history(host, *arguments):
    done = host.cli("-j", "history", *arguments)
    equal((done.returncode, done.stderr), (0, ""), "history")
    return json.loads(done.stdout)["history"]


def name(uid):
    return compare.account_name(uid)


def rows_are(host, uid, *wanted):
    """The newest first. Each is compared in every field but the times; those are returned."""
    rows = history(host, name(uid))
    times = [{k: row.pop(k) for k in ("since", "until", "ended")} for row in rows]
    equal(rows, [{"account": name(uid), **want} for want in wanted], f"history of {name(uid)}")
    return [{k: v and scenes.iso(v) for k, v in row.items()} for row in times]


def saved(host, uid):
    return wait_for(lambda: scenes.suspension_saved(host, uid), 10, "the suspension to be saved")


def order(host, *arguments):
    done = host.cli(*arguments)
    equal((done.returncode, done.stderr), (0, ""), " ".join(arguments))


def test_over_by_itself():
    with running(SHORT) as host:
        account = scenes.suspend(host, ALICE)
        saved(host, ALICE)
        times = rows_are(host, ALICE, {**OVER, "end": "running"})[0]
        equal(times["since"], scenes.iso(account["since"]), "since")
        equal(times["until"], scenes.iso(account["until"]), "until")
        equal(times["ended"], None, "end of one that runs")
        wait_for(lambda: not scenes.suspension_saved(host, ALICE), 30, "the end to be saved")
        equal(rows_are(host, ALICE, OVER), [{**times, "ended": times["until"]}], "times")
        true(f"{name(ALICE)} may send again: the suspension is over" in host.log(), host.log())


def test_released_and_replaced_by_hand():
    with running() as host:
        scenes.suspend(host, ALICE)
        order(host, "release", name(ALICE))
        order(host, "suspend", name(ALICE), "--for", "12h", "--reason", "stolen password")
        order(host, "suspend", name(ALICE), "--for", "2h")
        order(host, "release", name(ALICE))
        by_hand = {"observed": False, "told": False, "by_hand": True, "bad": 0, "min": 5, "percent": 0, "domain": "one.test"}
        times = rows_are(host, ALICE, {**by_hand, "end": "released", "reason": "by hand"},
                         {**by_hand, "end": "replaced", "reason": "stolen password"},
                         {**OVER, "end": "released"})
        equal([t["until"] - t["since"] for t in times], [7200, 43200, 3600], "lengths as planned")
        true(all(0 <= t["ended"] - t["since"] < 60 for t in times), f"ended at once: {times}")
        equal(times[1]["ended"], times[0]["since"], "one ends where the next begins")
        text = host.cli("history", name(ALICE)).stdout.splitlines()
        equal(len(text), 4, f"lines of {text}")
        true("for 12 h, replaced after " in text[2] and text[2].endswith(": stolen password"), text[2])
        true("for 60 min, released after " in text[3] and text[3].endswith(": 5/5 (100%)"), text[3])


def test_observed():
    with running({"limit": {"mode": "observe", "suspend": "10s"}}) as host:
        scenes.bad(host, ALICE, 5)
        wait_for(lambda: history(host), 10, "the row")
        rows_are(host, ALICE, {**OVER, "end": "running", "observed": True})
        equal(scenes.suspension_saved(host, ALICE), None, "a suspension that is none")
        true(f"would suspend {name(ALICE)} until " in host.log(), host.log())
        wait_for(lambda: history(host)[-1]["end"] == "over", 30, "its end")
        times = rows_are(host, ALICE, {**OVER, "observed": True})[0]
        equal((times["until"] - times["since"], times["ended"]), (10, times["until"]), "times")


def test_killed_in_between():
    """The daemon is killed in a suspension, which ends before the next start, and in another, which
    is released without a daemon."""
    with running(SHORT) as host:
        scenes.suspend(host, ALICE)
        saved(host, ALICE)
        host.kill()
        rows_are(host, ALICE, {**OVER, "end": "running"})
        wait_for(lambda: not scenes.kernel_suspension(host, ALICE), 30, "the end")
        host.start()
        wait_for(lambda: not scenes.suspension_saved(host, ALICE), 10, "the end to be saved")
        times = rows_are(host, ALICE, OVER)[0]
        equal((times["until"] - times["since"], times["ended"]), (10, times["until"]), "times")
        host.write_conf({"limit": {"suspend": "1h"}})
        host.kill()
        host.start()
        scenes.suspend(host, BOB)
        saved(host, BOB)
        host.kill()
        order(host, "release", name(BOB))
        times = rows_are(host, BOB, {**OVER, "end": "released"})[0]
        equal(times["until"] - times["since"], 3600, "length as planned")
        true(times["ended"] - times["since"] < 60, f"released at once: {times}")
        host.start()
        equal(len(history(host)), 2, "rows after the start")


def test_command_without_a_daemon():
    with running() as host:
        host.stop()
        order(host, "suspend", name(GAMES), "--for", "2h", "--reason", "phish")
        by_hand = {"observed": False, "told": False, "by_hand": True, "bad": 0, "min": 5, "percent": 0, "domain": None,
                   "reason": "phish"}
        rows_are(host, GAMES, {**by_hand, "end": "running"})
        host.start()
        rows_are(host, GAMES, {**by_hand, "end": "running"})
        order(host, "release", name(GAMES))
        rows_are(host, GAMES, {**by_hand, "end": "released"})


def test_command_line():
    with running() as host:
        empty = host.cli("history")
        equal((empty.returncode, empty.stdout), (0, "no suspension is known\n"), "empty history")
        equal(history(host), [], "empty history")
        order(host, "suspend", name(GAMES))
        equal(len(history(host, "--since", "1h")), 1, "since an hour ago")
        equal(history(host, name(GAMES), "--since", "2100-01-01"), [], "since 2100")
        equal(history(host, "uid:20009"), [], "another account")
        for arguments, code, words in (
                (("--since", "soon"), 2, '"soon": want a time like 36h'), (("--since",), 2, "lacks its value"),
                (("--until", "1h"), 2, "want smtplimit history"), (("a", "b"), 2, '"b": want smtplimit history'),
                (("nobody-here",), 1, "nobody-here")):
            done = host.cli("history", *arguments)
            equal((done.returncode, done.stdout), (code, ""), f"history {arguments}")
            true(words in done.stderr and done.stderr.count("\n") == 1, f"history {arguments}: {done.stderr}")
        # A file that is no database.
        host.stop()
        (host.dir / "state" / "state.db").write_bytes(b"x" * 4096)
        done = host.cli("history")
        equal((done.returncode, done.stdout), (1, ""), "history of a damaged file")
        true(done.stderr.startswith("smtplimit: history: "), done.stderr)
        (host.dir / "state" / "state.db").unlink()
        equal(history(host), [], "without a database")


def journal(*matches):
    sh("journalctl", "--sync")
    done = subprocess.run(["journalctl", "-q", "-o", "json", *matches], capture_output=True, text=True, check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextlib.contextmanager
def with_journald(options):
    """A Host whose daemon logs into a journal of the test's own."""
    with Host(options) as host:
        if not all(map(os.path.exists, (JOURNALD, "/run/systemd", "/run/log", "/etc/machine-id"))):
            raise Skip("no systemd-journald")
        for directory in ("/run/systemd", "/run/log"):
            system.mount("tmpfs", directory, "tmpfs")
            host.cleanups.append(lambda d=directory: system.umount(d))
        Path("/run/systemd/journald.conf.d").mkdir()
        Path("/run/systemd/journald.conf.d/test.conf").write_text(
            "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\n", encoding="ascii")
        daemon = subprocess.Popen([JOURNALD], stderr=subprocess.DEVNULL, preexec_fn=system.die_with_parent)
        host.cleanups.append(lambda: (daemon.kill(), daemon.wait()))
        wait_for(lambda: os.path.exists("/run/systemd/journal/stdout"), 20, "journald to listen")
        host.start(wait=False, wrapper=["/usr/bin/python3", "-c", INTO_JOURNAL])
        wait_for(lambda: any(entry["MESSAGE"] == "ready" for entry in journal()), 30, "`ready` in the journal")
        yield host


def fields(event):
    """Those of ours, and who sent it, of the only event of its kind."""
    entry, = wait_for(lambda: journal(f"MESSAGE_ID={event}"), 30, f"event {event}")
    equal((entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"]), ("5", "smtplimit"), "priority, identifier")
    return entry["MESSAGE"], {k.removeprefix("SMTPLIMIT_"): v for k, v in entry.items() if k.startswith("SMTPLIMIT_")}


def test_journal():
    with with_journald(SHORT) as host:
        account = scenes.suspend(host, ALICE)
        message, seen = fields(SUSPENDED)
        equal(seen, {"ACCOUNT": name(ALICE), "DOMAIN": "one.test", "BAD": "5", "PERCENT": "100",
                     "UNTIL": account["until"]}, "fields")
        true(message.startswith(f"{name(ALICE)} is suspended until "), message)
        true(message.endswith(" (10 s): deferred and failed mails 5/5 (100%)"), message)
        message, seen = fields(IS_OVER)
        equal(seen, {"ACCOUNT": name(ALICE), "DOMAIN": "one.test"}, "fields of the end")
        equal(message, f"{name(ALICE)} may send again: the suspension is over", "its message")
        equal(journal(f"MESSAGE_ID={WOULD_SUSPEND}") + journal(f"MESSAGE_ID={RELEASED}"), [], "other events")
        order(host, "suspend", name(GAMES))
        order(host, "release", name(GAMES))
        message, seen = fields(RELEASED)
        equal((message, seen), (f"{name(GAMES)} may send again: released by hand", {"ACCOUNT": name(GAMES)}),
              "released")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
