/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log.h - the daemon's log on stderr, with the <N> level prefix that journald reads when stderr is
 * the journal, and the one place where untrusted bytes become printable.
 */
#ifndef SMTPL_LOG_H
#define SMTPL_LOG_H

#include <stddef.h>

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
};

/* One line: "smtplimit: text". Whole lines in one write; a text with control bytes is escaped. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)

/* Copy at most `size` untrusted bytes up to a NUL into out: printable ASCII as it is, backslash as
 * "\\", everything else as \xHH. Valid UTF-8 outside the control ranges passes when `utf8` is set.
 * Always ends with a NUL, never cuts inside an escape. Returns out. */
char *log_escape(const char *bytes, size_t size, int utf8, char *out, size_t out_size);

#endif
