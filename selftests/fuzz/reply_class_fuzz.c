/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reply_class_fuzz.c - any text has one class and is read no further than its size; what stands in
 * an address changes nothing; and any line of an administrator's file is a row or an error.
 *
 * Input: outcome and code, three bytes of the enhanced code, then the text.
 */
#include <stdio.h>
#include <stdlib.h>
#include "../../user/core/reply_class.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : broken(#condition))

static void broken(const char *condition)
{
	fprintf(stderr, "reply_class_fuzz: does not hold: %s\n", condition);
	abort();
}

/* As a line of replies: what it says is in the form of the table. */
static void take_line(const char *text, size_t size)
{
	char error[REPLY_ERROR_MAX] = "", *line = malloc(size + 1);
	struct reply_rows rows = {NULL, 0};

	memcpy(line, text, size);
	line[size] = '\0';
	if (reply_rows_add(&rows, "file", 1, line, error)) {
		REQUIRE(!strncmp(error, "file:1: ", 8) && strlen(error) < REPLY_ERROR_MAX - 1);
		REQUIRE(rows.count == 0);
	} else if (rows.count) {
		REQUIRE(strlen(rows.rows[0].phrase) < REPLY_PHRASE_MAX);
		REQUIRE(rows.rows[0].class > REPLY_NONE && rows.rows[0].class < REPLY_CLASSES);
	}
	reply_rows_free(&rows);
	free(line);
}

/* An address in front of the text is no part of it. */
static void take_address(struct reply r, const char *text)
{
	static const char address[] = "<spamhaus \"user unknown\"@quota.example> ";
	char longer[sizeof(address) + REPLY_TEXT_MAX];
	enum reply_class class = reply_class(&r, NULL);

	if (r.size + sizeof(address) > REPLY_TEXT_MAX)
		return;
	memcpy(longer, address, sizeof(address) - 1);
	memcpy(longer + sizeof(address) - 1, text, r.size);
	r.text = longer;
	r.size += sizeof(address) - 1;
	REQUIRE(reply_class(&r, NULL) == class);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply r = {.outcome = SMTP_FAILED};
	enum reply_class class;
	char *text;

	if (size < 5)
		return 0;
	r.outcome = data[0] % SMTP_OUTCOMES;
	r.code = data[1] ? 400 + data[1] % 200 : 0;
	for (int i = 0; i < 3; i++)
		r.enhanced[i] = data[2 + i];
	r.size = size - 5;
	text = malloc(r.size + !r.size); /* its end is where the sanitizer looks */
	memcpy(text, data + 5, r.size);
	r.text = text;
	class = reply_class(&r, NULL);
	REQUIRE(class < REPLY_CLASSES);
	REQUIRE((class == REPLY_NONE) ==
		(r.outcome == SMTP_OUTCOME_NONE || r.outcome == SMTP_DELIVERED));
	if (!memchr(text, '"', r.size)) /* an open quotation mark may reach back */
		take_address(r, text);
	take_line(text, r.size);
	free(text);
	return 0;
}
