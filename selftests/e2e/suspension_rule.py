# SPDX-License-Identifier: GPL-2.0-only
"""An account is suspended once five of its mails and half of them all have failed within the hour,
not before, and only until the end that it was given."""
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

ALICE, BOB, CAROL = 20001, 20002, 20003


def test_half_and_five_suspend():
    with running() as host:
        scenes.mail(host, BOB, ["r550"] * 4)
        scenes.mail(host, ALICE, [""] * 4 + ["r550"] * 2 + ["r451"] * 2)
        account = scenes.window_is(host, ALICE, delivered=4, deferred=2, failed=2)
        equal(account["window"]["percent"], 50.0, "percent")
        scenes.is_not_suspended(host, ALICE)        # half, but four
        scenes.bad(host, ALICE, 1)
        account = scenes.is_suspended(host, ALICE)
        equal(scenes.iso(account["until"]) - scenes.iso(account["since"]), 3600, "length")
        suspension = scenes.kernel_suspension(host, ALICE)
        equal((suspension["bad"], suspension["min"], suspension["percent"], suspension["by_hand"]),
              (5, 5, 55, 0), "figures")
        account = scenes.window_is(host, BOB, failed=4)
        equal(account["window"]["percent"], 100.0, "percent")
        scenes.is_not_suspended(host, BOB)          # all, but four
        scenes.is_delivered(scenes.good(host, BOB, 1))


def test_verdict_within_a_second():
    """After the reply; of one of three, as the machine may stand still for a second."""
    with running() as host:
        took = []
        for uid in (ALICE, BOB, CAROL):
            scenes.bad(host, uid, 5)
            scenes.is_suspended(host, uid)
            since = scenes.kernel_suspension(host, uid)["since_ns"] / 1e9
            took.append(since - [e["time"] for e in host.tally().log if e["uid"] == uid][-1])
        ktap.diagnose(f"suspended {', '.join(f'{t * 1000:.0f}' for t in took)} ms after the reply")
        true(min(took) < 1, f"suspended only {took} s after the reply")


def test_just_below_half_is_not_suspended():
    with running() as host:
        scenes.good(host, ALICE, 6)
        scenes.bad(host, ALICE, 5)
        account = scenes.window_is(host, ALICE, delivered=6, failed=5)
        equal(account["window"]["percent"], 45.5, "percent")
        scenes.is_not_suspended(host, ALICE)
        scenes.good(host, ALICE, 1)
        scenes.bad(host, ALICE, 1)
        scenes.window_is(host, ALICE, delivered=7, failed=6)
        scenes.is_not_suspended(host, ALICE)
        scenes.bad(host, ALICE, 1)                  # 7 of 14
        scenes.is_suspended(host, ALICE)


def test_retries_of_a_recipient_are_one_mail():
    with running() as host:
        for _ in range(20):
            clients.send(host, ALICE, "user@one.test", ["r451.4.7.1-grey@far.test"])
        scenes.window_is(host, ALICE, deferred=1)
        scenes.total_is(host, ALICE, deferred=20)
        scenes.is_not_suspended(host, ALICE)
        scenes.mail(host, BOB, ["r451.4.7.1"] * 5)  # five recipients are five
        scenes.is_suspended(host, BOB)


def test_deferred_then_delivered_recovers():
    grey = [f"r451+250-grey{n}@far.test" for n in range(4)]
    with running() as host:
        clients.send(host, ALICE, "user@one.test", grey)
        scenes.window_is(host, ALICE, deferred=4)
        scenes.is_delivered(clients.send(host, ALICE, "user@one.test", grey))
        scenes.window_is(host, ALICE, delivered=4)
        scenes.total_is(host, ALICE, deferred=4, delivered=4)
        scenes.mail(host, ALICE, ["r550"] * 4)
        scenes.window_is(host, ALICE, delivered=4, failed=4)
        scenes.is_not_suspended(host, ALICE)
        clients.send(host, BOB, "user@one.test", grey)      # another account's are its own
        scenes.window_is(host, BOB, delivered=4)


def test_the_whole_message_refused():
    """DATA and the end of data decide for every recipient; connections for nobody named."""
    with running() as host:
        scenes.mail(host, ALICE, ["d554", "", "", "", ""])
        scenes.is_suspended(host, ALICE)
        scenes.mail(host, BOB, ["e451", "", "", ""])
        scenes.window_is(host, BOB, deferred=4)
        scenes.is_not_suspended(host, BOB)
        scenes.good(host, BOB, 1, to=f"2001:db8:1:{BOB:x}::554")
        scenes.is_suspended(host, BOB)


def test_observe_changes_nothing():
    with running({"limit": {"mode": "observe"}}) as host:
        scenes.bad(host, ALICE, 10)
        scenes.window_is(host, ALICE, failed=10)
        wait_for(lambda: "would suspend" in host.log(), 10, "the log to say `would suspend`")
        scenes.is_not_suspended(host, ALICE)
        equal(host.status()["mode"], "observe", "mode")
        scenes.is_delivered(scenes.good(host, ALICE, 1))


def enforces_from_now_on(host, uid):
    """Nothing of what was observed counts, and what is sent from here on does."""
    wait_for(lambda: host.status()["mode"] == "enforce", 10, "the mode")
    scenes.window_is(host, uid)
    scenes.is_not_suspended(host, uid)
    scenes.is_delivered(scenes.good(host, uid, 1))
    scenes.suspend(host, uid)


