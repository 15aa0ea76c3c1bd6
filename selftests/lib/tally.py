# SPDX-License-Identifier: GPL-2.0-only
"""What a session amounts to, seen from the server: an account of its own, made from what the server
was asked and answered, by the rules of counting in README (attempts) and nothing of smtplimit's code.

Only what the server can see is here. A refused or unanswered connection is added by the test that
caused it (Tally.add).
"""
import time

OUTCOMES = ("delivered", "deferred", "failed", "unknown")
CELLS = ("connections",) + OUTCOMES + ("opaque",)


def outcome_of(code):
    return {2: "delivered", 4: "deferred", 5: "failed"}[code // 100]


def domain_of(address):
    """The sender domain: what is behind the last '@', lower case, without a trailing dot."""
    _, at, domain = address.rpartition("@")
    return domain.lower().removesuffix(".") if at else ""


# [limit] for a test that compares windows with a tally: what an account has counts whatever others meet.
ALONE = {"trouble_accounts": 0, "one_remote": 100}


class Tally:
    def __init__(self):
        self.cells = {}   # (uid, domain) -> {cell: count}
        self.log = []     # one entry an attempt, in order

    def _cell(self, uid, domain):
        return self.cells.setdefault((uid, domain), dict.fromkeys(CELLS, 0))

    def bump(self, uid, domain, cell, count=1):
        self._cell(uid, domain)[cell] += count

    def add(self, uid, sender, recipient, outcome, code=0, host=""):
        """An attempt towards a host. sender None: none was named. recipient None: the same."""
        domain = domain_of(sender) if sender else ""
        self.bump(uid, domain, outcome)
        self.log.append({"time": time.clock_gettime(time.CLOCK_BOOTTIME), "uid": uid,
                         "sender": sender, "recipient": recipient, "outcome": outcome,
                         "code": code, "host": host})

    def merge(self, other):
        for (uid, domain), cells in other.cells.items():
            for cell, count in cells.items():
                self.bump(uid, domain, cell, count)
        self.log += other.log

    def total(self, uid=None):
        """Sums over the domains of a uid, or over everything."""
        sums = dict.fromkeys(CELLS, 0)
        for (owner, _), cells in self.cells.items():
            if uid is None or owner == uid:
                for cell in CELLS:
                    sums[cell] += cells[cell]
        return sums

    def to_json(self):
        return {"cells": [[uid, domain, cells] for (uid, domain), cells in self.cells.items()],
                "log": self.log}

    @classmethod
    def from_json(cls, data):
        tally = cls()
        tally.cells = {(uid, domain): cells for uid, domain, cells in data["cells"]}
        tally.log = data["log"]
        return tally


def _folded(address):
    """An address as a mail's identity: the domain in lower case."""
    local, at, domain = (address or "").rpartition("@")
    return local + at + domain.lower()


def _mail_of(entry):
    """What makes two attempts the same mail. Where no recipient was named, tries to reach the same
    host are retries of each other while they are deferred."""
    if entry["recipient"] is not None:
        return _folded(entry["sender"]), _folded(entry["recipient"])
    if entry["outcome"] == "deferred":
        return _folded(entry["sender"]), "host " + entry.get("host", "")
    return None


def mails(log):
    """{delivered, deferred, failed} of the mails in a list of log entries of one account: retries
    of one (sender, recipient) are one mail, whose last outcome counts. Failures of one recipient
    count once, and once more for each further 20; those that failed come first."""
    delivered, nameless, ended, pending = 0, 0, [], set()
    for entry in log:
        mail, outcome = _mail_of(entry), entry["outcome"]
        if outcome == "unknown":
            continue
        if outcome == "deferred":
            pending.add(mail)
            continue
        pending.discard(mail)
        if outcome == "delivered":
            delivered += 1
        elif mail:
            ended.append(mail)
        else:
            nameless += 1
    seen, counted = {}, {"failed": 0, "deferred": 0}
    for outcome, those in (("failed", ended), ("deferred", pending)):
        for sender, recipient in those:
            key = (sender, recipient) if recipient.startswith("host ") else recipient
            counted[outcome] += seen.setdefault(key, 0) % 20 == 0
            seen[key] += 1
    return {"delivered": delivered, "deferred": counted["deferred"], "failed": counted["failed"] + nameless}


class Session:
    """One session. The server calls these as things happen, in order."""

    def __init__(self, tally, uid=None, host=""):
        self.tally = tally
        self.uid = uid
        self.host = host
        self.known = False      # the connection is counted
        self.over = False       # nothing more can be decided
        self.attempts = 0
        self.held = 0           # EHLO was refused with this, nothing went well since
        self.forget()

    def forget(self):
        """No transaction is open."""
        self.sender = None
        self.waiting = []       # recipients named, not answered
        self.accepted = []
        self.taken = []         # PRDR: accepted on their own, waiting for the last reply
        self.ended = False      # the end of the data came
        self.mail_refused = False

    def identify(self, uid):
        if not self.known and uid is not None:
            self.uid = uid
            self.known = True
            self.tally.bump(uid, "", "connections")

    def _decide(self, recipient, outcome, code, session=False):
        sender = None if session else self.sender
        self.attempts += 1
        if sender != "":        # the null sender is never counted
            self.tally.add(self.uid, sender, recipient, outcome, code, self.host)

    def _decide_all(self, outcome, code):
        for recipient in self.accepted + self.waiting:
            self._decide(recipient, outcome, code)
        self.accepted, self.waiting = [], []

    def greeting(self, code):
        if code >= 400 and not self.over:
            self._decide(None, outcome_of(code), code, session=True)
            self.over = True

    def ehlo(self, code):
        if self.over:
            return
        if code == 421:
            self.greeting(code)
        else:
            self.held = code if code >= 400 else 0
            self.forget()

    def mail(self, sender):
        self.forget()
        self.sender = sender

    def mail_reply(self, code):
        if code < 400:
            self.held = 0
        elif not self.over:
            self._decide(None, outcome_of(code), code)
            self.mail_refused = True
            self.over = self.over or code == 421

    def rcpt(self, recipient):
        if self.sender is not None and not self.mail_refused:
            self.waiting.append(recipient)

    def rcpt_reply(self, code, enhanced=""):
        """Answers the oldest recipient that waits."""
        if self.over or not self.waiting:
            return
        if code == 421:
            self._decide_all("deferred", code)
            self.over = True
            return
        recipient = self.waiting.pop(0)
        too_many = code in (452, 552) and enhanced[1:] == ".5.3" and self.accepted
        if code < 300:
            self.accepted.append(recipient)
        elif not too_many:
            self._decide(recipient, outcome_of(code), code)

    def data_reply(self, code):
        """To DATA, or to a BDAT chunk that is not the last."""
        if code >= 400 and not self.over:
            self._decide_all(outcome_of(code), code)
            self.over = code == 421

    def data_end(self):
        self.ended = True

    def end_reply(self, code):
        self.accepted += self.taken
        self.taken = []
        if not self.over:
            self._decide_all(outcome_of(code), code)
            self.over = code == 421
        if not self.over:
            self.forget()

    def prdr_reply(self, code):
        """After the data: the next recipient's own. A refusal stands; the accepted wait for the
        reply to the whole, which may still refuse them."""
        if self.over:
            return
        recipient = self.accepted.pop(0)
        if code >= 400:
            self._decide(recipient, outcome_of(code), code)
        else:
            self.taken.append(recipient)

    def opaque(self):
        self.tally.bump(self.uid, "", "opaque")
        self.over = True

    def reset(self):
        self.forget()

    def lost(self):
        """The server ends the connection without a reply."""
        if self.over:
            return
        self.over = True
        self.accepted += self.taken
        if self.accepted or self.waiting:
            self._decide_all("unknown" if self.ended else "deferred", 0)
        elif self.attempts == 0:
            named = self.sender is not None
            self._decide(None, "deferred", 0, session=not named)

    def closed(self):
        """QUIT, or the client closed."""
        if self.held and not self.over and self.attempts == 0:
            self._decide(None, outcome_of(self.held), self.held, session=True)
        self.over = True
