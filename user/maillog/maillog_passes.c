/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_passes.c - tables of messages (maillog_table.h), one for each share, with a hash of what
 * both passes have in common in place of a queue id.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "who/submission.h"
#include "maillog_passes.h"

/* Who submits a message has one of the shares by chance. */
#define SHARES	  32
#define SHARE_MIN 16
#define ID_SIZE	  17
/* The second pass may have to wait for its first delivery. */
#define KEEP_NS	    (3600 * NS_PER_S)
#define ADDRESS_MAX 512

struct maillog_passes {
	struct maillog_table *shares[SHARES];
	bool used; /* pipe(8) delivers on this host */
	uint64_t seed;
};

struct maillog_passes *maillog_passes_new(size_t max, uint64_t seed)
{
	struct maillog_passes *p = calloc(1, sizeof(*p));
	size_t i;

	if (!p)
		return NULL;
	p->seed = seed;
	for (i = 0; i < SHARES; i++) {
		p->shares[i] = maillog_table_new(max / SHARES + SHARE_MIN, seed);
		if (!p->shares[i]) {
			maillog_passes_free(p);
			return NULL;
		}
	}
	return p;
}

void maillog_passes_free(struct maillog_passes *p)
{
	size_t i;

	if (!p)
		return;
	for (i = 0; i < SHARES; i++)
		maillog_table_free(p->shares[i]);
	free(p);
}

/* pipe(8) may be told to fold addresses to lower case. */
static uint64_t hash_address(uint64_t seed, const char *at, size_t size)
{
	char lower[ADDRESS_MAX];
	size_t i;

	if (size > sizeof(lower))
		size = sizeof(lower);
	for (i = 0; i < size; i++)
		lower[i] = (char)tolower((unsigned char)at[i]);
	return hash_bytes(seed, lower, size);
}

static void make_id(const struct maillog_passes *p, const struct maillog_message *m,
		    struct maillog_span rcpt, char id[ID_SIZE])
{
	const uint64_t hashes[] = {
		m->message_id,
		hash_address(p->seed, m->sender, strlen(m->sender)),
		hash_address(p->seed, rcpt.at, rcpt.size),
	};

	snprintf(id, ID_SIZE, "%016" PRIx64, hash_bytes(p->seed, hashes, sizeof(hashes)));
}

/* By the first thing that is known of the submitter. */
static struct maillog_table *share_of(const struct maillog_passes *p,
				      const struct maillog_message *m)
{
	uint64_t hash;

	if (m->auth)
		hash = hash_bytes(p->seed, m->auth, strlen(m->auth));
	else if (m->known & SUBMISSION_HAS_UID)
		hash = hash_bytes(p->seed, &m->uid, sizeof(m->uid));
	else if (m->known & SUBMISSION_HAS_CALLER)
		hash = hash_bytes(p->seed, &m->caller, sizeof(m->caller));
	else
		hash = hash_bytes(p->seed, m->client, sizeof(m->client));
	return p->shares[hash % SHARES];
}

static const struct maillog_span nameless = {"", 0};
/* In place of a recipient: of a message in the queue. */
static const struct maillog_span nobody = {"", 0};

static bool note(struct maillog_passes *p, const struct maillog_message *m,
		 struct maillog_span rcpt, int64_t wall_ns)
{
	struct maillog_table *share = share_of(p, m);
	struct maillog_message *pass;
	char id[ID_SIZE];
	bool whole;

	make_id(p, m, rcpt, id);
	maillog_table_forget(share, wall_ns - KEEP_NS);
	pass = maillog_table_begin(share, nameless, (struct maillog_span){id, ID_SIZE - 1});
	whole = maillog_message_inherit(pass, m);
	maillog_table_remove(share, pass, wall_ns);
	return whole;
}

bool maillog_passes_note(struct maillog_passes *p, const struct maillog_message *m,
			 struct maillog_span rcpt, int64_t wall_ns)
{
	p->used = true;
	return !m->sender || note(p, m, rcpt, wall_ns);
}

bool maillog_passes_queued(struct maillog_passes *p, const struct maillog_message *m,
			   int64_t wall_ns)
{
	return !p->used || !m->sender || note(p, m, nobody, wall_ns);
}

void maillog_passes_removed(struct maillog_passes *p, const struct maillog_message *m)
{
	struct maillog_message *pass;
	char id[ID_SIZE];

	/* A second pass has the name and the share of the first, which is still in the queue. */
	if (!p->used || !m->sender || m->known & SUBMISSION_AGAIN)
		return;
	make_id(p, m, nobody, id);
	pass = maillog_table_find(share_of(p, m), nameless, (struct maillog_span){id, ID_SIZE - 1});
	if (pass)
		maillog_table_drop(share_of(p, m), pass);
}

static struct maillog_message *find_in(struct maillog_table *share, const struct maillog_message *m,
				       const char *id)
{
	struct maillog_message *pass =
		maillog_table_find(share, nameless, (struct maillog_span){id, ID_SIZE - 1});
	bool own = pass && pass->known & SUBMISSION_HAS_UID && !(pass->known & SUBMISSION_AGAIN) &&
		   pass->uid == m->uid;

	return own ? NULL : pass;
}

/* The latest, whoever submitted it. */
static struct maillog_message *find_done(const struct maillog_passes *p,
					 const struct maillog_message *m, struct maillog_span rcpt,
					 struct maillog_table **share)
{
	struct maillog_message *pass, *latest = NULL;
	char id[ID_SIZE];
	size_t i;

	make_id(p, m, rcpt, id);
	for (i = 0; i < SHARES; i++) {
		pass = find_in(p->shares[i], m, id);
		if (!pass || m->begun_ns > pass->removed_ns + MAILLOG_PASS_NS)
			continue;
		if (latest && latest->removed_ns >= pass->removed_ns)
			continue;
		latest = pass;
		*share = p->shares[i];
	}
	return latest;
}

/* Of those in the queue the only one that is alike. */
static const struct maillog_message *find_queued(const struct maillog_passes *p,
						 const struct maillog_message *m)
{
	const struct maillog_message *pass, *found = NULL;
	char id[ID_SIZE];
	size_t i;

	make_id(p, m, nobody, id);
	for (i = 0; i < SHARES; i++) {
		pass = find_in(p->shares[i], m, id);
		if (pass && found)
			return NULL;
		found = pass ? pass : found;
	}
	return found;
}

static bool become_second(struct maillog_message *m, const struct maillog_message *first)
{
	uint32_t filter = m->uid;
	bool whole = maillog_message_inherit(m, first);

	if (!(first->known & SUBMISSION_AGAIN))
		m->first_uid = first->uid;
	if (first->known & SUBMISSION_HAS_UID && !(first->known & SUBMISSION_AGAIN))
		m->known |= SUBMISSION_HAS_FIRST_UID;
	m->known |= SUBMISSION_HAS_UID | SUBMISSION_AGAIN;
	m->uid = filter;
	return whole;
}

bool maillog_passes_join(struct maillog_passes *p, struct maillog_message *m,
			 struct maillog_span rcpt)
{
	const struct maillog_message *first;
	struct maillog_message *done;
	struct maillog_table *share;
	bool whole = true;

	if (!m->sender || !p->used)
		return true;
	done = find_done(p, m, rcpt, &share);
	first = done ? done : find_queued(p, m);
	if (first && !(m->known & SUBMISSION_AGAIN))
		whole = become_second(m, first);
	if (done)
		maillog_table_drop(share, done);
	return whole;
}
