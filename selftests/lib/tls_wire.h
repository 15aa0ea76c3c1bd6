/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_wire.h - a connection of tls_client, and the ways in which programs speak TLS on it: OpenSSL
 * on the socket, OpenSSL between memory BIOs (as event loops do), GnuTLS; plain before that.
 */
#ifndef TLS_WIRE_H
#define TLS_WIRE_H

#include <gnutls/gnutls.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define WIRE_STASH_BYTES 65536

enum { WIRE_END = 0, WIRE_AGAIN = -1, WIRE_ERROR = -2 };

struct wire_kind;

struct wire {
	int fd;			      /* -1: none */
	const struct wire_kind *kind; /* NULL: plain */
	SSL *ssl;
	gnutls_session_t gnutls;
	short wants;  /* what to poll for after WIRE_AGAIN */
	bool ex;      /* SSL_read_ex, SSL_write_ex */
	bool moving;  /* a write is tried again from another address, the first holds other bytes */
	bool tls12;   /* at most TLS 1.2: nothing comes between handshake and plaintext */
	bool null;    /* gnutls_record_send is tried again with NULL, 0 */
	bool waits;   /* gnutls_record_uncork tries again by itself */
	size_t piece; /* bytes in a call of write, at most; 0: all */
	unsigned int reads, writes; /* tries that had to be repeated */
	size_t stashed;		    /* memory BIOs: read from the socket, not yet fed */
	char stash[WIRE_STASH_BYTES];
};

/* Call it before anything else: it makes freed memory come again. */
void wire_setup(void);
/* Makes the object, begins its handshake. `at`: the address where it is to lie. 0 or -1. */
int wire_begin(struct wire *w, const char *kind, const void *at);
/* The rest of the handshake. 0 or -1. */
int wire_handshake(struct wire *w);
/* The object's address, by which the probes know the connection. */
const void *wire_object(const struct wire *w);
/* Bytes, WIRE_END or WIRE_ERROR; waits when it must. */
ssize_t wire_read(struct wire *w, void *buffer, size_t size);
/* All of it: 0, or WIRE_ERROR. */
int wire_write(struct wire *w, const void *data, size_t size);
/* Memory BIOs: take what the socket has, and leave it aside. Bytes. */
ssize_t wire_pull(struct wire *w);
int wire_cork(struct wire *w, bool on);
/* Say goodbye inside TLS. */
void wire_bye(struct wire *w);
/* Frees the object, but keeps the socket. */
void wire_free(struct wire *w);

#endif
