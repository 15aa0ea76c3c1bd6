/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook.h - the configuration by which a mail server asks the policy server and sends reports.
 * It is printed, or put in as files of our own and as marked blocks, and taken out to the byte.
 * hook.c knows blocks and plans, hook_file.c the files, hook_run.c the server's programs,
 * hook_MTA.c what goes into the files.
 *
 * A block stands between two marker lines that carry a name, in the comment syntax of the file:
 *	# BEGIN smtplimit NAME (smtplimit hook MTA --remove takes this out)
 *	# END smtplimit NAME
 */
#ifndef SMTPL_HOOK_H
#define SMTPL_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "config/config.h"

/* The whole content of a file in memory; malloc'ed, text[size] is NUL. */
struct hook_text {
	char *text;
	size_t size;
};

struct hook_edit {
	const char *path;     /* below root */
	struct hook_text old; /* text NULL: the file does not exist */
	struct hook_text new; /* text NULL: the file is removed */
	char *real;	      /* while the plan is carried out: the path with root, without links */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool done;
};

#define HOOK_EDITS_MAX 64

struct hook_plan {
	struct hook_edit edit[HOOK_EDITS_MAX];
	size_t count;
};

struct hook_context {
	const struct config *config;
	/* "" or a directory that stands for /, for servers in a root of their own */
	const char *root;
	const char *binary;	 /* path of smtplimit, as the mail server will run it */
	const char *config_file; /* for -c, likewise; NULL: CONFIG_FILE_DEFAULT */
	const char *directory;	 /* of the server's configuration; NULL: find it */
};

struct hook_mta {
	const char *name; /* "exim" */
	/* Write what is added, for people who put it in by hand. */
	int (*print)(const struct hook_context *context, FILE *out);
	/* Plan the edits that put the hook in, or take it out. A plan without edits means that
	 * nothing has to change. 0 or -errno with one line in `error`. */
	int (*install)(const struct hook_context *context, struct hook_plan *plan, char *error,
		       size_t error_size);
	int (*remove)(const struct hook_context *context, struct hook_plan *plan, char *error,
		      size_t error_size);
	/* Have the server check its files as they are on disk. 0; -EINVAL with the server's words
	 * in `error`; another -errno with the reason why it cannot. */
	int (*syntax)(const struct hook_context *context, char *error, size_t error_size);
	/* Write one line: "exim: installed", "postfix: not installed: /etc/postfix/main.cf lacks
	 * ...". 1: the server is not on this host; 0: the hook works; -errno: it does not. */
	int (*check)(const struct hook_context *context, char *line, size_t line_size);
	/* What people have to run afterwards: "systemctl reload exim4". */
	const char *reload;
	/* Do that, if the server runs. 0 or -errno with `error`. */
	int (*apply)(const struct hook_context *context, char *error, size_t error_size);
};

extern const struct hook_mta hook_exim, hook_postfix, hook_opensmtpd, hook_sendmail;

/* hook_reload.c */
int hook_exim_apply(const struct hook_context *context, char *error, size_t error_size);
int hook_postfix_apply(const struct hook_context *context, char *error, size_t error_size);
int hook_opensmtpd_apply(const struct hook_context *context, char *error, size_t error_size);
int hook_sendmail_apply(const struct hook_context *context, char *error, size_t error_size);

/* Where the line at `at` ends, behind its newline. */
size_t hook_line_end(const struct hook_text *text, size_t at);
/* Put other bytes in place of those from begin to end. 0 or -ENOMEM. */
int hook_text_splice(struct hook_text *text, size_t begin, size_t end, const char *with,
		     size_t size);

/* Where a block begins and ends, its marker lines included. */
struct hook_block {
	size_t begin;
	size_t end;
};

/* Find the first block of this name, or of any if it is NULL, at or behind `from`. */
bool hook_block_find(const struct hook_text *text, const char *name, const char *comment,
		     size_t from, struct hook_block *found);
/* Take out a block; exactly what hook_block_put() has added. */
void hook_block_cut(struct hook_text *text, struct hook_block block);
/* Put a block with these lines in place of the block of that name, or at the offset `at` if there
 * is none. `comment` is what begins a comment: "#" or "dnl". 0 or -ENOMEM. */
