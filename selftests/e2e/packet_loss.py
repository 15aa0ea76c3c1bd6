# SPDX-License-Identifier: GPL-2.0-only
"""Mail over a network that loses, cuts up and reorders packets is counted once, and every session
ends in step. Retransmissions are not counted again, and replies that arrive behind a hole are read
in order."""
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import LIB, PYTHON, REMOTE4, REMOTE6, sh  # noqa: E402
from ktap import Skip, true  # noqa: E402

SEED = 20261122
UIDS = (20001, 20002, 20003, 20004)
CHOPPED4, CHOPPED6 = "198.51.100.9", "2001:db8:1::9"    # replies come one byte a segment
TIMEOUT_S = 120         # RTOs of seconds double with each retransmission that is lost; RFC 5321 waits for minutes
DETOUR = "192.0.2.25"                                   # behind a router that reorders
LINES = ("The quick brown fox jumps over the lazy dog, as ever.", "", "..", "... stuffed",
         "RCPT TO:<in@the.body>", "QUIT", "x" * 700, "MAIL")

RCPT_ACTS = [""] * 5 + ["r550.5.1.1", "r451.4.7.1x3", "r452.4.2.2", "r251"]
# Of the first recipient: what becomes of the whole message.
MESSAGE_ACTS = [""] * 5 + ["d451.4.3.0", "d554", "e552.5.3.4", "e451x3", "eearly552"]


class Load:
    """Makes the jobs of one client, each address its own."""

    def __init__(self, uid, number):
        self.uid = uid
        self.random = random.Random(SEED + 1000 * number + uid)

    def body(self):
        size = self.random.choice([0, 100, 3000, 40000])
        lines = []
        while sum(map(len, lines)) < size:
            lines.append(self.random.choice(LINES))
        return "Subject: test\r\n\r\n" + "".join(line + "\r\n" for line in lines)

    def message(self):
        acts = [self.random.choice(MESSAGE_ACTS)] + self.random.choices(RCPT_ACTS, k=4)
        message = {"sender": f"u{self.uid}@{self.random.choice(['one', 'two'])}.test",
                   "rcpts": [scenes.fresh(act)[0] for act in acts], "body": self.body()}
        if self.random.randrange(8) == 0 and not acts[0]:
            message["bdat"] = [700, 11, 20000]
        return message

    def job(self, to, how, messages):
        return {"uid": self.uid, "to": to, "how": how, "timeout": TIMEOUT_S,
                "messages": [self.message() for _ in range(messages)]}

    def jobs(self, hosts, chopped):
        made = [self.job(self.random.choice(hosts), how, 5)
                for how in ("lockstep", "pipeline", "pipeline")]
        made.append(self.job(self.random.choice(chopped), "lockstep", 1))
        return made + [self.job(hosts[0], "bytes", 1)]


def send_all(host, hosts, chopped):
    """All uids at once, three clients each; then the figures are those of the server."""
    running = [clients.start_jobs(host, uid, Load(uid, number).jobs(hosts, chopped))
               for number in range(3) for uid in UIDS]
    results = [result for child in running for result in clients.finish_jobs(child, 600)]
    errors = [(r["error"], r["at"]) for r in results if r["error"] is not None]
    true(not errors, f"sessions that were lost: {errors}")
    tally = host.tally()
    total = tally.total()
    ktap.diagnose(f"{total}")
    true(sum(total[o] for o in compare.tally.OUTCOMES) > 500, f"few attempts: {total}")
    true(all(total[o] > 50 for o in ("delivered", "deferred", "failed")), f"not mixed: {total}")
    compare.map_equals(host, tally)
    compare.status_equals(host, tally)
    compare.stats_are(host, sessions_desync=0, hole_resyncs=0, reply_malformed=0, ring_full=0)
    stats = host.status()["stats"]
    ktap.diagnose(f"{stats}")
    return stats


def running():
    return scenes.running({"limit": {"mode": "observe", **compare.tally.ALONE}},
                          server={"special": {f"{CHOPPED4}:25": {"chop": True},
                                              f"{CHOPPED6}:25": {"chop": True}}})


def lose(host, netns):
    """3 % of what arrives in a namespace is lost."""
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin")
    if not nft:
        raise Skip("nft is not installed")
    for rule in ("add table inet loss", "add chain inet loss in { type filter hook input priority 0 ; }",
                 "add rule inet loss in iif != lo numgen random mod 100 < 3 counter drop"):
        sh("nsenter", f"--net=/run/netns/{netns}", nft, rule)

    def lost():
        listed = sh("nsenter", f"--net=/run/netns/{netns}", nft, "list", "ruleset")
        return int(re.search(r"counter packets (\d+)", listed)[1])
    return lost


def test_three_percent_lost_both_ways():
    with running() as host:
        lost = [lose(host, netns) for netns in ("sender", "remote")]
        stats = send_all(host, [REMOTE4, "198.51.100.7", REMOTE6], [CHOPPED4, CHOPPED6])
        counts = [count() for count in lost]
        ktap.diagnose(f"lost: {counts}")
        true(min(counts) > 20, f"hardly anything was lost: {counts}")
        true(stats["hole_drops"] > 0, "no reply came behind a hole")


def test_small_segments_and_loss():
    with running() as host:
        for netns in ("sender", "remote"):
            host.ip(netns, "link", "set", "eth0", "mtu", "296")
        lost = [lose(host, netns) for netns in ("sender", "remote")]
        send_all(host, [REMOTE4, "198.51.100.7"], [CHOPPED4])
        true(min(count() for count in lost) > 20, "hardly anything was lost")


def detour(host):
    """A way to DETOUR and back on which packets overtake each other and come twice."""
    for netns, own, other in (("sender", "192.0.2.1", DETOUR), ("remote", DETOUR, "192.0.2.1")):
        try:
            host.ip(netns, "tuntap", "add", "tun0", "mode", "tun")
        except RuntimeError as why:
            raise Skip(f"no tun device: {why}") from None
        host.ip(netns, "addr", "add", own, "peer", other, "dev", "tun0")
        host.ip(netns, "link", "set", "tun0", "up")
    router = subprocess.Popen([PYTHON, LIB / "reorder.py", "/run/netns/sender", "/run/netns/remote"],
                              stdout=subprocess.PIPE, text=True)
    host.cleanups.append(lambda: (router.kill(), router.wait()))
    true(router.stdout.readline() == "ready\n", "the router did not start")


def test_packets_that_overtake_each_other():
    with running() as host:
        detour(host)
        stats = send_all(host, [DETOUR], [DETOUR])
        true(stats["hole_drops"] > 0, "no reply overtook another")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
