// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_tls.c - the loaded TLS programs, and the maps that they share with the prober.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bpf.h"
#include "bpf_link.h"
#include "bpf_pin.h"
#include "bpf_tls.h"
#include "bpf_tls_link.h"
#include "bpf_log.h"
#include "bpf_watch.h"
#include "tls.skel.h"

#define TRACEPOINTS_MAX	      8
#define PROGRAM_PREFIX	      "smtpl_tls_"
#define TRACEPOINT_PIN_PREFIX "link_tlshook_"

/* An unlinked probe is gone after RCU's grace periods; each perf uprobe then keeps the kernel's
 * worker busy. */
#define REMOVE_MS      2000
#define REMOVE_PERF_MS 110
#define REMOVE_MAX_MS  15000

struct bpf_tls {
	struct tls_bpf *skel;
	enum smtpl_tls_way way;
	struct ring_buffer *asks;
	struct smtpl_tls_ask ask; /* the one at hand */
	void (*ask_each)(void *arg, const struct smtpl_tls_ask *ask);
	void *ask_arg;
	enum smtpl_tls_mode mode;
	long session_end; /* offset in a session, or -ENOENT */
	char bpffs[PATH_MAX];
	char pin_root[PATH_MAX];
};

static int map_fd(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

/* --- loading -------------------------------------------------------------------------------- */

/* Where a session in smtpl_tls has its `end`, in bytes. To be asked before the load, which replaces
 * the types by those of a pinned map. */
static long end_offset(const struct bpf_tls *tls)
{
	uint32_t id = bpf_map__btf_value_type_id(tls->skel->maps.smtpl_tls);
	const struct btf *btf = bpf_object__btf(tls->skel->obj);
	const struct btf_type *type = btf__type_by_id(btf, id);

	for (int i = 0; type && btf_is_struct(type) && i < btf_vlen(type); i++)
		if (strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), "end") == 0)
			return btf_member_bit_offset(type, i) / 8;
	return -ENOENT;
}

static int skel_open(struct bpf_tls *tls, const char *pin_root, char *error, size_t error_size)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = pin_root);

	bpf_log_start();
	tls->way = bpf_tls_link_way(error, error_size);
	if (tls->way == SMTPL_TLS_WAY_NONE)
		return -EOPNOTSUPP;
	tls->skel = tls_bpf__open_opts(&opts);
	if (!tls->skel) {
		snprintf(error, error_size, "cannot open the TLS programs: %s", strerror(errno));
		return -errno;
	}
	tls->session_end = end_offset(tls);
	bpf_program__set_expected_attach_type(tls->skel->progs.smtpl_tls_probe,
					      bpf_tls_link_type(tls->way));
	return 0;
}

static int skel_load(struct bpf_tls *tls, char *error, size_t error_size)
{
	int err = tls_bpf__load(tls->skel);

	if (err)
		snprintf(error, error_size, "the kernel does not take the TLS programs: %s (%s)",
			 bpf_log_last(), strerror(-err));
	return err;
}

static int load_steps(struct bpf_tls *tls, char *error, size_t error_size)
{
	int err = skel_open(tls, tls->pin_root, error, error_size);

	if (err)
		return err;
	bpf_pin_drop_unfit(tls->skel->obj, tls->pin_root);
	return skel_load(tls, error, error_size);
}

