/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * template.h - the text of a notice's mail. A file below the directory of the configuration,
 * KIND.txt for the administrator, KIND.customer.txt for the customer, digest.txt: its first line is
 * "Subject: ...", then comes an empty line, then the text. {account} and other placeholders stand
 * for what the notice says; a brace that no lower-case letter follows is a brace.
 */
#ifndef SMTPL_TEMPLATE_H
#define SMTPL_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "notice.h"
#include "notice_digest.h"
#include "notify_text.h"

#define TEMPLATE_BYTES	      6144
#define TEMPLATE_SUBJECT_SIZE 256
/* After the kinds of notices comes the digest. */
#define TEMPLATE_DIGEST NOTICE_KINDS
#define TEMPLATES	(NOTICE_KINDS + 1)

struct template
{
	char subject[TEMPLATE_SUBJECT_SIZE]; /* "": there is none, the default text is used */
	char text[TEMPLATE_BYTES];
};

/* What a mail is about. Either is set. */
struct template_subject {
	const struct notice *notice;
	const struct notice_digest *digest;
	const char *host;
	bool customer; /* it is read by the customer */
};

/* The file's name: "suspended.customer.txt". */
void template_name(uint32_t kind, bool customer, char *name, size_t name_size);

/* Read a file's bytes. 0, or -EINVAL with "FILE:LINE: what" in `error`, *t then untouched. */
int template_parse(const char *file, const char *bytes, size_t size, struct template *t,
		   char *error, size_t error_size);

/* The text of the product. kind: TEMPLATE_DIGEST is one. */
const struct template *template_default(uint32_t kind, bool customer);

/* Put a text of a template into `out`, with its placeholders filled in. */
void template_fill(const char *text, const struct template_subject *s, struct notify_text *out);

/* The value of one placeholder. False: there is none of this name. */
bool template_value(const char *name, size_t length, const struct template_subject *s,
		    struct notify_text *out);

#endif
