// SPDX-License-Identifier: GPL-2.0-only
/*
 * delivery_report.c - what a delivery report holds, out of the words of mail servers.
 */
#include "delivery_report.h"

#include <string.h>
#include <arpa/inet.h>

#define END_OF(string) ((string)[sizeof(string) - 1])

int64_t delivery_report_age(int64_t seconds)
{
	if (seconds < 0)
		return 0;
	return seconds < REPORT_AGE_MAX_S ? seconds : REPORT_AGE_MAX_S;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_host_byte(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
}

static bool is_address(const char *name)
{
	uint8_t address[4];

	return inet_pton(AF_INET, name, address) == 1;
}

void delivery_report_host(struct delivery_report *report, const char *name, size_t size)
{
	char host[REPORT_HOST_SIZE] = "";

	if (size > 0 && name[size - 1] == '.')
		size--;
	if (size >= sizeof(host))
		return;
	for (size_t i = 0; i < size; i++) {
		host[i] = name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i];
		if (!is_host_byte(host[i]))
			return;
	}
	if (!is_address(host))
		memcpy(report->host, host, sizeof(host));
}

bool delivery_report_is_code(const char *text, size_t size)
{
	return size >= 3 && text[0] >= '2' && text[0] <= '5' && is_digit(text[1]) &&
	       is_digit(text[2]) && (size == 3 || text[3] == ' ' || text[3] == '-');
}

/* Reads "5.1.1" that ends at a blank or the end. Returns its length, 0: there is none. */
static size_t read_enhanced(const char *text, size_t size, uint16_t enhanced[3])
{
	uint16_t number[3];
	size_t at = 0;

	for (int part = 0; part < 3; part++) {
		size_t digits = 0;

		if (part && (at == size || text[at++] != '.'))
			return 0;
		for (number[part] = 0; at < size && is_digit(text[at]) && digits < 3; digits++)
			number[part] = (uint16_t)(number[part] * 10 + (text[at++] - '0'));
		if (!digits)
			return 0;
	}
	if ((at < size && text[at] != ' ' && text[at] != '\n' && text[at] != '\r') ||
	    (number[0] != 2 && number[0] != 4 && number[0] != 5))
		return 0;
	memcpy(enhanced, number, sizeof(number));
	return at;
}

/* A reply being read line by line; `text` is what has not been read. */
struct reply_reader {
	const char *text;
	size_t size;
	struct delivery_report *report;
	size_t length; /* of the report's text so far */
};

static void advance(struct reply_reader *r, size_t bytes)
{
	r->text += bytes;
	r->size -= bytes;
}

/* The head of a line. True: a further line follows. */
static bool take_head(struct reply_reader *r)
{
	uint16_t enhanced[3];
	bool more = r->size > 3 && r->text[3] == '-';
	size_t bytes;

	advance(r, r->size > 3 ? 4 : 3);
	bytes = read_enhanced(r->text, r->size, enhanced);
	advance(r, bytes);
	if (bytes && r->size > 0 && r->text[0] == ' ')
		advance(r, 1);
	if (bytes && !r->report->enhanced[0])
		memcpy(r->report->enhanced, enhanced, sizeof(enhanced));
	return more;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r';
}

/* Of a further line, which begins with the code of the first. */
static bool is_head(const struct reply_reader *r, const char *code)
{
	return delivery_report_is_code(r->text, r->size) && memcmp(r->text, code, 3) == 0;
}

static void put(struct reply_reader *r, char c)
{
	char *text = r->report->text;

	if (is_blank(c))
		c = ' ';
	if (r->length == SMTPL_TEXT_SIZE - 1 ||
	    (c == ' ' && (r->length == 0 || text[r->length - 1] == ' ')))
		return;
	text[r->length++] = c;
}

static void end_text(struct reply_reader *r)
{
	char *text = r->report->text;

	while (r->length > 0 && text[r->length - 1] == ' ')
		r->length--;
	memset(text + r->length, 0, SMTPL_TEXT_SIZE - r->length);
}

void delivery_report_text(struct delivery_report *report, const char *text, size_t size)
{
	struct reply_reader r = {.text = text, .size = size, .report = report};

	for (; r.size > 0 && *r.text; advance(&r, 1))
		put(&r, *r.text);
	end_text(&r);
}

bool delivery_report_reply(struct delivery_report *report, const char *text, size_t size)
{
	struct reply_reader r = {.text = text, .size = strnlen(text, size), .report = report};
	bool more;

	if (!delivery_report_is_code(r.text, r.size))
		return false;
	report->code = (uint16_t)((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
	memset(report->enhanced, 0, sizeof(report->enhanced));
	more = take_head(&r);
	while (r.size > 0) {
		bool blank = is_blank(*r.text);

		put(&r, *r.text);
		advance(&r, 1);
		if (more && blank && is_head(&r, text))
			more = take_head(&r);
	}
	end_text(&r);
	return true;
}

void delivery_report_bound(struct delivery_report *report)
{
	submission_end_strings(&report->submission);
	END_OF(report->rcpt) = '\0';
	END_OF(report->id) = '\0';
	END_OF(report->host) = '\0';
	END_OF(report->tls) = '\0';
	END_OF(report->text) = '\0';
	if (report->fault >= OWN_FAULTS)
		report->fault = OWN_FAULT_NONE;
	if (report->age_s < 0 || report->age_s > REPORT_AGE_MAX_S)
		report->age_s = REPORT_AGE_UNKNOWN;
}
