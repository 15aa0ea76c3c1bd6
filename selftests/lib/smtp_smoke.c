/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_smoke.c - the smallest SMTP server and client that can show every kind of outcome, in clear
 * and in TLS (tls_stream.c), for a virtual machine with nothing but a kernel and a shell, and for
 * benchmarks, where they cost little.
 *
 *   smtp_smoke server [-c PEM] [-i] [-g MS] PORT
 *     Listens on all addresses, prints "listening", then "connection N" for each client. The local
 *     part of a recipient says what becomes of it: "450..." is the reply to its RCPT; "d450..." is
 *     accepted there and makes 450 the reply to the final dot; anything else is taken.
 *     -c  take STARTTLS, with key and certificate of this file   -i  TLS from the first byte
 *     -g  greet (with -i: shake hands) only after so many milliseconds, as far networks do
 *   smtp_smoke client [-u UID] [-b BYTES] [-s|-i] [-w] ADDRESS PORT SENDER RCPT[,RCPT]...
 *     Sends one mail for each list of recipients, all in one session, and prints every reply.
 *     -s  STARTTLS   -i  TLS from the first byte, after which it prints "TLS"
 *     -w  wait for a line of standard input once connected, and before each mail
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
#include "tls_stream.h"

#define LINE_SIZE 1024

enum tls {
	TLS_NONE,
	TLS_START, /* by the command */
	TLS_FIRST, /* from the first byte */
};

struct server {
	const char *pem; /* NULL: no TLS */
	enum tls tls;
	unsigned long greeting_ms;
};

struct session {
	int fd;
	FILE *in;
	FILE *out;
	bool waits;
};

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

/* Both sides; pem: the server's. */
static void session_tls(struct session *s, const char *pem)
{
	if (tls_streams(s->fd, pem, &s->in, &s->out))
		exit(1);
}

static void session_open(struct session *s, int fd, bool tls, const char *pem)
{
	s->fd = fd;
	if (tls) {
		session_tls(s, pem);
		return;
	}
	s->in = fdopen(fd, "r");
	s->out = fdopen(dup(fd), "w");
	if (!s->in || !s->out)
		die("fdopen");
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

static void reply_ehlo(FILE *out, enum tls tls)
{
	if (tls == TLS_START)
		fprintf(out, "250-smoke server\r\n");
	fprintf(out, "250 %s\r\n", tls == TLS_START ? "STARTTLS" : "smoke server");
	fflush(out);
}

static void serve_session(const struct server *server, int fd)
{
	struct session s = {};
	char line[LINE_SIZE];
	int dot = 250;

	usleep(server->greeting_ms * 1000);
	session_open(&s, fd, server->tls == TLS_FIRST, server->pem);
	reply(s.out, 220, "smoke server");
	while (fgets(line, sizeof(line), s.in)) {
		if (!strncasecmp(line, "EHLO", 4)) {
			reply_ehlo(s.out, server->tls);
		} else if (!strncasecmp(line, "MAIL", 4)) {
			dot = 250;
			reply(s.out, 250, "sender");
		} else if (!strncasecmp(line, "RCPT", 4)) {
			reply(s.out, scripted_rcpt(line, &dot), "recipient");
		} else if (!strncasecmp(line, "DATA", 4)) {
			reply(s.out, 354, "go on");
			read_body(s.in);
			reply(s.out, dot, "message");
		} else if (!strncasecmp(line, "STARTTLS", 8) && server->tls == TLS_START) {
			reply(s.out, 220, "shake hands");
			session_tls(&s, server->pem);
		} else if (!strncasecmp(line, "QUIT", 4)) {
			reply(s.out, 221, "bye");
			return;
		} else {
			reply(s.out, 250, "done");
		}
	}
}

static int serve(const struct server *server, int port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
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
			serve_session(server, client);
			_exit(0);
		}
		close(client);
	}
}

static int dial(const char *address, int port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
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

/* A test can prepare something first. */
static void session_wait(const struct session *s)
{
	char line[LINE_SIZE];

	if (s->waits && !fgets(line, sizeof(line), stdin))
		die("standard input");
}

static void session_begin(struct session *s, int fd, enum tls tls)
{
	if (tls == TLS_FIRST)
		session_wait(s);
	session_open(s, fd, tls == TLS_FIRST, NULL);
	read_reply(s);
	if (tls != TLS_FIRST)
		session_wait(s);
	command(s, "EHLO smoke.test", NULL);
	if (tls == TLS_START) {
		if (command(s, "STARTTLS", NULL) != 220)
			die("STARTTLS");
		session_tls(s, NULL);
		command(s, "EHLO smoke.test", NULL);
	}
	if (tls != TLS_NONE)
		printf("TLS\n");
}

static void become(unsigned long uid)
{
	if (uid && (setgid(uid) || setuid(uid)))
		die("setuid");
}

static int client_main(int argc, char **argv)
{
	unsigned long uid = 0, bytes = 100;
	struct session s = {};
	enum tls tls = TLS_NONE;
	int option;

	while ((option = getopt(argc, argv, "+u:b:siw")) != -1) {
		if (option == 'u')
			uid = number(optarg, 65535);
		else if (option == 'b')
			bytes = number(optarg, 100000000);
		else if (option == 's' || option == 'i')
			tls = option == 's' ? TLS_START : TLS_FIRST;
		else if (option == 'w')
			s.waits = true;
		else
			exit(2);
	}
	if (argc - optind < 4) {
		fprintf(stderr, "smtp_smoke: client needs ADDRESS PORT SENDER RCPT...\n");
		exit(2);
	}
	become(uid);
	session_begin(&s, dial(argv[optind], number(argv[optind + 1], 65535)), tls);
	for (int i = optind + 3; i < argc; i++) {
		session_wait(&s);
		send_mail(&s, argv[optind + 2], argv[i], bytes);
	}
	command(&s, "QUIT", NULL);
	return 0;
}

static int server_main(int argc, char **argv)
{
	struct server server = {};
	int option;

	while ((option = getopt(argc, argv, "+c:ig:")) != -1) {
		if (option == 'c')
			server.pem = optarg;
		else if (option == 'i')
			server.tls = TLS_FIRST;
		else if (option == 'g')
			server.greeting_ms = number(optarg, 60000);
		else
			exit(2);
	}
	if (argc - optind != 1 || (server.tls && !server.pem)) {
		fprintf(stderr, "smtp_smoke: server needs PORT, and with -i a PEM\n");
		exit(2);
	}
	if (server.pem && !server.tls)
		server.tls = TLS_START;
	return serve(&server, number(argv[optind], 65535));
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc > 2 && !strcmp(argv[1], "server"))
		return server_main(argc - 1, argv + 1);
	if (argc > 2 && !strcmp(argv[1], "client"))
		return client_main(argc - 1, argv + 1);
	fprintf(stderr, "usage: see the top of smtp_smoke.c\n");
	return 2;
}
