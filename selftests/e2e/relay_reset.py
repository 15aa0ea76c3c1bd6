# SPDX-License-Identifier: GPL-2.0-only
"""With `[refuse] relay = reset` a mail server's session is cut before a message of a suspended
domain leaves, and no other session is. With relay = hook none ever is."""
import errno
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import REMOTE4, REMOTE6  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

RELAY, OTHER_RELAY, EXEMPT, DIRECT = 38, 8, 20003, 20001
LONG = ".".join(["a" * 60, "b" * 60, "c" * 60, "test"])    # longer than a key of the map
CUT = errno.ECONNABORTED


def order(host, *arguments):
    done = host.cli(*arguments)
    equal(done.returncode, 0, f"exit of {arguments[0]} ({done.stderr.strip()})")


def shown_suspended(host, domain):
    """status shows a long domain in the form of the map's keys: its first 110 bytes, and a hash."""
    name = f"domain:{domain}"[:len("domain:") + 110]
    return any(a["account"].startswith(name) and a["suspended"] for a in host.status()["accounts"])


def suspend_domain(host, domain):
    order(host, "suspend", f"domain:{domain}")
    wait_for(lambda: shown_suspended(host, domain), 10, f"{domain} to be suspended")


def release_domain(host, domain):
    order(host, "release", f"domain:{domain}")
    wait_for(lambda: not shown_suspended(host, domain), 10, f"{domain} to be released")


def job(senders, uid=RELAY, **more):
    """One session with a message of each sender."""
    messages = [{"sender": sender, "rcpts": scenes.fresh()} for sender in senders]
    return {"to": REMOTE4, "uid": uid, "messages": messages, **more}


def send(host, *senders, uid=RELAY, **more):
    return clients.jobs(host, uid, [job(senders, uid, **more)])[0]


def stats(host):
    return host.status()["stats"]


def refused(host, uid=RELAY):
    """{domain: refused} of a uid in the map, without zeros."""
    return {domain: row["refused"] for (u, domain), row in host.counts().items()
            if u == uid and row["refused"]}


def is_cut(host, result, at="MAIL"):
    equal((result["error"], result["at"]), (CUT, at), f"the cut (replies: {result['replies']})")


def only_the_server_knows(host):
    """What was cut is no outcome, and nothing of it arrived."""
    compare.map_equals(host, host.tally())
    gone = [e for e in host.tally().log if "bad.test" in str(e)]
    equal(gone, [], "mail of the suspended domain at the server")


def prepare(host):
    suspend_domain(host, "bad.test")


def test_the_message_before_is_delivered_and_the_session_cut(host):
    result = send(host, "a@good.test", "a@bad.test", "a@good.test")
    is_cut(host, result)
    equal([c for c, _ in result["replies"]], [220, 250, 250, 250, 354, 250], "replies")
    equal(refused(host), {"bad.test": 1}, "refused")
    now = stats(host)
    equal((now["sessions_cut"], now["refused_attempts"]), (1, 1), "statistics")
    equal((now["refused_connects"], now["redirected_connects"]), (0, 0), "refused connects")
    only_the_server_knows(host)


def test_every_way_to_connect_and_to_send(host):
    ways = [{"to": REMOTE6}, {"socket": "mapped"}, {"socket": "mptcp"}, {"how": "bytes"}]
    for n, way in enumerate(ways, 2):
        is_cut(host, send(host, "A@Bad.Test.", **way))
        equal(refused(host), {"bad.test": n}, f"refused, {way}")
    is_cut(host, send(host, "a@bad.test", how="pipeline"), at="pipeline")
    equal(refused(host), {"bad.test": 6}, "refused, pipelined")
    only_the_server_knows(host)


def test_only_the_sessions_of_the_domain(host):
    """Thirty sessions of two relays at once, every third for the suspended domain."""
    before, cut = refused(host), stats(host)["sessions_cut"]
    other = refused(host, OTHER_RELAY)
    equal(other, {}, "refused of the other relay")
    started = []
    for n in range(30):
        uid = (RELAY, OTHER_RELAY)[n % 2]
        bad = n % 3 == 0
        senders = ["a@good.test", "a@bad.test" if bad else "a@fine.test", "a@good.test"]
        started.append((bad, clients.start_jobs(host, uid, [job(senders, uid)])))
    for bad, child in started:
        result = clients.finish_jobs(child)[0]
        if bad:
            is_cut(host, result)
        else:
            equal([c for c, _ in result["replies"]].count(354), 3, "messages of an innocent session")
            equal(result["error"], None, "errno")
    equal(refused(host), {"bad.test": before["bad.test"] + 5}, "refused")
    equal(refused(host, OTHER_RELAY), {"bad.test": 5}, "refused of the other relay")
    equal(stats(host)["sessions_cut"], cut + 10, "sessions cut")
    only_the_server_knows(host)


