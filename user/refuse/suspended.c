/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suspended.c - the file `suspended`, written by the daemon, read for mail servers when the daemon
 * does not answer.
 */
#include "refusal_text.h"
#include "suspended.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>

#define NEW_FILE    ".suspended"
#define LINE_SIZE   1024
#define MODE	    0644
#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ."
#define TIME_SIZE   sizeof("2026-11-21T14:05:00Z.")

struct suspended_writer {
	char path[PATH_MAX];
	char new_path[PATH_MAX];
	char *text;
	size_t size;
	FILE *memory;
};

int suspended_begin(const char *run, struct suspended_writer **writer)
{
	struct suspended_writer *w = calloc(1, sizeof(*w));
	int n, m;

	if (!w)
		return -ENOMEM;
	n = snprintf(w->path, sizeof(w->path), "%s/" SUSPENDED_FILE, run);
	m = snprintf(w->new_path, sizeof(w->new_path), "%s/" NEW_FILE, run);
	if (n >= (int)sizeof(w->path) || m >= (int)sizeof(w->new_path)) {
		free(w);
		return -ENAMETOOLONG;
	}
	w->memory = open_memstream(&w->text, &w->size);
	if (!w->memory) {
		free(w);
		return -ENOMEM;
	}
	*writer = w;
	return 0;
}

void suspended_abandon(struct suspended_writer *w)
{
	if (w->memory)
		fclose(w->memory);
	free(w->text);
	free(w);
}

/* lsearch ends a key at a colon or blank, takes '"' for quotes and '#' for a comment. */
static bool is_name(const char *name)
{
	const char *c;

	if (!*name || *name == '#')
		return false;
	for (c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == ':' || *c == '"')
			return false;
	return c - name < LINE_SIZE - SUSPENDED_TEXT_SIZE - 8;
}

static bool is_text(const char *text)
{
	const char *c;

	for (c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			return false;
	return *text && *text != ' ' && c - text < SUSPENDED_TEXT_SIZE;
}

int suspended_add(struct suspended_writer *w, const char *name, const char *text)
{
	if (!is_name(name) || !is_text(text))
		return -EINVAL;
	return fprintf(w->memory, "%s: %s\n", name, text) < 0 ? -ENOMEM : 0;
}

/* Does the file say exactly this, to all? */
static bool is_in_place(const struct suspended_writer *w)
{
	FILE *f = fopen(w->path, "re");
	bool same = false;
	char *old = NULL;
	struct stat st;

	if (!f)
		return false;
	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == MODE &&
	    (size_t)st.st_size == w->size) {
		old = malloc(w->size + 1);
		same = old && fread(old, 1, w->size + 1, f) == w->size &&
		       memcmp(old, w->text, w->size) == 0;
	}
	free(old);
	fclose(f);
	return same;
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* What is left of a writer that died is no obstacle. */
static int write_new(const struct suspended_writer *w)
{
	int fd, err;

	unlink(w->new_path);
	fd = open(w->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, w->text, w->size);
	if (!err && fchmod(fd, MODE))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int suspended_commit(struct suspended_writer *w)
{
	int err = fclose(w->memory) ? -ENOMEM : 0;

	w->memory = NULL;
	if (!err && !is_in_place(w)) {
		err = write_new(w);
		if (!err && rename(w->new_path, w->path))
			err = -errno;
		if (err)
			unlink(w->new_path);
	}
	suspended_abandon(w);
	return err;
}

/* The time at the very end of a text, in the one form that refusal_text() writes. */
static bool read_end(const char *text, int64_t *end_s)
{
	size_t length = strlen(text);
	const char *from = text + length - (TIME_SIZE - 1);
	char again[TIME_SIZE];
	const char *rest;
	struct tm tm = {0};

	if (length < strlen(REFUSAL_AGAIN_AT) + TIME_SIZE - 1 ||
	    strncmp(from - strlen(REFUSAL_AGAIN_AT), REFUSAL_AGAIN_AT, strlen(REFUSAL_AGAIN_AT)))
		return false;
	rest = strptime(from, TIME_FORMAT, &tm);
	if (!rest || *rest)
		return false;
	*end_s = timegm(&tm);
	/* strptime(3) takes a 31st of February, and a second 60. */
	strftime(again, sizeof(again), TIME_FORMAT, &tm);
	return strcmp(again, from) == 0;
}

/* Is it a line of this name, in force? Then the text. */
static const char *line_text(char *line, const char *name, int64_t now_wall_s, int64_t *end_s)
{
	size_t length = strlen(name);
	char *text;

	if (strncasecmp(line, name, length) || strncmp(line + length, ": ", 2))
		return NULL;
	text = line + length + 2;
	text[strcspn(text, "\n")] = '\0';
	if (!is_text(text) || !read_end(text, end_s) || *end_s <= now_wall_s)
		return NULL;
	return text;
}

int suspended_find(const char *run, const char *name, int64_t now_wall_s, const char *contact,
		   char *text, size_t text_size)
{
	char path[PATH_MAX], line[LINE_SIZE];
	const char *found = NULL;
	bool begins = true;
	int64_t end_s = 0;
	FILE *f;

	if (!is_name(name))
		return -ENOENT;
	if (snprintf(path, sizeof(path), "%s/" SUSPENDED_FILE, run) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!found && fgets(line, sizeof(line), f)) {
		bool whole = strchr(line, '\n') != NULL;

		if (begins && whole)
			found = line_text(line, name, now_wall_s, &end_s);
		begins = whole;
	}
	fclose(f);
	if (!found)
		return -ENOENT;
	if (snprintf(text, text_size, "%s", found) >= (int)text_size)
		return -ENOBUFS;
	refusal_text_complete(text, text_size, end_s, now_wall_s, contact);
	return 0;
}
