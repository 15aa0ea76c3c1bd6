/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_mtas.c - the mail servers that have hooks.
 */
#include "hook.h"

const struct hook_mta *const hook_mtas[] = {
	&hook_exim, &hook_postfix, &hook_opensmtpd, &hook_sendmail, NULL,
};
