# SPDX-License-Identifier: GPL-2.0-only
"""Mail of a relay user is judged by sender domain: the domain is an account, the relay itself is
never refused, and `status` says so."""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

RELAY, NAME, DIRECT = 38, "list", 20001


def domain_suspended(host, domain):
    wait_for(lambda: host.suspended(f"domain:{domain}"), 15, f"domain:{domain} to be suspended")
    return host.account(f"domain:{domain}")


def test_each_domain_is_an_account(host):
    for sender, delivered, failed in (("a@Four.Test", 2, 4), ("a@five.test", 5, 5),
                                      ("a@mixed.test", 6, 5)):
        scenes.good(host, RELAY, delivered, sender=sender)
        scenes.bad(host, RELAY, failed, sender=sender)
    domain_suspended(host, "five.test")
    for domain, delivered, failed in (("four.test", 2, 4), ("mixed.test", 6, 5)):
        account = scenes.window_is(host, f"domain:{domain}", delivered=delivered, failed=failed)
        true(not account["suspended"], f"{domain} is suspended")
        equal(account["uid"], None, "uid")
        equal(account["domains"], [domain], "domains")


def test_window_is_shared_by_the_relays(host):
    """The same domain through another relay is the same account."""
    scenes.mail(host, 8, ["r550"], sender="a@four.test")
    domain_suspended(host, "four.test")


def test_nothing_of_the_relay_is_refused(host):
    scenes.is_delivered(scenes.good(host, RELAY, 1, sender="a@five.test"))
    scenes.is_delivered(scenes.good(host, RELAY, 1, sender="a@innocent.test"))
    equal(scenes.kernel_suspension(host, RELAY), None, "suspension of the relay's uid")
    stats = host.status()["stats"]
    equal((stats["refused_connects"], stats["redirected_connects"]), (0, 0), "refused connects")
    true(not host.suspended(NAME), "the relay is suspended")


def test_status_tells_the_domain_and_its_figures(host):
    account = host.account("domain:five.test")
    true(account["suspended"] and account["reason"], f"no reason: {account}")
    equal(scenes.iso(account["until"]) - scenes.iso(account["since"]), 3600, "length")
    text = host.cli("status").stdout
    true("domain:five.test" in text, f"status does not name the domain:\n{text}")


def test_direct_sender_of_the_same_domain_is_its_own_account(host):
    scenes.is_delivered(scenes.good(host, DIRECT, 1, sender="b@five.test"))
    scenes.window_is(host, DIRECT, delivered=1)
    scenes.suspend(host, DIRECT, sender="b@innocent.test")
    scenes.is_delivered(scenes.good(host, RELAY, 1, sender="a@innocent.test"))


def test_domain_by_hand(host):
    equal(host.cli("suspend", "domain:Hand.Test.", "--for", "10m").returncode, 0, "exit of suspend")
    account = domain_suspended(host, "hand.test")
    equal(scenes.iso(account["until"]) - scenes.iso(account["since"]), 600, "length")
    equal(host.cli("release", "domain:hand.test").returncode, 0, "exit of release")
    wait_for(lambda: not host.suspended("domain:hand.test"), 10, "release")


def test_counts_equal_the_tally(host):
    compare.map_equals(host, host.tally())
    ktap.diagnose(json.dumps(host.status()["stats"]))


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()),
              scenes.running({"watch": {"relay_users": "list mail"}}))
