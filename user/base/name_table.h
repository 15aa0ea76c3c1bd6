/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * name_table.h - a table of names, each with a number: of domains with their owners, of users with
 * their uids. It grows and forgets nothing. Strangers may choose the names: hashes are seeded.
 */
#ifndef SMTPL_NAME_TABLE_H
#define SMTPL_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_table_slot {
	uint32_t at; /* of the name in `text`, from 1; 0: free */
	uint32_t hash;
	uint32_t value;
};

/* All zero is an empty table, too, but its hashes are not seeded. */
struct name_table {
	uint64_t seed;
	char *text; /* the names, each with its NUL */
	size_t text_used;
	size_t text_room;
	struct name_table_slot *slots;
	size_t slots_count; /* 0 or a power of two */
	size_t count;
};

void name_table_init(struct name_table *names);
void name_table_free(struct name_table *names); /* empty afterwards */

/* 0; -EEXIST: it is there, its number stays; -ENOMEM, -EOVERFLOW: nothing changed. */
int name_table_add(struct name_table *names, const char *name, uint32_t value);
bool name_table_find(const struct name_table *names, const char *name, uint32_t *value);

/* In no order. A non-zero return of `each` ends the call and is returned. */
int name_table_each(const struct name_table *names,
		    int (*each)(void *arg, const char *name, uint32_t value), void *arg);

#endif
