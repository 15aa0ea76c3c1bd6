/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notice_env.h - the facts of a notice as environment variables of the command.
 */
#ifndef SMTPL_NOTICE_ENV_H
#define SMTPL_NOTICE_ENV_H

#include <stddef.h>
#include "notice.h"
#include "notice_digest.h"

/* "SMTPLIMIT_KIND=suspended", ..., each ended by a NUL, without control bytes. Returns their size;
 * what does not fit is left out. */
size_t notice_env(const struct notice *n, const char *host, char *out, size_t out_size);
size_t notice_env_digest(const struct notice_digest *d, const char *host, char *out,
			 size_t out_size);

#endif
