/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * settle.h - the end of a session: what was still open is decided, once, by whoever holds the lock. One
 * in plain text ends when its socket closes. One that turned to TLS ends when the socket is gone: until
 * then its process may read what was received.
 */
#ifndef SMTPL_SETTLE_H
#define SMTPL_SETTLE_H

#include "gate.h"
#include "tls_maps.h"

#define SETTLE_DEAD_NS 1000000000ull /* how long an ended session stays in smtpl_tls */

static __always_inline void settle_decision(struct smtpl_session *s, bool cut)
{
	struct smtp_decision *d = &s->smtp.s.decision;

	/* A mail server tries the next host and tells its own queue: a connection that never got as
	 * far as a sender is nobody's mail. */
	if (d->subject == SMTP_SUBJECT_SESSION && d->lost && s->role == SMTPL_ROLE_RELAY)
		return;
	if (!cut) {
		emit_outcome(s, d);
		return;
	}
	stats_add(refused_attempts, d->count);
	gate_count_refused(s, d->count);
}

/* The caller holds the lock. */
static __always_inline void session_settle(struct smtpl_session *s)
{
	bool cut = gate_refuses(s->uid);

	if (s->ended)
		return;
	s->ended = 1;
	for (int i = 0; i < SMTP_SENDERS + 1; i++) {
		if (!smtp_session_end(&s->smtp, s->end))
			break;
		settle_decision(s, cut);
	}
	if (s->smtp.s.callouts)
		stats_add(callouts, s->smtp.s.callouts);
	if (s->smtp.s.too_many)
		stats_add(too_many_rcpts, s->smtp.s.too_many);
	if (s->smtp.s.desync || s->smtp.c.desync)
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

/* --- sessions that turned to TLS ------------------------------------------------------------ */

/* An attempt that nobody saw, of a sender that nobody saw. */
static __always_inline void settle_unseen(struct smtpl_session *s)
{
	struct smtp_decision d = {
		.outcome = SMTP_UNKNOWN,
		.subject = SMTP_SUBJECT_SESSION,
		.lost = 1,
		.count = 1,
	};

	emit_outcome(s, &d);
}

/* Take out what has been over for a while: as many as come, and one more. */
static __always_inline void tls_bury(__u64 now)
{
	for (int i = 0; i < 2; i++) {
		struct smtpl_tls_dead dead;

		if (bpf_map_peek_elem(&smtpl_tls_dead, &dead) || now - dead.time_ns < SETTLE_DEAD_NS ||
		    bpf_map_pop_elem(&smtpl_tls_dead, &dead))
			break;
		bpf_map_delete_elem(&smtpl_tls, &dead.cookie);
	}
}

static __always_inline void tls_forget(__u64 cookie)
{
	struct smtpl_tls_dead dead = {.cookie = cookie, .time_ns = bpf_ktime_get_boot_ns()};

	tls_bury(dead.time_ns);
	if (bpf_map_push_elem(&smtpl_tls_dead, &dead, BPF_ANY))
		bpf_map_delete_elem(&smtpl_tls, &cookie);
}

/* Nothing of its plaintext was read: why not? `t`: its copy, or NULL. */
static __always_inline void tls_close_opaque(struct smtpl_session *s, const struct smtpl_session *t)
{
	const struct smtpl_tls_pid *pid = bpf_map_lookup_elem(&smtpl_tls_pids, &s->pid);

	if (t || (pid && pid->since_ns))
		stats_add(tls_unbound, 1);
	else
		stats_add(tls_opaque, 1);
	emit_opaque(s);
	session_try_settle(s);
}

static __always_inline void tls_close_read(struct smtpl_session *s, struct smtpl_session *t)
{
	stats_add(tls_sessions, 1);
	if (t->plain.late)
		stats_add(tls_late, 1);
	/* A way to read that has no probe: what the server said is not known. */
	if (!t->in.synced)
		t->smtp.c.desync = 1;
	if (smtp_tls_over(&t->plain))
		settle_unseen(t);
	session_close(t, s->end, s->error);
}

/* The socket of a session is gone, or begins anew. */
static __always_inline void session_over(struct smtpl_session *s)
{
	__u64 cookie = s->cookie;
	struct smtpl_session *t;

	if (!s->tls_wire)
		return;
	t = bpf_map_lookup_elem(&smtpl_tls, &cookie);
	s->tls_wire = SESSION_TLS_NO;
	if (!s->end)
		s->end = SMTP_END_LOST;
	if (t && t->plain.phase != SMTP_TLS_NEW)
		tls_close_read(s, t);
	else
		tls_close_opaque(s, t);
	if (t)
		tls_forget(cookie);
}

#endif
