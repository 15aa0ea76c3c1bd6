/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_test.c - questions to a stand-in for the daemon, and to the file `suspended` when
 * the daemon is dead, hangs or sends nonsense; who is looked for in the file; Sendmail's keys; and
 * what a locked process can still do.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "policy/policy_client.h"
#include "policy/sendmail_key.h"

#define TEXT(domain)                                                                               \
	"550 5.7.1 Domain " domain " has exceeded the max defers and failures per hour (7/5 "      \
	"(58%)) allowed. Message discarded. Sending is possible again at 2099-11-21T14:05:00Z."
#define OVER                                                                                       \
	"550 5.7.1 Domain over.test has exceeded the max defers and failures per hour (7/5 "       \
	"(58%)) allowed. Message discarded. Sending is possible again at 2001-11-21T14:05:00Z."

/* How long that is depends on the day of the test: taken out where it is said. */
static void without_length(char *text)
{
	char *from, *to;

	while ((from = strstr(text, " (in ")) && (to = strstr(from, " days)"))) {
		to += strlen(" days)");
		memmove(from, to, strlen(to) + 1);
	}
}

static struct config config;
static struct policy_client answer = {.config = &config};
static char text[POLICY_CLIENT_TEXT_SIZE];

/* A daemon for one question. */
struct daemon {
	int listener;
	const char *reply; /* NULL: says nothing, until the client goes */
	char question[4096];
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct daemon *d = arg;
	int fd = accept(d->listener, NULL, NULL);
	ssize_t n = read(fd, d->question, sizeof(d->question) - 1);
	char c;

	d->question[n > 0 ? n : 0] = '\0';
	if (!d->reply)
		n = read(fd, &c, 1);
	else if (write(fd, d->reply, strlen(d->reply)) < 0)
		d->question[0] = '\0';
	close(fd);
	return NULL;
}

static void daemon_begin(struct daemon *d, const char *reply)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	memset(d, 0, sizeof(*d));
	d->reply = reply;
	snprintf(at.sun_path, sizeof(at.sun_path), "%.90s/exim", config.run);
	unlink(at.sun_path);
	d->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(d->listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(d->listener, 1), 0);
	assert_int_equal(pthread_create(&d->thread, NULL, serve, d), 0);
}

static void daemon_end(struct daemon *d)
{
	pthread_join(d->thread, NULL);
	close(d->listener);
}

static void write_file(const char *content)
{
	char path[PATH_MAX + 16];
	FILE *f;

	snprintf(path, sizeof(path), "%s/suspended", config.run);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(content, f);
	assert_int_equal(fclose(f), 0);
}

static int make_run(void **state)
{
	char run[] = "/tmp/answer_test.XXXXXX";

	(void)state;
	if (!mkdtemp(run))
		return -1;
	snprintf(config.run, sizeof(config.run), "%s", run);
	config.relays = (struct config_uids){{0, 38}, 2};
	write_file("alice: " TEXT("a.test") "\n1001: " TEXT("a.test") "\na.test: " TEXT(
		"a.test") "\nd.test: " TEXT("d.test") "\nover.test: " OVER "\n1002: " OVER "\n");
	return 0;
}

static int remove_run(void **state)
{
	static const char *const names[] = {"exim", "suspended"};
	char path[PATH_MAX + 16];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", config.run, names[i]);
		unlink(path);
	}
	return rmdir(config.run);
}

static const struct submission from_uid = {
	.known = SUBMISSION_HAS_UID, .uid = 1001, .sender = "x@free.test"};
static const struct submission from_free = {
	.known = SUBMISSION_HAS_UID, .uid = 7, .sender = "x@a.test"};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool ask(const char *reply, const struct submission *o)
{
	struct daemon d;
	bool refused;

	daemon_begin(&d, reply);
	text[0] = '\0';
	refused = policy_client_ask(&answer, o, text);
	daemon_end(&d);
	if (!strstr(d.question, "uid=") || d.question[strlen(d.question) - 1] != '\n')
		fail_msg("asked \"%s\"", d.question);
	return refused;
}

/* Whatever the file says. */
static void test_daemon_decides(void **state)
{
	(void)state;
	assert_false(ask("ok uid:1001\n", &from_uid));
	assert_false(ask("ok -\n", &from_uid));
	assert_true(ask("refused uid:7 " TEXT("z.test") "\n", &from_free));
	assert_string_equal(text, TEXT("z.test"));
	assert_true(ask("refused - 550 5.7.1 a\tb\x1b[31m\n", &from_free));
	assert_string_equal(text, "550 5.7.1 a?b?[31m");
}

