// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_scan.c - finds the TLS functions in a process and puts probes on them. Files are opened by
 * the process's mappings, not by name. Known files come first, since the session is not seen until
 * the probes are there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/clock.h"
#include "prober_child.h"
#include "prober_mounts.h"

/* The time for unknown files of one process. The rest is left to the next scan. */
#define LEARN_NS NS_PER_S

/* One scan of a process. */
struct scan {
	struct prober_child *c;
	struct prober_process *p;
	enum prober_scan how;
	bool done[PROBER_MAPS_FILES];
	bool refused;
	bool cut;	   /* there are more files */
	uint64_t since_ns; /* since when all is probed */
};

struct found {
	struct prober_file_id id;
	uint64_t mount;
	bool regular;
	bool trusted;
	bool device; /* it is on a disk: no customer can serve it */
};

/* Nothing here waits for a file system: FUSE is not asked for what it does not know yet. */
static int identify(int fd, struct found *found)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID,
		  &st))
		return -errno;
	*found = (struct found){
		.id = {.dev = makedev(st.stx_dev_major, st.stx_dev_minor),
		       .ino = st.stx_ino,
		       .size_bytes = st.stx_size,
		       .mtime_ns = st.stx_mtime.tv_sec * (int64_t)NS_PER_S + st.stx_mtime.tv_nsec,
		       .ctime_ns = st.stx_ctime.tv_sec * (int64_t)NS_PER_S + st.stx_ctime.tv_nsec},
		.mount = st.stx_mnt_id,
		.regular = S_ISREG(st.stx_mode),
		.trusted = st.stx_uid == 0 && !(st.stx_mode & 022),
		.device = st.stx_dev_major != 0,
	};
	return 0;
}

bool prober_scan_same(int fd, const struct prober_file_id *id)
{
	struct found now;

	return identify(fd, &now) == 0 && memcmp(&now.id, id, sizeof(*id)) == 0;
}

/* O_NONBLOCK: the open must not wait for an owner's lease on the file. */
static int read_plan(struct prober_child *c, int fd, struct tls_plan *plan)
{
	char path[32];
	int file, err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	err = tls_reader_plan(&c->reader, file, plan);
	close(file);
	return err;
}

/* The next scan would give the same error. */
static bool is_final(int error)
{
	return error == 0 || error == -ENOENT || error == -ENOEXEC || error == -EBADMSG ||
	       error == -ENOTSUP || error == -ETIMEDOUT || error == -ECHILD;
}

static struct prober_file *learn(struct prober_child *c, int fd, const char *path,
				 const struct found *found)
{
	struct prober_file *file;
	struct tls_plan plan;
	int err = read_plan(c, fd, &plan);

	/* It may be a new version of a file that has probes. */
	prober_library_check(c);
	if (!is_final(err) || !prober_scan_same(fd, &found->id)) {
		c->state.unreadable++;
		prober_report_error(c, "cannot be read", path, err ? err : -EAGAIN);
		return NULL;
	}
	if (err && err != -ENOENT && err != -ENOEXEC) {
		c->state.unreadable++;
		prober_report_error(c, "has no TLS functions that can be probed", path, err);
	}
	file = prober_files_add(&c->files, &found->id, err ? NULL : &plan, err);
	if (!file)
		return NULL;
	file->trusted = found->trusted;
	snprintf(file->path, sizeof(file->path), "%s", path);
	return file;
}

/* later: the file is unknown, and known_only was set. */
static struct prober_file *examine(struct prober_child *c, int fd, pid_t pid, const char *path,
				   bool known_only, bool *later)
{
	struct prober_file *file;
	struct found found;

	if (identify(fd, &found) || !found.regular)
		return NULL;
	file = prober_files_find(&c->files, &found.id);
	*later = !file && known_only;
	if (*later || (file && !file->plan))
		return file;
	if (!found.device && !prober_mounts_safe_in(pid, found.mount, found.id.dev)) {
		c->state.unreadable++;
		prober_report_error(c, "is on a file system that is not touched", path, -EREMOTE);
		return NULL;
	}
	return file ? file : learn(c, fd, path, &found);
}

struct prober_file *prober_scan_into(struct prober_child *c, int fd, const char *path)
{
	bool later;

	return examine(c, fd, getpid(), path, false, &later);
}

/* --- probing -------------------------------------------------------------------------------- */

/* The process's probe in this file, also if the file's owner or links have changed since. */
static struct prober_probe *probe_in(struct prober_process *p, const struct prober_file *file)
{
	for (size_t i = 0; i < p->count; i++) {
		struct prober_probe *probe = &p->probes[i];

		if (probe->hash == file->hash ||
		    (probe->file && probe->file->id.ino == file->id.ino &&
		     probe->file->id.dev == file->id.dev))
			return probe;
	}
	return NULL;
}

