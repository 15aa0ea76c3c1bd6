/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_smoke.c - the smallest SMTP server and client that can show every kind of outcome. Linked
 * statically, so that a virtual machine with nothing but a kernel and a shell can run them.
 *
 *   smtp_smoke server PORT
 *     Listens on all addresses, prints "listening", then "connection N" for each client. The local
 *     part of a recipient says what becomes of it: "450..." is the reply to its RCPT; "d450..." is
 *     accepted there and makes 450 the reply to the final dot; anything else is taken.
 *   smtp_smoke client [-u UID] [-b BYTES] ADDRESS PORT SENDER RCPT[,RCPT]...
 *     Sends one mail for each list of recipients, all in one session, and prints every reply.
 *     Exit 0: the session came to its QUIT; 1: no connection, or it was lost (the last line says).
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_SIZE 1024

static void die(const char *what)
{
	printf("%s: %s\n", what, errno ? strerror(errno) : "closed by the other side");
	exit(1);
}

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || n > max) {
		fprintf(stderr, "smtp_smoke: '%s' is not a number up to %lu\n", text, max);
		exit(2);
	}
	return n;
}

/* The three digits at the start of text, or 250 where there are none. */
static int scripted_code(const char *text)
{
	if (!isdigit(text[0]) || !isdigit(text[1]) || !isdigit(text[2]))
		return 250;
	return (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
}

static void reply(FILE *out, int code, const char *text)
{
	fprintf(out, "%d %d.0.0 %s\r\n", code, code / 100, text);
	fflush(out);
}

static void read_body(FILE *in)
{
	char line[LINE_SIZE];

	while (fgets(line, sizeof(line), in)) {
		if (!strcmp(line, ".\r\n"))
			return;
	}
}

/* RCPT TO:<local@domain>. Returns the code of its reply; *dot is the one of the final dot. */
static int scripted_rcpt(const char *line, int *dot)
{
	const char *local = strchr(line, '<');

	if (!local)
		return 501;
	local++;
	if (*local != 'd')
		return scripted_code(local);
	*dot = scripted_code(local + 1);
	return 250;
}

static void serve_session(int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	char line[LINE_SIZE];
	int dot = 250;

	if (!in || !out)
		die("fdopen");
	reply(out, 220, "smoke server");
	while (fgets(line, sizeof(line), in)) {
		if (!strncasecmp(line, "MAIL", 4)) {
			dot = 250;
			reply(out, 250, "sender");
		} else if (!strncasecmp(line, "RCPT", 4)) {
			reply(out, scripted_rcpt(line, &dot), "recipient");
		} else if (!strncasecmp(line, "DATA", 4)) {
			reply(out, 354, "go on");
			read_body(in);
			reply(out, dot, "message");
		} else if (!strncasecmp(line, "QUIT", 4)) {
			reply(out, 221, "bye");
			return;
		} else {
			reply(out, 250, "done");
		}
	}
}

static int server(int port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int one = 1, zero = 0, fd = socket(AF_INET6, SOCK_STREAM, 0);

	signal(SIGCHLD, SIG_IGN);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 16))
		die("listen");
	printf("listening\n");
	for (int n = 1;; n++) {
		int client = accept(fd, NULL, NULL);

		if (client < 0)
			die("accept");
		printf("connection %d\n", n);
		if (fork() == 0) {
			close(fd);
			serve_session(client);
			_exit(0);
		}
		close(client);
	}
}

struct session {
	FILE *in;
	FILE *out;
};

static int dial(const char *address, int port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	int fd;

	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1) {
		fprintf(stderr, "smtp_smoke: '%s' is not an IP address\n", address);
		exit(2);
	}
	fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	if (is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4)) :
		    connect(fd, (struct sockaddr *)&v6, sizeof(v6)))
		die("connect");
	return fd;
}

/* Print a whole reply; returns its code. */
static int read_reply(struct session *s)
{
	char line[LINE_SIZE];

	do {
		errno = 0;
		if (!fgets(line, sizeof(line), s->in))
			die("lost");
		line[strcspn(line, "\r\n")] = '\0';
		printf("%s\n", line);
	} while (strlen(line) > 3 && line[3] == '-');
	return scripted_code(line);
}

static int command(struct session *s, const char *verb, const char *path)
{
	if (path)
		fprintf(s->out, "%s:<%s>\r\n", verb, path);
	else
		fprintf(s->out, "%s\r\n", verb);
	if (fflush(s->out))
		die("lost");
	return read_reply(s);
}

static void send_body(struct session *s, unsigned long bytes)
{
	static const char text[] = "Just some text, no line of which is a dot.\r\n";

	fprintf(s->out, "Subject: smoke\r\n\r\n");
	for (unsigned long sent = 0; sent < bytes; sent += sizeof(text) - 1)
		fputs(text, s->out);
}

static void send_mail(struct session *s, const char *sender, char *rcpts, unsigned long bytes)
{
	int accepted = 0;

	if (command(s, "MAIL FROM", sender) >= 400)
		return;
	for (char *rcpt = strtok(rcpts, ","); rcpt; rcpt = strtok(NULL, ","))
		accepted += command(s, "RCPT TO", rcpt) < 300;
	if (!accepted) {
		command(s, "RSET", NULL);
	} else if (command(s, "DATA", NULL) == 354) {
		send_body(s, bytes);
		command(s, ".", NULL);
	}
}

static int client(int argc, char **argv)
{
	unsigned long uid = 0, bytes = 100;
	struct session s;
	int option, fd;

	while ((option = getopt(argc, argv, "+u:b:")) != -1) {
		if (option == 'u')
			uid = number(optarg, 65535);
		else if (option == 'b')
			bytes = number(optarg, 100000000);
		else
			exit(2);
	}
	if (argc - optind < 4) {
		fprintf(stderr, "smtp_smoke: client needs ADDRESS PORT SENDER RCPT...\n");
		exit(2);
	}
	signal(SIGPIPE, SIG_IGN);
	if (uid && (setgid(uid) || setuid(uid)))
		die("setuid");
	fd = dial(argv[optind], number(argv[optind + 1], 65535));
	s = (struct session){ .in = fdopen(fd, "r"), .out = fdopen(dup(fd), "w") };
	if (!s.in || !s.out)
		die("fdopen");
	read_reply(&s);
	command(&s, "EHLO smoke.test", NULL);
	for (int i = optind + 3; i < argc; i++)
		send_mail(&s, argv[optind + 2], argv[i], bytes);
	command(&s, "QUIT", NULL);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "server"))
		return server(number(argv[2], 65535));
	if (argc > 2 && !strcmp(argv[1], "client"))
		return client(argc - 1, argv + 1);
	fprintf(stderr, "usage: smtp_smoke server PORT | smtp_smoke client [-u UID] [-b BYTES] "
			"ADDRESS PORT SENDER RCPT[,RCPT]...\n");
	return 2;
}
