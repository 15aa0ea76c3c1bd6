/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_server.c - the daemon's side of the policy server: the sockets, the child's start and end,
 * and the answers to its questions. The child reads what strangers write: whatever comes from it is
 * checked here again.
 */
#include "policy_server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include "base/child.h"
#include "base/unix_listener.h"
#include "policy_child.h"

#define BACKLOG		 1024
#define BATCH		 32
#define BATCHES_PER_CALL 4
#define MODE		 0666

static const struct policy_bounds bounds = {
	.clients = 1024,
	.per_uid = 768,
	.ask_ms = 1500, /* mail servers wait for 2 s */
	.request_ms = 5000,
	.idle_ms = 3600 * 1000,
	.write_ms = 5000,
	.records = 1024,
};

struct setup {
	struct policy_sockets sockets;
	const struct config_uids *peers;
};

static void close_listeners(const struct policy_sockets *k)
{
	size_t i;

	for (i = 0; i < POLICY_SOCKETS; i++)
		if (k->listen[i] >= 0)
			close(k->listen[i]);
}

static int open_listeners(const char *run, struct policy_sockets *k)
{
	size_t i;

	memset(k, 0xff, sizeof(*k));
	for (i = 0; i < POLICY_SOCKETS; i++) {
		k->listen[i] =
			unix_listener(run, policy_socket_names[i], SOCK_STREAM, MODE, BACKLOG);
		if (k->listen[i] < 0)
			return k->listen[i];
	}
	return 0;
}

static int run_child(void *arg, int fd, pid_t parent)
{
	const struct setup *setup = arg;

	return policy_child(&setup->sockets, &bounds, setup->peers, fd, parent);
}

int policy_server_start(struct policy_server *d, const char *run, const struct config_uids *peers)
{
	struct setup setup = {.peers = peers};
	int err = open_listeners(run, &setup.sockets);

	if (!err)
		err = child_start(run_child, &setup, &d->pid, &d->fd);
	close_listeners(&setup.sockets);
	return err;
}

void policy_server_stop(struct policy_server *d)
{
	child_stop(&d->pid, &d->fd);
}

static void take_record(struct delivery_report *r, const struct policy_ops *ops, void *arg)
{
	if (r->mta != FEED_EXIM || r->kind < REPORT_OUTCOME || r->kind > REPORT_REFUSED ||
	    r->outcome >= SMTP_OUTCOMES)
		return;
	delivery_report_bound(r);
	ops->record(arg, r);
}

static void take_question(struct policy_question *q, struct policy_answer *answer,
			  const struct policy_ops *ops, void *arg)
{
	submission_end_strings(&q->submission);
	memset(answer, 0, sizeof(*answer));
	answer->id = q->id;
	ops->ask(arg, q, answer);
	answer->id = q->id;
}

#define IS(message, length, kind_, member)                                                         \
	((message)->kind == (kind_) &&                                                             \
	 (length) == offsetof(struct policy_message, member) + sizeof((message)->member))

/* True: *answer is to be sent. */
static bool take_message(struct policy_message *m, size_t length, struct policy_answer *answer,
			 const struct policy_ops *ops, void *arg)
{
	if (length < offsetof(struct policy_message, question))
		return false;
	if (IS(m, length, POLICY_QUESTION, question)) {
		take_question(&m->question, answer, ops, arg);
		return true;
	}
	if (IS(m, length, POLICY_RECORD, record))
		take_record(&m->record, ops, arg);
	else if (IS(m, length, POLICY_COUNTED, stats) && ops->counted)
		ops->counted(arg, &m->stats);
	return false;
}

/* A child that does not take answers leaves its peers waiting for a while, nobody else. */
static void send_answers(const struct policy_server *d, struct policy_answer *answers, size_t count)
{
	struct mmsghdr headers[BATCH];
	struct iovec parts[BATCH];
	size_t i;

	memset(headers, 0, sizeof(headers));
	for (i = 0; i < count; i++) {
		parts[i] = (struct iovec){&answers[i], sizeof(answers[i])};
		headers[i].msg_hdr.msg_iov = &parts[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	if (count > 0)
		sendmmsg(d->fd, headers, (unsigned int)count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* How many messages there were, or -errno. */
static int receive(const struct policy_server *d, struct policy_message *messages, size_t *lengths)
{
	struct mmsghdr headers[BATCH];
	struct iovec parts[BATCH];
	int count, i;

	memset(headers, 0, sizeof(headers));
	for (i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){&messages[i], sizeof(messages[i])};
		headers[i].msg_hdr.msg_iov = &parts[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(d->fd, headers, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	for (i = 0; i < count; i++) {
		/* What is longer than any of ours is not one. */
		lengths[i] = headers[i].msg_hdr.msg_flags & MSG_TRUNC ? 1 : headers[i].msg_len;
		if (lengths[i] == 0)
			return i ? i : -EPIPE;
	}
	return count;
}

int policy_server_serve(struct policy_server *d, const struct policy_ops *ops, void *arg)
{
	struct policy_message messages[BATCH];
	struct policy_answer answers[BATCH];
	size_t lengths[BATCH];
	size_t asked;
	int batch, count, i;

	for (batch = 0; batch < BATCHES_PER_CALL; batch++) {
		count = receive(d, messages, lengths);
		if (count < 0)
			return count;
		for (i = 0, asked = 0; i < count; i++)
			asked += take_message(&messages[i], lengths[i], &answers[asked], ops, arg);
		send_answers(d, answers, asked);
		if (count < BATCH)
			break;
	}
	return 0;
}
