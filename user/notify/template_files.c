// SPDX-License-Identifier: GPL-2.0-only
/*
 * template_files.c - reading the administrator's templates.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "template_files.h"

/* One more byte than fits, so that a longer file is noticed. */
#define READ_BYTES (TEMPLATE_BYTES + TEMPLATE_SUBJECT_SIZE + 16)

/* The number of its bytes, -ENOENT: there is none, or another -errno. */
static ssize_t read_bytes(const char *file, char *bytes, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		n = -errno;
	else if (!S_ISREG(st.st_mode))
		n = -EINVAL;
	else if ((n = read(fd, bytes, size)) < 0)
		n = -errno;
	close(fd);
	return n;
}

static void read_one(const char *file, struct template *t)
{
	char bytes[READ_BYTES], error[PATH_MAX + 256];
	ssize_t n = read_bytes(file, bytes, sizeof(bytes));

	if (n == -ENOENT || n == -ENOTDIR)
		return;
	if (n < 0)
		log_error("%s: cannot be read: %s; the default text is used", file,
			  strerror((int)-n));
	else if (template_parse(file, bytes, (size_t)n, t, error, sizeof(error)))
		log_error("%s; the default text is used", error);
}

void template_files_read(const char *directory, struct template_set *set)
{
	char name[64], file[PATH_MAX];

	memset(set, 0, sizeof(*set));
	if (!directory || !directory[0])
		return;
	for (uint32_t kind = 1; kind < TEMPLATES; kind++) {
		for (int customer = 0; customer < 2; customer++) {
			if (customer && !template_default(kind, true)->subject[0])
				continue;
			template_name(kind, customer, name, sizeof(name));
			if (snprintf(file, sizeof(file), "%s/%s", directory, name) <
			    (int)sizeof(file))
				read_one(file, &set->own[kind][customer]);
		}
	}
}
