/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hooked_files.h - which files of mail servers hold our lines. `smtplimit hook` notes it in the
 * state directory, in the file `hooks`; the daemon and `status` look whether the lines are still
 * there, and `hook --repair` knows by it what to install again. A line is
 *
 *	SERVER <tab> ROOT <tab> DIR <tab> LINES <tab> PATH
 *
 * with --root and --dir of the installation ("" without), and how many lines of PATH, which has the
 * root in it, name smtplimit.
 */
#ifndef SMTPL_HOOKED_FILES_H
#define SMTPL_HOOKED_FILES_H

#include <stdbool.h>
#include <stddef.h>

#define HOOKED_FILES	 "hooks"
#define HOOKED_FILES_MAX 128
/* Below the run directory: written by the daemon to ask for `hook --repair`, which takes it away.
 */
#define HOOKED_MISSING "hook-missing"

/* So long `hook` may be at work: it asks a server's tools up to five times, 150 s each. */
#define HOOKED_WORK_S 900

struct hooked_file {
	char *mta; /* malloc'ed, as all of them */
	char *root;
	char *dir;
	char *path;
	unsigned int lines; /* 0: `hook` is at work on it; UINT_MAX: it did not come to an end */
};

struct hooked_files {
	struct hooked_file file[HOOKED_FILES_MAX];
	size_t count;
};

/* *files is overwritten, not freed. What `hook` began HOOKED_WORK_S ago has no end: such a file
 * lacks lines. 0, also where nothing was noted; -EBADMSG: it is damaged, what
 * could be read is there; other -errno. */
int hooked_files_read(const char *state, struct hooked_files *files);
/* Atomically; makes the state directory. 0 or -errno. */
int hooked_files_write(const char *state, const struct hooked_files *files);
void hooked_files_free(struct hooked_files *files);

/* 0; -E2BIG; -EINVAL: a tab or a newline in a name; -ENOMEM. */
int hooked_files_add(struct hooked_files *files, const char *mta, const char *root, const char *dir,
		     const char *path, unsigned int lines);
/* Take out what belongs to one hook. */
void hooked_files_drop(struct hooked_files *files, const char *mta, const char *root,
		       const char *dir);
/* Are they of one hook: server, root and directory? */
bool hooked_file_same(const struct hooked_file *a, const struct hooked_file *b);

/* How many lines of a text name smtplimit. */
unsigned int hooked_lines(const char *text, size_t size);
/* Does the file lack some of the lines, or cannot be read? Then *why, malloc'ed or NULL, says so:
 * "/etc/exim.conf lacks it". */
bool hooked_file_lacks(const struct hooked_file *file, char **why);

#endif
