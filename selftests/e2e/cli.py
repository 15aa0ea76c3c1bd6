# SPDX-License-Identifier: GPL-2.0-only
"""Every command gives the right text, JSON and exit status with and without a daemon; what is wrong
in a configuration is named, and a reload takes effect."""
# SECONDS: 70
import concurrent.futures
import json
import os
import re
import signal
import sqlite3
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
import system  # noqa: E402
from host import bpftool  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

ALICE, GAMES = 20001, 5
ACCOUNT_KEYS = {"account", "uid", "domains", "window", "total", "suspended", "since", "until",
                "reason"}
STATUS_KEYS = {"version", "mode", "window_s", "percent", "min_failures", "suspend_s", "accounts",
               "tls", "stats", "losses"}
TOTAL_KEYS = {"connections", "delivered", "deferred", "failed", "unknown", "opaque", "refused"}


def ok(host, *arguments, code=0):
    done = host.cli(*arguments)
    equal((done.returncode, done.stderr), (code, ""), f"exit and stderr of {arguments}")
    return done.stdout


def fails(host, status, *arguments, words=(), conf=None):
    """The command ends with `status`, having said one line with the words."""
    done = host.cli(*arguments, conf=conf)
    equal(done.returncode, status, f"exit of {arguments} ({done.stderr.strip()})")
    equal(len(done.stderr.splitlines()), 1, f"lines on stderr of {arguments}: {done.stderr!r}")
    equal(done.stdout, "", f"stdout of {arguments}")
    for word in words:
        true(word in done.stderr, f"no {word!r} in: {done.stderr!r}")
    return done.stderr


def warned(host, words, *arguments, conf):
    """The command ends with 0, having warned in one line; its output."""
    done = host.cli(*arguments, conf=conf)
    equal((done.returncode, len(done.stderr.splitlines())), (0, 1), f"{arguments}: {done}")
    for word in words:
        true(word in done.stderr, f"no {word!r} in: {done.stderr!r}")
    return done.stdout


def prepare(host):
    scenes.mail(host, GAMES, ["r550", "", ""], sender="games@one.test")
    scenes.mail(host, GAMES, [""], sender="games@two.test")
    scenes.window_is(host, GAMES, delivered=3, failed=1)


def check_status(host, code=0):
    status = json.loads(ok(host, "-j", "status", code=code))
    true(STATUS_KEYS <= set(status), f"keys of status: {set(status)}")
    equal((status["mode"], status["window_s"], status["percent"], status["min_failures"],
           status["suspend_s"]), ("enforce", 3600, 50, 5, 3600), "settings")
    account = [a for a in status["accounts"] if a["account"] == "games"][0]
    true(ACCOUNT_KEYS <= set(account), f"keys of an account: {set(account)}")
    equal(set(account["total"]), TOTAL_KEYS, "keys of its total")
    equal(account["window"], {"delivered": 3, "deferred": 0, "failed": 1, "percent": 25.0}, "window")
    equal((account["uid"], sorted(account["domains"])), (GAMES, ["one.test", "two.test"]), "account")
    equal((account["suspended"], account["since"], account["until"]), (False, None, None),
          "not suspended")
    text = ok(host, "status", code=code)
    # Some of its figures are told once a second.
    wait_for(lambda: ok(host, code=code) == ok(host, "status", code=code), 10, "the default command to say the same")
    line = [row for row in text.splitlines() if row.split()[:1] == ["games"]]
    equal(len(line), 1, f"lines for games in:\n{text}")
    true("25.0" in line[0], f"no percent in: {line[0]}")


def test_status(host):
    check_status(host)


def test_config(host):
    text = ok(host, "config")
    true(re.search(rf"cgroup\b.*{re.escape(str(host.cgroup))}", text), f"no cgroup in:\n{text}")
    true(f"{host.conf}:" in text and "default" in text, f"no origins in:\n{text}")
    again = host.dir / "again.conf"
    again.write_text(text, encoding="utf-8")
    told = host.cli("config", conf=again)
    kept = [[line for line in out.splitlines() if not line.startswith("#")] for out in (text, told.stdout)]
    equal((told.returncode, told.stderr, kept[1]), (0, "", kept[0]), "what is printed, read back")
    true(isinstance(json.loads(ok(host, "-j", "config")), dict), "config -j is no object")


def test_check(host):
    text = ok(host, "check")
    true(len(text.splitlines()) >= 3, f"few requirements:\n{text}")
    true(re.search(r"^(yes|lower) +TLS by uprobes: ", text, re.M), f"nothing about TLS:\n{text}")
    true(isinstance(json.loads(ok(host, "-j", "check")), dict), "check -j is no object")


