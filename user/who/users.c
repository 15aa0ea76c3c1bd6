// SPDX-License-Identifier: GPL-2.0-only
/*
 * users.c - users of /etc/passwd in a table, and those of other sources for a while.
 */
#include "users.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "account.h"
#include "base/hash.h"

#define CHECK_NS  NS_PER_S
#define FORGET_NS (60 * NS_PER_S)
/* Strangers may choose the names, by identities of their own. */
#define OTHERS_MAX 4096
#define NOT_A_UID  UINT32_MAX

/* Lines with + and - send on to other sources. */
static bool is_entry(const struct passwd *entry)
{
	return entry->pw_name[0] != '+' && entry->pw_name[0] != '-' && entry->pw_uid != NOT_A_UID;
}

int users_read(struct name_table *names, const char *file)
{
	FILE *f = fopen(file, "re");
	const struct passwd *entry;
	int err = 0;

	if (!f)
		return -errno;
	while (!err && (entry = fgetpwent(f))) {
		if (is_entry(entry))
			err = name_table_add(names, entry->pw_name, entry->pw_uid);
		err = err == -EEXIST ? 0 : err;
	}
	fclose(f);
	return err;
}

static uint64_t signature_of(const char *file)
{
	uint64_t words[6] = {0};
	struct stat st;

	if (stat(file, &st) == 0) {
		words[0] = st.st_ino;
		words[1] = (uint64_t)st.st_size;
		words[2] = (uint64_t)st.st_mtim.tv_sec;
		words[3] = (uint64_t)st.st_mtim.tv_nsec;
		words[4] = (uint64_t)st.st_ctim.tv_sec;
		words[5] = (uint64_t)st.st_ctim.tv_nsec;
	}
	return hash_bytes(1, words, sizeof(words));
}

static void empty(struct name_table *names)
{
	name_table_free(names);
	name_table_init(names);
}

static void check_file(struct users *users, const char *file)
{
	uint64_t signature = signature_of(file);

	if (signature == users->signature)
		return;
	empty(&users->local);
	/* After an error, users that are missing are asked for one by one until the file can be
	 * read. */
	users->signature = users_read(&users->local, file) ? 0 : signature;
	users->forget_ns = 0; /* a new user may be one that was asked for in vain */
}

static void refresh(struct users *users, const char *file, uint64_t now_ns)
{
	if (now_ns >= users->check_ns) {
		users->check_ns = now_ns + CHECK_NS;
		check_file(users, file);
	}
	if (now_ns < users->forget_ns && users->others.count < OTHERS_MAX)
		return;
	empty(&users->others);
	users->forget_ns = now_ns + FORGET_NS;
}

bool users_find(struct users *users, const char *file, const char *name, uint64_t now_ns,
		uint32_t *uid)
{
	uint32_t found;

	refresh(users, file, now_ns);
	if (name_table_find(&users->local, name, uid))
		return true;
	if (!name_table_find(&users->others, name, &found)) {
		if (account_uid(name, &found))
			found = NOT_A_UID;
		/* Without memory the same name is asked for again. */
		name_table_add(&users->others, name, found);
	}
	if (found == NOT_A_UID)
		return false;
	*uid = found;
	return true;
}

void users_free(struct users *users)
{
	name_table_free(&users->local);
	name_table_free(&users->others);
	*users = (struct users){0};
}
