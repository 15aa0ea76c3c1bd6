// SPDX-License-Identifier: GPL-2.0-only
/*
 * hook_change.c - install and remove a hook, with the note of where it is; install again what a
 * panel has overwritten.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "base/hooked_files.h"
#include "base/log.h"
#include "config/config.h"
#include "hook_change.h"

static void tell_edits(const struct hook_context *context, const struct hook_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct hook_edit *edit = &plan->edit[i];

		printf("%s%s: %s\n", context->root, edit->path,
		       !edit->old.text ? "made" :
		       !edit->new.text ? "removed" :
					 "changed");
	}
}

static unsigned int lines_of(const struct hook_text *text)
{
	return text->text ? hooked_lines(text->text, text->size) : 0;
}

/* What taking the hook out would change is where it is. */
static int note_plan(const struct hook_mta *mta, const struct hook_context *context,
		     const struct hook_plan *plan, struct hooked_files *files)
{
	const char *dir = context->directory ? context->directory : "";
	int err = 0;

	for (size_t i = 0; i < plan->count && !err; i++) {
		const struct hook_edit *edit = &plan->edit[i];
		unsigned int lines = lines_of(&edit->old) - lines_of(&edit->new);
		char *path = hook_real_path(context, edit->path);

		err = path ? hooked_files_add(files, mta->name, context->root, dir, path, lines) :
			     -errno;
		free(path);
	}
	return err;
}

static int note_where(const struct hook_mta *mta, const struct hook_context *context,
		      struct hooked_files *files)
{
	static struct hook_plan plan;
	char error[4096] = "";
	int err = mta->remove(context, &plan, error, sizeof(error));

	err = err ? err : note_plan(mta, context, &plan, files);
	hook_plan_free(&plan);
	return err;
}

static void say_unnoted(const struct hook_mta *mta, int err)
{
	log_warning("hook %s: where it is cannot be noted, and nobody will say when it is gone: %s",
		    mta->name, strerror(-err));
}

/* While its files change nobody shall miss the hook: its rows stand there with 0 lines. Afterwards
 * they are put in anew, or as they were. */
struct note {
	struct hooked_files before, now;
	bool known; /* there were some */
	int err;
};

static void note_begin(struct note *note, const struct hook_mta *mta,
		       const struct hook_context *context)
{
	const struct hooked_file hook = {
		.mta = (char *)mta->name,
		.root = (char *)context->root,
		.dir = (char *)(context->directory ? context->directory : "")};
	const char *state = context->config->state;

	note->known = false;
	note->err = hooked_files_read(state, &note->before);
	note->err = hooked_files_read(state, &note->now);
	if (note->err && note->err != -EBADMSG)
		return;
	for (size_t i = 0; i < note->now.count; i++)
		if (hooked_file_same(&note->now.file[i], &hook)) {
			note->now.file[i].lines = 0;
			note->known = true;
		}
	note->err = note->known ? hooked_files_write(state, &note->now) : 0;
	hooked_files_drop(&note->now, hook.mta, hook.root, hook.dir);
}

static void note_end(struct note *note, const struct hook_mta *mta,
		     const struct hook_context *context, bool changed)
{
	const char *state = context->config->state;

	if (!note->err && changed)
		note->err = note_where(mta, context, &note->now);
	if (!note->err && changed && (note->known || note->now.count != note->before.count))
		note->err = hooked_files_write(state, &note->now);
	else if (!changed && note->known)
		note->err = hooked_files_write(state, &note->before);
	if (note->err)
		say_unnoted(mta, note->err);
	hooked_files_free(&note->before);
	hooked_files_free(&note->now);
}

static int carry_out(const struct hook_mta *mta, const struct hook_context *context,
		     struct hook_plan *plan, bool install)
{
	static struct note note;
	char error[4096] = "";
	int err =
		install && plan->count ? hook_check_before(mta, context, error, sizeof(error)) : 0;

	if (!err) {
		note_begin(&note, mta, context);
		err = hook_plan_carry_out(mta, context, plan, error, sizeof(error));
		note_end(&note, mta, context, !err);
	}
	if (err)
		log_error("hook %s: nothing is changed: %s", mta->name,
			  error[0] ? error : strerror(-err));
	return err;
}

