# SPDX-License-Identifier: GPL-2.0-only
"""A day of a shared hosting server with 1,000 accounts: who sends what, and what became of it.

Deterministic: each account has a random generator of its own, seeded by (seed, account number), so
that another kind's change moves nobody else's mail. README.md says where the figures are from.
A world for `run --world FILE` has POPULATION, DAYS, GREYLISTING and make() as below.
"""
import random
import struct

import accounts
import replies
from receivers import (BIG, CATCH_ALL, COLLUDING_DOMAIN, DEFERRED, DELIVERED, FAILED, FIRST_DOMAIN,
                       FIRST_TENANT, GREYLISTING, HOUR, SHARES, SMALL_DOMAINS, TENANTS, family,
                       remote_of)

WARM, LOCAL, OFF_WIRE = 1, 2, 4
RECORD = struct.Struct("<7I4BI")


class World(accounts.Kinds):
    def __init__(self, seed, day="plain", mta="exim", greylisting=GREYLISTING):
        self.seed, self.day, self.mta, self.greylisting = seed, day, mta, greylisting
        self.rows, self.mails, self.rcpts = [], 0, 0
        self.kinds = []  # of each account: (kind, label)

    # ---- addresses ----

    def pick_domain(self, rng, mix):
        at = rng.random()
        for name, share in SHARES[mix].items():
            at -= share
            if at < 0:
                big = BIG.index(name)
                if mix == "consumer" or big > 1:
                    return big
                return FIRST_TENANT + TENANTS * big + rng.randrange(TENANTS)
        return FIRST_DOMAIN + int(SMALL_DOMAINS * rng.random() ** 1.7)

    def address(self):
        self.rcpts += 1
        return self.rcpts - 1

    def greylists(self, domain):
        return (family(domain) == "small" and domain < COLLUDING_DOMAIN
                and domain * 7919 % 1000 < 1000 * self.greylisting)

    def catches_all(self, domain):
        if COLLUDING_DOMAIN <= domain < FIRST_TENANT:
            return True
        return family(domain) == "small" and domain * 104729 % 1000 < 1000 * CATCH_ALL

    # ---- one attempt: (outcome, reply key) ----

    def incident(self, rng, t, domain):
        h, fam = t / HOUR, family(domain)
        if COLLUDING_DOMAIN <= domain < FIRST_TENANT:
            return None
        if self.day == "outage" and fam == "microsoft" and 10 <= h < 11:
            return DEFERRED, "outage"
        if self.day == "listed" and 9 <= h < 13:
            if fam in ("microsoft", "yahoo"):
                return FAILED, "listed/" + fam
            if fam == "small" and remote_of(domain) * 31 % 100 < 35:
                return FAILED, "listed/small"
        if self.day == "ratelimit" and 8 <= h < 18:
            if rng.random() < dict(gmail=.1, microsoft=.6, yahoo=.7, isp=.1).get(fam, 0):
                return DEFERRED, "rate/" + fam
        if self.day == "dns" and 10 <= h < 10.34:
            return DEFERRED, "dns"
        return None

    def attempt(self, rng, m, t, tries):
        hit = self.incident(rng, t, m["domain"])
        fam, fate = family(m["domain"]), m["fate"]
        if hit:
            return hit
        if fate == "hard" and not self.catches_all(m["domain"]):
            return FAILED, "hard/" + fam
        if m["grey"] and tries == 0:
            return DEFERRED, "grey"
        if fate == "content":
            return FAILED, "content/" + fam
        if fate == "rate" and rng.random() < (1 if tries == 0 else m["again"]):
            return DEFERRED, "rate/" + fam
        if fate == "full":
            return m["full"], "full"
        if fate == "auth":
            return (FAILED, "auth/" + fam) if "auth/" + fam in replies.REPLIES else (DELIVERED, "ok")
        if fate in ("soft", "conn") and rng.random() < (1 if tries == 0 else .4):
            return DEFERRED, fate
        if fate == "dead host":
            return DEFERRED, "conn"
        if fate == "bombed":
            return DEFERRED, "bombed"
        return DELIVERED, "ok"

    def retry_after(self, rng, tries):
        if self.mta == "postfix":
            return [300, 600, 1200, 2400, 4000][min(tries, 4)] * rng.uniform(1, 1.2)
        if tries == 0:
            return rng.uniform(15, 45) * 60  # F,2h,15m under a queue runner each 30 minutes
        return (30 * 60 if tries < 5 else 3600 * 1.5 ** (tries - 5)) + rng.uniform(0, 20)

    def flags(self, key, text, outcome, domain, local):
        off = key == "dns" or (outcome == FAILED and replies.LINES[text][0] == 0)
        warm = remote_of(domain) < FIRST_DOMAIN + 400
        return (WARM if warm else 0) | (LOCAL if local else 0) | (OFF_WIRE if off else 0)

    def send(self, rng, account, t, rcpt, domain, fate="ok", known=None, sender=0, local=False,
             latency=None, **more):
        """One message to one recipient, with all its retries. known: greylisting has met it before."""
        known = rng.random() < .7 if known is None else known
        m = dict(domain=domain, fate=fate, grey=self.greylists(domain) and not known, again=.5,
                 full=DEFERRED, named=None)
        m.update(more)
        mail, tries = self.mails, 0
        self.mails += 1
        t += rng.uniform(.3, 3) if latency is None else latency
        while t < 24.5 * HOUR:
            outcome, key = (DELIVERED, "ok") if local else self.attempt(rng, m, t, tries)
            text = replies.number(key, rcpt if key.startswith("hard") else domain)
            self.rows.append((int(t * 1000), account, mail, rcpt, domain, remote_of(domain), text, outcome,
                              sender, self.flags(key, text, outcome, domain, local), 0,
                              account if m["named"] is None else m["named"]))
            if outcome != DEFERRED:
                break
            t += self.retry_after(rng, tries)
            tries += 1


