/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim.h - what the hook must understand of an Exim configuration: its sections, the options
 * that name ACLs, the ACLs, and the transports that speak SMTP.
 *
 * A configuration may consist of several files (Debian's conf.d), which are read as if they were
 * one. Conditions (.ifdef) are not evaluated: every branch counts, so that the hook is in whichever
 * branch Exim takes.
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
	bool events;	  /* event_action is set */
	bool events_ours; /* to what the hook would set, by hand */
};

/* It is big: keep it on the heap. */
struct exim_conf {
	struct exim_part part[EXIM_PARTS_MAX];
	size_t parts;
	struct exim_place begin[EXIM_SECTIONS]; /* behind "begin SECTION" */
	struct exim_place main_end;
	struct exim_option acl_smtp_rcpt;
	struct exim_option acl_not_smtp;
	struct exim_option event_action;
	bool local_domains; /* a domainlist of this name */
	bool too_big;	    /* some of it was left out */
	bool includes;	    /* of files, which are not read, behind the first "begin" */
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

/* Find the layout that the server uses. 0; -ENOENT: Exim is not there. */
int exim_layout_find(const struct hook_context *context, struct exim_layout *layout);
/* Read and parse its files, into *conf, malloc'ed. 0 or -errno with `error`. */
int exim_conf_read(const struct hook_context *context, const struct exim_layout *layout,
		   struct exim_conf **conf, char *error, size_t error_size);
void exim_conf_free(struct exim_conf *conf);
/* The file of ours for a section; NULL: there is none, and blocks go into the file of others. */
struct exim_part *exim_conf_own(struct exim_conf *conf, enum exim_section section);

/* Note what stands in the bare texts of all parts. */
void exim_conf_parse(struct exim_conf *conf);
/* Find the ACLs that an option may name, directly or by macros: indices into conf->acl. *all: the
 * option has a value, and each of its values names an ACL. */
size_t exim_conf_acls(const struct exim_conf *conf, const struct exim_option *option,
		      size_t found[EXIM_ACLS_MAX], bool *all);

/* The lines of a part of exim.conf, with the run directory in them; malloc'ed. NULL without memory.
 */
char *exim_text(const struct hook_context *context, const char *part);

#endif
