/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_end.h - the end of a session that turned to TLS. It comes when the socket is gone, not when
 * it closes: until then its process may read what was received.
 */
#ifndef SMTPL_TLS_END_H
#define SMTPL_TLS_END_H

#include "settle.h"
#include "tls_maps.h"

static __always_inline void tls_forget(__u64 cookie, __u32 uid)
{
	struct smtpl_tls_dead dead = {.cookie = cookie, .time_ns = bpf_ktime_get_boot_ns()};
	__s32 *open = bpf_map_lookup_elem(&smtpl_tls_uids, &uid);

	if (open)
		__sync_fetch_and_add(open, -1);
	if (bpf_map_push_elem(&smtpl_tls_dead, &dead, BPF_ANY))
		bpf_map_delete_elem(&smtpl_tls, &cookie);
}

/* Ends a session of which no plaintext was read, and counts why. `t`: its copy, or NULL. */
static __always_inline void tls_close_opaque(struct smtpl_session *s, const struct smtpl_session *t)
{
	const struct smtpl_tls_pid *pid = bpf_map_lookup_elem(&smtpl_tls_pids, &s->pid);

	if ((t && t->tls_probed) || (pid && pid->since_ns))
		stats_add(tls_unbound, 1);
	else
		stats_add(tls_opaque, 1);
	emit_opaque(s);
	session_try_settle(s);
}

static __always_inline void tls_close_read(struct smtpl_session *s, struct smtpl_session *t)
{
	stats_add(tls_sessions, 1);
	/* TLS was switched off meanwhile: nobody read what was said since. */
	if (!smtpl_tls_mode) {
		t->smtp.c.desync = 1;
		emit_opaque(s);
	}
	if (t->plain.late)
		stats_add(tls_late, 1);
	/* The process reads by a function without a probe: what the server said is not known. */
	if (!t->in.synced)
		t->smtp.c.desync = 1;
	if (smtp_tls_over(&t->plain))
		settle_unseen(t);
	session_close(t, s->end, s->error);
}

/* The socket of a session is gone, or is connected anew. A function of its own for the sake of the
 * caller's stack. */
static __attribute__((noinline)) int session_over(struct smtpl_session *s)
{
	struct smtpl_session *t;
	__u64 cookie;

	if (!s->tls_wire)
		return 0;
	cookie = s->cookie;
	t = bpf_map_lookup_elem(&smtpl_tls, &cookie);
	s->tls_wire = SESSION_TLS_NO;
	if (!s->end)
		s->end = SMTP_END_LOST;
	if (t && t->plain.phase != SMTP_TLS_NEW)
		tls_close_read(s, t);
	else
		tls_close_opaque(s, t);
	if (t)
		tls_forget(cookie, s->uid);
	return 0;
}

#endif
