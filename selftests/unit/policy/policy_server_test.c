/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_test.c - the policy server as the daemon uses it: sockets and their files, the child,
 * questions with answers, records, and what of the child's words is not taken.
 */
#include <poll.h>
#include <signal.h>
#include "policy_fixture.h"

struct seen {
	int asked;
	int told;
	struct submission submission;
	struct delivery_report record;
	struct policy_stats stats;
};

static void ask(void *arg, const struct policy_question *question, struct policy_answer *answer)
{
	struct policy_answer said = refused();
	struct seen *seen = arg;

	seen->asked++;
	seen->submission = question->submission;
	assert_int_equal(answer->id, question->id);
	said.id = question->id + 1; /* set back to the question's by policy_server_serve() */
	*answer = said;
}

static void record(void *arg, const struct delivery_report *told)
{
	struct seen *seen = arg;

	seen->told++;
	seen->record = *told;
}

static void counted(void *arg, const struct policy_stats *stats)
{
	((struct seen *)arg)->stats = *stats;
}

static const struct policy_ops ops = {.ask = ask, .record = record, .counted = counted};

static const struct config_uids nobody_else = {.count = 0};

/* Without root the test is no peer of itself otherwise. */
static struct config_uids self(void)
{
	return (struct config_uids){.uid = {getuid()}, .count = 1};
}

static struct policy_server start(void)
{
	const struct config_uids peers = self();
	struct policy_server d = {0};

	fflush(NULL);
	assert_int_equal(policy_server_start(&d, run, &peers), 0);
	assert_true(d.pid > 0);
	return d;
}

/* Serve until it has been asked or told so often. */
static void serve(struct policy_server *d, struct seen *seen, int times)
{
	while (seen->asked + seen->told < times) {
		await(d->fd, POLLIN);
		assert_int_equal(policy_server_serve(d, &ops, seen), 0);
	}
}

static void test_ask_and_tell(void **state)
{
	struct seen seen = {0};
	struct policy_server d = start();
	int fd;

	(void)state;
	assert_int_equal(policy_server_serve(&d, &ops, &seen), 0);
	fd = connect_and_say(POLICY_EXIM, ASK);
	serve(&d, &seen, 1);
	assert_int_equal(seen.submission.uid, 1001);
	hears(fd, REFUSED);
	hears_the_end(fd);
	hears_the_end(connect_and_say(POLICY_FEED, EVENT "one\n"));
	serve(&d, &seen, 2);
	assert_string_equal(seen.record.id, "one");
	hears_the_end(connect_and_say(POLICY_FEED, "nonsense\n"));
	while (seen.stats.malformed == 0) {
		await(d.fd, POLLIN);
		assert_int_equal(policy_server_serve(&d, &ops, &seen), 0);
	}
	policy_server_stop(&d);
	policy_server_stop(&d);
	assert_int_equal(d.pid, 0);
	assert_int_equal(d.fd, -1);
}

static void test_files(void **state)
{
	struct policy_server d = start();
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < POLICY_SOCKETS; i++) {
		assert_int_equal(lstat(address(policy_socket_names[i]).sun_path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0666);
	}
	policy_server_stop(&d);
	/* Refused at once, as when the daemon has died; the next start takes over. */
	assert_int_equal(try_connect(POLICY_EXIM), -1);
	assert_int_equal(errno, ECONNREFUSED);
	d = start();
	close(connect_to(POLICY_EXIM));
	policy_server_stop(&d);
}

static void test_what_stands_in_the_way(void **state)
{
	struct sockaddr_un map = address("socketmap");
	const struct config_uids peers = self();
	struct policy_server d = {.pid = 0, .fd = 4242};
	char long_run[120];

	(void)state;
	unlink(map.sun_path);
	assert_int_equal(mkdir(map.sun_path, 0755), 0);
	assert_int_equal(policy_server_start(&d, run, &peers), -EEXIST);
	assert_int_equal(rmdir(map.sun_path), 0);
	assert_int_equal(symlink("/dev/null", map.sun_path), 0);
	assert_int_equal(policy_server_start(&d, run, &peers), -EEXIST);
	assert_int_equal(unlink(map.sun_path), 0);
	assert_int_equal(policy_server_start(&d, "/nonexistent", &peers), -ENOENT);
	memset(long_run, 'x', sizeof(long_run) - 1);
	long_run[0] = '/';
	long_run[sizeof(long_run) - 1] = '\0';
	assert_int_equal(policy_server_start(&d, long_run, &peers), -ENAMETOOLONG);
	assert_int_equal(d.pid, 0);
	assert_int_equal(d.fd, 4242);
}

