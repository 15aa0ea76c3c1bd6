/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix.c - what makes Postfix ask whether a message may be sent, through processes that its
 * own master(8) starts (smtplimit answer), so that it gets an answer when the daemon is dead:
 *
 *	SMTP		a policy service is asked at DATA: once for each message, behind all checks
 *			of recipients
 *	sendmail(1)	pickup(8) has a cleanup(8) of its own, whose header_checks see the line
 *			"Received: ... from userid N" that pickup puts first. postdrop(1) could
 *			refuse at once (authorized_submit_users), but without the text
 *	queue		the transport of a suspended sender's domain is error(8)
 *
 * It needs Postfix 3.0 or later. Another instance (postmulti) is hooked by its --dir.
 */
#include "hook_postfix.h"

#include <errno.h>
#include <string.h>

#include "hook_client.h"

#define OUTPUT_SIZE 4096

static int say(char *error, size_t error_size, int err, const char *what)
{
	snprintf(error, error_size, "postfix: %s", what);
	return err;
}

/* master.cf is written first, so that main.cf never names a service that does not exist. */
static int plan_files(struct postfix_files *files, struct hook_plan *plan, char *error,
		      size_t error_size)
{
	struct postfix_file *order[] = {&files->master, &files->main};
	int err = 0;

	for (size_t i = 0; i < 2 && !err; i++)
		err = hook_plan_add(plan, order[i]->path, &order[i]->old, &order[i]->text);
	postfix_files_free(files);
	return err ? say(error, error_size, err, strerror(-err)) : 0;
}

static int install(const struct hook_context *context, struct hook_plan *plan, char *error,
		   size_t error_size)
{
	struct postfix_files files;
	int err = postfix_files_edit(context, &files, error, error_size);

	return err ? err : plan_files(&files, plan, error, error_size);
}

static int remove_all(const struct hook_context *context, struct hook_plan *plan, char *error,
		      size_t error_size)
{
	struct postfix_files files;
	int err = postfix_files_read(context, &files, error, error_size);

	return err ? err : plan_files(&files, plan, error, error_size);
}

static int print(const struct hook_context *context, FILE *out)
{
	const char *directory = postfix_directory(context);
	char error[OUTPUT_SIZE];
	int err;

	fprintf(out,
		"# %s/main.cf. Where a setting is there already, put these before its value,\n"
		"# separated by a comma:\n",
		directory);
	for (size_t i = 0; postfix_settings[i].name; i++)
		fprintf(out, "%s = %s\n", postfix_settings[i].name, postfix_settings[i].value);
	fprintf(out, "\n# %s/master.cf:\n", directory);
	err = postfix_write_spawns(context, out, error, sizeof(error));
	if (err)
		return err;
	fprintf(out, POSTFIX_CLEANUP
		" unix n - y - 0 cleanup\n"
		"  -o { header_checks = " POSTFIX_PICKUP_MAP " }\n"
		"  -o { mime_header_checks = } -o { nested_header_checks = }\n"
		"# with what main.cf has for header_checks behind a comma in the first of them,\n"
		"# and in the other two what it has for these or else for header_checks. The\n"
		"# columns as those of \"cleanup\". And to the entry of pickup, as one more line:\n"
		"  -o cleanup_service_name=" POSTFIX_CLEANUP "\n"
		"# And an smtpd with smtpd_data_restrictions of its own gets ours before them, too.\n");
	return 0;
}

static int check_version(const struct hook_context *context, char *error, size_t error_size)
{
	const char *directory = postfix_directory(context);
	const char *const argv[] = {"postconf", "-c", directory, "-h", "mail_version", NULL};
	char version[OUTPUT_SIZE] = "";
	int err = hook_ask(context, argv, version, sizeof(version));

	if (err) {
		snprintf(error, error_size, "%s", version);
		return err;
	}
	if (version[0] < '0' || version[0] > '9')
		return say(error, error_size, -EINVAL, "postconf does not tell the version");
	if (version[1] == '.' && version[0] < '3')
		return say(error, error_size, -EINVAL, "too old: want 3.0 or later");
	return 0;
}

static int syntax(const struct hook_context *context, char *error, size_t error_size)
{
	const char *directory = postfix_directory(context);
	const char *const settings_argv[] = {"postconf", "-c", directory, "-n", NULL};
	const char *const services_argv[] = {"postconf", "-c", directory, "-M", NULL};
	const char *const check_argv[] = {"postfix", "-c", directory, "check", NULL};
	int err = check_version(context, error, error_size);

	err = err ? err : hook_run_check(context, settings_argv, error, error_size);
	err = err ? err : hook_run_check(context, services_argv, error, error_size);
	return err ? err : hook_run_check(context, check_argv, error, error_size);
}

static int check(const struct hook_context *context, char *line, size_t line_size)
{
	char why[512];
	int result = hook_client_check(&hook_postfix, context, POSTFIX_USER, line, line_size);

	if (result != 1 && postfix_check_chroot(context, why, sizeof(why)) == -ENOTDIR) {
		snprintf(line, line_size, "postfix: cannot ask: %s", why);
		result = -ENOTDIR;
	}
	return result;
}

const struct hook_mta hook_postfix = {
	.name = "postfix",
	.print = print,
	.install = install,
	.remove = remove_all,
	.syntax = syntax,
	.check = check,
	.reload = "postfix reload",
	.apply = hook_postfix_apply,
};
