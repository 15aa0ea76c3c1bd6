/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_date.c - a point in time: 2026-12-24, 2026-12-24 18:00 or 2026-12-24T18:00:00, of the
 * host's time zone, or of UTC with a Z behind it. A day alone means its end.
 */
#include "config_key.h"

#include <string.h>
#include <time.h>

#include "config_account.h"

/* Reads exactly `count` digits behind `before`, where that is not 0. */
static bool digits(const char **at, char before, int count, int *number)
{
	const char *d = *at;

	if (before && *d++ != before)
		return false;
	*number = 0;
	for (int i = 0; i < count; i++, d++) {
		if (*d < '0' || *d > '9')
			return false;
		*number = *number * 10 + *d - '0';
	}
	*at = d;
	return true;
}

static bool read_parts(const char *text, struct tm *tm, bool *day_alone, bool *utc)
{
	*tm = (struct tm){.tm_isdst = -1};
	if (!digits(&text, 0, 4, &tm->tm_year) || !digits(&text, '-', 2, &tm->tm_mon) ||
	    !digits(&text, '-', 2, &tm->tm_mday))
		return false;
	*day_alone = *text != ' ' && *text != 'T';
	if (!*day_alone &&
	    (!digits(&text, *text, 2, &tm->tm_hour) || !digits(&text, ':', 2, &tm->tm_min) ||
	     (*text == ':' && !digits(&text, ':', 2, &tm->tm_sec))))
		return false;
	*utc = *text == 'Z';
	text += *utc;
	return !*text && tm->tm_year >= 2000 && tm->tm_year < 3000 && tm->tm_hour < 24 &&
	       tm->tm_min < 60 && tm->tm_sec < 60;
}

static int64_t seconds_of(struct tm tm, bool utc)
{
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return utc ? timegm(&tm) : mktime(&tm);
}

static bool day_exists(const struct tm *tm)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = tm->tm_year % 4 == 0 && (tm->tm_year % 100 || tm->tm_year % 400 == 0);

	return tm->tm_mon >= 1 && tm->tm_mon <= 12 && tm->tm_mday >= 1 &&
	       tm->tm_mday <= days[tm->tm_mon - 1] + (leap && tm->tm_mon == 2);
}

static int read_date(const struct config_key *key, const char *text, void *base, char *why,
		     size_t why_size)
{
	bool day_alone, utc;
	struct tm tm;

	if (!read_parts(text, &tm, &day_alone, &utc) || !day_exists(&tm)) {
		snprintf(why, why_size,
			 "want a date like 2026-12-24, 2026-12-24 18:00 or 2026-12-24T18:00Z");
		return -1;
	}
	tm.tm_mday += day_alone;
	*(int64_t *)config_field(key, base) = seconds_of(tm, utc);
	return 0;
}

static void date_text(int64_t seconds, char text[32])
{
	time_t time = seconds;
	struct tm tm;

	text[0] = '\0';
	if (seconds != CONFIG_NO_END && gmtime_r(&time, &tm))
		strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void write_date(const struct config_key *key, const void *base, FILE *out)
{
	char text[32];

	date_text(*(const int64_t *)config_field_const(key, base), text);
	fputs(text, out);
}

static json_t *json_date(const struct config_key *key, const void *base)
{
	char text[32];

	date_text(*(const int64_t *)config_field_const(key, base), text);
	return *text ? json_string(text) : json_null();
}

const struct config_type config_type_date = {
	.read = read_date,
	.write = write_date,
	.json = json_date,
};