static void test_child_that_died(void **state)
{
	struct seen seen = {0};
	struct policy_server d = start();

	(void)state;
	assert_int_equal(kill(d.pid, SIGKILL), 0);
	await(d.fd, POLLIN);
	assert_int_equal(policy_server_serve(&d, &ops, &seen), -EPIPE);
	policy_server_stop(&d);
	d = start();
	hears_the_end(connect_and_say(POLICY_FEED, EVENT "two\n"));
	serve(&d, &seen, 1);
	policy_server_stop(&d);
}

/* Root alone is always a peer. */
static void test_peers(void **state)
{
	struct policy_server d = {0};

	(void)state;
	need_root();
	assert_int_equal(policy_server_start(&d, run, &nobody_else), 0);
	hears_the_end(connect_as(STRANGER, POLICY_DELEGATION));
	hears_the_end(connect_and_say(POLICY_DELEGATION, "no request\n"));
	policy_server_stop(&d);
}

/* A child that was taken over says anything: here the test is that child. */
static void test_untrusted_child(void **state)
{
	struct policy_message m;
	struct seen seen = {0};
	struct policy_server d = {0};
	int pair[2];
	size_t size;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	d.fd = pair[0];
	memset(&m, 'x', sizeof(m));
	m.kind = POLICY_RECORD;
	for (size = 1; size < 64; size++)
		send(pair[1], &m, size, 0);
	assert_int_equal(policy_server_serve(&d, &ops, &seen), 0);
	size = offsetof(struct policy_message, record) + sizeof(m.record);
	send(pair[1], &m, size, 0); /* of no such kind, outcome or server */
	m.record.kind = REPORT_OUTCOME;
	m.record.outcome = SMTP_FAILED;
	send(pair[1], &m, size, 0);
	m.record.mta = FEED_EXIM;
	m.record.outcome = SMTP_OUTCOMES;
	send(pair[1], &m, size, 0);
	m.kind = POLICY_QUESTION; /* of another size */
	send(pair[1], &m, size, 0);
	assert_int_equal(policy_server_serve(&d, &ops, &seen), 0);
	assert_int_equal(seen.asked + seen.told, 0);
	m.kind = POLICY_RECORD;
	m.record.outcome = SMTP_FAILED;
	send(pair[1], &m, size, 0);
	m.kind = POLICY_QUESTION;
	memset(&m.question, 'x', sizeof(m.question));
	send(pair[1], &m, offsetof(struct policy_message, question) + sizeof(m.question), 0);
	assert_int_equal(policy_server_serve(&d, &ops, &seen), 0);
	assert_int_equal(seen.told, 1);
	assert_int_equal(seen.asked, 1);
	assert_int_equal(strlen(seen.record.rcpt), sizeof(seen.record.rcpt) - 1);
	assert_int_equal(strlen(seen.record.id), sizeof(seen.record.id) - 1);
	assert_int_equal(strlen(seen.record.text), sizeof(seen.record.text) - 1);
	assert_int_equal(strlen(seen.submission.sender), sizeof(seen.submission.sender) - 1);
	assert_int_equal(strlen(seen.submission.auth), sizeof(seen.submission.auth) - 1);
	assert_int_equal(strlen(seen.submission.forwarder), sizeof(seen.submission.forwarder) - 1);
	assert_int_equal(strlen(seen.submission.account.domain),
			 sizeof(seen.submission.account.domain) - 1);
	close(pair[1]);
	assert_int_equal(policy_server_serve(&d, &ops, &seen), -EPIPE);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ask_and_tell),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_what_stands_in_the_way),
		cmocka_unit_test(test_child_that_died),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_untrusted_child),
	};

	alarm(120);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_run, remove_run);
}
