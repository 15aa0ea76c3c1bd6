/* SPDX-License-Identifier: GPL-2.0-only */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES 8192
_Static_assert(CONFIG_FILE_BYTES_MAX % FILE_BYTES == 0, "it is doubled up to the most");

/* -EFBIG: it goes on behind the most that is read. */
static int read_bytes(FILE *f, char **text, size_t *size)
{
	size_t room = 0;
	char *grown;

	for (*size = 0; *size == room; *size += fread(*text + *size, 1, room - *size, f)) {
		if (room == CONFIG_FILE_BYTES_MAX)
			return -EFBIG;
		room = room ? 2 * room : FILE_BYTES;
		grown = realloc(*text, room + 1);
		if (!grown)
			return -ENOMEM;
		*text = grown;
	}
	return ferror(f) ? -errno : 0;
}

static int read_all(FILE *f, struct config_file *file)
{
	size_t size;
	int error;

	*file = (struct config_file){};
	error = read_bytes(f, &file->text, &size);
	if (error) {
		config_file_free(file);
		return error;
	}
	file->begin = file->text;
	file->end = file->text + size;
	*file->end = '\0';
	if (size >= 3 && !memcmp(file->begin, "\xef\xbb\xbf", 3))
		file->begin += 3;
	return 0;
}

int config_file_load(const char *path, struct config_file *file)
{
	FILE *f = fopen(path, "re");
	int error;

	*file = (struct config_file){};
	if (!f)
		return -errno;
	error = read_all(f, file);
	fclose(f);
	return error;
}

static bool others_may_write(const struct stat *st)
{
	return (st->st_uid && st->st_uid != geteuid()) || st->st_mode & S_IWOTH ||
	       (st->st_mode & S_IWGRP && st->st_gid);
}

/* Opens without waiting, as the path may be a pipe. */
static int open_guarded(const char *path, char *why, size_t why_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = EINVAL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		error = errno;
		snprintf(why, why_size, "cannot read it: %s", strerror(error));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(why, why_size, "is no regular file: want a text file");
	} else if (others_may_write(&st)) {
		snprintf(why, why_size,
			 "others than root may write to it: want root as its owner, and nobody "
			 "else to write (chown root:root, chmod 644)");
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -error;
}

int config_file_load_guarded(const char *path, struct config_file *file, char *why, size_t why_size)
{
	int fd = open_guarded(path, why, why_size), error;
	FILE *f;

	*file = (struct config_file){};
	if (fd < 0)
		return fd;
	f = fdopen(fd, "re");
	error = f ? read_all(f, file) : -errno;
	if (f)
		fclose(f);
	else
		close(fd);
	if (error)
		snprintf(why, why_size, "cannot read it: %s", strerror(-error));
	return error;
}

void config_file_free(struct config_file *file)
{
	free(file->text);
	*file = (struct config_file){};
}

int config_directory_check(const char *path, char *why, size_t why_size)
{
	struct stat st;

	if (stat(path, &st)) {
		int error = errno;

		snprintf(why, why_size, "cannot read it: %s", strerror(error));
		return -error;
	}
	if (!S_ISDIR(st.st_mode)) {
		snprintf(why, why_size, "is no directory: want one, or nothing there");
		return -ENOTDIR;
	}
	if (others_may_write(&st)) {
		snprintf(why, why_size,
			 "others than root may write to it: want root as its owner, and nobody "
			 "else to write (chown root:root, chmod 755)");
		return -EPERM;
	}
	return 0;
}
