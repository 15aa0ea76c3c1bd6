/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * users.h - the uids of this host's users. getpwnam(3) reads /etc/passwd from its beginning for
 * each name: more than a millisecond with 10,000 users, for every mail and for each row of the
 * owners. Here the file is read when it has changed, and what it does not have is asked of the
 * other sources once a minute.
 */
#ifndef SMTPL_USERS_H
#define SMTPL_USERS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/name_table.h"

#define USERS_FILE "/etc/passwd"

/* All zero: nothing is known yet. */
struct users {
	struct name_table local;
	struct name_table others; /* UINT32_MAX: there is no such user */
	uint64_t signature;	  /* of the file that was read */
	uint64_t check_ns;	  /* when to check the file next */
	uint64_t forget_ns;	  /* when `others` is too old */
};

/* False: there is no such user, or nobody knows. now_ns never goes back. */
bool users_find(struct users *users, const char *file, const char *name, uint64_t now_ns,
		uint32_t *uid);
void users_free(struct users *users); /* all zero afterwards */

/* Add the users of a file like /etc/passwd; the first of a name stays. 0 or -errno. */
int users_read(struct name_table *names, const char *file);

#endif
