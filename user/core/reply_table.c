/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reply_table.c - which words and codes of a reply give which class: data alone. The first row that
 * matches decides, so what is particular stands above what is general. reply_class.h says how a row
 * is read. Each row has a reply in selftests/corpus/replies/ that it is there for.
 */
#include "reply_class.h"

#define RECIPIENT	REPLY_RECIPIENT
#define CONTENT		REPLY_CONTENT
#define LISTED		REPLY_LISTED
#define UNAUTHENTICATED REPLY_UNAUTHENTICATED
#define RATE		REPLY_RATE
#define FULL		REPLY_FULL
#define GREYLIST	REPLY_GREYLIST
#define NO_ANSWER	REPLY_NO_ANSWER
#define OWN		REPLY_OWN
#define UNEXPLAINED	REPLY_UNEXPLAINED

/* clang-format off */
const struct reply_row reply_table[] = {
	/* Replies of one receiver or program whose words would mean something else below. */
	{OWN,             "*",    "*",      "connection is not encrypted"},       /* Google: 4.7.29 */
	{RATE,            "*",    "*",      "unusual rate"},                      /* Google */
	{RATE,            "4xx",  "*",      "server busy * from"},                /* Microsoft 365: AS77712 and others */
	{LISTED,          "*",    "*",      "low reputation of the sending ip"},  /* Google */
	{CONTENT,         "*",    "*",      "reputation of the sending domain"},  /* Google */
	{CONTENT,         "*",    "*",      "domain reputation"},
	{CONTENT,         "5xx",  "*",      "spam like characteristics"},         /* Outlook.com: SC-001 */
	{LISTED,          "5xx",  "*",      "ou 001"},                            /* Outlook.com */
	{LISTED,          "5xx",  "*",      "ou 002"},
	{LISTED,          "5xx",  "*",      "dy 001"},
	{LISTED,          "5xx",  "*",      "s3140"},
	{LISTED,          "5xx",  "*",      "s3150"},
	{LISTED,          "5xx",  "*",      "part of their network"},             /* Outlook.com, before its code */
	{LISTED,          "*",    "*",      "banned sender"},                     /* Microsoft 365 */
	{RATE,            "*",    "*",      "number of messages allowed"},        /* Outlook.com: RP-001 */
	{LISTED,          "*",    "*",      "tss09"},                             /* Yahoo: all mail, for good */
	{RATE,            "4xx",  "*",      "tss0*"},                             /* Yahoo: TSS04, TSS05 */
	{LISTED,          "*",    "*",      "tss1*"},
	{LISTED,          "4xx",  "*",      "permanently deferred"},
	{GREYLIST,        "4xx",  "*",      "gl01"},                              /* Yahoo */
	{LISTED,          "*",    "*",      "bl2*"},                              /* Yahoo: BL21, BL23 */
	{RECIPIENT,       "*",    "*",      "not listed in * directory"},         /* Domino */
	{RECIPIENT,       "*",    "*",      "not listed in public name"},
	{RECIPIENT,       "*",    "*",      "account or domain may not exist"},   /* cPanel */
	{GREYLIST,        "4xx",  "*",      "address verification in progress"},  /* Postfix */
	{GREYLIST,        "4xx",  "*",      "internal resource* * temporarily unavailable"}, /* Mimecast */
	{GREYLIST,        "451",  "4.7.1",  "service unavailable try again later"}, /* Plesk */
	{GREYLIST,        "450",  "4.3.2",  "service currently unavailable"},     /* Postfix: postscreen */
	{GREYLIST,        "451",  "*",      "temporary failure please try again"}, /* OpenBSD: spamd */
	{RECIPIENT,       "5xx",  "*",      "rejected access denied as*"},        /* Microsoft 365: no such mailbox */
	{RECIPIENT,       "5xx",  "*",      "not our customer"},                  /* Comcast */
	{RECIPIENT,       "5xx",  "*",      "resolver.rst.*"},                    /* Exchange: who may write to it */
	{RECIPIENT,       "5xx",  "*",      "resolver.adr.*"},
	{LISTED,          "*",    "*",      "mtas poor reputation"},              /* Cisco */
	{LISTED,          "5xx",  "*",      "your access to * has been rejected"}, /* Cisco */
	{CONTENT,         "5xx",  "*",      "manually blocked senders"},          /* Mimecast */
	{CONTENT,         "5xx",  "*",      "envelope blocked"},                  /* Mimecast */
	{OWN,             "none", "*",      "exceeded the max defers and failures"}, /* cPanel, here */
	{OWN,             "none", "*",      "not allowed to send mail at present"}, /* smtplimit, here */
	{RATE,            "*",    "*",      "exceeded the max defers and failures"}, /* cPanel, elsewhere */
	{RATE,            "*",    "*",      "exceeded the max emails per hour"},
	{RATE,            "*",    "*",      "unusual sending activity"},          /* Zoho */
	{OWN,             "530",  "*",      "not authenticated"},                 /* Exchange: this host has to log in */
	{RATE,            "*",    "*",      "sending quota"},                     /* Google as a smart host */
	{RATE,            "*",    "*",      "sending limit*"},
	{CONTENT,         "*",    "*",      "dbl.spamhaus.org"},                  /* a domain, not an address */
	{CONTENT,         "*",    "*",      "*.surbl.org"},
	{CONTENT,         "*",    "*",      "*.uribl.com"},
	{CONTENT,         "*",    "*",      "uribl"},
	{CONTENT,         "*",    "*",      "surbl"},
	{CONTENT,         "5xx",  "*",      "sender address * blocked"},
	{CONTENT, "5xx", "*",
	 "sender address rejected access denied"}, /* Postfix: a list of senders */
	{CONTENT,         "5xx",  "*",      "sender is blacklisted"},
	{CONTENT,         "5xx",  "*",      "sender address * blacklisted"},
	{CONTENT,         "5xx",  "*",      "sender domain * blacklisted"},
	{CONTENT,         "5xx",  "*",      "blocked * by the recipient"},

	/* The mailbox has no room. */
	{FULL,            "*",    "*",      "mailbox full"},
	{FULL,            "*",    "*",      "mailbox * is full"},
	{FULL,            "*",    "*",      "mailbox too full"},
	{FULL,            "*",    "*",      "inbox * full"},
	{FULL,            "*",    "*",      "mail box * full"},
	{FULL,            "*",    "*",      "mailfolder is full"},
	{FULL,            "*",    "*",      "account is full"},
	{FULL,            "*",    "*",      "over quota"},                        /* Google, Exim, vpopmail */
	{FULL,            "*",    "*",      "overquota"},                         /* Apple */
	{FULL,            "*",    "*",      "over the quota"},
	{FULL,            "*",    "*",      "over * quota"},
	{FULL,            "*",    "*",      "quota exceeded"},                    /* Dovecot */
	{FULL,            "*",    "*",      "quotaexceeded*"},
	{FULL,            "*",    "*",      "quota * exceeded"},
	{FULL,            "*",    "*",      "exceed* * quota"},
	{FULL,            "*",    "*",      "quota * full"},
	{FULL,            "*",    "*",      "disk quota"},
	{FULL,            "*",    "*",      "exceeded storage"},                  /* RFC 5321 */
	{FULL,            "*",    "*",      "storage * exceeded"},
	{FULL,            "*",    "*",      "out of storage"},                    /* Google */
	{FULL,            "*",    "*",      "mailbox size limit"},                /* Postfix: local(8) */
	{FULL,            "*",    "*",      "mailbox * exceed*"},
	{FULL,            "*",    "*",      "not enough * space * mailbox"},
	{FULL,            "*",    "*",      "no space left * mailbox"},

	/* This server: its name, its TLS, its own trouble. */
	{OWN,             "*",    "*",      "reverse dns"},
	{OWN,             "*",    "*",      "rdns"},
	{OWN,             "*",    "*",      "ptr"},                               /* Google: 5.7.25; GMX, Comcast */
	{OWN,             "*",    "*",      "reverse lookup"},
	{OWN,             "*",    "*",      "reverse hostname"},                  /* Postfix */
	{OWN,             "*",    "*",      "find your hostname"},                /* Postfix */
	{OWN,             "*",    "*",      "ip name lookup failed"},             /* Sendmail */
	{OWN,             "*",    "*",      "helo command rejected"},             /* Postfix */
	{OWN,             "*",    "*",      "invalid helo"},
	{OWN,             "*",    "*",      "helo name"},
	{OWN,             "*",    "*",      "helo * invalid"},
	{OWN,             "*",    "*",      "starttls"},
	{OWN,             "*",    "*",      "tls * required"},
	{OWN,             "*",    "*",      "requires tls"},
	{OWN,             "none", "*",      "server certificate"},                /* Postfix */
	{OWN,             "none", "*",      "sasl authentication failed"},        /* Postfix, a smart host */
	{OWN,             "*",    "*",      "without tls"},                       /* Google: 5.7.29 */
	{OWN,             "*",    "*",      "encryption * required"},
	{OWN,             "*",    "*",      "authentication required"},           /* a smart host */
	{OWN,             "*",    "*",      "authentication is required"},
	{OWN,             "*",    "*",      "must authenticate"},
	{OWN,             "*",    "*",      "too many hops"},
	{OWN,             "*",    "*",      "hop count"},                         /* Exchange */
	{OWN,             "*",    "*",      "routing loop"},
	{OWN,             "*",    "*",      "mail loop*"},
	{OWN,             "*",    "*",      "loops back to myself"},              /* Postfix */
	{OWN,             "none", "*",      "transport unavailable"},             /* Postfix, at home */
	{OWN,             "none", "*",      "temporary lookup failure"},
	{OWN,             "none", "*",      "unknown mail transport error"},
	{OWN,             "none", "*",      "local configuration"},               /* Exim */
	{OWN,             "none", "*",      "failed to expand"},                  /* Exim */
	{OWN,             "none", "*",      "expansion * failed"},
	{OWN,             "none", "*",      "no space left"},
	{OWN,             "none", "*",      "not enough * space"},
	{OWN,             "none", "*",      "command time limit exceeded"},       /* Postfix: pipe(8) */
	{OWN,             "none", "*",      "alias database unavailable"},
	{OWN,             "4xx",  "*",      "retry time not reached"},            /* Exim: it has not even tried */
	{OWN,             "none", "*",      "permission denied"},

	/* The sender address, before the words that a recipient's has as well. */
	{UNAUTHENTICATED, "*",    "*",      "sender verify failed"},              /* Exim */
	{UNAUTHENTICATED, "*",    "*",      "sender callout"},
	{UNAUTHENTICATED, "*",    "*",      "sender address rejected"},           /* Postfix */
	{UNAUTHENTICATED, "*",    "*",      "sender rejected"},
	{UNAUTHENTICATED, "*",    "*",      "invalid sender"},
	{UNAUTHENTICATED, "*",    "*",      "verify * sender"},
	{UNAUTHENTICATED, "*",    "*",      "domain of sender"},                  /* Sendmail */
	{UNAUTHENTICATED, "*",    "*",      "sender domain"},
	{UNAUTHENTICATED, "*",    "*",      "senders domain"},
	{UNAUTHENTICATED, "*",    "*",      "sender address does not exist"},
	{UNAUTHENTICATED, "*",    "*",      "spoof*"},                            /* Mimecast */
	{UNAUTHENTICATED, "*",    "*",      "unauthenticated"},                   /* Google */
	{UNAUTHENTICATED, "*",    "*",      "authentication level"},              /* Microsoft */
	{UNAUTHENTICATED, "*",    "*",      "spf"},
	{UNAUTHENTICATED, "*",    "*",      "sender policy framework"},
	{UNAUTHENTICATED, "*",    "*",      "dkim"},
	{UNAUTHENTICATED, "*",    "*",      "dmarc"},
	{UNAUTHENTICATED, "*",    "*",      "authentication checks"},             /* Yahoo, Apple */
	{UNAUTHENTICATED, "*",    "*",      "not authenticated"},

	/* A first attempt, in its own word. */
	{GREYLIST,        "*",    "*",      "greylist*"},                         /* postgrey, milter-greylist, rspamd */
	{GREYLIST,        "*",    "*",      "graylist*"},
	{GREYLIST,        "*",    "*",      "grey list*"},
	{GREYLIST,        "*",    "*",      "gray list*"},

	/* Too much, whatever it is that the limit depends on. */
	{RATE,            "4xx",  "*",      "rate limit*"},                       /* Microsoft: S775 */

	/* This server's address. */
	{LISTED,          "*",    "*",      "blocked using"},                     /* Postfix: reject_rbl_client */
	{LISTED,          "*",    "*",      "blacklist*"},
	{LISTED,          "*",    "*",      "black list*"},                       /* Exim */
	{LISTED,          "*",    "*",      "blocklist*"},
	{LISTED,          "*",    "*",      "block list*"},                       /* GMX */
	{LISTED,          "*",    "*",      "denylist*"},
	{LISTED,          "*",    "*",      "dnsbl*"},
	{LISTED,          "*",    "*",      "rbl"},                               /* cPanel */
	{LISTED,          "*",    "*",      "rbls"},
	{LISTED,          "*",    "*",      "spamhaus*"},
	{LISTED,          "*",    "*",      "*.spamhaus.org"},
	{LISTED,          "*",    "*",      "*.spamhaus.net"},
	{LISTED,          "*",    "*",      "spamcop"},
	{LISTED,          "*",    "*",      "*.spamcop.net"},
	{LISTED,          "*",    "*",      "*.sorbs.net"},
	{LISTED,          "*",    "*",      "*.barracudacentral.org"},
	{LISTED,          "*",    "*",      "barracuda reputation"},
	{LISTED,          "*",    "*",      "*.proofpoint.com"},                  /* ipcheck., support. */
	{LISTED,          "*",    "*",      "sorbs*"},
	{LISTED,          "*",    "*",      "uceprotect*"},
	{LISTED,          "*",    "*",      "psbl*"},
	{LISTED,          "*",    "*",      "abusix*"},
	{LISTED,          "*",    "*",      "senderbase*"},
	{LISTED,          "*",    "*",      "currently sending spam"},            /* SORBS */
	{LISTED,          "5xx",  "*",      "ask your postmaster for help"},      /* T-Online */
	{LISTED,          "5xx",  "*",      "bad ip"},
	{LISTED,          "5xx",  "*",      "not allowed to connect"},
	{LISTED,          "*",    "*",      "poor reputation"},                   /* Cisco, Mimecast */
	{LISTED,          "*",    "*",      "bad reputation"},
	{LISTED,          "*",    "*",      "low reputation"},
	{LISTED,          "*",    "*",      "reputation of your"},
	{LISTED,          "*",    "*",      "ip reputation"},
	{LISTED,          "*",    "*",      "banned sending ip"},                 /* Microsoft 365 */
	{LISTED,          "*",    "*",      "is listed"},
	{LISTED,          "*",    "*",      "listed by"},
	{LISTED,          "*",    "*",      "listed in"},
	{LISTED,          "*",    "*",      "listed on"},
	{LISTED,          "*",    "*",      "listed at"},
	{LISTED,          "*",    "*",      "dynamic ip*"},
	{LISTED,          "*",    "*",      "dynamic address*"},
	{LISTED,          "*",    "*",      "dial up"},
	{LISTED,          "*",    "*",      "dialup"},
	{LISTED,          "*",    "*",      "client host * rejected"},
	{LISTED,          "*",    "*",      "not authorized to send email directly"}, /* Google */
	{LISTED,          "*",    "*",      "your ip * blocked"},
	{LISTED,          "*",    "*",      "ip * has been blocked"},
	{LISTED,          "*",    "*",      "ip address * blocked"},
	{LISTED,          "*",    "*",      "ip * banned"},
	{LISTED,          "*",    "*",      "your server * blocked"},
	{LISTED,          "*",    "*",      "host is blocked"},
	{LISTED,          "*",    "*",      "connections * not * accepted from"}, /* Yahoo */
	{LISTED,          "*",    "*",      "connection refused by policy"},

	/* The recipient. */
	{RECIPIENT,       "*",    "*",      "user unknown"},                      /* Postfix, Sendmail */
	{RECIPIENT,       "*",    "*",      "user * unknown"},
	{RECIPIENT,       "*",    "*",      "unknown user"},
	{RECIPIENT,       "*",    "*",      "no such user"},                      /* cPanel, Google */
	{RECIPIENT,       "*",    "*",      "no such mailbox"},
	{RECIPIENT,       "*",    "*",      "no such recipient"},
	{RECIPIENT,       "*",    "*",      "no such address"},
	{RECIPIENT,       "*",    "*",      "no such account"},
	{RECIPIENT,       "5xx",  "*",      "no such domain"},
	{RECIPIENT,       "*",    "*",      "no such person"},
	{RECIPIENT,       "*",    "*",      "recipient unknown"},
	{RECIPIENT,       "*",    "*",      "recipient * not found"},             /* Exchange */
	{RECIPIENT,       "*",    "*",      "recipnotfound"},
	{RECIPIENT,       "*",    "*",      "unknown recipient"},
	{RECIPIENT,       "*",    "*",      "address unknown"},
	{RECIPIENT,       "*",    "*",      "unknown address"},
	{RECIPIENT,       "*",    "*",      "unknown mailbox"},
	{RECIPIENT,       "*",    "*",      "mailbox not found"},                 /* Yahoo */
	{RECIPIENT,       "*",    "*",      "mailbox * not exist"},
	{RECIPIENT,       "*",    "*",      "mailbox * doesnt exist"},
	{RECIPIENT,       "5xx",  "*",      "mailbox unavailable"},               /* GMX, Outlook.com */
	{RECIPIENT,       "5xx",  "*",      "mailbox not available"},
	{RECIPIENT,       "5xx",  "*",      "mailbox * disabled"},
	{RECIPIENT,       "5xx",  "*",      "mailbox * inactive"},
	{RECIPIENT,       "*",    "*",      "account * not exist"},               /* Google */
	{RECIPIENT,       "*",    "*",      "account * doesnt exist"},
	{RECIPIENT,       "5xx",  "*",      "account * disabled"},
	{RECIPIENT,       "5xx",  "*",      "account * inactive"},
	{RECIPIENT,       "5xx",  "*",      "account * suspended"},
	{RECIPIENT,       "5xx",  "*",      "account * closed"},
	{RECIPIENT,       "5xx",  "*",      "account * deactivated"},
	{RECIPIENT,       "*",    "*",      "user * not exist"},                  /* Apple, Zoho */
	{RECIPIENT,       "*",    "*",      "user * doesnt exist"},
	{RECIPIENT,       "*",    "*",      "user not found"},
	{RECIPIENT,       "*",    "*",      "address * not exist"},               /* Proton */
	{RECIPIENT,       "*",    "*",      "address * doesnt exist"},
	{RECIPIENT,       "*",    "*",      "recipient * not exist"},
	{RECIPIENT,       "*",    "*",      "user doesnt have"},                  /* Yahoo */
	{RECIPIENT,       "*",    "*",      "no mailbox"},                        /* qmail */
	{RECIPIENT,       "*",    "*",      "no longer * valid"},
	{RECIPIENT,       "*",    "*",      "not a valid"},
	{RECIPIENT,       "*",    "*",      "invalid recipient"},                 /* Mimecast, OpenSMTPD */
	{RECIPIENT,       "*",    "*",      "invalid mailbox"},
	{RECIPIENT,       "*",    "*",      "invalid user"},                      /* Zoho */
	{RECIPIENT,       "*",    "*",      "invalid address"},
	{RECIPIENT,       "*",    "*",      "nosuchuser"},                        /* Google: a link's last word */
	{RECIPIENT,       "*",    "*",      "recipient cannot be verified"},      /* cPanel */
	{RECIPIENT,       "5xx",  "*",      "mailing list expansion"},
	{RECIPIENT,       "5xx",  "*",      "unrouteable address"},               /* Exim */
	{RECIPIENT,       "5xx",  "*",      "unroutable"},
	{RECIPIENT,       "5xx",  "*",      "relay access denied"},               /* Postfix: the domain is not there */
	{RECIPIENT,       "5xx",  "*",      "relaying denied"},                   /* Sendmail */
	{RECIPIENT,       "5xx",  "*",      "relay not permitted"},               /* Exim */
	{RECIPIENT,       "5xx",  "*",      "not permitted to relay"},            /* cPanel */
	{RECIPIENT,       "5xx",  "*",      "unable to relay"},                   /* Exchange */
	{RECIPIENT,       "5xx",  "*",      "relaying * not allowed"},
	{RECIPIENT,       "5xx",  "*",      "list of allowed rcpthosts"},         /* qmail */
	{RECIPIENT,       "5xx",  "*",      "domain not found"},
	{RECIPIENT,       "5xx",  "*",      "domain * not exist"},
	{RECIPIENT,       "5xx",  "*",      "domain name not found"},             /* Postfix: no such domain */
	{RECIPIENT,       "5xx",  "*",      "host not found"},
	{RECIPIENT,       "5xx",  "*",      "nullmx"},                            /* Postfix */
	{RECIPIENT,       "5xx",  "*",      "null mx"},
	{RECIPIENT,       "5xx",  "*",      "no smtp service"},                   /* Exim: a null MX */
	{RECIPIENT,       "5xx",  "*",      "all relevant mx records"},           /* Exim */
	{RECIPIENT,       "5xx",  "*",      "does not accept mail"},

	/* A first attempt, in other words. */
	{GREYLIST,        "4xx",  "*",      "come back"},
	{GREYLIST,        "4xx",  "*",      "try again in * minutes"},
	{GREYLIST,        "4xx",  "*",      "try again in * seconds"},
	{GREYLIST,        "4xx",  "*",      "retry in * minutes"},
	{GREYLIST,        "4xx",  "*",      "retry in * seconds"},
	{GREYLIST,        "4xx",  "*",      "first time"},
	{GREYLIST,        "4xx",  "*",      "policy rejection please try later"}, /* policyd */
	{GREYLIST,        "4xx",  "*",      "unverified address"},

	/* Too much or too fast. */
	{RATE,            "*",    "*",      "rate limit*"},
	{RATE,            "*",    "*",      "ratelimit*"},                        /* rspamd */
	{RATE,            "*",    "*",      "throttl*"},                          /* Comcast */
	{RATE,            "*",    "*",      "too many"},
	{RATE,            "*",    "*",      "too quickly"},                       /* Google */
	{RATE,            "*",    "*",      "too fast"},
	{RATE,            "*",    "*",      "too frequent*"},
	{RATE,            "*",    "*",      "slow down"},
	{RATE,            "*",    "*",      "at a rate"},                         /* Google: one mailbox */
	{RATE,            "*",    "*",      "connection rate"},                   /* Sendmail */
	{RATE,            "*",    "*",      "message rate"},
	{RATE,            "*",    "*",      "user complaints"},                   /* Yahoo */
	{RATE,            "*",    "*",      "volume"},
	{RATE,            "4xx",  "*",      "temporarily deferred"},
	{RATE,            "*",    "*",      "concurrent connections"},
	{RATE,            "*",    "*",      "connection limit*"},
	{RATE,            "*",    "*",      "maximum * connections"},
	{RATE,            "*",    "*",      "limit * connections"},
	{RATE,            "*",    "*",      "messages per"},
	{RATE,            "*",    "*",      "recipients per"},
	{RATE,            "*",    "*",      "connections per"},
	{RATE,            "*",    "*",      "recipient thread limit"},            /* Exchange */

	/* The message. */
	{CONTENT,         "*",    "*",      "spam*"},
	{CONTENT,         "*",    "*",      "unsolicited*"},
	{CONTENT,         "*",    "*",      "junk*"},
	{CONTENT,         "*",    "*",      "bulk mail"},
	{CONTENT,         "*",    "*",      "virus*"},
	{CONTENT,         "*",    "*",      "malware"},
	{CONTENT,         "*",    "*",      "infected"},
	{CONTENT,         "*",    "*",      "phish*"},
	{CONTENT,         "*",    "*",      "security issue"},                    /* Google */
	{CONTENT,         "*",    "*",      "suspicious"},
	{CONTENT,         "*",    "*",      "content*"},
	{CONTENT,         "*",    "*",      "policy reasons"},                    /* Yahoo */
	{CONTENT,         "*",    "*",      "policy restrictions"},               /* GMX */
	{CONTENT,         "*",    "*",      "policy violation"},                  /* Proofpoint */
	{CONTENT,         "*",    "*",      "local policy"},                      /* Apple */
	{CONTENT,         "*",    "*",      "security polic*"},                   /* Mimecast */
	{CONTENT,         "*",    "*",      "message * rejected"},
	{CONTENT,         "*",    "*",      "message * refused"},
	{CONTENT,         "*",    "*",      "message * blocked"},
	{CONTENT,         "*",    "*",      "message * not accepted"},
	{CONTENT,         "*",    "*",      "attachment*"},
	{CONTENT,         "*",    "*",      "message * too large"},
	{CONTENT,         "*",    "*",      "message * too big"},
	{CONTENT,         "*",    "*",      "message size"},
	{CONTENT,         "*",    "*",      "size limit"},
	{CONTENT,         "*",    "*",      "line * too long"},
	{CONTENT,         "*",    "*",      "bare lf"},
	{CONTENT,         "*",    "*",      "header*"},
	{CONTENT,         "*",    "*",      "rfc 5322"},
	{CONTENT,         "*",    "*",      "administrative* prohibit*"},         /* Exim */
	{CONTENT,         "*",    "*",      "gtube*"},                            /* rspamd */
	{CONTENT,         "*",    "*",      "matched map"},
	{CONTENT,         "5xx",  "*",      "blocked"},                           /* Barracuda */

	/* Words that are the recipient's when they are nobody else's. */
	{RECIPIENT,       "5xx",  "*",      "recipient address rejected"},        /* Postfix */
	{RECIPIENT,       "5xx",  "*",      "recipient rejected"},
	{RECIPIENT,       "5xx",  "*",      "address rejected"},                  /* Cisco */

	/* No words: RFC 3463 and its registry. 5.7.1 and 5.7.0 say nothing. */
	{RECIPIENT,       "5xx",  "*.1.0",  ""},
	{RECIPIENT,       "5xx",  "*.1.1",  ""},
	{RECIPIENT,       "5xx",  "*.1.2",  ""},
	{RECIPIENT,       "5xx",  "*.1.3",  ""},
	{RECIPIENT,       "5xx",  "*.1.6",  ""},
	{RECIPIENT,       "550",  "5.4.1",  ""},                                  /* Microsoft 365 */
	{RECIPIENT,       "550",  "5.5.0",  ""},                                  /* Outlook.com */
	{RECIPIENT,       "5xx",  "*.4.4",  ""},                                  /* Postfix: no such domain */
	{RECIPIENT,       "551",  "*",      ""},                                  /* RFC 5321: not here */
	{RECIPIENT,       "556",  "*",      ""},                                  /* RFC 7504: null MX */
	{UNAUTHENTICATED, "*",    "*.1.7",  ""},
	{UNAUTHENTICATED, "*",    "*.1.8",  ""},
	{RECIPIENT,       "*",    "*.1.10", ""},                                  /* RFC 7505: null MX */
	{RECIPIENT,       "5xx",  "*.2.1",  ""},
	{FULL,            "*",    "*.2.2",  ""},
	{CONTENT,         "*",    "*.2.3",  ""},
	{CONTENT,         "*",    "*.3.4",  ""},
	{OWN,             "*",    "*.4.6",  ""},                                  /* a loop */
	{RATE,            "*",    "*.5.3",  ""},
	{CONTENT,         "*",    "*.6.0",  ""},
	{UNAUTHENTICATED, "*",    "*.7.20", ""},                                  /* RFC 7372: DKIM */
	{UNAUTHENTICATED, "*",    "*.7.21", ""},
	{UNAUTHENTICATED, "*",    "*.7.22", ""},
	{UNAUTHENTICATED, "*",    "*.7.23", ""},                                  /* SPF */
	{UNAUTHENTICATED, "*",    "*.7.24", ""},
	{OWN,             "*",    "*.7.25", ""},                                  /* reverse DNS */
	{UNAUTHENTICATED, "*",    "*.7.26", ""},
	{UNAUTHENTICATED, "*",    "*.7.27", ""},                                  /* Google: SPF; RFC 7505: no MX */
	{RATE,            "*",    "*.7.28", ""},                                  /* a flood */
	{OWN,             "*",    "*.7.29", ""},                                  /* Google: no TLS */
	{UNAUTHENTICATED, "*",    "*.7.30", ""},                                  /* Google: DKIM */
	{UNAUTHENTICATED, "*",    "*.7.32", ""},                                  /* Google: alignment */
	{RECIPIENT,       "5xx",  "*.7.17", ""},                                  /* RFC 7293: the owner has changed */
	{UNAUTHENTICATED, "*",    "*.7.509",""},                                  /* Microsoft 365 */
	{UNAUTHENTICATED, "*",    "*.7.515",""},
	{RATE,            "4xx",  "*.7.500",""},
	{LISTED,          "5xx",  "*.7.606",""},
	{RATE,            "4xx",  "*.7.650",""},
	{RATE,            "4xx",  "*.7.651",""},
	{RATE,            "4xx",  "*.7.652",""},
	{FULL,            "552",  "*",      "storage"},
	{OWN,             "530",  "*",      ""},                                  /* STARTTLS or AUTH is wanted */
};
/* clang-format on */

const size_t reply_table_count = sizeof(reply_table) / sizeof(reply_table[0]);
