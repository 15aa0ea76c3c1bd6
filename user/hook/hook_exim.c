/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim.c - Exim: the hook adds ACLs of our own, a line to the ACLs that take mail in, a router
 * before all others, and an event_action to every SMTP transport.
 */
#include "hook_exim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"

/* With the transports. */
#define UNHOOKED                                                                                   \
	"the transport %s, which is not ours to change: what the kernel sees of its mail counts. " \
	"Add event_action there by hand (`smtplimit hook exim` prints it)"

static int hook_exim_install(const struct hook_context *context, struct hook_plan *plan,
			     char *error, size_t error_size)
{
	struct exim_layout layout;
	char unhooked[512];
	int err = exim_layout_find(context, &layout, error, error_size);

	err = err ? err :
		    exim_plan_install(context, &layout, plan, unhooked, sizeof(unhooked), error,
				      error_size);
	if (!err && unhooked[0])
		log_warning("no report will come of " UNHOOKED, unhooked);
	return err;
}

/* Files that the server does not read now count, too: it may have had another layout then. */
static int remove_layout(const struct hook_context *context, const struct exim_layout *layout,
			 struct hook_plan *plan, char *error, size_t error_size)
{
	struct exim_conf *conf;
	int err = exim_conf_read(context, layout, &conf, error, error_size);

	if (err)
		return err;
	for (size_t i = 0; i < conf->parts && !err; i++)
		err = hook_plan_add(plan, conf->part[i].path, &conf->part[i].old,
				    &conf->part[i].bare);
	if (err)
		snprintf(error, error_size, "%s: %s", layout->path, strerror(-err));
	exim_conf_free(conf);
	return err;
}

static int hook_exim_remove(const struct hook_context *context, struct hook_plan *plan, char *error,
			    size_t error_size)
{
	static const char *const others[] = {"conf.d", "exim4.conf.template"};
	struct exim_layout layout, other;
	int err = exim_layout_find(context, &layout, error, error_size);

	err = err ? err : remove_layout(context, &layout, plan, error, error_size);
	for (size_t i = 0; i < 2 && !err; i++) {
		other = layout;
		other.kind = i ? EXIM_LAYOUT_TEMPLATE : EXIM_LAYOUT_SPLIT;
		if (other.kind == layout.kind ||
		    snprintf(other.path, sizeof(other.path), "%s/%s", layout.directory,
			     others[i]) >= (int)sizeof(other.path) ||
		    !hook_exists(context, other.path))
			continue;
		err = remove_layout(context, &other, plan, error, error_size);
	}
	return err;
}

static int hook_exim_syntax(const struct hook_context *context, char *error, size_t error_size)
{
	struct exim_layout layout;
	const char *exim = exim_program(context);
	int err = exim_layout_find(context, &layout, error, error_size);
	char said[2048] = "";

	if (err)
		return err;
	if (layout.kind != EXIM_LAYOUT_FILE) {
		const char *argv[] = {"update-exim4.conf", "--check", "-d", layout.directory, NULL};

		err = hook_run_check(context, argv, said, sizeof(said));
	} else {
		const char *argv[] = {exim ? exim : "/usr/sbin/exim", "-C", layout.path, "-bV",
				      NULL};

		err = hook_run_check(context, argv, said, sizeof(said));
	}
	if (err)
		snprintf(error, error_size, "%s", said);
	return err;
}

/* What Exim has in force, when all files are as they should be. */
static int check_in_force(const struct hook_context *context, const struct exim_layout *layout,
			  const struct exim_in_force *force, const char *unhooked, char *line,
			  size_t line_size)
{
	char why[512];

	if (strcmp(force->first_router, "smtplimit")) {
		if (layout->kind == EXIM_LAYOUT_FILE)
			snprintf(line, line_size,
				 "exim: not in force: the first router of Exim is \"%s\"",
				 force->first_router);
		else
			snprintf(line, line_size,
				 "exim: not installed: update-exim4.conf has not been run since");
		return -ENOENT;
	}
	if (hook_reach(context, force->user, "exim", NULL, why, sizeof(why))) {
		snprintf(line, line_size, "exim: cannot ask: %s", why);
		return -EACCES;
	}
	if (force->unhooked[0]) {
		snprintf(line, line_size, "exim: installed, but no report comes of " UNHOOKED,
			 unhooked[0] ? unhooked : force->unhooked);
		return -EPERM;
	}
	snprintf(line, line_size, "exim: installed");
	return 0;
}

static int hook_exim_check(const struct hook_context *context, char *line, size_t line_size)
{
	struct exim_layout layout;
	struct exim_in_force force;
	struct hook_plan plan = {0};
	char error[512] = "", unhooked[512];
	int err = exim_program(context) ? exim_layout_find(context, &layout, error, sizeof(error)) :
					  -ENOENT;

	if (err == -ENOENT)
		return 1;
	err = err ? err : exim_ask_in_force(context, &force, error, sizeof(error));
	err = err ? err :
		    exim_plan_install(context, &layout, &plan, unhooked, sizeof(unhooked), error,
				      sizeof(error));
	if (err)
		snprintf(line, line_size, "exim: not installed: %s", error);
	else if (plan.count)
		snprintf(line, line_size,
			 "exim: not installed: %s lacks it or has another version of it: "
			 "smtplimit hook exim --install",
			 plan.edit[0].path);
	else
		err = check_in_force(context, &layout, &force, unhooked, line, line_size);
	err = err ? err : plan.count ? -ENOENT : 0;
	hook_plan_free(&plan);
	return err;
}

static int hook_exim_print(const struct hook_context *context, FILE *out)
{
	static const struct {
		const char *where;
		const char *part;
	} parts[] = {
		{"in the main section, before \"begin acl\"", "main"},
		{"there, too, unless acl_not_smtp is set", "not-smtp-option"},
		{"behind \"begin acl\"", "acl"},
		{"at the head of the ACL that acl_smtp_rcpt names", "rcpt"},
		{"at the head of the ACL that acl_not_smtp names, if it is set", "not-smtp"},
		{"behind \"begin routers\", before all other routers", "router"},
		{"in each transport with \"driver = smtp\" but those for LMTP", "transport"},
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		char *text = exim_text(context, parts[i].part);

		if (!text)
			return -ENOMEM;
		fprintf(out, "%s# %s:\n%s", i ? "\n" : "", parts[i].where, text);
		free(text);
	}
	return 0;
}

const struct hook_mta hook_exim = {
	.name = "exim",
	.print = hook_exim_print,
	.install = hook_exim_install,
	.remove = hook_exim_remove,
	.syntax = hook_exim_syntax,
	.check = hook_exim_check,
	.reload = "systemctl reload exim4 (Debian) or systemctl reload exim",
	.apply = hook_exim_apply,
};
