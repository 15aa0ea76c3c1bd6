/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notify_text.h - text for people that grows in a buffer, with times and lengths of time in their
 * words. What does not fit is cut at the end of a character.
 */
#ifndef SMTPL_NOTIFY_TEXT_H
#define SMTPL_NOTIFY_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct notify_text {
	char *bytes; /* always ended */
	size_t size;
	size_t used;
};

void notify_text_begin(struct notify_text *t, char *bytes, size_t size);
void notify_text_add(struct notify_text *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Untrusted text: printable, as log_escape() makes it, in one line. */
void notify_text_untrusted(struct notify_text *t, const char *text);
/* "14:05 CET on Tue 1 Dec 2026", in the host's time zone. */
void notify_text_time(struct notify_text *t, int64_t time_s);
/* "60 minutes", "3 hours", "2 days and 5 hours". */
void notify_text_length(struct notify_text *t, int64_t seconds);

#endif
