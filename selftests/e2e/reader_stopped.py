# SPDX-License-Identifier: GPL-2.0-only
"""While the daemon reads nothing, every one of 10,000 attempts is counted in the kernel, and when
it goes on its windows and verdicts are the same as ever. The ring buffer has 4 KiB."""
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402

BAD, GOOD, LATER = 20001, 20002, 20003
MESSAGES, RCPTS = 50, 100


def load(uid, bad_of_100):
    """5,000 attempts of a uid, every one to its own recipient, so that each is a mail."""
    messages = []
    for n in range(MESSAGES):
        acts = ["r550" if i < bad_of_100 else "" for i in range(RCPTS)]
        messages.append({"sender": f"user@d{n % 5}.test",
                         "rcpts": [scenes.fresh(act)[0] for act in acts]})
    return [{"to": "203.0.113.1", "uid": uid, "how": "pipeline", "messages": messages[:25]},
            {"to": "2001:db8::1", "uid": uid, "how": "pipeline", "messages": messages[25:]}]


def test_every_attempt_is_counted_while_the_reader_is_stopped(host):
    host.daemon.send_signal(signal.SIGSTOP)
    running = [clients.start_jobs(host, uid, load(uid, bad)) for uid, bad in ((BAD, 60), (GOOD, 40))]
    for child in running:
        true(all(r["error"] is None for r in clients.finish_jobs(child)), "the load failed")
    total = host.tally().total()
    equal((total["failed"], total["delivered"]), (5000, 5000), "the load")
    compare.map_equals(host, host.tally())
    scenes.is_not_suspended(host, BAD)      # who judges is stopped
    true(host.status()["stats"]["ring_full"] > 0, "ring_full is 0: nothing was lost, nothing shown")


def test_the_verdict_follows(host):
    host.daemon.send_signal(signal.SIGCONT)
    scenes.is_suspended(host, BAD)
    account = scenes.window_is(host, GOOD, delivered=3000, failed=2000)
    equal(account["window"]["percent"], 40.0, "percent")
    scenes.is_not_suspended(host, GOOD)
    scenes.is_delivered(scenes.good(host, GOOD, 1))


def test_totals_stay_equal_afterwards(host):
    scenes.mail(host, LATER, ["r550"] * 3 + [""] * 4)
    scenes.window_is(host, LATER, delivered=4, failed=3)
    tally = host.tally()
    compare.map_equals(host, tally)
    compare.status_equals(host, tally, window=False)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()),
              scenes.running({"watch": {"ring": "4k"}}))
