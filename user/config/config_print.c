/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_print.c - each effective setting with the file and line that it came from.
 */
#include "config_print.h"

#include <stdlib.h>
#include <time.h>

#include "config_account.h"
#include "config_file.h"

#define FROM_SIZE (CONFIG_NAME_SIZE + 48)

static void from_text(const char *file, unsigned int line, char from[FROM_SIZE])
{
	if (line)
		snprintf(from, FROM_SIZE, "%s:%u", file, line);
	else
		snprintf(from, FROM_SIZE, "default");
}

/* `name`: behind the section, "" or " alice"; `note`: behind the origin. */
static int print_setting(const struct config_key *key, const char *name, const void *base,
			 const char *from, const char *note, FILE *out)
{
	char *setting = NULL;
	size_t size;
	FILE *memory = open_memstream(&setting, &size);

	if (!memory)
		return -1;
	fprintf(memory, "[%s%s] %s = ", key->section, name, key->name);
	key->type->write(key, base, memory);
	if (fclose(memory)) {
		free(setting);
		return -1;
	}
	fprintf(out, "%-44s # %s%s\n", setting, from, note);
	free(setting);
	return 0;
}

static const char *account_note(const struct config_account *account)
{
	if (!account->id.kind)
		return ", no such user";
	return account->section->until_s <= time(NULL) ? ", over" : "";
}

static int print_account(const struct config_account *account, FILE *out)
{
	const struct config_section *s = account->section;
	char from[FROM_SIZE], name[ACCOUNT_NAME_SIZE + 1];
	int result = 0;

	snprintf(name, sizeof(name), " %s", account->name);
	for (size_t i = 0; i < CONFIG_ACCOUNT_KEYS && !result; i++) {
		if (!s->lines[i])
			continue;
		from_text(s->file, s->lines[i], from);
		result = print_setting(&config_keys[CONFIG_KEYS + i], name, s, from,
				       account_note(account), out);
	}
	return result;
}

int config_print_text(const char *file, const struct config *c,
		      const unsigned int lines[CONFIG_KEYS], FILE *out)
{
	size_t accounts = c->accounts ? c->accounts->count : 0;
	char from[FROM_SIZE];
	int result = 0;

	for (size_t i = 0; i < CONFIG_KEYS && !result; i++) {
		from_text(file, lines[i], from);
		result = print_setting(&config_keys[i], "", c, from, "", out);
	}
	for (size_t i = 0; i < accounts && !result; i++)
		result = print_account(&c->accounts->accounts[i], out);
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
