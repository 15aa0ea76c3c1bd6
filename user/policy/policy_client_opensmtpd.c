/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_opensmtpd.c - `smtplimit answer opensmtpd`: the filter of a running OpenSMTPD.
 *
 * The server does not say who called sendmail(1). But sendmail has a connection to the server's
 * socket while it submits, and the kernel knows the uid of its other end. So a caller is one who
 * has such a connection that belongs to no other session. With several at the same moment all of
 * them are asked for; when the answers differ, the sender's domain decides.
 */
#include "policy_client.h"

#include <string.h>
#include "policy_client_input.h"
#include "cmd.h"
#include "kernel/sock_diag.h"
#include "base/log.h"
#include "opensmtpd.h"

/* More callers of sendmail(1) than these at the same moment are not distinguished. */
#define CALLERS_MAX 64
#define ASKED_MAX   4

/* Connections that belong to no session yet. Root's are left out: root may watch the server through
 * the same socket. */
static size_t free_peers(const struct opensmtpd *filter, const char *path,
			 struct sock_diag_peer peers[CALLERS_MAX])
{
	int count = sock_diag_unix_peers(path, peers, CALLERS_MAX);
	size_t kept = 0;

	for (int i = 0; i < count; i++)
		if (peers[i].uid && !opensmtpd_has_inode(filter, peers[i].inode))
			peers[kept++] = peers[i];
	return kept;
}

static size_t distinct_uids(const struct sock_diag_peer *peers, size_t count,
			    uint32_t uids[ASKED_MAX + 1])
{
	size_t found = 0, i, j;

	for (i = 0; i < count && found <= ASKED_MAX; i++) {
		for (j = 0; j < found && uids[j] != peers[i].uid; j++)
			;
		if (j == found)
			uids[found++] = peers[i].uid;
	}
	return found;
}

/* Asks for all of several callers, as it is not known which of them called. */
static bool ask_for_all(struct policy_client *a, struct submission submission, const uint32_t *uids,
			size_t count, char text[POLICY_CLIENT_TEXT_SIZE])
{
	size_t refused = 0, i;

	submission.rcpts = 0;
	for (i = 0; i < count; i++) {
		submission.known |= SUBMISSION_HAS_UID;
		submission.uid = uids[i];
		refused += policy_client_ask(a, &submission, text);
	}
	if (refused == 0 || refused == count)
		return refused > 0;
	submission.known &= ~(uint32_t)SUBMISSION_HAS_UID;
	submission.rcpts = 1;
	return policy_client_ask(a, &submission, text);
}

static bool ask(struct policy_client *a, const struct opensmtpd *filter,
		struct opensmtpd_session *s, char text[POLICY_CLIENT_TEXT_SIZE])
{
	struct sock_diag_peer peers[CALLERS_MAX];
	uint32_t uids[ASKED_MAX + 1];
	size_t count, distinct;

	if (!s->socket[0] || s->submission.known & SUBMISSION_HAS_UID)
		return policy_client_ask(a, &s->submission, text);
	count = free_peers(filter, s->socket, peers);
	distinct = distinct_uids(peers, count, uids);
	if (distinct > 1 && distinct <= ASKED_MAX)
		return ask_for_all(a, s->submission, uids, distinct, text);
	if (distinct == 1) {
		s->submission.known |= SUBMISSION_HAS_UID;
		s->submission.uid = uids[0];
		s->inode = peers[0].inode;
	}
	return policy_client_ask(a, &s->submission, text);
}

int policy_client_opensmtpd(struct policy_client *a)
{
	static struct policy_client_line line;
	struct opensmtpd_question question;
	char text[POLICY_CLIENT_TEXT_SIZE], reply[OPENSMTPD_REPLY_SIZE];
	struct opensmtpd *filter = opensmtpd_new();
	int err = filter ? 0 : -1;

	while (!err && policy_client_line_read(&line)) {
		enum opensmtpd_step step = opensmtpd_line(filter, line.text, &question);
		bool refused;

		if (step == OPENSMTPD_REGISTER)
			err = policy_client_write(opensmtpd_register(),
						  strlen(opensmtpd_register()));
		if (step != OPENSMTPD_PROCEED && step != OPENSMTPD_ASK)
			continue;
		refused = step == OPENSMTPD_ASK && ask(a, filter, question.session, text);
		err = policy_client_write(reply,
					  opensmtpd_reply(&question, refused ? text : NULL, reply));
	}
	opensmtpd_free(filter);
	return err ? CMD_FAILED : CMD_DONE;
}
