/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * accounts.h - the table of accounts: their windows, whether they are suspended, which of them are
 * to be saved, and when each is to be judged again because time alone may change its verdict.
 * Pure: time is an argument.
 *
 * An account is made by its first outcome and removed by accounts_collect() once nothing is known
 * of it: relay domains come and go by the million, only those of the last window are kept, and
 * those with pending mails while they are not too many.
 */
#ifndef SMTPL_ACCOUNTS_H
#define SMTPL_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include "base/table.h"
#include "who/account.h"
#include "window.h"

enum account_state {
	ACCOUNT_FREE = 0,
	ACCOUNT_SUSPENDED,
	ACCOUNT_OBSERVED, /* over the line in observe mode: reported once, until `until_ns` */
};

struct account {
	struct table_node node; /* accounts.c, as the next two */
	LIST_ENTRY(account) check;
	int64_t check_s; /* on the check list for this second; 0: not on it */
	struct window window;
	uint64_t since_ns;  /* boot time; not ACCOUNT_FREE: when that began */
	uint64_t until_ns;  /* boot time; not ACCOUNT_FREE: when that ends */
	uint64_t begins_ns; /* the window knows nothing before: when the last suspension ended */
	uint64_t warned_ns; /* when it was last said that it is near the line; 0: never */
	struct account *dirty_next; /* of the list that accounts_dirty() begins */
	char *own_domain;	    /* see accounts_own_domain() */
	uint32_t uid;
	uint8_t state; /* enum account_state */
	uint8_t mode;  /* enum verdict_mode, by which it is judged */
	bool dirty;    /* changed since it was saved */
	bool stored;   /* was not empty when it was saved: the state database has a row of it */
	char domain[]; /* ACCOUNT_DOMAIN; "" for a uid */
};

struct accounts;

/* seed: random where strangers choose domains, so that they cannot choose collisions. */
struct accounts *accounts_new(uint64_t seed);
void accounts_free(struct accounts *t);

/* The account of an id, or NULL. Valid until the next accounts_collect(). */
struct account *accounts_find(const struct accounts *t, const struct account_id *id);
/* The same, made where there is none. 0 or -ENOMEM. */
int accounts_get(struct accounts *t, const struct account_id *id, struct account **account);
size_t accounts_count(const struct accounts *t);

/* Every account, in no order; NULL begins, NULL is the end. */
struct account *accounts_next(const struct accounts *t, const struct account *previous);

struct account_id accounts_id(const struct account *a);

/* The sender domain that was noted last; "" if there was none. */
const char *accounts_own_domain(const struct account *a);
/* Without memory the old one stays. */
void accounts_set_own_domain(struct account *a, const char *domain);

/* To be saved: mark one; the first of the list; forget the list, all of it has been saved. */
void accounts_mark_dirty(struct accounts *t, struct account *a);
struct account *accounts_dirty(const struct accounts *t);
void accounts_saved(struct accounts *t);

/* Put the account on the check list for a second, instead of where it was. One in the past: as soon
 * as accounts_due() is called again. */
void accounts_check_at(struct accounts *t, struct account *a, int64_t second);
void accounts_check_never(struct accounts *t, struct account *a);

/* Take one account whose second has come from the check list, or NULL. *budget falls with the work
 * done, found or not; at 0 the answer is NULL and the next call goes on there. */
struct account *accounts_due(struct accounts *t, int64_t now_s, unsigned int *budget);

/* With more accounts, those that have nothing but pending mails of before the window go, too. */
#define ACCOUNTS_PENDING_MAX 65536
/* Slide the windows of the next `budget` buckets and remove the accounts of which nothing is known:
 * empty window, free, not dirty, nothing stored. Returns how many went. */
size_t accounts_collect(struct accounts *t, int64_t now_s, int64_t length_s, size_t budget);
/* A budget with which 256 calls go through the whole table. */
size_t accounts_collect_budget(const struct accounts *t);

#endif
