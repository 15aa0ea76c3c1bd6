// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_hooks.c - are the hooks still in the mail servers' files? Panels write these anew. What
 * `smtplimit hook` has noted is looked at once a second, by what stat(2) says; a file that has
 * changed is read. A hook that is gone is said, and asked for: smtplimit-hook.path sees the file
 * `hook-missing` and has it put back.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "daemon.h"

/* A file may be looked at while it is written: it lacks the hook when it does so twice. */
#define LOOKS_SURE 2
/* So soon a loss is asked for after the one before, and one that stays, again. */
#define ASK_NS	     (10 * NS_PER_S)
#define ASK_AGAIN_NS (60 * NS_PER_S)

static struct hook_stamp stamp_of(const char *path)
{
	struct hook_stamp stamp = {0};
	struct stat st;

	if (!stat(path, &st))
		stamp = (struct hook_stamp){.device = st.st_dev,
					    .inode = st.st_ino,
					    .size = st.st_size,
					    .changed = st.st_ctim};
	return stamp;
}

static bool same_stamp(const struct hook_stamp *a, const struct hook_stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Is it the first file of its hook? What is said of the hook stands there. */
static bool is_first(const struct hooked_files *files, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (hooked_file_same(&files->file[j], &files->file[i]))
			return false;
	return true;
}

static bool was_said(const struct daemon_hooks *h, const struct hooked_file *f)
{
	for (size_t i = 0; i < h->files.count; i++)
		if (h->seen[i].said && hooked_file_same(&h->files.file[i], f))
			return true;
	return false;
}

/* The note has changed: what was said of a hook stays said. */
static void read_note(struct daemon *d)
{
	struct daemon_hooks *h = &d->hooks;
	struct hook_seen seen[HOOKED_FILES_MAX] = {0};
	struct hooked_files files;
	int err = hooked_files_read(d->config.state, &files);

	if (err)
		log_warning("which mail servers have a hook cannot be read: \"%s/" HOOKED_FILES
			    "\": %s",
			    d->config.state, strerror(-err));
	for (size_t i = 0; i < files.count; i++)
		seen[i].said = is_first(&files, i) && was_said(h, &files.file[i]);
	hooked_files_free(&h->files);
	h->files = files;
	memcpy(h->seen, seen, sizeof(seen));
}

/* The note says that `hook` is at work, and that is too long ago: it is read once more. */
static bool is_overdue(const struct daemon_hooks *h)
{
	for (size_t i = 0; i < h->files.count; i++)
		if (!h->files.file[i].lines)
			return time(NULL) >= h->note.changed.tv_sec + HOOKED_WORK_S;
	return false;
}

static void look(struct daemon_hooks *h, size_t i)
{
	const struct hook_stamp now = stamp_of(h->files.file[i].path);
	struct hook_seen *seen = &h->seen[i];
	bool sure = seen->lacking == 0 || seen->lacking == LOOKS_SURE;
	char *why = NULL;

	if (seen->looked && sure && same_stamp(&now, &seen->stamp))
		return;
	seen->stamp = now;
	seen->looked = true;
	if (!hooked_file_lacks(&h->files.file[i], &why))
		seen->lacking = 0;
	else if (seen->lacking < LOOKS_SURE)
		seen->lacking++;
	free(why);
}

static void say_missing(struct daemon *d, const struct hooked_file *f)
{
	struct notice n = {.kind = NOTICE_HOOK_MISSING};
	char *why = NULL;

	hooked_file_lacks(f, &why);
	snprintf(n.remote, sizeof(n.remote), "%s", f->mta);
	snprintf(n.text, sizeof(n.text), "%s: the hook is missing: %s", f->mta,
		 why ? why : f->path);
	free(why);
	log_error("%s: suspended accounts can send through this server: `smtplimit hook --repair` "
		  "puts it back",
		  n.text);
	daemon_notice(d, &n);
}

/* True: it is missing. */
static bool tend_hook(struct daemon *d, size_t first)
{
	struct daemon_hooks *h = &d->hooks;
	const struct hooked_file *missing = NULL, *f = &h->files.file[first];
	struct hook_seen *seen = &h->seen[first];
	bool doubt = false;

	for (size_t i = first; i < h->files.count; i++) {
		if (!hooked_file_same(&h->files.file[i], f))
			continue;
		if (!h->files.file[i].lines)
			return seen->said; /* `hook` is at work: it stays as it was */
		if (h->seen[i].lacking == LOOKS_SURE && !missing)
			missing = &h->files.file[i];
		doubt |= h->seen[i].lacking > 0;
	}
	if (missing && !seen->said) {
		say_missing(d, missing);
		h->unasked = seen->said = true;
	} else if (!doubt && seen->said) {
		log_notice("%s: the hook is there again", f->mta);
		seen->said = false;
	}
	return missing != NULL;
}

static void ask(struct daemon *d, bool missing)
{
	char path[PATH_MAX + sizeof("/" HOOKED_MISSING)];
	struct daemon_hooks *h = &d->hooks;
	uint64_t now_ns = clock_boot_ns();
	FILE *out;

	snprintf(path, sizeof(path), "%s/" HOOKED_MISSING, d->config.run);
	if (!missing) {
		if (h->asking && unlink(path) && errno != ENOENT)
			log_warning("\"%s\": %s", path, strerror(errno));
		h->asking = h->unasked = false;
		return;
	}
	if (h->asked_ns && now_ns - h->asked_ns < (h->unasked ? ASK_NS : ASK_AGAIN_NS))
		return;
	h->asking = true;
	h->unasked = false;
	h->asked_ns = now_ns;
	out = fopen(path, "we");
	if (!out || fclose(out))
		log_warning("\"%s\": %s: the missing hook is not asked for", path, strerror(errno));
}

void daemon_hooks_poll(struct daemon *d)
{
	char path[PATH_MAX + sizeof("/" HOOKED_FILES)];
	struct daemon_hooks *h = &d->hooks;
	bool missing = false;
	struct hook_stamp now;

	snprintf(path, sizeof(path), "%s/" HOOKED_FILES, d->config.state);
	now = stamp_of(path);
	if (!same_stamp(&now, &h->note) || is_overdue(h)) {
		h->note = now;
		read_note(d);
	}
	for (size_t i = 0; i < h->files.count; i++)
		look(h, i);
	for (size_t i = 0; i < h->files.count; i++)
		if (is_first(&h->files, i))
			missing |= tend_hook(d, i);
	ask(d, missing);
}

void daemon_hooks_stop(struct daemon *d)
{
	hooked_files_free(&d->hooks.files);
}
