# SPDX-License-Identifier: GPL-2.0-only
"""Who sent what through an Exim, and what became of it, read from its main log alone: a tally made
from another source, by other means, than smtplimit's.

Whose a message is: the login of who ran sendmail(1) (U= with P=local), the identity of SMTP AUTH (A=),
or, of a connection from this host, whom the test has named in the EHLO (H=(NAME.client)).
"""
import re

OUTCOMES = ("delivered", "deferred", "failed")
LINE = re.compile(r"^\S+ \S+ (?P<id>\w{6}-\w{6}-\w{2}) (?P<mark><=|=>|->|\*\*|==) (?P<address>.+?)"
                  r"(?: <[^>]*>)?(?P<rest>(?: [A-Z]=|: | routing | defer ).*)$")
# What the retry time did not allow was not tried; what has timed out was deferred a line before. An
# answer of 452 to one recipient of several is taken for a limit of the remote's, and the others are for
# the next run: "defer (0)", no outcome.
NO_OUTCOME = re.compile(r" defer \(-5\d\):| defer \(0\).* after RCPT TO:<.*>: 452 | retry timeout exceeded$")


def _payer(rest):
    if found := re.search(r" A=\w+:(\S+)", rest):
        return found[1]
    if found := re.search(r" U=(\S+) P=local", rest):
        return found[1]
    found = re.search(r" H=\((\w+)\.client\) \[127\.0\.0\.1\]", rest)
    return found[1] if found else None


class Message:
    def __init__(self, sender, rest):
        self.sender = "" if sender == "<>" else sender
        self.payer = _payer(rest)


class EximLog:
    """mails: {account: {outcome: mails}}; attempts: the same, each try; nobody: attempts without a
    payer."""

    def __init__(self, text, local_domains):
        self.local_domains = local_domains
        self.messages = {}
        self.mails, self.attempts = {}, {}
        self.nobody = 0
        self.recipients = set()
        self.pending = set()
        for row in text.splitlines():
            if found := LINE.match(row):
                self._read(found)

    def _read(self, found):
        mark, rest = found["mark"], found["rest"]
        if mark == "<=":
            self.messages[found["id"]] = Message(found["address"], rest)
        elif found["address"].rpartition("@")[2] in self.local_domains or NO_OUTCOME.search(rest):
            return
        else:
            outcome = {"=>": "delivered", "->": "delivered", "**": "failed", "==": "deferred"}[mark]
            self._decide(self.messages[found["id"]], found["address"], outcome)

    def _decide(self, message, recipient, outcome):
        if not message.payer or not message.sender:
            self.nobody += 1
            return
        self._bump(self.attempts, message.payer, outcome, 1)
        self.recipients.add((message.payer, message.sender, recipient))
        key = (message.payer, message.sender, recipient)
        was = key in self.pending
        if outcome == "deferred":
            if not was:
                self._bump(self.mails, message.payer, "deferred", 1)
            self.pending.add(key)
            return
        if was:
            self._bump(self.mails, message.payer, "deferred", -1)
            self.pending.discard(key)
        self._bump(self.mails, message.payer, outcome, 1)

    @staticmethod
    def _bump(table, payer, outcome, count):
        table.setdefault(payer, dict.fromkeys(OUTCOMES, 0))[outcome] += count
