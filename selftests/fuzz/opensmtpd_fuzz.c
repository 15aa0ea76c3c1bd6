/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * opensmtpd_fuzz.c - any lines from OpenSMTPD, or from who speaks through it: fields stay in their
 * bounds, sessions are bounded, each question gets one line as an answer, and a session that ended
 * is forgotten. The lines of a Sendmail key and of smtpd.conf go the same way: whatever the text,
 * our filter is put in once and comes out to the byte.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "policy/opensmtpd.h"
#include "policy/sendmail_key.h"
#include "hook/smtpd_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_submission(const struct submission *o)
{
	check(memchr(o->auth, '\0', sizeof(o->auth)) != NULL);
	check(memchr(o->sender, '\0', sizeof(o->sender)) != NULL);
	check(o->client_port <= 65535);
}

static void check_reply(const struct opensmtpd_question *question, const char *refusal)
{
	char reply[OPENSMTPD_REPLY_SIZE];
	size_t length = opensmtpd_reply(question, refusal, reply);

	check(length == strlen(reply) && reply[length - 1] == '\n');
	check(strchr(reply, '\n') == reply + length - 1);
	check(strncmp(reply, "filter-result|", 14) == 0 && reply[14 + 16] == '|');
}

static void filter_lines(char *text, char *end)
{
	struct opensmtpd *filter = opensmtpd_new();
	struct opensmtpd_question question = {0};

	while (text < end) {
		char *next = memchr(text, '\n', (size_t)(end - text));
		size_t before = opensmtpd_sessions(filter);
		enum opensmtpd_step step;

		if (next)
			*next = '\0';
		step = opensmtpd_line(filter, text, &question);
		if (step == OPENSMTPD_ASK) {
			check(question.session && question.session->id == question.id);
			check(strlen(question.session->socket) < OPENSMTPD_SOCKET_SIZE);
			check_submission(&question.session->submission);
		}
		if (step == OPENSMTPD_ASK || step == OPENSMTPD_PROCEED) {
			check_reply(&question, NULL);
			check_reply(&question, "550 5.7.1 No.");
			check(opensmtpd_sessions(filter) == before);
		}
		text = next ? next + 1 : end;
	}
	opensmtpd_free(filter);
}

/* Text that holds our own words may have been written by us: only other text comes back as it was.
 * */
static void conf_lines(const uint8_t *data, size_t size)
{
	struct smtpd_conf *conf = calloc(1, sizeof(*conf));
	struct hook_text text = {calloc(1, size + 1), size};
	struct hook_text once = {0};

	memcpy(text.text, data, size);
	if (!memmem(data, size, SMTPD_CONF_FILTER, strlen(SMTPD_CONF_FILTER)) &&
	    smtpd_conf_scan(conf, &text) == 0) {
		check(smtpd_conf_add(conf, &text) == 0);
		check(hook_text_copy(&once, &text) == 0);
		check(smtpd_conf_add(conf, &text) == 0);
		check(text.size == once.size && !memcmp(text.text, once.text, once.size));
		check(smtpd_conf_remove(&text) == 0);
		check(text.size == size && !memcmp(text.text, data, size));
	}
	hook_text_free(&text);
	hook_text_free(&once);
	free(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct submission submission;

	memcpy(text, data, size);
	if (sendmail_key_parse(text, &submission) == 0)
		check_submission(&submission);
	filter_lines(text, text + size);
	free(text);
	conf_lines(data, size);
	return 0;
}
