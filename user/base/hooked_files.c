// SPDX-License-Identifier: GPL-2.0-only
/*
 * hooked_files.c - the file `hooks`: read, written, and compared with what the mail servers' files
 * hold now.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "hooked_files.h"

#define WORD	   "smtplimit"
#define FIELDS	   5
#define BYTES_MAX  (16u << 20) /* what `hook` edits is not larger */
#define FIRST_LINE "# Made by smtplimit hook: which files hold its lines. smtplimit-hook(8)\n"

static void file_free(struct hooked_file *f)
{
	free(f->mta);
	free(f->root);
	free(f->dir);
	free(f->path);
}

void hooked_files_free(struct hooked_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		file_free(&files->file[i]);
	files->count = 0;
}

int hooked_files_add(struct hooked_files *files, const char *mta, const char *root, const char *dir,
		     const char *path, unsigned int lines)
{
	struct hooked_file *f = &files->file[files->count];

	if (strpbrk(root, "\t\n") || strpbrk(dir, "\t\n") || strpbrk(path, "\t\n"))
		return -EINVAL;
	if (files->count == HOOKED_FILES_MAX)
		return -E2BIG;
	*f = (struct hooked_file){strdup(mta), strdup(root), strdup(dir), strdup(path), lines};
	if (!f->mta || !f->root || !f->dir || !f->path) {
		file_free(f);
		return -ENOMEM;
	}
	files->count++;
	return 0;
}

bool hooked_file_same(const struct hooked_file *a, const struct hooked_file *b)
{
	return !strcmp(a->mta, b->mta) && !strcmp(a->root, b->root) && !strcmp(a->dir, b->dir);
}

void hooked_files_drop(struct hooked_files *files, const char *mta, const char *root,
		       const char *dir)
{
	const struct hooked_file which = {(char *)mta, (char *)root, (char *)dir, NULL, 0};
	size_t kept = 0;

	for (size_t i = 0; i < files->count; i++)
		if (hooked_file_same(&files->file[i], &which))
			file_free(&files->file[i]);
		else
			files->file[kept++] = files->file[i];
	files->count = kept;
}

static int parse_line(struct hooked_files *files, char *line)
{
	char *field[FIELDS], *end;
	unsigned long lines;

	if (line[0] == '#')
		return 0;
	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < FIELDS; i++)
		field[i] = strsep(&line, "\t");
	if (!field[FIELDS - 1] || line || field[4][0] != '/')
		return -EBADMSG;
	errno = 0;
	lines = strtoul(field[3], &end, 10);
	if (errno || *end || end == field[3] || lines > UINT_MAX)
		return -EBADMSG;
	return hooked_files_add(files, field[0], field[1], field[2], field[4], lines);
}

/* A FIFO or a device in the place of a file blocks nobody. NULL with errno. */
static FILE *open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	FILE *in;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > BYTES_MAX) {
		close(fd);
		errno = EINVAL;
		return NULL;
	}
	in = fdopen(fd, "r");
	if (!in)
		close(fd);
	return in;
}

/* The clock may have been set back since. */
static bool is_unfinished(FILE *in)
{
	struct stat st;
	time_t age_s;

	if (fstat(fileno(in), &st))
		return false;
	age_s = time(NULL) - st.st_mtime;
	return age_s < -HOOKED_WORK_S || age_s >= HOOKED_WORK_S;
}

int hooked_files_read(const char *state, struct hooked_files *files)
{
	char path[PATH_MAX], *line = NULL;
	size_t room = 0;
	int err = 0;
	FILE *in;

	files->count = 0;
	snprintf(path, sizeof(path), "%s/" HOOKED_FILES, state);
	in = open_file(path);
	if (!in)
		return errno == ENOENT ? 0 : -errno;
	while (getline(&line, &room, in) > 0) {
		int r = parse_line(files, line);

		err = err ? err : r;
	}
	free(line);
	if (is_unfinished(in))
		for (size_t i = 0; i < files->count; i++)
			if (!files->file[i].lines)
				files->file[i].lines = UINT_MAX;
	fclose(in);
	return err;
}

static int write_lines(int fd, const struct hooked_files *files)
{
	FILE *out = fdopen(fd, "w");
	bool failed;

	if (!out) {
		close(fd);
		return -ENOMEM;
	}
	fputs(FIRST_LINE, out);
	for (size_t i = 0; i < files->count; i++) {
		const struct hooked_file *f = &files->file[i];

		fprintf(out, "%s\t%s\t%s\t%u\t%s\n", f->mta, f->root, f->dir, f->lines, f->path);
	}
	failed = fflush(out) || fsync(fd);
	return fclose(out) || failed ? -EIO : 0;
}

int hooked_files_write(const char *state, const struct hooked_files *files)
{
	char path[PATH_MAX], temporary[PATH_MAX + 8];
	int fd, err;

	if (mkdir(state, 0700) && errno != EEXIST)
		return -errno;
	if (snprintf(path, sizeof(path), "%s/" HOOKED_FILES, state) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	snprintf(temporary, sizeof(temporary), "%s~XXXXXX", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = write_lines(fd, files);
	if (!err && rename(temporary, path))
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

unsigned int hooked_lines(const char *text, size_t size)
{
	const char *at = text, *end = text + size;
	unsigned int count = 0;

	while (at && (at = memmem(at, end - at, WORD, strlen(WORD)))) {
		count++;
		at = memchr(at, '\n', end - at);
	}
	return count;
}

static unsigned int count_lines(FILE *in)
{
	unsigned int count = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, in)) > 0)
		count += hooked_lines(line, n);
	free(line);
	return count;
}

bool hooked_file_lacks(const struct hooked_file *f, char **why)
{
	unsigned int lines = 0;
	int err;
	FILE *in;

	*why = NULL;
	if (!f->lines)
		return false;
	in = open_file(f->path);
	err = in ? 0 : errno;
	if (in) {
		lines = count_lines(in);
		fclose(in);
		if (lines >= f->lines)
			return false;
	}
	if (asprintf(why, "%s %s", f->path,
		     err == ENOENT ? "is gone" :
		     err	   ? strerror(err) :
		     lines	   ? "lacks a part of it" :
				     "lacks it") < 0)
		*why = NULL;
	return true;
}
