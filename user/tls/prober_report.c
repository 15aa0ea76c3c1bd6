// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_report.c - the prober's reports in maps: `status` and others read them there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "prober_child.h"

#define LOG_NS (60 * NS_PER_S) /* customers can cause any number of errors */

/* A file that nobody has mapped for so long is no longer listed. */
#define LISTED_NS (600 * NS_PER_S)

/* The meaning of error numbers here. */
static const char *reason(int error)
{
	switch (-error) {
	case EREMOTE:
		return "FUSE, or a user's overlay";
	case EBADMSG:
		return "a damaged ELF file";
	case ENOTSUP:
		return "its code is not understood";
	case ECHILD:
		return "its reader died of it";
	default:
		return strerror(-error);
	}
}

void prober_report_error(struct prober_child *c, const char *what, const char *path, int error)
{
	uint64_t now_ns = clock_boot_ns();
	char escaped[sizeof(c->state.error) - 72];

	/* The end of a path says more than its begin. */
	if (strlen(path) >= sizeof(escaped))
		path += strlen(path) - sizeof(escaped) + 1;
	log_escape(path, strlen(path), 0, escaped, sizeof(escaped));
	memset(c->state.error, 0, sizeof(c->state.error));
	snprintf(c->state.error, sizeof(c->state.error), "%s %s: %.30s", escaped, what,
		 reason(error));
	if (now_ns < c->logged_ns + LOG_NS)
		return;
	c->logged_ns = now_ns;
	log_warning("TLS: %s", c->state.error);
}

static struct smtpl_tls_file_key key_of(const struct prober_file *file)
{
	return (struct smtpl_tls_file_key){.dev = file->id.dev, .ino = file->id.ino};
}

static int list(struct prober_child *c, const struct prober_file *file)
{
	struct smtpl_tls_file_key key = key_of(file);
	struct smtpl_tls_file value = {
		.libraries = file->plan->libraries,
		.probes = file->plan->count,
		.processes = file->processes,
		.whole = file->library,
		.error = file->error,
		.last_ns = file->last_ns,
	};

	memcpy(value.path, file->path, strnlen(file->path, sizeof(value.path) - 1));
	return bpf_tls_set_file(c->tls, &key, &value);
}

static void report_file(struct prober_child *c, struct prober_file *file, uint64_t now_ns)
{
	bool stale = !file->processes && !file->library && now_ns > file->last_ns + LISTED_NS;
	struct smtpl_tls_file_key key = key_of(file);

	if (file->listed && stale) {
		bpf_tls_set_file(c->tls, &key, NULL);
		file->listed = false;
	}
	if (!file->changed || stale)
		return;
	/* When the map is full it is tried again. */
	file->listed = list(c, file) == 0;
	file->changed = !file->listed;
}

void prober_report(struct prober_child *c, uint64_t now_ns)
{
	for (struct prober_file *file = c->files.newest; file; file = file->older)
		if (file->plan && (file->changed || file->listed))
			report_file(c, file, now_ns);
	c->state.heartbeat_ns = now_ns;
	bpf_tls_set_state(c->tls, &c->state);
}

/* The totals of an earlier prober go on, the rest begins anew. */
void prober_report_start(struct prober_child *c, bool again)
{
	bpf_tls_get_state(c->tls, &c->state);
	c->state.mode = c->config->tls;
	c->state.way = bpf_tls_way(c->tls);
	c->state.pid = getpid();
	c->state.processes = 0;
	c->state.paused_ns = again ? c->state.paused_ns : 0;
	memset(c->state.error, 0, sizeof(c->state.error));
}
