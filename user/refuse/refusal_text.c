// SPDX-License-Identifier: GPL-2.0-only
/*
 * refusal_text.c - writes the text of a refusal.
 */
#include "refusal_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* RFC 5321 4.5.3.1.5: of the 512 octets of a reply line two are its end. */
#define TEXT_MAX 510

/* A name of RFC 1035 has at most 253 octets. Of one that is longer, or for which there is no room,
 * the end is shown, where the registered name stands. */
#define DOMAIN_SHOWN_MAX 253

#define CODE	    "550 5.7.1 Domain "
#define LAST_SECOND 253402300799 /* 9999-12-31T23:59:59Z: what the date's format can hold */

static bool printable(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

/* " (in 47 minutes). CONTACT", or "." */
static void write_end(int64_t left_s, const char *contact, char *end, size_t end_size)
{
	static const struct {
		int64_t from_s, unit_s;
		const char *name;
	} units[] = {
		{2 * 86400, 86400, "days"},
		{2 * 3600, 3600, "hours"},
		{61, 60, "minutes"},
		{1, 60, "minute"},
	};
	size_t i, used = 0;

	for (i = 0; i < sizeof(units) / sizeof(*units) && left_s < units[i].from_s; i++)
		;
	if (i < sizeof(units) / sizeof(*units))
		used = (size_t)snprintf(end, end_size, " (in %" PRId64 " %s)",
					(left_s + units[i].unit_s - 1) / units[i].unit_s,
					units[i].name);
	snprintf(end + used, end_size - used, ".%s%s", *contact ? " " : "", contact);
}

/* Behind the domain, up to the time. */
static void write_words(const struct responder_answer *a, char *words, size_t words_size)
{
	bool ended = a->reason[0] && strchr(".!?", a->reason[strlen(a->reason) - 1]);

	if (a->by_hand)
		snprintf(
			words, words_size,
			" is not allowed to send mail at present.%s%s%s Message discarded. Sending "
			"is possible " REFUSAL_AGAIN_AT,
			a->reason[0] ? " " : "", a->reason, a->reason[0] && !ended ? "." : "");
	else
		snprintf(words, words_size,
			 " has exceeded the max defers and failures per hour (%" PRIu32 "/%" PRIu32
			 " (%" PRIu32 "%%)) allowed. Message discarded. Sending is "
			 "possible " REFUSAL_AGAIN_AT,
			 a->bad, a->min, a->percent);
}

static void write_time(int64_t wall_s, char *when, size_t when_size)
{
	time_t until = wall_s < 0 ? 0 : wall_s > LAST_SECOND ? LAST_SECOND : wall_s;
	struct tm tm;

	strftime(when, when_size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&until, &tm));
}

size_t refusal_text(const struct responder_answer *a, const char *sender_domain, char *text,
		    size_t text_size)
{
	bool names = a->names_sender && sender_domain && printable(sender_domain);
	const char *domain = names ? sender_domain : a->domain;
	char words[384], end[64 + SMTPL_TOLD_SIZE], when[sizeof("9999-12-31T23:59:59Z")];
	size_t room, length = strlen(domain);

	write_words(a, words, sizeof(words));
	write_time(a->until_wall_s, when, sizeof(when));
	write_end(a->now_wall_s ? a->until_wall_s - a->now_wall_s : 0, a->contact, end,
		  sizeof(end));
	room = TEXT_MAX - strlen(CODE) - strlen(words) - strlen(when) - strlen(end);
	room = room < DOMAIN_SHOWN_MAX ? room : DOMAIN_SHOWN_MAX;
	if (length > room)
		domain += length - room;
	snprintf(text, text_size, CODE "%s%s%s%s", domain, words, when, end);
	return strlen(text);
}

void refusal_text_complete(char *text, size_t text_size, int64_t until_wall_s, int64_t now_wall_s,
			   const char *contact)
{
	size_t length = strlen(text);
	char end[64 + SMTPL_TOLD_SIZE];

	if (!length || text[length - 1] != '.')
		return;
	write_end(until_wall_s - now_wall_s, contact, end, sizeof(end));
	if (length - 1 + strlen(end) > TEXT_MAX)
		write_end(until_wall_s - now_wall_s, "", end, sizeof(end));
	if (length + strlen(end) <= TEXT_MAX && length + strlen(end) <= text_size)
		memcpy(text + length - 1, end, strlen(end) + 1);
}
