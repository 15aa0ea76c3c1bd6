/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_reader.h - reads untrusted files for tls_plan.h, in a child without privileges that is
 * started at need and ended when a file takes it too long.
 */
#ifndef SMTPL_TLS_READER_H
#define SMTPL_TLS_READER_H

#include <sys/types.h>
#include "tls_plan.h"

#define TLS_READER_TIMEOUT_MS 2000 /* for one file */

struct tls_reader {
	pid_t pid;   /* 0: none */
	int fd;	     /* -1: none */
	uid_t owner; /* of the files that it has read */
};

/* `file` is open for reading and stays the caller's. As tls_plan_read(); also -ETIMEDOUT, and
 * -ECHILD: the child died of the file. After these two do not try that file again. Any further
 * error means that no child could be started. It needs what SANDBOX_CHILD_CAPS names. */
int tls_reader_plan(struct tls_reader *reader, int file, struct tls_plan *plan);

void tls_reader_stop(struct tls_reader *reader);

#endif
