# SPDX-License-Identifier: GPL-2.0-only
"""A night of a shared host, condensed: 20 customers on one mail server with a content filter, Mailman,
mailboxes whose sieve scripts redirect, and a smart host behind a tunnel (night_parts.py). Three of them
are bad. What each account has to have, and what has to arrive, is what this scene knows by itself: each
recipient belongs to one payer, and the remote hosts say what became of it.

e2e/night_postfix.py makes a server that uses the parts, and runs the tests of this file (TESTS) in their
order. Each test function takes the Night.
"""
import contextlib
import re

import compare
import mta
import mta_tree
import night_parts
import scenes
import tally
from ktap import equal, true
from system import wait_for

MORE = ("erin frank grace heidi ivan judy kim leo mallory nina oscar peggy quinn rupert sybil "
        "trudy").split()
mta_tree.add_customers(MORE)
UIDS = mta_tree.USERS
BAD = {"mallory": "a dirty list, by SMTP AUTH",
       "trudy": "a compromised script that runs sendmail(1) in a neighbour's name",
       "oscar": "a stolen password, used from elsewhere under foreign domains"}
GOOD = [name for name in UIDS if name not in BAD]
LIST_OWNER, LIST, DEAD_MEMBERS = "heidi", "news@heidi.test", 3
REDIRECTORS = "ivan judy kim leo nina peggy".split()
FORGED = "alice"
NEIGHBOURS = "bob carol dave erin".split()
SERVICES = ("debian-spamd", "list", "vmail", "stunnel4")
FAILS = "r550.5.1.1"
FULL = "r552.5.2.2"

# far.test and all names that are not said here lie behind the smart host; the server itself delivers to
# near.test and backup.test, for which it is a backup MX.
SMART_HOST = ("198.51.100.10", 465)
DIRECT = ["near.test", "backup.test"]
MX = {"near.test": ["198.51.100.1", "198.51.100.2"], "backup.test": ["198.51.100.3"],
      "far.test": ["198.51.100.4"], "elsewhere.test": ["198.51.100.5"], "spam.test": ["198.51.100.5"]}
REMOTE = {"tls": True, "tls_inside": True}


def address(name):
    return f"{name}@{name}.test"


