// SPDX-License-Identifier: GPL-2.0-only
/*
 * notice.c - names of the kinds of notices, and the check of a record that came in.
 */
#include <stddef.h>
#include <string.h>
#include "notice.h"

static const char *const names[] = {
	[NOTICE_NEARLY_THERE] = "nearly_there",
	[NOTICE_SUSPENDED] = "suspended",
	[NOTICE_ENDED] = "ended",
	[NOTICE_RELEASED] = "released",
	[NOTICE_BYPASS] = "bypass",
	[NOTICE_HOOK_MISSING] = "hook_missing",
	[NOTICE_RECEIVER_TROUBLE] = "receiver_trouble",
	[NOTICE_SERVER_LISTED] = "server_listed",
	[NOTICE_LOSSES] = "losses",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == NOTICE_KINDS, "each kind has a name");

const char *notice_kind_name(uint32_t kind)
{
	return kind < NOTICE_KINDS ? names[kind] : NULL;
}

enum notice_kind notice_kind_by_name(const char *name)
{
	for (int kind = 1; kind < NOTICE_KINDS; kind++)
		if (!strcmp(names[kind], name))
			return (enum notice_kind)kind;
	return 0;
}

bool notice_for_customer(const struct notice *n)
{
	return !n->simulated && (n->kind == NOTICE_NEARLY_THERE || n->kind == NOTICE_SUSPENDED ||
				 n->kind == NOTICE_ENDED || n->kind == NOTICE_RELEASED);
}

#define END(field) ((field)[sizeof(field) - 1] = '\0')

bool notice_check(struct notice *n)
{
	if (!notice_kind_name(n->kind) || n->groups > NOTICE_GROUPS_MAX ||
	    n->recipients > NOTICE_RECIPIENTS_MAX)
		return false;
	END(n->account);
	END(n->domain);
	END(n->customer);
	END(n->remote);
	END(n->reason);
	END(n->text);
	for (size_t i = 0; i < NOTICE_GROUPS_MAX; i++) {
		END(n->group[i].class);
		END(n->group[i].remote);
		END(n->group[i].example);
	}
	for (size_t i = 0; i < NOTICE_RECIPIENTS_MAX; i++) {
		END(n->recipient[i].enhanced);
		END(n->recipient[i].address);
		END(n->recipient[i].text);
	}
	return true;
}
