/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_key.h - the one table of all settings: section, name, kind of value, range.
 */
#ifndef SMTPL_CONFIG_KEY_H
#define SMTPL_CONFIG_KEY_H

#include "config_value.h"

struct config_key {
	const char *section;
	const char *name;
	const struct config_type *type;
	size_t offset; /* of the field in struct config; [account]: in struct config_section */
	int64_t min;   /* number, seconds or bytes; an address: 1, a user's name will do */
	int64_t max;   /* the same; a path: its length */
};

static inline void *config_field(const struct config_key *key, void *base)
{
	return (char *)base + key->offset;
}

static inline const void *config_field_const(const struct config_key *key, const void *base)
{
	return (const char *)base + key->offset;
}

/* Behind them come the CONFIG_ACCOUNT_KEYS of [account NAME]. */
#define CONFIG_KEYS 45
extern const struct config_key config_keys[];

/* The place of a key of [account NAME] among these. */
static inline size_t config_account_key(const struct config_key *key)
{
	return (size_t)(key - config_keys) - CONFIG_KEYS;
}

/* NULL: there is none. */
const struct config_key *config_key_find(const char *section, const char *name);

/* The key that a wrong name was probably meant to be: at most two edits away, rather one of this
 * section. NULL: none is. */
const struct config_key *config_key_nearest(const char *section, const char *name);

/* The same for sections. */
const char *config_section_nearest(const char *section);
bool config_section_known(const char *section);

/* "[limit], [watch] ... or [account NAME]" */
void config_section_list(char *list, size_t list_size);

/* "mode, window, percent ..." of a section */
void config_key_list(const char *section, char *list, size_t list_size);

#endif
