/* SPDX-License-Identifier: GPL-2.0-only */
#include "reply_rows.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "reply_words.h"

#define BLANKS " \t\r"

struct line {
	const char *file;
	unsigned int number;
	const char *at; /* what is still to be read */
	char *error;
};

struct column {
	const char *begin;
	size_t size;
};

static int refuse(const struct line *l, struct column c, const char *problem)
{
	char quoted[96];

	log_escape(c.begin, c.size, 1, quoted, sizeof(quoted));
	snprintf(l->error, REPLY_ERROR_MAX, "%s:%u: \"%s\" %s", l->file, l->number, quoted,
		 problem);
	return -EINVAL;
}

/* The next column, empty at the end of the line or before a comment. */
static struct column next_column(struct line *l)
{
	struct column c;

	l->at += strspn(l->at, BLANKS);
	c = (struct column){l->at, *l->at == '#' ? 0 : strcspn(l->at, BLANKS)};
	l->at += c.size;
	return c;
}

static bool is(struct column c, const char *word)
{
	return c.size == strlen(word) && !memcmp(c.begin, word, c.size);
}

static bool is_code(struct column c)
{
	if (is(c, "*") || is(c, "none") || is(c, "4xx") || is(c, "5xx"))
		return true;
	return c.size == 3 && (c.begin[0] == '4' || c.begin[0] == '5') && c.begin[1] >= '0' &&
	       c.begin[1] <= '9' && c.begin[2] >= '0' && c.begin[2] <= '9';
}

/* Three parts, each a number of at most three digits or a star; the first one is 4 or 5. */
static bool is_enhanced(struct column c)
{
	const char *at = c.begin, *end = c.begin + c.size;

	if (is(c, "*"))
		return true;
	for (int part = 0; part < 3; part++) {
		size_t digits = 0;

		if (part && (at == end || *at++ != '.'))
			return false;
		if (at < end && *at == '*') {
			at++;
			continue;
		}
		if (!part && (at == end || (*at != '4' && *at != '5')))
			return false;
		while (at < end && *at >= '0' && *at <= '9') {
			at++;
			digits++;
		}
		if (digits < 1 || digits > (part ? 3 : 1))
			return false;
	}
	return at == end;
}

/* A star stands alone, at the end of a word, or before the dot of a domain. */
static bool stars_are_right(const char *word)
{
	const char *star = strchr(word, '*');

	if (!star || !word[1] || (word[0] == '*' && word[1] == '.' && !strchr(word + 1, '*')))
		return true;
	return star != word && !star[1];
}

/* A phrase between quotation marks, in the form that reply_words_have() takes. The stars stay. */
static int read_phrase(struct line *l, char phrase[REPLY_PHRASE_MAX])
{
	struct column c = next_column(l);
	struct reply_words words;
	const char *close;
	size_t used = 0, stars = 0;

	phrase[0] = '\0';
	if (!c.size)
		return 0;
	close = c.begin[0] == '"' ? strchr(c.begin + 1, '"') : NULL;
	if (!close)
		return refuse(l, c, "is no phrase: want words between quotation marks");
	l->at = close + 1;
	c = (struct column){c.begin + 1, close - c.begin - 1};
	if (c.size >= REPLY_PHRASE_MAX)
		return refuse(l, c, "is too long for a phrase: want less than 128 bytes");
	reply_words_read_phrase(&words, c.begin, c.size);
	for (size_t i = 0; i < words.count; i++) {
		const char *word = reply_words_get(&words, i);

		if (!stars_are_right(word))
			return refuse(l, c,
				      "has a \"*\" within a word: want it alone or at an end");
		stars += !strcmp(word, "*");
		used += (size_t)snprintf(phrase + used, REPLY_PHRASE_MAX - used, "%s%s",
					 i ? " " : "", word);
	}
	if (words.count == stars)
		return refuse(l, c, "has no words: want those that stand in the reply");
	return 0;
}

static int keep(struct reply_rows *rows, enum reply_class class, struct column code,
		struct column enhanced, const char *phrase)
{
	struct reply_row *grown = reallocarray(rows->rows, rows->count + 1, sizeof(*grown));
	struct reply_row *row;
	char *text;

	if (!grown)
		return -ENOMEM;
	rows->rows = grown;
	/* One allocation holds the three strings. */
	text = malloc(code.size + enhanced.size + strlen(phrase) + 3);
	if (!text)
		return -ENOMEM;
	row = &rows->rows[rows->count];
	row->class = class;
	row->code = memcpy(text, code.begin, code.size);
	text += code.size;
	*text++ = '\0';
	row->enhanced = memcpy(text, enhanced.begin, enhanced.size);
	text += enhanced.size;
	*text++ = '\0';
	row->phrase = memcpy(text, phrase, strlen(phrase) + 1);
	rows->count++;
	return 0;
}

int reply_rows_add(struct reply_rows *rows, const char *file, unsigned int line, const char *text,
		   char error[REPLY_ERROR_MAX])
{
	struct line l = {file, line, text, error};
	struct column name = next_column(&l), code, enhanced, rest;
	enum reply_class class = reply_class_by_name(name.begin, name.size);
	char phrase[REPLY_PHRASE_MAX];

	if (!name.size)
		return 0;
	if (class == REPLY_NONE)
		return refuse(&l, name,
			      "is no class: want recipient, content, listed, unauthenticated, "
			      "rate, full, greylist, no_answer, own or unexplained");
	code = next_column(&l);
	if (!is_code(code))
		return refuse(&l, code, "is no code: want 400 to 599, 4xx, 5xx, none or *");
	enhanced = next_column(&l);
	if (!is_enhanced(enhanced))
		return refuse(&l, enhanced, "is no enhanced code: want 5.7.1, 5.7.*, *.7.1 or *");
	if (read_phrase(&l, phrase))
		return -EINVAL;
	rest = next_column(&l);
	if (rest.size)
		return refuse(&l, rest, "stands behind the phrase: want nothing there");
	if (is(code, "*") && is(enhanced, "*") && !phrase[0])
		return refuse(&l, name, "would be every reply: want a code or a phrase");
	if (rows->count == REPLY_ROWS_MAX)
		return refuse(&l, name, "is one row too many: want at most 1024");
	return keep(rows, class, code, enhanced, phrase);
}

void reply_rows_free(struct reply_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free((char *)(uintptr_t)rows->rows[i].code);
	free(rows->rows);
	*rows = (struct reply_rows){NULL, 0};
}