int bpf_tls_load(const struct config *config, struct bpf_tls **tls, char *error, size_t error_size)
{
	struct bpf_tls *t = calloc(1, sizeof(*t));
	int err;

	if (!t) {
		snprintf(error, error_size, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	t->mode = config->tls;
	snprintf(t->bpffs, sizeof(t->bpffs), "%s", config->bpffs);
	snprintf(t->pin_root, sizeof(t->pin_root), "%.*s/" SMTPL_PIN_DIR, PATH_MAX - 8,
		 config->bpffs);
	err = load_steps(t, error, error_size);
	if (err)
		bpf_tls_free(t);
	else
		*tls = t;
	return err;
}

void bpf_tls_free(struct bpf_tls *tls)
{
	if (!tls)
		return;
	ring_buffer__free(tls->asks);
	tls_bpf__destroy(tls->skel);
	free(tls);
}

int bpf_tls_try(enum smtpl_tls_way *way, char *error, size_t error_size)
{
	struct bpf_tls tls = {};
	struct bpf_map *map;
	int err = skel_open(&tls, NULL, error, error_size);

	if (err)
		return err;
	bpf_object__for_each_map(map, tls.skel->obj) bpf_map__set_pin_path(map, NULL);
	err = skel_load(&tls, error, error_size);
	if (!err)
		*way = tls.way;
	tls_bpf__destroy(tls.skel);
	return err;
}

enum smtpl_tls_way bpf_tls_way(const struct bpf_tls *tls)
{
	return tls->way;
}

/* --- attaching ------------------------------------------------------------------------------ */

/* Every program but the one on the libraries stands on a trace point. */
int bpf_tls_attach(struct bpf_tls *tls, char *error, size_t error_size)
{
	struct bpf_link_want wants[TRACEPOINTS_MAX];
	char pins[TRACEPOINTS_MAX][64];
	struct bpf_program *prog;
	size_t count = 0;

	bpf_object__for_each_program(prog, tls->skel->obj)
	{
		if (prog == tls->skel->progs.smtpl_tls_probe || !bpf_program__autoload(prog) ||
		    count == TRACEPOINTS_MAX)
			continue;
		snprintf(pins[count], sizeof(pins[count]), TRACEPOINT_PIN_PREFIX "%s",
			 bpf_program__name(prog) + strlen(PROGRAM_PREFIX));
		wants[count] = (struct bpf_link_want){.prog = prog, .pin = pins[count]};
		count++;
	}
	tls->skel->bss->smtpl_tls_mode = tls->mode;
	return bpf_link_attach_all(wants, count, tls->bpffs, -1, error, error_size);
}

void bpf_tls_set_watch(struct bpf_tls *tls, const struct config *config)
{
	bpf_watch_ports((uint64_t *)tls->skel->bss->smtpl_ports, config);
	tls->skel->bss->smtpl_relay_reset = config->relay == CONFIG_RELAY_RESET;
}

uint32_t bpf_tls_remove_ms(const char *bpffs)
{
	char pattern[PATH_MAX];
	glob_t probes = {}, perf = {};
	uint64_t ms;

	snprintf(pattern, sizeof(pattern), "%s/" SMTPL_PIN_DIR "/link_tls_*", bpffs);
	glob(pattern, 0, NULL, &probes);
	snprintf(pattern, sizeof(pattern), "%s/" SMTPL_PIN_DIR "/link_tls_*_p*", bpffs);
	glob(pattern, 0, NULL, &perf);
	ms = probes.gl_pathc ? REMOVE_MS + perf.gl_pathc * REMOVE_PERF_MS : 0;
	globfree(&probes);
	globfree(&perf);
	return ms < REMOVE_MAX_MS ? ms : REMOVE_MAX_MS;
}

/* The links are removed first, then the maps that describe them. */
int bpf_tls_remove(const char *bpffs)
{
	static const char *const prefixes[] = {"link_tls", "smtpl_tls"};
	char path[PATH_MAX];
	int err = 0;

	snprintf(path, sizeof(path), "%s/" SMTPL_PIN_DIR, bpffs);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes) && !err; i++)
		err = bpf_pin_remove(path, prefixes[i]);
	return err == -ENOENT ? 0 : err;
}

int bpf_tls_probe(struct bpf_tls *tls, int file, pid_t pid, const struct tls_plan *plan,
		  const char *name)
{
	return bpf_tls_link_make(tls->way, bpf_program__fd(tls->skel->progs.smtpl_tls_probe), file,
				 pid, plan, tls->pin_root, name);
}

int bpf_tls_unprobe(struct bpf_tls *tls, const char *name)
{
	return bpf_tls_link_remove(tls->pin_root, name);
}

int bpf_tls_each_name(struct bpf_tls *tls, int (*each)(void *arg, const char *name), void *arg)
{
	return bpf_tls_link_each(tls->pin_root, each, arg);
}

/* --- maps ----------------------------------------------------------------------------------- */

/* Copies the record and stops libbpf, which has then taken it out of the ring: a record that ends
 * this prober must not come again to the next one. */
static int ask_one(void *arg, void *data, size_t size)
{
	struct bpf_tls *tls = arg;

	if (size < sizeof(tls->ask))
		return 0;
	memcpy(&tls->ask, data, sizeof(tls->ask));
	return -EINTR;
}

