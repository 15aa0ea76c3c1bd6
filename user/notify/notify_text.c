// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify_text.c - a growing text, times and lengths of time.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include "base/log.h"
#include "notify_text.h"

#define MINUTE_S 60
#define HOUR_S	 3600
#define DAY_S	 86400

void notify_text_begin(struct notify_text *t, char *bytes, size_t size)
{
	*t = (struct notify_text){.bytes = bytes, .size = size};
	bytes[0] = '\0';
}

/* What is in the buffer is whole UTF-8, but for a character that was cut at its end. */
static size_t without_half_character(const char *bytes, size_t used)
{
	size_t at = used, length;
	unsigned char first;

	while (at > 0 && used - at < 3 && ((unsigned char)bytes[at - 1] & 0xc0) == 0x80)
		at--;
	first = at > 0 ? (unsigned char)bytes[at - 1] : 0;
	if (first < 0xc0)
		return used;
	length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	return at - 1 + length > used ? at - 1 : used;
}

void notify_text_add(struct notify_text *t, const char *format, ...)
{
	size_t room = t->size - t->used;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(t->bytes + t->used, room, format, args);
	va_end(args);
	if (length < 0)
		length = 0;
	if ((size_t)length < room) {
		t->used += (size_t)length;
		return;
	}
	t->used = without_half_character(t->bytes, t->size - 1);
	t->bytes[t->used] = '\0';
}

void notify_text_untrusted(struct notify_text *t, const char *text)
{
	char printable[2048];

	notify_text_add(t, "%s", log_escape(text, 512, 1, printable, sizeof(printable)));
}

void notify_text_time(struct notify_text *t, int64_t time_s)
{
	const time_t time = (time_t)time_s;
	char text[64];
	struct tm tm;

	if (!localtime_r(&time, &tm) ||
	    !strftime(text, sizeof(text), "%H:%M %Z on %a %-d %b %Y", &tm))
		snprintf(text, sizeof(text), "(unknown)");
	notify_text_add(t, "%s", text);
}

static void add_unit(struct notify_text *t, int64_t count, const char *unit)
{
	notify_text_add(t, "%lld %s%s", (long long)count, unit, count == 1 ? "" : "s");
}

static void add_two(struct notify_text *t, int64_t seconds, int64_t large, const char *large_unit,
		    int64_t small, const char *small_unit)
{
	int64_t rest = seconds % large / small;

	add_unit(t, seconds / large, large_unit);
	if (rest) {
		notify_text_add(t, " and ");
		add_unit(t, rest, small_unit);
	}
}

/* An hour and a half is 90 minutes to most people. */
void notify_text_length(struct notify_text *t, int64_t seconds)
{
	if (seconds < 2 * MINUTE_S)
		add_unit(t, seconds < 0 ? 0 : seconds, "second");
	else if (seconds < 2 * HOUR_S)
		add_unit(t, (seconds + MINUTE_S / 2) / MINUTE_S, "minute");
	else if (seconds < 2 * DAY_S)
		add_two(t, seconds, HOUR_S, "hour", MINUTE_S, "minute");
	else
		add_two(t, seconds, DAY_S, "day", HOUR_S, "hour");
}
