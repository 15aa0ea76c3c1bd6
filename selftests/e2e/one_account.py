# SPDX-License-Identifier: GPL-2.0-only
"""An account is found by its user, uid, domain or an address, alike by status, suspend, release and
history. Status shows it alone, with the rule of its own section, and leaves out those that matter to
nobody."""
# SECONDS: 20
import json
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

RELAY, GAMES, ALICE = 38, 5, 20001
OPTIONS = {"watch": {"relay_users": "list"}}
NAMES = ("games", "uid:5", "5", "shop.test", "SHOP.test.", "info@shop.test", "x@y@shop.test",
         "domain:shop.test")


def prepare(host):
    (host.dir / "owners").write_text("shop.test: games\nother.test: games\n", encoding="ascii")
    host.write_conf({"accounts": {"source": "file", "file": host.dir / "owners"}})
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: "domains with an owner: 2" in host.log(), 10, "the owner to be known")
    scenes.mail(host, GAMES, ["r550", "", ""], sender="games@shop.test")
    scenes.mail(host, RELAY, ["r550", ""], sender="x@free.test")
    scenes.window_is(host, "domain:free.test", delivered=1, failed=1)
    scenes.window_is(host, GAMES, delivered=2, failed=1)


def run(host, status, *arguments):
    """Output of the command, which ends with this status: of stderr where it fails."""
    done = host.cli(*arguments)
    equal(done.returncode, status, f"exit of {arguments}: {done}")
    if not status:
        equal(done.stderr, "", f"stderr of {arguments}")
        return done.stdout
    equal((done.stdout, len(done.stderr.splitlines())), ("", 1), f"output of {arguments}: {done}")
    return done.stderr


def alone(host, name):
    accounts = json.loads(run(host, 0, "-j", "status", name))["accounts"]
    equal(len(accounts), 1, f"accounts of {name}")
    return accounts[0]


def test_found_by_each_name(host):
    whole = host.account("games")
    for name in NAMES:
        equal(alone(host, name), whole, name)
        true(run(host, 0, "status", name).startswith("account:    games (uid 5)\n"), name)
    for name in ("domain:free.test", "free.test", "x@Free.Test"):
        equal(alone(host, name), host.account("domain:free.test"), name)


def test_block(host):
    text = run(host, 0, "status", "shop.test")
    for line in ("window:     2 mails delivered, 0 deferred, 1 failed in 60m: 33.3%",
                 "headroom:   4 more failures until it is suspended", "owns:       other.test, shop.test",
                 "sent from:  shop.test"):
        true(f"\n{line}\n" in text, f"no {line!r} in:\n{text}")
    true(re.search(r"^  percent = 50 +# \[limit\]$", text, re.M), f"rule:\n{text}")
    true("ACCOUNT" not in text and "daemon" not in text, f"more than a block:\n{text}")


def test_user_without_mail(host):
    account = alone(host, "daemon")
    equal((account["window"]["percent"], account["headroom"]), (None, 5), "daemon, who sent nothing")


def test_unknown_and_hostile_names(host):
    for command in ("status", "suspend", "release", "history"):
        for name in ("no-such-user", "gone.test", "x@gone.test", "@", ".", "x@", "uid:", "http://shop.test",
                     "\x1b[2J@\x07.test", "a\nb.test", "\u202e.test", "x" * 5000, "x@" + "y." * 2000):
            said = run(host, 1, command, name)
            wild = [c for c in said.rstrip("\n") if not c.isprintable()]
            equal(wild, [], f"characters of {command} {name!r}")
    for name in ("uid:4000001", "domain:gone.test"):
        true("nothing was counted for it" in run(host, 1, "status", name), name)
    run(host, 1, "-j", "status", "gone.test")


def test_suspend_and_release_find_the_same(host):
    for name in NAMES:
        text = run(host, 0, "suspend", name, "--for", "10m", "--reason", "x")
        true(text.startswith("games is suspended until "), text)
        scenes.is_suspended(host, GAMES)
        text = run(host, 0, "status", name)
        true(re.search(r"^suspended:  until [-0-9]+ [:0-9]+ \S+, for (10|9) minutes more$", text, re.M), text)
        true("headroom" not in text and alone(host, name)["headroom"] == 0, text)
        equal(run(host, 0, "release", name), "games may send again\n", name)
        scenes.is_not_suspended(host, GAMES)
    equal(run(host, 0, "release", "shop.test"), "games is not suspended\n", "again")
    rows = json.loads(run(host, 0, "-j", "history", "games"))["history"]
    equal({row["account"] for row in rows}, {"games"}, "history")
    for name in NAMES:
        equal(json.loads(run(host, 0, "-j", "history", name))["history"], rows, f"history of {name}")


