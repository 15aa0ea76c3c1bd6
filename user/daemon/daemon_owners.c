// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_owners.c - which user owns a domain: kept up to date, saved, and asked by whoever charges
 * mail. Until a source can be read, what was saved holds.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "daemon.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "state/state_owners.h"

#define SAVE_AGAIN_NS (60 * NS_PER_S)

static void say_error(struct daemon *d, const char *error)
{
	if (!strcmp(error, d->owners_error))
		return;
	snprintf(d->owners_error, sizeof(d->owners_error), "%s", error);
	log_warning("%s; the owners known before stay", error);
}

static void say_read(struct daemon *d, size_t count_before, size_t unknown_before)
{
	const struct owners *owners = d->owners.owners;

	if (d->owners_error[0])
		log_notice("owners of domains can be read again");
	d->owners_error[0] = '\0';
	if (owners_count(owners) != count_before)
		log_info("domains with an owner: %zu (%s)", owners_count(owners),
			 owners_source(owners));
	if (owners_unknown(owners) != unknown_before)
		log_info("domains of users that this host does not know: %zu",
			 owners_unknown(owners));
}

static void save(struct daemon *d)
{
	int err;

	if (!d->owners_unsaved || clock_boot_ns() < d->owners_save_ns)
		return;
	err = state_put_owners(d->state, d->owners.owners);
	d->owners_unsaved = err != 0;
	if (!err)
		return;
	log_warning("owners of domains are not saved: %s", state_error(d->state));
	d->owners_save_ns = clock_boot_ns() + SAVE_AGAIN_NS;
}

void daemon_owners_poll(struct daemon *d)
{
	size_t count_before = owners_count(d->owners.owners);
	size_t unknown_before = owners_unknown(d->owners.owners);
	char error[OWNERS_WATCH_ERROR_SIZE] = "";
	int result =
		owners_watch_poll(&d->owners, &d->config, clock_boot_ns(), error, sizeof(error));

	if (result < 0)
		say_error(d, error);
	if (result > 0) {
		say_read(d, count_before, unknown_before);
		d->owners_unsaved |= !d->owners.same;
		d->list_stale |= !d->owners.same;
	}
	save(d);
}

static void restore(struct daemon *d)
{
	if (d->config.source == CONFIG_SOURCE_NONE)
		return;
	d->owners.owners = owners_new();
	if (!d->owners.owners || state_get_owners(d->state, d->owners.owners))
		log_warning("saved owners of domains are not all known");
}

int daemon_owners_start(struct daemon *d)
{
	int err;

	sandbox_hide_mappings();
	err = owners_watch_start(&d->owners, &d->config, "", &OWNERS_COMMAND_LIMITS);
	if (err)
		log_warning("no process for the command that prints owners: %s", strerror(-err));
	restore(d);
	daemon_owners_poll(d);
	return 0;
}

void daemon_owners_reload(struct daemon *d, const struct config *before)
{
	if (strcmp(before->owners_command, d->config.owners_command))
		log_warning("the new command for owners is taken up by a restart");
	d->owners_error[0] = '\0';
	owners_watch_reload(&d->owners);
}

void daemon_owners_stop(struct daemon *d)
{
	owners_watch_stop(&d->owners);
}

bool daemon_owner(void *arg, const char *domain, uint32_t *uid)
{
	const struct daemon *d = arg;

	return owners_find(d->owners.owners, domain, uid);
}