def population(**labels):
    """{kind: (accounts, label)} of "kind number, ..." by label."""
    found = {}
    for label, kinds in labels.items():
        for kind, number in (words.split() for words in kinds.split(",")):
            found[kind] = (int(number), label)
    return found


POPULATION = population(
    innocent="small 402, office 120, wordpress 170, shop 50, newsletter 20, newsletter_old 5, newsletter_limited 6,"
             "greeting 6, invoices 12, cron_dead 12, alerts_full 8, typo 10, form_notify 15, forwarder 25,"
             "mailing_list 6, no_spf 20, greylisted 12, one_receiver 6, inflated 4",
    abused="autoresponder 15, form_copy 12",
    spam="dict40 3, dict70 3, dict95 3, oldlist60 3, drip 4, harvest 2, slow_drip 3, snowshoe 20, burst 3, content 3,"
         "deferred 3, forger 3",
    evader="dilute_one 2, dilute_many 2, dilute_gmail 2, oldlist30 3, mailbomb 2")
DAYS = ("plain", "outage", "listed", "ratelimit", "dns")


def make(directory, seed, day="plain", mta="exim", greylisting=GREYLISTING, who=None):
    """Write attempts.bin and replies.tsv; [(kind, label) of each account], attempts."""
    w = World(seed, day, mta, greylisting)
    for kind, (number, label) in (who or POPULATION).items():
        for _ in range(number):
            account = len(w.kinds)
            w.kinds.append((kind, label))
            getattr(w, kind)(random.Random(f"{seed}/{account}"), account)
    w.rows.sort(key=lambda row: (row[0], row[2]))
    with open(f"{directory}/attempts.bin", "wb") as f:
        for row in w.rows:
            f.write(RECORD.pack(*row))
    with open(f"{directory}/replies.tsv", "w") as f:
        for code, enhanced, text in replies.LINES:
            f.write(f"{code}\t{enhanced}\t{text}\n")
    return w.kinds, len(w.rows)