class Night:
    """server.parts: Spamd, Dovecot, Mailman, Tunnel."""

    def __init__(self, server):
        self.server, self.host, self.parts = server, server.host, server.parts
        _, self.dovecot, self.mailman, _ = self.parts
        self.payers = {}    # recipient: the customer who has to pay for it, or None
        self.wanted = set()     # recipients that have to have their mail
        self.refused = []       # that must not be asked at all
        self.given_up = set()   # that were awaited in vain
        self.inbound = {}       # mailbox: subjects
        self.numbers = iter(range(1, 10**6))
        self.members = self.new(LIST_OWNER, ["", FAILS] * DEAD_MEMBERS + ["", ""])
        for name in REDIRECTORS:
            self.dovecot.redirect_spam(name, self.new(None, [FULL])[0])
        # It takes the longest of all to start, and needs no mail server for that.
        self.mailman.make_list(LIST, self.members)
        self.mailman.start()

    def start(self):
        for part in self.parts:
            if part != self.mailman:
                part.start()
        for part in self.parts:
            part.wait_ready()

    # mail

    def new(self, payer, acts, domain=None):
        """A fresh recipient for each act, half of them behind the smart host."""
        found = []
        for act in acts:
            number = next(self.numbers)
            where = domain or ("far.test", "near.test")[number % 2]
            found.append(f"{act}{'-' if act else ''}n{number}@{where}")
            if not act and payer:
                self.wanted.add(found[-1])
        self.payers.update(dict.fromkeys(found, payer))
        return found

    def by_auth(self, name, rcpts, sender=None):
        return self.server.swaks(UIDS[name], sender or address(name), rcpts, auth=name).ok

    def by_sendmail(self, name, rcpts, sender=None):
        return self.server.sendmail(UIDS[name], sender or address(name), rcpts).returncode == 0

    def by_php(self, name, rcpts, sender=None):
        done = self.server.php_mail(UIDS[name], sender or address(name), ", ".join(rcpts))
        return done.returncode == 0

    def by_loopback(self, name, rcpts, sender=None):
        return self.server.swaks(UIDS[name], sender or address(name), rcpts).ok

    def stolen(self, name, rcpts, sender):
        more = ["--port", 587, "--auth", "PLAIN", "--auth-user", name, "--auth-password", mta.SECRET]
        return self.server.swaks_from_remote(sender, rcpts, more).ok

    def way(self, name):
        """Each customer has one."""
        ways = (self.by_auth, self.by_sendmail, self.by_php, self.by_loopback)
        return ways[list(UIDS).index(name) % len(ways)]

    def usual_mail(self, name):
        """Good ones, and one or two that fail."""
        acts = [FAILS] * (1 if name == LIST_OWNER else 1 + list(UIDS).index(name) % 2)
        for group in (["", ""], ["", *acts]):
            true(self.way(name)(name, self.new(name, group)), f"{name}'s mail was not taken")

    def mail_from_outside(self, names):
        """Somebody writes to these mailboxes."""
        subject = f"in-{next(self.numbers)}."
        for name in names:
            self.inbound.setdefault(name, []).append(subject)
        sent = self.server.swaks_from_remote("somebody@elsewhere.test", [address(n) for n in names],
                                             ["--header", f"Subject: {subject}"])
        true(sent.ok, f"mail from outside for {names}:\n{sent.text}")

    def spam(self, name):
        number = next(self.numbers)
        self.inbound.setdefault(name, []).append(f"in-{number}.")
        sent = self.server.swaks_from_remote(
            f"s{number}@spam.test", [address(name)],
            ["--header", f"Subject: in-{number}.", "--body", night_parts.GTUBE])
        true(sent.ok, f"spam for {name}:\n{sent.text}")

    # what became of it

    def log(self):
        """Attempts at the remote hosts that are of this scene's recipients."""
        return [entry for entry in self.host.tally().log if entry["recipient"] in self.payers]

    def wait_decided(self, timeout=30):
        """Until each recipient that has been written to is delivered or has failed, and nothing waits."""
        waiting = set(self.payers) - set(self.refused) - self.given_up

        def decided():
            done = {e["recipient"] for e in self.log() if e["outcome"] in ("delivered", "failed")}
            waiting.difference_update(done)
            return not waiting
        try:
            wait_for(decided, timeout)
        except TimeoutError:
            self.given_up |= waiting
            raise AssertionError(f"not decided: {sorted(waiting)}") from None
        self.server.wait_queue_empty(timeout)

    def by_payer(self):
        """{customer: log entries}"""
        found = {}
        for entry in self.log():
            found.setdefault(self.payers[entry["recipient"]], []).append(entry)
        found.pop(None, None)
        return found

    def accounts(self, part):
        """{account: {outcome: count}} of those in status that have any. A service has what is nobody's."""
        rows = {a["account"]: {o: a[part][o] for o in ("delivered", "deferred", "failed")}
                for a in self.host.status()["accounts"] if a["account"] not in SERVICES}
        return {name: row for name, row in rows.items() if any(row.values())}

    def suspended(self):
        return sorted(a["account"] for a in self.host.status()["accounts"] if a["suspended"])


@contextlib.contextmanager
def running(make):
    """make(host): a server with its parts, not configured."""
    made = []
    with mta.hooked(make, MX, prepare=lambda server: made.append(Night(server)), server=REMOTE):
        made[0].start()
        yield made[0]


def test_everybody_sends_and_is_written_to(night):
    for n, name in enumerate(GOOD):
        night.mail_from_outside([GOOD[n - 1], name, list(BAD)[n % 3]])
        night.usual_mail(name)


def test_posts_to_a_list_with_dead_members(night):
    true(night.by_auth(LIST_OWNER, [LIST]), "the owner's post")
    true(night.by_sendmail("frank", [LIST]), "a neighbour's post")
    sent = night.server.swaks_from_remote("somebody@elsewhere.test", [LIST])
    true(sent.ok, f"a post from outside:\n{sent.text}")

    def posted():
        got = [e["recipient"] for e in night.log() if e["recipient"] in night.members]
        return len(got) == 3 * len(night.members)
    wait_for(posted, 60, "three posts to reach the members")


def test_spam_goes_on_to_full_mailboxes(night):
    for name in REDIRECTORS:
        night.spam(name)


