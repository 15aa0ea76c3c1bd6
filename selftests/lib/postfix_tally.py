# SPDX-License-Identifier: GPL-2.0-only
"""Who sent what with which outcome, made from Postfix's own log, for tests: an account of its own that
shares nothing with smtplimit.

    entries(log, owners, relays, loopback) -> {account: [{"sender", "recipient", "outcome", "own"}, ...]}
    waiting(log) -> {queue id, ...}     of the messages that were active and are not removed

owners: {domain: user}. relays: uids that say nothing of the sender. loopback: {queue id: user} of the
messages that the test brought in over loopback, as Postfix answered "queued as". An entry for each
time that smtp(8) or error(8) decided about a recipient; None pays for what is nobody's. own: it was this
host's fault, so that it is in no window.
"""
import pwd
import re

LINE = re.compile(r"^\S+ +\d+ [\d:]+ \S+ postfix(?:/[\w-]+)*/([\w-]+)\[\d+\]: (\w+): (.*)$")
DELIVERY = re.compile(r"to=<([^>]*)>, (?:orig_to=<[^>]*>, )?relay=.*, dsn=[\d.]+, status=(\w+) \((.*)\)$")
QUEUED = re.compile(r"from=<(.*)>, size=\d+, nrcpt=\d+ \(queue active\)$")
OWN = re.compile(r"^(delivery temporarily suspended: )?(connect to \S+: (Network is unreachable|No route to host)$|"
                 r"SASL authentication failed; |mail for \S+ loops back to myself$)")
OUTCOMES = {"sent": "delivered", "deferred": "deferred", "bounced": "failed"}


def _user(uid, relays):
    return None if int(uid) in relays else pwd.getpwuid(int(uid)).pw_name


class _Message:
    def __init__(self):
        self.sender = ""
        self.user = None
        self.foreign = True     # nothing is known of its submission: made by Postfix, or from outside

    def account(self, owners):
        if self.sender == "":
            return None
        if self.user:
            return self.user
        domain = self.sender.rpartition("@")[2].lower()
        return None if self.foreign else owners.get(domain, f"domain:{domain}")


def _submitted(message, service, text, queue_id, relays, loopback):
    if service == "pickup" and (found := re.match(r"uid=(\d+) from=", text)):
        message.user, message.foreign = _user(found[1], relays), False
    elif service == "smtpd" and text.startswith("client="):
        name = re.search(r", sasl_username=(\S+)", text)
        message.user = name[1] if name else loopback.get(queue_id)
        message.foreign = not message.user


def entries(log, owners, relays, loopback):
    messages, found = {}, {}
    for row in log.splitlines():
        line = LINE.match(row)
        if not line:
            continue
        service, queue_id, text = line.groups()
        message = messages.setdefault(queue_id, _Message())
        if service in ("pickup", "smtpd"):
            _submitted(message, service, text, queue_id, relays, loopback)
        elif service == "qmgr" and (sender := QUEUED.match(text)):
            message.sender = sender[1]
        elif service in ("smtp", "error") and (delivery := DELIVERY.match(text)):
            recipient, status, said = delivery.groups()
            if status in OUTCOMES:
                found.setdefault(message.account(owners), []).append(
                    {"sender": message.sender, "recipient": recipient, "outcome": OUTCOMES[status],
                     "own": bool(OWN.search(said))})
        elif text == "removed":
            del messages[queue_id]
    return found


def waiting(log):
    found = set()
    for line in map(LINE.match, log.splitlines()):
        if line and line[1] == "qmgr" and QUEUED.match(line[3]):
            found.add(line[2])
        elif line and line[3] == "removed":
            found.discard(line[2])
    return found
