/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_reply.h - part of smtp.h: what a complete reply decides. The FIFO says which command it
 * answers; the first digit of its code says what became of that command (RFC 5321 4.3.2).
 */
#ifndef SMTPL_SMTP_REPLY_H
#define SMTPL_SMTP_REPLY_H

/* Whether commands and replies still match. */
enum smtp_reply_verdict {
	SMTP_REPLY_FINE = 0,
	SMTP_REPLY_OUT_OF_STEP, /* it can't be the answer to that command */
};

SMTP_INLINE __u32 smtp_code_outcome(__u32 code)
{
	if (code >= 200 && code < 300)
		return SMTP_DELIVERED;
	if (code >= 400 && code < 500)
		return SMTP_DEFERRED;
	return code >= 500 ? SMTP_FAILED : SMTP_OUTCOME_NONE;
}

SMTP_INLINE __u32 smtp_is_refusal(__u32 outcome)
{
	return outcome == SMTP_DEFERRED || outcome == SMTP_FAILED;
}

SMTP_INLINE void smtp_decision_clear(struct smtp_session *ss)
{
	__builtin_memset(&ss->s.decision, 0, sizeof(ss->s.decision));
}

/* Decides `count` attempts by the reply just read. */
SMTP_INLINE void smtp_decide(struct smtp_session *ss, __u32 outcome, __u32 subject, __u32 count)
{
	struct smtp_decision *decision = &ss->s.decision;

	decision->outcome = outcome;
	decision->subject = subject;
	decision->code = ss->s.code;
	decision->count = count;
	ss->s.attempts += count;
	if (subject == SMTP_SUBJECT_SESSION) {
		ss->s.session_decided = 1;
		return;
	}
	decision->txn = ss->s.txn;
	decision->null_sender = smtp_sender_of(ss, ss->s.txn)->null_sender;
}

SMTP_INLINE void smtp_close(struct smtp_session *ss)
{
	ss->s.open = 0;
	ss->s.accepted = 0;
	ss->s.prdr_next = 0;
}

/* The transaction ends and nothing of it was meant to be sent. */
SMTP_INLINE void smtp_drop(struct smtp_session *ss)
{
	ss->s.callouts += ss->s.accepted;
	smtp_close(ss);
}

/* The client gave the current transaction up before any data. */
SMTP_INLINE __u32 smtp_dropped(struct smtp_session *ss)
{
	struct smtp_sender *sender = smtp_sender_of(ss, ss->s.txn);

	return (sender->dropped || ss->c.quit) && !sender->data_sent;
}

/* Recipients of the current transaction that nothing has decided, those without a reply included.
 * Accepted ones of a transaction given up are a callout. */
SMTP_INLINE __u32 smtp_undecided(struct smtp_session *ss)
{
	if (!ss->s.open)
		return 0;
	if (smtp_dropped(ss)) {
		ss->s.callouts += ss->s.accepted;
		ss->s.accepted = 0;
	}
	return ss->s.accepted + smtp_sender_of(ss, ss->s.txn)->rcpts - ss->s.answered;
}

/* One reply decides all accepted recipients; without any it means nothing. */
SMTP_INLINE void smtp_decide_rest(struct smtp_session *ss, __u32 outcome)
{
	if (ss->s.open && ss->s.accepted)
		smtp_decide(ss, outcome, SMTP_SUBJECT_REST, ss->s.accepted);
	smtp_close(ss);
}

SMTP_INLINE void smtp_decide_session(struct smtp_session *ss, __u32 outcome)
{
	if (!ss->s.session_decided)
		smtp_decide(ss, outcome, SMTP_SUBJECT_SESSION, 1);
}

/* A 421 to anything but the greeting, EHLO, MAIL and QUIT, or to no command, decides all that is
 * undecided. */
SMTP_INLINE void smtp_reply_421(struct smtp_session *ss)
{
	__u32 count = smtp_undecided(ss);

	if (count)
		smtp_decide(ss, SMTP_DEFERRED, SMTP_SUBJECT_REST, count);
	else if (ss->s.open && !smtp_sender_of(ss, ss->s.txn)->rcpts && !smtp_dropped(ss))
		smtp_decide(ss, SMTP_DEFERRED, SMTP_SUBJECT_MAIL, 1);
	else if (!ss->s.attempts && !ss->c.txn)
		smtp_decide_session(ss, SMTP_DEFERRED);
	smtp_close(ss);
}

