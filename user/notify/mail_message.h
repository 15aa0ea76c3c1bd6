/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mail_message.h - a mail as sendmail(1) reads it: header, empty line, text in UTF-8.
 */
#ifndef SMTPL_MAIL_MESSAGE_H
#define SMTPL_MAIL_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

struct mail_message {
	const char *from;
	const char *to;
	const char *subject;
	const char *text;
	const char *host;
	int64_t date_s;
	uint64_t serial; /* random: with date and host it makes the Message-ID */
};

/* Write it. Returns its size, or 0: it does not fit. No value can add a header: bytes that are no
 * text become blanks. */
size_t mail_message_write(const struct mail_message *m, char *out, size_t out_size);

#endif
