/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy.c - how many look-ups a second does the policy server answer? For bench.py, or alone:
 *
 *     policy [SECONDS]
 *
 * Client, policy server and daemon share one CPU; the daemon's side refuses every other question
 * without looking at anything. For each protocol one client that asks, waits, and asks again, then
 * eight at once. Exim's make a connection for each look-up, as does its feed. Prints `name value
 * unit`.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "base/clock.h"
#include "policy/policy_server.h"
#include "policy/policy_talk.h"

#define CLIENTS 8
#define REASON                                                                                     \
	"Domain example.com has exceeded the max defers and failures per hour (7/5 (58%)) "        \
	"allowed. Message discarded. Sending is possible again at 2026-11-21T14:05:00Z."
#define REFUSAL "550 5.7.1 " REASON

static const struct {
	const char *name;
	enum policy_socket socket;
	const char *request;
	const char *passed; /* the two answers */
	const char *refused;
	bool persistent;
} protocols[] = {
	{"policy_exim", POLICY_EXIM, "uid=1001 sender64=YUBleGFtcGxlLmNvbQ==\n", "ok uid:1001\n",
	 "refused uid:1001 " REFUSAL "\n", false},
	{"policy_delegation", POLICY_DELEGATION,
	 "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
	 "helo_name=client.example.com\nqueue_id=\nsender=a@example.com\n"
	 "recipient=b@example.net\nrecipient_count=0\nclient_address=127.0.0.1\n"
	 "client_name=localhost\nreverse_client_name=localhost\ninstance=1a2b.5f3c.0\n"
	 "sasl_method=plain\nsasl_username=a@example.com\nsasl_sender=\nsize=0\n"
	 "ccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
	 "encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\n"
	 "encryption_keysize=256\netrn_domain=\nstress=\npolicy_context=\n"
	 "client_port=40001\nserver_address=127.0.0.1\nserver_port=587\n\n",
	 "action=DUNNO\n\n", "action=" REFUSAL "\n\n", true},
	{"policy_socketmap", POLICY_SOCKETMAP, "23:transport a@example.com,", "9:NOTFOUND ,",
	 "174:OK error:5.7.1 " REASON ",", true},
	{"policy_feed", POLICY_FEED,
	 "exim event=msg:delivery id=1tEXmP-000001-Ab relay=101 uid=1001 proto=local account= "
	 "auth64= addr= port= sender64=YUBleGFtcGxlLmNvbQ== rcpt64=YkBleGFtcGxlLm5ldA== orig64= "
	 "errno=0 text64=MjUwIE9L host=192.0.2.1 time=1795269900\n",
	 "", "", false},
};

#define PROTOCOLS (sizeof(protocols) / sizeof(*protocols))

static struct sockaddr_un at = {.sun_family = AF_UNIX};
static unsigned long *done; /* shared: one a client */

static void die(const char *what)
{
	fprintf(stderr, "policy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int connect_server(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)))
		die(at.sun_path);
	return fd;
}

static bool begins(const char *text, size_t got, const char *with)
{
	return got >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

/* One look-up; the whole answer must come, and be one of the two. */
static void look_up(size_t p, int fd)
{
	const size_t request = strlen(protocols[p].request);
	char answer[1024];
	size_t got = 0, want = 0;
	ssize_t n;

	if (send(fd, protocols[p].request, request, MSG_NOSIGNAL) != (ssize_t)request)
		die("send");
	do {
		n = recv(fd, answer + got, sizeof(answer) - got, 0);
		if (n < 0)
			die("recv");
		got += (size_t)n;
		if (begins(answer, got, protocols[p].passed))
			want = strlen(protocols[p].passed);
		else if (begins(answer, got, protocols[p].refused))
			want = strlen(protocols[p].refused);
	} while (n > 0 && (!protocols[p].persistent || !want || got < want));
	if (got != want) {
		fprintf(stderr, "policy: not an answer: %.*s\n", (int)got, answer);
		exit(1);
	}
}

static void client(size_t p, unsigned long *count)
{
	int fd = protocols[p].persistent ? connect_server() : -1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		if (!protocols[p].persistent)
			fd = connect_server();
		look_up(p, fd);
		if (!protocols[p].persistent)
			close(fd);
		++*(volatile unsigned long *)count;
	}
}

static void ask(void *arg, const struct policy_question *question, struct policy_answer *answer)
{
	unsigned int *asked = arg;

	(void)question;
	answer->charge = PAYER_ACCOUNT;
	answer->account = (struct account_id){.kind = ACCOUNT_UID, .uid = 1001};
	answer->refusal = (struct responder_answer){
		.known = ++*asked % 2,
		.bad = 7,
		.min = 5,
		.percent = 58,
		.until_wall_s = 1795269900,
		.domain = "own.example",
	};
}

static void record(void *arg, const struct delivery_report *told)
{
	unsigned int *asked = arg;

	if (told->kind == REPORT_OUTCOME)
		++*asked;
}

static unsigned long sum(unsigned int clients)
{
	unsigned long total = 0;

	while (clients > 0)
		total += ((volatile unsigned long *)done)[--clients];
	return total;
}

static void serve(struct policy_server *d, unsigned long long until_ns)
{
	static const struct policy_ops ops = {.ask = ask, .record = record};
	struct pollfd ready = {.fd = d->fd, .events = POLLIN};
	unsigned int asked = 0;

	while (now_ns() < until_ns)
		if (poll(&ready, 1, 10) > 0 && policy_server_serve(d, &ops, &asked))
			die("the policy server is gone");
}

static void measure(struct policy_server *d, const char *run, size_t p, unsigned int clients,
		    double seconds)
{
	unsigned long long start;
	pid_t pids[CLIENTS];
	unsigned long before;
	unsigned int i;

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", run,
		 policy_socket_names[protocols[p].socket]);
	memset(done, 0, CLIENTS * sizeof(*done));
	for (i = 0; i < clients; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			client(p, &done[i]);
	}
	serve(d, now_ns() + NS_PER_S / 5);
	before = sum(clients);
	start = now_ns();
	serve(d, start + (unsigned long long)(seconds * NS_PER_S));
	seconds = (double)(now_ns() - start) / NS_PER_S;
	printf("%s_%u %.0f look-ups/s\n", protocols[p].name, clients,
	       (double)(sum(clients) - before) / seconds);
	fflush(stdout);
	for (i = 0; i < clients; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

static void take_one_cpu(void)
{
	cpu_set_t all, one;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(all), &all))
		die("sched_getaffinity");
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		die("sched_setaffinity");
}

int main(int argc, char **argv)
{
	char run[] = "/tmp/policy_bench.XXXXXX";
	struct config_uids peers = {.uid = {getuid()}, .count = 1};
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	struct policy_server d = {0};
	int err;

	if (argc > 2 || !(seconds > 0 && seconds < 3600)) {
		fputs("usage: policy [SECONDS]\n", stderr);
		return 2;
	}
	take_one_cpu();
	done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (done == MAP_FAILED || !mkdtemp(run) || chmod(run, 0755))
		die(run);
	err = policy_server_start(&d, run, &peers);
	if (err) {
		errno = -err;
		die("policy_server_start");
	}
	for (size_t p = 0; p < PROTOCOLS; p++) {
		measure(&d, run, p, 1, seconds);
		measure(&d, run, p, CLIENTS, seconds);
	}
	policy_server_stop(&d);
	for (size_t i = 0; i < POLICY_SOCKETS; i++) {
		snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s", run, policy_socket_names[i]);
		unlink(at.sun_path);
	}
	return rmdir(run) ? 1 : 0;
}
