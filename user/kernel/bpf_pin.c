// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_pin.c - the pin directory: made at the first start, checked at every later one, removed by
 * `smtplimit unload`.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include "bpf.h"
#include "bpf_maps.h"
#include "bpf_pin.h"

#define BPFFS_USUAL "/sys/fs/bpf"

#define LOCK_WAIT_MS 2000
#define LOCK_POLL_MS 10

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* A BPF file system is mounted at /sys/fs/bpf where that is wanted and missing; anywhere else the
 * administrator's mount is expected. */
static int bpffs_ensure(const char *bpffs, char *error, size_t error_size)
{
	char parent[PATH_MAX];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", bpffs);
	if (is_bpffs(parent))
		return 0;
	slash = strrchr(parent, '/');
	if (slash && slash != parent)
		*slash = 0;
	if (is_bpffs(parent))
		return 0;
	if (strcmp(parent, BPFFS_USUAL) == 0 && mount("bpf", parent, "bpf", 0, "mode=0700") == 0)
		return 0;
	snprintf(error, error_size,
		 "\"%s\" is not on a BPF file system; mount one: mount -t bpf -o mode=0700 bpf %s",
		 bpffs, parent);
	return -ENODEV;
}

/* Somebody else may have made the directory before, if anyone may write to the BPF file system. */
static int make_directory(const char *path, char *error, size_t error_size)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST) {
		snprintf(error, error_size, "cannot make \"%s\": %s", path, strerror(errno));
		return -errno;
	}
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0 && !(st.st_mode & 022))
		return 0;
	snprintf(error, error_size,
		 "\"%s\" must be a directory of root that nobody else can write to; remove it",
		 path);
	return -EPERM;
}

/* A child that a killed daemon had just forked may hold the lock for a moment more. 0; -1 with
 * errno. */
static int wait_for_lock(int fd)
{
	const struct timespec poll = {.tv_nsec = LOCK_POLL_MS * 1000000L};
	int r = flock(fd, LOCK_EX | LOCK_NB);

	for (int ms = 0; r && errno == EWOULDBLOCK && ms < LOCK_WAIT_MS; ms += LOCK_POLL_MS) {
		nanosleep(&poll, NULL);
		r = flock(fd, LOCK_EX | LOCK_NB);
	}
	return r;
}

int bpf_pin_lock(const char *bpffs, char *error, size_t error_size)
{
	int fd = open(bpffs, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int err;

	if (fd >= 0 && wait_for_lock(fd) == 0)
		return fd;
	err = -errno;
	if (fd >= 0)
		close(fd);
	snprintf(error, error_size,
		 err == -EWOULDBLOCK ? "another smtplimit uses \"%s\"" : "\"%s\": %s", bpffs,
		 strerror(-err));
	return err;
}

int bpf_pin_prepare(const char *bpffs, char pin_root[PATH_MAX], char *error, size_t error_size)
{
	struct bpf_maps *maps;
	int err = bpffs_ensure(bpffs, error, error_size);

	if (!err)
		err = make_directory(bpffs, error, error_size);
	snprintf(pin_root, PATH_MAX, "%s/" SMTPL_PIN_DIR, bpffs);
	if (!err)
		err = make_directory(pin_root, error, error_size);
	if (err)
		return err;
	err = bpf_maps_open(bpffs, &maps);
	if (!err)
		bpf_maps_close(maps);
	if (!err || err == -ENOENT)
		return 0;
	snprintf(error, error_size,
		 err == -EPROTO ?
			 "the maps below %s are of another smtplimit; remove them with its "
			 "`smtplimit unload`, then start this one (%s)" :
			 "cannot open the maps below %s: %s",
		 pin_root, strerror(-err));
	return err;
}

static bool map_fits(const struct bpf_map *map, const char *path)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);
	int fd = bpf_obj_get(path);
	bool fits;

	if (fd < 0)
		return true;
	fits = bpf_obj_get_info_by_fd(fd, &info, &size) ||
	       (info.max_entries == bpf_map__max_entries(map) &&
		info.value_size == bpf_map__value_size(map));
	close(fd);
	return fits;
}

/* Links go first: without them no program runs, and the maps are of no use any more. */
static int unlink_all(DIR *dir, const char *prefix, int *removed)
{
	struct dirent *entry;

	rewinddir(dir);
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0))
			return -errno;
		++*removed;
	}
	return 0;
}

int bpf_pin_remove(const char *pin_root, const char *prefix)
{
	DIR *dir = opendir(pin_root);
	int removed = 0, err;

	if (!dir)
		return -errno;
	err = unlink_all(dir, prefix, &removed);
	closedir(dir);
	return err;
}

static bool is_short_lived(const char *name)
{
	static const char *const short_lived[] = {"smtpl_events", "smtpl_session", "smtpl_call",
						  "smtpl_redirs", "smtpl_callers", "smtpl_locals",
						  "smtpl_stats",  "smtpl_losses"};

	for (size_t i = 0; i < sizeof(short_lived) / sizeof(*short_lived); i++)
		if (strcmp(name, short_lived[i]) == 0)
			return true;
	return strncmp(name, "smtpl_tls", strlen("smtpl_tls")) == 0;
}

void bpf_pin_drop_unfit(struct bpf_object *obj, const char *pin_root)
{
	struct bpf_map *map;
	bool dropped = false;

	bpf_object__for_each_map(map, obj)
	{
		const char *path = bpf_map__pin_path(map);

		if (path && is_short_lived(bpf_map__name(map)) && !map_fits(map, path) &&
		    unlink(path) == 0)
			dropped |= strcmp(bpf_map__name(map), "smtpl_losses") != 0;
	}
	/* The probes of an earlier start would go on in a map that nobody reads; no program uses
	 * that of losses. */
	if (dropped)
		bpf_pin_remove(pin_root, "link_tls_");
}

static int unload_locked(const char *bpffs, const char *pin_root)
{
	DIR *dir = opendir(pin_root);
	int removed = 0, err;

	if (!dir)
		return -errno;
	err = unlink_all(dir, "link_", &removed);
	if (!err)
		err = unlink_all(dir, "smtpl_", &removed);
	closedir(dir);
	if (!err && rmdir(pin_root))
		err = -errno;
	if (!err && rmdir(bpffs) && errno != EBUSY && errno != ENOTEMPTY)
		err = -errno;
	return err;
}

int bpf_unload(const char *bpffs, char *error, size_t error_size)
{
	char pin_root[PATH_MAX];
	int lock = bpf_pin_lock(bpffs, error, error_size);
	int err;

	if (lock < 0)
		return lock;
	snprintf(pin_root, sizeof(pin_root), "%s/" SMTPL_PIN_DIR, bpffs);
	err = unload_locked(bpffs, pin_root);
	if (err)
		snprintf(error, error_size, "cannot remove \"%s\": %s", pin_root, strerror(-err));
	close(lock);
	return err;
}
