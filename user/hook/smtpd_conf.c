/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtpd_conf.c - read the words of smtpd.conf's lines, and put ours between them.
 */
#include "smtpd_conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX   256
#define WORDS_ADDED 4 /* at the most, by a filter that is put in: { smtplimit , } */
#define BLANKS	    " \t\r"

struct word {
	const char *begin;
	size_t length;
};

/* A line that a backslash or quotes continue is one line. */
struct line {
	struct word word[WORDS_MAX];
	size_t count;
};

/* What is to be written in place of `length` bytes at `at`. */
struct change {
	const char *at;
	size_t length;
	const char *with;
};

#define CHANGES_MAX 2

static const char *comment_end(const char *at, const char *end)
{
	while (at < end && *at != '\n')
		at += *at == '\\' && at + 1 < end ? 2 : 1;
	return at;
}

/* 0: its quotes do not end. */
static size_t word_length(const char *at, const char *end)
{
	const char *begin = at;
	char quote = *at;

	if (quote == '"' || quote == '\'') {
		for (at++; at < end && *at != quote; at++)
			at += *at == '\\' && at + 1 < end;
		return at < end ? (size_t)(at - begin) + 1 : 0;
	}
	if (strchr("{},!=<>()", quote))
		return 1;
	while (at < end && !strchr(BLANKS "\n{},!=<>()\"'#\\", *at))
		at++;
	return at > begin ? (size_t)(at - begin) : 1;
}

/* Returns where the line ends. A line that cannot be read has no words. */
static const char *read_words(const char *at, const char *end, struct line *line)
{
	line->count = 0;
	while (at < end && *at != '\n') {
		size_t length;

		if (*at == '#')
			return comment_end(at, end);
		if (strchr(BLANKS, *at) || (*at == '\\' && at + 1 < end && at[1] == '\n')) {
			at += *at == '\\' ? 2 : 1;
			continue;
		}
		length = word_length(at, end);
		if (length == 0 || line->count == WORDS_MAX) {
			line->count = 0;
			return end;
		}
		line->word[line->count++] = (struct word){at, length};
		at += length;
	}
	return at;
}

static struct word unquoted(struct word w)
{
	if (w.length >= 2 && w.begin[0] == '"' && w.begin[w.length - 1] == '"')
		return (struct word){w.begin + 1, w.length - 2};
	return w;
}

static bool is_word(const struct line *line, size_t i, const char *text)
{
	return i < line->count && line->word[i].length == strlen(text) &&
	       memcmp(line->word[i].begin, text, strlen(text)) == 0;
}

static bool is_ours(const struct line *line, size_t i)
{
	struct word w = i < line->count ? unquoted(line->word[i]) : (struct word){"", 0};

	return w.length == strlen(SMTPD_CONF_FILTER) &&
	       memcmp(w.begin, SMTPD_CONF_FILTER, w.length) == 0;
}

static bool is_listener(const struct line *line)
{
	return is_word(line, 0, "listen") && is_word(line, 1, "on") && line->count > 2 &&
	       !is_word(line, line->count - 1, "filter");
}

/* The index of the brace that opens a line's list of filters; 0: it has none, or an empty one. */
static size_t find_list(const struct line *line)
{
	size_t i;

	if (is_word(line, 0, "filter") && is_word(line, 2, "chain"))
		return is_word(line, 3, "{") && line->count > 4 ? 3 : 0;
	for (i = 2; is_listener(line) && i + 2 < line->count; i++)
		if (is_word(line, i, "filter") && is_word(line, i + 1, "{"))
			return i + 1;
	return 0;
}

/* The index of the word behind a listener's `filter`; 0: there is none. */
static size_t find_filter(const struct line *line)
{
	for (size_t i = 2; is_listener(line) && i + 1 < line->count; i++)
		if (is_word(line, i, "filter"))
			return i + 1;
	return 0;
}

static int keep_name(char (*names)[SMTPD_CONF_NAME_SIZE], size_t *count, size_t max, struct word w)
{
	w = unquoted(w);
	if (*count == max || w.length >= SMTPD_CONF_NAME_SIZE)
		return -E2BIG;
	memcpy(names[*count], w.begin, w.length);
	names[(*count)++][w.length] = '\0';
	return 0;
}

int smtpd_conf_scan(struct smtpd_conf *conf, const struct hook_text *text)
{
	const char *at = text->text, *end = at + text->size;
	struct line line;
	int err = 0;

	for (; at < end && !err; at++) {
		const char *stop = read_words(at, end, &line);

		/* With our words the line would be too long to be read, and they would stay in. */
		if (line.count > WORDS_MAX - WORDS_ADDED)
			err = -E2BIG;
		else if (is_word(&line, 0, "filter") && is_word(&line, 2, "chain"))
			err = keep_name(conf->chain, &conf->chains, SMTPD_CONF_CHAINS_MAX,
					line.word[1]);
		else if (is_word(&line, 0, "include") && line.count > 1)
			err = keep_name(conf->include, &conf->includes, SMTPD_CONF_INCLUDES_MAX,
					line.word[1]);
		else if (is_listener(&line) && is_word(&line, 2, "socket"))
			conf->has_socket = true;
		at = stop;
	}
	return err;
}

