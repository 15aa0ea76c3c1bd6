/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_files.h - a log file and those that it was rotated into, opened for reading.
 */
#ifndef SMTPL_MAILLOG_FILES_H
#define SMTPL_MAILLOG_FILES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Open the log, and, with max above 1, the newest of the files beside it that are called like it,
 * with a '.' or '-' and a digit behind (mail.log.1, mail.log-20261122), but not compressed: the log
 * first, then the newest, each file once. Returns how many; the caller closes them.
 */
uint32_t maillog_files_open(const char *path, int *fds, uint32_t max);

#endif
