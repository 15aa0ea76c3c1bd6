// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_maps.c - the pinned maps, opened by path: the command line reads them, the daemon fills them.
 * Nothing is decided here.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "bpf.h"
#include "bpf_maps.h"

static const char *const map_names[MAP_KINDS] = {
	[MAP_COUNTS] = "smtpl_counts",	     [MAP_UIDS] = "smtpl_uids",
	[MAP_DOMAINS] = "smtpl_domains",     [MAP_LOCALS] = "smtpl_locals",
	[MAP_REDIRS] = "smtpl_redirs",	     [MAP_STATS] = "smtpl_stats",
	[MAP_META] = "smtpl_meta",	     [MAP_CALLERS] = "smtpl_callers",
	[MAP_TLS_FILES] = "smtpl_tls_files", [MAP_TLS_STATE] = "smtpl_tls_state",
	[MAP_LOSSES] = "smtpl_losses",
};

static int maps_check_schema(struct bpf_maps *maps)
{
	struct smtpl_meta meta;
	int err = bpf_maps_meta(maps, &meta);

	if (err)
		return err;
	/* 0: an earlier start got no further than making the maps */
	return meta.schema == SMTPL_SCHEMA || meta.schema == 0 ? 0 : -EPROTO;
}

/* Earlier versions of the same schema had no map of callers, and none of losses. Those of TLS are
 * made only where TLS is watched. */
static bool map_is_optional(enum map_kind kind)
{
	return kind == MAP_CALLERS || kind == MAP_TLS_FILES || kind == MAP_TLS_STATE ||
	       kind == MAP_LOSSES;
}

static int maps_open_pins(struct bpf_maps *maps, const char *bpffs)
{
	for (int kind = 0; kind < MAP_KINDS; kind++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/" SMTPL_PIN_DIR "/%s", bpffs, map_names[kind]);
		maps->fd[kind] = bpf_obj_get(path);
		if (maps->fd[kind] < 0 && !(map_is_optional(kind) && errno == ENOENT))
			return -errno;
	}
	return maps_check_schema(maps);
}

int bpf_maps_open(const char *bpffs, struct bpf_maps **maps)
{
	struct bpf_maps *m = malloc(sizeof(*m));
	int err;

	if (!m)
		return -ENOMEM;
	memset(m->fd, -1, sizeof(m->fd));
	err = maps_open_pins(m, bpffs);
	if (err) {
		bpf_maps_close(m);
		return err;
	}
	*maps = m;
	return 0;
}

void bpf_maps_close(struct bpf_maps *maps)
{
	if (!maps)
		return;
	for (int kind = 0; kind < MAP_KINDS; kind++)
		if (maps->fd[kind] >= 0)
			close(maps->fd[kind]);
	free(maps);
}

static int map_get(const struct bpf_maps *maps, enum map_kind kind, const void *key, void *value)
{
	return bpf_map_lookup_elem(maps->fd[kind], key, value) ? -errno : 0;
}

static int map_set(const struct bpf_maps *maps, enum map_kind kind, const void *key,
		   const void *value)
{
	return bpf_map_update_elem(maps->fd[kind], key, value, BPF_ANY) ? -errno : 0;
}

static int map_delete(const struct bpf_maps *maps, enum map_kind kind, const void *key)
{
	if (bpf_map_delete_elem(maps->fd[kind], key) && errno != ENOENT)
		return -errno;
	return 0;
}

#define WALK_BATCH 512

struct walk {
	int fd;
	size_t key_size;
	size_t value_size;
	char *keys; /* WALK_BATCH of each */
	char *values;
	int (*each)(void *arg, const void *key, const void *value);
	void *arg;
};

static int walk_entries(const struct walk *w, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = w->each(w->arg, w->keys + i * w->key_size, w->values + i * w->value_size);
	return err;
}

/* Bucket by bucket: every kernel with a ring buffer (5.8) can do that (5.6), and the walk ends
 * however busy the map is. */
static int walk_batches(const struct walk *w)
{
	uint32_t from, *in = NULL;

	for (;;) {
		uint32_t count = WALK_BATCH;
		int err, end = bpf_map_lookup_batch(w->fd, in, &from, w->keys, w->values, &count,
						    NULL) ?
				       errno :
				       0;

		if (end && end != ENOENT)
			return -end;
		err = walk_entries(w, count);
		if (err || end)
			return err;
		in = &from;
	}
}

