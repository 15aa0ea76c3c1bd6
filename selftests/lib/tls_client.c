/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_client.c - an SMTP client whose every step a test decides. Reads a command a line, answers
 * each with a line, "THREAD ok ..." or "THREAD error ...". "@T COMMAND" is done by thread T, which
 * need not have answered before more is given. N is a connection's number. In TEXT, \n ends a line.
 *
 *	connect N ADDRESS PORT [UID]   as the real uid UID
 *	set N nonblock|tls12|ex|partial|moving|null|waits, or
 *	      chunk (of a read) BYTES, piece (of a write) BYTES, sndbuf BYTES
 *	begin N openssl|memory|gnutls [AT]    TLS; tells the object's address, or has it lie AT
 *	finish N                              the handshake
 *	say N TEXT    fill N BYTES TEXT    reply N [COUNT]    tries N (repeated reads and writes)
 *	pull N        memory: only take what the socket has, leave it aside
 *	cork N   uncork N   hangup N (wait for the peer's end)   bye N   free N   close N
 *	drop N        disconnect, keep the descriptor
 *	fork (the child goes on, until exit)   give N PATH   take N PATH   seccomp   exit
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tls_wire.h"

#define CONNECTIONS  128
#define THREADS	     16
#define WORDS	     5
#define ANSWER_BYTES 1024
#define FILL_COLUMNS 78

struct connection {
	struct wire wire;
	size_t chunk; /* of a read; 0: what there is room for */
	size_t used;  /* of what was read, not yet reported */
	char read[8192];
};

struct call {
	int count; /* words */
	char *words[WORDS];
	struct connection *connection;
	char answer[ANSWER_BYTES];
};

static struct connection connections[CONNECTIONS];
static struct thread {
	FILE *in;
	int commands;
} threads[THREADS];

static int answer(struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int answer(struct call *c, const char *format, ...)
{
	size_t used = strlen(c->answer);
	va_list list;

	va_start(list, format);
	vsnprintf(c->answer + used, sizeof(c->answer) - used, format, list);
	va_end(list);
	return 0;
}

static int failed(struct call *c, const char *what)
{
	answer(c, " %s: %s", what, strerror(errno));
	return -1;
}

static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (*text == 0 || *end) {
		fprintf(stderr, "tls_client: not a number: '%s'\n", text);
		exit(2);
	}
	return value;
}

/* Turns \n into CR LF in place, as the text gets no longer. */
static size_t unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (from[0] == '\\' && from[1] == 'n') {
			*to++ = '\r';
			*to++ = '\n';
			from++;
		} else {
			*to++ = *from;
		}
	}
	return to - text;
}

/* Changes this thread alone: setreuid() would change all of them. */
static int real_uid(uid_t uid)
{
	return syscall(SYS_setreuid, uid, -1);
}

static int do_connect(struct call *c)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct wire *w = &c->connection->wire;
	struct addrinfo *found;
	int result;

	if (getaddrinfo(c->words[2], c->words[3], &hints, &found))
		return -1;
	memset(c->connection, 0, sizeof(*c->connection));
	w->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->count > 4 && real_uid(number(c->words[4])))
		return failed(c, "setreuid");
	result = connect(w->fd, found->ai_addr, found->ai_addrlen);
	if (result)
		failed(c, "connect");
	freeaddrinfo(found);
	if (c->count > 4 && real_uid(geteuid()))
		return failed(c, "setreuid");
	return result;
}

