// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_library.c - probes on a file for all who map it: with [watch] tls = library, or
 * automatically where many short processes need them and only senders of mail map the file. Then no
 * other process pays for them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/openat2.h>
#include "base/clock.h"
#include "base/log.h"
#include "prober_child.h"

#define MINUTE_NS     (60 * NS_PER_S)
#define ATTACHES_MANY 30 /* of one file in a minute */
#define WALK_NS	      (2 * NS_PER_S)
#define CACHED_TRIES  8

static const char *const usual[] = {
	"/lib/*/libssl*.so*",		"/lib/*/libgnutls*.so*",
	"/lib64/libssl*.so*",		"/lib64/libgnutls*.so*",
	"/usr/lib/*/libssl*.so*",	"/usr/lib/*/libgnutls*.so*",
	"/usr/lib64/libssl*.so*",	"/usr/lib64/libgnutls*.so*",
	"/usr/lib/libssl*.so*",		"/usr/lib/libgnutls*.so*",
	"/usr/local/lib/libssl*.so*",	"/usr/local/lib/libgnutls*.so*",
	"/usr/local/lib64/libssl*.so*",
};

static void each_usual(struct prober_child *c,
		       void (*each)(struct prober_child *c, struct prober_file *file, int fd))
{
	glob_t found = {};

	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		glob(usual[i], i ? GLOB_APPEND : 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char *path = realpath(found.gl_pathv[i], NULL); /* as mappings show it */
		int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
		struct prober_file *file = fd < 0 ? NULL : prober_scan_into(c, fd, path);

		if (file && file->plan)
			each(c, file, fd);
		if (fd >= 0)
			close(fd);
		free(path);
	}
	globfree(&found);
}

static void learned(struct prober_child *c, struct prober_file *file, int fd)
{
	(void)c;
	(void)file;
	(void)fd;
}

/* The name of a mapped file is in the kernel's cache, so that no file system is asked for it: the
 * directory may be a user's. -EAGAIN: it is not in the cache, or something was renamed or mounted
 * anywhere meanwhile. A symbolic link may always give that: its access time is written. */
static int open_cached(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
	int fd = -EAGAIN;

	for (int i = 0; i < CACHED_TRIES && fd == -EAGAIN; i++) {
		fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
		fd = fd < 0 ? -errno : fd;
	}
	return fd;
}

static void learn_again(void *arg, const struct smtpl_tls_file *listed)
{
	int fd = listed->whole ? open_cached(listed->path) : -EINVAL;

	if (fd < 0)
		return;
	prober_scan_into(arg, fd, listed->path);
	close(fd);
}

void prober_library_learn(struct prober_child *c)
{
	each_usual(c, learned);
	bpf_tls_take_files(c->tls, learn_again, c);
}

/* --- attaching and taking out --------------------------------------------------------------- */

static void name_of(const struct prober_file *file, char name[PROBER_NAME_SIZE])
{
	snprintf(name, PROBER_NAME_SIZE, "lib_%016llx", (unsigned long long)file->hash);
}

static void set_library(struct prober_file *file, int fd)
{
	file->library = file->changed = true;
	file->library_ns = clock_boot_ns();
	file->library_fd = fd;
}

/* The file takes over fd. */
static int attach_as(struct prober_child *c, struct prober_file *file, int fd)
{
	char name[PROBER_NAME_SIZE];
	int err;

	if (fd < 0)
		return -errno;
	if (!prober_scan_same(fd, &file->id))
		return -EAGAIN;
	name_of(file, name);
	err = bpf_tls_probe(c->tls, fd, 0, file->plan, name);
	if (err && err != -EEXIST)
		return err;
	set_library(file, fd);
	return 0;
}

static bool attach(struct prober_child *c, struct prober_file *file, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int err = attach_as(c, file, own);

	if (!err)
		return true;
	if (own >= 0)
		close(own);
	file->error = err;
	file->changed = true;
	c->state.failed++;
	prober_report_error(c, "takes no probes", file->path, err);
	return false;
}

static void detach(struct prober_child *c, struct prober_file *file)
{
	char name[PROBER_NAME_SIZE];

	name_of(file, name);
	bpf_tls_unprobe(c->tls, name);
	close(file->library_fd);
	file->library = false;
	file->changed = true;
	c->lost_library = true;
}

bool prober_library_recover(struct prober_file *file)
{
	int fd = open_cached(file->path);

	if (fd >= 0 && prober_scan_same(fd, &file->id)) {
		set_library(file, fd);
		return true;
	}
	if (fd >= 0)
		close(fd);
	return false;
}

void prober_library_check(struct prober_child *c)
{
	for (struct prober_file *file = c->files.newest; file; file = file->older)
		if (file->library && !prober_scan_same(file->library_fd, &file->id))
			detach(c, file);
}

static void attach_usual(struct prober_child *c, struct prober_file *file, int fd)
{
	if (file->trusted && !file->library)
		attach(c, file, fd);
}

void prober_library_start(struct prober_child *c)
{
	if (c->config->tls == SMTPL_TLS_LIBRARY)
		each_usual(c, attach_usual);
}

/* --- who maps what -------------------------------------------------------------------------- */

static bool is_relay(const struct prober_child *c, uint32_t uid)
{
	for (size_t i = 0; i < c->config->relays.count; i++)
		if (c->config->relays.uid[i] == uid)
			return true;
	return uid == 0;
}

/* Compares the inode number alone, as the device may be shown differently. A false match only keeps
 * the present state, or leads back to probes for each process. */
