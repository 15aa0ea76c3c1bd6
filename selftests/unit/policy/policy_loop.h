/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_loop.h - the policy server's event loop alone, in a child of the test, which plays the
 * daemon.
 */
#ifndef SMTPL_TEST_POLICY_LOOP_H
#define SMTPL_TEST_POLICY_LOOP_H

#include "base/child.h"
#include "policy_fixture.h"
#include "policy/policy_child.h"

static const struct policy_bounds roomy = {
	.clients = 8,
	.per_uid = 8,
	.ask_ms = 60000,
	.request_ms = 60000,
	.idle_ms = 60000,
	.write_ms = 60000,
	.records = 1024,
};

struct loop {
	pid_t pid;
	int parent;
	struct policy_stats stats; /* as last told */
};

struct setup {
	struct policy_sockets sockets;
	struct policy_bounds bounds;
	struct config_uids peers;
};

static inline int run_loop(void *arg, int fd, pid_t parent)
{
	const struct setup *setup = arg;

	return policy_child(&setup->sockets, &setup->bounds, &setup->peers, fd, parent);
}

static inline int listen_at(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = address(name);

	unlink(addr.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(chmod(addr.sun_path, 0666), 0);
	assert_int_equal(listen(fd, 4096), 0);
	return fd;
}

static inline struct loop loop_start(const struct policy_bounds *bounds)
{
	struct setup setup = {.bounds = *bounds, .peers = {.uid = {BOB, getuid()}, .count = 2}};
	struct loop loop = {.pid = 0};
	size_t i;

	for (i = 0; i < POLICY_SOCKETS; i++)
		setup.sockets.listen[i] = listen_at(policy_socket_names[i]);
	fflush(NULL);
	assert_int_equal(child_start(run_loop, &setup, &loop.pid, &loop.parent), 0);
	for (i = 0; i < POLICY_SOCKETS; i++)
		close(setup.sockets.listen[i]);
	return loop;
}

/* The daemon ends; so does the child, by itself and in order. */
static inline void loop_end(struct loop *loop)
{
	int status;

	close(loop->parent);
	assert_int_equal(waitpid(loop->pid, &status, 0), loop->pid);
	assert_int_equal(status, 0);
	assert_int_equal(try_connect(POLICY_EXIM), -1);
}

/* The next message. What was counted is noted. */
static inline struct policy_message loop_next(struct loop *loop)
{
	struct policy_message m;

	await(loop->parent, POLLIN);
	assert_true(recv(loop->parent, &m, sizeof(m), 0) > 0);
	if (m.kind == POLICY_COUNTED)
		loop->stats = m.stats;
	return m;
}

/* The next message of this kind, with none but of counts before it. */
static inline struct policy_message loop_message(struct loop *loop, enum policy_kind kind)
{
	for (;;) {
		struct policy_message m = loop_next(loop);

		if (m.kind == kind)
			return m;
		assert_int_equal(m.kind, POLICY_COUNTED);
	}
}

static inline struct policy_question loop_question(struct loop *loop)
{
	return loop_message(loop, POLICY_QUESTION).question;
}

static inline void loop_send(const struct loop *loop, uint32_t id, struct policy_answer answer)
{
	answer.id = id;
	assert_int_equal(send(loop->parent, &answer, sizeof(answer), 0), sizeof(answer));
}

static inline struct submission loop_answer(struct loop *loop, struct policy_answer answer)
{
	struct policy_question q = loop_question(loop);

	loop_send(loop, q.id, answer);
	return q.submission;
}

/* Until so much has been told: it is in the second behind that it is. */
static inline void loop_await_count(struct loop *loop, const uint64_t *counter, uint64_t value)
{
	while (*counter != value)
		loop_message(loop, POLICY_COUNTED);
}

#endif
