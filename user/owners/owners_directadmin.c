// SPDX-License-Identifier: GPL-2.0-only
/*
 * owners_directadmin.c - DirectAdmin's list of domains, and the domain pointers beside it: symbolic
 * links from one domain's directory to another's, which has the same owner.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "who/account.h"
#include "base/log.h"
#include "owners_read.h"

#define VIRTUAL "/etc/virtual"
static const char domains[] = VIRTUAL "/domainowners";

/* The domain that a link points to; one into another directory keeps its slash, and is no
 * domain. */
static const char *pointed_at(char *target)
{
	size_t length = strlen(target);

	while (length && target[length - 1] == '/')
		target[--length] = '\0';
	if (!strncmp(target, VIRTUAL "/", strlen(VIRTUAL "/")))
		target += strlen(VIRTUAL "/");
	else if (!strncmp(target, "./", 2))
		target += 2;
	return target;
}

static int read_pointer(struct owners_reading *r, int directory, const char *name)
{
	char target[PATH_MAX], key[SMTPL_DOMAIN_SIZE];
	ssize_t n = readlinkat(directory, name, target, sizeof(target) - 1);
	const char *domain;
	uint32_t uid;
	int err;

	if (n < 0)
		return 0; /* it is gone, or no link but another file of the mail server */
	target[n] = '\0';
	domain = pointed_at(target);
	if (account_domain_key(domain, key) || !owners_find(r->owners, key, &uid))
		return 0;
	err = owners_row_uid(r, name, strlen(name), uid);
	return err == -EINVAL ? 0 : err; /* a link of somebody's own, with no domain's name */
}

static int read_pointers(struct owners_reading *r)
{
	char below[PATH_MAX], printable[PATH_MAX];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	snprintf(below, sizeof(below), "%s" VIRTUAL, r->root);
	dir = opendir(below);
	if (!dir) {
		err = -errno;
		snprintf(r->error, r->error_size, "%s: cannot be read: %s", VIRTUAL,
			 strerror(-err));
		return err;
	}
	while (!err && (entry = readdir(dir))) {
		if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
			continue;
		snprintf(below, sizeof(below), VIRTUAL "/%s", entry->d_name);
		r->file = log_escape(below, strlen(below), 1, printable, sizeof(printable));
		err = read_pointer(r, dirfd(dir), entry->d_name);
	}
	r->file = NULL;
	closedir(dir);
	return err;
}

int owners_read_directadmin(struct owners_reading *r)
{
	int err = owners_file(r, domains, OWNERS_LINE_BYTES, owners_row_line);

	if (!err)
		err = read_pointers(r);
	if (!err)
		owners_note_source(r->owners, "directadmin /etc/virtual/domainowners");
	return err;
}

int owners_files_directadmin(const char *root, owners_file_fn each, void *arg)
{
	int result = each(arg, domains);

	(void)root;
	return result ? result : each(arg, VIRTUAL);
}
