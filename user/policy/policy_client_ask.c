/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_ask.c - asks the daemon through its socket `exim`, within a bounded time, and reads
 * the file `suspended` when there is no answer.
 */
#include "base/clock.h"
#include "policy_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "policy_line.h"
#include "policy_word.h"

static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int r;

	do {
		left = deadline_ms - clock_mono_ms();
		r = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return r ? 0 : -ETIMEDOUT;
}

/* With a full backlog this fails by EAGAIN: the daemon does not keep up. */
static int connect_to(const char *run)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/exim", run);
	int fd, err;

	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int send_all(int fd, const char *bytes, size_t size, int64_t deadline_ms)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
		int err = 0;

		if (n < 0 && errno == EAGAIN)
			err = wait_for(fd, POLLOUT, deadline_ms);
		else if (n < 0 && errno != EINTR)
			err = -errno;
		if (err)
			return err;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Receives a line with its LF. A line that ends without one was cut off, and is no answer. */
static int receive_line(int fd, char *line, size_t size, int64_t deadline_ms)
{
	size_t length = 0;

	while (length < size - 1) {
		ssize_t n = recv(fd, line + length, size - 1 - length, 0);
		int err = 0;

		if (n == 0)
			return -EPROTO;
		if (n < 0 && errno == EAGAIN)
			err = wait_for(fd, POLLIN, deadline_ms);
		else if (n < 0 && errno != EINTR)
			err = -errno;
		if (err)
			return err;
		length += n > 0 ? (size_t)n : 0;
		line[length] = '\0';
		if (strchr(line, '\n'))
			return 0;
	}
	return -EMSGSIZE;
}

/* The text goes to a mail server's client, so it is made printable whoever wrote it. */
static void take_text(char text[POLICY_CLIENT_TEXT_SIZE], const char *refusal)
{
	snprintf(text, POLICY_CLIENT_TEXT_SIZE, "%s", refusal);
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int converse(int fd, const struct submission *o, char text[POLICY_CLIENT_TEXT_SIZE])
{
	int64_t deadline_ms = clock_mono_ms() + POLICY_CLIENT_WAIT_MS;
	char line[POLICY_LINE_MAX];
	const char *refusal;
	size_t length = policy_line_ask(o, line, sizeof(line));
	int err;

	if (!length)
		return -EMSGSIZE;
	err = send_all(fd, line, length, deadline_ms);
	if (!err)
		err = receive_line(fd, line, POLICY_LINE_ANSWER_SIZE, deadline_ms);
	if (err)
		return err;
	refusal = policy_line_refusal(line);
	if (!refusal)
		return strncmp(line, "ok ", 3) ? -EPROTO : 0;
	take_text(text, refusal);
	return 1;
}

int policy_client_daemon(const char *run, const struct submission *o,
			 char text[POLICY_CLIENT_TEXT_SIZE])
{
	int fd = connect_to(run);
	int r;

	if (fd < 0)
		return fd;
	r = converse(fd, o, text);
	close(fd);
	return r;
}

bool policy_client_ask(struct policy_client *a, const struct submission *o,
		       char text[POLICY_CLIENT_TEXT_SIZE])
{
	int r = -ETIMEDOUT;

	if (clock_mono_ms() >= a->quiet_until_ms) {
		r = policy_client_daemon(a->config->run, o, text);
		if (r == -ETIMEDOUT)
			a->quiet_until_ms = clock_mono_ms() + POLICY_CLIENT_QUIET_MS;
	}
	return r < 0 ? policy_client_suspended(a->config, o, text) : r > 0;
}

int policy_client_write(const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}
