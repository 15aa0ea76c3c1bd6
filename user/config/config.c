/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.c - reads /etc/smtplimit.conf and what belongs to it, as a whole or not at all.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config_directory.h"
#include "config_print.h"
#include "config_reading.h"
#include "config_reply.h"

static unsigned int line_of(const struct reading *r, const char *section, const char *name)
{
	return r->lines[config_key_find(section, name) - config_keys];
}

/* Checks what depends on more than one line. */
static void check_whole(struct reading *r)
{
	unsigned int relays = line_of(r, "watch", "relay_users");
	unsigned int exempts = line_of(r, "watch", "exempt_users");
	struct account_id id = {.kind = ACCOUNT_UID};
	char name[ACCOUNT_NAME_SIZE];

	if (!r->c->ports_count)
		reading_fail(r, line_of(r, "watch", "ports"),
			     "ports = \"\": want at least one port from 1 to 65535");
	if (r->c->source == CONFIG_SOURCE_COMMAND && !r->c->owners_command[0])
		reading_fail(
			r, line_of(r, "accounts", "source"),
			"source = \"command\": want command = and what to run in [accounts] as well");
	if (r->c->notify_customer == CONFIG_CUSTOMER_FILE && !r->c->notify_customer_file[0])
		reading_fail(
			r, line_of(r, "notify", "customer"),
			"customer = \"file\": want customer_file = and its path in [notify] as well");
	if (r->c->notify_customer == CONFIG_CUSTOMER_COMMAND && !r->c->notify_customer_command[0])
		reading_fail(
			r, line_of(r, "notify", "customer"),
			"customer = \"command\": want customer_command = and what to run in [notify] "
			"as well");
	if (r->c->relays_gone)
		config_uids_add_default(&r->c->relays, &r->c->exempts);
	for (size_t i = 0; i < r->c->exempts.count; i++) {
		id.uid = r->c->exempts.uid[i];
		if (!config_uids_has(&r->c->relays, id.uid))
			continue;
		account_name(&id, name, sizeof(name));
		reading_fail(r, exempts > relays ? exempts : relays,
			     "%s is in exempt_users and in %srelay_users: want it in one of them",
			     name, relays ? "" : "the default ");
	}
}

/* DIR/NAME.d of DIR/NAME.conf. */
static int directory_of(const char *file, char directory[CONFIG_DIRECTORY_SIZE])
{
	size_t length = strlen(file);
	int used;

	if (length > 5 && !strcmp(file + length - 5, ".conf"))
		length -= 5;
	used = snprintf(directory, CONFIG_DIRECTORY_SIZE, "%.*s.d", (int)length, file);
	return used < CONFIG_DIRECTORY_SIZE ? 0 : -1;
}

/* The main file. */
static int read_main(struct reading *r, const char *path)
{
	struct config_file file;
	int result = config_file_load(path, &file);

	if (result == -ENOENT && !strcmp(path, CONFIG_FILE_DEFAULT))
		return 0;
	if (result) {
		snprintf(r->error, r->error_size, "%s: cannot read the configuration: %s", r->file,
			 strerror(-result));
		return -1;
	}
	r->begin = file.begin;
	r->end = file.end;
	result = reading_run(r);
	if (!result)
		check_whole(r);
	config_file_free(&file);
	return r->error_line ? -1 : 0;
}

static int read_replies(struct reading *r)
{
	char error[REPLY_ERROR_MAX], why[CONFIG_ERROR_SIZE / 2], quoted[CONFIG_QUOTE_SIZE];
	const char *path = r->c->replies_file;

	if (!*path || !config_replies_read(path, &r->c->replies, error, why, sizeof(why)))
		return 0;
	if (*error)
		snprintf(r->error, r->error_size, "%s", error);
	else
		reading_fail(r, line_of(r, "limit", "replies"), "replies = \"%s\": %s",
			     config_quote(path, strlen(path), quoted), why);
	return -1;
}

static int read_scope(const char *file, enum config_scope scope, struct config *c,
		      unsigned int lines[CONFIG_KEYS], char *error, size_t error_size)
{
	char printable[CONFIG_NAME_SIZE];
	struct reading r = {.file = printable,
			    .c = c,
			    .scope = scope,
			    .lines = lines,
			    .error = error,
			    .error_size = error_size};
	int result;

	log_escape(file, strlen(file), 1, printable, sizeof(printable));
	config_defaults(c);
	memset(lines, 0, CONFIG_KEYS * sizeof(lines[0]));
	if (directory_of(file, c->directory)) {
		snprintf(error, error_size, "%s: want a shorter path", printable);
		return -1;
	}
	result = read_main(&r, file);
	if (!result && scope == CONFIG_WHOLE)
		result = read_replies(&r) || config_directory_read(c, error, error_size) ||
			 config_accounts_finish(c, time(NULL), error, error_size);
	if (result)
		config_free(c);
	return result ? -1 : 0;
}

int config_read(const char *file, struct config *c, char *error, size_t error_size)
{
	unsigned int lines[CONFIG_KEYS];

	return read_scope(file, CONFIG_WHOLE, c, lines, error, error_size);
}

static int read_or_paths(const char *file, enum config_scope scope, struct config *c, char *error,
			 size_t error_size)
{
	char in_paths[CONFIG_ERROR_SIZE];
	unsigned int lines[CONFIG_KEYS];

	if (!read_scope(file, scope, c, lines, error, error_size))
		return 0;
	if (read_scope(file, CONFIG_PATHS, c, lines, in_paths, sizeof(in_paths))) {
		snprintf(error, error_size, "%s", in_paths);
		return -1;
	}
	c->paths_only = true;
	return 1;
}

int config_read_paths(const char *file, struct config *c, char *error, size_t error_size)
{
	return read_or_paths(file, CONFIG_WHOLE, c, error, error_size);
}

int config_read_client(const char *file, struct config *c, char *error, size_t error_size)
{
	return read_or_paths(file, CONFIG_GENERAL, c, error, error_size);
}

void config_free(struct config *c)
{
	reply_rows_free(&c->replies);
	config_accounts_free(c->accounts);
	c->accounts = NULL;
}

int config_print(const char *file, bool json, FILE *out, char *error, size_t error_size)
{
	unsigned int lines[CONFIG_KEYS];
	char printable[CONFIG_NAME_SIZE];
	struct config c;
	int result;

	if (read_scope(file, CONFIG_WHOLE, &c, lines, error, error_size))
		return -1;
	log_escape(file, strlen(file), 1, printable, sizeof(printable));
	result = json ? config_print_json(printable, &c, lines, out) :
			config_print_text(printable, &c, lines, out);
	config_free(&c);
	if (result)
		snprintf(error, error_size, "cannot print the configuration: out of memory");
	return result ? -1 : 0;
}
