// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_check.c - can this host run the daemon: each requirement is tried, none is guessed from a
 * version.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "kernel/bpf.h"
#include "kernel/bpf_tls.h"
#include "kernel/cgroup.h"
#include "tls/guard.h"

struct check {
	void (*each)(void *arg, const char *name, bool met, bool required, const char *why);
	void *arg;
};

static void check_say(const struct check *c, const char *name, bool met, bool required,
		      const char *why)
{
	c->each(c->arg, name, met, required, why);
}

static void check_root(const struct check *c)
{
	bool met = geteuid() == 0;

	check_say(c, "root", met, true, met ? "" : "run it as root, e.g. with sudo");
}

static void check_btf(const struct check *c)
{
	bool met = access("/sys/kernel/btf/vmlinux", R_OK) == 0;

	check_say(
		c, "kernel BTF", met, true,
		met ? "" :
		      "/sys/kernel/btf/vmlinux is missing: the kernel needs CONFIG_DEBUG_INFO_BTF");
}

static void check_bpffs(const struct check *c, const struct config *config)
{
	char parent[PATH_MAX], why[PATH_MAX + 64] = "";
	char *slash;
	struct statfs fs;
	bool met;

	snprintf(parent, sizeof(parent), "%s", config->bpffs);
	met = statfs(parent, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
	slash = strrchr(parent, '/');
	if (!met && slash && slash != parent) {
		*slash = 0;
		met = statfs(parent, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
	}
	if (!met && strcmp(parent, "/sys/fs/bpf") == 0) {
		met = true;
		snprintf(why, sizeof(why), "not mounted yet; `smtplimit run` mounts it");
	} else if (!met) {
		snprintf(why, sizeof(why), "mount one: mount -t bpf -o mode=0700 bpf %s", parent);
	}
	check_say(c, "BPF file system", met, true, why);
}

static void check_cgroup(const struct check *c, const struct config *config)
{
	char why[PATH_MAX + 128] = "";
	int fd = cgroup_open(config->cgroup, why, sizeof(why));

	check_say(c, "cgroup v2", fd >= 0, true, why);
	if (fd >= 0)
		close(fd);
}

static void check_programs(const struct check *c)
{
	struct bpf_features features = {};
	char why[512] = "";
	int err = bpf_try_load(&features, why, sizeof(why));

	check_say(c, "BPF programs", err == 0, true, why);
	if (err)
		return;
	check_say(c, "refusal by ECONNREFUSED", features.set_retval, false,
		  features.set_retval ?
			  "" :
			  "no bpf_set_retval (kernel 5.18): refused connects say EPERM");
	check_say(c, "bpf_sock_destroy", features.sock_destroy, false,
		  features.sock_destroy ?
			  "" :
			  "not in this kernel (6.5): open sessions are ended by netlink "
			  "SOCK_DESTROY");
}

static void check_tls(const struct check *c, const struct config *config)
{
	const char *off = config->tls == SMTPL_TLS_OFF ? ", but [watch] tls = off" : "";
	enum smtpl_tls_way way = SMTPL_TLS_WAY_NONE;
	char error[512] = "", why[640];
	struct guard guard = {.fd = -1};
	int err;

	guard_start_or_warn(&guard);
	err = bpf_tls_try(&way, error, sizeof(error));
	guard_stop(&guard);
	if (err)
		snprintf(why, sizeof(why), "every session under TLS is opaque: %s", error);
	else if (way == SMTPL_TLS_WAY_MULTI)
		snprintf(why, sizeof(why), "uprobe_multi%s", off);
	else
		snprintf(why, sizeof(why),
			 "perf uprobes, which take longer to put than uprobe_multi%s", off);
	check_say(c, "TLS by uprobes", err == 0, false, why);
}

/* Putting a probe into a file waits for every process that maps it, and all of the host's forks
 * wait with it (dup_mmap_sem in kernel/events/uprobes.c). Such a process can in turn wait for its
 * own FUSE server. */
static void check_fuse(const struct check *c, const struct config *config)
{
	struct stat device;
	bool met;

	if (config->tls == SMTPL_TLS_OFF)
		return;
	met = stat("/dev/fuse", &device) || !(device.st_mode & 06);
	check_say(
		c, "FUSE for root alone", met, false,
		met ? "" :
		      "any user can open /dev/fuse, and hold up each fork on this host for seconds with it "
		      "while a probe is put into a process; chmod 660 /dev/fuse, or set [watch] tls = "
		      "off");
}

void bpf_check(const struct config *config,
	       void (*each)(void *arg, const char *name, bool met, bool required, const char *why),
	       void *arg)
{
	const struct check c = {each, arg};
	struct utsname host;

	if (uname(&host) == 0)
		check_say(&c, "kernel", true, true, host.release);
	check_root(&c);
	check_btf(&c);
	check_bpffs(&c, config);
	check_cgroup(&c, config);
	if (geteuid() == 0) {
		check_programs(&c);
		check_tls(&c, config);
		check_fuse(&c, config);
	}
}