static int do_set(struct call *c)
{
	struct wire *w = &c->connection->wire;
	const char *what = c->words[2];
	int size = c->count > 3 ? (int)number(c->words[3]) : 0;

	if (!strcmp(what, "nonblock"))
		return fcntl(w->fd, F_SETFL, fcntl(w->fd, F_GETFL) | O_NONBLOCK);
	if (!strcmp(what, "sndbuf"))
		return setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (!strcmp(what, "ex"))
		w->ex = true;
	else if (!strcmp(what, "partial"))
		SSL_set_mode(w->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
	else if (!strcmp(what, "moving")) {
		SSL_set_mode(w->ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		w->moving = true;
	} else if (!strcmp(what, "tls12"))
		w->tls12 = true;
	else if (!strcmp(what, "null"))
		w->null = true;
	else if (!strcmp(what, "waits"))
		w->waits = true;
	else if (!strcmp(what, "chunk"))
		c->connection->chunk = size;
	else if (!strcmp(what, "piece"))
		w->piece = size;
	else
		return -1;
	return 0;
}

static int do_begin(struct call *c)
{
	const void *at = c->count > 3 ? (const void *)number(c->words[3]) : NULL;

	c->connection->used = 0;
	if (wire_begin(&c->connection->wire, c->words[2], at))
		return failed(c, "TLS object");
	return answer(c, " %p", wire_object(&c->connection->wire));
}

static int do_finish(struct call *c)
{
	return wire_handshake(&c->connection->wire) ? failed(c, "handshake") : 0;
}

static int do_say(struct call *c)
{
	size_t size = unescape(c->words[2]);

	return wire_write(&c->connection->wire, c->words[2], size);
}

/* Lines of x, and TEXT behind them in the same write. */
static int do_fill(struct call *c)
{
	size_t size = number(c->words[2]), tail = c->count > 3 ? unescape(c->words[3]) : 0;
	char *data = malloc(size + tail);
	int result;

	memset(data, 'x', size);
	for (size_t i = FILL_COLUMNS; i + 1 < size; i += FILL_COLUMNS + 2)
		memcpy(data + i, "\r\n", 2);
	if (tail)
		memcpy(data + size, c->words[3], tail);
	result = wire_write(&c->connection->wire, data, size + tail);
	free(data);
	return result;
}

/* The next line that was read, or NULL. */
static const char *next_line(struct connection *n, char line[256])
{
	char *end = memchr(n->read, '\n', n->used);
	size_t length, kept;

	if (!end)
		return NULL;
	length = end + 1 - n->read;
	kept = length - 1 < 255 ? length - 1 : 255;
	memcpy(line, n->read, kept);
	line[kept] = 0;
	n->used -= length;
	memmove(n->read, end + 1, n->used);
	return line;
}

/* Writes the codes of the next COUNT replies; "end" or "error" where one did not come. */
static int do_reply(struct call *c)
{
	struct connection *n = c->connection;
	unsigned long count = c->count > 2 ? number(c->words[2]) : 1;
	char line[256];

	while (count > 0) {
		size_t room = sizeof(n->read) - n->used;
		ssize_t got;

		if (next_line(n, line)) {
			if (line[3] != '-') {
				answer(c, " %.3s", line);
				count--;
			}
			continue;
		}
		got = wire_read(&n->wire, n->read + n->used, n->chunk ? n->chunk : room);
		if (got <= 0)
			return answer(c, got ? " error" : " end");
		n->used += got;
	}
	return 0;
}

static int do_tries(struct call *c)
{
	return answer(c, " %u %u", c->connection->wire.reads, c->connection->wire.writes);
}

static int do_pull(struct call *c)
{
	struct wire *w = &c->connection->wire;

	if (BIO_ctrl_pending(SSL_get_rbio(w->ssl)))
		return answer(c, " 0"); /* came along with what was fed before */
	poll(&(struct pollfd){.fd = w->fd, .events = POLLIN}, 1, -1);
	return answer(c, " %zd", wire_pull(w));
}

static int do_cork(struct call *c)
{
	return wire_cork(&c->connection->wire, true);
}

static int do_uncork(struct call *c)
{
	return wire_cork(&c->connection->wire, false);
}

static int do_hangup(struct call *c)
{
	struct pollfd p = {.fd = c->connection->wire.fd, .events = POLLRDHUP};

	poll(&p, 1, -1);
	return answer(c, p.revents & (POLLERR | POLLHUP) ? " reset" : " closed");
}

static int do_bye(struct call *c)
{
	wire_bye(&c->connection->wire);
	return 0;
}

static int do_free(struct call *c)
{
	wire_free(&c->connection->wire);
	return 0;
}

static int do_close(struct call *c)
{
	close(c->connection->wire.fd);
	wire_free(&c->connection->wire);
	return 0;
}

static int do_fork(struct call *c)
{
	pid_t child = fork();

	if (child < 0)
		return failed(c, "fork");
	if (child == 0)
		return answer(c, " %d", getpid());
	waitpid(child, NULL, 0);
	return 1; /* the child has answered */
}

static int do_drop(struct call *c)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	return connect(c->connection->wire.fd, &nobody, sizeof(nobody));
}

static int unix_socket(const char *path, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* A message with one byte and one descriptor. */
static int pass(struct call *c, bool giving)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec byte = {.iov_base = (char[1]){'x'}, .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int *fd = &c->connection->wire.fd;
	struct sockaddr_un address;
	int sock = unix_socket(c->words[2], &address);

	if (giving) {
		message.msg_name = &address;
		message.msg_namelen = sizeof(address);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), fd, sizeof(int));
		return sendmsg(sock, &message, 0) == 1 ? 0 : failed(c, "sendmsg");
	}
	if (bind(sock, (struct sockaddr *)&address, sizeof(address)))
		return failed(c, "bind");
	memset(c->connection, 0, sizeof(*c->connection));
	if (recvmsg(sock, &message, 0) != 1)
		return failed(c, "recvmsg");
	memcpy(fd, CMSG_DATA(&control.header), sizeof(int));
	return 0;
}

