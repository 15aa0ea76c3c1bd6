// SPDX-License-Identifier: GPL-2.0-only
/*
 * owners_read.c - makes a table of owners from the configured sources: finds their files, reads
 * them, and cuts them into lines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/log.h"
#include "owners_read.h"
#include "who/users.h"

#define QUOTE_SIZE 128

/* --- errors --------------------------------------------------------------------------------- */

int owners_fail(struct owners_reading *r, const char *format, ...)
{
	size_t used;
	va_list args;

	if (r->line)
		used = (size_t)snprintf(r->error, r->error_size, "%s:%u: ", r->file, r->line);
	else
		used = (size_t)snprintf(r->error, r->error_size, "%s: ", r->file);
	if (used < r->error_size) {
		va_start(args, format);
		vsnprintf(r->error + used, r->error_size - used, format, args);
		va_end(args);
	}
	return -EINVAL;
}

int owners_fail_quoted(struct owners_reading *r, const char *bytes, size_t size, const char *want)
{
	char quoted[QUOTE_SIZE];

	return owners_fail(r, "\"%s\": %s", log_escape(bytes, size, 1, quoted, sizeof(quoted)),
			   want);
}

/* --- lines ---------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int read_line(struct owners_reading *r, const char *line, size_t length, size_t line_max,
		     owners_line_fn each)
{
	if (length > line_max)
		return owners_fail(r, "%zu bytes: want lines of at most %zu", length, line_max);
	if (memchr(line, '\0', length))
		return owners_fail(r, "a zero byte: want a text file");
	while (length && is_blank(line[length - 1]))
		length--;
	while (length && is_blank(*line)) {
		line++;
		length--;
	}
	return length && *line != '#' ? each(r, line, length) : 0;
}

int owners_lines(struct owners_reading *r, const char *name, const char *bytes, size_t size,
		 size_t line_max, owners_line_fn each)
{
	const char *at = bytes, *end = bytes + size;
	char printable[PATH_MAX];
	int result = 0;

	r->file = log_escape(name, strlen(name), 1, printable, sizeof(printable));
	for (r->line = 1; at < end && !result; r->line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)) ?: end;

		result = read_line(r, at, (size_t)(newline - at), line_max, each);
		at = newline + 1;
	}
	r->line = 0;
	r->file = NULL;
	return result;
}

/* --- files ---------------------------------------------------------------------------------- */

/* The file may grow meanwhile. */
static int read_all(int fd, size_t guess, char **bytes, size_t *size)
{
	size_t room = guess + 1, used = 0;
	char *buffer = malloc(room), *larger;
	ssize_t n = 0;

	while (buffer && (n = read(fd, buffer + used, room - used)) > 0) {
		used += (size_t)n;
		if (used > OWNERS_FILE_BYTES)
			break;
		if (used < room)
			continue;
		room *= 2;
		larger = realloc(buffer, room);
		if (!larger)
			free(buffer);
		buffer = larger;
	}
	if (!buffer || n) {
		n = !buffer ? -ENOMEM : n < 0 ? -errno : -EFBIG;
		free(buffer);
		return (int)n;
	}
	*bytes = buffer;
	*size = used;
	return 0;
}

/* O_NONBLOCK: the open must not wait where the path is a pipe. */
static int load(const char *path, char **bytes, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if (st.st_size > OWNERS_FILE_BYTES)
		err = -EFBIG;
	if (!err)
		err = read_all(fd, (size_t)st.st_size, bytes, size);
	close(fd);
	return err;
}

static int fail_file(struct owners_reading *r, const char *path, int err)
{
	char printable[PATH_MAX];

	r->file = log_escape(path, strlen(path), 1, printable, sizeof(printable));
	if (err == -EFBIG)
		owners_fail(r, "want a file of at most %u MiB", OWNERS_FILE_BYTES >> 20);
	else if (err == -EINVAL)
		owners_fail(r, "want a regular file");
	else
		owners_fail(r, "cannot be read: %s", strerror(-err));
	r->file = NULL;
	return err;
}

int owners_file(struct owners_reading *r, const char *path, size_t line_max, owners_line_fn each)
{
	char below[PATH_MAX], *bytes = NULL;
	size_t size = 0;
	int err = -ENAMETOOLONG;

	if (snprintf(below, sizeof(below), "%s%s", r->root, path) < (int)sizeof(below))
		err = load(below, &bytes, &size);
	if (err)
		return fail_file(r, path, err);
	err = owners_lines(r, path, bytes, size, line_max, each);
	free(bytes);
	return err;
}

/* --- sources -------------------------------------------------------------------------------- */

