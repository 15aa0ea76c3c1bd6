/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_types.h - the types that the parser, the events and the daemon share: verbs, outcomes, and
 * the state of one SMTP session.
 */
#ifndef SMTPL_SMTP_TYPES_H
#define SMTPL_SMTP_TYPES_H

#include <linux/types.h>
#include "limits.h"

/* What the server is yet to answer: an entry of the FIFO. */
enum smtp_verb {
	SMTP_GREETING = 1, /* not a command: the server speaks first */
	SMTP_EHLO,	   /* HELO, LHLO as well */
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_DOT, /* the end of data */
	SMTP_BDAT,
	SMTP_BDAT_LAST,
	SMTP_RSET,
	SMTP_QUIT,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_AUTH_MORE, /* a line of an AUTH exchange */
	SMTP_OTHER,	/* one reply, no meaning here */
};

enum smtp_outcome {
	SMTP_OUTCOME_NONE = 0,
	SMTP_DELIVERED, /* 2yz */
	SMTP_DEFERRED,	/* 4yz, connection refused, timed out or lost */
	SMTP_FAILED,	/* 5yz */
	SMTP_UNKNOWN,	/* desync, or lost after the end of data was sent */
	SMTP_OUTCOMES,
};

/* Which recipients an outcome decides. */
enum smtp_subject {
	SMTP_SUBJECT_SESSION = 1, /* one attempt, nobody named: greeting, EHLO, lost before MAIL */
	SMTP_SUBJECT_MAIL,	  /* one attempt of a refused or lost MAIL: no recipient */
	SMTP_SUBJECT_RCPT,	  /* recipient number `rcpt` of the transaction */
	SMTP_SUBJECT_PRDR,	  /* the `rcpt`-th of the recipients that RCPT accepted, from 1 */
	SMTP_SUBJECT_REST,	  /* all recipients of the transaction not decided yet */
};

/* One decision of the parser: at most one a reply. outcome NONE: nothing was decided. */
struct smtp_decision {
	__u8 outcome;	  /* enum smtp_outcome */
	__u8 subject;	  /* enum smtp_subject */
	__u8 null_sender; /* the transaction's sender is <>: not to be counted */
	__u8 lost;	  /* no reply decided it: the connection failed, was lost, or is desync */
	__u16 code;	  /* the reply's; 0 without one */
	__u16 pad;
	__u32 txn; /* 0 with SUBJECT_SESSION; its sender is senders[txn % SMTP_SENDERS] */
	__u32 rcpt;
	__u32 count; /* attempts */
};

/* A transaction's sender, written by the client side when MAIL is complete. */
struct smtp_sender {
	/* key form, see limits.h; "" for <> and for no domain */
	char domain[SMTPL_DOMAIN_SIZE] __attribute__((aligned(8)));
	__u32 rcpts; /* RCPT commands sent in the transaction; not those reported as unknown */
	__u8 null_sender;
	__u8 prdr;	/* MAIL carried PRDR */
	__u8 data_sent; /* DATA or BDAT was sent */
	__u8 end_sent;	/* the end of data, or the last byte of the last BDAT chunk, was sent */
	__u8 dropped;	/* RSET or QUIT was sent before any data */
};

