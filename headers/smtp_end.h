/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_end.h - part of smtp.h: what becomes of everything undecided when a session ends, or when
 * its replies can no longer be paired with its commands.
 */
#ifndef SMTPL_SMTP_END_H
#define SMTPL_SMTP_END_H

enum smtp_ended {
	SMTP_ENDED_NOT = 0,
	SMTP_ENDED_SETTLING, /* transactions from s.settle on are still to be looked at */
	SMTP_ENDED_CLEAN,    /* nothing was left behind but, perhaps, a refused EHLO */
	SMTP_ENDED_DONE,
};

/* Decides without a reply: the one read last has nothing to do with it. */
SMTP_INLINE void smtp_decide_lost(struct smtp_session *ss, __u32 outcome, __u32 subject,
				  __u32 count)
{
	smtp_decide(ss, outcome, subject, count);
	ss->s.decision.lost = 1;
	ss->s.decision.code = 0;
	__builtin_memset(ss->s.enhanced, 0, sizeof(ss->s.enhanced));
	__builtin_memset(ss->s.text, 0, sizeof(ss->s.text));
}

/* The server's side turns desync; s.decision is that of the last reply, or clear. The undecided
 * recipients of the current transaction become unknown; smtp_session_end settles those of later
 * ones, and those that the client's side adds before it notices. */
SMTP_INLINE void smtp_give_up(struct smtp_session *ss)
{
	struct smtp_server *s = &ss->s;
	__u32 count;

	s->desync = 1;
	smtp_publish(&s->fence); /* the client's side sees the flag, or this sees its recipients */
	count = smtp_undecided(ss);
	s->answered += count - s->accepted;
	s->accepted = 0;
	s->prdr_next = 0;
	if (count)
		smtp_decide_lost(ss, SMTP_UNKNOWN, SMTP_SUBJECT_REST, count);
}

/* The server's side is to give up, because bytes of it are missing. Returns SMTP_SERVER_DESYNC when
 * s.decision holds what was undecided, else SMTP_SERVER_NONE. */
SMTP_API __u32 smtp_session_desync(struct smtp_session *ss)
{
	if (!ss)
		return 0;
	if (ss->s.desync | ss->s.opaque | ss->c.opaque)
		return SMTP_SERVER_NONE;
	smtp_decision_clear(ss);
	smtp_give_up(ss);
	return ss->s.decision.outcome ? SMTP_SERVER_DESYNC : SMTP_SERVER_NONE;
}

/* The MAIL of `txn` was sent without a recipient, and the client did not give it up. */
SMTP_INLINE __u32 smtp_mail_alone(struct smtp_session *ss, __u32 txn)
{
	if (smtp_unpaired(ss) || smtp_sender_of(ss, txn)->rcpts)
		return 0;
	return txn != ss->s.txn || (ss->s.open && !smtp_dropped(ss));
}

/* Decides what is left of transaction s.settle. 1: s.decision holds it. */
SMTP_API __u32 smtp_settle(struct smtp_session *ss)
{
	struct smtp_sender *sender;
	__u32 txn, count, alone, unknown;

	if (!ss || (__s32)(ss->c.paired - ss->s.settle) < 0)
		return 0;
	txn = ss->s.settle++;
	sender = smtp_sender_of(ss, txn);
	alone = smtp_mail_alone(ss, txn);
	count = txn == ss->s.txn ? smtp_undecided(ss) : sender->rcpts;
	smtp_close(ss);
	if (!count && !alone)
		return 0;
	unknown = smtp_unpaired(ss) || sender->end_sent;
	ss->s.txn = txn;
	smtp_decide_lost(ss, count && unknown ? SMTP_UNKNOWN : SMTP_DEFERRED,
			 count ? SMTP_SUBJECT_REST : SMTP_SUBJECT_MAIL, count ? count : 1);
	return 1;
}

/* Nothing but QUIT waits for a reply, and no body is under way. */
SMTP_INLINE __u32 smtp_idle(struct smtp_session *ss)
{
	__u32 waiting = smtp_unanswered(ss);

	if (!ss->s.greeted || waiting > 1)
		return 0;
	if (waiting)
		return ss->c.fifo[smtp_hide(ss->s.popped) & (SMTP_FIFO_DEPTH - 1)] == SMTP_QUIT;
	return !(ss->s.data_go && ss->s.early_data != ss->s.datas);
}

SMTP_INLINE __u32 smtp_end_begin(struct smtp_session *ss, __u32 how)
{
	__u32 paired = !smtp_unpaired(ss);

	if (ss->s.opaque | ss->c.opaque)
		return SMTP_ENDED_DONE;
	if (ss->s.quit_done || (paired && how == SMTP_END_CLIENT && smtp_idle(ss))) {
		smtp_drop(ss);
		return SMTP_ENDED_CLEAN;
	}
	ss->s.settle = ss->s.txn;
	return SMTP_ENDED_SETTLING;
}

/* The attempt of a session in which no sender was named. */
SMTP_INLINE __u32 smtp_end_session(struct smtp_session *ss, __u32 clean)
{
	struct smtp_server *s = &ss->s;

	if (s->session_decided)
		return 0;
	if (s->held_code) {
		s->code = s->held_code;
		if (!s->held_text) {
			__builtin_memset(s->enhanced, 0, sizeof(s->enhanced));
			__builtin_memset(s->text, 0, sizeof(s->text));
		}
		smtp_decide(ss, smtp_code_outcome(s->held_code), SMTP_SUBJECT_SESSION, 1);
		return 1;
	}
	/* A client that said QUIT had nothing more to send, however the connection ended then. */
	if (clean || s->attempts || ss->c.txn || smtp_unpaired(ss) || (ss->c.quit && smtp_idle(ss)))
		return 0;
	smtp_decide_lost(ss, SMTP_DEFERRED, SMTP_SUBJECT_SESSION, 1);
	return 1;
}

/* The session is over. 1: s.decision holds one decision, call again; 0: that was all. 1 is returned
 * SMTP_SENDERS + 1 times at most. */
SMTP_API __u32 smtp_session_end(struct smtp_session *ss, __u32 how)
{
	__u32 clean;

	if (!ss)
		return 0;
	smtp_decision_clear(ss);
	if (ss->s.ended == SMTP_ENDED_NOT)
		ss->s.ended = smtp_end_begin(ss, how);
	if (ss->s.ended == SMTP_ENDED_DONE)
		return 0;
	clean = ss->s.ended == SMTP_ENDED_CLEAN;
	if (!clean && (smtp_settle(ss) || smtp_settle(ss) || smtp_settle(ss) || smtp_settle(ss)))
		return 1;
	ss->s.ended = SMTP_ENDED_DONE;
	return smtp_end_session(ss, clean);
}

_Static_assert(SMTP_SENDERS == 4, "smtp_session_end looks at as many transactions in a call");

#endif