def test_nobody_else_is_cut(host):
    """The null sender, a subdomain, an exempt user; a direct sender answers for himself alone."""
    cut = stats(host)["sessions_cut"]
    for sender in ("", "a@sub.bad.test", "bad.test@good.test"):
        scenes.is_delivered(send(host, sender))
    for uid in (EXEMPT, DIRECT):
        scenes.is_delivered(send(host, f"u{uid}@bad.test", uid=uid))
    equal(stats(host)["sessions_cut"], cut, "sessions cut")
    equal(scenes.kernel_suspension(host, RELAY), None, "suspension of the relay's uid")


def test_an_open_session_is_cut_with_its_next_message(host):
    child = clients.start_jobs(host, RELAY, [job(["a@later.test"], hold=True)])
    equal(child.stdout.readline(), "open\n", "the session")
    suspend_domain(host, "later.test")
    is_cut(host, go_on(child))
    release_domain(host, "later.test")
    scenes.is_delivered(send(host, "a@later.test"))


def go_on(child):
    child.stdin.write("\n")
    child.stdin.flush()
    return clients.finish_jobs(child)[0]


def test_without_the_daemon_nothing_leaves(host):
    """The session hangs until it times out; the cut is the kernel's own."""
    host.kill()
    before = refused(host)["bad.test"]
    child = clients.start_jobs(host, RELAY, [job(["a@good.test", "a@bad.test"])])
    wait_for(lambda: refused(host)["bad.test"] == before + 1, 10, "the cut")
    scenes.is_delivered(send(host, "a@good.test"))
    equal(child.poll(), None, "the client waits")
    child.kill()
    child.wait()
    compare.map_equals(host, host.tally())
    equal(refused(host)["bad.test"], before + 1, "refused, once the session is over")
    host.start()


def test_hook_never_cuts(host):
    host.write_conf({"refuse": {"relay": "hook"}})
    reload(host, 1)
    true(host.suspended("domain:bad.test"), "the domain is not suspended any more")
    before = stats(host)
    result = send(host, "a@good.test", "a@bad.test", "a@good.test")
    equal([c for c, _ in result["replies"]].count(354), 3, "messages")
    equal(result["error"], None, "errno")
    after = stats(host)
    for name in ("sessions_cut", "refused_packets", "refused_attempts"):
        equal(after[name], before[name], name)
    compare.map_equals(host, host.tally())


def test_a_domain_longer_than_a_key():
    with running() as host:
        suspend_domain(host, LONG)
        is_cut(host, send(host, f"a@{LONG}"))
        scenes.is_delivered(send(host, f"a@{LONG[:-5]}.best"))
        release_domain(host, LONG)
        scenes.is_delivered(send(host, f"a@{LONG}"))
        equal(list(refused(host).values()), [1], "refused")


def test_domains_follow_their_owner():
    """Also when the setting changes while the owner is suspended."""
    with scenes.running({"watch": {"relay_users": "list mail"}, "refuse": {"relay": "hook"}}) as host:
        (host.dir / "owners").write_text(f"owned.test: uid:{DIRECT}\n", encoding="ascii")
        host.write_conf({"accounts": {"source": "file", "file": host.dir / "owners"}})
        reload(host, 1)
        wait_for(lambda: "domains with an owner: 1" in host.log(), 10, "the owner to be known")
        order(host, "suspend", f"uid:{DIRECT}")
        scenes.is_delivered(send(host, "a@owned.test"))
        host.write_conf({"refuse": {"relay": "reset"}})
        reload(host, 2)
        is_cut(host, send(host, "a@good.test", "a@owned.test"))
        true(not host.account("domain:owned.test"), "an account of the domain")
        order(host, "release", f"uid:{DIRECT}")
        scenes.is_delivered(send(host, "a@owned.test"))


def reload(host, times):
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: host.log().count("settings read again") == times, 10, "the reload")


def running(prepared=None):
    return scenes.running({"watch": {"relay_users": "list mail", "exempt_users": str(EXEMPT)},
                           "refuse": {"relay": "reset"}}, prepared)


if __name__ == "__main__":
    alone = [test_a_domain_longer_than_a_key, test_domains_follow_their_owner]
    ktap.main([f for f in ktap.tests(globals()) if f not in alone], running(prepare), alone)
