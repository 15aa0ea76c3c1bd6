/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_sendmail.c - Sendmail: a `program` map runs `smtplimit answer sendmail` at each MAIL
 * command. A socket map would need no process for each question, but it has no timeout, and its
 * keys cannot hold blanks. The lines go into sendmail.cf and, if there is one, into sendmail.mc,
 * from which a later sendmail.cf is made.
 */
#include "hook.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hook_client.h"

#define MTA	   "sendmail"
#define CF_COMMENT "#"
#define MC_COMMENT "dnl"
#define MAP	   "map"
#define RULES	   "rules"

/* So blocks in a sendmail.cf that was made from sendmail.mc look as hook_block_put() makes them. */
#define BEGIN(name) "# BEGIN smtplimit " name " (smtplimit hook " MTA " --remove takes this out)\n"
#define END(name)   "# END smtplimit " name "\n"

/* The map gives its own errors as <TMPF>, which no rule takes for a refusal: the mail passes. */
#define MAP_FORMAT "Ksmtplimit program -a<R> -T<TMPF> %s --"

static const char rules[] =
	"R<>\t\t\t$@ <>\n"
	"R$*\t\t\t$: $1 $| $(smtplimit $&{client_addr},$&{client_port},$&{auth_authen},<$1> $: $)\n"
	"R$* $| $+ <R>\t\t$#error $@ 5.7.1 $: $2\n"
	"R$* $| $*\t\t$: $1\n";

/*
 * With FEATURE(`delay_checks') there is no ruleset check_mail: its rules run only when a recipient
 * is named, and not for clients with SMTP AUTH. So the name is free for our ruleset.
 */
#define SET_PLAIN   "Local_check_mail"
#define SET_DELAYED "check_mail"

static const char mc_format[] =
	"LOCAL_CONFIG\n" BEGIN(MAP) "`" MAP_FORMAT "'\n" END(MAP) "LOCAL_RULESETS\n" BEGIN(
		RULES) "ifdef(`_DELAY_CHECKS_', `S" SET_DELAYED "', `S" SET_PLAIN "')\n"
		       "%s" END(RULES);

static int file_path(const struct hook_context *context, const char *name, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/%s",
			 context->directory ? context->directory : "/etc/mail", name);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The lines of a block; malloc'ed. NULL without memory. */
static char *make_cf_map(const char *command)
{
	char *lines = NULL;

	return asprintf(&lines, MAP_FORMAT "\n", command) < 0 ? NULL : lines;
}

static char *make_cf_rules(const char *set)
{
	char *lines = NULL;

	return asprintf(&lines, "S%s\n%s", set, rules) < 0 ? NULL : lines;
}

static char *make_mc(const char *command)
{
	char *lines = NULL;

	return asprintf(&lines, mc_format, command, rules) < 0 ? NULL : lines;
}

/* Is there a ruleset check_mail that is not ours? */
static bool has_check_mail(const struct hook_text *text)
{
	static const char set[] = "Scheck_mail";
	struct hook_text bare;
	const char *at;
	bool found = false;

	if (hook_text_copy(&bare, text))
		return true;
	hook_block_remove_all(&bare, CF_COMMENT);
	for (at = bare.text; at && !found; at = strchr(at, '\n')) {
		at += *at == '\n';
		found = !strncmp(at, set, strlen(set)) &&
			(!at[strlen(set)] || strchr(" \t=\r\n", at[strlen(set)]));
	}
	hook_text_free(&bare);
	return found;
}

static int put(struct hook_text *text, const char *name, const char *comment, char *lines)
{
	int err = lines ? hook_block_put(text, name, MTA, comment, lines, text->size) : -ENOMEM;

	free(lines);
	return err;
}

/* Blocks that are there already stay where they are. */
static int put_cf(struct hook_text *text, const char *command)
{
	const char *set = has_check_mail(text) ? SET_PLAIN : SET_DELAYED;
	int err = put(text, MAP, CF_COMMENT, make_cf_map(command));

	return err ? err : put(text, RULES, CF_COMMENT, make_cf_rules(set));
}

static int put_mc(struct hook_text *text, const char *command)
{
	return put(text, MTA, MC_COMMENT, make_mc(command));
}

/* sendmail.mc is written first: make(1) makes sendmail.cf anew when that is older. */
static const struct file {
	const char *name;
	const char *comment;
	int (*put)(struct hook_text *text, const char *command);
} files[] = {{"sendmail.mc", MC_COMMENT, put_mc}, {"sendmail.cf", CF_COMMENT, put_cf}};