def test_check_of_fuse(host):
    """Who can open /dev/fuse can hold up what puts probes: told, unless there are no probes."""
    device = host.dir / "fuse"
    device.touch()
    made = not os.path.exists("/dev/fuse")
    if made:
        Path("/dev/fuse").touch()
    system.mount(str(device), "/dev/fuse", None, system.MS_BIND)
    try:
        for mode, word in ((0o600, "yes"), (0o666, "lower")):
            device.chmod(mode)
            text = ok(host, "check")
            true(re.search(rf"^{word} +FUSE for root alone", text, re.M), f"mode {mode:o}:\n{text}")
    finally:
        system.umount("/dev/fuse")
        if made:
            os.unlink("/dev/fuse")


def test_usage_errors(host):
    fails(host, 2, "nonsense", words=['"nonsense"'])
    fails(host, 2, "--nonsense", words=['"--nonsense"'])
    fails(host, 2, "suspend")
    fails(host, 2, "release")
    fails(host, 2, "suspend", "games", "--for")
    fails(host, 2, "suspend", "games", "--nonsense")
    fails(host, 2, "suspend", "games", "root")
    fails(host, 2, "status", "games", "root")
    fails(host, 2, "status", "--nonsense")
    fails(host, 2, "status", "--all", "--suspended")


def test_help(host):
    text = ok(host, "--help")
    shown = re.findall(r"^  ([a-z]+)", text, re.M)
    equal(shown, ["status", "run", "suspend", "release", "history", "check", "config", "hook",
                  "unload"],
          "commands for people")
    for word in ("-h", "help"):
        equal(ok(host, word), text, word)
        equal(ok(host, "-j", word), text, f"-j {word}")
    for word in ("--version", "-V", "version"):
        true(re.fullmatch(r"smtplimit \d+\.\d+\.\d+\n", ok(host, word)), word)
    fails(host, 2, "stauts", words=['"stauts"', "did you mean status?"])
    fails(host, 2, "relaese", words=["did you mean release?"])
    true("did you mean" not in fails(host, 2, "alice.test", words=["want status, run"]), "far from any")
    for command in (*shown, "answer"):
        text = ok(host, command, "--help")
        true(text.startswith(f"usage: smtplimit {command}"), f"{command} --help: {text}")
        equal(ok(host, command, "-h"), text, f"{command} -h")
    equal(host.cli("answer").returncode, 2, "answer, which is there all the same, without a protocol")
    fails(host, 1, "suspend", "help", words=['"help"'])


def test_wrong_accounts(host):
    for command in ("suspend", "release"):
        fails(host, 1, command, "no-such-user", words=['"no-such-user"'])
        fails(host, 1, command, "uid:x", words=["uid:x"])
        fails(host, 1, command, "domain:", words=["domain:"])
    for duration in ("0s", "abc", "31h31", "100000h", "-5m", ""):
        done = host.cli("suspend", "games", "--for", duration)
        true(done.returncode in (1, 2), f"--for {duration!r} was taken: {done}")
    scenes.is_not_suspended(host, GAMES)


def test_suspend_and_release(host):
    ok(host, "suspend", "games", "--for", "10m", "--reason", "a\ttest \x1b[31m")
    account = scenes.is_suspended(host, GAMES)
    equal(scenes.iso(account["until"]) - scenes.iso(account["since"]), 600, "length")
    true("\x1b" not in ok(host, "status") and "test" in account["reason"], "the reason")
    result = scenes.good(host, GAMES, 1)
    scenes.is_refused(result, scenes.refusal(account, bad_=1, percent=25))
    scenes.is_not_suspended(host, ALICE)
    ok(host, "suspend", "games", "--for", "20m")
    wait_for(lambda: (a := host.account("games")) and
             scenes.iso(a["until"]) - scenes.iso(a["since"]) in (1200, 1201), 10, "the new end")
    ok(host, "release", "games")
    wait_for(lambda: not host.suspended("games"), 10, "release")
    scenes.is_not_suspended(host, GAMES)
    scenes.window_is(host, GAMES)       # begins empty
    scenes.is_delivered(scenes.good(host, GAMES, 1))
    scenes.window_is(host, GAMES, delivered=1)
    ok(host, "suspend", f"uid:{GAMES}")
    account = scenes.is_suspended(host, GAMES)
    equal(scenes.iso(account["until"]) - scenes.iso(account["since"]), 3600, "default length")
    ok(host, "release", f"uid:{GAMES}")
    wait_for(lambda: not host.suspended("games"), 10, "release")


