/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim_plan.c - where in Exim's files what is ours goes: into files of ours where conf.d has
 * room for them, else as blocks. Files of panels and packages are left alone: a transport that
 * stands in one of them is named.
 */
#include "hook_exim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char own_head[] =
	"# Made by smtplimit hook exim --install; smtplimit hook exim --remove takes it away.\n";

/* A block that is put into a file of others. */
struct insert {
	struct exim_place place;
	size_t end; /* of what it replaces; 0: nothing */
	char name[EXIM_NAME_SIZE + 32];
	char *lines; /* malloc'ed */
};

struct planner {
	const struct hook_context *context;
	struct exim_conf *conf;
	const char *path; /* the layout's, for errors */
	struct insert insert[EXIM_INSERTS_MAX];
	size_t inserts;
	char *own[EXIM_SECTIONS]; /* what goes into our files */
	char *unhooked;
	size_t unhooked_size;
	char *error;
	size_t error_size;
};

static int fail(struct planner *p, const char *what, const char *by_hand)
{
	snprintf(p->error, p->error_size, "%s: %s: %s (`smtplimit hook exim` prints it)", p->path,
		 what, by_hand);
	return -EINVAL;
}

/* An ACL or a transport may be defined in several branches, and the name of each block must be
 * unique. */
static void name_block(struct planner *p, struct insert *insert, const char *name)
{
	size_t same = 1, i = 0;

	snprintf(insert->name, sizeof(insert->name), "%s", name);
	while (i < p->inserts) {
		if (strcmp(p->insert[i].name, insert->name)) {
			i++;
			continue;
		}
		snprintf(insert->name, sizeof(insert->name), "%s-%zu", name, ++same);
		i = 0;
	}
}

/* Append a part to our own file of a section. */
static int put_in_own(struct planner *p, enum exim_section section, const char *part)
{
	const char *before = p->own[section] ? p->own[section] : own_head;
	char *lines = exim_text(p->context, part);
	char *longer = NULL;

	if (!lines || asprintf(&longer, "%s%s", before, lines) < 0) {
		free(lines);
		return -ENOMEM;
	}
	free(lines);
	free(p->own[section]);
	p->own[section] = longer;
	return 0;
}

static int fail_foreign(struct planner *p, const char *name, const struct exim_place *place)
{
	char what[PATH_MAX + 128];

	snprintf(what, sizeof(what),
		 "%s, which %s includes, is not ours to change, and \"%s\" belongs there",
		 p->conf->part[place->part].path, p->path, name);
	return fail(p, what, "add it by hand");
}

/* Put a part into our own file of the section, or a block at the place where there is none. */
static int put(struct planner *p, enum exim_section section, const char *name, const char *part,
	       const struct exim_place *place)
{
	struct insert *insert = &p->insert[p->inserts];

	if (exim_conf_own(p->conf, section) && place == &p->conf->begin[section])
		return put_in_own(p, section, part);
	if (p->conf->part[place->part].foreign)
		return fail_foreign(p, name, place);
	if (p->inserts == EXIM_INSERTS_MAX)
		return -E2BIG;
	*insert = (struct insert){.place = *place, .lines = exim_text(p->context, part)};
	if (!insert->lines)
		return -ENOMEM;
	name_block(p, insert, name);
	p->inserts++;
	return 0;
}

/* Put our call before what an event_action has already. It expands to nothing. */
static int put_before(struct planner *p, const struct exim_event *event, const char *name)
{
	static const char call[] = "${acl{smtplimit_event}}";
	struct insert *insert = &p->insert[p->inserts];
	const char *value = strchr(event->line, '=');

	if (p->inserts == EXIM_INSERTS_MAX || !value)
		return -E2BIG;
	value += strspn(value, "= \t");
	value += *value == '"';
	*insert = (struct insert){.place = event->at, .end = event->end};
	if (asprintf(&insert->lines, "%s%.*s%s%s\n",
		     event->transport == EXIM_EVENT_OF_MAIN ? "" : "  ", (int)(value - event->line),
		     event->line, call, value) < 0)
		return -ENOMEM;
	name_block(p, insert, name);
	p->inserts++;
	return 0;
}

