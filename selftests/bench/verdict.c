// SPDX-License-Identifier: GPL-2.0-only
/*
 * verdict.c - how long after the reply that crosses the line is a sender refused? For bench.py.
 *
 *     verdict NETNS ADDRESS UID FAILURES
 *
 * Is the remote server (listening in the network namespace NETNS) and the client (as UID, where it
 * was started) at once. The server refuses FAILURES recipients with 550 and notes the time right
 * before it sends the last 550. From then on the client tries to connect, again and again, and
 * looks at the session that is still open. Prints two times in nanoseconds: until a connect was
 * refused or redirected, and until the open session was cut.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SMTP_PORT  25
#define GIVE_UP_NS 5000000000ull

typedef unsigned long long ns_t;

struct pair {
	int client;
	int server;
	struct sockaddr_in to;
};

static void die(const char *what)
{
	fprintf(stderr, "verdict: %s: %s\n", what, strerror(errno));
	exit(1);
}

static ns_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || !value || value > 0x7fffffff) {
		errno = EINVAL;
		die(text);
	}
	return value;
}

/* A listener in another network namespace; this process comes back from there. */
static int listen_in(const char *netns, const struct sockaddr_in *at)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(netns, O_RDONLY | O_CLOEXEC);
	int fd;

	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		die(netns);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)at, sizeof(*at)) || listen(fd, 4096))
		die("listen");
	if (setns(home, CLONE_NEWNET))
		die("setns");
	close(home);
	close(there);
	return fd;
}

/* One end says a line, the other has read it when this returns. */
static void pass_line(int from, int to, const char *line)
{
	char got[512];
	size_t bytes = strlen(line);

	if (send(from, line, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		die("send");
	if (recv(to, got, bytes, MSG_WAITALL) != (ssize_t)bytes)
		die("recv");
}

static void exchange(const struct pair *p, const char *command, const char *reply)
{
	pass_line(p->client, p->server, command);
	pass_line(p->server, p->client, reply);
}

/* A connect that nobody waits for. Refused, or redirected to loopback? */
static int connect_refused(const struct sockaddr_in *to)
{
	struct linger reset = {.l_onoff = 1};
	struct sockaddr_in own = {0};
	socklen_t size = sizeof(own);
	int refused = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS) {
		if (errno != ECONNREFUSED && errno != EPERM)
			die("connect");
		refused = 1;
	}
	if (!refused && getsockname(fd, (struct sockaddr *)&own, &size))
		die("getsockname");
	/* The kernel picks the source address with the way there. */
	refused |= ntohl(own.sin_addr.s_addr) >> 24 == 127;
	/* No port may stay in TIME_WAIT: there are thousands of these. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	return refused;
}

static int session_cut(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN;
}

static void wait_for_verdict(const struct pair *p, ns_t start)
{
	ns_t refused = 0, cut = 0;

	while (!refused || !cut) {
		ns_t now = now_ns();

		if (now - start > GIVE_UP_NS) {
			errno = ETIMEDOUT;
			die(refused ? "the open session lives on" : "no connect was refused");
		}
		if (!cut && session_cut(p->client))
			cut = now_ns() - start;
		if (!refused && connect_refused(&p->to))
			refused = now_ns() - start;
	}
	printf("%llu %llu\n", refused, cut);
}

static void dialogue(struct pair *p, unsigned int failures)
{
	const char *refusal = "550 5.1.1 no such user\r\n";
	ns_t start;

	pass_line(p->server, p->client, "220 bench\r\n");
	exchange(p, "EHLO bench\r\n", "250 bench\r\n");
	exchange(p, "MAIL FROM:<a@bench.test>\r\n", "250 ok\r\n");
	while (--failures)
		exchange(p, "RCPT TO:<b@remote.test>\r\n", refusal);
	pass_line(p->client, p->server, "RCPT TO:<b@remote.test>\r\n");
	start = now_ns();
	/* From here on the client may be cut at any moment. */
	if (send(p->server, refusal, strlen(refusal), MSG_NOSIGNAL) < 0)
		die("send");
	recv(p->client, (char[64]){0}, strlen(refusal), MSG_WAITALL);
	wait_for_verdict(p, start);
}

int main(int argc, char **argv)
{
	struct pair p = {.to = {.sin_family = AF_INET, .sin_port = htons(SMTP_PORT)}};
	int listener;
	uid_t uid;

	if (argc != 5 || inet_pton(AF_INET, argv[2], &p.to.sin_addr) != 1) {
		fputs("usage: verdict NETNS ADDRESS UID FAILURES\n", stderr);
		return 2;
	}
	listener = listen_in(argv[1], &p.to);
	uid = number(argv[3]);
	if (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		die("setresuid");
	p.client = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(p.client, (struct sockaddr *)&p.to, sizeof(p.to)))
		die("connect");
	p.server = accept(listener, NULL, NULL);
	if (p.server < 0)
		die("accept");
	dialogue(&p, number(argv[4]));
	return 0;
}
