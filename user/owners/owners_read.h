/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * owners_read.h - what the owners*.c files share: the table while it is being filled, and the steps
 * from the lines of a file to its rows. Only these files include it, and tests that want another
 * root.
 */
#ifndef SMTPL_OWNERS_READ_H
#define SMTPL_OWNERS_READ_H

#include "base/name_table.h"
#include "owners.h"

#define OWNERS_MAX	  1000000
#define OWNERS_FILE_BYTES (64u << 20)
#define OWNERS_LINE_BYTES 1024

struct owners {
	struct name_table domains;
	size_t unknown;
	char source[2 * PATH_MAX];
};

struct owners_reading {
	struct owners *owners;
	const struct config *config;
	const char *root;	 /* before every path; "" but for tests */
	struct name_table users; /* from /etc/passwd, and from look-ups so far */
	const char *file;	 /* being read, printable */
	unsigned int line;	 /* from 1 */
	char *error;
	size_t error_size;
};

typedef int (*owners_line_fn)(struct owners_reading *r, const char *line, size_t length);
typedef int (*owners_file_fn)(void *arg, const char *path);

/* owners_read() below another root directory. */
int owners_read_root(const char *root, const struct config *config, const char *output,
		     size_t output_size, struct owners **owners, char *error, size_t error_size);

/* A number that changes when a source does: made of size, inode and times of all its files. */
uint64_t owners_signature(const char *root, const struct config *config);

/* "want" an error of the line that is being read. Returns -EINVAL. */
int owners_fail(struct owners_reading *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The same with the bytes at fault before it, escaped and in quotes. */
int owners_fail_quoted(struct owners_reading *r, const char *bytes, size_t size, const char *want);

/* Calls back with each line, without blanks around it; not for empty lines and comments (#).
 * `name`: for errors. */
int owners_lines(struct owners_reading *r, const char *name, const char *bytes, size_t size,
		 size_t line_max, owners_line_fn each);
/* The same for the lines of a file below the root. -ENOENT: it is missing, as the error says. */
int owners_file(struct owners_reading *r, const char *path, size_t line_max, owners_line_fn each);

/* Add a row: the first one of a domain stays; a row of root, nobody or a relay user is skipped. */
int owners_row(struct owners_reading *r, const char *domain, size_t domain_size, const char *user,
	       size_t user_size);
int owners_row_uid(struct owners_reading *r, const char *domain, size_t domain_size, uint32_t uid);
/* Reads "domain: user" or "domain: uid:N"; it is an owners_line_fn. */
int owners_row_line(struct owners_reading *r, const char *line, size_t length);

void owners_note_source(struct owners *owners, const char *source);

/* One source each. 0; -ENOENT: there is none, and the error says so. */
int owners_read_cpanel(struct owners_reading *r);
int owners_read_directadmin(struct owners_reading *r);
int owners_read_hestia(struct owners_reading *r);

/* Calls back with each file of a source, whether it exists or not. */
int owners_files_cpanel(const char *root, owners_file_fn each, void *arg);
int owners_files_directadmin(const char *root, owners_file_fn each, void *arg);
int owners_files_hestia(const char *root, owners_file_fn each, void *arg);

#endif
