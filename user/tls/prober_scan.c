// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_scan.c - finds the TLS functions in a process and puts probes on them. Every file is taken
 * by what the process has mapped, not by name; files that are known come first, since each
 * millisecond before the probes are there is one in which the session is not seen.
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

/* For files of one process that were not known. The rest is left to the next look. */
#define LEARN_NS NS_PER_S

/* One look at a process. */
struct look {
	struct prober_child *c;
	struct prober_process *p;
	enum prober_scan how;
	bool done[PROBER_MAPS_FILES];
	bool refused;
	bool cut;	   /* there are more files */
	uint64_t since_ns; /* from when on all is probed */
};

struct found {
	struct prober_file_id id;
	uint64_t mount;
	bool regular;
	bool trusted;
	bool device; /* a file system on a disk: no customer can answer for it */
};

/* Nothing here waits for a file system: what FUSE does not know yet is not asked for. */
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

/* O_NONBLOCK: an owner's lease on the file would keep us waiting. */
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

/* Of which the next look would find the same. */
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

	/* Perhaps another version of one that has probes. */
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

/* later: it is not known yet, and that was not to be changed. */
static struct prober_file *look_into(struct prober_child *c, int fd, pid_t pid, const char *path,
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

	return look_into(c, fd, getpid(), path, false, &later);
}

/* --- probing -------------------------------------------------------------------------------- */

/* The process's probe in this file, or in what it was before an owner or a link of it was changed.
 * */
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

static bool admit(struct look *look, uint32_t probes)
{
	struct prober_child *c = look->c;
	struct prober_process *p = look->p;

	if (look->how == PROBER_SCAN_FREE)
		return true;
	look->refused =
		look->refused || !prober_process_room(c, p->uid, p->relay, true) ||
		!prober_budget_attach(&c->budget, p->uid, p->relay, probes, clock_boot_ns());
	return !look->refused;
}

static int attach(struct look *look, struct prober_file *file, int fd)
{
	char name[PROBER_NAME_SIZE];
	int err;

	/* Once more: probes at another file's offsets would crash the process. */
	if (!prober_scan_same(fd, &file->id))
		return -EAGAIN;
	prober_process_name(look->p, file->hash, name);
	if (prober_detach_cancel(look->c, name))
		return 0;
	err = bpf_tls_probe(look->c->tls, fd, look->p->pid, file->plan, name);
	return err == -EEXIST ? 0 : err;
}

static void attach_failed(struct look *look, struct prober_file *file, int err)
{
	if (err == -ESRCH)
		return; /* it has ended */
	look->c->state.failed++;
	file->error = err;
	file->changed = true;
	prober_report_error(look->c, "takes no probes", file->path, err);
}

static void note_probe(struct look *look, struct prober_file *file, bool own)
{
	struct prober_process *p = look->p;
	uint64_t since_ns = own ? clock_boot_ns() : file->library_ns;

	file->error = 0;
	file->processes++;
	p->probes[p->count++] = (struct prober_probe){file->hash, file, own};
	if (since_ns > look->since_ns)
		look->since_ns = since_ns;
}

static void bind(struct prober_probe *probe, struct prober_file *file)
{
	/* Of one that is attached for all by now nothing else must stay. */
	if (!probe || probe->file || file->library)
		return;
	probe->file = file;
	file->processes++;
}

static void probe(struct look *look, struct prober_file *file, int fd)
{
	struct prober_process *p = look->p;
	struct prober_probe *known = probe_in(p, file);
	int err;

	file->last_ns = clock_boot_ns();
	file->changed = true;
	if (look->how == PROBER_SCAN_BIND)
		bind(known, file);
	if (look->how == PROBER_SCAN_BIND || known || p->count == PROBER_PROCESS_FILES)
		return;
	if (prober_library_wanted(look->c, file, fd)) {
		note_probe(look, file, false);
		return;
	}
	if (!admit(look, file->plan->count))
		return;
	err = attach(look, file, fd);
	if (err)
		attach_failed(look, file, err);
	else
		note_probe(look, file, true);
}

static int open_mapping(pid_t pid, const struct prober_mapping *mapping)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)mapping->start, (unsigned long long)mapping->end);
	return open(path, O_PATH | O_CLOEXEC);
}

static void look_at(struct look *look, size_t index, bool known_only)
{
	const struct prober_mapping *mapping = &look->c->maps.files[index];
	int fd = open_mapping(look->p->pid, mapping);
	struct prober_file *file;
	bool later = false;

	look->done[index] = true;
	if (fd < 0)
		return;
	file = look_into(look->c, fd, look->p->pid, mapping->path, known_only, &later);
	if (file && file->plan && !file->last_ns)
		memcpy(file->path, mapping->path, sizeof(file->path));
	if (file && file->plan)
		probe(look, file, fd);
	look->done[index] = !later;
	close(fd);
}

static void look_at_known(struct look *look)
{
	for (size_t i = 0; i < look->c->maps.count; i++)
		look_at(look, i, true);
}

static void look_at_rest(struct look *look)
{
	uint64_t end_ns = clock_boot_ns() + LEARN_NS;

	for (size_t i = 0; i < look->c->maps.count; i++) {
		if (look->done[i])
			continue;
		if (clock_boot_ns() >= end_ns) {
			look->cut = true;
			return;
		}
		look_at(look, i, false);
	}
}

int prober_scan(struct prober_child *c, struct prober_process *p, enum prober_scan how)
{
	struct look look = {.c = c, .p = p, .how = how};
	int err = prober_maps_read(&c->maps, p->pid);

	if (err)
		return err;
	look.cut = c->maps.cut;
	look_at_known(&look);
	if (look.since_ns)
		prober_process_report(c, p, look.since_ns);
	look_at_rest(&look);
	if (how == PROBER_SCAN_BIND)
		return 0;
	if (look.cut)
		c->state.unreadable++;
	/* All of its probes or none. */
	if (look.refused)
		return -EDQUOT;
	prober_process_report(c, p, look.since_ns);
	return 0;
}
