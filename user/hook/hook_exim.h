/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim.h - what the hook must understand of an Exim configuration: its sections, the options
 * that name ACLs, the ACLs, and the transports that speak SMTP.
 *
 * A configuration may consist of several files (Debian's conf.d), which are read as if they were
 * one, and each may include others, which are read where they are included. Conditions (.ifdef) are
 * not evaluated: every branch counts, so that the hook is in whichever branch Exim takes.
 *
 * Which files these are, and what is in force in the end, Exim is asked (hook_exim_ask.c).
 */
#ifndef SMTPL_HOOK_EXIM_H
#define SMTPL_HOOK_EXIM_H

#include <linux/limits.h>
#include "hook.h"

#define EXIM_PARTS_MAX	    256
#define EXIM_NAME_SIZE	    128
#define EXIM_VALUE_SIZE	    1024
#define EXIM_VALUES_MAX	    8
#define EXIM_MACROS_MAX	    512
#define EXIM_ACLS_MAX	    128
#define EXIM_TRANSPORTS_MAX 64
#define EXIM_INSERTS_MAX    128
#define EXIM_EVENTS_MAX	    32
#define EXIM_LINE_SIZE	    4096

enum exim_section {
	EXIM_MAIN = 0,
	EXIM_ACL,
	EXIM_ROUTERS,
	EXIM_TRANSPORTS,
	EXIM_OTHER, /* all others */
	EXIM_SECTIONS,
};

/* Where a line begins. */
struct exim_place {
	size_t part;
	size_t at;
	bool found;
};

struct exim_part {
	char *path;		   /* below root */
	struct hook_text old;	   /* as it is */
	struct hook_text bare;	   /* without what is ours */
	bool own;		   /* a file of ours, which is made anew, not read */
	bool included;		   /* by another part, and read there */
	bool foreign;		   /* is not to be changed (exim_is_foreign()) */
	enum exim_section section; /* own */
};

/* The values that an option has in all branches. */
struct exim_option {
	char value[EXIM_VALUES_MAX][EXIM_VALUE_SIZE];
	size_t count;
};

struct exim_named {
	char name[EXIM_NAME_SIZE];
	char value[EXIM_NAME_SIZE]; /* of a macro */
	struct exim_place at;	    /* behind the line of an ACL's name */
};

struct exim_transport {
	char name[EXIM_NAME_SIZE];
	struct exim_place at; /* behind the line of its name */
	bool smtp;	      /* the driver, in some branch */
	bool lmtp;
	bool events; /* event_action is set */
};

#define EXIM_EVENT_OF_MAIN SIZE_MAX

/* An event_action that calls another program or file, not us. */
struct exim_event {
	size_t transport; /* index, or EXIM_EVENT_OF_MAIN */
	struct exim_place at;
	size_t end; /* of the logical line, in the same part */
	char line[EXIM_LINE_SIZE];
};

/* It is big: keep it on the heap. */
struct exim_conf {
	struct exim_part part[EXIM_PARTS_MAX];
	size_t parts;
	struct exim_place begin[EXIM_SECTIONS]; /* behind "begin SECTION" */
	struct exim_place main_end;
	struct exim_option acl_smtp_rcpt;
	struct exim_option acl_not_smtp;
	bool event_action; /* of the main section */
	struct exim_event event[EXIM_EVENTS_MAX];
	size_t events;
	bool local_domains; /* a domainlist of this name */
	bool too_big;	    /* some of it was left out */
	bool rcpt_by_hand;
	bool not_smtp_by_hand;
	struct exim_named macro[EXIM_MACROS_MAX];
	size_t macros;
	struct exim_named acl[EXIM_ACLS_MAX];
	size_t acls;
	struct exim_transport transport[EXIM_TRANSPORTS_MAX];
	size_t transports;
};

#define EXIM_COMMENT "#"

enum exim_layout_kind {
	EXIM_LAYOUT_FILE = 0, /* one file, as Exim reads it */
	EXIM_LAYOUT_TEMPLATE, /* Debian's, from which update-exim4.conf(8) makes one */
	EXIM_LAYOUT_SPLIT,    /* Debian's conf.d, likewise */
};

struct exim_layout {
	enum exim_layout_kind kind;
	char directory[PATH_MAX];
	char path[PATH_MAX]; /* the file; conf.d */
};

/* Find the layout that the server uses: Exim says which file it reads; where it cannot be asked,
 * the first that exists of those that it may read. 0; -ENOENT: Exim is not there; -EINVAL: it does
 * not take its configuration, and does not say which that is: its words are in `error`. */
int exim_layout_find(const struct hook_context *context, struct exim_layout *layout, char *error,
		     size_t error_size);
/* Read and parse its files, into *conf, malloc'ed. 0 or -errno with `error`. */
int exim_conf_read(const struct hook_context *context, const struct exim_layout *layout,
		   struct exim_conf **conf, char *error, size_t error_size);
void exim_conf_free(struct exim_conf *conf);
/* Add a file. `own`: it may be missing. 0 or -errno with `error`. */
int exim_conf_add(const struct hook_context *context, struct exim_conf *conf, const char *path,
		  bool own, char *error, size_t error_size);
/* The file of ours for a section; NULL: there is none, and blocks go into the file of others. */
struct exim_part *exim_conf_own(struct exim_conf *conf, enum exim_section section);

/* Note what stands in the bare texts of all parts, and of the files that they include, which become
 * parts, too. 0 or -errno with `error`. */
int exim_conf_parse(const struct hook_context *context, struct exim_conf *conf, char *error,
		    size_t error_size);
/* Find the ACLs that an option may name, directly or by macros: indices into conf->acl. *all: the
 * option has a value, and each of its values names an ACL. */
size_t exim_conf_acls(const struct exim_conf *conf, const struct exim_option *option,
		      size_t found[EXIM_ACLS_MAX], bool *all);

/* The lines of a part of exim.conf, with the run directory in them; malloc'ed. NULL without memory.
 */
char *exim_text(const struct hook_context *context, const char *part);

/* Plan each file of the layout with what is ours in it. unhooked: names the transports that speak
 * SMTP and stand in files that are not to be changed; "": there are none. 0 or -errno with `error`.
 */
int exim_plan_install(const struct hook_context *context, const struct exim_layout *layout,
		      struct hook_plan *plan, char *unhooked, size_t unhooked_size, char *error,
		      size_t error_size);

#define EXIM_BUILT "/var/lib/exim4/config.autogenerated" /* by Debian's update-exim4.conf(8) */

/* Exim's program; NULL: there is none. */
const char *exim_program(const struct hook_context *context);
/* Ask Exim which file it reads. 0 or -errno; -EINVAL: its words are in `path`. */
int exim_ask_file(const struct hook_context *context, char path[PATH_MAX]);

/* What is in force. */
struct exim_in_force {
	char first_router[EXIM_NAME_SIZE];
	char user[EXIM_NAME_SIZE];
	char unhooked[512]; /* transports that speak SMTP and do not report: "a, b" */
};

/* Ask Exim. 0; -EINVAL: it does not take its configuration, with its words in `error`; another
 * -errno. */
int exim_ask_in_force(const struct hook_context *context, struct exim_in_force *force, char *error,
		      size_t error_size);

#endif