static void note_mapped(struct prober_child *c, const struct prober_maps *maps, bool other)
{
	for (struct prober_file *file = c->files.newest; file; file = file->older)
		for (size_t i = 0; file->plan && i < maps->count; i++)
			if (maps->files[i].ino == file->id.ino) {
				file->mapped = true;
				file->others |= other;
			}
}

static void walk_one(struct prober_child *c, const char *name)
{
	static struct prober_maps maps; /* too large for the stack */
	char path[32], *end;
	long pid = strtol(name, &end, 10);
	struct stat st;

	if (pid <= 0 || *end)
		return;
	snprintf(path, sizeof(path), "/proc/%ld", pid);
	if (stat(path, &st) || prober_maps_read(&maps, pid))
		return;
	note_mapped(c, &maps, !is_relay(c, st.st_uid) && !prober_process_known(c, pid));
}

static void mark_all(struct prober_child *c, bool mapped)
{
	for (struct prober_file *file = c->files.newest; file; file = file->older)
		file->mapped = file->others = mapped;
}

/* No request is served meanwhile, so this stops early: when `only`, if not NULL, is found to be
 * mapped by others, and after a time. What was not seen counts as mapped by others. */
static void walk(struct prober_child *c, const struct prober_file *only)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry = NULL;

	c->walk_ns = clock_boot_ns();
	mark_all(c, !proc);
	while (proc && (entry = readdir(proc)) && !(only && only->others) &&
	       clock_boot_ns() < c->walk_ns + WALK_NS)
		walk_one(c, entry->d_name);
	if (entry)
		mark_all(c, true);
	if (proc)
		closedir(proc);
}

/* --- by itself ------------------------------------------------------------------------------ */

static void drop_own(struct prober_child *c, struct prober_process *p,
		     const struct prober_file *file)
{
	for (size_t i = 0; i < p->count; i++) {
		char name[PROBER_NAME_SIZE];

		if (p->probes[i].file != file || !p->probes[i].own)
			continue;
		prober_process_name(p, p->probes[i].hash, name);
		prober_detach(c, name);
		p->probes[i].own = false;
	}
}

static void drop_all_own(struct prober_child *c, const struct prober_file *file)
{
	for (size_t i = 0; i < PROBER_PROCESSES_MAX; i++)
		for (struct prober_process *p = c->processes[i]; p; p = p->chain)
			drop_own(c, p, file);
}

/* Were there so many attaches in this minute that one for all is better? */
static bool is_busy(struct prober_file *file)
{
	uint64_t now_ns = clock_boot_ns();

	if (now_ns > file->minute_ns + MINUTE_NS) {
		file->minute_ns = now_ns;
		file->attaches = 0;
	}
	return ++file->attaches > ATTACHES_MANY;
}

static bool attach_for_senders(struct prober_child *c, struct prober_file *file, int fd)
{
	if (!is_busy(file) || clock_boot_ns() < c->walk_ns + MINUTE_NS)
		return false;
	walk(c, file);
	if (file->others || !attach(c, file, fd))
		return false;
	drop_all_own(c, file);
	log_info("TLS: \"%s\" is mapped by senders of mail alone: probed for all", file->path);
	return true;
}

bool prober_library_wanted(struct prober_child *c, struct prober_file *file, int fd)
{
	if (file->library || !file->trusted)
		return file->library;
	if (c->config->tls == SMTPL_TLS_LIBRARY)
		return attach(c, file, fd);
	return attach_for_senders(c, file, fd);
}

/* --- later ---------------------------------------------------------------------------------- */

/* True also where the path does not lead to the file any more. */
static bool is_replaced(const struct prober_file *file)
{
	int fd = open_cached(file->path);
	bool same = fd >= 0 && prober_scan_same(fd, &file->id);

	if (fd >= 0)
		close(fd);
	return !same;
}

/* Processes that lost the probes of a file get their own. */
static void scan_again(struct prober_child *c, struct prober_process *p)
{
	bool lost = false;

	for (size_t i = p->count; i-- > 0;)
		if (p->probes[i].file && !p->probes[i].own && !p->probes[i].file->library) {
			prober_process_unprobe(c, p, i);
			lost = true;
		}
	if (lost && prober_scan(c, p, PROBER_SCAN_ASKED))
		prober_process_end(c, p);
}

/* By what the last walk found. */
static bool is_unwanted(const struct prober_child *c, const struct prober_file *file)
{
	if (c->config->tls == SMTPL_TLS_LIBRARY)
		return file->library && !file->mapped && is_replaced(file);
	return file->library && (!file->mapped || file->others);
}

static bool is_due(const struct prober_child *c)
{
	for (const struct prober_file *file = c->files.newest; file; file = file->older)
		if (file->library && (c->config->tls != SMTPL_TLS_LIBRARY || is_replaced(file)))
			return true;
	return false;
}

static void drop_unwanted(struct prober_child *c)
{
	walk(c, NULL);
	for (struct prober_file *file = c->files.newest; file; file = file->older) {
		if (!is_unwanted(c, file))
			continue;
		detach(c, file);
		if (file->others)
			log_info(
				"TLS: \"%s\" may be mapped by other programs: probed for each sender",
				file->path);
	}
}

void prober_library_tend(struct prober_child *c)
{
	uint64_t now_ns = clock_boot_ns();

	prober_library_check(c);
	if (now_ns >= c->library_ns + MINUTE_NS) {
		c->library_ns = now_ns;
		if (is_due(c))
			drop_unwanted(c);
	}
	if (!c->lost_library)
		return;
	c->lost_library = false;
	prober_process_each(c, scan_again);
}