SMTP_INLINE __u32 smtp_reply_mail(struct smtp_session *ss, __u32 outcome)
{
	smtp_drop(ss);
	ss->s.answered = 0;
	ss->s.held_code = 0;
	ss->s.txn++;
	ss->s.open = !smtp_is_refusal(outcome);
	if (outcome == SMTP_OUTCOME_NONE)
		return SMTP_REPLY_OUT_OF_STEP;
	if (smtp_is_refusal(outcome))
		smtp_decide(ss, outcome, SMTP_SUBJECT_MAIL, 1);
	return SMTP_REPLY_FINE;
}

/* x.5.3 is the server's limit for one message: the client sends the other recipients in another
 * (RFC 5321 4.5.3.1.10). */
SMTP_INLINE __u32 smtp_is_too_many(const struct smtp_server *s)
{
	return (s->code == 452 || s->code == 552) && s->enhanced[0] && s->enhanced[1] == 5 &&
	       s->enhanced[2] == 3 && s->accepted;
}

SMTP_INLINE __u32 smtp_reply_rcpt(struct smtp_session *ss, __u32 outcome)
{
	struct smtp_server *s = &ss->s;

	if (s->open && s->code == 421) {
		smtp_reply_421(ss);
		return SMTP_REPLY_FINE;
	}
	if (s->open && outcome == SMTP_OUTCOME_NONE)
		return SMTP_REPLY_OUT_OF_STEP;
	s->answered++;
	if (!s->open)
		return SMTP_REPLY_FINE;
	if (outcome == SMTP_DELIVERED) {
		s->accepted++;
	} else if (smtp_is_too_many(s)) {
		s->too_many++;
	} else {
		smtp_decide(ss, outcome, SMTP_SUBJECT_RCPT, 1);
		s->decision.rcpt = s->answered;
	}
	return SMTP_REPLY_FINE;
}

SMTP_INLINE __u32 smtp_reply_data(struct smtp_session *ss, __u32 outcome)
{
	struct smtp_server *s = &ss->s;

	s->data_go = s->code >= 300 && s->code < 400;
	smtp_publish(&s->datas);
	if (s->data_go)
		return SMTP_REPLY_FINE;
	if (smtp_is_refusal(outcome) && s->accepted)
		smtp_decide_rest(ss, outcome);
	/* Refused while its body was on the way: the server reads the body as commands. */
	if (outcome == SMTP_DELIVERED || outcome == SMTP_OUTCOME_NONE || ss->c.early_body)
		return SMTP_REPLY_OUT_OF_STEP;
	return SMTP_REPLY_FINE;
}

SMTP_INLINE __u32 smtp_reply_bdat(struct smtp_session *ss, __u32 outcome)
{
	if (!ss->s.open || !ss->s.accepted)
		return SMTP_REPLY_FINE;
	if (outcome == SMTP_OUTCOME_NONE)
		return SMTP_REPLY_OUT_OF_STEP;
	if (smtp_is_refusal(outcome))
		smtp_decide_rest(ss, outcome);
	return SMTP_REPLY_FINE;
}

/* PRDR: 353, then a reply for each accepted recipient in order, then one for the rest of them. */
SMTP_INLINE __u32 smtp_reply_prdr(struct smtp_session *ss, __u32 outcome)
{
	struct smtp_server *s = &ss->s;

	if (s->code == 421) {
		smtp_reply_421(ss);
	} else if (outcome == SMTP_OUTCOME_NONE) {
		return SMTP_REPLY_OUT_OF_STEP;
	} else if (s->prdr_next > s->prdr_count) {
		smtp_decide_rest(ss, outcome);
	} else {
		if (smtp_is_refusal(outcome)) {
			smtp_decide(ss, outcome, SMTP_SUBJECT_PRDR, 1);
			s->decision.rcpt = s->prdr_next;
			s->accepted--;
		}
		s->prdr_next++;
	}
	return SMTP_REPLY_FINE;
}

