// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_tls_link.c - puts a program into a file: by one uprobe_multi link, or by a perf uprobe for
 * each place. Only pins keep the links alive: closing the last descriptor of one would wait until
 * it is detached, unlinking its pin does not.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "headers/maps.h"
#include "bpf_tls_link.h"

#define UPROBE_MULTI   48 /* enum bpf_attach_type BPF_TRACE_UPROBE_MULTI (6.6) */
#define PERF_TYPE_FILE "/sys/bus/event_source/devices/uprobe/type"
#define PIN_PREFIX     "link_tls_"

/* The part of union bpf_attr that BPF_LINK_CREATE reads for uprobe_multi. */
struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

/* What to attach, and to what. */
struct job {
	int prog;
	pid_t pid; /* 0: everybody */
	const struct tls_plan *plan;
	char path[32];
};

static uint64_t address(const void *pointer)
{
	return (uintptr_t)pointer;
}

int bpf_tls_link_type(enum smtpl_tls_way way)
{
	return way == SMTPL_TLS_WAY_MULTI ? UPROBE_MULTI : 0;
}

/* The link's descriptor or -errno. */
static int multi_link(const struct job *job)
{
	uint64_t offsets[SMTPL_TLS_PROBES_MAX], cookies[SMTPL_TLS_PROBES_MAX];
	struct multi_attr attr = {
		.prog_fd = job->prog,
		.attach_type = UPROBE_MULTI,
		.path = address(job->path),
		.offsets = address(offsets),
		.cookies = address(cookies),
		.count = job->plan->count,
		.pid = job->pid,
	};
	int fd;

	for (size_t i = 0; i < job->plan->count; i++) {
		offsets[i] = job->plan->probes[i].offset;
		cookies[i] = job->plan->probes[i].cookie;
	}
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

static int perf_type(void)
{
	FILE *file = fopen(PERF_TYPE_FILE, "re");
	int type = -ENODEV;

	if (!file)
		return -errno;
	if (fscanf(file, "%d", &type) != 1)
		type = -ENODEV;
	fclose(file);
	return type;
}

/* A probe for all processes is an event of any one CPU. */
static int perf_link(const struct job *job, int type, const struct tls_probe *probe)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = probe->cookie);
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = type,
		.config1 = address(job->path),
		.config2 = probe->offset,
	};
	int event, fd;

	event = syscall(SYS_perf_event_open, &attr, job->pid ? job->pid : -1, job->pid ? -1 : 0, -1,
			PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	fd = bpf_link_create(job->prog, event, BPF_PERF_EVENT, &opts);
	if (fd < 0)
		fd = -errno;
	close(event);
	return fd;
}

static void pin_path(char path[PATH_MAX], const char *dir, const char *name, int index)
{
	if (index < 0)
		snprintf(path, PATH_MAX, "%s/" PIN_PREFIX "%s", dir, name);
	else
		snprintf(path, PATH_MAX, "%s/" PIN_PREFIX "%s_p%d", dir, name, index);
}

