/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_account.c - the accounts that have a section of their own, and the rule of each.
 */
#include "config_account.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/name_table.h"
#include "config_file.h"
#include "config_key.h"
#include "who/users.h"

/* From so many accounts on, /etc/passwd is read once and not for each name. */
#define FEW_NAMES 50

static int by_id(const struct account_id *a, const struct account_id *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == ACCOUNT_DOMAIN)
		return strncmp(a->domain, b->domain, sizeof(a->domain));
	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

/* Accounts that are the same keep the order of the files. Of names that are gone, each is one. */
static int compare(const void *left, const void *right)
{
	const struct config_account *a = *(struct config_account *const *)left;
	const struct config_account *b = *(struct config_account *const *)right;
	int order = by_id(&a->id, &b->id);

	if (!order && !a->id.kind)
		order = strcmp(a->name, b->name);
	return order ? order : a < b ? -1 : a > b;
}

static bool same(const struct config_account *a, const struct config_account *b)
{
	return !by_id(&a->id, &b->id) && (a->id.kind || !strcmp(a->name, b->name));
}

static int find_id(const void *id, const void *member)
{
	return by_id(id, &(*(struct config_account *const *)member)->id);
}

const struct config_account *config_account_find(const struct config *c,
						 const struct account_id *id)
{
	struct config_account **found;

	if (!c->accounts)
		return NULL;
	found = bsearch(id, c->accounts->sorted, c->accounts->count, sizeof(*found), find_id);
	return found ? *found : NULL;
}

const struct verdict_rule *config_account_rule(const struct config *c, const struct account_id *id,
					       int64_t now_wall_s)
{
	const struct config_account *account = config_account_find(c, id);

	return account && now_wall_s < account->section->until_s ? &account->section->rule :
								   &c->rule;
}

static struct config_accounts *accounts_of(struct config *c)
{
	if (!c->accounts)
		c->accounts = calloc(1, sizeof(*c->accounts));
	if (c->accounts && !c->accounts->sections_end)
		c->accounts->sections_end = &c->accounts->sections;
	return c->accounts;
}