int hook_block_put(struct hook_text *text, const char *name, const char *mta, const char *comment,
		   const char *lines, size_t at);
/* Put a block with these lines in place of the lines from begin to end, and keep those in the block
 * as comments. 0 or -ENOMEM. */
int hook_block_replace(struct hook_text *text, const char *name, const char *mta,
		       const char *comment, size_t begin, size_t end, const char *lines);
/* Take out all blocks, and put back what they replaced. 0 or -ENOMEM. */
int hook_restore(struct hook_text *text, const char *comment);
/* Find the block of this name and cut it. True: there was one. */
bool hook_block_remove(struct hook_text *text, const char *name, const char *comment);
bool hook_block_present(const struct hook_text *text, const char *name, const char *comment);

/* Take out every block of ours. Returns how many there were. */
size_t hook_block_remove_all(struct hook_text *text, const char *comment);

/* Read a file below root into *text, which is overwritten, not freed. 0 or -errno with an empty
 * *text. */
int hook_read(const struct hook_context *context, const char *path, struct hook_text *text);
void hook_text_free(struct hook_text *text);
/* *to is overwritten, not freed. 0 or -ENOMEM. */
int hook_text_copy(struct hook_text *to, const struct hook_text *from);
/* stat() below root. 0 or -errno. */
int hook_stat(const struct hook_context *context, const char *path, struct stat *st);
/* The path of a file with the root in it and, where there is a root, without links; malloc'ed. NULL
 * with errno. */
char *hook_real_path(const struct hook_context *context, const char *path);
/* Is there such a file or directory below root? */
bool hook_exists(const struct hook_context *context, const char *path);
/* Add an edit, but none if both texts are equal. Both are taken over, also on an error. 0, -ENOMEM
 * or -E2BIG. */
int hook_plan_add(struct hook_plan *plan, const char *path, struct hook_text *old,
		  struct hook_text *changed);
/* Before anything is changed: does the server take its configuration? 0 or -errno with `error`. */
int hook_check_before(const struct hook_mta *mta, const struct hook_context *context, char *error,
		      size_t error_size);
/* Write all new files (atomically, mode and owner kept, symbolic links followed), run mta->syntax,
 * and put all old ones back if that fails. 0 or -errno with `error`. */
int hook_plan_carry_out(const struct hook_mta *mta, const struct hook_context *context,
			struct hook_plan *plan, char *error, size_t error_size);
void hook_plan_free(struct hook_plan *plan);

/* Set context->binary: this program if it lies below the root, else one that is installed there. */
void hook_find_binary(struct hook_context *context, char binary[PATH_MAX]);

/* Run a program of the server, below the root, for what it tells of itself:
 * what it prints on standard output alone, since warnings come before that on standard error. 0;
 * -EINVAL, with what it complained of in `answer`; another -errno, with the reason why it did not
 * run, -ENOENT: there is no such program. */
int hook_ask(const struct hook_context *context, const char *const *argv, char *answer,
	     size_t size);

/* Run a program that checks a configuration. 0; -EINVAL, with its complaint in `words`, on one
 * line; another -errno, with the reason why it did not run. It has a terminal as standard error:
 * postfix(1) complains into the log otherwise. */
int hook_run_check(const struct hook_context *context, const char *const *argv, char *words,
		   size_t size);
/* The same, for one that sees this host name; NULL: ours. */
int hook_run_check_named(const struct hook_context *context, const char *const *argv,
			 const char *host_name, char *words, size_t size);

/* Can a server's user ask at the socket `name` of the run directory, and, if `binary` is not NULL,
 * run that, with the configuration? What is not known, in a root of its own or to somebody else
 * than root, is taken for a yes. 0, or -errno with what is in the way in `why`. */
int hook_reach(const struct hook_context *context, const char *user, const char *name,
	       const char *binary, char *why, size_t size);
/* Is the run directory in the root, too? 0, or -EXDEV with `why`. */
int hook_reach_root(const struct hook_context *context, char *why, size_t size);

/* All of them, NULL at the end. */
extern const struct hook_mta *const hook_mtas[];
/* By its name; NULL: there is none. */
const struct hook_mta *hook_mta_find(const char *name);

#endif
