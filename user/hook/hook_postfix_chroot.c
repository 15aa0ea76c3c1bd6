/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix_chroot.c - services of Postfix that run in its queue directory see no socket
 * outside. What --install puts in is asked through that directory; who puts it in by hand may name
 * a socket of the run directory.
 */
#include "hook_postfix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "postfix_cf.h"

/* The programs that ask policy services and look addresses up. */
static const char *const askers[] = {"smtpd", "cleanup", "qmgr", "trivial-rewrite"};

/* "-" is the default: "y" before compatibility level 1, which is that of a file without one. */
static bool is_chrooted(const struct hook_text *main, const struct postfix_service *service)
{
	const char *chroot = service->field[POSTFIX_CHROOT];
	char *level;
	bool chrooted;

	if (chroot[0] != '-')
		return chroot[0] == 'y';
	chrooted = postfix_main_find(main, "compatibility_level", NULL, &level) != 1 ||
		   !strcmp(level, "0");
	free(level);
	return chrooted;
}

/* Is it `program`, as the first word of a command? */
static bool runs(const struct postfix_service *service, const char *program)
{
	size_t length = strcspn(service->field[POSTFIX_COMMAND], " ");

	return strlen(program) == length &&
	       !memcmp(service->field[POSTFIX_COMMAND], program, length);
}

static bool names_socket(const struct hook_text *text, const char *socket)
{
	struct postfix_line line;
	bool found = false;
	size_t at = 0;

	while (!found && postfix_line_next(text, &at, &line)) {
		char *joined = postfix_line_joined(text, &line);

		found = joined && strstr(joined, socket);
		free(joined);
	}
	return found;
}

/* The first service that asks and is chrooted. 1; 0: none; -ENOMEM. */
static int find_chrooted(const struct postfix_files *files, struct postfix_service *service)
{
	size_t at = 0;
	int there;

	while ((there = postfix_master_next(&files->master.old, &at, service)) == 1) {
		for (size_t i = 0; i < sizeof(askers) / sizeof(*askers); i++)
			if (runs(service, askers[i]) && is_chrooted(&files->main.old, service))
				return 1;
		postfix_service_free(service);
	}
	return there;
}

int postfix_check_chroot(const struct hook_context *context, char *why, size_t size)
{
	struct postfix_files files;
	struct postfix_service service = {0};
	char socket[PATH_MAX + 16];
	int there = postfix_files_read(context, &files, why, size);

	if (there)
		return there;
	snprintf(socket, sizeof(socket), "unix:%s/", context->config->run);
	if (names_socket(&files.main.old, socket) || names_socket(&files.master.old, socket))
		there = find_chrooted(&files, &service);
	if (there == 1)
		snprintf(
			why, size,
			"%s: the service \"%s\" runs in Postfix's queue directory and cannot reach "
			"%s: want what `smtplimit hook postfix` prints, or \"n\" in its column chroot",
			files.master.path, service.field[POSTFIX_NAME], socket);
	postfix_service_free(&service);
	postfix_files_free(&files);
	return there == 1 ? -ENOTDIR : there;
}
