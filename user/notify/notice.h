/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notice.h - an event that people hear of: a record of fixed size, which the daemon hands to the
 * process that sends notices. Its strings come from customers and remote servers: they are
 * untrusted, and each place that puts them into a mail, JSON or an environment escapes them.
 */
#ifndef SMTPL_NOTICE_H
#define SMTPL_NOTICE_H

#include <stdbool.h>
#include <stdint.h>
#include "headers/limits.h"
#include "who/account.h"

enum notice_kind {
	NOTICE_NEARLY_THERE = 1, /* an account comes close to its suspension */
	NOTICE_SUSPENDED,
	NOTICE_ENDED,		 /* a suspension, by itself */
	NOTICE_RELEASED,	 /* a suspension, by hand */
	NOTICE_BYPASS,		 /* mail of a suspended account still passes */
	NOTICE_HOOK_MISSING,	 /* a mail server does not ask */
	NOTICE_RECEIVER_TROUBLE, /* a remote fails for many accounts */
	NOTICE_SERVER_LISTED,	 /* a remote refuses this server */
	NOTICE_LOSSES,		 /* mail went unasked, or outcomes are gone */
	NOTICE_KINDS,
};

#define NOTICE_GROUPS_MAX     8
#define NOTICE_RECIPIENTS_MAX 10
#define NOTICE_ADDRESS_SIZE   160
#define NOTICE_REMOTE_SIZE    80
#define NOTICE_CLASS_SIZE     16
#define NOTICE_ENHANCED_SIZE  12
#define NOTICE_TEXT_SIZE      160

/* Failures of one kind at one remote. */
struct notice_group {
	uint32_t count;
	char class[NOTICE_CLASS_SIZE];
	char remote[NOTICE_REMOTE_SIZE];
	char example[NOTICE_TEXT_SIZE];
};

struct notice_recipient {
	uint16_t code; /* 0: no reply came */
	char enhanced[NOTICE_ENHANCED_SIZE];
	char address[NOTICE_ADDRESS_SIZE];
	char text[NOTICE_TEXT_SIZE];
};

/* What does not apply to its kind is zero. Times are Unix times. */
struct notice {
	uint32_t kind;	   /* enum notice_kind */
	uint8_t simulated; /* mode = observe: nobody was stopped */
	uint8_t by_hand;
	uint8_t tell;	    /* the customer may know the reason, too */
	uint8_t groups;	    /* that are filled */
	uint8_t recipients; /* that are filled, the latest first */
	int64_t time_s;
	int64_t since_s; /* of a suspension */
	int64_t until_s;
	uint64_t bad;
	uint32_t min_failures;
	uint32_t percent;
	uint32_t window_s;
	uint32_t headroom;	 /* failures until the line */
	uint32_t accounts_bad;	 /* at `remote` */
	uint32_t accounts_tried; /* at `remote` */
	uint32_t repeated; /* equal ones kept back in the hour before; the queue fills it in */
	char account[ACCOUNT_NAME_SIZE]; /* as account_name() writes it; "": of the whole host */
	char domain[SMTPL_DOMAIN_SIZE];
	char customer[256]; /* address for the customer's own notice; "": none is known */
	char remote[NOTICE_REMOTE_SIZE];
	char reason[256]; /* by hand */
	char text[256];
	struct notice_group group[NOTICE_GROUPS_MAX];
	struct notice_recipient recipient[NOTICE_RECIPIENTS_MAX];
};

/* "nearly_there", ...; NULL: no kind. */
const char *notice_kind_name(uint32_t kind);
/* 0: no kind has this name. */
enum notice_kind notice_kind_by_name(const char *name);
/* Customers hear of what they can act on: warning, suspension and their end, not of simulations. */
bool notice_for_customer(const struct notice *n);

/* A record that came from another process: end its strings. False: its numbers make no sense. */
bool notice_check(struct notice *n);

#endif