static int do_give(struct call *c)
{
	return pass(c, true);
}

static int do_take(struct call *c)
{
	return pass(c, false);
}

/* From here on, any system call but reading, writing and a few more kills, also a probe's. */
static int do_seccomp(struct call *c)
{
	static const int allowed[] = {SCMP_SYS(read),	   SCMP_SYS(write),	SCMP_SYS(recvfrom),
				      SCMP_SYS(sendto),	   SCMP_SYS(sendmsg),	SCMP_SYS(poll),
				      SCMP_SYS(brk),	   SCMP_SYS(mmap),	SCMP_SYS(munmap),
				      SCMP_SYS(getrandom), SCMP_SYS(exit_group)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	return seccomp_load(filter) ? failed(c, "seccomp") : 0;
}

struct command {
	const char *name;
	int words; /* at least, with the name */
	int (*run)(struct call *c);
};

static const struct command commands[] = {
	{"connect", 4, do_connect}, {"set", 3, do_set},		{"begin", 3, do_begin},
	{"finish", 2, do_finish},   {"say", 3, do_say},		{"fill", 3, do_fill},
	{"reply", 2, do_reply},	    {"tries", 2, do_tries},	{"pull", 2, do_pull},
	{"cork", 2, do_cork},	    {"uncork", 2, do_uncork},	{"hangup", 2, do_hangup},
	{"bye", 2, do_bye},	    {"free", 2, do_free},	{"close", 2, do_close},
	{"drop", 2, do_drop},	    {"fork", 1, do_fork},	{"give", 3, do_give},
	{"take", 3, do_take},	    {"seccomp", 1, do_seccomp},
};

/* The last word is the rest of the line. */
static void split(struct call *c, char *line)
{
	int most = !strncmp(line, "say ", 4) ? 3 : !strncmp(line, "fill ", 5) ? 4 : WORDS;

	while (line && c->count < most) {
		c->words[c->count++] = line;
		line = c->count < most ? strchr(line, ' ') : NULL;
		if (line)
			*line++ = 0;
	}
}

static void run(char *line, int thread)
{
	struct call c = {.connection = NULL};
	const struct command *found = NULL;
	char out[ANSWER_BYTES + 64];
	int result = -1, size;

	split(&c, line);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, c.words[0]) && c.count >= commands[i].words)
			found = &commands[i];
	}
	if (found && c.count > 1)
		c.connection = &connections[number(c.words[1]) % CONNECTIONS];
	if (found)
		result = found->run(&c);
	if (result > 0)
		return;
	size = snprintf(out, sizeof(out), "%d %s%s\n", thread, result ? "error" : "ok", c.answer);
	if (write(STDOUT_FILENO, out, size) != size)
		exit(1);
}

static void serve(FILE *in, int thread);

static void *serve_thread(void *argument)
{
	int thread = (intptr_t)argument;

	serve(threads[thread].in, thread);
	return NULL;
}

/* "N COMMAND", for another thread. */
static void pass_on(const char *line)
{
	char *command;
	unsigned long thread = strtoul(line, &command, 10) % THREADS;
	pthread_t made;
	int pipes[2];

	if (!threads[thread].in) {
		if (pipe2(pipes, O_CLOEXEC))
			exit(1);
		threads[thread].in = fdopen(pipes[0], "r");
		threads[thread].commands = pipes[1];
		pthread_create(&made, NULL, serve_thread, (void *)(intptr_t)thread);
	}
	dprintf(threads[thread].commands, "%s\n", command + 1);
}

static void serve(FILE *in, int thread)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, in) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '@')
			pass_on(line + 1);
		else if (!strcmp(line, "exit"))
			break;
		else
			run(line, thread);
	}
	free(line);
}

int main(void)
{
	wire_setup();
	signal(SIGPIPE, SIG_IGN);
	/* A forked child continues where its parent stands, so nothing may have been read ahead. */
	setvbuf(stdin, NULL, _IONBF, 0);
	serve(stdin, 0);
	_exit(0);
}
