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

static void say_error(struct daemon *a, const char *error)
{
	if (!strcmp(error, a->owners_error))
		return;
	snprintf(a->owners_error, sizeof(a->owners_error), "%s", error);
	log_warning("%s; the owners known before stay", error);
}

static void say_read(struct daemon *a, size_t count_before, size_t unknown_before)
{
	const struct owners *owners = a->owners.owners;

	if (a->owners_error[0])
		log_notice("owners of domains can be read again");
	a->owners_error[0] = '\0';
	if (owners_count(owners) != count_before)
		log_info("domains with an owner: %zu (%s)", owners_count(owners),
			 owners_source(owners));
	if (owners_unknown(owners) != unknown_before)
		log_info("domains of users that this host does not know: %zu",
			 owners_unknown(owners));
}

static void save(struct daemon *a)
{
	int err;

	if (!a->owners_unsaved || clock_boot_ns() < a->owners_save_ns)
		return;
	err = state_put_owners(a->state, a->owners.owners);
	a->owners_unsaved = err != 0;
	if (!err)
		return;
	log_warning("owners of domains are not saved: %s", state_error(a->state));
	a->owners_save_ns = clock_boot_ns() + SAVE_AGAIN_NS;
}

void daemon_owners_poll(struct daemon *a)
{
	size_t count_before = owners_count(a->owners.owners);
	size_t unknown_before = owners_unknown(a->owners.owners);
	char error[OWNERS_WATCH_ERROR_SIZE] = "";
	int result =
		owners_watch_poll(&a->owners, &a->config, clock_boot_ns(), error, sizeof(error));

	if (result < 0)
		say_error(a, error);
	if (result > 0) {
		say_read(a, count_before, unknown_before);
		a->owners_unsaved |= !a->owners.same;
		a->list_stale |= !a->owners.same;
	}
	save(a);
}

static void restore(struct daemon *a)
{
	if (a->config.source == CONFIG_SOURCE_NONE)
		return;
	a->owners.owners = owners_new();
	if (!a->owners.owners || state_get_owners(a->state, a->owners.owners))
		log_warning("saved owners of domains are not all known");
}

int daemon_owners_start(struct daemon *a)
{
	int err;

	sandbox_hide_mappings();
	err = owners_watch_start(&a->owners, &a->config, "", &OWNERS_COMMAND_LIMITS);
	if (err)
		log_warning("no process for the command that prints owners: %s", strerror(-err));
	restore(a);
	daemon_owners_poll(a);
	return 0;
}

void daemon_owners_reload(struct daemon *a, const struct config *before)
{
	if (strcmp(before->owners_command, a->config.owners_command))
		log_warning("the new command for owners is taken up by a restart");
	a->owners_error[0] = '\0';
	owners_watch_reload(&a->owners);
}

void daemon_owners_stop(struct daemon *a)
{
	owners_watch_stop(&a->owners);
}

bool daemon_owner(void *arg, const char *domain, uint32_t *uid)
{
	const struct daemon *a = arg;

	return owners_find(a->owners.owners, domain, uid);
}