static int pin(int fd, const char *dir, const char *name, int index)
{
	char path[PATH_MAX];

	pin_path(path, dir, name, index);
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

static int multi_make(const struct job *job, const char *dir, const char *name)
{
	int fd = multi_link(job);
	int err;

	if (fd < 0)
		return fd;
	err = pin(fd, dir, name, -1);
	close(fd);
	return err;
}

static int perf_make(const struct job *job, const char *dir, const char *name)
{
	char first[PATH_MAX];
	int type = perf_type();
	int err = type < 0 ? type : 0;

	pin_path(first, dir, name, 0);
	if (access(first, F_OK) == 0)
		return -EEXIST;
	for (uint32_t i = 0; i < job->plan->count && !err; i++) {
		int fd = perf_link(job, type, &job->plan->probes[i]);

		err = fd < 0 ? fd : pin(fd, dir, name, job->plan->count - 1 - i);
		if (fd >= 0)
			close(fd);
	}
	if (err)
		bpf_tls_link_remove(dir, name);
	return err;
}

int bpf_tls_link_make(enum smtpl_tls_way way, int prog, int file, pid_t pid,
		      const struct tls_plan *plan, const char *dir, const char *name)
{
	struct job job = {.prog = prog, .pid = pid, .plan = plan};

	if (!plan->count || plan->count > SMTPL_TLS_PROBES_MAX)
		return -EINVAL;
	/* This is the very file that was read for the plan, wherever its name leads to by now. */
	snprintf(job.path, sizeof(job.path), "/proc/self/fd/%d", file);
	return way == SMTPL_TLS_WAY_MULTI ? multi_make(&job, dir, name) :
					    perf_make(&job, dir, name);
}

int bpf_tls_link_remove(const char *dir, const char *name)
{
	int removed = 0, err = 0;
	char path[PATH_MAX];

	pin_path(path, dir, name, -1);
	if (unlink(path) == 0)
		return 0;
	for (int index = 0; index < SMTPL_TLS_PROBES_MAX; index++) {
		pin_path(path, dir, name, index);
		if (unlink(path) == 0)
			removed++;
		else if (errno != ENOENT)
			err = -errno;
	}
	return err ? err : removed ? 0 : -ENOENT;
}

/* "_p3" -> 3, "" -> -1; -2: neither. */
static int suffix_index(const char *suffix)
{
	unsigned long index;
	char *end;

	if (!*suffix)
		return -1;
	errno = 0;
	index = strtoul(suffix + strlen("_p"), &end, 10);
	if (errno || *end || end == suffix + strlen("_p") || index >= SMTPL_TLS_PROBES_MAX)
		return -2;
	return index;
}

bool bpf_tls_link_name(const char *file, char name[BPF_TLS_NAME_SIZE], int *index)
{
	const char *from = file + strlen(PIN_PREFIX), *suffix;
	size_t size;

	if (strncmp(file, PIN_PREFIX, strlen(PIN_PREFIX)) != 0)
		return false;
	suffix = strstr(from, "_p");
	*index = suffix_index(suffix ? suffix : "");
	if (*index < -1)
		return false;
	size = suffix ? (size_t)(suffix - from) : strlen(from);
	if (size == 0 || size >= BPF_TLS_NAME_SIZE)
		return false;
	memcpy(name, from, size);
	name[size] = 0;
	return true;
}

/* Perf uprobes without their first one are remains of a killed prober. */
static bool is_complete(DIR *dir, const char *name, int index)
{
	char first[sizeof(PIN_PREFIX) + BPF_TLS_NAME_SIZE + sizeof("_p0")];

	if (index <= 0)
		return true;
	snprintf(first, sizeof(first), PIN_PREFIX "%s_p0", name);
	return faccessat(dirfd(dir), first, F_OK, 0) == 0;
}

int bpf_tls_link_each(const char *path, int (*each)(void *arg, const char *name), void *arg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	while (!err && (entry = readdir(dir))) {
		char name[BPF_TLS_NAME_SIZE];
		int index;

		if (!bpf_tls_link_name(entry->d_name, name, &index))
			continue;
		if (!is_complete(dir, name, index))
			unlinkat(dirfd(dir), entry->d_name, 0);
		else if (index <= 0)
			err = each(arg, name);
	}
	closedir(dir);
	return err;
}

/* --- which way ------------------------------------------------------------------------------ */

/* The trial probe stands on this. Nobody calls it. */
__attribute__((noinline, used)) static int trial_place(int x)
{
	return x + 1;
}

/* The offset in its file of an address of this program. */
static int64_t file_offset(uint64_t at)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[PATH_MAX + 128];
	int64_t found = -ENOENT;

	while (maps && found < 0 && fgets(line, sizeof(line), maps)) {
		unsigned long from, to, offset;

		if (sscanf(line, "%lx-%lx %*s %lx", &from, &to, &offset) == 3 && at >= from &&
		    at < to)
			found = at - from + offset;
	}
	if (maps)
		fclose(maps);
	return found;
}

static int trial_program(enum smtpl_tls_way way)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = bpf_tls_link_type(way));
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "smtpl_trial", "GPL", insns,
			       sizeof(insns) / sizeof(*insns), &opts);

	return fd < 0 ? -errno : fd;
}

/* The first uprobe_multi took a process for its first thread; since that was corrected (6.10) pid
 * -1 is an error. On a kernel before that, perf uprobes are used. */
static bool multi_knows_processes(const struct job *job)
{
	struct job none = *job;

	none.pid = -1;
	return multi_link(&none) == -EINVAL;
}

static int trial(enum smtpl_tls_way way)
{
	int64_t offset = file_offset(address(trial_place));
	const struct tls_plan plan = {
		.count = 1,
		.probes = {{.offset = offset, .cookie = SMTPL_TLS_READ}},
	};
	struct job job = {.pid = getpid(), .plan = &plan, .path = "/proc/self/exe"};
	int fd = -ENOENT;

	if (offset < 0)
		return offset;
	job.prog = trial_program(way);
	if (job.prog < 0)
		return job.prog;
	if (way == SMTPL_TLS_WAY_MULTI) {
		fd = multi_knows_processes(&job) ? multi_link(&job) : -EOPNOTSUPP;
	} else {
		int type = perf_type();

		fd = type < 0 ? type : perf_link(&job, type, &plan.probes[0]);
	}
	close(job.prog);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* SMTPLIMIT_TLS_WAY is for tests: "multi" or "perf" allows that way alone, "none" no way. */
static int try_way(enum smtpl_tls_way way, const char *name)
{
	const char *wanted = getenv("SMTPLIMIT_TLS_WAY");

	return wanted && strcmp(wanted, name) != 0 ? -EOPNOTSUPP : trial(way);
}

enum smtpl_tls_way bpf_tls_link_way(char *error, size_t error_size)
{
	int multi = try_way(SMTPL_TLS_WAY_MULTI, "multi");
	int perf;

	if (!multi)
		return SMTPL_TLS_WAY_MULTI;
	perf = try_way(SMTPL_TLS_WAY_PERF, "perf");
	if (!perf)
		return SMTPL_TLS_WAY_PERF;
	snprintf(error, error_size,
		 "the kernel takes no probes: uprobe_multi: %s; perf uprobes: %s", strerror(-multi),
		 strerror(-perf));
	return SMTPL_TLS_WAY_NONE;
}
