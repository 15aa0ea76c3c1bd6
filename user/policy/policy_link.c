/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_link.c - fixed-size records to and from the daemon.
 */
#include "policy_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH	  32
#define REPORT_MS 1000

_Static_assert(offsetof(struct policy_message, record) == 2 * sizeof(uint32_t),
	       "a record follows the two words of the message");
_Static_assert(sizeof(struct policy_question) ==
		       offsetof(struct policy_question, submission) + sizeof(struct submission),
	       "a question ends with its submission");
_Static_assert(BATCH >= POLICY_LINK_QUESTIONS, "all questions at once");

int policy_link_init(struct policy_link *l, int fd, size_t records_max)
{
	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->records_max = records_max;
	l->records = calloc(records_max, sizeof(*l->records));
	return l->records ? 0 : -ENOMEM;
}

struct policy_slot *policy_link_ask(struct policy_link *l, void *client,
				    const struct submission *submission, int64_t until_ms)
{
	struct policy_slot *slot = l->slots;

	if (l->taken == POLICY_LINK_QUESTIONS)
		return NULL;
	while (slot->taken)
		slot++;
	l->taken++;
	*slot = (struct policy_slot){.id = l->questions++,
				     .taken = true,
				     .client = client,
				     .submission = submission,
				     .until_ms = until_ms};
	return slot;
}

static void give_up(struct policy_link *l, struct policy_slot *slot)
{
	slot->taken = false;
	l->taken--;
}

void policy_link_forget(struct policy_link *l, struct policy_slot *slot)
{
	slot->client = NULL;
	if (!slot->sent)
		give_up(l, slot);
}

int64_t policy_link_expire(struct policy_link *l, int64_t now_ms)
{
	int64_t next = INT64_MAX;
	size_t i;

	for (i = 0; i < POLICY_LINK_QUESTIONS; i++) {
		struct policy_slot *slot = &l->slots[i];

		if (slot->taken && slot->until_ms <= now_ms)
			give_up(l, slot);
		else if (slot->taken && slot->until_ms < next)
			next = slot->until_ms;
	}
	return next;
}

void policy_link_record(struct policy_link *l, const struct delivery_report *record)
{
	if (l->records_count == l->records_max) {
		l->stats.lost++;
		return;
	}
	l->records[(l->records_first + l->records_count) % l->records_max] = *record;
	l->records_count++;
}

/* Send up to BATCH messages of two parts. How many; fewer: the daemon has enough for now. */
static size_t send_batch(struct policy_link *l, struct iovec parts[][2], size_t count)
{
	struct mmsghdr messages[BATCH];
	size_t i;
	int sent;

	memset(messages, 0, count * sizeof(*messages));
	for (i = 0; i < count; i++) {
		messages[i].msg_hdr.msg_iov = parts[i];
		messages[i].msg_hdr.msg_iovlen = 2;
	}
	if (count == 0)
		return 0;
	sent = sendmmsg(l->fd, messages, (unsigned int)count, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		sent = 0;
	l->blocked |= (size_t)sent < count;
	return (size_t)sent;
}

static void send_questions(struct policy_link *l)
{
	uint32_t heads[BATCH][4];
	struct iovec parts[BATCH][2];
	struct policy_slot *asked[BATCH];
	size_t count = 0;
	size_t i;

	for (i = 0; i < POLICY_LINK_QUESTIONS; i++) {
		struct policy_slot *slot = &l->slots[i];

		if (!slot->taken || slot->sent)
			continue;
		memcpy(heads[count], (uint32_t[]){POLICY_QUESTION, 0, slot->id, 0},
		       sizeof(heads[count]));
		parts[count][0] = (struct iovec){heads[count], sizeof(heads[count])};
		parts[count][1].iov_base = (void *)(uintptr_t)slot->submission;
		parts[count][1].iov_len = sizeof(*slot->submission);
		asked[count++] = slot;
	}
	count = send_batch(l, parts, count);
	for (i = 0; i < count; i++)
		asked[i]->sent = true;
}

static void send_records(struct policy_link *l)
{
	uint32_t head[2] = {POLICY_RECORD, 0};
	struct iovec parts[BATCH][2];
	size_t count, i;

	while (l->records_count > 0 && !l->blocked) {
		count = l->records_count < BATCH ? l->records_count : BATCH;
		for (i = 0; i < count; i++) {
			size_t at = (l->records_first + i) % l->records_max;

			parts[i][0] = (struct iovec){head, sizeof(head)};
			parts[i][1] = (struct iovec){&l->records[at], sizeof(*l->records)};
		}
		count = send_batch(l, parts, count);
		l->records_first = (l->records_first + count) % l->records_max;
		l->records_count -= count;
	}
}

static void send_stats(struct policy_link *l, int64_t now_ms)
{
	uint32_t head[2] = {POLICY_COUNTED, 0};
	struct iovec parts[1][2] = {{{head, sizeof(head)}, {&l->stats, sizeof(l->stats)}}};

	if (policy_link_report_ms(l) > now_ms || send_batch(l, parts, 1) == 0)
		return;
	l->reported = l->stats;
	l->reported_ms = now_ms;
}

void policy_link_flush(struct policy_link *l, int64_t now_ms)
{
	l->blocked = false;
	send_questions(l);
	send_records(l);
	send_stats(l, now_ms);
}

int64_t policy_link_report_ms(const struct policy_link *l)
{
	if (l->blocked || memcmp(&l->stats, &l->reported, sizeof(l->stats)) == 0)
		return INT64_MAX;
	return l->reported_ms + REPORT_MS;
}

static void take_answer(struct policy_link *l, const struct policy_answer *answer,
			void (*give)(void *arg, void *client, const struct policy_answer *answer),
			void *arg)
{
	size_t i;

	for (i = 0; i < POLICY_LINK_QUESTIONS; i++) {
		struct policy_slot *slot = &l->slots[i];

		if (!slot->taken || !slot->sent || slot->id != answer->id)
			continue;
		give_up(l, slot);
		if (slot->client)
			give(arg, slot->client, answer);
		return;
	}
}

bool policy_link_answers(struct policy_link *l,
			 void (*give)(void *arg, void *client, const struct policy_answer *answer),
			 void *arg)
{
	struct policy_answer answers[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	int count, i;

	memset(messages, 0, sizeof(messages));
	for (i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){&answers[i], sizeof(answers[i])};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(l->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR;
	for (i = 0; i < count; i++) {
		if (messages[i].msg_len == 0)
			return false;
		if (messages[i].msg_len == sizeof(answers[i]) &&
		    !(messages[i].msg_hdr.msg_flags & MSG_TRUNC))
			take_answer(l, &answers[i], give, arg);
	}
	return true;
}