def test_options_of_main_as_values(host):
    text = ok(host, "suspend", "games", "--for", "10m", "--reason", "-j")
    true(text.startswith("games is suspended until "), f"not text: {text}")
    true(text.splitlines()[0].endswith(": -j"), f"the reason: {text}")
    told = json.loads(ok(host, "suspend", "games", "--reas", "-c", "-j"))
    equal((told["account"], told["suspended"], told["reason"]), ("games", True, "-c"), "told")
    fails(host, 2, "suspend", "games", "--for", "-j", words=['"-j"'])
    told = json.loads(ok(host, "release", "-j", "games"))
    equal((told["suspended"], told["changed"]), (False, True), "told")


def test_one_daemon_at_a_time(host):
    first, log = host.daemon, host.log_path
    done = host.cli("run")
    equal(done.returncode, 1, "exit of a second daemon")
    true(done.stderr, "a second daemon says nothing")
    equal((first.poll(), host.log_path), (None, log), "the first daemon")
    scenes.bad(host, ALICE, 1)
    scenes.window_is(host, ALICE, failed=1)


def test_hostile_bytes_never_reach_the_terminal(host):
    uid = 20007
    scenes.mail(host, uid, ["r550", ""], sender="x@e\x1b[31mvil\x07.test\u202e")
    scenes.window_is(host, uid, delivered=1, failed=1)
    wild = [c for c in ok(host, "status") if c != "\n" and not c.isprintable()]
    equal(wild, [], "characters in status")
    equal(len(host.account(compare.account_name(uid))["domains"]), 1, "domains")


def test_not_root(host):
    for arguments in (["status"], ["suspend", "games"], ["release", "games"], ["unload"]):
        done = host.run_as(65534, [host.binary, "-c", host.conf, *arguments])
        equal((done.returncode, done.stderr), (1, f"smtplimit: {arguments[0]} needs root: want sudo "
                                               f"smtplimit {arguments[0]}\n"), "as nobody")


def bad_file(host, text):
    path = host.dir / "bad.conf"
    path.write_text(text, encoding="utf-8")
    return path


def test_bad_configuration_names_file_and_line(host):
    for line, text, word in ((2, "[limit]\npercent = 101\n", "101"), (2, "[limit]\nwindow = 5x\n", "5x"),
                             (3, "[watch]\n\nport = 25\n", "port"), (2, "[watch]\nports = 0\n", "0"),
                             (2, "[limit]\nmode = maybe\n", "maybe"), (1, "[nonsense]\nx = 1\n", "nonsense")):
        path = bad_file(host, text)
        for command in ("config", "run", "check"):
            said = fails(host, 1, command, conf=path)
            found = re.search(rf"{re.escape(str(path))}:(\d+): (.*)", said)
            true(found and word in found[2], f"{command}: {said!r}")
            true(int(found[1]) in (line, line + (word == "nonsense")), f"line of {text!r}: {said!r}")
    fails(host, 1, "config", conf=host.dir / "missing.conf", words=["missing.conf"])


def test_typo_leaves_what_needs_only_paths(host):
    whole = host.conf.read_text(encoding="ascii")
    typo = f"[limit]\nmin_failures = 5x\n{whole}"
    path = bad_file(host, typo)
    words = [f"{path}:2: min_failures", "[paths]"]
    shown = json.loads(warned(host, words, "-j", "status", conf=path))
    equal(shown["accounts"], host.status()["accounts"], "accounts")
    true("otherwise" not in warned(host, words, "status", conf=path), "differs from what is not read")
    warned(host, words, "suspend", "games", "--for", "10m", conf=path)
    scenes.is_suspended(host, GAMES)
    warned(host, words, "release", "games", conf=path)
    scenes.is_not_suspended(host, GAMES)
    path = bad_file(host, typo.replace("state = ", "state "))
    for arguments in (["status"], ["suspend", "games"], ["release", "games"], ["unload"]):
        fails(host, 1, *arguments, conf=path, words=[f"{path}:", "state "])


