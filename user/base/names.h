/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * names.h - a table of names, each with a number: of domains with their owners, of users with their
 * uids. It grows and forgets nothing. Strangers may choose the names: hashes are seeded.
 */
#ifndef SMTPL_NAMES_H
#define SMTPL_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct names_slot {
	uint32_t at; /* of the name in `text`, from 1; 0: free */
	uint32_t hash;
	uint32_t value;
};

/* All zero is an empty table, too, but its hashes are not seeded. */
struct names {
	uint64_t seed;
	char *text; /* the names, each with its NUL */
	size_t text_used;
	size_t text_room;
	struct names_slot *slots;
	size_t slots_count; /* 0 or a power of two */
	size_t count;
};

void names_init(struct names *names);
void names_free(struct names *names); /* empty afterwards */

/* 0; -EEXIST: it is there, its number stays; -ENOMEM, -EOVERFLOW: nothing changed. */
int names_add(struct names *names, const char *name, uint32_t value);
bool names_find(const struct names *names, const char *name, uint32_t *value);

/* In no order. A non-zero return of `each` ends the call and is returned. */
int names_each(const struct names *names, int (*each)(void *arg, const char *name, uint32_t value),
	       void *arg);

#endif
