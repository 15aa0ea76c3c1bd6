/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postfix_cf.c - find and replace logical lines of main.cf and master.cf.
 */
#include "postfix_cf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is put before each physical line that is replaced: before one that ends in a newline, and
 * before a last line that does not. */
#define KEPT	  "#was: "
#define KEPT_TORN "#was> "

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
		if (cut_fields(service) && is_local(service))
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
		if (!strcmp(service->field[POSTFIX_NAME], name))
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

/* The lines of a block: the replaced ones as comments, then the new ones; malloc'ed. */
static char *block_lines(const struct hook_text *text, const struct postfix_line *line,
			 const char *lines)
{
	char *block = NULL;
	size_t size;
	FILE *out = open_memstream(&block, &size);

	if (!out)
		return NULL;
	for (size_t at = line->begin; at < line->end;) {
		size_t end = hook_line_end(text, at);
		bool torn = text->text[end - 1] != '\n';

		fprintf(out, "%s%.*s%s", torn ? KEPT_TORN : KEPT, (int)(end - at), text->text + at,
			torn ? "\n" : "");
		at = end;
	}
	fputs(lines, out);
	return fclose(out) ? NULL : block;
}

int postfix_replace(struct hook_text *text, const struct postfix_line *line, const char *name,
		    const char *lines)
{
	char *block = block_lines(text, line, lines);
	int err;

	if (!block)
		return -ENOMEM;
	err = hook_text_splice(text, line->begin, line->end, "", 0);
	err = err ? err : hook_block_put(text, name, "postfix", "#", block, line->begin);
	free(block);
	return err;
}

/* What the block whose first line is at `begin` has replaced; malloc'ed. */
static char *kept_of(const struct hook_text *text, size_t begin, size_t *size)
{
	char *kept = NULL;
	FILE *out = open_memstream(&kept, size);
	size_t at, end;

	if (!out)
		return NULL;
	for (at = hook_line_end(text, begin); at < text->size; at = end) {
		const char *line = text->text + at;

		end = hook_line_end(text, at);
		if (!strncmp(line, KEPT, strlen(KEPT)))
			fwrite(line + strlen(KEPT), 1, end - at - strlen(KEPT), out);
		else if (!strncmp(line, KEPT_TORN, strlen(KEPT_TORN)))
			fwrite(line + strlen(KEPT_TORN), 1, end - at - strlen(KEPT_TORN) - 1, out);
		else
			break;
	}
	return fclose(out) ? NULL : kept;
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

static bool find_last_block(const struct hook_text *text, struct hook_block *block)
{
	bool found = false;

	for (block->end = 0; hook_block_find(text, NULL, "#", block->end, block);)
		found = true;
	return found;
}

/* The last block is first: what it replaced may have had no newline at its end. */
int postfix_restore(struct hook_text *text)
{
	struct hook_block block;
	int err = 0;

	while (!err && find_last_block(text, &block)) {
		size_t size, begin = block.begin;
		char *kept = kept_of(text, begin, &size);

		if (!kept)
			return -ENOMEM;
		/* A block with kept lines was written with a newline, which an editor took away. */
		if (size && text->text[block.end - 1] != '\n') {
			err = hook_text_splice(text, block.end, block.end, "\n", 1);
			block.end++;
		}
		if (!err)
			hook_block_cut(text, block);
		if (!err && size)
			err = hook_text_splice(text, begin, begin, kept, size);
		free(kept);
	}
	return err;
}
