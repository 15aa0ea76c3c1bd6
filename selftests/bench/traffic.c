// SPDX-License-Identifier: GPL-2.0-only
/*
 * traffic.c - TCP traffic that is no mail, for bench.py: one-byte ping-pong and bulk.
 *
 *     traffic echo|sink ADDRESS PORT            one client after the other, until it is killed
 *     traffic pingpong ADDRESS PORT COUNT       one byte there and back, COUNT times
 *     traffic bulk ADDRESS PORT MIB             until the sink has read all of it
 *
 * A server prints "ready"; a client prints the nanoseconds that it took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MIB	   (1 << 20)
#define BULK_BYTES 65536

static char buffer[BULK_BYTES];

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || !value || value > max) {
		errno = EINVAL;
		die(text);
	}
	return value;
}

static int open_socket(const char *address, const char *port, struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	memset(to, 0, sizeof(*to));
	to->sin_family = AF_INET;
	to->sin_port = htons(number(port, 65535));
	if (fd < 0 || inet_pton(AF_INET, address, &to->sin_addr) != 1)
		die(address);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		die("setsockopt");
	return fd;
}

static void send_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = send(fd, data, bytes, MSG_NOSIGNAL);

		if (n < 0)
			die("send");
		data += n;
		bytes -= n;
	}
}

static void serve(const char *address, const char *port, int echo)
{
	struct sockaddr_in at;
	int listener = open_socket(address, port, &at);

	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 16))
		die("bind");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		ssize_t n;

		if (fd < 0)
			die("accept");
		while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
			if (echo)
				send_all(fd, buffer, n);
		close(fd);
	}
}

static void pingpong(int fd, unsigned long count)
{
	char byte = 'x';

	while (count--) {
		send_all(fd, &byte, 1);
		if (recv(fd, &byte, 1, 0) != 1)
			die("recv");
	}
}

static void bulk(int fd, unsigned long mib)
{
	for (unsigned long n = 0; n < mib * (MIB / BULK_BYTES); n++)
		send_all(fd, buffer, sizeof(buffer));
	if (shutdown(fd, SHUT_WR) || recv(fd, buffer, 1, 0) != 0)
		die("the sink's end");
}

static unsigned long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

int main(int argc, char **argv)
{
	unsigned long long start;
	struct sockaddr_in to;
	int fd;

	if (argc == 4 && (!strcmp(argv[1], "echo") || !strcmp(argv[1], "sink")))
		serve(argv[2], argv[3], !strcmp(argv[1], "echo"));
	if (argc != 5 || (strcmp(argv[1], "pingpong") && strcmp(argv[1], "bulk"))) {
		fputs("usage: see the top of traffic.c\n", stderr);
		return 2;
	}
	fd = open_socket(argv[2], argv[3], &to);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	start = now_ns();
	if (!strcmp(argv[1], "pingpong"))
		pingpong(fd, number(argv[4], 100000000));
	else
		bulk(fd, number(argv[4], 1000000));
	printf("%llu\n", now_ns() - start);
	return 0;
}
