/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_fuzz.c - any log: nothing is read beyond a line, records are as stream.h says, and what a
 * message's address says of itself never makes its outcome better.
 *
 * Input: lines as they would stand in a file. A first byte of 0xff: the rest is a recipient's
 * address in a line of a refused mail.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../user/maillog/maillog.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t outcome;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool caller(void *arg, const uint8_t addr[16], uint32_t port, int64_t wall_ns, uint32_t *uid)
{
	(void)arg;
	(void)wall_ns;
	check(port > 0 && port <= 65535);
	*uid = 1000 + addr[15];
	return addr[12] == 127;
}

static bool has_end(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static void record(void *arg, const struct delivery_report *r)
{
	(void)arg;
	check(r->kind == REPORT_OUTCOME || r->kind == REPORT_REFUSED);
	check(r->kind == REPORT_REFUSED ||
	      (r->outcome >= SMTP_DELIVERED && r->outcome <= SMTP_FAILED));
	check(r->code == 0 || (r->code >= 200 && r->code <= 599));
	check(has_end(r->rcpt, sizeof(r->rcpt)) && has_end(r->id, sizeof(r->id)) &&
	      has_end(r->text, sizeof(r->text)) && r->id[0]);
	check(has_end(r->submission.auth, sizeof(r->submission.auth)) &&
	      has_end(r->submission.sender, sizeof(r->submission.sender)) &&
	      has_end(r->submission.forwarder, sizeof(r->submission.forwarder)));
	check(r->age_s >= REPORT_AGE_UNKNOWN && r->age_s <= REPORT_AGE_MAX_S);
	check(has_end(r->host, sizeof(r->host)) && !strpbrk(r->text, "\r\n"));
	outcome = r->kind == REPORT_OUTCOME ? r->outcome : 0;
}

static void take_line(struct maillog *p, struct maillog_clock *clock, const char *line, size_t size)
{
	char *copy = malloc(size + 1); /* its end is where the sanitizer looks */
	struct maillog_line parsed;

	memcpy(copy, line, size);
	if (maillog_line_parse(clock, copy, size, 1795314448, &parsed))
		maillog_take(p, &parsed, true);
	free(copy);
}

/* Whatever the address: the mail was refused, and Postfix's words are understood. */
static void refused_address(struct maillog *p, const char *address, size_t size)
{
	char text[2000];
	struct maillog_line line = {
		.ident = {"postfix/smtp", 12}, .pid = {"1", 1}, .text = {text, 0}};
	int i, length;

	if (size > 1500)
		size = 1500;
	length = snprintf(text, sizeof(text),
			  "9F5D65B: to=<%.*s>, relay=mx[192.0.2.1]:25, delay=1, delays=0/0/0/1, "
			  "dsn=5.1.1, status=bounced (host mx[192.0.2.1] said: 550 no)",
			  (int)strnlen(address, size), address);
	line.text.size = length;
	for (i = 0; i < MAILLOG_SIGHT_BAD; i++) {
		outcome = 0;
		maillog_take(p, &line, true);
		check(outcome == SMTP_FAILED);
	}
	check(!maillog_blind(p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct maillog_ops ops = {caller, record, 102, 42};
	struct maillog *p = maillog_new(&ops, NULL, 16);
	struct maillog_clock clock = {0};
	const char *at = (const char *)data;
	const char *end = at + size;
	const char *eol;

	check(p != NULL);
	if (size > 0 && data[0] == 0xff) {
		refused_address(p, at + 1, size - 1);
		at = end;
	}
	for (; at < end; at = eol + 1) {
		eol = memchr(at, '\n', end - at);
		if (!eol)
			eol = end;
		take_line(p, &clock, at, eol - at);
	}
	check(maillog_stats(p).messages <= 16);
	maillog_free(p);
	return 0;
}
