/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * record.h - the one form in which an outcome reaches window and verdict, wherever it comes from:
 * the ring buffer, the healing of lost events, a mail server's feed.
 */
#ifndef SMTPL_RECORD_H
#define SMTPL_RECORD_H

#include <stdint.h>
#include "headers/smtp_types.h"

struct record {
	int64_t second; /* boot time, seconds */
	uint64_t mail; /* identity of (sender, recipient) within the account; 0: not known, so every
			 * one of `count` is a mail of its own */
	uint32_t count; /* attempts; 1 where `mail` is known */
	enum smtp_outcome outcome;
};

#endif
