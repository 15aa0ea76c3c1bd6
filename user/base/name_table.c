// SPDX-License-Identifier: GPL-2.0-only
/*
 * name_table.c - open addressing over one block of text: a million domains in some 40 MB.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "hash.h"
#include "name_table.h"

#define SLOTS_MIN 64
#define TEXT_MIN  4096

void name_table_init(struct name_table *names)
{
	memset(names, 0, sizeof(*names));
	if (getrandom(&names->seed, sizeof(names->seed), GRND_NONBLOCK) < 0)
		names->seed = (uintptr_t)names; /* so early in a boot there is nothing better */
}

void name_table_free(struct name_table *names)
{
	free(names->text);
	free(names->slots);
	memset(names, 0, sizeof(*names));
}

static uint32_t hash_of(const struct name_table *names, const char *name, size_t length)
{
	return (uint32_t)hash_bytes(names->seed, name, length);
}

/* The slot that has the name, or the free one where it would be. */
static struct name_table_slot *slot_of(const struct name_table *names, const char *name,
				       uint32_t hash)
{
	size_t mask = names->slots_count - 1, i = hash & mask;

	while (names->slots[i].at && (names->slots[i].hash != hash ||
				      strcmp(names->text + names->slots[i].at - 1, name) != 0))
		i = (i + 1) & mask;
	return &names->slots[i];
}

/* Never more than half of the slots are taken. */
static int make_slots(struct name_table *names)
{
	size_t count = names->slots_count ? names->slots_count * 2 : SLOTS_MIN;
	struct name_table_slot *slots;

	if (names->slots_count > names->count * 2)
		return 0;
	slots = calloc(count, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < names->slots_count; i++) {
		size_t to = names->slots[i].hash & (count - 1);

		if (!names->slots[i].at)
			continue;
		while (slots[to].at)
			to = (to + 1) & (count - 1);
		slots[to] = names->slots[i];
	}
	free(names->slots);
	names->slots = slots;
	names->slots_count = count;
	return 0;
}

static int make_text(struct name_table *names, size_t size)
{
	size_t room = names->text_room ? names->text_room : TEXT_MIN;
	char *text;

	while (room < names->text_used + size)
		room *= 2;
	if (names->text_used + size >= UINT32_MAX)
		return -EOVERFLOW;
	if (room == names->text_room)
		return 0;
	text = realloc(names->text, room);
	if (!text)
		return -ENOMEM;
	names->text = text;
	names->text_room = room;
	return 0;
}

int name_table_add(struct name_table *names, const char *name, uint32_t value)
{
	size_t size = strlen(name) + 1;
	uint32_t hash = hash_of(names, name, size - 1);
	struct name_table_slot *slot;
	int err = make_slots(names);

	if (err)
		return err;
	slot = slot_of(names, name, hash);
	if (slot->at)
		return -EEXIST;
	err = make_text(names, size);
	if (err)
		return err;
	memcpy(names->text + names->text_used, name, size);
	*slot = (struct name_table_slot){
		.at = (uint32_t)names->text_used + 1, .hash = hash, .value = value};
	names->text_used += size;
	names->count++;
	return 0;
}

bool name_table_find(const struct name_table *names, const char *name, uint32_t *value)
{
	const struct name_table_slot *slot;

	if (!names->count)
		return false;
	slot = slot_of(names, name, hash_of(names, name, strlen(name)));
	if (!slot->at)
		return false;
	*value = slot->value;
	return true;
}

int name_table_each(const struct name_table *names,
		    int (*each)(void *arg, const char *name, uint32_t value), void *arg)
{
	int result = 0;

	for (size_t i = 0; i < names->slots_count && !result; i++)
		if (names->slots[i].at)
			result = each(arg, names->text + names->slots[i].at - 1,
				      names->slots[i].value);
	return result;
}
