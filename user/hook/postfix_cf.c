/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postfix_cf.c - find and replace logical lines of main.cf and master.cf.
 */
#include "postfix_cf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first byte of a line that is not blank; '\n' if there is none. */
static char first_of(const struct hook_text *text, size_t at)
{
	while (at < text->size &&
	       (text->text[at] == ' ' || text->text[at] == '\t' || text->text[at] == '\r'))
		at++;
	return at < text->size ? text->text[at] : '\n';
}

static bool says_nothing(const struct hook_text *text, size_t at)
{
	char first = first_of(text, at);

	return first == '#' || first == '\n';
}

bool postfix_line_next(const struct hook_text *text, size_t *at, struct postfix_line *line)
{
	size_t next = *at;

	while (next < text->size && (says_nothing(text, next) || isblank(text->text[next])))
		next = hook_line_end(text, next);
	if (next >= text->size)
		return false;
	line->begin = next;
	line->end = next = hook_line_end(text, next);
	while (next < text->size) {
		bool nothing = says_nothing(text, next);

		if (!nothing && !isblank(text->text[next]))
			break;
		next = hook_line_end(text, next);
		if (!nothing)
			line->end = next;
	}
	*at = line->end;
	return true;
}

char *postfix_line_joined(const struct hook_text *text, const struct postfix_line *line)
{
	char *joined = malloc(line->end - line->begin + 1);
	size_t length = 0;
	size_t at = line->begin;

	if (!joined)
		return NULL;
	for (; at < line->end; at = hook_line_end(text, at)) {
		size_t size = hook_line_end(text, at) - at;

		if (says_nothing(text, at))
			continue;
		memcpy(joined + length, text->text + at, size);
		length += size;
		while (length && isspace((unsigned char)joined[length - 1]))
			length--;
	}
	joined[length] = '\0';
	for (char *c = joined; *c; c++)
		if (isspace((unsigned char)*c))
			*c = ' ';
	return joined;
}

/* Where the value is if the line is "name = value", else NULL. */
static char *value_of(char *joined, const char *name)
{
	size_t length = strlen(name);
	char *value = joined + length;

	if (strncmp(joined, name, length))
		return NULL;
	value += strspn(value, " ");
	if (*value != '=')
		return NULL;
	value++;
	return value + strspn(value, " ");
}

int postfix_main_find(const struct hook_text *text, const char *name, struct postfix_line *line,
		      char **value)
{
	struct postfix_line each;
	size_t at = 0;

	*value = NULL;
	while (postfix_line_next(text, &at, &each)) {
		char *joined = postfix_line_joined(text, &each);
		char *found = joined ? value_of(joined, name) : NULL;

		if (found) {
			free(*value);
			*value = strdup(found);
			if (line)
				*line = each;
		}
		free(joined);
		if (!joined || (found && !*value)) {
			free(*value);
			*value = NULL;
			return -ENOMEM;
		}
	}
	return *value != NULL;
}

/* Cut the joined line into its words; the last field is the rest. */
static bool cut_fields(struct postfix_service *service)
{
	char *at = service->joined;

	for (int i = 0; i < POSTFIX_FIELDS; i++) {
		at += strspn(at, " ");
		if (!*at)
			return false;
		service->field[i] = at;
		at += strcspn(at, " ");
		if (i < POSTFIX_COMMAND && *at)
			*at++ = '\0';
	}
	return true;
}

static bool is_local(const struct postfix_service *service)
{
	static const char *const types[] = {"unix", "fifo", "unix-dgram"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(service->field[POSTFIX_TYPE], types[i]))
			return true;
	return false;
}

int postfix_master_next(const struct hook_text *text, size_t *at, struct postfix_service *service)
{
	*service = (struct postfix_service){0};
	while (postfix_line_next(text, at, &service->line)) {
		service->joined = postfix_line_joined(text, &service->line);
		if (!service->joined)
			return -ENOMEM;
		if (cut_fields(service))
			return 1;
		postfix_service_free(service);
	}
	return 0;
}

