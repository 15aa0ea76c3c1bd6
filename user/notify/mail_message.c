// SPDX-License-Identifier: GPL-2.0-only
/*
 * mail_message.c - writing a mail.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <nettle/base64.h>
#include "mail_message.h"

#define WORD_BYTES    45  /* RFC 2047: an encoded word has at most 75 characters */
#define LINE_BYTES    900 /* RFC 5321: at most 998 */
#define SUBJECT_BYTES 200

struct writer {
	char *out;
	size_t size;
	size_t used;
	bool full;
};

static void put(struct writer *w, const char *bytes, size_t size)
{
	if (size >= w->size - w->used) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->used, bytes, size);
	w->used += size;
}

static void put_text(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* How many of at most `max` bytes are whole characters of UTF-8, at least one byte. */
static size_t whole_characters(const char *text, size_t size, size_t max)
{
	size_t end = size < max ? size : max;

	if (size <= max)
		return size;
	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	return end ? end : max;
}

static void put_base64(struct writer *w, const char *text, size_t size)
{
	char digits[BASE64_ENCODE_RAW_LENGTH(WORD_BYTES)];

	base64_encode_raw(digits, size, (const uint8_t *)text);
	put(w, digits, BASE64_ENCODE_RAW_LENGTH(size));
}

/* A line of its own for each encoded word. What looks like one is encoded as well. */
static void put_unstructured(struct writer *w, const char *text)
{
	size_t size = whole_characters(text, strlen(text), SUBJECT_BYTES);

	if (is_ascii(text) && !strstr(text, "=?")) {
		put(w, text, size);
		return;
	}
	for (size_t i = 0; i < size;) {
		size_t part = whole_characters(text + i, size - i, WORD_BYTES);

		put_text(w, i ? "\n =?utf-8?B?" : "=?utf-8?B?");
		put_base64(w, text + i, part);
		put_text(w, "?=");
		i += part;
	}
}

static void put_header(struct writer *w, const char *name, const char *value)
{
	char line[512];

	snprintf(line, sizeof(line), "%s", value);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = ' ';
	put_text(w, name);
	put_text(w, ": ");
	put_unstructured(w, line);
	put_text(w, "\n");
}

static void put_body(struct writer *w, const char *text)
{
	while (*text) {
		size_t line = strcspn(text, "\n");
		size_t part = whole_characters(text, line, LINE_BYTES);

		put(w, text, part);
		put_text(w, "\n");
		text += part;
		if (*text == '\n')
			text++;
	}
}

static void put_date(struct writer *w, int64_t date_s)
{
	const time_t time = (time_t)date_s;
	char text[64];
	struct tm tm;

	if (localtime_r(&time, &tm) &&
	    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S %z", &tm))
		put_header(w, "Date", text);
}

size_t mail_message_write(const struct mail_message *m, char *out, size_t out_size)
{
	struct writer w = {.out = out, .size = out_size};
	char id[384];

	snprintf(id, sizeof(id), "<smtplimit.%llx.%016llx@%s>", (unsigned long long)m->date_s,
		 (unsigned long long)m->serial, m->host);
	put_header(&w, "From", m->from);
	put_header(&w, "To", m->to);
	put_header(&w, "Subject", m->subject);
	put_date(&w, m->date_s);
	put_header(&w, "Message-ID", id);
	put_header(&w, "Auto-Submitted", "auto-generated");
	put_header(&w, "MIME-Version", "1.0");
	put_header(&w, "Content-Type", "text/plain; charset=utf-8");
	put_header(&w, "Content-Transfer-Encoding", is_ascii(m->text) ? "7bit" : "8bit");
	put_text(&w, "\n");
	put_body(&w, m->text);
	return w.full ? 0 : w.used;
}
