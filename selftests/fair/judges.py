# SPDX-License-Identifier: GPL-2.0-only
"""Who judges: the product, candidates for it, and others' rules. rules.h has the options."""

# R0: the candidate with a minimum of five failures, as today. rules.h says what each part is.
CANDIDATE = ("sent=1,dedupe=1,each=20,ignore=listed+unauthenticated+own,single=50,soft=rate+full+no_answer,"
             "breaker=4,trouble=rate+greylist+no_answer+unexplained")
LATE = "wait=greylist+no_answer+unexplained,late=1800"
# What the README recommends for shared hosting, over the defaults.
HOSTING = "defer_grace=1800,rare_remote=100,lead=4"
JUDGES = {
    "product": ("product", "report," + HOSTING),
    "product-wire": ("product", "wire," + HOSTING),
    "product-relay": ("product", "relay," + HOSTING),
    "defaults": ("product", "report"),
    "mail rule": ("rules", "min=5"),    # as the product was at first, written once more
    "R0": ("rules", CANDIDATE),
    "R0, min 7": ("rules", CANDIDATE + ",min=7"),
    "R0, min 7, late": ("rules", CANDIDATE + ",min=7," + LATE),
    "R0, min 7, late, strange": ("rules", CANDIDATE + ",min=7,strange=100," + LATE),
    "R0, min 7, late, strange, still": ("rules", CANDIDATE + ",min=7,strange=100,still=1," + LATE),
    "cpanel": ("rules", "attempts=1,hour=1,local=1"),
    "tsa": ("rules", "tsa=5"),
    "blockcracking": ("rules", "nonexist=100"),
    "uwumail": ("rules", "nonexist=25"),
    "ses": ("rules", "rate=10,vol=100,window=86400"),
}

# run --check, of the judge "product": how many innocent accounts of the 909 may be suspended on a day; which percentage of the spammers
# must be, and after how many attempts at most (median).
BOUNDS = {"plain": 2, "outage": 4, "listed": 4, "ratelimit": 4, "dns": 4}
CAUGHT, BEFORE = 100, 12


def how(name):
    """(judge, options) for fairsim."""
    return JUDGES.get(name) or tuple(name.split("@")[-1].split(":", 1))