def test_an_outsider_forges_a_customer(night):
    """To dead addresses of a domain whose mail this host passes on."""
    rcpts = night.new(None, [FAILS] * 6, "backup.test")
    for rcpt in rcpts:
        sent = night.server.swaks_from_remote(address(FORGED), [rcpt])
        true(sent.ok, f"mail for the relayed domain:\n{sent.text}")
    night.wait_decided()


def until_suspended(night, name, send):
    """Five mails that fail, one after the other, each counted before the next; in between mail that goes
    through the same parts."""
    for n in range(1, 6):
        true(send(night.new(name, [FAILS])), f"{name}'s mail {n} was not taken")
        scenes.window_is(night.host, name, failed=n)
        night.mail_from_outside([NEIGHBOURS[n % 4], name])
    wait_for(lambda: night.host.suspended(name), 10, f"{name} to be suspended")


def test_a_dirty_list(night):
    until_suspended(night, "mallory", lambda rcpts: night.by_auth("mallory", rcpts))


def test_a_compromised_script(night):
    until_suspended(night, "trudy", lambda rcpts: night.by_php("trudy", rcpts, address("bob")))


def test_a_stolen_password(night):
    senders = iter([address("carol"), "x@bank.test", "y@shop.test", address("dave"), "z@post.test"])
    until_suspended(night, "oscar", lambda rcpts: night.stolen("oscar", rcpts, next(senders)))


def test_the_three_are_refused(night):
    """None of what they send from now on is tried."""
    for name in BAD:
        for way in (night.by_auth, night.by_sendmail, night.by_php, night.by_loopback):
            rcpts = night.new(name, [""])
            night.refused += rcpts
            night.wanted.difference_update(rcpts)
            way(name, rcpts)
    rcpts = night.new("oscar", [""])
    night.refused += rcpts
    night.wanted.difference_update(rcpts)
    true(not night.stolen("oscar", rcpts, "x@bank.test"), "the stolen password is of use")


def test_the_others_go_on(night):
    for n, name in enumerate(GOOD):
        night.mail_from_outside([name, list(BAD)[n % 3]])
        true(night.way(name)(name, night.new(name, [""])), f"{name}'s mail was not taken")
    night.wait_decided()
    asked = [e["recipient"] for e in night.log() if e["recipient"] in night.refused]
    equal(asked, [], "mail of the suspended at the remote hosts")


def test_exactly_the_three_are_suspended(night):
    equal(night.suspended(), sorted(BAD), "suspended")


def test_windows_are_as_tallied(night):
    want = {name: tally.mails(log) for name, log in night.by_payer().items()}
    compare.settle(lambda: night.accounts("window"), want, 20, "mails of the accounts")


def test_totals_are_as_tallied(night):
    """In attempts."""
    want = {}
    for name, log in night.by_payer().items():
        row = want.setdefault(name, dict.fromkeys(("delivered", "deferred", "failed"), 0))
        for entry in log:
            row[entry["outcome"]] += 1
    compare.settle(lambda: night.accounts("total"), want, 20, "attempts of the accounts")


def test_no_service_is_an_account(night):
    rows = [a for a in night.host.status()["accounts"] if a["account"] in SERVICES]
    bad = [a["account"] for a in rows
           if a["suspended"] or a["window"]["failed"] or a["window"]["deferred"]]
    equal(bad, [], "services that are accounts with failures")


def test_what_came_in_is_in_the_mailboxes(night):
    def got():
        return {name: sorted(re.findall(r"^Subject: (in-\d+\.)$", "\n".join(night.dovecot.mailbox(name)),
                                        re.MULTILINE)) for name in night.inbound}
    compare.settle(got, {name: sorted(subjects) for name, subjects in night.inbound.items()}, 20,
                   "mailboxes")


def test_nobody_outside_got_a_bounce(night):
    """But who sent the spam: its copies found full mailboxes."""
    rows = [row for row in night.server.log().splitlines()
            if re.search(r"(to=<|[=-]> |\*\* |== )somebody@elsewhere\.test", row)]
    equal(rows, [], "mail to who wrote to the customers")


def test_good_mail_arrived(night):
    got = {e["recipient"] for e in night.log() if e["outcome"] == "delivered"}
    equal(sorted(night.wanted - got), [], "missing at the remote hosts")


TESTS = [function for name, function in globals().items() if name.startswith("test_")]
