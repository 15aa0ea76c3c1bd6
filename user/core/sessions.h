/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sessions.h - what is known of open SMTP sessions: who sends to whom, so that an outcome finds the
 * mail that it decides. Only identities hang on it: what is forgotten here, or never arrived, is
 * counted all the same, as a mail that nobody knows. Pure: time is an argument.
 *
 * Memory is bounded three times: recipients a transaction, sessions and recipients a uid, sessions
 * and recipients in all. At the bound of a uid its own oldest session goes, never another's.
 */
#ifndef SMTPL_SESSIONS_H
#define SMTPL_SESSIONS_H

#include <stddef.h>
#include <stdint.h>
#include "headers/event.h"

#define SESSIONS_MAX	       65536
#define SESSIONS_PER_UID       8192
#define SESSIONS_RCPTS_MAX     (4u << 20) /* 16 bytes each */
#define SESSIONS_RCPTS_PER_UID (256u << 10)
/* Bytes for addresses as they were written, with what malloc adds. Beyond it a mail has its
 * identity alone. */
#define SESSIONS_ADDRESSES_MAX	   (16u << 20)
#define SESSIONS_ADDRESSES_PER_UID (1u << 20)

struct sessions;

struct sessions *sessions_new(uint64_t seed);
void sessions_free(struct sessions *t);

/* A session's begin, a MAIL and a RCPT event, a session's end. Without memory nothing is
 * remembered. */
void sessions_open(struct sessions *t, const struct smtpl_event_open *e, uint64_t now_ns);
void sessions_mail(struct sessions *t, const struct smtpl_event_path *e, uint64_t now_ns);
void sessions_rcpt(struct sessions *t, const struct smtpl_event_path *e, uint64_t now_ns);
void sessions_close(struct sessions *t, const struct smtpl_event *e);

/* A mail that an outcome decides, as struct outcome has it. */
struct session_mail {
	uint64_t mail; /* never 0 */
	uint64_t rcpt;
	const char *recipient; /* untrusted bytes; NULL: not known */
};

struct session_decision {
	const struct session_mail *mails;
	size_t known;	      /* of them, at most e->count; of the rest nothing is known */
	const char *sender;   /* untrusted bytes; NULL: not known */
	uint64_t sender_hash; /* of its address; 0: not known */
	uint32_t pid;	      /* that opened the session; 0: not known */
	uint16_t port;	      /* likewise */
};

/* Valid until the next call. */
struct session_decision sessions_decide(struct sessions *t, const struct smtpl_event_outcome *e,
					uint64_t now_ns);

/* What an outcome decides is a mail: these name the same one, and the same recipient, as
 * sessions_decide(). The hash of an address as it stands in struct smtpl_event_path; without
 * brackets, "" for the null sender. */
uint64_t sessions_address_hash(const char *address);
uint64_t sessions_rcpt_identity(uint64_t rcpt_hash);
uint64_t sessions_mail_identity(uint64_t sender_hash, uint64_t rcpt_hash);

/* Forget at most `budget` sessions without an event for `idle_ns`. */
void sessions_expire(struct sessions *t, uint64_t now_ns, uint64_t idle_ns, size_t budget);

size_t sessions_count(const struct sessions *t);
/* Sessions forgotten at a bound, since the beginning. */
uint64_t sessions_evicted(const struct sessions *t);

#endif
