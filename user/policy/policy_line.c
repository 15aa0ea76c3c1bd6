/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_line.c - questions and answers of one line each.
 */
#include "policy_line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include "policy_word.h"
#include "base/log.h"

#define QUOTE_SIZE 128

static int refuse_word(const char *key, const char *value, char *why, size_t why_size)
{
	char key_shown[QUOTE_SIZE], value_shown[QUOTE_SIZE];

	log_escape(key, strlen(key), 0, key_shown, sizeof(key_shown));
	log_escape(value ? value : "", value ? strlen(value) : 0, 0, value_shown,
		   sizeof(value_shown));
	snprintf(
		why, why_size,
		"\"%s%s%s\": want uid=N, addr=IP, port=N, to=IP, toport=N, auth=X, sender=X (or "
		"auth64=, sender64=BASE64), nosender=1, rcpts=N, account=uid:N or account=domain:X",
		key_shown, value ? "=" : "", value_shown);
	return -EINVAL;
}

int policy_line_parse(char *line, size_t length, struct submission *o, char *why, size_t why_size)
{
	struct submission found = {0};
	char *key, *value;

	if (memchr(line, '\0', length)) {
		snprintf(why, why_size, "a NUL in the line: want words like uid=1001");
		return -EINVAL;
	}
	line[length] = '\0';
	while (policy_word_next(&line, &key, &value))
		if (policy_word_submission(&found, key, value) == -EINVAL)
			return refuse_word(key, value, why, why_size);
	*o = found;
	return 0;
}

/* A line that is being written; once it was too small it stays full. */
struct writer {
	char *line;
	size_t size;
	size_t length;
};

static void __attribute__((format(printf, 2, 3))) add(struct writer *w, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(w->line + w->length, w->size - w->length, format, args);
	va_end(args);
	w->length = n < 0 || (size_t)n >= w->size - w->length ? w->size - 1 : w->length + n;
}

static void add_base64(struct writer *w, const char *key, const char *text)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t left = strlen(text);
	const uint8_t *from = (const uint8_t *)text;

	add(w, " %s=", key);
	for (; left > 0; from += 3, left -= left < 3 ? left : 3) {
		uint32_t bits = (uint32_t)from[0] << 16 | (left > 1 ? from[1] << 8 : 0) |
				(left > 2 ? from[2] : 0);

		add(w, "%c%c%c%c", letters[bits >> 18], letters[bits >> 12 & 63],
		    left > 1 ? letters[bits >> 6 & 63] : '=', left > 2 ? letters[bits & 63] : '=');
	}
}

static void add_account(struct writer *w, const struct account_id *id)
{
	if (id->kind == ACCOUNT_UID)
		add(w, "uid:%" PRIu32, id->uid);
	else
		add(w, "domain:%s", id->domain);
}

size_t policy_line_ask(const struct submission *o, char *line, size_t size)
{
	struct writer w = {line, size, 0};
	char addr[INET6_ADDRSTRLEN];

	if (o->known & SUBMISSION_HAS_ACCOUNT) {
		add(&w, "account=");
		add_account(&w, &o->account);
	}
	if (o->known & SUBMISSION_HAS_UID)
		add(&w, " uid=%" PRIu32, o->uid);
	if (o->known & SUBMISSION_HAS_CLIENT)
		add(&w, " addr=%s port=%" PRIu32,
		    inet_ntop(AF_INET6, o->client, addr, sizeof(addr)), o->client_port);
	if (o->server_port)
		add(&w, " to=%s toport=%" PRIu32,
		    inet_ntop(AF_INET6, o->server, addr, sizeof(addr)), o->server_port);
	if (o->known & SUBMISSION_NO_SENDER)
		add(&w, " nosender=1");
	if (o->rcpts)
		add(&w, " rcpts=%" PRIu32, o->rcpts);
	if (o->auth[0])
		add_base64(&w, "auth64", o->auth);
	add_base64(&w, "sender64", o->sender);
	add(&w, "\n");
	return w.length == size - 1 ? 0 : w.length;
}

/* An answer names the account as one word, though a domain key may contain any byte. */
static bool is_one_word(const struct account_id *id)
{
	const char *c = id->domain;

	if (id->kind == ACCOUNT_UID)
		return true;
	while ((unsigned char)*c > ' ' && *c != 0x7f)
		c++;
	return id->kind == ACCOUNT_DOMAIN && *c == '\0' && c > id->domain;
}

size_t policy_line_answer(const struct account_id *id, const char *refusal,
			  char line[POLICY_LINE_ANSWER_SIZE])
{
	struct writer w = {line, POLICY_LINE_ANSWER_SIZE, 0};

	add(&w, refusal ? "refused " : "ok ");
	if (id && is_one_word(id))
		add_account(&w, id);
	else
		add(&w, "-");
	if (refusal)
		add(&w, " %.*s", POLICY_LINE_ANSWER_SIZE / 2, refusal);
	add(&w, "\n");
	return w.length;
}

size_t policy_line_error(const char *why, char line[POLICY_LINE_ANSWER_SIZE])
{
	struct writer w = {line, POLICY_LINE_ANSWER_SIZE, 0};

	add(&w, "error %.*s\n", POLICY_LINE_ANSWER_SIZE - 16, why);
	return w.length;
}

const char *policy_line_refusal(char *line)
{
	char *text;

	line[strcspn(line, "\r\n")] = '\0';
	if (strncmp(line, "refused ", 8))
		return NULL;
	text = strchr(line + 8, ' ');
	return text && strncmp(text + 1, "550 ", 4) == 0 ? text + 1 : NULL;
}