/* A transport that will not report. */
static void note_unhooked(struct planner *p, const char *name, const struct exim_place *place)
{
	size_t length = strlen(p->unhooked);

	snprintf(p->unhooked + length, p->unhooked_size - length, "%s\"%s\" in %s",
		 length ? ", " : "", name, p->conf->part[place->part].path);
}

static int plan_event_action(struct planner *p)
{
	if (p->conf->event_action)
		return 0; /* plan_events() */
	return put(p, EXIM_MAIN, "main", "main", &p->conf->begin[EXIM_MAIN]);
}

/* Whatever an event_action does already, it does behind ours. */
static int plan_events(struct planner *p)
{
	int err = 0;

	for (size_t i = 0; i < p->conf->events && !err; i++) {
		const struct exim_event *event = &p->conf->event[i];
		bool main = event->transport == EXIM_EVENT_OF_MAIN;
		const struct exim_transport *t =
			main ? NULL : &p->conf->transport[event->transport];
		char name[EXIM_NAME_SIZE + 16];

		snprintf(name, sizeof(name), "%s%s", main ? "main" : "transport-",
			 main ? "" : t->name);
		if (!main && (!t->smtp || t->lmtp))
			continue;
		if (!p->conf->part[event->at.part].foreign)
			err = put_before(p, event, name);
		else if (main)
			err = fail_foreign(p, "event_action", &event->at);
		else
			note_unhooked(p, t->name, &event->at);
	}
	return err;
}

/* Put a part at the head of each ACL that the option may name. -ENOENT: one is not known. */
static int plan_acls(struct planner *p, const struct exim_option *option, const char *part)
{
	size_t found[EXIM_ACLS_MAX];
	bool all;
	size_t count = exim_conf_acls(p->conf, option, found, &all);
	char name[EXIM_NAME_SIZE + 16];
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		const struct exim_named *acl = &p->conf->acl[found[i]];

		snprintf(name, sizeof(name), "%s-%s", part, acl->name);
		err = put(p, EXIM_ACL, name, part, &acl->at);
	}
	return err ? err : all ? 0 : -ENOENT;
}

static int plan_submission(struct planner *p)
{
	struct exim_conf *conf = p->conf;
	int err;

	err = plan_acls(p, &conf->acl_smtp_rcpt, "rcpt");
	if (err == -ENOENT && !conf->rcpt_by_hand)
		return fail(p, "acl_smtp_rcpt does not name an ACL of this file",
			    "put \"require acl = smtplimit_rcpt\" at its head by hand");
	if (err && err != -ENOENT)
		return err;
	if (!conf->acl_not_smtp.count)
		return put(p, EXIM_MAIN, "not-smtp", "not-smtp-option", &conf->begin[EXIM_MAIN]);
	err = plan_acls(p, &conf->acl_not_smtp, "not-smtp");
	if (err == -ENOENT && !conf->not_smtp_by_hand)
		return fail(p, "acl_not_smtp does not name an ACL of this file",
			    "put \"require acl = smtplimit_not_smtp\" at its head by hand");
	return err == -ENOENT ? 0 : err;
}

static int plan_transports(struct planner *p)
{
	char name[EXIM_NAME_SIZE + 16];
	size_t count = 0;
	int err = 0;

	for (size_t i = 0; i < p->conf->transports && !err; i++) {
		const struct exim_transport *t = &p->conf->transport[i];

		if (!t->smtp || t->lmtp)
			continue;
		count++;
		snprintf(name, sizeof(name), "transport-%s", t->name);
		if (!t->events && p->conf->part[t->at.part].foreign)
			note_unhooked(p, t->name, &t->at);
		else if (!t->events)
			err = put(p, EXIM_TRANSPORTS, name, "transport", &t->at);
	}
	if (!count)
		return fail(p, "there is no transport with \"driver = smtp\"",
			    "set event_action in each by hand, or name the directory with --dir");
	return err;
}