int bpf_tls_asks_open(struct bpf_tls *tls, void (*each)(void *arg, const struct smtpl_tls_ask *ask),
		      void *arg)
{
	tls->ask_each = each;
	tls->ask_arg = arg;
	tls->asks = ring_buffer__new(map_fd(tls->skel->maps.smtpl_tls_asks), ask_one, tls, NULL);
	return tls->asks ? 0 : -errno;
}

int bpf_tls_asks_fd(const struct bpf_tls *tls)
{
	return ring_buffer__epoll_fd(tls->asks);
}

void bpf_tls_asks_read(struct bpf_tls *tls)
{
	while (ring_buffer__consume(tls->asks) == -EINTR)
		tls->ask_each(tls->ask_arg, &tls->ask);
}

static int map_set(const struct bpf_map *map, const void *key, const void *value)
{
	if (value)
		return bpf_map_update_elem(map_fd(map), key, value, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(map_fd(map), key) && errno != ENOENT ? -errno : 0;
}

int bpf_tls_set_pid(struct bpf_tls *tls, uint32_t pid, const struct smtpl_tls_pid *value)
{
	return map_set(tls->skel->maps.smtpl_tls_pids, &pid, value);
}

int bpf_tls_get_pid(struct bpf_tls *tls, uint32_t pid, struct smtpl_tls_pid *value)
{
	return bpf_map_lookup_elem(map_fd(tls->skel->maps.smtpl_tls_pids), &pid, value) ? -errno :
											  0;
}

int bpf_tls_next_pid(struct bpf_tls *tls, const uint32_t *pid, uint32_t *next)
{
	return bpf_map_get_next_key(map_fd(tls->skel->maps.smtpl_tls_pids), pid, next) ? -errno : 0;
}

int bpf_tls_set_file(struct bpf_tls *tls, const struct smtpl_tls_file_key *key,
		     const struct smtpl_tls_file *value)
{
	return map_set(tls->skel->maps.smtpl_tls_files, key, value);
}

int bpf_tls_take_files(struct bpf_tls *tls,
		       void (*each)(void *arg, const struct smtpl_tls_file *file), void *arg)
{
	int fd = map_fd(tls->skel->maps.smtpl_tls_files);
	struct smtpl_tls_file_key key;
	struct smtpl_tls_file file;

	while (bpf_map_get_next_key(fd, NULL, &key) == 0) {
		bool there = bpf_map_lookup_elem(fd, &key, &file) == 0;

		if (bpf_map_delete_elem(fd, &key) && errno != ENOENT)
			return -errno;
		if (there)
			each(arg, &file);
	}
	return errno == ENOENT ? 0 : -errno;
}

int bpf_tls_get_state(struct bpf_tls *tls, struct smtpl_tls_state *state)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(map_fd(tls->skel->maps.smtpl_tls_state), &zero, state) ? -errno :
											    0;
}

int bpf_tls_set_state(struct bpf_tls *tls, const struct smtpl_tls_state *state)
{
	uint32_t zero = 0;

	return map_set(tls->skel->maps.smtpl_tls_state, &zero, state);
}

/* Entries of ended sessions stay for a while. */
static bool is_open(const struct smtpl_tls_session *value, long end)
{
	uint32_t how = 0;

	if (end >= 0)
		memcpy(&how, (const char *)value + end, sizeof(how));
	return how == 0;
}

/* An entry that is deleted meanwhile restarts the walk, so the map's size bounds the steps. */
int bpf_tls_each_session(struct bpf_tls *tls, void (*each)(void *arg, uint32_t pid), void *arg)
{
	const struct bpf_map *map = tls->skel->maps.smtpl_tls;
	struct smtpl_tls_session *value =
		malloc(bpf_map__value_size(map)); /* what it begins with */
	int fd = map_fd(map), err = value ? -EAGAIN : -ENOMEM;
	uint64_t at, next;

	for (size_t i = 0; value && i < SMTPL_TLS_SESSIONS_MAX; i++) {
		if (bpf_map_get_next_key(fd, i ? &at : NULL, &next)) {
			err = 0;
			break;
		}
		if (bpf_map_lookup_elem(fd, &next, value) == 0 && is_open(value, tls->session_end))
			each(arg, value->pid);
		at = next;
	}
	free(value);
	return err;
}