void config_warn(struct config *c, const char *format, ...)
{
	struct config_accounts *a = accounts_of(c);
	char text[CONFIG_ERROR_SIZE];
	va_list args;

	if (!a || a->warnings_count++ >= CONFIG_WARNINGS_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	a->warnings[a->warnings_count - 1] = strdup(text);
}

const char *config_warning(const struct config *c, size_t i)
{
	static const char more[] = "there are more warnings like these";
	size_t count = c->accounts ? c->accounts->warnings_count : 0;

	if (i < count && i < CONFIG_WARNINGS_MAX)
		return c->accounts->warnings[i] ?: "out of memory";
	return i == CONFIG_WARNINGS_MAX && i < count ? more : NULL;
}

void config_warnings_log(const struct config *c)
{
	const char *warning;

	for (size_t i = 0; (warning = config_warning(c, i)); i++)
		log_warning("%s", warning);
}

/* -ENOENT: it is not there, which says nothing of other sources of users. */
static int find_local(struct config_accounts *a, const char *name, struct account_id *id)
{
	if (a->count >= FEW_NAMES && !a->users) {
		a->users = calloc(1, sizeof(*a->users));
		if (!a->users)
			return -ENOENT;
		name_table_init(a->users);
		users_read(a->users, USERS_FILE);
	}
	if (!a->users || !name_table_find(a->users, name, &id->uid))
		return -ENOENT;
	id->kind = ACCOUNT_UID;
	return 0;
}

/* Room for one more. NULL: there is none, `why`. */
static struct config_account *next_account(struct config_accounts *a, char *why, size_t why_size)
{
	size_t room = a->room ? 2 * a->room : 16;
	struct config_account *grown;

	if (a->count == CONFIG_ACCOUNTS_MAX) {
		snprintf(why, why_size, "want at most %d accounts in all", CONFIG_ACCOUNTS_MAX);
		return NULL;
	}
	if (a->count == a->room) {
		grown = reallocarray(a->accounts, room, sizeof(*grown));
		if (!grown) {
			snprintf(why, why_size, "out of memory");
			return NULL;
		}
		a->accounts = grown;
		a->room = room;
	}
	a->accounts[a->count] = (struct config_account){};
	return &a->accounts[a->count];
}

/* -1: `why`. */
static int add_name(struct config *c, struct config_section *section, const char *name, char *why,
		    size_t why_size)
{
	struct config_account *account = next_account(c->accounts, why, why_size);
	char printable[ACCOUNT_NAME_SIZE];
	int error = 0;

	if (!account)
		return -1;
	if (find_local(c->accounts, name, &account->id))
		error = account_parse(name, &account->id, why, why_size);
	if (error && error != -ENOENT)
		return -1;
	if (error)
		config_warn(c, "%s:%u: [account] %s; passed over", section->file, section->line,
			    why);
	account->section = section;
	account->name = strdup(log_escape(name, strlen(name), 1, printable, sizeof(printable)));
	if (!account->name) {
		snprintf(why, why_size, "out of memory");
		return -1;
	}
	c->accounts->count++;
	return 0;
}

static int add_names(struct config *c, struct config_section *section, const char *names, char *why,
		     size_t why_size)
{
	char name[CONFIG_ITEM_SIZE], quoted[CONFIG_QUOTE_SIZE];
	size_t before = c->accounts->count;
	int more;

	while ((more = config_list_item(&names, name)) <= 0) {
		if (more < 0) {
			snprintf(why, why_size, "\"%s...\" is longer than any account",
				 config_quote(name, 64, quoted));
			return -1;
		}
		if (add_name(c, section, name, why, why_size))
			return -1;
	}
	if (c->accounts->count > before)
		return 0;
	snprintf(why, why_size, "names nobody: want [account NAME], or [account NAME, NAME, ...]");
	return -1;
}

int config_section_begin(struct config *c, const char *file, unsigned int line, const char *names,
			 size_t names_size, struct config_section **section, char *why,
			 size_t why_size)
{
	struct config_accounts *a = accounts_of(c);
	struct config_section *s = a ? calloc(1, sizeof(*s)) : NULL;
	char *text = s ? strndup(names, names_size) : NULL;
	int result = -1;

	if (s) {
		s->file = strdup(file);
		s->line = line;
		s->until_s = CONFIG_NO_END;
		*a->sections_end = s;
		a->sections_end = &s->next;
	}
	if (text && s->file)
		result = add_names(c, s, text, why, why_size);
	else
		snprintf(why, why_size, "out of memory");
	free(text);
	*section = s;
	return result;
}

unsigned int config_section_line(const struct config_section *s, const char *key)
{
	return s->lines[config_account_key(config_key_find("account", key))];
}

void config_section_apply(const struct config_section *s, struct verdict_rule *rule)
{
	if (config_section_line(s, "percent"))
		rule->percent = s->rule.percent;
	if (config_section_line(s, "min_failures"))
		rule->min_failures = s->rule.min_failures;
	if (config_section_line(s, "suspend"))
		rule->suspend_s = s->rule.suspend_s;
	if (config_section_line(s, "mode"))
		rule->mode = s->rule.mode;
}

/* [limit] may stand behind the section, so what this does not set comes last. */
static void complete(struct config_section *s, const struct verdict_rule *general)
{
	struct verdict_rule rule = *general;

	config_section_apply(s, &rule);
	s->rule = rule;
}

static void warn_of_roles(struct config *c, const struct config_account *account)
{
	bool relay =
		account->id.kind == ACCOUNT_UID && config_uids_has(&c->relays, account->id.uid);

	if (relay ||
	    (account->id.kind == ACCOUNT_UID && config_uids_has(&c->exempts, account->id.uid)))
		config_warn(c, "%s:%u: [account] \"%s\" is in %s, and is never judged",
			    account->section->file, account->section->line, account->name,
			    relay ? "relay_users" : "exempt_users");
}

static int sort(struct config_accounts *a, char *error, size_t error_size)
{
	a->sorted = calloc(a->count + 1, sizeof(*a->sorted));
	if (!a->sorted) {
		snprintf(error, error_size, "cannot read the configuration: out of memory");
		return -1;
	}
	for (size_t i = 0; i < a->count; i++)
		a->sorted[i] = &a->accounts[i];
	qsort(a->sorted, a->count, sizeof(*a->sorted), compare);
	for (size_t i = 1; i < a->count; i++) {
		const struct config_account *first = a->sorted[i - 1], *second = a->sorted[i];

		if (!same(first, second))
			continue;
		snprintf(error, error_size,
			 "%s:%u: [account] \"%s\": named in %s:%u already%s%s%s, want each account "
			 "in one section",
			 second->section->file, second->section->line, second->name,
			 first->section->file, first->section->line,
			 strcmp(first->name, second->name) ? " as \"" : "",
			 strcmp(first->name, second->name) ? first->name : "",
			 strcmp(first->name, second->name) ? "\"" : "");
		return -1;
	}
	return 0;
}

int config_accounts_finish(struct config *c, int64_t now_wall_s, char *error, size_t error_size)
{
	struct config_accounts *a = c->accounts;

	if (!a)
		return 0;
	if (a->users)
		name_table_free(a->users);
	free(a->users);
	a->users = NULL;
	if (sort(a, error, error_size))
		return -1;
	for (struct config_section *s = a->sections; s; s = s->next) {
		complete(s, &c->rule);
		if (s->until_s <= now_wall_s)
			config_warn(c, "%s:%u: [account] until is over; passed over", s->file,
				    s->line);
	}
	for (size_t i = 0; i < a->count; i++)
		warn_of_roles(c, &a->accounts[i]);
	return 0;
}

void config_accounts_free(struct config_accounts *a)
{
	struct config_section *next;

	if (!a)
		return;
	for (struct config_section *s = a->sections; s; s = next) {
		next = s->next;
		free(s->file);
		free(s);
	}
	for (size_t i = 0; i < a->count; i++)
		free(a->accounts[i].name);
	for (size_t i = 0; i < CONFIG_WARNINGS_MAX; i++)
		free(a->warnings[i]);
	if (a->users)
		name_table_free(a->users);
	free(a->users);
	free(a->accounts);
	free(a->sorted);
	free(a);
}
