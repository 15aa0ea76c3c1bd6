/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook.c - marked blocks in the text of a file, and plans of how files change.
 */
#include "hook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MARK_SIZE 256

/* What is put, behind the sign of a comment, before each physical line that is replaced: before one
 * that ends in a newline, and before a last line that does not. */
#define KEPT	  "was: "
#define KEPT_TORN "was> "

size_t hook_line_end(const struct hook_text *text, size_t at)
{
	const char *end = memchr(text->text + at, '\n', text->size - at);

	return end ? (size_t)(end - text->text) + 1 : text->size;
}

/* Does the line at `at` begin with these words, followed by a blank or its end? */
static bool line_has(const struct hook_text *text, size_t at, const char *words)
{
	size_t length = strlen(words);
	size_t end = hook_line_end(text, at);

	if (end - at < length || memcmp(text->text + at, words, length))
		return false;
	return at + length == text->size || strchr(" \r\n", text->text[at + length]);
}

/* The marker line that ends a block; `name` is followed by the rest of a line. */
static void write_end(char mark[MARK_SIZE], const char *comment, const char *name)
{
	snprintf(mark, MARK_SIZE, "%s END smtplimit %.*s", comment, (int)strcspn(name, " \r\n"),
		 name);
}

bool hook_block_find(const struct hook_text *text, const char *name, const char *comment,
		     size_t from, struct hook_block *found)
{
	char begin[MARK_SIZE], end[MARK_SIZE];
	bool open = false;
	size_t first = 0;

	snprintf(begin, sizeof(begin), "%s BEGIN smtplimit%s%s", comment, name ? " " : "",
		 name ? name : "");
	for (size_t at = from; at < text->size; at = hook_line_end(text, at)) {
		if (line_has(text, at, begin)) {
			const char *rest = text->text + at + strlen(begin);

			write_end(end, comment, name ? name : rest + (*rest == ' '));
			first = at;
			open = true;
		} else if (open && line_has(text, at, end)) {
			*found = (struct hook_block){first, hook_line_end(text, at)};
			return true;
		}
	}
	return false;
}

int hook_text_splice(struct hook_text *text, size_t begin, size_t end, const char *with,
		     size_t size)
{
	size_t rest, changed;
	char *bytes;

	if (begin > end || end > text->size)
		return -EINVAL;
	rest = text->size - end;
	changed = begin + size + rest;
	bytes = malloc(changed + 1);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, text->text, begin);
	memcpy(bytes + begin, with, size);
	memcpy(bytes + begin + size, text->text + end, rest);
	bytes[changed] = '\0';
	free(text->text);
	*text = (struct hook_text){bytes, changed};
	return 0;
}

/*
 * A block behind a last line that has no newline brings the newline before it, and has none at its
 * own end, so that the text is what it was once the block is taken out.
 */
int hook_block_put(struct hook_text *text, const char *name, const char *mta, const char *comment,
		   const char *lines, size_t at)
{
	struct hook_block old = {at, at};
	bool there = hook_block_find(text, name, comment, 0, &old);
	bool torn = there ? text->text[old.end - 1] != '\n' : at > 0 && text->text[at - 1] != '\n';
	char *block = NULL;
	int length, err;

	length = asprintf(&block,
			  "%s%s BEGIN smtplimit %s (smtplimit hook %s --remove takes this out)\n"
			  "%s%s%s END smtplimit %s%s",
			  torn && !there ? "\n" : "", comment, name, mta, lines,
			  *lines && lines[strlen(lines) - 1] != '\n' ? "\n" : "", comment, name,
			  torn ? "" : "\n");
	if (length < 0)
		return -ENOMEM;
	err = hook_text_splice(text, old.begin, old.end, block, length);
	free(block);
	return err;
}

void hook_block_cut(struct hook_text *text, struct hook_block block)
{
	if (block.begin > 0 && text->text[block.end - 1] != '\n')
		block.begin--;
	memmove(text->text + block.begin, text->text + block.end, text->size - block.end);
	text->size -= block.end - block.begin;
	text->text[text->size] = '\0';
}

bool hook_block_remove(struct hook_text *text, const char *name, const char *comment)
{
	struct hook_block block;

	if (!text->text || !hook_block_find(text, name, comment, 0, &block))
		return false;
	hook_block_cut(text, block);
	return true;
}

size_t hook_block_remove_all(struct hook_text *text, const char *comment)
{
	struct hook_block block;
	size_t count = 0;

	while (text->text && hook_block_find(text, NULL, comment, 0, &block)) {
		hook_block_cut(text, block);
		count++;
	}
	return count;
}

