// SPDX-License-Identifier: GPL-2.0-only
/*
 * owners_hestia.c - Hestia's domains: each user has the files web.conf, mail.conf and dns.conf,
 * with a line for each domain of KEY='value' words.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "owners_read.h"

#define USERS_MAX 65536
/* The aliases of a domain are not limited. */
#define LINE_BYTES (64 * 1024)

static const char *const files[] = {"web.conf", "mail.conf", "dns.conf"};
#define FILES (sizeof(files) / sizeof(files[0]))

static const char *users_directory(char path[PATH_MAX])
{
	const char *hestia = getenv("HESTIA");

	if (!hestia || hestia[0] != '/' ||
	    snprintf(path, PATH_MAX, "%s/data/users", hestia) >= PATH_MAX)
		snprintf(path, PATH_MAX, "/usr/local/hestia/data/users");
	return path;
}

/* The value of a key; it has no quote inside. NULL: there is no such word. */
static const char *value_of(const char *line, size_t length, const char *key, size_t *size)
{
	const char *at = line, *end = line + length, *close;
	size_t key_size = strlen(key);

	while ((at = memmem(at, (size_t)(end - at), key, key_size))) {
		at += key_size;
		if (at - key_size > line && at[-(ssize_t)key_size - 1] != ' ')
			continue;
		close = memchr(at, '\'', (size_t)(end - at));
		if (!close)
			return NULL;
		*size = (size_t)(close - at);
		return at;
	}
	return NULL;
}

/* The user's name, from the path of the file that is being read. */
static const char *user_of(const char *path, size_t *size)
{
	const char *file = strrchr(path, '/'),
		   *user = memrchr(path, '/', (size_t)(file - path)) + 1;

	*size = (size_t)(file - user);
	return user;
}

static int read_line(struct owners_reading *r, const char *line, size_t length)
{
	size_t domain_size, alias_size, user_size;
	const char *domain = value_of(line, length, "DOMAIN='", &domain_size), *alias;
	const char *user = user_of(r->file, &user_size);
	int err;

	if (!domain)
		return owners_fail_quoted(r, line, length, "want DOMAIN='NAME' in each line");
	err = owners_row(r, domain, domain_size, user, user_size);
	alias = value_of(line, length, "ALIAS='", &alias_size);
	while (!err && alias && alias_size) {
		const char *comma = memchr(alias, ',', alias_size);
		size_t size = comma ? (size_t)(comma - alias) : alias_size;

		if (size)
			err = owners_row(r, alias, size, user, user_size);
		alias_size -= size + (comma != NULL);
		alias += size + (comma != NULL);
	}
	return err;
}

/* Calls back with each file of each user; -ENOENT: the panel is not there. */
static int each_file(const char *root, owners_file_fn each, void *arg)
{
	char users[PATH_MAX], path[2 * PATH_MAX];
	struct dirent *entry;
	size_t count = 0;
	int err = 0;
	DIR *dir;

	users_directory(users);
	snprintf(path, sizeof(path), "%s%s", root, users);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!err && count < USERS_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		for (size_t i = 0; i < FILES && !err; i++) {
			snprintf(path, sizeof(path), "%s/%s/%s", users, entry->d_name, files[i]);
			err = each(arg, path);
		}
	}
	closedir(dir);
	return err;
}

static int read_file(void *arg, const char *path)
{
	int err = owners_file(arg, path, LINE_BYTES, read_line);

	return err == -ENOENT || err == -ENOTDIR ? 0 : err;
}

int owners_read_hestia(struct owners_reading *r)
{
	char users[PATH_MAX], note[PATH_MAX + 16];
	int err;

	r->error[0] = '\0';
	err = each_file(r->root, read_file, r);
	users_directory(users);
	if (!err) {
		snprintf(note, sizeof(note), "hestia %s", users);
		owners_note_source(r->owners, note);
	} else if (!r->error[0]) {
		snprintf(r->error, r->error_size, "%s: cannot be read: %s", users, strerror(-err));
	}
	return err;
}

int owners_files_hestia(const char *root, owners_file_fn each, void *arg)
{
	char users[PATH_MAX];
	int result = each(arg, users_directory(users));

	return result ? result : each_file(root, each, arg);
}