/* The client's direction. Written by egress only; the server side reads what it needs. */
struct smtp_client {
	__u32 txn;    /* MAIL commands sent: number of the newest transaction */
	__u32 paired; /* the newest whose replies are awaited: txn, until the session is desync */
	__u32 pushed; /* FIFO entries ever pushed, the greeting not included */
	__u32 datas;  /* DATA commands sent */
	__u8 mode;    /* smtp_client.h: command line, behind DATA, body, chunk, opaque */
	__u8 line;    /* smtp_client.h: where in a command line */
	__u8 cr;      /* the byte before was a CR, not looked at yet */
	__u8 verb;    /* enum smtp_verb of the line being read */
	__u8 match;   /* how much of CRLF.CRLF stands right before the next byte */
	__u8 early_body; /* bytes came behind the newest DATA before its reply */
	__u8 desync;	 /* this side gave up: FIFO or senders overflowed, or LMTP */
	__u8 opaque;	 /* TLS began while replies could not be read */
	__u8 hello; /* the first byte was that of a TLS record: the server's first one decides */
	__u8 quit;  /* QUIT was sent */
	__u8 size;  /* where in BDAT's number */
	__u8 last;  /* the chunk is the last */
	__u8 prdr;
	__u8 null_path;
	__u8 path;  /* smtp_path.h: where in the path */
	__u8 route; /* a source route so far */
	__u8 quoted;
	__u8 escaped;
	__u8 literal; /* between [ and ] */
	__u8 in_domain;
	__u8 dot;	 /* the domain's latest byte is one */
	__u8 addr_len;	 /* bytes in addr[] */
	__u8 domain_len; /* of the whole domain, but at most 255 */
	__u64 word;	 /* the current word in upper case, latest byte lowest */
	__u64 chunk;	 /* BDAT bytes still to come */
	__u64 hash;	 /* of the address so far, its domain in lower case */
	__u64 hash_as_sent;
	__u64 domain_hash;
	__u64 domain_hash_before; /* without the latest byte */
	char addr[SMTPL_ADDR_SIZE] __attribute__((aligned(8)));
	char domain[SMTPL_DOMAIN_SIZE] __attribute__((aligned(8)));
	struct smtp_sender senders[SMTP_SENDERS];
	__u8 fifo[SMTP_FIFO_DEPTH];
};

/* The server's direction and the current transaction. Written by ingress, and by whoever ends the
 * session, never at the same time. */
struct smtp_server {
	__u32 txn;	  /* MAIL commands answered: number of the current transaction */
	__u32 popped;	  /* FIFO entries answered */
	__u32 answered;	  /* RCPT commands of the current transaction answered */
	__u32 accepted;	  /* its recipients accepted and not decided */
	__u32 prdr_next;  /* PRDR: whose reply is next, from 1; 0: not in PRDR */
	__u32 prdr_count; /* PRDR: recipients accepted at RCPT */
	__u32 datas;	  /* DATA commands answered */
	__u32 early_data; /* number of the DATA whose body was answered before its end was sent */
	__u32 attempts;	  /* attempts that this session decided, with the null sender as well */
	__u32 callouts;	  /* recipients accepted and dropped before any data, sum of the session */
	__u32 too_many;	  /* recipients put off by x.5.3, sum of the session */
	__u32 reply_bytes;
	__u32 settle; /* smtp_session_end: the next transaction to settle */
	__u32 fence;  /* written only to order memory accesses */
	__u16 code;   /* of the reply being read or just read */
	__u16 enhanced[3];
	__u16 number[3]; /* the enhanced code while it is read */
	__u16 code_part; /* the code of the line while it is read */
	__u16 held_code; /* EHLO was refused with this, and nothing has gone well since; 0: no */
	__u8 held_text;	 /* text and enhanced are still those of held_code */
	__u8 greeted;	 /* the greeting was answered */
	__u8 open;    /* the current MAIL was accepted, and not all of it is decided or dropped */
	__u8 data_go; /* the newest answered DATA got a 3yz, its end has no answer yet */
	__u8 session_decided; /* the attempt that names nobody: once in a session */
	__u8 quit_done;	      /* QUIT was answered */
	__u8 ended;	      /* smtp_end.h: how far smtp_session_end is */
	__u8 opaque;
	__u8 desync;
	__u8 auth_more; /* a 334 asks for a line */
	__u8 line;	/* smtp_server.h: where in a reply line */
	__u8 begun;	/* a line of the reply has begun */
	__u8 more;	/* the line being read has '-' behind its code */
	__u8 digits;	/* of the number being read in the enhanced code */
	__u8 gap;	/* a blank goes before the next byte of text */
	__u8 text_len;
	__u8 text_mark;		    /* text_len when the line began */
	char text[SMTPL_TEXT_SIZE]; /* of the reply, lines joined by a blank, without codes */
	char text_spill[16]; /* always zero: taking back an enhanced code clears beyond text */
	struct smtp_decision decision;
};

struct smtp_session {
	struct smtp_client c;
	struct smtp_server s;
};

#endif