/* The lines of a block: the replaced ones as comments, then the new ones; malloc'ed. */
static char *kept_and_new(const struct hook_text *text, const char *comment, size_t begin,
			  size_t end, const char *lines)
{
	char *block = NULL;
	size_t size;
	FILE *out = open_memstream(&block, &size);

	if (!out)
		return NULL;
	while (begin < end) {
		size_t next = hook_line_end(text, begin);
		bool torn = text->text[next - 1] != '\n';

		fprintf(out, "%s%s%.*s%s", comment, torn ? KEPT_TORN : KEPT, (int)(next - begin),
			text->text + begin, torn ? "\n" : "");
		begin = next;
	}
	fputs(lines, out);
	return fclose(out) ? NULL : block;
}

int hook_block_replace(struct hook_text *text, const char *name, const char *mta,
		       const char *comment, size_t begin, size_t end, const char *lines)
{
	char *block = kept_and_new(text, comment, begin, end, lines);
	int err;

	if (!block)
		return -ENOMEM;
	err = hook_text_splice(text, begin, end, "", 0);
	err = err ? err : hook_block_put(text, name, mta, comment, block, begin);
	free(block);
	return err;
}

/* What the block whose first line is at `begin` has replaced; malloc'ed. */
static char *kept_of(const struct hook_text *text, const char *comment, size_t begin, size_t *size)
{
	size_t mark = strlen(comment) + strlen(KEPT);
	char *kept = NULL;
	FILE *out = open_memstream(&kept, size);
	size_t at, end;

	if (!out)
		return NULL;
	for (at = hook_line_end(text, begin); at < text->size; at = end) {
		const char *line = text->text + at;

		end = hook_line_end(text, at);
		if (end - at < mark || strncmp(line, comment, strlen(comment)))
			break;
		line += strlen(comment);
		if (!strncmp(line, KEPT, strlen(KEPT)))
			fwrite(line + strlen(KEPT), 1, end - at - mark, out);
		else if (!strncmp(line, KEPT_TORN, strlen(KEPT_TORN)))
			fwrite(line + strlen(KEPT_TORN), 1, end - at - mark - 1, out);
		else
			break;
	}
	return fclose(out) ? NULL : kept;
}

static bool find_last_block(const struct hook_text *text, const char *comment,
			    struct hook_block *block)
{
	bool found = false;

	for (block->end = 0; hook_block_find(text, NULL, comment, block->end, block);)
		found = true;
	return found;
}

/* The last block is first: what it replaced may have had no newline at its end. */
int hook_restore(struct hook_text *text, const char *comment)
{
	struct hook_block block;
	int err = 0;

	while (!err && text->text && find_last_block(text, comment, &block)) {
		size_t size, begin = block.begin;
		char *kept = kept_of(text, comment, begin, &size);

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

bool hook_block_present(const struct hook_text *text, const char *name, const char *comment)
{
	struct hook_block block;

	return text->text && hook_block_find(text, name, comment, 0, &block);
}

void hook_text_free(struct hook_text *text)
{
	free(text->text);
	*text = (struct hook_text){0};
}

int hook_text_copy(struct hook_text *to, const struct hook_text *from)
{
	struct hook_text copy = {0};

	if (from->text) {
		copy.text = malloc(from->size + 1);
		if (!copy.text)
			return -ENOMEM;
		memcpy(copy.text, from->text, from->size);
		copy.size = from->size;
		copy.text[copy.size] = '\0';
	}
	*to = copy;
	return 0;
}

static bool is_same(const struct hook_text *a, const struct hook_text *b)
{
	if (!a->text || !b->text)
		return !a->text && !b->text;
	return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

int hook_plan_add(struct hook_plan *plan, const char *path, struct hook_text *old,
		  struct hook_text *changed)
{
	char *name = NULL;
	int err = 0;

	if (is_same(old, changed)) {
		hook_text_free(old);
		hook_text_free(changed);
		return 0;
	}
	if (plan->count == HOOK_EDITS_MAX)
		err = -E2BIG;
	else if (!(name = strdup(path)))
		err = -ENOMEM;
	if (err) {
		hook_text_free(old);
		hook_text_free(changed);
		return err;
	}
	plan->edit[plan->count++] = (struct hook_edit){.path = name, .old = *old, .new = *changed};
	*old = *changed = (struct hook_text){0};
	return 0;
}

void hook_plan_free(struct hook_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		free((char *)plan->edit[i].path);
		hook_text_free(&plan->edit[i].old);
		hook_text_free(&plan->edit[i].new);
	}
	*plan = (struct hook_plan){0};
}