static int map_each(const struct bpf_maps *maps, enum map_kind kind, size_t key_size,
		    size_t value_size, int (*each)(void *arg, const void *key, const void *value),
		    void *arg)
{
	struct walk w = {maps->fd[kind], key_size, value_size, NULL, NULL, each, arg};
	int err = -ENOMEM;

	w.keys = calloc(WALK_BATCH, key_size);
	w.values = calloc(WALK_BATCH, value_size);
	if (w.keys && w.values)
		err = walk_batches(&w);
	free(w.keys);
	free(w.values);
	return err;
}

struct each_count {
	int (*each)(void *arg, const struct smtpl_count_key *key, const struct smtpl_count *count);
	void *arg;
};

static int each_count(void *arg, const void *key, const void *value)
{
	struct each_count *e = arg;

	return e->each(e->arg, key, value);
}

int bpf_maps_each_count(struct bpf_maps *maps,
			int (*each)(void *arg, const struct smtpl_count_key *key,
				    const struct smtpl_count *count),
			void *arg)
{
	struct each_count e = {each, arg};

	return map_each(maps, MAP_COUNTS, sizeof(struct smtpl_count_key),
			sizeof(struct smtpl_count), each_count, &e);
}

struct each_uid {
	int (*each)(void *arg, const uint32_t *uid, const struct smtpl_uid *value);
	void *arg;
};

static int each_uid(void *arg, const void *key, const void *value)
{
	struct each_uid *e = arg;

	return e->each(e->arg, key, value);
}

int bpf_maps_each_uid(struct bpf_maps *maps,
		      int (*each)(void *arg, const uint32_t *uid, const struct smtpl_uid *value),
		      void *arg)
{
	struct each_uid e = {each, arg};

	return map_each(maps, MAP_UIDS, sizeof(uint32_t), sizeof(struct smtpl_uid), each_uid, &e);
}

struct each_domain {
	int (*each)(void *arg, const struct smtpl_domain_key *key,
		    const struct smtpl_suspension *value);
	void *arg;
};

static int each_domain(void *arg, const void *key, const void *value)
{
	struct each_domain *e = arg;

	return e->each(e->arg, key, value);
}

int bpf_maps_each_domain(struct bpf_maps *maps,
			 int (*each)(void *arg, const struct smtpl_domain_key *key,
				     const struct smtpl_suspension *value),
			 void *arg)
{
	struct each_domain e = {each, arg};

	return map_each(maps, MAP_DOMAINS, sizeof(struct smtpl_domain_key),
			sizeof(struct smtpl_suspension), each_domain, &e);
}

struct each_local {
	int (*each)(void *arg, const struct smtpl_local_key *key);
	void *arg;
};

static int each_local(void *arg, const void *key, const void *value)
{
	struct each_local *e = arg;

	(void)value;
	return e->each(e->arg, key);
}

int bpf_maps_each_local(struct bpf_maps *maps,
			int (*each)(void *arg, const struct smtpl_local_key *key), void *arg)
{
	struct each_local e = {each, arg};

	return map_each(maps, MAP_LOCALS, sizeof(struct smtpl_local_key), sizeof(uint32_t),
			each_local, &e);
}

struct each_tls_file {
	int (*each)(void *arg, const struct smtpl_tls_file *file);
	void *arg;
};

static int each_tls_file(void *arg, const void *key, const void *value)
{
	struct each_tls_file *e = arg;

	(void)key;
	return e->each(e->arg, value);
}

int bpf_maps_each_tls_file(struct bpf_maps *maps,
			   int (*each)(void *arg, const struct smtpl_tls_file *file), void *arg)
{
	struct each_tls_file e = {each, arg};

	if (maps->fd[MAP_TLS_FILES] < 0)
		return -ENOENT;
	return map_each(maps, MAP_TLS_FILES, sizeof(struct smtpl_tls_file_key),
			sizeof(struct smtpl_tls_file), each_tls_file, &e);
}

int bpf_maps_tls_state(struct bpf_maps *maps, struct smtpl_tls_state *state)
{
	uint32_t zero = 0;

	return maps->fd[MAP_TLS_STATE] < 0 ? -ENOENT : map_get(maps, MAP_TLS_STATE, &zero, state);
}

