// SPDX-License-Identifier: GPL-2.0-only
/*
 * template.c - reading a template, and filling one in.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "template.h"

static const char subject_word[] = "Subject:";

void template_name(uint32_t kind, bool customer, char *name, size_t name_size)
{
	snprintf(name, name_size, "%s%s.txt",
		 kind == TEMPLATE_DIGEST ? "digest" : notice_kind_name(kind),
		 customer ? ".customer" : "");
}

/* The placeholder at a brace: its name's length, and how much of the text it is; 0: there is
 * none. */
static size_t placeholder(const char *text, size_t size, size_t *name_length)
{
	size_t length = 0;

	if (size < 3 || text[0] != '{' || !islower((unsigned char)text[1]))
		return 0;
	while (1 + length < size &&
	       (islower((unsigned char)text[1 + length]) || text[1 + length] == '_'))
		length++;
	*name_length = length;
	return 1 + length < size && text[1 + length] == '}' ? length + 2 : 0;
}

static int fail(const char *file, unsigned int line, const char *what, const char *bytes,
		size_t size, char *error, size_t error_size)
{
	char printable[128];

	log_escape(bytes, size, 1, printable, sizeof(printable));
	snprintf(error, error_size, "%s:%u: %s%s%s%s", file, line, what, size ? " \"" : "",
		 printable, size ? "\"" : "");
	return -EINVAL;
}

static bool is_known(const char *name, size_t length)
{
	static const struct notice none = {.kind = NOTICE_SUSPENDED};
	const struct template_subject s = {.notice = &none, .host = ""};
	struct notify_text out;
	char bytes[1024];

	notify_text_begin(&out, bytes, sizeof(bytes));
	return template_value(name, length, &s, &out);
}

static int check_placeholders(const char *file, const char *bytes, size_t size, char *error,
			      size_t error_size)
{
	unsigned int line = 1;

	for (size_t i = 0; i < size; i++) {
		size_t length;

		if (placeholder(bytes + i, size - i, &length) && !is_known(bytes + i + 1, length))
			return fail(file, line, "no placeholder has the name", bytes + i + 1,
				    length, error, error_size);
		if (bytes[i] == '\n')
			line++;
	}
	return 0;
}

static int check_bytes(const char *file, const char *bytes, size_t size, char *error,
		       size_t error_size)
{
	unsigned int line = 1;

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
			return fail(file, line, "a control byte, want text in UTF-8", "", 0, error,
				    error_size);
		if (c == '\n')
			line++;
	}
	return 0;
}

int template_parse(const char *file, const char *bytes, size_t size, struct template *t,
		   char *error, size_t error_size)
{
	const size_t word = sizeof(subject_word) - 1;
	const char *end = memchr(bytes, '\n', size);
	size_t first = end ? (size_t)(end - bytes) : size, skip = word;
	int err;

	if (first < word || strncasecmp(bytes, subject_word, word))
		return fail(file, 1, "want \"Subject: ...\", not", bytes, first, error, error_size);
	while (skip < first && bytes[skip] == ' ')
		skip++;
	if (skip == first || first - skip >= sizeof(t->subject))
		return fail(file, 1, "want a subject of 1 to 255 bytes", "", 0, error, error_size);
	if (size > first + 1 && bytes[first + 1] != '\n')
		return fail(file, 2, "want an empty line below the subject", "", 0, error,
			    error_size);
	if (size <= first + 2 || size - first - 2 >= sizeof(t->text))
		return fail(file, 3, "want a text of 1 to 6143 bytes", "", 0, error, error_size);
	err = check_bytes(file, bytes, size, error, error_size);
	if (!err)
		err = check_placeholders(file, bytes, size, error, error_size);
	if (err)
		return err;
	memset(t, 0, sizeof(*t));
	memcpy(t->subject, bytes + skip, first - skip);
	memcpy(t->text, bytes + first + 2, size - first - 2);
	return 0;
}

void template_fill(const char *text, const struct template_subject *s, struct notify_text *out)
{
	size_t size = strlen(text), i = 0;

	while (i < size) {
		size_t length, whole = placeholder(text + i, size - i, &length);
		size_t plain = whole ? 0 : 1 + strcspn(text + i + 1, "{");

		if (!whole || !template_value(text + i + 1, length, s, out))
			notify_text_add(out, "%.*s", (int)(whole ? whole : plain), text + i);
		i += whole ? whole : plain;
	}
}
