/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_mtas.c - the mail servers that have hooks.
 */
#include "hook.h"

#include <string.h>

const struct hook_mta *const hook_mtas[] = {
	&hook_exim, &hook_postfix, &hook_opensmtpd, &hook_sendmail, NULL,
};

const struct hook_mta *hook_mta_find(const char *name)
{
	for (size_t i = 0; hook_mtas[i]; i++)
		if (strcmp(hook_mtas[i]->name, name) == 0)
			return hook_mtas[i];
	return NULL;
}