static bool is_chain(const struct smtpd_conf *conf, struct word w)
{
	size_t i = 0;

	w = unquoted(w);
	while (i < conf->chains &&
	       (strlen(conf->chain[i]) != w.length || memcmp(conf->chain[i], w.begin, w.length)))
		i++;
	return i < conf->chains;
}

static const char *behind(const struct line *line, size_t i)
{
	return line->word[i].begin + line->word[i].length;
}

/* The changes that put our filter in. Returns how many there are. */
static size_t changes_to_add(const struct smtpd_conf *conf, const struct line *line,
			     struct change change[CHANGES_MAX])
{
	size_t list = find_list(line), filter = find_filter(line), i;

	for (i = list; list && i < line->count; i++)
		if (is_ours(line, i))
			return 0;
	if (list) {
		change[0] = (struct change){behind(line, list), 0, SMTPD_CONF_FILTER ", "};
		return 1;
	}
	if (!is_listener(line) ||
	    (filter && (is_ours(line, filter) || is_chain(conf, line->word[filter]))))
		return 0;
	if (!filter) {
		change[0] = (struct change){behind(line, line->count - 1), 0,
					    " filter " SMTPD_CONF_FILTER};
		return 1;
	}
	change[0] = (struct change){line->word[filter].begin, 0, "{ " SMTPD_CONF_FILTER ", "};
	change[1] = (struct change){behind(line, filter), 0, " }"};
	return 2;
}

/* Does the line have this text at `at`, within its words? */
static bool stands(const struct line *line, const char *at, const char *text)
{
	const char *end = behind(line, line->count - 1);

	return (size_t)(end - at) >= strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

static size_t changes_to_remove(const struct line *line, struct change change[CHANGES_MAX])
{
	static const char alone[] = " filter " SMTPD_CONF_FILTER;
	static const char listed[] = SMTPD_CONF_FILTER ", ",
			  wrapped[] = "{ " SMTPD_CONF_FILTER ", ";
	size_t list = find_list(line), filter = find_filter(line);

	if (list && stands(line, behind(line, list), listed)) {
		change[0] = (struct change){behind(line, list), strlen(listed), ""};
		return 1;
	}
	/* { smtplimit , NAME } */
	if (list && line->count > list + 4 && stands(line, line->word[list].begin, wrapped) &&
	    is_word(line, list + 4, "}") && stands(line, behind(line, list + 3), " }")) {
		change[0] = (struct change){line->word[list].begin, strlen(wrapped), ""};
		change[1] = (struct change){behind(line, list + 3), 2, ""};
		return 2;
	}
	if (!list && filter > 1 && is_ours(line, filter) &&
	    stands(line, behind(line, filter - 2), alone)) {
		change[0] = (struct change){behind(line, filter - 2), strlen(alone), ""};
		return 1;
	}
	return 0;
}

/* conf NULL: remove. */
static void write_changed(const struct smtpd_conf *conf, const struct hook_text *text, FILE *out)
{
	const char *at = text->text, *end = at + text->size, *from = at;
	struct change change[CHANGES_MAX];
	struct line line;

	for (; at < end; at++) {
		const char *stop = read_words(at, end, &line);
		size_t count = 0;

		if (line.count)
			count = conf ? changes_to_add(conf, &line, change) :
				       changes_to_remove(&line, change);
		for (size_t i = 0; i < count; i++) {
			fwrite(from, 1, (size_t)(change[i].at - from), out);
			fputs(change[i].with, out);
			from = change[i].at + change[i].length;
		}
		at = stop;
	}
	fwrite(from, 1, (size_t)(end - from), out);
}

static int change_text(const struct smtpd_conf *conf, struct hook_text *text)
{
	struct hook_text changed = {0};
	FILE *out = open_memstream(&changed.text, &changed.size);

	if (!out)
		return -ENOMEM;
	write_changed(conf, text, out);
	if (fclose(out)) {
		free(changed.text);
		return -ENOMEM;
	}
	hook_text_free(text);
	*text = changed;
	return 0;
}

int smtpd_conf_add(const struct smtpd_conf *conf, struct hook_text *text)
{
	return change_text(conf, text);
}

int smtpd_conf_remove(struct hook_text *text)
{
	return change_text(NULL, text);
}
