/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * settle.h - the end of a session: what was still open is decided, once, by whoever holds the lock.
 */
#ifndef SMTPL_SETTLE_H
#define SMTPL_SETTLE_H

#include "gate.h"

static __always_inline void settle_decision(struct smtpl_session *s, bool refused)
{
	struct smtp_decision *d = &s->smtp.s.decision;

	/* A mail server tries the next host, and keeps the mail in its own queue: a connection that
	 * was lost before a sender was named is nobody's attempt. */
	if (d->subject == SMTP_SUBJECT_SESSION && d->lost && s->role == SMTPL_ROLE_RELAY)
		return;
	if (!refused) {
		emit_outcome(s, d);
		return;
	}
	stats_add(refused_attempts, d->count);
	gate_count_refused(s, d->count);
}

/* The caller holds the lock. */
static __always_inline void session_settle(struct smtpl_session *s)
{
	bool refused = gate_refuses(s->uid);

	if (s->ended)
		return;
	s->ended = 1;
	for (int i = 0; i < SMTP_SENDERS + 1; i++) {
		if (!smtp_session_end(&s->smtp, s->end))
			break;
		settle_decision(s, refused);
	}
	if (s->smtp.s.callouts)
		stats_add(callouts, s->smtp.s.callouts);
	if (s->smtp.s.too_many)
		stats_add(too_many_rcpts, s->smtp.s.too_many);
	/* In TLS, tls_blind counts what was missed. */
	if ((s->smtp.s.desync || s->smtp.c.desync) && s->plain.phase != SMTP_TLS_BEHIND)
		stats_add(sessions_desync, 1);
	emit_close(s);
}

static __always_inline void session_try_settle(struct smtpl_session *s)
{
	if (!session_trylock(s))
		return;
	session_settle(s);
	session_unlock(s);
}

/* The socket is closed: settle now, or leave it to the packet program that holds the lock. */
static __always_inline void session_close(struct smtpl_session *s, __u32 how, __u32 error)
{
	if (s->redirected || s->end)
		return;
	s->error = error;
	__sync_lock_test_and_set(&s->end, how);
	if (!s->tls_wire)
		session_try_settle(s);
}

/* Give the lock back, and settle what ended meanwhile. */
static __always_inline void session_release(struct smtpl_session *s)
{
	session_unlock(s);
	if (s->end && !s->ended && !s->tls_wire)
		session_try_settle(s);
}

/* Counts one unknown attempt whose sender was not seen. Global for the sake of the caller's
 * stack. */
__attribute__((noinline)) int settle_unseen(struct smtpl_session *s)
{
	struct smtp_decision d = {
		.outcome = SMTP_UNKNOWN,
		.subject = SMTP_SUBJECT_SESSION,
		.lost = 1,
		.count = 1,
	};

	return s ? emit_outcome(s, &d) : 0;
}

#endif