/* The end of data, or the last chunk. */
SMTP_INLINE __u32 smtp_reply_dot(struct smtp_session *ss, __u32 outcome)
{
	struct smtp_server *s = &ss->s;

	if (s->prdr_next)
		return smtp_reply_prdr(ss, outcome);
	s->data_go = 0;
	if (s->open && s->accepted && outcome == SMTP_OUTCOME_NONE) {
		if (s->code != 353 || !smtp_sender_of(ss, s->txn)->prdr)
			return SMTP_REPLY_OUT_OF_STEP;
		s->prdr_next = 1;
		s->prdr_count = s->accepted;
		return SMTP_REPLY_FINE;
	}
	smtp_decide_rest(ss, outcome);
	return SMTP_REPLY_FINE;
}

/* The commands of a transaction. Returns enum smtp_reply_verdict. */
SMTP_API __u32 smtp_reply_transaction(struct smtp_session *ss, __u32 verb)
{
	__u32 outcome;

	if (!ss)
		return 0;
	outcome = smtp_code_outcome(ss->s.code);
	switch (verb) {
	case SMTP_MAIL:
		return smtp_reply_mail(ss, outcome);
	case SMTP_RCPT:
		return smtp_reply_rcpt(ss, outcome);
	case SMTP_DATA:
		return smtp_reply_data(ss, outcome);
	case SMTP_BDAT:
		return smtp_reply_bdat(ss, outcome);
	default:
		return smtp_reply_dot(ss, outcome);
	}
}

SMTP_INLINE void smtp_reply_ehlo(struct smtp_session *ss, __u32 outcome)
{
	if (smtp_is_refusal(outcome)) {
		ss->s.held_code = ss->s.code;
		ss->s.held_text = 1;
	} else if (outcome == SMTP_DELIVERED) {
		ss->s.held_code = 0;
		smtp_drop(ss);
	}
}

/* 334 asks for a line of an AUTH exchange. A client that sent its lines without waiting for 334 has
 * them in the FIFO as other commands: the last reply tells whether the exchange goes on. */
SMTP_INLINE void smtp_reply_auth(struct smtp_session *ss, __u32 verb)
{
	__u32 in_exchange = ss->s.auth_more || verb == SMTP_AUTH;

	ss->s.auth_more = in_exchange && ss->s.code == 334;
}

/* All other commands, and the greeting. */
SMTP_API __u32 smtp_reply_session(struct smtp_session *ss, __u32 verb)
{
	__u32 outcome;

	if (!ss)
		return 0;
	outcome = smtp_code_outcome(ss->s.code);
	if (verb == SMTP_GREETING) {
		if (smtp_is_refusal(outcome))
			smtp_decide_session(ss, outcome);
	} else if (verb == SMTP_QUIT) {
		ss->s.quit_done = 1;
		smtp_drop(ss);
	} else if (verb == SMTP_EHLO && !(ss->s.code == 421 && ss->s.open)) {
		smtp_reply_ehlo(ss, outcome);
	} else if (ss->s.code == 421) {
		smtp_reply_421(ss);
	} else if (verb == SMTP_RSET && outcome == SMTP_DELIVERED) {
		smtp_drop(ss);
	} else if (verb == SMTP_STARTTLS && outcome == SMTP_DELIVERED) {
		smtp_drop(ss);
		ss->s.opaque = 1;
	}
	return SMTP_REPLY_FINE;
}

/* A body has begun, and no reply to it was read. */
SMTP_INLINE __u32 smtp_body_open(const struct smtp_session *ss)
{
	return ss->s.data_go && ss->s.early_data != ss->s.datas;
}

/* No command waits for this reply. In a body it is about that, which the client has still to
 * end. */
SMTP_API __u32 smtp_reply_unasked(struct smtp_session *ss)
{
	__u32 outcome;

	if (!ss)
		return 0;
	outcome = smtp_code_outcome(ss->s.code);
	if (smtp_body_open(ss) && smtp_is_refusal(outcome))
		ss->s.early_data = ss->s.datas;
	else if (ss->s.code != 421)
		return SMTP_REPLY_OUT_OF_STEP;
	if (ss->s.code == 421)
		smtp_reply_421(ss);
	else
		smtp_decide_rest(ss, outcome);
	return SMTP_REPLY_FINE;
}

#endif
