// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_files.c - see prober_files.h.
 */
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "prober_files.h"

static uint64_t id_hash(const struct prober_file_id *id)
{
	return hash_bytes(0, id, sizeof(*id));
}

static struct prober_file **bucket_of(struct prober_files *files, uint64_t hash)
{
	return &files->buckets[hash % PROBER_FILES_BUCKETS];
}

static void list_remove(struct prober_files *files, struct prober_file *file)
{
	*(file->newer ? &file->newer->older : &files->newest) = file->older;
	*(file->older ? &file->older->newer : &files->oldest) = file->newer;
}

static void list_add(struct prober_files *files, struct prober_file *file)
{
	file->newer = NULL;
	file->older = files->newest;
	*(file->older ? &file->older->newer : &files->oldest) = file;
	files->newest = file;
}

struct prober_file *prober_files_find_hash(const struct prober_files *files, uint64_t hash)
{
	struct prober_file *file = files->buckets[hash % PROBER_FILES_BUCKETS];

	while (file && file->hash != hash)
		file = file->chain;
	return file;
}

struct prober_file *prober_files_find(struct prober_files *files, const struct prober_file_id *id)
{
	struct prober_file *file = prober_files_find_hash(files, id_hash(id));

	if (!file || memcmp(&file->id, id, sizeof(*id)) != 0)
		return NULL;
	list_remove(files, file);
	list_add(files, file);
	return file;
}

static void remove_file(struct prober_files *files, struct prober_file *file)
{
	struct prober_file **at = bucket_of(files, file->hash);

	while (*at != file)
		at = &(*at)->chain;
	*at = file->chain;
	list_remove(files, file);
	files->count--;
	free(file->plan);
	free(file);
}

/* False: all have probes, or are listed. */
static bool make_room(struct prober_files *files)
{
	struct prober_file *file = files->oldest;

	while (file && (file->processes || file->library || file->listed))
		file = file->newer;
	if (file)
		remove_file(files, file);
	return file != NULL;
}

struct prober_file *prober_files_add(struct prober_files *files, const struct prober_file_id *id,
				     const struct tls_plan *plan, int error)
{
	struct prober_file **bucket, *file;

	/* The hash is in the names of pins, so a second file with the same hash is not taken. */
	if (prober_files_find_hash(files, id_hash(id)))
		return NULL;
	if (files->count == PROBER_FILES_MAX && !make_room(files))
		return NULL;
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	file->plan = plan ? malloc(sizeof(*plan)) : NULL;
	if (plan && !file->plan) {
		free(file);
		return NULL;
	}
	if (plan)
		*file->plan = *plan;
	file->id = *id;
	file->hash = id_hash(id);
	file->error = error;
	bucket = bucket_of(files, file->hash);
	file->chain = *bucket;
	*bucket = file;
	list_add(files, file);
	files->count++;
	return file;
}
