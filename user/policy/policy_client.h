/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client.h - `smtplimit answer`: a process that a mail server runs. It asks the daemon
 * whether a message may be sent; when no daemon answers, it looks into the file `suspended`.
 * Whoever is not found there may send.
 */
#ifndef SMTPL_POLICY_CLIENT_H
#define SMTPL_POLICY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "config/config.h"
#include "who/submission.h"
#include "refuse/suspended.h"

/* The time for the daemon's answer, from connect to the last byte. */
#define POLICY_CLIENT_WAIT_MS 1000
/* A daemon that did not answer in time is not asked again for a while, so that a server which asks
 * one question after the other is not held up. */
#define POLICY_CLIENT_QUIET_MS 5000

/* Room for any refusal, "550 5.7.1 ...", with its NUL. */
#define POLICY_CLIENT_TEXT_SIZE SUSPENDED_TEXT_SIZE

struct policy_client {
	const struct config *config;
	int64_t quiet_until_ms; /* CLOCK_MONOTONIC */
};

/* Is it refused? Then `text` is the printable refusal, one line. Takes at most
 * POLICY_CLIENT_WAIT_MS and a little. */
bool policy_client_ask(struct policy_client *a, const struct submission *o,
		       char text[POLICY_CLIENT_TEXT_SIZE]);

/* Asks the daemon alone. 1: refused, with the text; 0: may be sent; -errno: it did not answer. */
int policy_client_daemon(const char *run, const struct submission *o,
			 char text[POLICY_CLIENT_TEXT_SIZE]);

/* Looks into the file for the first of these that is known: account, SMTP AUTH identity, caller,
 * local client, sender. True: refused, with the text. */
bool policy_client_suspended(const struct config *config, const struct submission *o,
			     char text[POLICY_CLIENT_TEXT_SIZE]);

/*
 * Leave the process only reading and writing, files to read, and sockets of this host: any other
 * system call fails. 0 or -errno. The filter does not kill, as some mail servers end when a process
 * of ours does.
 */
int policy_client_lock(void);

/* The protocols, on standard input and output, until the end of the input. Each returns an exit
 * code of cmd.h. */
int policy_client_policy(struct policy_client *a);
int policy_client_socketmap(struct policy_client *a);
int policy_client_opensmtpd(struct policy_client *a);
/* key: "ADDRESS,PORT,AUTH,<SENDER>" of Sendmail's macros, and no more input. */
int policy_client_sendmail(struct policy_client *a, const char *key);

/* Write all bytes to standard output. 0 or -errno. */
int policy_client_write(const char *bytes, size_t size);

#endif
