/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_print.c - each effective setting, below a comment with the file and line that it came
 * from: a file that can be read back.
 */
#include "config_print.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config_account.h"
#include "config_file.h"

#define FROM_SIZE (CONFIG_NAME_SIZE + 48)
/* A line of the file has 198 bytes at most. */
#define LINE_ROOM 150

static void from_text(const char *file, unsigned int line, char from[FROM_SIZE])
{
	if (line)
		snprintf(from, FROM_SIZE, "%s:%u", file, line);
	else
		snprintf(from, FROM_SIZE, "default");
}

/* Where a list or a command can go on in the next line: behind a comma, or at a single blank. */
static size_t line_length(const char *text, size_t room)
{
	size_t length = strlen(text), cut = 0;

	if (length <= room)
		return length;
	for (size_t i = 1; i < room; i++)
		if (text[i - 1] == ',' ||
		    (text[i] == ' ' && text[i - 1] != ' ' && text[i + 1] != ' '))
			cut = i;
	return cut ? cut : length;
}

/* `comment` stands before each line: "", or "# " where the setting belongs to another file. */
static void print_lines(const char *comment, const char *key, const char *value, FILE *out)
{
	size_t length = line_length(value, LINE_ROOM - strlen(key));

	fprintf(out, "%s%s = %.*s\n", comment, key, (int)length, value);
	for (value += length; *value; value += length) {
		value += *value == ' ';
		length = line_length(value, LINE_ROOM);
		fprintf(out, "%s\t%.*s\n", comment, (int)length, value);
	}
}

/* `note`: behind the origin. */
static int print_setting(const struct config_key *key, const void *base, const char *comment,
			 const char *from, const char *note, FILE *out)
{
	char *value = NULL;
	size_t size;
	FILE *memory = open_memstream(&value, &size);

	if (!memory)
		return -1;
	key->type->write(key, base, memory);
	if (fclose(memory)) {
		free(value);
		return -1;
	}
	fprintf(out, "# %.*s%s\n", LINE_ROOM, from, note);
	print_lines(comment, key->name, value, out);
	free(value);
	return 0;
}

static const char *account_note(const struct config_account *account)
{
	if (!account->id.kind)
		return ", no such user";
	return account->section->until_s <= time(NULL) ? ", over" : "";
}

/* A section of another file stays there: here it is a comment, so that all can be read back. */
static int print_account(const struct config_account *account, const char *file, FILE *out)
{
	const struct config_section *s = account->section;
	const char *comment = strcmp(s->file, file) ? "# " : "";
	char from[FROM_SIZE];
	int result = 0;

	fprintf(out, "\n%s[account %s]\n", comment, account->name);
	for (size_t i = 0; i < CONFIG_ACCOUNT_KEYS && !result; i++) {
		if (!s->lines[i])
			continue;
		from_text(s->file, s->lines[i], from);
		result = print_setting(&config_keys[CONFIG_KEYS + i], s, comment, from,
				       account_note(account), out);
	}
	return result;
}

int config_print_text(const char *file, const struct config *c,
		      const unsigned int lines[CONFIG_KEYS], FILE *out)
{
	size_t accounts = c->accounts ? c->accounts->count : 0;
	const char *section = "";
	char from[FROM_SIZE];
	int result = 0;

	for (size_t i = 0; i < CONFIG_KEYS && !result; i++) {
		if (strcmp(config_keys[i].section, section))
			fprintf(out, "%s[%s]\n", *section ? "\n" : "", config_keys[i].section);
		section = config_keys[i].section;
		from_text(file, lines[i], from);
		result = print_setting(&config_keys[i], c, "", from, "", out);
	}
	for (size_t i = 0; i < accounts && !result; i++)
		result = print_account(&c->accounts->accounts[i], file, out);
	return result;
}

static json_t *json_setting(const struct config_key *key, const void *base, const char *from)
{
	return json_pack("{s:o,s:s}", "value", key->type->json(key, base), "from", from);
}

static json_t *json_account(const struct config_account *account)
{
	const struct config_section *s = account->section;
	json_t *settings = json_object();
	char from[FROM_SIZE];

	for (size_t i = 0; i < CONFIG_ACCOUNT_KEYS; i++) {
		const struct config_key *key = &config_keys[CONFIG_KEYS + i];

		if (!s->lines[i])
			continue;
		from_text(s->file, s->lines[i], from);
		json_object_set_new(settings, key->name, json_setting(key, s, from));
	}
	return settings;
}

int config_print_json(const char *file, const struct config *c,
		      const unsigned int lines[CONFIG_KEYS], FILE *out)
{
	size_t accounts = c->accounts ? c->accounts->count : 0;
	json_t *all = json_object(), *sections = json_object();
	const struct config_key *key;
	char from[FROM_SIZE];
	int result = 0;

	for (size_t i = 0; i < CONFIG_KEYS && !result; i++) {
		key = &config_keys[i];
		if (!json_object_get(all, key->section))
			json_object_set_new(all, key->section, json_object());
		from_text(file, lines[i], from);
		result = json_object_set_new(json_object_get(all, key->section), key->name,
					     json_setting(key, c, from));
	}
	for (size_t i = 0; i < accounts && !result; i++)
		result = json_object_set_new(sections, c->accounts->accounts[i].name,
					     json_account(&c->accounts->accounts[i]));
	if (json_object_set_new(all, "account", sections))
		result = -1;
	if (!result)
		result = json_dumpf(all, out, 0);
	if (!result)
		fputc('\n', out);
	json_decref(all);
	return result;
}
