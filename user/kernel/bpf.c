// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf.c - loads the programs, pins their maps and links, and takes over those of an earlier start:
 * every start is an upgrade. New programs are loaded first, with the maps that are there; then each
 * link is switched to them in place, so that nothing of a suspended account gets through.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bpf.h"
#include "bpf_link.h"
#include "bpf_pin.h"
#include "bpf_watch.h"
#include "bpf_log.h"
#include "cgroup.h"
#include "sock_destroy.h"
#include "smtplimit.skel.h"

struct bpf {
	struct smtplimit_bpf *skel;
	struct bpf_maps *maps;
	struct bpf_features features;
	struct bpf_link *destroy; /* iter/tcp; NULL where the kernel has no bpf_sock_destroy */
	struct ring_buffer *ring;
	const uint64_t *ring_producer; /* mapped */
	const uint64_t *ring_consumer;
	char bpffs[PATH_MAX];
	char cgroup[PATH_MAX];
	int pin_lock;
};

static bool kernel_has_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool found = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return found;
}

static void features_probe(struct bpf_features *features)
{
	features->set_retval = libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
						       BPF_FUNC_set_retval, NULL) == 1;
	features->sock_destroy = kernel_has_function("bpf_sock_destroy");
}

static int skel_open(struct bpf *bpf, const char *pin_root, uint32_t ring_bytes)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = pin_root);

	bpf_log_start();
	bpf->skel = smtplimit_bpf__open_opts(&opts);
	if (!bpf->skel)
		return -errno;
	features_probe(&bpf->features);
	bpf->skel->rodata->smtpl_has_set_retval = bpf->features.set_retval;
	bpf_program__set_autoload(bpf->skel->progs.smtpl_destroy, bpf->features.sock_destroy);
	bpf_map__set_max_entries(bpf->skel->maps.smtpl_events, ring_bytes);
	return 0;
}

static int skel_load(struct bpf *bpf, char *error, size_t error_size)
{
	int err = smtplimit_bpf__load(bpf->skel);

	if (err)
		snprintf(error, error_size, "the kernel does not take the programs: %s (%s)",
			 bpf_log_last(), strerror(-err));
	return err;
}

void bpf_set_watch(struct bpf *bpf, const struct config *config)
{
	bpf_watch_ports((uint64_t *)bpf->skel->bss->smtpl_ports, config);
	bpf->skel->bss->smtpl_local = config->local;
	bpf->skel->bss->smtpl_relay_reset = config->relay == CONFIG_RELAY_RESET;
}

void bpf_set_responder(struct bpf *bpf, uint16_t port, uint16_t port6)
{
	bpf->skel->bss->smtpl_responder_port = port;
	bpf->skel->bss->smtpl_responder_port6 = port6;
}

void bpf_set_tls(struct bpf *bpf, enum smtpl_tls_mode mode)
{
	bpf->skel->bss->smtpl_tls_mode = mode;
}

/* Where producers and the reader are in the ring: kernel/bpf/ringbuf.c maps the consumer's page
 * first, then the producer's. */
static int ring_map_positions(struct bpf *bpf)
{
	size_t page = sysconf(_SC_PAGESIZE);
	int fd = bpf_map__fd(bpf->skel->maps.smtpl_events);
	void *consumer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	void *producer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);

	if (consumer == MAP_FAILED || producer == MAP_FAILED)
		return -errno;
	bpf->ring_consumer = consumer;
	bpf->ring_producer = producer;
	return 0;
}

static int bpf_load_steps(struct bpf *bpf, const struct config *config, char *error,
			  size_t error_size)
{
	char pin_root[PATH_MAX];
	int err;

	err = bpf_pin_prepare(config->bpffs, pin_root, error, error_size);
	if (err)
		return err;
	bpf->pin_lock = bpf_pin_lock(config->bpffs, error, error_size);
	if (bpf->pin_lock < 0)
		return bpf->pin_lock;
	err = skel_open(bpf, pin_root, config->ring_bytes);
	if (err) {
		snprintf(error, error_size, "cannot open the programs: %s", strerror(-err));
		return err;
	}
	bpf_pin_drop_unfit(bpf->skel->obj, pin_root);
	err = skel_load(bpf, error, error_size);
	if (err)
		return err;
	if (bpf->features.sock_destroy)
		bpf->destroy = bpf_program__attach_iter(bpf->skel->progs.smtpl_destroy, NULL);
	bpf->features.sock_destroy = bpf->destroy != NULL;
	err = bpf_maps_open(config->bpffs, &bpf->maps);
	if (!err)
		err = ring_map_positions(bpf);
	if (err)
		snprintf(error, error_size, "cannot open the maps below %s: %s", pin_root,
			 strerror(-err));
	return err;
}

int bpf_load(const struct config *config, struct bpf **bpf, char *error, size_t error_size)
{
	struct bpf *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	b->pin_lock = -1;
	snprintf(b->bpffs, sizeof(b->bpffs), "%s", config->bpffs);
	snprintf(b->cgroup, sizeof(b->cgroup), "%s", config->cgroup);
	err = bpf_load_steps(b, config, error, error_size);
	if (err) {
		bpf_free(b);
		return err;
	}
	bpf_set_watch(b, config);
	*bpf = b;
	return 0;
}

