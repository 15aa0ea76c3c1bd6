/* SPDX-License-Identifier: GPL-2.0-only */
#include "reply_class.h"

#include <stdbool.h>
#include <string.h>

#include "reply_rows.h"
#include "reply_words.h"

static const char *const names[] = {
	[REPLY_NONE] = "none",
	[REPLY_RECIPIENT] = "recipient",
	[REPLY_CONTENT] = "content",
	[REPLY_LISTED] = "listed",
	[REPLY_UNAUTHENTICATED] = "unauthenticated",
	[REPLY_RATE] = "rate",
	[REPLY_FULL] = "full",
	[REPLY_GREYLIST] = "greylist",
	[REPLY_NO_ANSWER] = "no_answer",
	[REPLY_OWN] = "own",
	[REPLY_UNEXPLAINED] = "unexplained",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == REPLY_CLASSES, "a class lacks its name");

const char *reply_class_name(enum reply_class class)
{
	return class < REPLY_CLASSES ? names[class] : "?";
}

enum reply_class reply_class_by_name(const char *name, size_t size)
{
	for (int i = REPLY_NONE + 1; i < REPLY_CLASSES; i++)
		if (strlen(names[i]) == size && !memcmp(names[i], name, size))
			return (enum reply_class)i;
	return REPLY_NONE;
}

static bool failed(const struct reply *r)
{
	return r->outcome == SMTP_FAILED;
}

static bool code_matches(const char *code, const struct reply *r)
{
	if (code[0] == '*')
		return true;
	if (code[0] == 'n')
		return r->code == 0;
	if (code[1] == 'x')
		return failed(r) == (code[0] == '5');
	return (code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0' == r->code;
}

/* The next part of "5.7.1" or "*.7.1"; -1: any. */
static int enhanced_part(const char **pattern)
{
	int part = -1;

	if (**pattern == '*')
		++*pattern;
	for (; **pattern >= '0' && **pattern <= '9'; ++*pattern)
		part = (part < 0 ? 0 : part * 10) + **pattern - '0';
	if (**pattern == '.')
		++*pattern;
	return part;
}

static bool enhanced_matches(const char *pattern, const uint16_t enhanced[3])
{
	if (!strcmp(pattern, "*"))
		return true;
	if (!enhanced[0])
		return false;
	for (int i = 0; i < 3; i++) {
		int part = enhanced_part(&pattern);

		if (part >= 0 && part != enhanced[i])
			return false;
	}
	return true;
}

/* "5.1.1" as a word: qmail writes (#5.1.1), Yahoo repeats the code. 0, and *enhanced is set. */
static int read_enhanced(const char *word, uint16_t enhanced[3])
{
	uint16_t part[3] = {0};
	int n = 0, digits = 0;

	for (; *word; word++) {
		if (*word >= '0' && *word <= '9' && digits < 3) {
			part[n] = (uint16_t)(part[n] * 10 + *word - '0');
			digits++;
		} else if (*word == '.' && digits && n < 2) {
			n++;
			digits = 0;
		} else {
			return -1;
		}
	}
	if (n < 2 || !digits || (part[0] != 4 && part[0] != 5))
		return -1;
	memcpy(enhanced, part, sizeof(part));
	return 0;
}

static const struct reply_row *find(const struct reply_row *rows, size_t count,
				    const struct reply *r, const struct reply_words *words)
{
	for (size_t i = 0; i < count; i++)
		if ((words->count || !rows[i].phrase[0]) && code_matches(rows[i].code, r) &&
		    reply_words_have(words, rows[i].phrase) &&
		    enhanced_matches(rows[i].enhanced, r->enhanced))
			return &rows[i];
	return NULL;
}

const struct reply_row *reply_row_find(const struct reply *reply, const struct reply_rows *own)
{
	struct reply r = *reply;
	struct reply_words words;
	const struct reply_row *row;

	reply_words_read(&words, r.text, r.size);
	for (size_t i = 0; !r.enhanced[0] && i < words.count; i++)
		read_enhanced(reply_words_get(&words, i), r.enhanced);
	row = own ? find(own->rows, own->count, &r, &words) : NULL;
	return row ? row : find(reply_table, reply_table_count, &r, &words);
}

enum reply_class reply_class(const struct reply *reply, const struct reply_rows *own)
{
	const struct reply_row *row;

	if (reply->outcome == SMTP_OUTCOME_NONE || reply->outcome == SMTP_DELIVERED)
		return REPLY_NONE;
	row = reply_row_find(reply, own);
	if (row)
		return row->class;
	return reply->code || failed(reply) ? REPLY_UNEXPLAINED : REPLY_NO_ANSWER;
}
