/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * clock_text.h - times as people say them, for log lines and tables; machines get ISO 8601.
 */
#ifndef SMTPL_CLOCK_TEXT_H
#define SMTPL_CLOCK_TEXT_H

#include <stdint.h>

#define CLOCK_TEXT_SIZE 32

/* Of the last year with four digits; what lies behind it, or before 1970, is shown as the end of
 * that range. */
#define CLOCK_TEXT_LAST_S INT64_C(253402300799)

/* "Tue 1 Dec 14:05", in local time; without the day where it is that of now_s. Unix times. Returns
 * text. */
char *clock_text(int64_t wall_s, int64_t now_s, char text[CLOCK_TEXT_SIZE]);
/* The same with the day in any case. */
char *clock_text_day(int64_t wall_s, char text[CLOCK_TEXT_SIZE]);

/* "2026-12-01T14:05:00Z" */
char *clock_text_iso(int64_t wall_s, char text[CLOCK_TEXT_SIZE]);

/* "45 s", "60 min", "12 h", "2 h 30 min", "3 d 4 h": cut to what is said. Negative ones are 0. */
char *clock_text_span(int64_t seconds, char text[CLOCK_TEXT_SIZE]);

#endif
