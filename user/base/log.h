/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log.h - lines on stderr, from the daemon and the commands alike, and the one place where
 * untrusted bytes become printable.
 */
#ifndef SMTPL_LOG_H
#define SMTPL_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
};

/* Longest text of one line; the rest is cut. */
#define LOG_TEXT_SIZE 2048

/* One line in one write: "smtplimit: text", or "<3>text" where stderr is the journal, which adds
 * the name itself. Control bytes, and everything else that is not clean UTF-8, become \xHH; a
 * backslash stays, so that the text may contain what log_escape() made. errno is kept. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_line(LOG_LEVEL_INFO, __VA_ARGS__)

/* Copy at most `size` untrusted bytes up to a NUL into out: printable ASCII as it is, backslash as
 * "\\", everything else as \xHH. Valid UTF-8 passes when `utf8` is set, but for control characters
 * (C1), those that turn the direction of text, and those that cannot be seen. Always ends with a
 * NUL, never cuts inside an escape or a character. Returns out. */
char *log_escape(const char *bytes, size_t size, int utf8, char *out, size_t out_size);

/* For log_event.c: what log_line() makes of a text, without its end of line, and its length; and
 * where stderr goes. */
size_t log_printable(const char *bytes, size_t size, char *out, size_t out_size);
bool log_is_journal(void);

#endif