def test_status_shows_what_is_in_force(host):
    def rule():
        status = host.status()
        return status["mode"], status["percent"], status["window_s"]

    host.write_conf({"limit": {"mode": "observe", "percent": 60, "window": "30m"}})
    equal(rule(), ("enforce", 50, 3600), "before the reload")
    text = ok(host, "status")
    true("the file says otherwise: reload\n" in text and "mode enforce" in text, f"status:\n{text}")
    true("\npercent = 60\n" in ok(host, "config"), "config does not show the file")
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: rule() == ("observe", 60, 1800), 10, "the new settings")
    true("otherwise" not in ok(host, "status"), "differs after the reload")
    host.write_conf({"limit": {"mode": "enforce", "percent": 50, "window": "60m"}})
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: rule() == ("enforce", 50, 3600), 10, "the old settings")


def test_reload(host):
    host.write_conf({"limit": {"min_failures": 3, "mode": "observe"}})
    host.daemon.send_signal(signal.SIGHUP)
    scenes.bad(host, 20010, 3)
    wait_for(lambda: "would suspend" in host.log(), 10, "the new settings")
    scenes.is_not_suspended(host, 20010)
    host.write_conf({"limit": {"mode": "enforce"}})
    host.daemon.send_signal(signal.SIGHUP)
    scenes.bad(host, 20011, 3)
    scenes.is_suspended(host, 20011)


def test_what_a_restart_takes_up_stays(host):
    """Mail servers read the file in the directory of the start, and a file that is put right warns no more."""
    def reload(warnings):
        before = host.log().count("settings read again")
        host.daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: host.log().count("settings read again") > before, 10, "the reload")
        equal(host.log().count("the new [paths] is taken up by a restart"), warnings, "warnings")

    good = host.conf.read_text(encoding="ascii")
    listed = host.dir / "run" / "suspended"
    other = good.replace(f"run = {host.dir / 'run'}\n", f"run = {host.dir / 'other'}\n")
    kept = host.dir / "kept.conf"
    kept.write_text(good, encoding="ascii")
    warnings = host.log().count("the new [paths] is taken up by a restart")
    host.conf.write_text(other, encoding="ascii")
    reload(warnings + 1)
    equal(host.cli("suspend", "games", conf=kept).returncode, 0, "exit of suspend")
    wait_for(lambda: "games: 550" in listed.read_text(encoding="ascii"), 10, "games in the file")
    reload(warnings + 2)
    host.conf.write_text(good, encoding="ascii")
    reload(warnings + 2)
    ok(host, "release", "games")
    kept.unlink()
    true(not (host.dir / "other").exists(), "a run directory was made")


def test_broken_file_keeps_the_old_settings(host):
    whole = host.conf.read_text(encoding="ascii")
    lines = len(whole.splitlines())
    host.conf.write_text(whole + "nonsense = 1\n", encoding="ascii")
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: f"{host.conf}:{lines + 1}: " in host.log(), 10, "the error in the log")
    host.conf.write_text(whole, encoding="ascii")
    equal(host.daemon.poll(), None, "exit of the daemon")
    scenes.mail(host, 20012, ["r550"] * 2)
    scenes.window_is(host, 20012, failed=2)
    scenes.is_not_suspended(host, 20012)
    scenes.bad(host, 20012, 1)
    scenes.is_suspended(host, 20012)


def test_accounts_of_a_file(host):
    directory = host.conf.with_suffix(".d")
    plan = directory / "plan.conf"
    directory.mkdir(mode=0o755)
    plan.write_text("[account games, gone-for-good]\npercent = 70\nnote = a plan\n", encoding="ascii")
    true(f"\n# [account games]\n# {plan}:2\n# percent = 70\n" in ok(host, "config"),
         "config does not show the account")
    shown = json.loads(ok(host, "-j", "config"))["account"]["games"]
    equal(shown, {"percent": {"value": 70, "from": f"{plan}:2"},
                  "note": {"value": "a plan", "from": f"{plan}:3"}}, "config -j of the account")
    true(re.search(r'^lower +configuration: .*"gone-for-good": no such user', ok(host, "check"), re.M),
         "check says nothing of the missing user")
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: '"gone-for-good": no such user' in host.log(), 10, "the warning in the log")
    plan.write_text("[account games]\npercent = 0\n", encoding="ascii")
    fails(host, 1, "config", words=[f"{plan}:2: percent"])
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: f"{plan}:2: percent" in host.log(), 10, "the error in the log")
    plan.unlink()
    directory.rmdir()


