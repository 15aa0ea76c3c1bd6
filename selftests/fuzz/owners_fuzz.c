/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners_fuzz.c - any bytes as a list of owners: read without a crash, every domain in the form
 * that mail has it, no owner who may not be one, every error one printable line.
 *
 * Input: which format (Hestia's by an odd first byte), then the file.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../user/owners/owners_hestia.c"
#include "who/account.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : broken(#condition))

static void broken(const char *condition)
{
	fprintf(stderr, "owners_fuzz: does not hold: %s\n", condition);
	abort();
}

/* In place of the C library's: every name of one letter is a user, with its byte as uid. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd entry;

	entry.pw_name = (char *)"x";
	entry.pw_uid = (uid_t)(unsigned char)name[0] - 'a';
	return name[0] && !name[1] ? &entry : NULL;
}

static int check_row(void *arg, const char *domain, uint32_t uid)
{
	char key[SMTPL_DOMAIN_SIZE];

	++*(size_t *)arg;
	REQUIRE(domain[0] && strlen(domain) < SMTPL_DOMAIN_SIZE);
	/* A cut key has '~' and its hash at the end: its own key is another one. */
	if (strlen(domain) <= SMTPL_DOMAIN_KEEP) {
		REQUIRE(!account_domain_key(domain, key));
		REQUIRE(!strcmp(key, domain));
	}
	REQUIRE(uid != 0 && uid != 1 && uid != 65534 && uid < UINT32_MAX - 1);
	return 0;
}

static void check_error(const char *error, const char *file)
{
	REQUIRE(!strncmp(error, file, strlen(file)) && error[strlen(file)] == ':');
	REQUIRE(strlen(error) < CONFIG_ERROR_SIZE - 1);
	for (const char *c = error; *c; c++)
		REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char path[] = "/data/users/a/web.conf";
	static struct config config;
	char error[CONFIG_ERROR_SIZE] = "";
	struct owners_reading r = {.config = &config,
				   .root = "",
				   .error = error,
				   .error_size = sizeof(error),
				   .owners = owners_new()};
	bool hestia = size && data[0] & 1;
	size_t count = 0;
	int err;

	config.relays = (struct config_uids){.uid = {0, 1}, .count = 2};
	if (hestia)
		err = owners_lines(&r, path, (const char *)data + 1, size - 1, LINE_BYTES,
				   read_line);
	else
		err = owners_lines(&r, path, (const char *)data + !!size, size - !!size,
				   OWNERS_LINE_BYTES, owners_row_line);
	if (err)
		check_error(error, path);
	REQUIRE(!owners_each(r.owners, check_row, &count));
	REQUIRE(count == owners_count(r.owners));
	name_table_free(&r.users);
	owners_free(r.owners);
	return 0;
}
