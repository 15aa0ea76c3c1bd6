// SPDX-License-Identifier: GPL-2.0-only
/*
 * contacts.c - reading customers' addresses.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "contacts.h"

#define FILE_BYTES_MAX	(4 * 1024 * 1024)
#define PANEL_BYTES_MAX (64 * 1024)

void contacts_free(struct contacts *c)
{
	free(c->bytes);
	c->bytes = NULL;
}

static int read_all(int fd, char *bytes, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, bytes + got, size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (int)got;
}

/* A regular file's bytes, ended by a NUL; the caller frees them. Their number or -errno. */
static int read_file(int fd, const struct stat *st, size_t max, char **bytes)
{
	int n;

	if (!S_ISREG(st->st_mode))
		return -EINVAL;
	if ((size_t)st->st_size > max)
		return -EFBIG;
	*bytes = malloc((size_t)st->st_size + 1);
	if (!*bytes)
		return -ENOMEM;
	n = read_all(fd, *bytes, (size_t)st->st_size);
	if (n < 0)
		free(*bytes);
	else
		(*bytes)[n] = '\0';
	return n;
}

static bool is_same(const struct contacts *c, const struct stat *st)
{
	return c->bytes && c->inode == st->st_ino && c->size == (size_t)st->st_size &&
	       c->changed_ns == st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
}

static int read_again(struct contacts *c, const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *bytes;
	int n;

	if (fd < 0)
		return -errno;
	n = fstat(fd, &st) ? -errno : 0;
	if (n == 0 && !is_same(c, &st)) {
		n = read_file(fd, &st, FILE_BYTES_MAX, &bytes);
		if (n >= 0) {
			free(c->bytes);
			c->bytes = bytes;
			c->size = (size_t)n;
			c->inode = st.st_ino;
			c->changed_ns = st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec;
		}
	}
	close(fd);
	return n < 0 ? n : 0;
}

/* The rest of a line, without blanks around it. False: it is no address. */
static bool take_address(const char *text, char address[MAIL_ADDRESS_SIZE])
{
	size_t length;

	text += strspn(text, " \t");
	length = strcspn(text, "\r\n");
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	if (length >= MAIL_ADDRESS_SIZE)
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	return mail_address_is(address, false);
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

int contacts_in_file(struct contacts *c, const char *file, const char *account,
		     char address[MAIL_ADDRESS_SIZE])
{
	size_t length = strlen(account);
	int err = read_again(c, file);

	if (err)
		return err;
	if (!length || account[0] == '#')
		return -ENOENT;
	for (const char *line = c->bytes; *line; line = next_line(line))
		if (!strncmp(line, account, length) &&
		    (line[length] == ' ' || line[length] == '\t'))
			return take_address(line + length, address) ? 0 : -ENOENT;
	return -ENOENT;
}

/* The value of a key: the first line that has it counts. */
static int read_panel(const char *file, const char *key, char address[MAIL_ADDRESS_SIZE])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	size_t length = strlen(key);
	int err = -ENOENT, n;
	struct stat st;
	char *bytes;

	if (fd < 0)
		return -errno;
	n = fstat(fd, &st) ? -errno : read_file(fd, &st, PANEL_BYTES_MAX, &bytes);
	close(fd);
	if (n < 0)
		return n;
	for (const char *line = bytes; *line; line = next_line(line)) {
		if (strncmp(line, key, length))
			continue;
		err = take_address(line + length, address) ? 0 : -ENOENT;
		break;
	}
	free(bytes);
	return err;
}

/* A user's name, which is a file's name then. */
static bool is_user(const char *account)
{
	return account[0] && account[0] != '.' && !strpbrk(account, "/:");
}

int contacts_in_panel(const struct contacts *c, const char *account,
		      char address[MAIL_ADDRESS_SIZE])
{
	const char *root = c->root ? c->root : "";
	char file[PATH_MAX];
	int err;

	if (!is_user(account))
		return -ENOENT;
	snprintf(file, sizeof(file), "%s/var/cpanel/users/%s", root, account);
	err = read_panel(file, "CONTACTEMAIL=", address);
	if (err != -ENOENT)
		return err;
	snprintf(file, sizeof(file), "%s/usr/local/directadmin/data/users/%s/user.conf", root,
		 account);
	return read_panel(file, "email=", address);
}