static void test_file_where_the_answer_is_none(void **state)
{
	static const char *const replies[] = {
		"",
		"ok",
		"ok -",
		"error what\n",
		"nonsense\n",
		"\n",
		"refused uid:7\n",
		"refused uid:7 250 fine\n",
		"refused uid:7 550 cut",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
		assert_true(ask(replies[i], &from_uid));
		without_length(text);
		assert_string_equal(text, TEXT("a.test"));
		assert_false(ask(replies[i], &from_free));
	}
}

static void test_no_daemon(void **state)
{
	char path[PATH_MAX + 16];

	(void)state;
	assert_true(
		policy_client_ask(&answer, &from_uid, text)); /* a socket that nobody listens on */
	snprintf(path, sizeof(path), "%s/exim", config.run);
	assert_int_equal(unlink(path), 0);
	assert_true(policy_client_ask(&answer, &from_uid, text));
	without_length(text);
	assert_string_equal(text, TEXT("a.test"));
	assert_false(policy_client_ask(&answer, &from_free, text));
	assert_int_equal(answer.quiet_until_ms, 0);
}

/* A daemon that hangs costs a second, and is then not asked for a while. */
static void test_deaf_daemon(void **state)
{
	int64_t begin = now_ms(), took;

	(void)state;
	assert_true(ask(NULL, &from_uid));
	took = now_ms() - begin;
	assert_in_range(took, POLICY_CLIENT_WAIT_MS - 10, POLICY_CLIENT_WAIT_MS + 400);
	without_length(text);
	assert_string_equal(text, TEXT("a.test"));
	begin = now_ms();
	assert_true(policy_client_ask(&answer, &from_uid, text));
	assert_false(policy_client_ask(&answer, &from_free, text));
	assert_in_range(now_ms() - begin, 0, 200);
	answer.quiet_until_ms = 0;
}

static struct submission from_client(int fd, const char *sender)
{
	struct sockaddr_in name;
	socklen_t length = sizeof(name);
	struct submission o = {.known = SUBMISSION_HAS_CLIENT, .client = {[10] = 0xff, 0xff}};

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &length), 0);
	memcpy(o.client + 12, &name.sin_addr, 4);
	o.client_port = ntohs(name.sin_port);
	snprintf(o.sender, sizeof(o.sender), "%s", sender);
	return o;
}

static bool in_file(const struct submission *o)
{
	return policy_client_suspended(&config, o, text);
}

static void test_who_is_looked_for(void **state)
{
	static const struct {
		struct submission submission;
		bool refused;
	} cases[] = {
		{{.sender = "x@a.test"}, true},
		{{.sender = "x@A.Test."}, true},
		{{.sender = "x@sub.a.test"}, false},
		{{.sender = "a.test"}, false},
		{{.sender = "x@over.test"}, false},
		{{.sender = ""}, false},
		{{.known = SUBMISSION_HAS_UID, .uid = 1001, .sender = ""}, false}, /* a bounce */
		{{.known = SUBMISSION_HAS_UID | SUBMISSION_NO_SENDER, .uid = 1001}, true},
		{{.known = SUBMISSION_HAS_UID, .uid = 1002, .sender = "x@free.test"},
		 false},								/* over */
		{{.known = SUBMISSION_HAS_UID, .uid = 7, .sender = "x@a.test"}, false}, /* forged */
		{{.known = SUBMISSION_HAS_UID, .uid = 38, .sender = "x@a.test"},
		 true}, /* a relay */
		{{.known = SUBMISSION_HAS_UID, .uid = 0, .sender = "x@a.test"}, true},
		{{.auth = "alice", .sender = "x@free.test"}, true},
		{{.auth = "box@a.test", .sender = "x@free.test"}, true},
		{{.auth = "box%a.test", .sender = "x@free.test"}, true},
		{{.auth = "box+a.test", .sender = "x@free.test"}, true},
		{{.auth = "alice@free.test", .sender = "x@free.test"}, false},
		{{.auth = "bob", .sender = "x@a.test"}, false},
		{{.auth = "bob", .known = SUBMISSION_HAS_UID, .uid = 1001, .sender = "x@a.test"},
		 false},
		{{.known = SUBMISSION_HAS_ACCOUNT,
		  .account = {ACCOUNT_UID, 1001, ""},
		  .auth = "bob",
		  .sender = "x@free.test"},
		 true},
		{{.known = SUBMISSION_HAS_ACCOUNT,
		  .account = {ACCOUNT_DOMAIN, 0, "d.test"},
		  .sender = "x@free.test"},
		 true},
		{{.known = SUBMISSION_HAS_ACCOUNT,
		  .account = {ACCOUNT_UID, 7, ""},
		  .sender = "x@a.test"},
		 false},
		/* Another host's mail, with a sender that anybody can claim. */
		{{.known = SUBMISSION_HAS_CLIENT,
		  .client = {[10] = 0xff, 0xff, 192, 0, 2, 1},
		  .client_port = 25,
		  .sender = "x@a.test"},
		 false},
		{{.known = SUBMISSION_HAS_CLIENT | SUBMISSION_HAS_CALLER,
		  .caller = 1001,
		  .sender = "x@free.test"},
		 true},
		{{.known = SUBMISSION_HAS_CLIENT | SUBMISSION_HAS_CALLER,
		  .caller = 38,
		  .sender = "x@a.test"},
		 true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (in_file(&cases[i].submission) != cases[i].refused)
			fail_msg("case %zu", i);
}

/* A client on this host is found by its connection. */
static void test_local_client(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t length = sizeof(at);
	char line[600];
	struct submission o;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, length), 0);
	o = from_client(client, "x@a.test");
	/* root's uid does not say who pays, so the sender is looked for; another user pays */
	assert_int_equal(in_file(&o), geteuid() == 0);
	config.relays.count = 0;
	if (geteuid() != 0) {
		snprintf(line, sizeof(line), "%u: %s\n", geteuid(), TEXT("me.test"));
		write_file(line);
		assert_true(in_file(&o));
	}
	close(listener); /* which resets the connection */
	assert_false(in_file(&o));
	close(client);
}

