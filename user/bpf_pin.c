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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "bpf.h"
#include "bpf_maps.h"
#include "bpf_pin.h"

#define BPFFS_USUAL "/sys/fs/bpf"

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
		 "\"%s\" is not on a BPF file system; mount one: mount -t bpf bpf %s", bpffs, parent);
	return -ENODEV;
}

static int make_directory(const char *path, char *error, size_t error_size)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return 0;
	snprintf(error, error_size, "cannot make \"%s\": %s", path, strerror(errno));
	return -errno;
}

int bpf_pin_prepare(const char *bpffs, char pin_root[PATH_MAX], bool *made_maps, char *error,
		    size_t error_size)
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
	*made_maps = err == -ENOENT;
	if (!err)
		bpf_maps_close(maps);
	if (!err || err == -ENOENT)
		return 0;
	snprintf(error, error_size,
		 err == -EPROTO ? "the maps below %s are of another smtplimit; remove them with its "
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

void bpf_pin_drop_unfit(struct bpf_object *obj)
{
	static const char *const short_lived[] = {"smtpl_events", "smtpl_session", "smtpl_redirs",
						  "smtpl_locals", "smtpl_stats"};

	for (size_t i = 0; i < sizeof(short_lived) / sizeof(*short_lived); i++) {
		const struct bpf_map *map = bpf_object__find_map_by_name(obj, short_lived[i]);
		const char *path = map ? bpf_map__pin_path(map) : NULL;

		if (path && !map_fits(map, path))
			unlink(path);
	}
}

/* Links first: without them nothing runs, and what the maps held is nobody's any more. */
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

int bpf_unload(const char *bpffs, char *error, size_t error_size)
{
	char pin_root[PATH_MAX];
	int removed = 0, err;
	DIR *dir;

	snprintf(pin_root, sizeof(pin_root), "%s/" SMTPL_PIN_DIR, bpffs);
	dir = opendir(pin_root);
	if (!dir) {
		err = -errno;
		snprintf(error, error_size, "\"%s\": %s", pin_root, strerror(-err));
		return err;
	}
	err = unlink_all(dir, "link_", &removed);
	if (!err)
		err = unlink_all(dir, "smtpl_", &removed);
	closedir(dir);
	if (!err && rmdir(pin_root))
		err = -errno;
	if (!err && rmdir(bpffs) && errno != EBUSY && errno != ENOTEMPTY)
		err = -errno;
	if (err)
		snprintf(error, error_size, "cannot remove \"%s\": %s", pin_root, strerror(-err));
	return err;
}
