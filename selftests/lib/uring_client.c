/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * uring_client.c - an SMTP client that connects, sends and receives through io_uring alone: tools
 * that watch system calls see nothing of it. Arguments: ADDRESS PORT EHLO SENDER RECIPIENT...
 * Prints the replies; exits 0 when the mail was taken, 1 when not, 77 without io_uring.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	struct io_uring ring;
	int fd;
	char buffer[4096];
	size_t used;
};

static int complete(struct client *c)
{
	struct io_uring_cqe *cqe;
	int result;

	io_uring_submit(&c->ring);
	result = io_uring_wait_cqe(&c->ring, &cqe);
	if (result < 0)
		return result;
	result = cqe->res;
	io_uring_cqe_seen(&c->ring, cqe);
	return result;
}

static void end_if(int failed, const char *what, int error)
{
	if (!failed)
		return;
	printf("%s: errno %d %s\n", what, error, strerror(error));
	exit(1);
}

static socklen_t address_read(const char *text, int port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	end_if(inet_pton(AF_INET, text, &v4->sin_addr) != 1, text, EINVAL);
	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	return sizeof(*v4);
}

static void client_connect(struct client *c, const char *text, int port)
{
	struct sockaddr_storage address;
	socklen_t size = address_read(text, port, &address);
	int result;

	c->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	end_if(c->fd < 0, "socket", errno);
	io_uring_prep_connect(io_uring_get_sqe(&c->ring), c->fd, (struct sockaddr *)&address, size);
	result = complete(c);
	end_if(result < 0, "connect", -result);
}

static void client_send(struct client *c, const char *data, size_t size)
{
	while (size > 0) {
		int sent;

		io_uring_prep_send(io_uring_get_sqe(&c->ring), c->fd, data, size, MSG_NOSIGNAL);
		sent = complete(c);
		end_if(sent < 0, "send", -sent);
		data += sent;
		size -= sent;
	}
}

/* The code of the next reply, whose lines are printed. */
static int client_reply(struct client *c)
{
	for (;;) {
		char *end = memchr(c->buffer, '\n', c->used);
		int got;

		if (end) {
			size_t length = end + 1 - c->buffer;
			int code = strtol(c->buffer, NULL, 10);
			int more = length > 4 && c->buffer[3] == '-';

			fwrite(c->buffer, 1, length, stdout);
			c->used -= length;
			memmove(c->buffer, end + 1, c->used);
			if (!more)
				return code;
			continue;
		}
		end_if(c->used == sizeof(c->buffer), "reply", EMSGSIZE);
		io_uring_prep_recv(io_uring_get_sqe(&c->ring), c->fd, c->buffer + c->used,
				   sizeof(c->buffer) - c->used, 0);
		got = complete(c);
		end_if(got <= 0, "recv", got ? -got : ECONNRESET);
		c->used += got;
	}
}

static int client_ask(struct client *c, const char *head, const char *argument, const char *tail)
{
	char line[1024];
	int length = snprintf(line, sizeof(line), "%s%s%s\r\n", head, argument, tail);

	end_if(length < 0 || (size_t)length >= sizeof(line), head, EMSGSIZE);
	client_send(c, line, length);
	return client_reply(c);
}

static int client_mail(struct client *c, char **arguments)
{
	int taken = 0;

	if (client_reply(c) >= 400 || client_ask(c, "EHLO ", arguments[0], "") >= 400 ||
	    client_ask(c, "MAIL FROM:<", arguments[1], ">") >= 400)
		return 1;
	for (char **rcpt = arguments + 2; *rcpt; rcpt++)
		taken += client_ask(c, "RCPT TO:<", *rcpt, ">") < 400;
	if (!taken || client_ask(c, "DATA", "", "") != 354)
		return 1;
	return client_ask(c, "Subject: test\r\n\r\nhello\r\n.", "", "") >= 400;
}

int main(int argc, char **argv)
{
	static struct client c;
	int error, bad;

	if (argc < 6)
		return 2;
	error = io_uring_queue_init(8, &c.ring, 0);
	if (error) {
		fprintf(stderr, "%s\n", strerror(-error));
		return 77;
	}
	client_connect(&c, argv[1], strtol(argv[2], NULL, 10));
	bad = client_mail(&c, argv + 3);
	client_ask(&c, "QUIT", "", "");
	close(c.fd);
	io_uring_queue_exit(&c.ring);
	return bad;
}
