/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * plaintext.h - from calls of a TLS library to streams: what a process wrote to or read from a TLS
 * object is fed to the parser of the session that the object is bound to. A call counts when it
 * returns, by the bytes that it returns: one that has to be repeated has passed none yet.
 *
 * Nothing is guessed. After a stretch that could not be read, or a call whose return was not seen,
 * what follows is unknown until the next transaction.
 */
#ifndef SMTPL_PLAINTEXT_H
#define SMTPL_PLAINTEXT_H

#include "settle.h"
#include "tls_maps.h"

struct stream_source {
	const void *memory; /* of the current process */
};

/* The program cannot sleep, so it cannot read what is not in memory; but the library has just used
 * it. */
static __always_inline long stream_load(const struct stream_source *from, __u32 off, void *buf,
					__u32 n)
{
	return bpf_probe_read_user(buf, n, from->memory + off);
}

static __always_inline void stream_opaque(struct smtpl_session *s)
{
	emit_opaque(s);
}

#include "stream.h"

/* A larger call is not followed: OpenSSL can write up to 2 GB by one, and bpf_loop() has an end. */
#define PLAINTEXT_MAX (16u << 20)

/* The first bytes of a chunk, which say what it is: see smtp_tls.h. */
static __always_inline __u64 plaintext_word(const struct stream_source *from, __u32 len)
{
	__u8 head[sizeof(__u64)] = {};
	__u64 word = 0;

	if (len < sizeof(head) ? stream_load(from, 0, head, len & 7) :
				 stream_load(from, 0, head, sizeof(head)))
		return 0;
	for (__u32 i = 0; i < sizeof(head); i++)
		word = word << 8 | (head[i] - 'a' < 26u ? head[i] - 0x20 : head[i]);
	return word;
}

/* The caller holds the lock. */
static __always_inline void plaintext_gap(struct smtpl_session *t)
{
	if (t->plain.phase != SMTP_TLS_IN_STEP)
		return;
	stats_add(tls_blind, 1);
	if (smtp_tls_gap(&t->plain, &t->smtp))
		emit_outcome(t, &t->smtp.s.decision);
}

/* A stretch was missed. If another CPU holds the lock, desync makes its side give up. */
static __always_inline void plaintext_missed(struct smtpl_session *t)
{
	if (!session_trylock(t)) {
		if (!t->end)
			t->smtp.c.desync = 1;
		return;
	}
	plaintext_gap(t);
	session_release(t);
}

/* Was all of it read? The buffer is cleared as well: nothing of a message body stays here. */
static __always_inline bool plaintext_fed(const struct smtpl_session *t,
					  struct session_direction *dir)
{
	const struct session_cursor *c = &dir->cursor;

	__builtin_memset(dir->buf, 0, sizeof(dir->buf));
	return c->pos >= c->len || t->smtp.c.opaque || t->smtp.s.opaque || t->cut;
}

static __always_inline void plaintext_event(struct smtpl_session *t, __u32 event)
{
	if (event & SMTP_TLS_UNKNOWN)
		settle_unseen(t);
}

static __always_inline void plaintext_wrote(struct smtpl_session *t,
					    const struct stream_source *from, __u32 len)
{
	__u32 event = smtp_tls_wrote(&t->plain, &t->smtp, plaintext_word(from, len));

	plaintext_event(t, event);
	if (event & SMTP_TLS_SKIP)
		return;
	stream_client(from, t, 0, len);
	if (!plaintext_fed(t, &t->out))
		plaintext_missed(t);
}

static __always_inline void plaintext_read(struct smtpl_session *t,
					   const struct stream_source *from, __u32 len)
{
	__u64 word;

	if (!session_trylock(t)) {
		plaintext_missed(t); /* another thread reads as well, or the socket is gone */
		return;
	}
	t->in.synced = 1;
	word = plaintext_word(from, len);
	plaintext_event(t, smtp_tls_read(&t->plain, &t->smtp, word));
	stream_server(from, t, 0, len);
	if (!plaintext_fed(t, &t->in) && !t->smtp.s.desync)
		plaintext_gap(t);
	if (t->smtp.s.desync && smtp_tls_out_of_step(&t->plain, &t->smtp, word))
		stats_add(tls_blind, 1);
	session_release(t);
}

#endif
