#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A list of 300 mails of which each fails with chance p, in one hour: how often is it suspended, and
after how many mails (median)? Arithmetic alone, no product: how much evidence a rule asks for."""
import random
import statistics

RULES = {
    "min=5": lambda bad, good: bad >= 5 and bad >= good,
    "min=7": lambda bad, good: bad >= 7 and bad >= good,
    "min=10": lambda bad, good: bad >= 10 and bad >= good,
    "min=20": lambda bad, good: bad >= 20 and bad >= good,
    "lead=4": lambda bad, good: bad >= 5 and bad >= good and (bad >= 25 or bad >= good + 4),
}
SHARES = (.05, .10, .15, .20, .25, .30, .35, .40, .45, .50, .55, .60, .70, .80, .95)
LISTS, MAILS = 2000, 300


def suspended_after(rng, rule, share):
    """The number of the mail that crosses the line; None: none does."""
    bad = 0
    for n in range(1, MAILS + 1):
        if rng.random() < share:
            bad += 1
            if rule(bad, n - bad):
                return n
    return None


def cell(rule, share):
    rng = random.Random(7)
    after = [n for n in (suspended_after(rng, rule, share) for _ in range(LISTS)) if n]
    return f"{100 * len(after) / LISTS:8.1f}% {statistics.median(after) if after else 0:6.0f}  "


if __name__ == "__main__":
    print("p      " + "".join(f"{name:>18s}" for name in RULES))
    for p in SHARES:
        print(f"{p:.2f}   " + "".join(f"{cell(rule, p):>18s}" for rule in RULES.values()), flush=True)