def test_domain_that_nobody_owns(host):
    """It is suspended by domain:NAME alone, since a mistyped name would be taken for a domain."""
    true("domain:free.test" in run(host, 1, "suspend", "free.test"), "no hint")
    run(host, 0, "suspend", "domain:free.test", "--for", "10m")
    equal(run(host, 0, "release", "x@free.test"), "domain:free.test may send again\n", "release")
    true("domain:free.test" in run(host, 0, "history", "x@free.test"), "history")
    run(host, 1, "release", "free.test")
    equal(run(host, 0, "release", "domain:free.test"), "domain:free.test is not suspended\n", "again")


def listed(host, *options):
    text = run(host, 0, "status", *options)
    names = ("games", "domain:free.test", "list", "uid:20001")
    return [n for n in names if re.search(rf"^{re.escape(n)}\b.*\d/\d+/\d", text, re.M)], text


def test_views(host):
    scenes.mail(host, ALICE, [""], sender="<>")
    wait_for(lambda: host.account("uid:20001"), 10, "the account without mail in the window")
    run(host, 0, "suspend", "games", "--for", "10m")
    scenes.is_suspended(host, GAMES)
    names, text = listed(host, "--all")
    true("uid:20001" in names and "left out" not in text, f"--all:\n{text}")
    names, text = listed(host)
    true("games" in names and "list" not in names, f"the default:\n{text}")
    true(re.search(r"^left out: \d+ accounts? without mail in the window \(smtplimit status --all\)$", text,
                   re.M), f"not told what is left out:\n{text}")
    names, text = listed(host, "--suspended")
    equal(names, ["games"], f"--suspended:\n{text}")
    shown = json.loads(run(host, 0, "-j", "status", "--suspended"))["accounts"]
    equal([a["account"] for a in shown], ["games"], "-j --suspended")
    every = {a["account"] for a in json.loads(run(host, 0, "-j"))["accounts"]}
    equal({a["account"] for a in json.loads(run(host, 0, "-j", "status", "--all"))["accounts"]}, every, "-j")
    run(host, 0, "release", "games")


def test_rule_of_its_own(host):
    plan = host.conf.with_suffix(".d") / "plan.conf"
    plan.parent.mkdir(mode=0o755)
    plan.write_text("[account games]\nmin_failures = 30\nmode = observe\nnote = ticket 4711\n",
                    encoding="ascii")
    scenes.mail(host, GAMES, ["r550"], sender="games@shop.test")
    scenes.window_is(host, GAMES, failed=1)
    account = alone(host, "games")
    equal(account["rule"], {"percent": 50, "min_failures": 30, "suspend_s": 3600, "mode": "observe",
                            "from": f"{plan}:1", "note": "ticket 4711", "until": None}, "rule")
    equal((account["observed"], account["headroom"]), (True, 29), "games")
    text = run(host, 0, "status", "games")
    true("\nheadroom:   29 more failures until it would be suspended\n" in text, text)
    true(re.search(rf"^  note = ticket 4711 +# {re.escape(str(plan))}:4$", text, re.M), text)
    true(re.search(r"^games .* observed$", run(host, 0, "status"), re.M), "the table")
    equal(host.account("domain:free.test")["rule"]["from"], None, "rule of another")
    plan.unlink()
    plan.parent.rmdir()


def test_without_a_daemon():
    with scenes.running(OPTIONS, prepare) as host:
        host.kill()
        done = host.cli("status", "info@shop.test")
        equal((done.returncode, done.stderr), (3, ""), "status without a daemon")
        true(done.stdout.startswith("daemon: dead since "), done.stdout)
        text = run(host, 0, "suspend", "info@shop.test", "--for", "10m")
        true(text.startswith("games is suspended until "), text)
        true(run(host, 0, "release", "shop.test").startswith("games may send again\n"), "release")


if __name__ == "__main__":
    ktap.main([f for f in ktap.tests(globals()) if f is not test_without_a_daemon],
              scenes.running(OPTIONS, prepare), [test_without_a_daemon])
