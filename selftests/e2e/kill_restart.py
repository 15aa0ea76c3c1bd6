# SPDX-License-Identifier: GPL-2.0-only
"""The suspended stay suspended and counting goes on when the daemon is killed at any moment,
restarted, upgraded or gone with a reboot; unload leaves nothing. The daemon that comes next takes
up both."""
# SECONDS: 120
import json
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import REMOTE4, Host, bpftool  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

KILLS = 50
SENDERS, MALLORY = (20001, 20002), 20003
FORBIDDEN = "198.51.100.66"     # only the suspended sends there
PATIENT = {"limit": {"min_failures": 1000000, **compare.tally.ALONE}}

# Tries to send to argv[1] every few milliseconds until its input ends; prints [tries, got through].
BESIEGE = """
import json, os, select, socket, sys, time
tries = through = 0
while not select.select([sys.stdin], [], [], 0.002)[0]:
    tries += 1
    try:
        with socket.create_connection((sys.argv[1], 25), 5) as s:
            f = s.makefile('rwb')
            f.readline()
            f.write(b'EHLO u%d.test\\r\\n' % os.getuid()); f.flush()
            lines = [f.readline() for _ in range(2)]
            through += any(b'server.test' in l for l in lines)
    except OSError:
        pass
print(json.dumps([tries, through]))
"""


class Load:
    """Users who send without a pause, in the background, each mail to a recipient of its own."""

    def __init__(self, host):
        self.host = host
        self.random = random.Random(7)
        self.children = {}
        self.go_on()

    def go_on(self):
        """Start a batch for each user who has none running."""
        for uid in SENDERS:
            child = self.children.get(uid)
            if child and child.poll() is None:
                continue
            if child:
                self.collect(child)
            self.children[uid] = clients.start_jobs(self.host, uid, self.jobs(uid))

    def jobs(self, uid):
        acts = ["", "", "r550", "r451", ""]
        return [{"to": self.random.choice(["203.0.113.1", "2001:db8::1"]), "uid": uid,
                 "how": self.random.choice(["lockstep", "pipeline", "bytes"]),
                 "messages": [{"sender": f"user@d{uid}.test",
                               "rcpts": [scenes.fresh(a)[0] for a in acts * 2]}]}
                for _ in range(40)]

    def collect(self, child):
        errors = [r for r in clients.finish_jobs(child) if r["error"] is not None]
        equal(errors, [], "sessions of the load that broke")

    def finish(self):
        for child in self.children.values():
            self.collect(child)


def besiege(host):
    return scenes.converse(host, BESIEGE, MALLORY, FORBIDDEN)


def raise_siege(host, child):
    """End it: many tries, none of which came through."""
    child.stdin.close()
    tries, through = scenes.read_json(child)
    ktap.diagnose(f"{tries} tries of the suspended")
    true(tries > 10, f"only {tries} tries")
    equal((through, len(scenes.arrivals(host, address=FORBIDDEN))), (0, 0),
          "tries that came through, connections that arrived")


def suspend_by_hand(host, uid):
    done = host.cli("suspend", f"uid:{uid}", "--for", "24h", "--reason", "test")
    equal(done.returncode, 0, f"suspend: {done.stderr}")
    scenes.is_suspended(host, uid)


def test_killed_at_50_random_moments():
    chance = random.Random(20261121)
    with running(PATIENT) as host:
        suspend_by_hand(host, MALLORY)
        siege, load = besiege(host), Load(host)
        ready = 0
        for _ in range(KILLS):
            # Half of the kills hit a daemon that works, half one that is starting.
            if chance.random() < 0.5:
                host.wait_ready()
                ready += 1
                time.sleep(chance.random() * 0.2)
            else:
                time.sleep(chance.random() * 0.5)
            host.kill()
            load.go_on()
            host.start(wait=False)
        host.wait_ready()
        load.finish()
        raise_siege(host, siege)
        tally = host.expected()
        ktap.diagnose(f"{ready} of {KILLS} kills after `ready`; {tally.total()}")
        compare.map_equals(host, tally)
        compare.status_equals(host, tally, timeout=20)
        scenes.is_suspended(host, MALLORY)


def test_dead_daemon_counts_and_refuses_on():
    with running(PATIENT) as host:
        suspend_by_hand(host, MALLORY)
        host.kill()
        scenes.mail(host, SENDERS[0], ["r550", "r451", ""])
        compare.map_equals(host, host.tally())
        result = scenes.good(host, MALLORY, 1, to=FORBIDDEN)
        true(result["error"] == 111 or result["replies"][0][0] >= 400, f"not refused: {result}")
        equal(scenes.arrivals(host, address=FORBIDDEN), [], "connections that arrived")
        host.start()
        scenes.window_is(host, SENDERS[0], delivered=1, deferred=1, failed=1)


def test_suspension_ends_without_a_daemon():
    with running(PATIENT) as host:
        equal(host.cli("suspend", f"uid:{MALLORY}", "--for", "10s").returncode, 0, "suspend")
        scenes.is_suspended(host, MALLORY)
        host.kill()
        true(not scenes.delivered(scenes.good(host, MALLORY, 1)), "sent while suspended")
        wait_for(lambda: scenes.delivered(scenes.good(host, MALLORY, 1)), 30, "the end")


