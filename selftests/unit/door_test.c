/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * door_test.c - the door as the daemon uses it: sockets and their files, the child, questions with
 * answers, records, and what of the child's words is not taken.
 */
#include <poll.h>
#include <signal.h>
#include "door_fixture.h"

struct seen {
	int asked;
	int told;
	struct origin origin;
	struct feed_record record;
	struct door_stats stats;
};

static void ask(void *arg, const struct door_question *question, struct door_answer *answer)
{
	struct door_answer said = refused();
	struct seen *seen = arg;

	seen->asked++;
	seen->origin = question->origin;
	assert_int_equal(answer->id, question->id);
	said.id = question->id + 1; /* set back to the question's by door_serve() */
	*answer = said;
}

static void record(void *arg, const struct feed_record *told)
{
	struct seen *seen = arg;

	seen->told++;
	seen->record = *told;
}

static void counted(void *arg, const struct door_stats *stats)
{
	((struct seen *)arg)->stats = *stats;
}

static const struct door_ops ops = {.ask = ask, .record = record, .counted = counted};

static const struct config_uids nobody_else = {.count = 0};

/* Without root the test is no peer of itself otherwise. */
static struct config_uids self(void)
{
	return (struct config_uids){.uid = {getuid()}, .count = 1};
}

static struct door start(void)
{
	const struct config_uids peers = self();
	struct door d = {0};

	fflush(NULL);
	assert_int_equal(door_start(&d, run, &peers), 0);
	assert_true(d.pid > 0);
	return d;
}

/* Serve until it has been asked or told so often. */
static void serve(struct door *d, struct seen *seen, int times)
{
	while (seen->asked + seen->told < times) {
		await(d->fd, POLLIN);
		assert_int_equal(door_serve(d, &ops, seen), 0);
	}
}

static void test_ask_and_tell(void **state)
{
	struct seen seen = {0};
	struct door d = start();
	int fd;

	(void)state;
	assert_int_equal(door_serve(&d, &ops, &seen), 0);
	fd = connect_and_say(DOOR_EXIM, ASK);
	serve(&d, &seen, 1);
	assert_int_equal(seen.origin.uid, 1001);
	hears(fd, REFUSED);
	hears_the_end(fd);
	hears_the_end(connect_and_say(DOOR_FEED, EVENT "one\n"));
	serve(&d, &seen, 2);
	assert_string_equal(seen.record.id, "one");
	hears_the_end(connect_and_say(DOOR_FEED, "nonsense\n"));
	while (seen.stats.malformed == 0) {
		await(d.fd, POLLIN);
		assert_int_equal(door_serve(&d, &ops, &seen), 0);
	}
	door_stop(&d);
	door_stop(&d);
	assert_int_equal(d.pid, 0);
	assert_int_equal(d.fd, -1);
}