def test_observe_then_enforce():
    """By a reload, and by a restart."""
    for change in ("reload", "restart"):
        with running({"limit": {"mode": "observe"}}) as host:
            scenes.bad(host, ALICE, 10)
            wait_for(lambda: "would suspend" in host.log(), 10, "the log to say `would suspend`")
            scenes.window_is(host, ALICE, failed=10)
            host.write_conf({"limit": {"mode": "enforce"}})
            if change == "reload":
                host.daemon.send_signal(signal.SIGHUP)
            else:
                host.stop()
                host.start()
            enforces_from_now_on(host, ALICE)


def test_enforce_says_nothing_of_would():
    with running() as host:
        scenes.bad(host, ALICE, 10)
        scenes.is_suspended(host, ALICE)
        true("would suspend" not in host.log(), "enforcing, yet `would suspend` in the log")


def test_suspension_ends_by_itself_with_an_empty_window():
    with running({"limit": {"suspend": "10s"}}) as host:
        account = scenes.suspend(host, ALICE)
        equal(scenes.iso(account["until"]) - scenes.iso(account["since"]), 10, "length")
        until = scenes.kernel_suspension(host, ALICE)["until_ns"] / 1e9
        scenes.is_refused(scenes.good(host, ALICE, 1), scenes.refusal(account))
        known = len(scenes.arrivals(host, ALICE))
        tried = []

        def is_delivered():
            tried.append(time.clock_gettime(time.CLOCK_BOOTTIME))
            return scenes.delivered(scenes.good(host, ALICE, 1))
        wait_for(is_delivered, 40, "delivery")
        first = scenes.arrivals(host, ALICE)[known]["opened"]
        true(until <= first, f"first connection {until - first:.3f} s before the end")
        true(all(begun < until for begun in tried[:-1]), f"refused after {until}: one of the tries of {tried}")
        account = scenes.window_is(host, ALICE, delivered=1)
        true(not account["suspended"], "still shown as suspended")
        scenes.total_is(host, ALICE, failed=5, delivered=1)
        scenes.mail(host, ALICE, ["r550"] * 4)
        scenes.window_is(host, ALICE, delivered=1, failed=4)
        scenes.is_not_suspended(host, ALICE)
        scenes.bad(host, ALICE, 1)
        scenes.is_suspended(host, ALICE)


def test_the_window_slides():
    with running({"limit": {"window": "12s"}}) as host:
        scenes.mail(host, ALICE, ["r550"] * 4)
        scenes.window_is(host, ALICE, failed=4)
        last = host.tally().log[-1]["time"]
        scenes.window_is(host, ALICE, timeout=25)
        took = time.clock_gettime(time.CLOCK_BOOTTIME) - last
        true(took > 11, f"forgotten after {took:.1f} s")
        scenes.mail(host, ALICE, ["r550"] * 4)
        scenes.window_is(host, ALICE, failed=4)
        scenes.total_is(host, ALICE, failed=8)
        scenes.is_not_suspended(host, ALICE)
        scenes.bad(host, ALICE, 1)
        scenes.is_suspended(host, ALICE)


def test_remote_that_refuses_this_server():
    """Nobody is suspended by it; from the fourth account on status tells of it."""
    act = "r550.5.7.1tyour.address.is.listed"
    with running() as host:
        for uid in (ALICE, BOB, CAROL):
            scenes.mail(host, uid, [act] * 6)
            scenes.total_is(host, uid, failed=6)
        scenes.looked(host)
        equal(host.status()["remotes"], [], "remotes")
        scenes.mail(host, 20004, [act] * 6)
        [remote] = wait_for(lambda: host.status()["remotes"], 10, "the alarm in status")
        scenes.iso(remote["since"])
        equal(remote, {**remote, "kind": "listed", "accounts": 4, "tried": 4, "last": remote["since"],
                       "text": "550 5.7.1 your address is listed"}, "alarm")
        line = (f"remote {remote['remote']}: refuses this server for 4 of 4 accounts, since {remote['since']}: "
                f"{remote['text']} (not charged to them)")
        true(line in host.cli("status").stdout.splitlines(), f"no line: {line}")
        true(f"{remote['remote']} refuses this server for 4 of 4 accounts" in host.log(), "the log")
        for uid in (ALICE, BOB, CAROL, 20004):
            scenes.is_not_suspended(host, uid)


def test_exempt_users_are_counted_and_never_judged():
    with running({"watch": {"exempt_users": "games"}}) as host:
        scenes.bad(host, 5, 10)
        scenes.total_is(host, 5, failed=10)
        scenes.bad(host, ALICE, 10)
        scenes.is_suspended(host, ALICE)
        scenes.is_not_suspended(host, 5)
        scenes.is_delivered(scenes.good(host, 5, 1))


def reload(host, changes):
    times = host.log().count("settings read again")
    host.write_conf(changes)
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: host.log().count("settings read again") > times, 10, "the settings to be read")


def test_exempt_for_a_while():
    with running() as host:
        scenes.suspend(host, ALICE)
        reload(host, {"watch": {"exempt_users": ALICE}})
        scenes.is_not_suspended(host, ALICE)
        scenes.bad(host, ALICE, 5)
        scenes.total_is(host, ALICE, failed=10)
        scenes.looked(host)
        scenes.is_not_suspended(host, ALICE)
        reload(host, {"watch": {"exempt_users": ""}})
        scenes.looked(host)
        scenes.is_not_suspended(host, ALICE)
        scenes.bad(host, ALICE, 4)
        scenes.window_is(host, ALICE, failed=4)
        scenes.suspend(host, ALICE, 1)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