int bpf_maps_stats(struct bpf_maps *maps, struct smtpl_stats *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct smtpl_stats *each;
	uint32_t zero = 0;
	int err;

	if (cpus < 0)
		return cpus;
	each = calloc(cpus, sizeof(*each));
	if (!each)
		return -ENOMEM;
	err = map_get(maps, MAP_STATS, &zero, each);
	if (!err) {
		memset(sum, 0, sizeof(*sum));
		for (int i = 0; i < cpus; i++) {
#define ADD(name, text) sum->name += each[i].name;
			SMTPL_STATS(ADD)
#undef ADD
		}
	}
	free(each);
	return err;
}

/* One of another version may have another size: the kernel would write past the structure. */
int bpf_maps_losses(const struct bpf_maps *maps, struct smtpl_losses *losses)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info), zero = 0;

	if (maps->fd[MAP_LOSSES] < 0)
		return -ENOENT;
	if (bpf_obj_get_info_by_fd(maps->fd[MAP_LOSSES], &info, &size))
		return -errno;
	return info.value_size == sizeof(*losses) ? map_get(maps, MAP_LOSSES, &zero, losses) :
						    -ENOENT;
}

int bpf_maps_set_losses(struct bpf_maps *maps, const struct smtpl_losses *losses)
{
	uint32_t zero = 0;

	return map_set(maps, MAP_LOSSES, &zero, losses);
}

int bpf_maps_meta(struct bpf_maps *maps, struct smtpl_meta *meta)
{
	uint32_t zero = 0;

	return map_get(maps, MAP_META, &zero, meta);
}

int bpf_maps_set_meta(struct bpf_maps *maps, const struct smtpl_meta *meta)
{
	uint32_t zero = 0;

	return map_set(maps, MAP_META, &zero, meta);
}

int bpf_maps_get_uid(struct bpf_maps *maps, uint32_t uid, struct smtpl_uid *value)
{
	return map_get(maps, MAP_UIDS, &uid, value);
}

int bpf_maps_set_uid(struct bpf_maps *maps, uint32_t uid, const struct smtpl_uid *value)
{
	return value ? map_set(maps, MAP_UIDS, &uid, value) : map_delete(maps, MAP_UIDS, &uid);
}

static void domain_key(struct smtpl_domain_key *key, const char *domain)
{
	memset(key, 0, sizeof(*key));
	strncpy(key->domain, domain, sizeof(key->domain) - 1);
}

int bpf_maps_get_domain(struct bpf_maps *maps, const char *domain, struct smtpl_suspension *value)
{
	struct smtpl_domain_key key;

	domain_key(&key, domain);
	return map_get(maps, MAP_DOMAINS, &key, value);
}

int bpf_maps_set_domain(struct bpf_maps *maps, const char *domain,
			const struct smtpl_suspension *value)
{
	struct smtpl_domain_key key;

	domain_key(&key, domain);
	return value ? map_set(maps, MAP_DOMAINS, &key, value) :
		       map_delete(maps, MAP_DOMAINS, &key);
}

int bpf_maps_set_count(struct bpf_maps *maps, const struct smtpl_count_key *key,
		       const struct smtpl_count *count)
{
	return map_set(maps, MAP_COUNTS, key, count);
}

int bpf_maps_add_count(struct bpf_maps *maps, const struct smtpl_count_key *key,
		       const struct smtpl_count *count)
{
	return bpf_map_update_elem(maps->fd[MAP_COUNTS], key, count, BPF_NOEXIST) ? -errno : 0;
}

int bpf_maps_take_count(struct bpf_maps *maps, const struct smtpl_count_key *key,
			struct smtpl_count *count)
{
	return bpf_map_lookup_and_delete_elem(maps->fd[MAP_COUNTS], key, count) ? -errno : 0;
}

int bpf_maps_get_redirect(struct bpf_maps *maps, const struct smtpl_endpoint *key,
			  struct smtpl_caller *caller)
{
	return map_get(maps, MAP_REDIRS, key, caller);
}

int bpf_maps_get_caller(struct bpf_maps *maps, const struct smtpl_caller_key *key,
			struct smtpl_caller *caller)
{
	return maps->fd[MAP_CALLERS] < 0 ? -ENOENT : map_get(maps, MAP_CALLERS, key, caller);
}

int bpf_maps_set_local(struct bpf_maps *maps, const struct smtpl_local_key *key, bool present)
{
	uint32_t one = 1;

	return present ? map_set(maps, MAP_LOCALS, key, &one) : map_delete(maps, MAP_LOCALS, key);
}

int bpf_maps_get_count(struct bpf_maps *maps, const struct smtpl_count_key *key,
		       struct smtpl_count *count)
{
	return map_get(maps, MAP_COUNTS, key, count);
}
