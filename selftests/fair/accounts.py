# SPDX-License-Identifier: GPL-2.0-only
"""What each kind of account sends in a day: one method a kind, in World of world.py."""
from receivers import (BIG, COLLUDING_DOMAIN, COLLUDING_DOMAINS, DEFERRED, FAILED, FIRST_DOMAIN, HOUR,
                       SMALL_DOMAINS, family)


class Kinds:
    # ---- what honest mail meets besides invalid addresses: a percent or two, see SOURCES ----

    def fate(self, rng, invalid):
        at = rng.random() - invalid
        if at < 0:
            return "hard"
        for name, share in (("soft", .006), ("conn", .003), ("full", .003), ("content", .002)):
            at -= share
            if at < 0:
                return name
        return "ok"

    def office_hour(self, rng):
        return min(max(rng.gauss(12.5, 2.8), 6), 22) * HOUR

    # ---- honest accounts ----

    def people(self, rng, a, mails, mix="business", invalid=.012, contacts=40, senders=1, local=.15):
        """Mail that people write: regular contacts, now and then a new one or a typo."""
        book = [(self.address(), self.pick_domain(rng, mix)) for _ in range(contacts)]
        for _ in range(mails):
            t, known = self.office_hour(rng), rng.random() < .75
            rcpt, domain = rng.choice(book) if known else (self.address(), self.pick_domain(rng, mix))
            fate = "hard" if not known and rng.random() < invalid * 4 else self.fate(rng, 0 if known else invalid)
            for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
                self.send(rng, a, t, rcpt, domain, fate, known=known, sender=rng.randrange(senders),
                          local=rng.random() < local)
                rcpt, domain = rng.choice(book)
                fate, known = self.fate(rng, 0), True

    def small(self, rng, a):
        self.people(rng, a, rng.randint(0, 10))

    def office(self, rng, a):
        self.people(rng, a, rng.randint(20, 150), contacts=200, senders=8)

    def wordpress(self, rng, a):
        owner, domain = self.address(), self.pick_domain(rng, "consumer")
        for _ in range(rng.randint(1, 25)):
            self.send(rng, a, rng.uniform(0, 24) * HOUR, owner, domain, self.fate(rng, 0), known=True)
        for _ in range(rng.randint(0, 6)):
            self.send(rng, a, rng.uniform(6, 23) * HOUR, self.address(), self.pick_domain(rng, "consumer"),
                      self.fate(rng, .03))

    def shop(self, rng, a):
        for _ in range(rng.randint(15, 200)):
            rcpt, domain = self.address(), self.pick_domain(rng, "consumer")
            t, fate = min(max(rng.gauss(16, 4), .1), 23.5) * HOUR, self.fate(rng, rng.choice((.01, .02, .03)))
            for wait in (0, rng.uniform(2, 20), rng.uniform(600, 9000)):  # order, payment, dispatch
                self.send(rng, a, t + wait, rcpt, domain, fate)

    def bulk(self, rng, a, n, invalid, mix="consumer", start=None, per_minute=120, order="random", limit=None,
             content=.004, concentrated=None, known=.5):
        """A list, sent in one go. order: stale addresses rather early (twice the
        share at the head of the list, none at its end), or by domain. limit: (receiver, from how
        many on, share that it then puts off)."""
        start = rng.uniform(8, 17) * HOUR if start is None else start
        people = []
        for _ in range(n):
            domain = self.pick_domain(rng, mix)
            if concentrated and rng.random() < concentrated[1]:
                domain = BIG.index(concentrated[0])
            people.append((self.address(), domain, self.fate(rng, invalid)))
        if order == "old first":
            people.sort(key=lambda p: 1 - rng.random() ** .5 if p[2] == "hard" else rng.random())
        if order == "by domain":
            people.sort(key=lambda p: p[1] * 7919 % 4001)
        seen = {}
        for i, (rcpt, domain, fate) in enumerate(people):
            seen[domain] = seen.get(domain, 0) + 1
            if fate == "ok" and limit and BIG[domain:domain + 1] == [limit[0]] and seen[domain] > limit[1] \
                    and rng.random() < limit[2]:
                fate = "rate"
            self.send(rng, a, start + 60 * i / per_minute, rcpt, domain, fate, known=rng.random() < known)

    def newsletter(self, rng, a):
        self.bulk(rng, a, rng.choice((200, 500, 1000, 2500, 5000)), rng.uniform(.02, .08),
                  order=rng.choice(("random", "old first", "by domain")), per_minute=rng.choice((30, 120, 600)))

    def newsletter_old(self, rng, a):
        """Not sent for one or two years: B2B addresses decay by about 22 % a year."""
        self.bulk(rng, a, rng.choice((150, 400, 800)), rng.uniform(.15, .33), mix="business",
                  order=rng.choice(("random", "old first")), per_minute=60)

    def newsletter_limited(self, rng, a):
        """A club or school most of whose members are with one receiver, which slows the sender down."""
        who = rng.choice(("microsoft", "yahoo", "isp1"))
        self.bulk(rng, a, rng.choice((300, 800, 1500)), .02, concentrated=(who, .75), limit=(who, rng.choice((10, 30, 100)),
                  rng.uniform(.6, .95)), per_minute=120)

    def greeting(self, rng, a):
        """Season's greetings from Outlook to the whole address book."""
        self.bulk(rng, a, rng.randint(40, 200), rng.uniform(.10, .35), mix="business", per_minute=200)

    def invoices(self, rng, a):
        self.bulk(rng, a, rng.randint(20, 150), rng.uniform(.02, .08), mix="business", known=.9, per_minute=40)

    def cron_dead(self, rng, a):
        every, rcpt, domain = rng.choice((300, 600, 900, 1800, 3600)), self.address(), FIRST_DOMAIN + rng.randrange(400) * 10 + 1
        for i in range(int(24 * HOUR / every)):
            self.send(rng, a, i * every + rng.uniform(0, 5), rcpt, domain, rng.choice(("hard",) * 49 + ("soft",)), known=True)

    def alerts_full(self, rng, a):
        rcpt, domain, full = self.address(), self.pick_domain(rng, "business"), rng.choice((DEFERRED, FAILED))
        for _ in range(rng.randint(1, 3)):
            t = rng.uniform(0, 22) * HOUR
            for _ in range(rng.randint(8, 60)):
                t += rng.expovariate(1 / 60)
                self.send(rng, a, t, rcpt, domain, "full", full=full, known=True)

    def typo(self, rng, a):
        self.people(rng, a, rng.randint(0, 6))
        t, rcpt, domain = self.office_hour(rng), self.address(), self.pick_domain(rng, "business")
        while self.catches_all(domain):
            domain = self.pick_domain(rng, "business")
        for _ in range(rng.randint(4, 9)):
            self.send(rng, a, t, rcpt, domain, "hard")
            t += rng.uniform(60, 400)

    def form_notify(self, rng, a):
        """Bots fill in a contact form; the notice goes to the owner alone, whose server takes it for spam."""
        owner, domain, p = self.address(), self.pick_domain(rng, "consumer"), rng.uniform(.3, .9)
        for _ in range(rng.randint(20, 250)):
            self.send(rng, a, rng.uniform(0, 24) * HOUR, owner, domain, "content" if rng.random() < p else "ok", known=True)

    def forwarder(self, rng, a):
        """Pipes what comes in, spam too, to a mailbox elsewhere (as a mail of its own: a forward that the
        hook knows as one is never charged)."""
        self.people(rng, a, rng.randint(0, 8))
        boxes = [(self.address(), self.pick_domain(rng, "consumer")) for _ in range(rng.randint(1, 3))]
        for _ in range(rng.randint(10, 120)):
            rcpt, domain = rng.choice(boxes)
            fate = rng.choices(("ok", "content", "rate"), (.55, .3, .15))[0]
            self.send(rng, a, rng.uniform(0, 24) * HOUR, rcpt, domain, fate, known=True, again=.6)

    def mailing_list(self, rng, a):
        n, dead = rng.randint(50, 400), rng.uniform(.01, .05)
        members = [(self.address(), self.pick_domain(rng, "consumer"), rng.random() < dead) for _ in range(n)]
        for _ in range(rng.randint(1, 8)):
            t = self.office_hour(rng)
            for i, (rcpt, domain, gone) in enumerate(members):
                self.send(rng, a, t + i * .2, rcpt, domain, "hard" if gone else self.fate(rng, 0), known=True)

    def no_spf(self, rng, a):
        """Neither SPF nor DKIM: Gmail and Microsoft refuse all of it."""
        for _ in range(rng.randint(2, 25)):
            domain = self.pick_domain(rng, rng.choice(("consumer", "business")))
            fate = "auth" if family(domain) in ("gmail", "microsoft") and rng.random() < .9 else self.fate(rng, .01)
            self.send(rng, a, self.office_hour(rng), self.address(), domain, fate)

    def greylisted(self, rng, a):
        """A club or office that writes to town halls and small firms behind greylisting, in rounds."""
        for _ in range(rng.randint(1, 3)):
            t = self.office_hour(rng)
            for i in range(rng.randint(5, 25)):
                domain = FIRST_DOMAIN + rng.randrange(SMALL_DOMAINS)
                while rng.random() < .7 and not self.greylists(domain):
                    domain = FIRST_DOMAIN + rng.randrange(SMALL_DOMAINS)
                self.send(rng, a, t + i * rng.uniform(1, 30), self.address(), domain, self.fate(rng, .01), known=False)

    def one_receiver(self, rng, a):
        """All its mail goes to one business partner with a server of its own, and it is down for hours."""
        domain = FIRST_DOMAIN + 10 * rng.randrange(300) + 1
        book, begin = [(self.address()) for _ in range(12)], rng.uniform(8, 14)
        for _ in range(rng.randint(15, 60)):
            t = self.office_hour(rng)
            self.send(rng, a, t, rng.choice(book), domain, "dead host" if begin < t / HOUR < begin + 3 else "ok", known=True)

    def inflated(self, rng, a):
        """Somebody who wants it suspended feeds its form addresses at a server of his own, which refuses all."""
        self.people(rng, a, rng.randint(5, 30))
        t, domain = self.office_hour(rng), FIRST_DOMAIN + 1000 + rng.randrange(1000) * 3 + 1
        for _ in range(rng.choice((6, 12, 30, 60))):
            t += rng.uniform(1, 20)
            self.send(rng, a, t, self.address(), domain, rng.choice(("content", "hard")), known=True)

    # ---- abused: not spammers, but what leaves is dirt. Either verdict can be defended ----

    def autoresponder(self, rng, a):
        self.people(rng, a, rng.randint(2, 15))
        for _ in range(rng.randint(15, 90)):
            self.send(rng, a, rng.uniform(0, 24) * HOUR, self.address(), self.pick_domain(rng, "consumer"),
                      rng.choices(("hard", "content", "ok"), (.45, .15, .4))[0], known=False)

    def form_copy(self, rng, a):
        """Bots fill in a form that sends a copy to the address typed in."""
        for _ in range(rng.randint(1, 3)):
            t = rng.uniform(0, 22) * HOUR
            for _ in range(rng.choice((10, 30, 100, 300))):
                t += rng.expovariate(1 / 30)
                self.send(rng, a, t, self.address(), self.pick_domain(rng, "consumer"),
                          rng.choices(("hard", "content", "ok"), (.5, .1, .4))[0], known=False)

    # ---- spammers: an account that is also somebody's, so with honest mail of its own ----

    def spam(self, rng, a, t, n, per_minute, invalid, content, rate=0.0, mix="consumer", collude=None, latency=None, named=None):
        i = 0
        while i < n and t < 24 * HOUR:
            t += rng.expovariate(per_minute / 60)
            i += 1
            if collude and rng.random() < .5:
                rcpt, domain = collude(i)
                self.send(rng, a, t, rcpt, domain, "ok", known=True, latency=latency)
                continue
            at, domain = rng.random(), self.pick_domain(rng, mix)
            fate = "hard" if at < invalid else "content" if at < invalid + content else \
                "rate" if at < invalid + content + rate else "ok"
            self.send(rng, a, t, self.address(), domain, fate, known=False, again=.9, latency=latency, named=named)

    def spammer(self, rng, a, **how):
        self.people(rng, a, rng.randint(0, 12))
        how.setdefault("t", rng.uniform(.5, 12) * HOUR)
        self.spam(rng, a, **how)

    def dict40(self, rng, a):
        self.spammer(rng, a, n=6000, per_minute=rng.choice((20, 60, 120)), invalid=.40, content=.15, rate=.10)

    def dict70(self, rng, a):
        self.spammer(rng, a, n=6000, per_minute=rng.choice((20, 60, 120)), invalid=.70, content=.10)

    def dict95(self, rng, a):
        self.spammer(rng, a, n=6000, per_minute=rng.choice((20, 60, 120)), invalid=.95, content=.02)

    def oldlist60(self, rng, a):
        self.spammer(rng, a, n=4000, per_minute=rng.choice((10, 60, 200)), invalid=rng.uniform(.45, .6), content=.15)

    def oldlist30(self, rng, a):
        self.spammer(rng, a, n=4000, per_minute=rng.choice((10, 60, 200)), invalid=rng.uniform(.2, .3), content=.10)

    def harvest(self, rng, a):
        """Tries names at one company's domain."""
        domain = FIRST_DOMAIN + 1000 + rng.randrange(1000) * 3 + 1
        while self.catches_all(domain):
            domain += 3
        self.people(rng, a, rng.randint(0, 12))
        t = rng.uniform(.5, 12) * HOUR
        for _ in range(3000):
            t += rng.expovariate(1)
            self.send(rng, a, t, self.address(), domain, "hard" if rng.random() < .97 else "ok", known=True)

    def drip(self, rng, a):
        self.spammer(rng, a, n=1400, per_minute=1, invalid=.50, content=.10)

    def slow_drip(self, rng, a):
        self.spammer(rng, a, n=280, per_minute=.2, invalid=.50, content=.15, t=.5 * HOUR)

    def snowshoe(self, rng, a):
        self.spammer(rng, a, n=240, per_minute=rng.uniform(8, 14) / 60, invalid=.50, content=.15, t=.5 * HOUR)

    def burst(self, rng, a):
        self.spammer(rng, a, n=5000, per_minute=5000, invalid=.45, content=.15)

    def content(self, rng, a):
        self.spammer(rng, a, n=3000, per_minute=rng.choice((10, 60)), invalid=.05, content=.65)

    def deferred(self, rng, a):
        self.spammer(rng, a, n=2000, per_minute=30, invalid=.05, content=.05, rate=.75)

    def forger(self, rng, a):
        """Names a neighbour's domain as the sender's."""
        self.spammer(rng, a, n=1000, per_minute=20, invalid=.5, content=.2, named=rng.randrange(400))

    def dilute_one(self, rng, a):
        box = [self.address() for _ in range(50)]
        self.spammer(rng, a, n=6000, per_minute=60, invalid=.55, content=.10,
                     collude=lambda i: (box[i % 50], COLLUDING_DOMAIN))

    def dilute_many(self, rng, a):
        box = [self.address() for _ in range(3000)]
        self.spammer(rng, a, n=6000, per_minute=60, invalid=.55, content=.10,
                     collude=lambda i: (box[i % 3000], COLLUDING_DOMAIN + 1 + i % (COLLUDING_DOMAINS - 1)))

    def dilute_gmail(self, rng, a):
        box = [self.address() for _ in range(5)]
        self.spammer(rng, a, n=6000, per_minute=60, invalid=.55, content=.10, collude=lambda i: (box[i % 5], 0))

    def mailbomb(self, rng, a):
        self.people(rng, a, rng.randint(0, 12))
        victim, t = self.address(), rng.uniform(1, 20) * HOUR
        for i in range(1500):
            t += rng.expovariate(rng.choice((1, 2)))
            self.send(rng, a, t, victim, 0, "ok" if i < 60 else "bombed", known=True)
