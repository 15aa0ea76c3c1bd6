/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_reading.c - reads a file line by line with inih.
 *
 * inih never sees the file itself but one line at a time from next_line(), because of errors that
 * it does not report: it cuts lines at its own bound, ignores text behind a [section], and knows no
 * sections without keys. Its line numbers are not used either: not every build passes them on. Of
 * [account NAME], which may be longer than a line of inih, it sees [account].
 */
#include "config_reading.h"

#include <ctype.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>

/* Of a section's line, in bytes: room for thousands of accounts. */
#define SECTION_LINE_MAX (64 << 10)

void reading_fail(struct reading *r, unsigned int line, const char *format, ...)
{
	size_t used;
	va_list args;

	if (r->error_line)
		return;
	r->error_line = line;
	used = (size_t)snprintf(r->error, r->error_size, "%s:%u: ", r->file, line);
	if (used >= r->error_size)
		return;
	va_start(args, format);
	vsnprintf(r->error + used, r->error_size - used, format, args);
	va_end(args);
}

/* What sections the file may have. */
static void section_list(const struct reading *r, char *list, size_t list_size)
{
	if (r->directory)
		snprintf(list, list_size, "[account NAME]");
	else
		config_section_list(list, list_size);
}

static void fail_unknown_key(struct reading *r, const char *section, const char *name)
{
	const struct config_key *near = config_key_nearest(section, name);
	char quoted[CONFIG_QUOTE_SIZE], list[256], sections[128];

	config_quote(name, strlen(name), quoted);
	config_key_list(section, list, sizeof(list));
	section_list(r, sections, sizeof(sections));
	if (!config_section_known(section))
		reading_fail(r, r->line, "\"%s\" stands in no section: want %s above it", quoted,
			     sections);
	else if (near && strcmp(near->section, section))
		reading_fail(r, r->line,
			     "unknown key \"%s\" in [%s]: did you mean \"%s\" of [%s]? [%s] has %s",
			     quoted, section, near->name, near->section, section, list);
	else if (near)
		reading_fail(r, r->line,
			     "unknown key \"%s\" in [%s]: did you mean \"%s\"? [%s] has %s", quoted,
			     section, near->name, section, list);
	else
		reading_fail(r, r->line, "unknown key \"%s\" in [%s]: want one of %s", quoted,
			     section, list);
}

static void fail_unknown_section(struct reading *r, const char *section)
{
	const char *near = config_section_nearest(section);
	char quoted[CONFIG_QUOTE_SIZE], sections[128];

	config_quote(section, strlen(section), quoted);
	section_list(r, sections, sizeof(sections));
	if (near)
		reading_fail(r, r->line, "unknown section \"%s\": did you mean [%s]?", quoted,
			     near);
	else
		reading_fail(r, r->line, "unknown section \"%s\": want %s", quoted, sections);
}

/* Is it [account NAME], up to the bracket or with it? */
static bool is_account(const char *section, size_t size)
{
	static const char word[] = "account";
	size_t length = sizeof(word) - 1;

	return size >= length && !memcmp(section, word, length) &&
	       (size == length || strchr(" \t]", section[length]));
}

static void begin_section(struct reading *r, const char *section, size_t size)
{
	char name[CONFIG_QUOTE_SIZE], why[CONFIG_ERROR_SIZE / 2];

	r->section = NULL;
	r->last = NULL;
	if (is_account(section, size)) {
		if (config_section_begin(r->c, r->file, r->line, section + 7, size - 7, &r->section,
					 why, sizeof(why)))
			reading_fail(r, r->line, "[account] %s", why);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)size, section);
	if (!config_section_known(name))
		fail_unknown_section(r, name);
	else if (r->directory)
		reading_fail(r, r->line, "[%s]: want nothing but [account NAME] in the files of %s",
			     name, r->directory);
}

/* Checks a line whose first character is '[', as inih accepts anything behind it, and makes the one
 * that inih gets. */
static void read_section(struct reading *r, const char *line, const char *end, char *out,
			 size_t out_size)
{
	const char *close = memchr(line, ']', (size_t)(end - line)), *rest = close;
	char quoted[CONFIG_QUOTE_SIZE];

	if (close)
		rest += 1 + strspn(close + 1, " \t\r");
	if (!close || (rest < end && *rest != ';' && *rest != '#'))
		reading_fail(r, r->line, "\"%s\": want a [section] alone on its line",
			     config_quote(line, (size_t)(end - line), quoted));
	else
		begin_section(r, line + 1, (size_t)(close - line - 1));
	if (r->section)
		snprintf(out, out_size, "[account]\n");
	else
		snprintf(out, out_size, "%.*s\n", (int)strcspn(line, "]") + 1, line);
}

/* Is a section left out? A misspelt [paths] is not, so that it is reported. */
static bool is_left_out(const struct reading *r, const char *section, size_t size)
{
	char name[CONFIG_QUOTE_SIZE];
	const char *near;

	if (r->scope == CONFIG_GENERAL)
		return is_account(section, size);
	snprintf(name, sizeof(name), "%.*s", (int)size, section);
	name[strcspn(name, "]\r")] = '\0';
	near = config_section_nearest(name);
	return !near || strcmp(near, "paths") != 0;
}

/* The first byte of a line that begins a section, or NULL. */
static const char *section_of(const struct reading *r, const char *line, const char *end)
{
	const char *first = line;

	while (first < end && isspace((unsigned char)*first))
		first++;
	return first < end && *first == '[' && !(first > line && r->last) ? first : NULL;
}