static int read_own_file(struct owners_reading *r)
{
	int err = owners_file(r, r->config->owners_file, OWNERS_LINE_BYTES, owners_row_line);
	char note[PATH_MAX + 16];

	if (err)
		return err;
	snprintf(note, sizeof(note), "file %s", r->config->owners_file);
	owners_note_source(r->owners, note);
	return 0;
}

/* Where several sources name a domain, the first one in this order counts. */
static const struct {
	enum config_source source;
	int (*read)(struct owners_reading *r);
	int (*files)(const char *root, owners_file_fn each, void *arg);
} sources[] = {
	{CONFIG_SOURCE_FILE, read_own_file, NULL},
	{CONFIG_SOURCE_CPANEL, owners_read_cpanel, owners_files_cpanel},
	{CONFIG_SOURCE_DIRECTADMIN, owners_read_directadmin, owners_files_directadmin},
	{CONFIG_SOURCE_HESTIA, owners_read_hestia, owners_files_hestia},
};
#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static int read_files(struct owners_reading *r)
{
	enum config_source want = r->config->source;

	for (size_t i = 0; i < SOURCES; i++) {
		int err;

		if (want != CONFIG_SOURCE_AUTO && want != sources[i].source)
			continue;
		err = sources[i].read(r);
		if (err && (err != -ENOENT || want != CONFIG_SOURCE_AUTO))
			return err;
	}
	return 0;
}

/* A pipeline succeeds with its last command, so output without any line is an error. */
static int read_output(struct owners_reading *r, const char *output, size_t output_size)
{
	int err = owners_lines(r, "output of the command", output, output_size, OWNERS_LINE_BYTES,
			       owners_row_line);

	if (err)
		return err;
	r->file = "output of the command";
	if (!r->owners->domains.count && !r->owners->unknown)
		return owners_fail(r, "no domain in it: want lines of DOMAIN: USER");
	owners_note_source(r->owners, "command");
	return 0;
}

/* Users who are not in the file, or all if it cannot be read, are looked up one by one. */
static void read_users(struct owners_reading *r)
{
	char below[PATH_MAX];

	if (snprintf(below, sizeof(below), "%s" USERS_FILE, r->root) < (int)sizeof(below))
		users_read(&r->users, below);
}

int owners_read_root(const char *root, const struct config *config, const char *output,
		     size_t output_size, struct owners **owners, char *error, size_t error_size)
{
	struct owners_reading r = {.config = config,
				   .root = root,
				   .error = error,
				   .error_size = error_size,
				   .owners = owners_new()};
	int err;

	if (!r.owners) {
		snprintf(error, error_size, "owners: out of memory");
		return -ENOMEM;
	}
	name_table_init(&r.users);
	read_users(&r);
	err = config->source == CONFIG_SOURCE_COMMAND ? read_output(&r, output, output_size) :
							read_files(&r);
	name_table_free(&r.users);
	if (err) {
		owners_free(r.owners);
		return err;
	}
	*owners = r.owners;
	return 0;
}

int owners_read(const struct config *config, const char *output, size_t output_size,
		struct owners **owners, char *error, size_t error_size)
{
	return owners_read_root("", config, output, output_size, owners, error, error_size);
}

/* --- has a file changed? -------------------------------------------------------------------- */

struct signing {
	const char *root;
	uint64_t signature;
};

static int sign_file(void *arg, const char *path)
{
	struct signing *signing = arg;
	char below[PATH_MAX];
	struct stat st = {0};
	uint64_t words[7];

	if (snprintf(below, sizeof(below), "%s%s", signing->root, path) >= (int)sizeof(below) ||
	    stat(below, &st))
		memset(&st, 0, sizeof(st));
	words[0] = st.st_ino;
	words[1] = st.st_dev;
	words[2] = (uint64_t)st.st_size;
	words[3] = (uint64_t)st.st_mtim.tv_sec;
	words[4] = (uint64_t)st.st_mtim.tv_nsec;
	words[5] = (uint64_t)st.st_ctim.tv_sec;
	words[6] = (uint64_t)st.st_ctim.tv_nsec;
	/* It is a sum because a directory is read in any order. */
	signing->signature += hash_bytes(hash_bytes(0, path, strlen(path)), words, sizeof(words));
	return 0;
}

uint64_t owners_signature(const char *root, const struct config *config)
{
	struct signing signing = {.root = root, .signature = config->source};

	if (config->source == CONFIG_SOURCE_NONE || config->source == CONFIG_SOURCE_COMMAND)
		return signing.signature;
	/* The user of a row may be created later than the row. */
	sign_file(&signing, USERS_FILE);
	for (size_t i = 0; i < SOURCES; i++) {
		if (config->source != CONFIG_SOURCE_AUTO && config->source != sources[i].source)
			continue;
		if (sources[i].files)
			sources[i].files(root, sign_file, &signing);
		else
			sign_file(&signing, config->owners_file);
	}
	return signing.signature;
}