static bool admit(struct scan *scan, uint32_t probes)
{
	struct prober_child *c = scan->c;
	struct prober_process *p = scan->p;

	if (scan->how == PROBER_SCAN_FREE)
		return true;
	scan->refused =
		scan->refused || !prober_process_room(c, p->uid, p->relay, true) ||
		!prober_budget_attach(&c->budget, p->uid, p->relay, probes, clock_boot_ns());
	return !scan->refused;
}

static int attach(struct scan *scan, struct prober_file *file, int fd)
{
	char name[PROBER_NAME_SIZE];
	int err;

	/* Checked again: probes at another file's offsets would crash the process. */
	if (!prober_scan_same(fd, &file->id))
		return -EAGAIN;
	prober_process_name(scan->p, file->hash, name);
	if (prober_detach_cancel(scan->c, name))
		return 0;
	err = bpf_tls_probe(scan->c->tls, fd, scan->p->pid, file->plan, name);
	return err == -EEXIST ? 0 : err;
}

static void attach_failed(struct scan *scan, struct prober_file *file, int err)
{
	if (err == -ESRCH)
		return; /* it has ended */
	scan->c->state.failed++;
	file->error = err;
	file->changed = true;
	prober_report_error(scan->c, "takes no probes", file->path, err);
}

static void note_probe(struct scan *scan, struct prober_file *file, bool own)
{
	struct prober_process *p = scan->p;
	uint64_t since_ns = own ? clock_boot_ns() : file->library_ns;

	file->error = 0;
	file->processes++;
	p->probes[p->count++] = (struct prober_probe){file->hash, file, own};
	if (since_ns > scan->since_ns)
		scan->since_ns = since_ns;
}

static void bind(struct prober_probe *probe, struct prober_file *file)
{
	/* A pin of the process must not stay where the file is attached for all by now. */
	if (!probe || probe->file || file->library)
		return;
	probe->file = file;
	file->processes++;
}

static void probe(struct scan *scan, struct prober_file *file, int fd)
{
	struct prober_process *p = scan->p;
	struct prober_probe *known = probe_in(p, file);
	int err;

	file->last_ns = clock_boot_ns();
	file->changed = true;
	if (scan->how == PROBER_SCAN_BIND)
		bind(known, file);
	if (scan->how == PROBER_SCAN_BIND || known || p->count == PROBER_PROCESS_FILES)
		return;
	if (prober_library_wanted(scan->c, file, fd)) {
		note_probe(scan, file, false);
		return;
	}
	if (!admit(scan, file->plan->count))
		return;
	err = attach(scan, file, fd);
	if (err)
		attach_failed(scan, file, err);
	else
		note_probe(scan, file, true);
}

static int open_mapping(pid_t pid, const struct prober_mapping *mapping)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)mapping->start, (unsigned long long)mapping->end);
	return open(path, O_PATH | O_CLOEXEC);
}

static void scan_mapping(struct scan *scan, size_t index, bool known_only)
{
	const struct prober_mapping *mapping = &scan->c->maps.files[index];
	int fd = open_mapping(scan->p->pid, mapping);
	struct prober_file *file;
	bool later = false;

	scan->done[index] = true;
	if (fd < 0)
		return;
	file = examine(scan->c, fd, scan->p->pid, mapping->path, known_only, &later);
	if (file && file->plan && !file->last_ns)
		memcpy(file->path, mapping->path, sizeof(file->path));
	if (file && file->plan)
		probe(scan, file, fd);
	scan->done[index] = !later;
	close(fd);
}

static void scan_known(struct scan *scan)
{
	for (size_t i = 0; i < scan->c->maps.count; i++)
		scan_mapping(scan, i, true);
}

static void scan_rest(struct scan *scan)
{
	uint64_t end_ns = clock_boot_ns() + LEARN_NS;

	for (size_t i = 0; i < scan->c->maps.count; i++) {
		if (scan->done[i])
			continue;
		if (clock_boot_ns() >= end_ns) {
			scan->cut = true;
			return;
		}
		scan_mapping(scan, i, false);
	}
}

int prober_scan(struct prober_child *c, struct prober_process *p, enum prober_scan how)
{
	struct scan scan = {.c = c, .p = p, .how = how};
	int err = prober_maps_read(&c->maps, p->pid);

	if (err)
		return err;
	scan.cut = c->maps.cut;
	scan_known(&scan);
	if (scan.since_ns)
		prober_process_report(c, p, scan.since_ns);
	scan_rest(&scan);
	if (how == PROBER_SCAN_BIND)
		return 0;
	if (scan.cut)
		c->state.unreadable++;
	/* A process gets all of its probes or none. */
	if (scan.refused)
		return -EDQUOT;
	prober_process_report(c, p, scan.since_ns);
	return 0;
}
