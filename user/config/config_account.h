/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_account.h - the sections [account NAME] of the main file and of the files beside it: what
 * is different for some accounts.
 */
#ifndef SMTPL_CONFIG_ACCOUNT_H
#define SMTPL_CONFIG_ACCOUNT_H

#include "config.h"
#include "who/account.h"

#define CONFIG_ACCOUNTS_MAX 10000
#define CONFIG_WARNINGS_MAX 32
#define CONFIG_NOTE_SIZE    200 /* a line's worth */
#define CONFIG_NO_END	    INT64_MAX
#define CONFIG_ACCOUNT_KEYS 6

/* One section, which may name many accounts. */
struct config_section {
	char *file; /* printable */
	unsigned int line;
	/* Where each of its keys is set, in the order of the table of keys; 0: it is not. */
	unsigned int lines[CONFIG_ACCOUNT_KEYS];
	struct verdict_rule rule; /* all of it: [limit], and what the section sets instead */
	int64_t until_s; /* wall time; from then on the section is not in force; CONFIG_NO_END */
	char note[CONFIG_NOTE_SIZE];
	struct config_section *next;
};

struct config_account {
	struct account_id id; /* kind 0: there is no such user now */
	char *name;	      /* as the file has it, printable */
	struct config_section *section;
};

struct config_accounts {
	struct config_section *sections, **sections_end;
	struct config_account *accounts; /* as they stand in the files */
	size_t count, room;
	struct config_account **sorted; /* by id */
	char *warnings[CONFIG_WARNINGS_MAX];
	size_t warnings_count;	  /* may be more than are kept */
	struct name_table *users; /* of /etc/passwd, while reading a long list */
};

/* The account's section, also one that is over; NULL: it has none. */
const struct config_account *config_account_find(const struct config *c,
						 const struct account_id *id);

/* The rule for an account: that of its section while this is in force, else c->rule. Valid until
 * config_free(). */
const struct verdict_rule *config_account_rule(const struct config *c, const struct account_id *id,
					       int64_t now_wall_s);

/* The line in which the section sets "percent", "min_failures", "suspend", "mode", "until" or "note";
 * 0: it does not. */
unsigned int config_section_line(const struct config_section *section, const char *key);

/* Put what the section sets into a rule, whose rest stays. */
void config_section_apply(const struct config_section *section, struct verdict_rule *rule);

/* What is no error and still worth a line, i from 0: "FILE:LINE: what". NULL: no more. */
const char *config_warning(const struct config *c, size_t i);
void config_warnings_log(const struct config *c);

/* The rest is for the reader of the files. */

/* Begin a section with these names, separated by commas or blanks. -1: `why` says what is wrong
 * with them. */
int config_section_begin(struct config *c, const char *file, unsigned int line, const char *names,
			 size_t names_size, struct config_section **section, char *why,
			 size_t why_size);

/* When everything is read. -1: `error` is a whole line. now_wall_s is for warnings alone. */
int config_accounts_finish(struct config *c, int64_t now_wall_s, char *error, size_t error_size);

/* Note a warning, of which the first ones are kept. */
void config_warn(struct config *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

void config_accounts_free(struct config_accounts *accounts); /* NULL is fine */

#endif