def test_reading_and_orders_without_a_daemon():
    with running(None, prepare) as host:
        host.kill()
        check_status(host, 3)
        true("daemon: dead since " in ok(host, "status", "games", code=3), "status of one account")
        ok(host, "config")
        ok(host, "check")
        text = ok(host, "suspend", "games", "--for", "10m")
        true("no daemon runs: open sessions are not ended" in text, f"nothing of sessions:\n{text}")
        account = scenes.is_suspended(host, GAMES)
        true(not scenes.delivered(scenes.good(host, GAMES, 1)), "sent while suspended")
        host.start()
        again = scenes.is_suspended(host, GAMES)
        equal((again["since"], again["until"]), (account["since"], account["until"]), "suspension")
        host.kill()
        ok(host, "release", "games")
        scenes.is_not_suspended(host, GAMES)
        scenes.is_delivered(scenes.good(host, GAMES, 1))
        host.start()
        scenes.is_not_suspended(host, GAMES)


def test_status_before_the_first_run_and_after_unload():
    with running() as host:
        host.stop()
        ok(host, "unload")
        for options in ([], ["-j"], ["--suspended"]):
            ok(host, "status", *options, code=3)


def lock_database(host, timeout=5):
    """Nobody else can write until the connection is closed."""
    connection = sqlite3.connect(host.dir / "state" / "state.db", isolation_level=None, timeout=timeout)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_locked_database():
    with running(None, prepare) as host:
        lock = lock_database(host)
        done = host.cli("suspend", "games")
        equal((done.returncode, len(done.stderr.splitlines())), (0, 1), f"suspend: {done}")
        true("games: it holds, but is not saved" in done.stderr, f"suspend: {done}")
        host.kill()
        fails(host, 1, "suspend", "games", words=["games is suspended, but that is not saved"])
        true(scenes.kernel_suspension(host, GAMES), "not suspended in the maps")
        lock.close()
        ok(host, "release", "games")
        scenes.is_not_suspended(host, GAMES)


def stop_between_writes(host):
    """Stop the daemon (SIGSTOP) where it does not hold the database."""
    def stopped():
        host.daemon.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{host.daemon.pid}/stat")
        wait_for(lambda: stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T", 10,
                 "the daemon to stop")
        try:
            lock_database(host, timeout=0).close()
        except sqlite3.OperationalError:
            host.daemon.send_signal(signal.SIGCONT)
            return False
        return True
    wait_for(stopped, 10, "the daemon to stop without the database")


def test_stuck_daemon():
    with running(None, prepare) as host, concurrent.futures.ThreadPoolExecutor() as pool:
        pid = host.daemon.pid
        stop_between_writes(host)
        began = time.monotonic()
        waiting = [pool.submit(fails, host, 1, "suspend", "games", words=["not confirmed", f"pid {pid}"]),
                   pool.submit(fails, host, 1, "unload",
                               words=[f"pid {pid}", f"kill -9 {pid}", "unload again"])]
        wait_for(lambda: host.cli("status").returncode == 3, 20, "status to find it stuck")
        true(f"daemon: pid {pid} is stuck" in ok(host, "status", code=3), "status of a stuck daemon")
        for done in waiting:
            done.result()
        true(time.monotonic() - began < 15, "10 s by the clock")
        host.daemon.send_signal(signal.SIGCONT)
        equal(host.daemon.wait(10), 0, "exit of the daemon, which unload told to end")
        equal(scenes.kernel_suspension(host, GAMES), None, "an order that was taken back")
        ok(host, "unload")
        equal(host.status()["loaded"], False, "loaded")


def forget_schema(host):
    """Leave the maps as a start does that ends before it attaches."""
    path = host.pin("smtpl_meta")
    entry = json.loads(bpftool("-j", "map", "dump", "pinned", path))[0]
    bpftool("map", "update", "pinned", path, "key", *entry["key"], "value", *["0"] * 4,
            *entry["value"][4:])


def test_start_that_never_attached():
    with running(None, prepare) as host:
        host.kill()
        forget_schema(host)
        equal(host.status()["loaded"], False, "loaded")
        true("smtplimit is not loaded on this host" in ok(host, "status", code=3), "status")
        true("smtplimit is not loaded" in ok(host, "suspend", "games"), "suspend")
        ok(host, "release", "games")
        equal(scenes.kernel_suspension(host, GAMES), None, "suspension that the next start takes up")


if __name__ == "__main__":
    alone = [test_reading_and_orders_without_a_daemon,
             test_status_before_the_first_run_and_after_unload, test_locked_database,
             test_stuck_daemon, test_start_that_never_attached]
    together = [f for f in ktap.tests(globals()) if f not in alone]
    ktap.main(together, scenes.running(None, prepare), alone)
