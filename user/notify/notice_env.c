// SPDX-License-Identifier: GPL-2.0-only
/*
 * notice_env.c - a notice as environment variables.
 */
#include <stdint.h>
#include <stdio.h>
#include "base/log.h"
#include "notice_env.h"

struct env {
	char *bytes;
	size_t size;
	size_t used;
};

static void add(struct env *e, const char *name, const char *value)
{
	char printable[2048];
	int length = snprintf(e->bytes + e->used, e->size - e->used, "SMTPLIMIT_%s=%s", name,
			      log_escape(value, 512, 1, printable, sizeof(printable)));

	if (length >= 0 && (size_t)length < e->size - e->used)
		e->used += (size_t)length + 1;
}

static void add_number(struct env *e, const char *name, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%lld", (long long)value);
	add(e, name, digits);
}

size_t notice_env(const struct notice *n, const char *host, char *out, size_t out_size)
{
	struct env e = {.bytes = out, .size = out_size};

	add(&e, "KIND", notice_kind_name(n->kind));
	add(&e, "HOST", host);
	add(&e, "ACCOUNT", n->account);
	add(&e, "DOMAIN", n->domain);
	add_number(&e, "SIMULATED", n->simulated);
	add_number(&e, "BY_HAND", n->by_hand);
	add(&e, "REASON", n->reason);
	add_number(&e, "TIME", n->time_s);
	add_number(&e, "SINCE", n->since_s);
	add_number(&e, "UNTIL", n->until_s);
	add_number(&e, "BAD", (int64_t)n->bad);
	add_number(&e, "MIN_FAILURES", n->min_failures);
	add_number(&e, "PERCENT", n->percent);
	add_number(&e, "WINDOW", n->window_s);
	add_number(&e, "HEADROOM", n->headroom);
	add(&e, "REMOTE", n->remote);
	add_number(&e, "ACCOUNTS_BAD", n->accounts_bad);
	add_number(&e, "ACCOUNTS_TRIED", n->accounts_tried);
	add_number(&e, "REPEATED", n->repeated);
	add(&e, "TEXT", n->text);
	return e.used;
}

size_t notice_env_digest(const struct notice_digest *d, const char *host, char *out,
			 size_t out_size)
{
	struct env e = {.bytes = out, .size = out_size};

	add(&e, "KIND", "digest");
	add(&e, "HOST", host);
	add_number(&e, "TIME", d->first_s);
	add_number(&e, "COUNT", d->count);
	add_number(&e, "SIMULATED", d->simulated == d->count);
	return e.used;
}
