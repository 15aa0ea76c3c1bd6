# SPDX-License-Identifier: GPL-2.0-only
"""A user of the system that sends under several owners' domains is found to be a service user, and
named, before it would be suspended. A customer who forges neighbours' domains is named and
suspended all the same."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

# Users of the system have uids below UID_MIN, and a customer's user namespace begins at 100000.
TUNNEL, JAIL, CRON, QUIET, WEB, NOBODY = 931, 932, 933, 934, 935, 65534
FORGER, SUBORDINATE = 20002, 100101
NEIGHBOURS = [f"shop{n}.test" for n in range(1, 7)]
OWNERS = "".join(f"{domain}: uid:{21000 + n}\n" for n, domain in enumerate(NEIGHBOURS))
OPTIONS = {"watch": {"direct_users": f"uid:{WEB}"}}


def bad_from(host, uid, *domains, each=1):
    for domain in domains:
        scenes.bad(host, uid, each, sender=f"user@{domain}")


def is_service(host, uid, why="carries"):
    name = f"uid:{uid}" if uid != NOBODY else "nobody"
    account = wait_for(lambda: (a := host.account(name)) and a["role"] == "service" and a, 15,
                       f"{name} to be a service user: {host.account(name)}\n{host.log()}")
    equal((account["service"], account["suspended"], account["headroom"]), (why, False, None),
          f"how {name} is known, whether it is suspended, its headroom")
    text = host.cli("status").stdout
    true(f"service user: {name}, since it sends under the domains" in text, f"status has not {name}:\n{text}")
    true(f"{name} (uid {uid}) is a service user" in host.log(), f"the log has not {name}")
    return account


def test_three_owners_make_a_service(host):
    """Found and said with two failures less than suspend it; then whatever fails is nobody's."""
    bad_from(host, TUNNEL, *NEIGHBOURS[:3])
    is_service(host, TUNNEL)
    bad_from(host, TUNNEL, *NEIGHBOURS, each=3)
    wait_for(lambda: host.account(f"uid:{TUNNEL}")["total"]["failed"] == 21, 15, "all to be counted")
    scenes.is_not_suspended(host, TUNNEL)
    equal(host.account(f"uid:{TUNNEL}")["window"]["failed"], 0, "failures in its window")
    for n in range(len(NEIGHBOURS)):
        equal(host.account(f"uid:{21000 + n}"), None, "an account of a neighbour's")
    equal(host.status()["nobody"], {"delivered": 0, "deferred": 0, "failed": 21}, "charged to nobody")


def test_two_at_the_moment_of_the_verdict(host):
    bad_from(host, JAIL, NEIGHBOURS[0], NEIGHBOURS[0], NEIGHBOURS[0], NEIGHBOURS[1], NEIGHBOURS[1])
    is_service(host, JAIL)
    scenes.is_not_suspended(host, JAIL)


def test_one_owner_is_no_service(host):
    bad_from(host, CRON, NEIGHBOURS[0], each=5)
    scenes.is_suspended(host, CRON)


def test_domains_without_an_owner_count(host):
    bad_from(host, QUIET, "one.test", "two.test", "three.test")
    is_service(host, QUIET)
    bad_from(host, NOBODY, "one.test", "two.test", "three.test")
    is_service(host, NOBODY)


def test_the_administrator_says_otherwise(host):
    bad_from(host, WEB, *NEIGHBOURS[:5])
    scenes.is_suspended(host, WEB)
    true(f"uid:{WEB} (uid {WEB})" not in host.log(), "it is named all the same")


def test_a_customer_does_not_escape(host):
    """Neither by forging five neighbours' domains, nor from a user namespace; it is said before."""
    for uid in FORGER, SUBORDINATE:
        named = f"uid:{uid} (uid {uid}) sends under the domains of 3 others"
        bad_from(host, uid, *NEIGHBOURS[:3])
        wait_for(lambda text=named: host.log().count(text) == 1, 15, f"{named}: {host.log()}")
        scenes.is_not_suspended(host, uid)
        bad_from(host, uid, *NEIGHBOURS[3:5])
        account = scenes.is_suspended(host, uid)
        equal((account["role"], account["carries"], account["window"]["failed"]), ("direct", 5, 5),
              "role, owners, failures")
        equal(host.log().count(named), 1, "times that it is named")
        true(f"uid:{uid} sends under the domains of 5 others: if it is a service user" in
             host.cli("status").stdout, "status does not name it")


def test_a_restart_forgets_nobody(host):
    """What was found stays, also where the maps are gone: then by what the database has."""
    host.stop()
    host.start()
    is_service(host, TUNNEL)
    bad_from(host, TUNNEL, *NEIGHBOURS[:5])
    scenes.is_not_suspended(host, TUNNEL)
    host.stop()
    equal(host.cli("unload").returncode, 0, "exit of unload")
    host.start()
    is_service(host, TUNNEL)


def test_suspended_by_hand(host):
    done = host.cli("suspend", f"uid:{TUNNEL}")
    equal(done.returncode, 1, "exit of suspend")
    true("a service user is never refused" in done.stderr, f"no reason: {done.stderr}")


def prepare(host):
    (host.dir / "owners").write_text(OWNERS, encoding="ascii")
    host.write_conf({"accounts": {"source": "file", "file": host.dir / "owners"}})
    host.stop()
    host.start()


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running(OPTIONS, prepare))
