/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_client.c - what the hooks that run `smtplimit answer` share: the command and the check.
 */
#include "hook_client.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"

static bool is_plain(const char *path)
{
	return path[0] == '/' &&
	       strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "/._+-") == strlen(path);
}

int hook_client_command(const struct hook_context *context, const char *protocol,
			char command[HOOK_COMMAND_SIZE], char *error, size_t error_size)
{
	const char *paths[] = {context->binary, context->config_file};
	char shown[256];
	int n;

	for (size_t i = 0; i < 2; i++) {
		if (!paths[i] || is_plain(paths[i]))
			continue;
		log_escape(paths[i], strlen(paths[i]), 1, shown, sizeof(shown));
		snprintf(error, error_size,
			 "\"%s\" cannot stand in a mail server's configuration: "
			 "want a whole path of letters, digits and /._+-",
			 shown);
		return -EINVAL;
	}
	n = snprintf(command, HOOK_COMMAND_SIZE, "%s%s%s answer %s", context->binary,
		     context->config_file ? " -c " : "",
		     context->config_file ? context->config_file : "", protocol);
	if (n < HOOK_COMMAND_SIZE)
		return 0;
	snprintf(error, error_size, "the paths of smtplimit and its configuration are too long");
	return -ENAMETOOLONG;
}

int hook_client_check(const struct hook_mta *mta, const struct hook_context *context,
		      const char *user, char *line, size_t line_size)
{
	struct hook_plan plan = {0};
	char error[512] = "";
	int err = mta->install(context, &plan, error, sizeof(error));

	if (err == -ENOENT) {
		snprintf(line, line_size, "%s: not on this host", mta->name);
		return 1;
	}
	if (err) {
		snprintf(line, line_size, "%s: not installed: %s", mta->name, error);
	} else if (plan.count) {
		snprintf(line, line_size,
			 "%s: not installed: %s lacks it, or not as it is now: "
			 "smtplimit hook %s --install",
			 mta->name, plan.edit[0].path, mta->name);
		err = -ESRCH;
	} else if (hook_reach(context, user, "policy", context->binary, error, sizeof(error))) {
		snprintf(line, line_size, "%s: cannot ask: %s", mta->name, error);
		err = -EACCES;
	} else {
		snprintf(line, line_size, "%s: installed", mta->name);
	}
	hook_plan_free(&plan);
	return err;
}
