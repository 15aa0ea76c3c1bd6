/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_stream.h - TLS of the real libssl as two stdio streams, for small C servers and clients: a
 * program that speaks SMTP by FILE speaks it inside TLS as well.
 */
#ifndef SMTPL_TLS_STREAM_H
#define SMTPL_TLS_STREAM_H

#include <stdio.h>

/* Shakes hands on a connected socket: with `pem`, a file with key and certificate, as the server;
 * with NULL as a client that takes any certificate. 0 and both streams; -1 after a line on stdout
 * that says why. Closing the streams leaves the socket open. */
int tls_streams(int fd, const char *pem, FILE **in, FILE **out);

#endif
