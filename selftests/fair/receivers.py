# SPDX-License-Identifier: GPL-2.0-only
"""Who receives: domains by number, whose they are, and how often they are written to."""
HOUR = 3600.0
DELIVERED, DEFERRED, FAILED = 1, 2, 3

BIG = ["gmail", "microsoft", "yahoo", "isp1", "isp2", "isp3"]
# Shares of recipients: consumers and businesses; what is missing are small domains.
SHARES = {"consumer": dict(gmail=.38, microsoft=.22, yahoo=.10, isp1=.08, isp2=.06, isp3=.04),
          "business": dict(gmail=.18, microsoft=.38, yahoo=.01, isp1=.02, isp2=.01, isp3=.01)}
SMALL_DOMAINS = 4000
GREYLISTING = .10       # of small domains
CATCH_ALL = .10         # of small domains: nobody is unknown there
FIRST_DOMAIN = len(BIG)
COLLUDING_DOMAIN = FIRST_DOMAIN + SMALL_DOMAINS
COLLUDING_DOMAINS = 60
# Businesses with a domain of their own at Google or Microsoft.
FIRST_TENANT = COLLUDING_DOMAIN + COLLUDING_DOMAINS
TENANTS = 2000


def family(domain):
    """Whose replies a domain gives: 'gmail', ..., 'isp', 'small'."""
    if domain < FIRST_DOMAIN:
        return BIG[domain].rstrip("0123456789")
    return "small" if domain < FIRST_TENANT else BIG[remote_of(domain)]


def remote_of(domain):
    """Small domains share hosters: every third one is on one of 40 hosts."""
    if FIRST_DOMAIN <= domain < COLLUDING_DOMAIN and domain % 3 == 0:
        return FIRST_DOMAIN + domain % 40 * 3
    return (domain - FIRST_TENANT) // TENANTS if domain >= FIRST_TENANT else domain
