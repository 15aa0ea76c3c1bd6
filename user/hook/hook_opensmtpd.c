/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_opensmtpd.c - OpenSMTPD: a filter, `smtplimit answer opensmtpd`, on every listener and on
 * the socket of sendmail(1).
 */
#include "hook.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include "hook_client.h"
#include "smtpd_conf.h"

#define MTA	"opensmtpd"
#define BLOCK	"filter"
#define COMMENT "#"
/* As whom smtpd runs filters: Debian's, and everybody else's. */
#define USER	    "opensmtpd"
#define USER_OF_BSD "_smtpd"
#define FILES_MAX   (SMTPD_CONF_INCLUDES_MAX + 1)

/* smtpd.conf itself, and the files that it includes. */
struct conf {
	char path[FILES_MAX][PATH_MAX];
	struct hook_text old[FILES_MAX];
	struct hook_text bare[FILES_MAX]; /* without what is ours */
	size_t count;
	size_t reading; /* which file an error is about */
	struct smtpd_conf said;
};

static void conf_free(struct conf *conf)
{
	for (size_t i = 0; conf && i < conf->count; i++) {
		hook_text_free(&conf->old[i]);
		hook_text_free(&conf->bare[i]);
	}
	free(conf);
}

static int find_file(const struct hook_context *context, char path[PATH_MAX])
{
	static const char *const directories[] = {"/etc", "/etc/mail", "/etc/smtpd",
						  "/etc/opensmtpd", "/usr/local/etc/mail"};
	size_t i;

	if (context->directory) {
		snprintf(path, PATH_MAX, "%s/smtpd.conf", context->directory);
		return hook_exists(context, path) ? 0 : -ENOENT;
	}
	for (i = 0; i < sizeof(directories) / sizeof(*directories); i++) {
		snprintf(path, PATH_MAX, "%s/smtpd.conf", directories[i]);
		if (hook_exists(context, path))
			return 0;
	}
	return -ENOENT;
}

static int read_file(const struct hook_context *context, struct conf *conf)
{
	size_t i = conf->count;
	int err = hook_read(context, conf->path[i], &conf->old[i]);

	conf->reading = i;
	if (err)
		return err;
	conf->count++;
	err = hook_text_copy(&conf->bare[i], &conf->old[i]);
	hook_block_remove(&conf->bare[i], BLOCK, COMMENT);
	if (!err)
		err = smtpd_conf_remove(&conf->bare[i]);
	return err ? err : smtpd_conf_scan(&conf->said, &conf->bare[i]);
}

/* Reading a file may find others that it includes; they are read in turn. */
static int read_all(const struct hook_context *context, struct conf *conf)
{
	int err = find_file(context, conf->path[0]);

	err = err ? err : read_file(context, conf);
	while (!err && conf->count <= conf->said.includes) {
		memcpy(conf->path[conf->count], conf->said.include[conf->count - 1],
		       SMTPD_CONF_NAME_SIZE);
		err = read_file(context, conf);
		/* An included file that does not exist does not mean that there is no server. smtpd
		 * does not start without it, either. */
		err = err == -ENOENT ? -EIO : err;
	}
	return err;
}

static int conf_read(const struct hook_context *context, struct conf **found, char *error,
		     size_t error_size)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	int err = conf ? read_all(context, conf) : -ENOMEM;

	if (!err) {
		*found = conf;
		return 0;
	}
	if (err == -ENOENT)
		snprintf(error, error_size, "no smtpd.conf was found below %s/etc", context->root);
	else
		snprintf(error, error_size, "%s: cannot be read: %s",
			 conf ? conf->path[conf->reading] : "smtpd.conf", strerror(-err));
	conf_free(conf);
	return err;
}

static int plan_all(struct conf *conf, struct hook_plan *plan)
{
	int err = 0;

	for (size_t i = 0; i < conf->count && !err; i++)
		err = hook_plan_add(plan, conf->path[i], &conf->old[i], &conf->bare[i]);
	return err;
}

/* The block goes to the top of the first file: smtpd wants a filter defined before it is named. */
static int make_block(const struct hook_context *context, bool has_socket, char **block,
		      char *error, size_t error_size)
{
	char command[HOOK_COMMAND_SIZE];
	int err = hook_client_command(context, MTA, command, error, error_size);

	if (err)
		return err;
	return asprintf(block, "filter " SMTPD_CONF_FILTER " proc-exec \"%s\"\n%s", command,
			has_socket ? "" : "listen on socket filter " SMTPD_CONF_FILTER "\n") < 0 ?
		       -ENOMEM :
		       0;
}

static int add_all(const struct hook_context *context, struct conf *conf, char *error,
		   size_t error_size)
{
	char *block = NULL;
	int err = make_block(context, conf->said.has_socket, &block, error, error_size);

	for (size_t i = 0; i < conf->count && !err; i++)
		err = smtpd_conf_add(&conf->said, &conf->bare[i]);
	if (!err)
		err = hook_block_put(&conf->bare[0], BLOCK, MTA, COMMENT, block, 0);
	free(block);
	return err;
}

static int install(const struct hook_context *context, struct hook_plan *plan, char *error,
		   size_t error_size)
{
	struct conf *conf = NULL;
	int err = conf_read(context, &conf, error, error_size);

	if (err)
		return err;
	snprintf(error, error_size, "%s: cannot be changed", conf->path[0]);
	err = add_all(context, conf, error, error_size);
	err = err ? err : plan_all(conf, plan);
	conf_free(conf);
	return err;
}

static int take_out(const struct hook_context *context, struct hook_plan *plan, char *error,
		    size_t error_size)
{
	struct conf *conf = NULL;
	int err = conf_read(context, &conf, error, error_size);

	if (err)
		return err;
	err = plan_all(conf, plan);
	if (err)
		snprintf(error, error_size, "%s: cannot be changed: %s", conf->path[0],
			 strerror(-err));
	conf_free(conf);
	return err;
}

static int print(const struct hook_context *context, FILE *out)
{
	char error[512] = "out of memory";
	char *block = NULL;
	int err = make_block(context, false, &block, error, sizeof(error));

	if (err) {
		fprintf(out, "# %s\n", error);
		return err;
	}
	fprintf(out,
		"# smtpd.conf, before the first `listen on`; without the second line where there is\n"
		"# a `listen on socket` of your own:\n"
		"%s"
		"# And behind every `listen on ...` that is to be limited:\n"
		"#	filter smtplimit\n"
		"# one that has a filter, say rspamd, gets both:\n"
		"#	filter { smtplimit, rspamd }\n"
		"# one whose filter is a chain: `filter NAME chain { smtplimit, ... }`\n",
		block);
	free(block);
	return 0;
}

static int syntax(const struct hook_context *context, char *error, size_t error_size)
{
	char path[PATH_MAX];
	const char *const argv[] = {"smtpd", "-n", "-f", path, NULL};
	char said[1024];
	int r = find_file(context, path);

	if (r)
		return r;
	r = hook_run_check(context, argv, said, sizeof(said));
	if (r)
		snprintf(error, error_size, "smtpd -n -f %s: %s", path, said);
	return r;
}

static int check(const struct hook_context *context, char *line, size_t line_size)
{
	return hook_client_check(&hook_opensmtpd, context, getpwnam(USER) ? USER : USER_OF_BSD,
				 line, line_size);
}

const struct hook_mta hook_opensmtpd = {
	.name = MTA,
	.print = print,
	.install = install,
	.remove = take_out,
	.syntax = syntax,
	.check = check,
	.reload = "systemctl restart opensmtpd",
	.apply = hook_opensmtpd_apply,
};
