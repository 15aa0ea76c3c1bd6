/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_returns.h - finds the RETs by which a function ends: in its body, and in other functions of
 * the same file that it tail-calls.
 */
#ifndef SMTPL_TLS_RETURNS_H
#define SMTPL_TLS_RETURNS_H

#include "headers/tls.h"
#include "tls_code.h"
#include "tls_elf.h"

struct tls_returns {
	uint64_t offsets[SMTPL_TLS_PROBES_MAX]; /* in the file */
	size_t count;
	bool ends_elsewhere; /* by jumps into other files, or to a function of `own` */
};

/*
 * `own`: where functions begin that have probes of their own; a jump to them is not followed. 0 or
 * -ENOTSUP: it is not certain where the function ends, or it does so at too many places.
 */
int tls_returns_find(const struct tls_elf *elf, struct tls_code *code, struct tls_span body,
		     const uint64_t *own, size_t own_count, struct tls_returns *returns);

#endif
