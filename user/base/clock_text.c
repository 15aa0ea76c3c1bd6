// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock_text.c - times for people. Names of days and months are English whatever the locale says:
 * scripts look for them.
 */
#include "clock_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MINUTE_S 60
#define HOUR_S	 (60 * MINUTE_S)
#define DAY_S	 (24 * HOUR_S)

static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static time_t bounded(int64_t wall_s)
{
	return wall_s < 0 ? 0 : wall_s > CLOCK_TEXT_LAST_S ? CLOCK_TEXT_LAST_S : wall_s;
}

static struct tm local_of(int64_t wall_s)
{
	time_t when = bounded(wall_s);
	struct tm tm = {0};

	localtime_r(&when, &tm);
	return tm;
}

static char *with_day(const struct tm *tm, char text[CLOCK_TEXT_SIZE])
{
	snprintf(text, CLOCK_TEXT_SIZE, "%s %d %s %02d:%02d", days[tm->tm_wday], tm->tm_mday,
		 months[tm->tm_mon], tm->tm_hour, tm->tm_min);
	return text;
}

char *clock_text_day(int64_t wall_s, char text[CLOCK_TEXT_SIZE])
{
	const struct tm tm = local_of(wall_s);

	return with_day(&tm, text);
}

char *clock_text(int64_t wall_s, int64_t now_s, char text[CLOCK_TEXT_SIZE])
{
	const struct tm tm = local_of(wall_s), now = local_of(now_s);

	if (tm.tm_year != now.tm_year || tm.tm_yday != now.tm_yday)
		return with_day(&tm, text);
	snprintf(text, CLOCK_TEXT_SIZE, "%02d:%02d", tm.tm_hour, tm.tm_min);
	return text;
}

char *clock_text_iso(int64_t wall_s, char text[CLOCK_TEXT_SIZE])
{
	time_t when = bounded(wall_s);
	struct tm tm = {0};

	gmtime_r(&when, &tm);
	strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text;
}

/* "12 h", or with what is left "12 h 5 min" */
static void two_parts(int64_t large, const char *large_unit, int64_t small, const char *small_unit,
		      char text[CLOCK_TEXT_SIZE])
{
	if (small)
		snprintf(text, CLOCK_TEXT_SIZE, "%" PRId64 " %s %" PRId64 " %s", large, large_unit,
			 small, small_unit);
	else
		snprintf(text, CLOCK_TEXT_SIZE, "%" PRId64 " %s", large, large_unit);
}

char *clock_text_span(int64_t seconds, char text[CLOCK_TEXT_SIZE])
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 2 * MINUTE_S)
		two_parts(seconds, "s", 0, "", text);
	else if (seconds < 2 * HOUR_S)
		two_parts(seconds / MINUTE_S, "min", 0, "", text);
	else if (seconds < 2 * DAY_S)
		two_parts(seconds / HOUR_S, "h", seconds % HOUR_S / MINUTE_S, "min", text);
	else
		two_parts(seconds / DAY_S, "d", seconds % DAY_S / HOUR_S, "h", text);
	return text;
}
