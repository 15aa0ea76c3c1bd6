/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_fuzz.c - any bytes as a configuration: read without a crash, every value in its range,
 * every error one printable line that names the file.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config_account.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : broken(#condition))

static void broken(const char *condition)
{
	fprintf(stderr, "config_fuzz: does not hold: %s\n", condition);
	abort();
}

/* In place of the C library's: every name of one letter is a user. */
struct passwd *getpwnam(const char *name)
{
	static struct passwd entry;

	entry.pw_name = (char *)"x";
	entry.pw_uid = (uid_t)name[0];
	return name[0] && !name[1] ? &entry : NULL;
}

static void check_path(const char *path, size_t length_max)
{
	char printable[PATH_MAX];

	REQUIRE(path[0] == '/' && path[1] && strlen(path) <= length_max);
	REQUIRE(!strcmp(log_escape(path, PATH_MAX, 1, printable, sizeof(printable)), path));
}

/* Each account of a section is found, and has the section's rule. */
static void check_accounts(const struct config *c)
{
	const struct config_accounts *a = c->accounts;
	const struct config_section *s;

	for (size_t i = 0; a && i < a->count; i++) {
		s = a->accounts[i].section;
		REQUIRE(s->rule.percent >= 1 && s->rule.percent <= 100);
		REQUIRE(s->rule.min_failures >= 1);
		REQUIRE(s->rule.window_s == c->rule.window_s);
		if (!a->accounts[i].id.kind)
			continue;
		REQUIRE(config_account_find(c, &a->accounts[i].id) == &a->accounts[i]);
		REQUIRE(config_account_rule(c, &a->accounts[i].id, INT64_MIN) == &s->rule);
		REQUIRE(config_account_rule(c, &a->accounts[i].id, INT64_MAX) == &c->rule);
	}
}

static void check_config(const struct config *c)
{
	check_accounts(c);
	REQUIRE(c->rule.one_remote <= 100 && c->rule.warn <= 100);
	REQUIRE(c->rule.trouble_accounts != 1 && c->rule.trouble_accounts <= 32);
	REQUIRE(c->rule.trouble_share >= 1 && c->rule.trouble_share <= 100);
	REQUIRE(c->rule.defer_grace_s >= 0 && c->rule.defer_grace_s <= 3600);
	REQUIRE(c->rule.mode == VERDICT_ENFORCE || c->rule.mode == VERDICT_OBSERVE);
	REQUIRE(c->rule.window_s >= CONFIG_WINDOW_MIN_S && c->rule.window_s <= CONFIG_WINDOW_MAX_S);
	REQUIRE(c->rule.suspend_s >= CONFIG_SUSPEND_MIN_S);
	REQUIRE(c->rule.suspend_s <= CONFIG_SUSPEND_MAX_S);
	REQUIRE(c->rule.percent >= 1 && c->rule.percent <= 100);
	REQUIRE(c->rule.min_failures >= 1 && c->rule.min_failures <= CONFIG_MIN_FAILURES_MAX);
	REQUIRE(c->ring_bytes >= CONFIG_RING_MIN_BYTES && c->ring_bytes <= CONFIG_RING_MAX_BYTES);
	REQUIRE(!(c->ring_bytes & (c->ring_bytes - 1)));
	REQUIRE(c->tls == SMTPL_TLS_OFF || c->tls == SMTPL_TLS_PROCESS ||
		c->tls == SMTPL_TLS_LIBRARY);

	REQUIRE(c->ports_count >= 1 && c->ports_count <= SMTPL_PORTS_MAX);
	for (size_t i = 0; i < c->ports_count; i++) {
		REQUIRE(c->ports[i]);
		for (size_t j = 0; j < i; j++)
			REQUIRE(c->ports[i] != c->ports[j]);
	}
	REQUIRE(c->relays.count >= 1 && c->relays.count <= SMTPL_USERS_MAX);
	REQUIRE(c->relays.uid[0] == 0);
	REQUIRE(c->exempts.count <= SMTPL_USERS_MAX);
	for (size_t i = 0; i < c->exempts.count; i++)
		for (size_t j = 0; j < c->relays.count; j++)
			REQUIRE(c->exempts.uid[i] != c->relays.uid[j]);

	REQUIRE(c->source <= CONFIG_SOURCE_COMMAND && c->relay <= CONFIG_RELAY_RESET);
	REQUIRE(c->source != CONFIG_SOURCE_COMMAND || c->owners_command[0]);
	REQUIRE(strlen(c->owners_command) <= PATH_MAX - 64);
	for (const char *byte = c->owners_command; *byte; byte++)
		REQUIRE((unsigned char)*byte >= 0x20 && *byte != 0x7f);
	REQUIRE(c->owners_refresh_s >= CONFIG_REFRESH_MIN_S);
	REQUIRE(c->owners_refresh_s <= CONFIG_REFRESH_MAX_S);
	check_path(c->owners_file, PATH_MAX - 1);
	if (strcmp(c->feed_postfix, "auto") && strcmp(c->feed_postfix, "off") &&
	    strcmp(c->feed_postfix, "journal"))
		check_path(c->feed_postfix, PATH_MAX - 1);
	if (strcmp(c->cgroup, "auto"))
		check_path(c->cgroup, PATH_MAX - 1);
	check_path(c->state, PATH_MAX - 1);
	check_path(c->run, CONFIG_RUN_MAX);
	check_path(c->bpffs, PATH_MAX - 1);
}

/* What the escaper leaves as it is, is printable; a backslash is its own. */
static void check_error(const char *error, const char *file)
{
	REQUIRE(!strncmp(error, file, strlen(file)) && error[strlen(file)] == ':');
	REQUIRE(strlen(error) < CONFIG_ERROR_SIZE - 1);
	for (const char *c = error; *c; c++)
		REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	static int fd = -1;
	char error[CONFIG_ERROR_SIZE] = "", file[64];

	if (fd < 0)
		fd = memfd_create("config", MFD_CLOEXEC);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		broken("the file could be written");
	if (config_read(file, &c, error, sizeof(error)))
		check_error(error, file);
	else
		check_config(&c);
	config_free(&c);
	return 0;
}
