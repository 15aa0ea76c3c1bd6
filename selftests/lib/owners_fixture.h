/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners_fixture.h - shared by the tests of owners: a root directory for one test, a passwd
 * database of the few users below, and a table as one line of text. Included once, by the test
 * itself, after cmocka.h.
 */
#ifndef SMTPL_OWNERS_FIXTURE_H
#define SMTPL_OWNERS_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "owners/owners_read.h"

#define OWNERS_TEST(function) cmocka_unit_test_setup_teardown(function, make_root, remove_root)

static struct passwd users[] = {
	{.pw_name = (char *)"root", .pw_uid = 0},
	{.pw_name = (char *)"mail", .pw_uid = 8},
	{.pw_name = (char *)"alice", .pw_uid = 1000},
	{.pw_name = (char *)"bob", .pw_uid = 1001},
	{.pw_name = (char *)"carol", .pw_uid = 1002},
	{.pw_name = (char *)"nobody", .pw_uid = 99},
	{.pw_name = (char *)"nfsnobody", .pw_uid = 65534},
};

static unsigned int users_asked;

/* These take the place of the C library's functions. */
struct passwd *getpwnam(const char *name)
{
	users_asked++;
	errno = !strcmp(name, "broken") ? EIO : 0;
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (!strcmp(users[i].pw_name, name))
			return &users[i];
	return NULL;
}

static char root[64];
static struct config config;

static inline int remove_entry(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static inline int make_root(void **unused)
{
	(void)unused;
	config_defaults(&config);
	snprintf(root, sizeof(root), "/tmp/smtplimit-owners-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static inline int remove_root(void **unused)
{
	(void)unused;
	return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *below(const char *path)
{
	static char whole[512];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	return whole;
}

/* Makes all directories of the path as well. */
static inline void make_directories(const char *path)
{
	char whole[512];

	snprintf(whole, sizeof(whole), "%s", below(path));
	for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		assert_true(mkdir(whole, 0755) == 0 || errno == EEXIST);
	}
}

static inline void write_bytes(const char *path, const char *bytes, size_t size)
{
	FILE *f;

	make_directories(path);
	f = fopen(below(path), "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static inline void write_text(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

struct listed {
	char text[64][96];
	size_t count;
};

static inline int list_row(void *arg, const char *domain, uint32_t uid)
{
	struct listed *listed = arg;

	assert_true(listed->count < 64);
	snprintf(listed->text[listed->count++], sizeof(listed->text[0]), "%s=%u", domain, uid);
	return 0;
}

static inline int compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* "a.example=1000 b.example=1001", sorted. */
static inline const char *listing(const struct owners *owners)
{
	static char line[8192];
	struct listed listed = {.count = 0};
	size_t used = 0;

	line[0] = '\0';
	assert_int_equal(owners_each(owners, list_row, &listed), 0);
	assert_int_equal(owners_count(owners), listed.count);
	qsort(listed.text, listed.count, sizeof(listed.text[0]), compare_text);
	for (size_t i = 0; i < listed.count; i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%s", i ? " " : "",
					 listed.text[i]);
	return line;
}

#endif