static void test_files(void **state)
{
	struct door d = start();
	struct stat st;
	size_t i;

	(void)state;
	for (i = 0; i < DOOR_SOCKETS; i++) {
		assert_int_equal(lstat(address(door_socket_names[i]).sun_path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0666);
	}
	door_stop(&d);
	/* Refused at once, as when the daemon has died; the next start takes over. */
	assert_int_equal(try_connect(DOOR_EXIM), -1);
	assert_int_equal(errno, ECONNREFUSED);
	d = start();
	close(connect_to(DOOR_EXIM));
	door_stop(&d);
}

static void test_what_stands_in_the_way(void **state)
{
	struct sockaddr_un map = address("socketmap");
	const struct config_uids peers = self();
	struct door d = {.pid = 0, .fd = 4242};
	char long_run[120];

	(void)state;
	unlink(map.sun_path);
	assert_int_equal(mkdir(map.sun_path, 0755), 0);
	assert_int_equal(door_start(&d, run, &peers), -EEXIST);
	assert_int_equal(rmdir(map.sun_path), 0);
	assert_int_equal(symlink("/dev/null", map.sun_path), 0);
	assert_int_equal(door_start(&d, run, &peers), -EEXIST);
	assert_int_equal(unlink(map.sun_path), 0);
	assert_int_equal(door_start(&d, "/nonexistent", &peers), -ENOENT);
	memset(long_run, 'x', sizeof(long_run) - 1);
	long_run[0] = '/';
	long_run[sizeof(long_run) - 1] = '\0';
	assert_int_equal(door_start(&d, long_run, &peers), -ENAMETOOLONG);
	assert_int_equal(d.pid, 0);
	assert_int_equal(d.fd, 4242);
}

static void test_child_that_died(void **state)
{
	struct seen seen = {0};
	struct door d = start();

	(void)state;
	assert_int_equal(kill(d.pid, SIGKILL), 0);
	await(d.fd, POLLIN);
	assert_int_equal(door_serve(&d, &ops, &seen), -EPIPE);
	door_stop(&d);
	d = start();
	hears_the_end(connect_and_say(DOOR_FEED, EVENT "two\n"));
	serve(&d, &seen, 1);
	door_stop(&d);
}

/* Root alone is always a peer. */
static void test_peers(void **state)
{
	struct door d = {0};

	(void)state;
	need_root();
	assert_int_equal(door_start(&d, run, &nobody_else), 0);
	hears_the_end(connect_as(STRANGER, DOOR_POLICY));
	hears_the_end(connect_and_say(DOOR_POLICY, "no request\n"));
	door_stop(&d);
}

/* A child that was taken over says anything: here the test is that child. */
static void test_untrusted_child(void **state)
{
	struct door_message m;
	struct seen seen = {0};
	struct door d = {0};
	int pair[2];
	size_t size;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	d.fd = pair[0];
	memset(&m, 'x', sizeof(m));
	m.kind = DOOR_RECORD;
	for (size = 1; size < 64; size++)
		send(pair[1], &m, size, 0);
	assert_int_equal(door_serve(&d, &ops, &seen), 0);
	size = offsetof(struct door_message, record) + sizeof(m.record);
	send(pair[1], &m, size, 0); /* of no such kind, outcome or server */
	m.record.kind = FEED_OUTCOME;
	m.record.outcome = SMTP_FAILED;
	send(pair[1], &m, size, 0);
	m.record.mta = FEED_EXIM;
	m.record.outcome = SMTP_OUTCOMES;
	send(pair[1], &m, size, 0);
	m.kind = DOOR_QUESTION; /* of another size */
	send(pair[1], &m, size, 0);
	assert_int_equal(door_serve(&d, &ops, &seen), 0);
	assert_int_equal(seen.asked + seen.told, 0);
	m.kind = DOOR_RECORD;
	m.record.outcome = SMTP_FAILED;
	send(pair[1], &m, size, 0);
	m.kind = DOOR_QUESTION;
	memset(&m.question, 'x', sizeof(m.question));
	send(pair[1], &m, offsetof(struct door_message, question) + sizeof(m.question), 0);
	assert_int_equal(door_serve(&d, &ops, &seen), 0);
	assert_int_equal(seen.told, 1);
	assert_int_equal(seen.asked, 1);
	assert_int_equal(strlen(seen.record.rcpt), sizeof(seen.record.rcpt) - 1);
	assert_int_equal(strlen(seen.record.id), sizeof(seen.record.id) - 1);
	assert_int_equal(strlen(seen.record.text), sizeof(seen.record.text) - 1);
	assert_int_equal(strlen(seen.origin.sender), sizeof(seen.origin.sender) - 1);
	assert_int_equal(strlen(seen.origin.auth), sizeof(seen.origin.auth) - 1);
	assert_int_equal(strlen(seen.origin.forwarder), sizeof(seen.origin.forwarder) - 1);
	assert_int_equal(strlen(seen.origin.account.domain),
			 sizeof(seen.origin.account.domain) - 1);
	close(pair[1]);
	assert_int_equal(door_serve(&d, &ops, &seen), -EPIPE);
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
