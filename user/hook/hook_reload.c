/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_reload.c - have a running mail server take up its changed files: by its own program, or by
 * systemctl(1), or service(8) where systemd does not run.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "hook_exim.h"
#include "hook_postfix.h"

#define SAID_SIZE 1024

static int say(char *error, size_t error_size, const char *what, const char *said)
{
	int n = snprintf(error, error_size, "%s: ", what);

	if (n > 0 && (size_t)n < error_size)
		log_escape(said, strlen(said), 1, error + n, error_size - n);
	return -EIO;
}

/* A host may have a unit of each name, of which one runs. */
static int reload_services(const struct hook_context *context, const char *const *names,
			   bool restart, char *error, size_t error_size)
{
	bool systemd = hook_exists(context, "/run/systemd/system");
	const char *const how = restart ? "try-restart" : "try-reload-or-restart";
	char said[SAID_SIZE];
	bool done = false;

	for (size_t i = 0; names[i]; i++) {
		const char *const systemctl[] = {"systemctl", how, names[i], NULL};
		const char *const service[] = {"service", names[i],
					       restart ? "restart" : "force-reload", NULL};

		if (hook_run_check(context, systemd ? systemctl : service, said, sizeof(said)) == 0)
			done = true;
		else if (!done)
			say(error, error_size, systemd ? "systemctl" : "service", said);
	}
	return done ? 0 : -EIO;
}

/* Debian's layouts become the file that Exim reads first. */
int hook_exim_apply(const struct hook_context *context, char *error, size_t error_size)
{
	static const char *const names[] = {"exim4", "exim", NULL};
	struct exim_layout layout;
	char said[SAID_SIZE];

	if (!exim_layout_find(context, &layout, said, sizeof(said)) &&
	    layout.kind != EXIM_LAYOUT_FILE) {
		const char *const argv[] = {"update-exim4.conf", "-d", layout.directory, NULL};

		if (hook_run_check(context, argv, said, sizeof(said)))
			return say(error, error_size, argv[0], said);
	}
	return reload_services(context, names, false, error, error_size);
}

int hook_postfix_apply(const struct hook_context *context, char *error, size_t error_size)
{
	const char *directory = postfix_directory(context);
	const char *const running[] = {"postfix", "-c", directory, "status", NULL};
	const char *const argv[] = {"postfix", "-c", directory, "reload", NULL};
	char said[SAID_SIZE];

	if (hook_run_check(context, running, said, sizeof(said)))
		return 0;
	return hook_run_check(context, argv, said, sizeof(said)) ?
		       say(error, error_size, "postfix reload", said) :
		       0;
}

int hook_opensmtpd_apply(const struct hook_context *context, char *error, size_t error_size)
{
	static const char *const names[] = {"opensmtpd", "smtpd", NULL};

	return reload_services(context, names, true, error, error_size);
}

int hook_sendmail_apply(const struct hook_context *context, char *error, size_t error_size)
{
	static const char *const names[] = {"sendmail", NULL};

	return reload_services(context, names, false, error, error_size);
}
