/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * client_openssl.c - a mail client with OpenSSL inside its own executable, built with its symbols
 * exported (as Node is), or without any (so that no probe can find them). All messages go over one
 * connection.
 *
 * usage: client_openssl ADDRESS PORT EHLO plain|starttls|implicit <"SENDER RECIPIENT..." a line
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct client {
	int fd;
	SSL *tls; /* NULL: in the clear */
	char reply[4096];
};

static void die(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static void client_connect(struct client *c, const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET};

	to.sin_port = htons((unsigned short)strtoul(port, NULL, 10));
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
	    connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
}

static void client_handshake(struct client *c)
{
	c->tls = SSL_new(SSL_CTX_new(TLS_client_method()));
	if (!c->tls || !SSL_set_fd(c->tls, c->fd) || SSL_connect(c->tls) != 1)
		die("the TLS handshake");
}

static void client_send(struct client *c, const char *text)
{
	int length = (int)strlen(text);
	int sent = c->tls ? SSL_write(c->tls, text, length) : (int)write(c->fd, text, length);

	if (sent != length)
		die("sending");
}

static int client_read(struct client *c, char *to, int size)
{
	int got = c->tls ? SSL_read(c->tls, to, size) : (int)read(c->fd, to, size);

	if (got <= 0)
		die("reading");
	return got;
}

/* The code of a reply, whose last line begins with it and a blank. */
static int client_reply(struct client *c)
{
	size_t used = 0;
	char *line = c->reply;

	for (;;) {
		char *end;

		used += client_read(c, c->reply + used, (int)(sizeof(c->reply) - used - 1));
		c->reply[used] = '\0';
		while ((end = strchr(line, '\n'))) {
			if (line[3] == ' ') {
				printf("%s", c->reply);
				return (int)strtoul(line, NULL, 10);
			}
			line = end + 1;
		}
	}
}

static int client_ask(struct client *c, const char *command, const char *argument, const char *end)
{
	char line[1024];

	snprintf(line, sizeof(line), "%s%s%s\r\n", command, argument, end);
	client_send(c, line);
	return client_reply(c);
}

static void client_message(struct client *c, char *words)
{
	int taken = 0;

	client_ask(c, "MAIL FROM:<", strtok(words, " \n"), ">");
	for (char *rcpt; (rcpt = strtok(NULL, " \n"));)
		taken += client_ask(c, "RCPT TO:<", rcpt, ">") < 300;
	if (taken && client_ask(c, "DATA", "", "") == 354)
		client_ask(c, "Subject: test\r\n\r\nhello\r\n.", "", "");
	else
		client_ask(c, "RSET", "", "");
}

int main(int argc, char **argv)
{
	struct client c = {0};
	char line[1024];

	if (argc != 5)
		return 2;
	client_connect(&c, argv[1], argv[2]);
	if (!strcmp(argv[4], "implicit"))
		client_handshake(&c);
	client_reply(&c);
	client_ask(&c, "EHLO ", argv[3], "");
	if (!strcmp(argv[4], "starttls")) {
		if (client_ask(&c, "STARTTLS", "", "") != 220)
			die("STARTTLS");
		client_handshake(&c);
		client_ask(&c, "EHLO ", argv[3], "");
	}
	while (fgets(line, sizeof(line), stdin))
		client_message(&c, line);
	client_ask(&c, "QUIT", "", "");
	return 0;
}
