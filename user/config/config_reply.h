/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_reply.h - the file of an administrator's own rows for reply_class().
 */
#ifndef SMTPL_CONFIG_REPLY_H
#define SMTPL_CONFIG_REPLY_H

#include <stddef.h>
#include "core/reply_rows.h"

/* Read a file into rows, which are empty before. 0 or -errno: `error` then has "FILE:LINE: what" of
 * a row, or is "" where the file could not be read, and `why` has the reason. */
int config_replies_read(const char *path, struct reply_rows *rows, char error[REPLY_ERROR_MAX],
			char *why, size_t why_size);

#endif