static int plan_all(struct planner *p)
{
	struct exim_conf *conf = p->conf;
	int err;

	if (conf->too_big)
		return fail(p, "there are more ACLs, transports or macros than can be looked at",
			    "add by hand what the hook needs");
	if (!conf->begin[EXIM_ACL].found || !conf->begin[EXIM_ROUTERS].found ||
	    !conf->begin[EXIM_TRANSPORTS].found)
		return fail(p,
			    "there is no \"begin acl\", \"begin routers\" or \"begin transports\"",
			    "add by hand what the hook needs");
	if (!conf->local_domains)
		return fail(p, "there is no domainlist local_domains",
			    "define it: the domains whose mail stays on this host");
	conf->begin[EXIM_MAIN] = conf->main_end;
	err = plan_event_action(p);
	err = err ? err : plan_submission(p);
	err = err ? err : put(p, EXIM_ACL, "acl", "acl", &conf->begin[EXIM_ACL]);
	err = err ? err : put(p, EXIM_ROUTERS, "router", "router", &conf->begin[EXIM_ROUTERS]);
	err = err ? err : plan_events(p);
	return err ? err : plan_transports(p);
}

/* Blocks are put in from the end of a file to its beginning, so that the places before them stay
 * valid; of several blocks at one place the last is first. */
static int insert_all(struct planner *p, size_t part, struct hook_text *text)
{
	bool done[EXIM_INSERTS_MAX] = {false};
	int err = 0;

	while (!err) {
		struct insert *last = NULL;

		for (size_t i = 0; i < p->inserts; i++)
			if (!done[i] && p->insert[i].place.part == part &&
			    (!last || p->insert[i].place.at >= last->place.at))
				last = &p->insert[i];
		if (!last)
			break;
		done[last - p->insert] = true;
		if (last->end)
			err = hook_block_replace(text, last->name, "exim", EXIM_COMMENT,
						 last->place.at, last->end, last->lines);
		else
			err = hook_block_put(text, last->name, "exim", EXIM_COMMENT, last->lines,
					     last->place.at);
	}
	return err;
}

static int make_part(struct planner *p, size_t i, struct hook_text *text)
{
	struct exim_part *part = &p->conf->part[i];
	int err;

	if (part->own) {
		text->text = p->own[part->section];
		text->size = text->text ? strlen(text->text) : 0;
		p->own[part->section] = NULL;
		return 0;
	}
	err = hook_text_copy(text, &part->bare);
	return err ? err : insert_all(p, i, text);
}

/* Plan each file with its blocks in it. */
static int plan_parts(struct planner *p, struct hook_plan *plan)
{
	int err = 0;

	for (size_t i = 0; i < p->conf->parts && !err; i++) {
		struct hook_text text = {0};

		err = make_part(p, i, &text);
		if (err)
			hook_text_free(&text);
		else
			err = hook_plan_add(plan, p->conf->part[i].path, &p->conf->part[i].old,
					    &text);
	}
	return err;
}

int exim_plan_install(const struct hook_context *context, const struct exim_layout *layout,
		      struct hook_plan *plan, char *unhooked, size_t unhooked_size, char *error,
		      size_t error_size)
{
	struct planner p = {.context = context,
			    .path = layout->path,
			    .unhooked = unhooked,
			    .unhooked_size = unhooked_size,
			    .error = error,
			    .error_size = error_size};
	int err;

	error[0] = unhooked[0] = '\0';
	err = exim_conf_read(context, layout, &p.conf, error, error_size);
	err = err ? err : plan_all(&p);
	err = err ? err : plan_parts(&p, plan);
	if (err && !error[0])
		snprintf(error, error_size, "%s: %s", layout->path, strerror(-err));
	for (size_t i = 0; i < EXIM_SECTIONS; i++)
		free(p.own[i]);
	for (size_t i = 0; i < p.inserts; i++)
		free(p.insert[i].lines);
	exim_conf_free(p.conf);
	return err;
}
