// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_link.c - attaches programs by links that are pinned, so that they outlive the daemon. A
 * pinned cgroup link of an earlier start is switched to the new program in place; a trace point's
 * link cannot be switched, so the new one is attached first and takes the old one's name.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "headers/maps.h"
#include "bpf_link.h"
#include "cgroup.h"

#define FRESH "_new" /* behind the pin of a link that has not its name yet */

/* A start that was killed before it named the link has left this one, and it is attached. */
static void link_drop_fresh(const char *path)
{
	char fresh[PATH_MAX + sizeof(FRESH)];

	snprintf(fresh, sizeof(fresh), "%s" FRESH, path);
	unlink(fresh);
}

/* Is the pinned link attached to this very cgroup? That of a removed cgroup has id 0. */
static bool link_is_of(int link_fd, int cgroup_fd)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(link_fd, &info, &size) == 0 &&
	       info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == cgroup_id(cgroup_fd);
}

/* Switch the pinned link. -ENOENT: there is none that could be switched. */
static int link_switch(const struct bpf_link_want *want, const char *path, int cgroup_fd)
{
	int fd = bpf_obj_get(path);
	int err = -ENOENT;

	if (fd < 0)
		return -ENOENT;
	if (want->cgroup && link_is_of(fd, cgroup_fd))
		err = bpf_link_update(fd, bpf_program__fd(want->prog), NULL) ? -errno : 0;
	close(fd);
	return err;
}

static int link_make(const struct bpf_link_want *want, const char *path, int cgroup_fd)
{
	char fresh[PATH_MAX + sizeof(FRESH)];
	struct bpf_link *link;
	int err;

	link = want->cgroup ? bpf_program__attach_cgroup(want->prog, cgroup_fd) :
			      bpf_program__attach(want->prog);
	if (!link)
		return -errno;
	snprintf(fresh, sizeof(fresh), "%s" FRESH, path);
	err = bpf_link__pin(link, fresh);
	if (!err && rename(fresh, path)) {
		err = -errno;
		unlink(fresh);
	}
	bpf_link__destroy(link);
	return err;
}

static void link_undo(const struct bpf_link_want *wants, size_t count, const bool *made,
		      const char *bpffs)
{
	while (count--) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/" SMTPL_PIN_DIR "/%s", bpffs, wants[count].pin);
		if (made[count])
			unlink(path);
	}
}

int bpf_link_attach_all(const struct bpf_link_want *wants, size_t count, const char *bpffs,
			int cgroup_fd, char *error, size_t error_size)
{
	bool made[16] = {};

	for (size_t i = 0; i < count; i++) {
		char path[PATH_MAX];
		bool first;
		int err;

		snprintf(path, sizeof(path), "%s/" SMTPL_PIN_DIR "/%s", bpffs, wants[i].pin);
		link_drop_fresh(path);
		first = access(path, F_OK) != 0;
		err = link_switch(&wants[i], path, cgroup_fd);
		if (err == -ENOENT) {
			err = link_make(&wants[i], path, cgroup_fd);
			made[i] = first && !err;
		}
		if (err) {
			snprintf(error, error_size, "cannot attach %s: %s",
				 bpf_program__name(wants[i].prog), strerror(-err));
			link_undo(wants, i, made, bpffs);
			return err;
		}
	}
	return 0;
}