/* The server is gone, and its files with the hook: nobody shall miss that. True: it was noted. */
static bool forget(const struct hook_mta *mta, const struct hook_context *context)
{
	static struct hooked_files files;
	const char *state = context->config->state;
	size_t before;
	char line[1024];
	int err;

	if (mta->check(context, line, sizeof(line)) != 1)
		return false;
	err = hooked_files_read(state, &files);
	before = files.count;
	hooked_files_drop(&files, mta->name, context->root,
			  context->directory ? context->directory : "");
	if (!err && files.count < before)
		err = hooked_files_write(state, &files);
	if (err)
		say_unnoted(mta, err);
	before -= files.count;
	hooked_files_free(&files);
	return !err && before;
}

int hook_change(const struct hook_mta *mta, const struct hook_context *context, bool install)
{
	int (*plan_it)(const struct hook_context *, struct hook_plan *, char *, size_t) =
		install ? mta->install : mta->remove;
	static struct hook_plan plan;
	char error[4096] = "";
	int err = plan_it(context, &plan, error, sizeof(error));
	bool nothing = !plan.count;

	if (err && !install && forget(mta, context)) {
		hook_plan_free(&plan);
		printf("%s: it is not on this host any more: its hook is not looked for\n",
		       mta->name);
		return CMD_DONE;
	}
	if (err)
		log_error("hook %s: nothing is changed: %s", mta->name,
			  error[0] ? error : strerror(-err));
	err = err ? err : carry_out(mta, context, &plan, install);
	if (!err)
		tell_edits(context, &plan);
	hook_plan_free(&plan);
	if (err)
		return CMD_FAILED;
	if (install && hook_reach_root(context, error, sizeof(error)))
		log_warning("%s", error);
	if (nothing)
		printf("%s: %s\n", mta->name, install ? "already installed" : "not installed");
	else
		printf("%s: %s; now run: %s\n", mta->name, install ? "installed" : "removed",
		       mta->reload);
	return CMD_DONE;
}

static int repair_one(const struct hook_context *like, const struct hooked_file *f, const char *why)
{
	const struct hook_mta *mta = hook_mta_find(f->mta);
	struct hook_context context = *like;
	char error[1024] = "", binary[PATH_MAX];
	int result;

	if (!mta)
		return CMD_FAILED;
	context.root = f->root;
	context.directory = f->dir[0] ? f->dir : NULL;
	hook_find_binary(&context, binary);
	log_notice("hook %s: %s: it is installed again", mta->name, why);
	result = hook_change(mta, &context, true);
	if (result)
		return result;
	if (mta->apply(&context, error, sizeof(error))) {
		log_error("hook %s: it is installed, but not in force, since the server was not "
			  "reloaded: %s: %s",
			  mta->name, error, mta->reload);
		return CMD_FAILED;
	}
	printf("%s: reloaded\n", mta->name);
	return CMD_DONE;
}

/* The first of its hook's files that lacks something is enough to repair all of them. */
static bool done_before(const struct hooked_files *files, const bool *lacks, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (lacks[j] && hooked_file_same(&files->file[j], &files->file[i]))
			return true;
	return false;
}

/* What asks for it is taken away first: what is lost from now on is asked for anew. */
int hook_repair(const struct hook_context *context)
{
	static struct hooked_files files;
	bool lacks[HOOKED_FILES_MAX] = {false};
	char path[PATH_MAX + sizeof("/" HOOKED_MISSING)];
	int err, result = CMD_DONE;
	bool any = false;

	snprintf(path, sizeof(path), "%s/" HOOKED_MISSING, context->config->run);
	if (unlink(path) && errno != ENOENT)
		log_warning("\"%s\": %m", path);
	err = hooked_files_read(context->config->state, &files);
	if (err)
		log_error("\"%s/" HOOKED_FILES "\": %s", context->config->state, strerror(-err));
	for (size_t i = 0; i < files.count; i++) {
		char *why = NULL;

		lacks[i] = hooked_file_lacks(&files.file[i], &why);
		if (lacks[i] && !done_before(&files, lacks, i) &&
		    repair_one(context, &files.file[i], why ? why : "it is missing"))
			result = CMD_FAILED;
		any |= lacks[i];
		free(why);
	}
	if (!any && !err)
		printf("every hook that was installed is in place\n");
	hooked_files_free(&files);
	return err ? CMD_FAILED : result;
}