def remember(host):
    """Suspended by the rule, and something in a window: what must not be forgotten."""
    scenes.mail(host, SENDERS[0], ["r550", "r451", "", ""])
    scenes.window_is(host, SENDERS[0], delivered=2, deferred=1, failed=1)
    return scenes.suspend(host, MALLORY)


def remembers(host, account):
    now = scenes.is_suspended(host, MALLORY)
    equal((now["since"], now["until"], now["reason"]),
          (account["since"], account["until"], account["reason"]), "suspension")
    scenes.window_is(host, SENDERS[0], delivered=2, deferred=1, failed=1)
    compare.status_equals(host, host.tally(), window=False)


def test_restart():
    with running() as host:
        account = remember(host)
        equal(host.stop(), 0, "exit status after SIGTERM")
        true(host.pin("smtpl_counts").exists(), "SIGTERM removed the kernel side")
        host.start()
        remembers(host, account)


def test_reboot():
    """Everything in the kernel is gone, the state is kept."""
    with running() as host:
        account = remember(host)
        host.stop()
        equal(host.cli("unload").returncode, 0, "exit of unload")
        scenes.is_delivered(scenes.good(host, MALLORY, 1))  # nothing is in force now
        host.start()
        now = scenes.is_suspended(host, MALLORY)
        equal((now["since"], now["until"]), (account["since"], account["until"]), "suspension")
        scenes.window_is(host, SENDERS[0], delivered=2, deferred=1, failed=1)
        equal(host.account(compare.account_name(SENDERS[0]))["total"]["deferred"], 1, "total")
        true(not scenes.delivered(scenes.good(host, MALLORY, 1)), "sent while suspended")


def test_upgrade():
    """Another build over the pins of the first: no gap for the suspended, nothing counted twice."""
    with running() as host:
        account = remember(host)
        other = host.dir / "smtplimit-2"
        shutil.copy(host.binary, other)
        siege = besiege(host)
        for binary in (other, host.binary, other):
            host.stop()
            host.start(binary=binary)
            scenes.mail(host, SENDERS[1], ["r550", ""])
        raise_siege(host, siege)
        scenes.window_is(host, SENDERS[1], delivered=3, failed=3)
        remembers(host, account)
        compare.map_equals(host, host.tally())


def kernel_objects(host):
    """{(kind, id)} of all that is pinned, and the maps that the programs use."""
    found = set()
    for path in sorted(host.bpffs.rglob("*")):
        for kind in ("map", "prog", "link"):
            try:
                shown = json.loads(bpftool("-j", kind, "show", "pinned", path))
            except RuntimeError:
                continue
            found.add((kind, shown["id"]))
            if kind == "link":
                found.add(("prog", shown["prog_id"]))
    for prog in [i for kind, i in found if kind == "prog"]:
        shown = json.loads(bpftool("-j", "prog", "show", "id", prog))
        found |= {("map", i) for i in shown.get("map_ids", [])}
    return found


def exists(kind, number):
    try:
        bpftool("-j", kind, "show", "id", number)
    except RuntimeError:
        return False
    return True


def attached(host):
    return json.loads(bpftool("-j", "cgroup", "show", host.cgroup).strip() or "[]")


def test_unload_leaves_nothing():
    with running() as host:
        scenes.good(host, SENDERS[0], 1)
        made = kernel_objects(host)
        kinds = [kind for kind, _ in made]
        true(min(kinds.count(k) for k in ("map", "prog", "link")) > 3, f"found only {made}")
        true(attached(host), "nothing is attached to the cgroup")
        host.stop()
        equal(host.cli("unload").returncode, 0, "exit of unload")
        wait_for(lambda: not [o for o in made if exists(*o)], 10, "objects to be gone")
        equal(attached(host), [], "programs on the cgroup")
        equal([p for p in host.bpffs.iterdir() if p.suffix != ".debug"], [], "files in the bpffs")
        scenes.is_delivered(scenes.good(host, SENDERS[0], 1))
        equal(host.cli("unload").returncode, 0, "exit of unload with nothing to do")


def speak_on(child):
    child.stdin.write("\n")
    child.stdin.flush()


def test_connections_from_before_the_daemon():
    """Not counted, for nobody saw their beginning; but cut as long as their user is suspended."""
    alice, bob = SENDERS
    with Host() as host:
        sessions = {}
        for uid in SENDERS:
            job = {"to": REMOTE4, "uid": uid, "hold": True,
                   "messages": [{"sender": "user@one.test", "rcpts": scenes.fresh()}]}
            sessions[uid] = clients.start_jobs(host, uid, [job])
            equal(sessions[uid].stdout.readline(), "open\n", "a session")
        host.start()
        equal(host.cli("suspend", f"uid:{alice}").returncode, 0, "exit of suspend")
        scenes.is_suspended(host, alice)
        speak_on(sessions[bob])
        scenes.is_delivered(clients.finish_jobs(sessions[bob])[0])
        speak_on(sessions[alice])
        wait_for(lambda: host.status()["stats"]["refused_packets"] > 1, 10, "packets to be dropped")
        equal([s["bytes"] for s in scenes.arrivals(host, alice)], [len(f"EHLO u{alice}.test\r\n")],
              "bytes that arrived")
        equal(host.cli("release", f"uid:{alice}").returncode, 0, "exit of release")
        scenes.is_delivered(clients.finish_jobs(sessions[alice])[0])
        equal(compare.map_cells(host.counts(), compare.FIELDS), {}, "counts")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