/* command NULL: take out what is ours. -ENOENT: the file does not exist. */
static int plan_file(const struct hook_context *context, struct hook_plan *plan,
		     const struct file *file, const char *command)
{
	struct hook_text old = {0}, changed = {0};
	char path[PATH_MAX];
	int err = file_path(context, file->name, path);

	err = err ? err : hook_read(context, path, &old);
	err = err ? err : hook_text_copy(&changed, &old);
	if (!err && command)
		err = file->put(&changed, command);
	else if (!err)
		hook_block_remove_all(&changed, file->comment);
	if (err) {
		hook_text_free(&old);
		hook_text_free(&changed);
		return err;
	}
	return hook_plan_add(plan, path, &old, &changed);
}

/* sendmail.mc may be missing. */
static int plan_both(const struct hook_context *context, struct hook_plan *plan,
		     const char *command, char *error, size_t error_size)
{
	const char *directory = context->directory ? context->directory : "/etc/mail";
	int err = plan_file(context, plan, &files[0], command);

	if (!err || err == -ENOENT)
		err = plan_file(context, plan, &files[1], command);
	if (err)
		snprintf(error, error_size, "%s%s/sendmail.cf or sendmail.mc: cannot be read: %s",
			 context->root, directory, strerror(-err));
	return err;
}

static int install(const struct hook_context *context, struct hook_plan *plan, char *error,
		   size_t error_size)
{
	char command[HOOK_COMMAND_SIZE];
	int err = hook_client_command(context, MTA, command, error, error_size);

	return err ? err : plan_both(context, plan, command, error, error_size);
}

static int take_out(const struct hook_context *context, struct hook_plan *plan, char *error,
		    size_t error_size)
{
	return plan_both(context, plan, NULL, error, error_size);
}

static int print(const struct hook_context *context, FILE *out)
{
	char command[HOOK_COMMAND_SIZE], error[512] = "out of memory";
	char *lines = NULL;
	int err = hook_client_command(context, MTA, command, error, sizeof(error));

	if (!err && !(lines = make_mc(command)))
		err = -ENOMEM;
	if (err)
		fprintf(out, "# %s\n", error);
	else
		fprintf(out,
			"dnl At the end of sendmail.mc, then `make -C /etc/mail`. In a sendmail.cf the\n"
			"dnl lines between the marks, with one ruleset: " SET_DELAYED
			" if it has none of\n"
			"dnl that name, otherwise " SET_PLAIN ". Behind the names are tabs.\n"
			"%s",
			lines);
	free(lines);
	return err;
}

static const char *find_program(const struct hook_context *context)
{
	/* Debian's and Fedora's; then the names that may belong to another mail server. */
	static const char *const programs[] = {"/usr/libexec/sendmail/sendmail",
					       "/usr/sbin/sendmail.sendmail",
					       "/usr/sbin/sendmail-mta", "/usr/sbin/sendmail"};
	size_t i = 0;

	while (i + 1 < sizeof(programs) / sizeof(*programs) && !hook_exists(context, programs[i]))
		i++;
	return programs[i];
}

/* Sendmail waits for a minute where the host's name has no domain: it sees one that has. */
static const char *host_name(void)
{
	char name[256] = "";

	gethostname(name, sizeof(name) - 1);
	return strchr(name, '.') ? NULL : "localhost.localdomain";
}

static int syntax(const struct hook_context *context, char *error, size_t error_size)
{
	char path[PATH_MAX], said[1024];
	const char *const argv[] = {find_program(context), "-bt", "-C", path, NULL};
	int r = file_path(context, "sendmail.cf", path);
	char *greeting;

	if (r)
		return r;
	r = hook_run_check_named(context, argv, host_name(), said, sizeof(said));
	greeting = strstr(said, " ADDRESS TEST MODE");
	if (greeting)
		*greeting = '\0';
	if (r)
		snprintf(error, error_size, "%s -bt: %s", argv[0], said);
	return r;
}

static int check(const struct hook_context *context, char *line, size_t line_size)
{
	/* Debian's DefaultUser. */
	return hook_client_check(&hook_sendmail, context, "mail", line, line_size);
}

const struct hook_mta hook_sendmail = {
	.name = MTA,
	.print = print,
	.install = install,
	.remove = take_out,
	.syntax = syntax,
	.check = check,
	.reload = "systemctl reload sendmail",
	.apply = hook_sendmail_apply,
};