static bool is_hidden(struct reading *r, const char *section, const char *end)
{
	if (r->scope == CONFIG_WHOLE || !section)
		return r->hidden;
	r->hidden = is_left_out(r, section + 1, (size_t)(end - section - 1));
	r->last = NULL;
	return r->hidden;
}

/* Is a line within its bounds? */
static bool check_line(struct reading *r, const char *line, size_t length, size_t line_max,
		       bool section)
{
	if (memchr(line, '\0', length))
		reading_fail(r, r->line, "a zero byte: want a text file");
	else if (section && length > SECTION_LINE_MAX)
		reading_fail(r, r->line,
			     "%zu bytes: want a [section] of at most %d, further accounts in "
			     "another one",
			     length, SECTION_LINE_MAX);
	else if (!section && length > line_max)
		reading_fail(r, r->line,
			     "%zu bytes: want lines of at most %zu, lists go on in an indented "
			     "line",
			     length, line_max);
	return !r->error_line;
}

/* inih's reader, like fgets(3): the next line with its newline, NULL at the end or an error. */
static char *next_line(char *line, int line_size, void *arg)
{
	struct reading *r = arg;
	const char *newline, *section, *begin = r->at;
	size_t length;

	if (r->error_line || begin == r->end)
		return NULL;
	newline = memchr(begin, '\n', (size_t)(r->end - begin));
	length = (size_t)((newline ? newline : r->end) - begin);
	r->line++;
	r->at += length + (newline != NULL);
	section = section_of(r, begin, begin + length);
	if (is_hidden(r, section, begin + length)) {
		length = 0;
		section = NULL;
	}
	if (!check_line(r, begin, length, (size_t)line_size - 2, section != NULL))
		return NULL;
	r->indented = length && isspace((unsigned char)*begin);
	if (section)
		read_section(r, section, begin + length, line, (size_t)line_size);
	else
		snprintf(line, (size_t)line_size, "%.*s\n", (int)length, begin);
	return line;
}

/* Where the line of a key is noted. */
static unsigned int *line_of(struct reading *r, const struct config_key *key)
{
	return r->section ? &r->section->lines[config_account_key(key)] :
			    &r->lines[key - config_keys];
}

/* Is this assignment in its place? Notes an error if not. */
static bool check_place(struct reading *r, const struct config_key *key, const char *value,
			bool more)
{
	unsigned int before = *line_of(r, key);
	char quoted[CONFIG_QUOTE_SIZE];

	config_quote(value, strlen(value), quoted);
	if (!more && before)
		reading_fail(r, r->line, "%s = \"%s\": set in line %u already, want it once",
			     key->name, quoted, before);
	else if (more && !key->type->clear)
		reading_fail(
			r, r->line,
			"\"%s\": a line that begins with a blank goes on with %s, which is no list: "
			"want it in the first column",
			quoted, key->name);
	else if (strstr(value, " #") || strstr(value, "\t#"))
		reading_fail(r, r->line,
			     "%s = \"%s\": want a comment on a line of its own, or behind \" ;\"",
			     key->name, quoted);
	return !r->error_line;
}

/* inih's handler: one assignment, or one more line of a list. 0: stop at this line. */
static int set_key(void *arg, const char *section, const char *name, const char *value)
{
	char why[CONFIG_QUOTE_SIZE * 3], quoted[CONFIG_QUOTE_SIZE];
	const struct config_key *key = config_key_find(section, name);
	struct reading *r = arg;
	bool more = r->indented && r->last;
	int result;
	void *base = r->section ? (void *)r->section : r->c;

	if (r->error_line)
		return 0;
	if (!key) {
		fail_unknown_key(r, section, name);
		return 0;
	}
	if (!check_place(r, key, value, more))
		return 0;
	if (!more) {
		*line_of(r, key) = r->line;
		if (key->type->clear)
			key->type->clear(key, base);
	}
	r->last = key;
	result = key->type->read(key, value, base, why, sizeof(why));
	if (result > 0)
		config_warn(r->c, "%s:%u: %s: %s", r->file, r->line, name, why);
	if (result < 0) {
		reading_fail(r, r->line, "%s = \"%s\": %s", name,
			     config_quote(value, strlen(value), quoted), why);
		return 0;
	}
	return 1;
}

/* Reports a line that inih could not read: it has neither of the two forms. */
static void fail_syntax(struct reading *r, unsigned int line)
{
	const char *at = r->begin, *end = r->end;
	char quoted[CONFIG_QUOTE_SIZE];

	for (unsigned int i = 1; i < line; i++)
		at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
	end = memchr(at, '\n', (size_t)(end - at)) ?: end;
	if (end > at && end[-1] == '\r')
		end--;
	r->error_line = 0;
	reading_fail(r, line, "\"%s\": want KEY = VALUE, a [section], or a comment behind #",
		     config_quote(at, (size_t)(end - at), quoted));
}

int reading_run(struct reading *r)
{
	int result;

	r->at = r->begin;
	r->hidden = r->scope == CONFIG_PATHS;
	result = ini_parse_stream(next_line, r, set_key, r);
	if (result > 0 && (!r->error_line || (unsigned int)result < r->error_line))
		fail_syntax(r, (unsigned int)result);
	else if (result < 0)
		reading_fail(r, r->line, "out of memory");
	return r->error_line ? -1 : 0;
}