/* Connect comes last: a session is only made once all that follows it is there. */
int bpf_attach(struct bpf *bpf, char *error, size_t error_size)
{
	struct smtplimit_bpf *skel = bpf->skel;
	const struct bpf_link_want wants[] = {
		{skel->progs.smtpl_state, "link_state", false},
		{skel->progs.smtpl_state2, "link_state2", false},
		{skel->progs.smtpl_end, "link_end", false},
		{skel->progs.smtpl_end2, "link_end2", false},
		{skel->progs.smtpl_ingress, "link_ingress", true},
		{skel->progs.smtpl_egress, "link_egress", true},
		{skel->progs.smtpl_getpeer4, "link_getpeername4", true},
		{skel->progs.smtpl_getpeer6, "link_getpeername6", true},
		{skel->progs.smtpl_connect4, "link_connect4", true},
		{skel->progs.smtpl_connect6, "link_connect6", true},
	};
	int cgroup = cgroup_open(bpf->cgroup, error, error_size);
	int err;

	if (cgroup < 0)
		return cgroup;
	err = bpf_link_attach_all(wants, sizeof(wants) / sizeof(*wants), bpf->bpffs, cgroup, error,
				  error_size);
	close(cgroup);
	return err;
}

bool bpf_attached(const struct bpf *bpf)
{
	char path[PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/" SMTPL_PIN_DIR "/link_egress", bpf->bpffs);
	return access(path, F_OK) == 0;
}

void bpf_free(struct bpf *bpf)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (!bpf)
		return;
	ring_buffer__free(bpf->ring);
	if (bpf->ring_consumer)
		munmap((void *)bpf->ring_consumer, page);
	if (bpf->ring_producer)
		munmap((void *)bpf->ring_producer, page);
	bpf_link__destroy(bpf->destroy);
	bpf_maps_close(bpf->maps);
	smtplimit_bpf__destroy(bpf->skel);
	if (bpf->pin_lock >= 0)
		close(bpf->pin_lock);
	free(bpf);
}

void bpf_after_fork(struct bpf *bpf)
{
	close(bpf->pin_lock);
	bpf->pin_lock = -1;
}

struct bpf_maps *bpf_get_maps(struct bpf *bpf)
{
	return bpf->maps;
}

int bpf_ring_open(struct bpf *bpf, int (*each)(void *arg, void *data, size_t size), void *arg)
{
	bpf->ring = ring_buffer__new(bpf_map__fd(bpf->skel->maps.smtpl_events), each, arg, NULL);
	return bpf->ring ? 0 : -errno;
}

int bpf_ring_fd(const struct bpf *bpf)
{
	return ring_buffer__epoll_fd(bpf->ring);
}

int bpf_ring_read(struct bpf *bpf)
{
	return ring_buffer__consume(bpf->ring);
}

uint64_t bpf_ring_mark(const struct bpf *bpf)
{
	return __atomic_load_n(bpf->ring_producer, __ATOMIC_ACQUIRE);
}

bool bpf_ring_passed(const struct bpf *bpf, uint64_t mark)
{
	return __atomic_load_n(bpf->ring_consumer, __ATOMIC_ACQUIRE) >= mark;
}

/* Reading the iterator runs the program over every TCP socket of the reader's network namespace; it
 * writes one byte for each that it ended. */
static int destroy_by_iterator(struct bpf *bpf, uint32_t uid)
{
	char bytes[256];
	int count = 0;
	ssize_t n;
	int fd;

	bpf->skel->bss->smtpl_destroy_uid = uid;
	fd = bpf_iter_create(bpf_link__fd(bpf->destroy));
	if (fd < 0)
		return -errno;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EAGAIN))
		count += n > 0 ? n : 0;
	close(fd);
	return n < 0 ? -errno : count;
}

int bpf_destroy_sessions(struct bpf *bpf, uint32_t uid)
{
	if (bpf->features.sock_destroy)
		return destroy_by_iterator(bpf, uid);
	return sock_destroy_uid(uid, (const uint64_t *)bpf->skel->bss->smtpl_ports);
}

int bpf_destroy_reset(struct bpf *bpf, uint32_t uid, const uint64_t *cookies, size_t count)
{
	if (bpf->features.sock_destroy)
		return destroy_by_iterator(bpf, uid);
	return sock_destroy_cookies(cookies, count);
}

int bpf_try_load(struct bpf_features *features, char *error, size_t error_size)
{
	struct bpf bpf = {};
	struct bpf_map *map;
	int err = skel_open(&bpf, NULL, SMTPL_RING_BYTES_DEFAULT);

	if (err) {
		snprintf(error, error_size, "cannot open the programs: %s", strerror(-err));
		return err;
	}
	bpf_object__for_each_map(map, bpf.skel->obj) bpf_map__set_pin_path(map, NULL);
	err = skel_load(&bpf, error, error_size);
	*features = bpf.features;
	smtplimit_bpf__destroy(bpf.skel);
	return err;
}