static void test_no_file(void **state)
{
	char path[PATH_MAX + 16];

	(void)state;
	snprintf(path, sizeof(path), "%s/suspended", config.run);
	unlink(path);
	assert_false(policy_client_ask(&answer, &from_uid, text));
}

static void test_sendmail_key(void **state)
{
	struct submission o;

	(void)state;
	assert_int_equal(sendmail_key_parse("127.0.0.1,4711,al+2Cice+40x,<<a@b.test>>", &o), 0);
	assert_int_equal(o.known, SUBMISSION_HAS_CLIENT);
	assert_int_equal(o.client[12], 127);
	assert_int_equal(o.client_port, 4711);
	assert_string_equal(o.auth, "al,ice@x");
	assert_string_equal(o.sender, "a@b.test");
	assert_int_equal(sendmail_key_parse("IPv6:::1,1,a,b,<x,<y>@b.test>", &o), 0);
	assert_int_equal(o.client[15], 1);
	assert_string_equal(o.auth, "a,b");
	assert_string_equal(o.sender, "x,<y>@b.test");
	assert_int_equal(sendmail_key_parse("0,,,<>", &o), 0);
	assert_int_equal(o.known, 0);
	assert_string_equal(o.auth, "");
	assert_string_equal(o.sender, "");
	assert_int_equal(sendmail_key_parse(",,,<<>>", &o), 0);
	assert_string_equal(o.sender, "");
}

static void test_sendmail_no_key(void **state)
{
	static const char *const keys[] = {"",	   ",",	    ",,", ",,<x>", ",,,",
					   ",,,<", ",,,x>", "-c", "<>"};
	char *long_key = malloc(10000);
	struct submission o;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (sendmail_key_parse(keys[i], &o) != -EINVAL)
			fail_msg("%s", keys[i]);
	memset(long_key, 'x', 9999);
	memcpy(long_key, "0,,,<", 5);
	memcpy(long_key + 9998, ">", 2);
	assert_int_equal(sendmail_key_parse(long_key, &o), -EINVAL);
	free(long_key);
}

/* A user of this host, as servers write one that have the host's name behind it. */
static bool user_here_is_refused(const char *user)
{
	struct submission o = {.sender = "x@free.test"};
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(o.auth, sizeof(o.auth), "%s@%s", user, host);
	return policy_client_ask(&answer, &o, text);
}

static void test_user_here(void **state)
{
	(void)state;
	assert_true(user_here_is_refused("alice"));
	assert_false(user_here_is_refused("alic"));
}

/* In a child; returns the number of the step that failed. */
static int locked(void)
{
	if (policy_client_lock())
		return 1;
	if (open(config.run, O_RDONLY | O_CLOEXEC) < 0)
		return 2;
	if (open("/tmp/answer_test_file", O_RDWR | O_CREAT, 0600) >= 0 || errno != EPERM)
		return 3;
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 4;
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
		return 5;
	if (fork() >= 0 || errno != EPERM)
		return 6;
	if (execl("/bin/true", "true", NULL) == 0 || errno != EPERM)
		return 7;
	if (!user_here_is_refused("alice"))
		return 9;
	return !policy_client_ask(&answer, &from_uid, text) ||
			       policy_client_ask(&answer, &from_free, text) ?
		       8 :
		       0;
}

static void test_lock(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(locked());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_daemon_decides),
		cmocka_unit_test(test_file_where_the_answer_is_none),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_deaf_daemon),
		cmocka_unit_test(test_who_is_looked_for),
		cmocka_unit_test(test_sendmail_key),
		cmocka_unit_test(test_sendmail_no_key),
		cmocka_unit_test(test_user_here),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_local_client),
		cmocka_unit_test(test_no_file),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_run, remove_run);
}