int postfix_master_find(const struct hook_text *text, const char *name,
			struct postfix_service *service)
{
	size_t at = 0;
	int there;

	while ((there = postfix_master_next(text, &at, service)) == 1) {
		if (is_local(service) && !strcmp(service->field[POSTFIX_NAME], name))
			return 1;
		postfix_service_free(service);
	}
	return there;
}

void postfix_service_free(struct postfix_service *service)
{
	free(service->joined);
	*service = (struct postfix_service){0};
}

/* The next word of a command, which may hold blanks in braces. *length 0: there is none. */
static const char *next_word(const char *at, size_t *length)
{
	const char *word = at + strspn(at, " "), *end;
	int depth = 0;

	for (end = word; *end && (depth > 0 || *end != ' '); end++)
		depth += (*end == '{') - (*end == '}');
	*length = (size_t)(end - word);
	return word;
}

static void trim(const char **text, size_t *length)
{
	while (*length && **text == ' ') {
		++*text;
		--*length;
	}
	while (*length && (*text)[*length - 1] == ' ')
		--*length;
}

/* Is it "name=value" or "{ name = value }"? Then *word and *length become the value's. */
static bool is_option(const char **word, size_t *length, const char *name)
{
	const char *equals;
	size_t name_length;

	if (*length > 1 && **word == '{' && (*word)[*length - 1] == '}') {
		++*word;
		*length -= 2;
	}
	trim(word, length);
	equals = memchr(*word, '=', *length);
	if (!equals)
		return false;
	name_length = (size_t)(equals - *word);
	while (name_length && (*word)[name_length - 1] == ' ')
		name_length--;
	if (name_length != strlen(name) || memcmp(*word, name, name_length))
		return false;
	*length -= (size_t)(equals + 1 - *word);
	*word = equals + 1;
	trim(word, length);
	return true;
}

int postfix_service_option(const struct postfix_service *service, const char *name, char **value)
{
	const char *word = service->field[POSTFIX_COMMAND];
	size_t length;

	*value = NULL;
	for (word = next_word(word, &length); length; word = next_word(word + length, &length)) {
		const char *option;
		size_t option_length;

		if (length < 2 || strncmp(word, "-o", 2))
			continue;
		if (length == 2) {
			word = next_word(word + length, &length);
		} else {
			word += 2;
			length -= 2;
		}
		option = word;
		option_length = length;
		if (!is_option(&option, &option_length, name))
			continue;
		free(*value);
		*value = strndup(option, option_length);
		if (!*value)
			return -ENOMEM;
	}
	return *value != NULL;
}

int postfix_option_remove(struct hook_text *text, const struct postfix_line *line,
			  const char *option)
{
	size_t length = strlen(option);
	const char *at = memmem(text->text + line->begin, line->end - line->begin, option, length);
	size_t begin, end;

	if (!at)
		return 0;
	begin = at - text->text;
	end = begin + length;
	while (begin > line->begin && isblank(text->text[begin - 1]))
		begin--;
	if (begin > line->begin && text->text[begin - 1] == '\n' && text->text[end] == '\n')
		end++;
	return hook_text_splice(text, begin, end, "", 0);
}

int postfix_replace(struct hook_text *text, const struct postfix_line *line, const char *name,
		    const char *lines)
{
	return hook_block_replace(text, name, "postfix", "#", line->begin, line->end, lines);
}

int postfix_main_set(struct hook_text *text, const char *name, const char *value)
{
	struct postfix_line line = {text->size, text->size};
	char *old, *bytes;
	int there = postfix_main_find(text, name, &line, &old), err;

	free(old);
	if (there < 0)
		return there;
	err = asprintf(&bytes, "%s%s = %s\n",
		       line.begin && text->text[line.begin - 1] != '\n' ? "\n" : "", name, value);
	if (err < 0)
		return -ENOMEM;
	err = hook_text_splice(text, line.begin, line.end, bytes, (size_t)err);
	free(bytes);
	return err;
}
