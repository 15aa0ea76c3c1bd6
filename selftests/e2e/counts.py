# SPDX-License-Identifier: GPL-2.0-only
"""The counts of more than 20,000 delivery attempts, answered in every way at every stage, equal the
test server's own tally in every cell. The pinned map and `status -j` agree with it, for several
clients and uids, and the windows have its mails."""
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402

SEED = 20261121
ATTEMPTS = 20000
BULK_UIDS = (20001, 20002, 20003, 33)
HOSTS = ("203.0.113.1", "198.51.100.7", "2001:db8::1", "2001:db8:1::25")
RCPTS_PER_MESSAGE = 40
PORT_UNHEARD = 2526

RCPT_ACTS = (["-"] * 6) + ["r550.5.1.1-", "r550.5.1.1x3-", "r451.4.7.1-", "r452.4.2.2-", "r551-",
                           "r451+250-", "r451+550-", "r251-"]
TOO_MANY = "r452.4.5.3-"    # the server's limit: what comes last
# What may happen to a whole message: directives of its first recipient.
MESSAGE_ACTS = (["-"] * 4) + ["d451.4.3.0-", "d554.5.6.0-", "e451-", "e552.5.3.4-", "eearly552-",
                              "e554x4-"]
# What ends a session.
FINAL_ACTS = ["rdrop-", "rrst-", "ddrop-", "drst-", "edrop-", "erst-", "r421-", "d421-", "e421-"]
SENDER_ACTS = ["m550.5.7.1-", "m451-", "mdrop-", "m421-", "mrst-"]
EHLO_ACTS = ["h550", "h451", "h502e", "h421", "hdrop", "hrst"]
GREETINGS = ["554", "421", "450", "d0", "d1"]


class Load:
    """Makes the jobs of one uid. Every address is its own, so no retry is meant by accident."""

    def __init__(self, uid, serial=0):
        self.uid = uid
        self.random = random.Random(SEED + uid)
        self.serial = serial

    def address(self, act):
        self.serial += 1
        return f"{act.lstrip('-')}n{self.serial}-{self.uid}@far{self.serial % 7}.test"

    def sender(self, act=""):
        domain = self.random.choice(["one.test", "two.test", "Three.Test", f"own{self.uid}.test."])
        return f"{act}u{self.uid}@{domain}"

    def message(self, first="-", count=RCPTS_PER_MESSAGE, sender=""):
        rcpts = [self.address(first)]
        while len(rcpts) < count:
            rcpts.append(self.address(self.random.choice(RCPT_ACTS)))
        message = {"sender": self.sender(sender), "rcpts": rcpts}
        kind = self.random.randrange(8)
        if kind == 0:
            message["prdr"] = True
            rcpts[-1] = self.address("p550.5.2.1-")
        elif kind < 4 and first == "-":
            rcpts += [self.address(TOO_MANY) for _ in range(kind)]
        elif kind == 4 and first == "-":
            message["bdat"] = [700, 11, 5000]
        return message

    def job(self, messages, **more):
        return {"uid": self.uid, "to": self.random.choice(HOSTS), "messages": messages,
                "how": self.random.choice(["lockstep", "pipeline", "pipeline"]), **more}

    def bulk(self, sessions):
        """Whole sessions of several messages; now and then the same message once more."""
        made = []
        for _ in range(sessions):
            messages = [self.message(self.random.choice(MESSAGE_ACTS)) for _ in range(3)]
            messages.append(dict(messages[0], rset=self.random.random() < 0.2))
            made.append(self.job(messages))
        return made

    def endings(self):
        """Each way in which a session can end, in each manner of sending."""
        made = []
        for how in ("lockstep", "pipeline", "bytes"):
            for act in FINAL_ACTS:
                made.append(self.job([self.message(act, 3)], how=how))
            for act in SENDER_ACTS:
                made.append(self.job([self.message("-", 2, sender=act)], how=how))
        for act in EHLO_ACTS:
            made.append(self.job([self.message("-", 2)], ehlo=f"{act}.u{self.uid}.test"))
        for code in GREETINGS:
            made.append(self.job([self.message("-", 2)], to=f"2001:db8:1:{self.uid:x}::{code}"))
        return made

    def oddities(self):
        """What must not count, and what must not confuse."""
        null = {"sender": "", "rcpts": [self.address("r550-"), self.address("-")]}
        callout = {"sender": self.sender(), "rcpts": [self.address("-")], "rset": True}
        kinds = [self.job([null, callout, self.message("-", 3)], how=how)
                 for how in ("lockstep", "pipeline", "bytes")]
        kinds += [self.job([self.message("-", 4)], to="203.0.113.1", socket=socket)
                  for socket in ("mapped", "mptcp")]
        return kinds + [self.job([self.message("-", 4)], port=587)]


def run_in_parallel(host, loads):
    running = [clients.start_jobs(host, uid, jobs) for uid, jobs in loads]
    return [clients.finish_jobs(child, 300) for child in running]


def test_every_outcome_at_every_stage(host):
    loads = [(uid, Load(uid)) for uid in BULK_UIDS]
    run_in_parallel(host, [(uid, load.endings() + load.oddities()) for uid, load in loads])
    compare.map_equals(host, host.expected())


def test_connection_refused(host):
    uid = 20004
    result = clients.send(host, uid, "a@one.test", ["b@far.test"], port=PORT_UNHEARD)
    ktap.equal(result["error"], 111, "errno of connect")
    host.unseen.bump(uid, "", "connections")
    host.unseen.add(uid, None, None, "deferred")
    compare.map_equals(host, host.expected())


def test_real_clients(host):
    rcpts = ["r550.5.1.1-bob@far.test", "good@far.test"]
    uid = 20010
    for name in ("smtplib", "swaks", "curl", "phpmailer", "php_socket", "uring"):
        getattr(clients, name)(host, uid, f"{name}@{name}.test", rcpts)
        for act in ("e451-", "d554-", "r451-"):
            getattr(clients, name)(host, uid, f"{name}@{name}.test", [f"{act}{name}@far.test"])
        uid += 1
    clients.swaks(host, 5, "games@swaks.test", rcpts, pipeline=True)
    clients.smtp_source(host, uid, "source@source.test", "sink@far.test", messages=200,
                        sessions=4, rcpts=5)
    compare.map_equals(host, host.expected())


def test_20000_attempts(host):
    sessions = ATTEMPTS // (len(BULK_UIDS) * 4 * RCPTS_PER_MESSAGE) + 8
    run_in_parallel(host, [(uid, Load(uid, 1000000).bulk(sessions)) for uid in BULK_UIDS])
    tally = host.expected()
    total = sum(tally.total()[outcome] for outcome in compare.tally.OUTCOMES)
    ktap.diagnose(f"{total} attempts: {tally.total()}")
    ktap.true(total >= ATTEMPTS, f"{total} attempts are fewer than {ATTEMPTS}")
    compare.map_equals(host, tally)


def test_status_has_the_same_totals_and_the_windows_the_mails(host):
    compare.status_equals(host, host.expected())


def test_nothing_was_lost(host):
    compare.stats_are(host, ring_full=0, counts_full=0, sessions_desync=0, session_nomem=0,
                      hole_resyncs=0, reply_malformed=0)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()),
              scenes.running({"limit": {"mode": "observe", **compare.tally.ALONE},
                              "watch": {"ports": f"25,465,587,{PORT_UNHEARD}", "ring": "32m",
                                        "direct_users": "www-data"}}))
