/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_line.c - takes a line of a syslog file apart, from the left: the time, the host, the
 * program. What a stranger can choose begins behind them.
 */
#include <string.h>
#include <time.h>
#include "maillog_line.h"
#include "base/clock.h"

#define DAY_S		 (24 * 3600)
#define TRADITIONAL_SIZE 15 /* "Nov 22 02:03:04" */

/* Digits of a fixed-width number, or -1; the first may be a blank. */
static int number(const char *at, size_t width)
{
	int value = 0;
	size_t i;

	for (i = 0; i < width; i++) {
		if (i == 0 && width > 1 && at[i] == ' ')
			continue;
		if (at[i] < '0' || at[i] > '9')
			return -1;
		value = value * 10 + (at[i] - '0');
	}
	return value;
}

static int month(const char *at)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int m;

	for (m = 0; m < 12; m++)
		if (memcmp(at, names + 3 * m, 3) == 0)
			return m;
	return -1;
}

static bool in_range(const struct tm *tm)
{
	return tm->tm_mon >= 0 && tm->tm_mon < 12 && tm->tm_mday >= 1 && tm->tm_mday <= 31 &&
	       tm->tm_hour >= 0 && tm->tm_hour <= 23 && tm->tm_min >= 0 && tm->tm_min <= 59 &&
	       tm->tm_sec >= 0 && tm->tm_sec <= 60;
}

/* A clock may be a little ahead of ours, and a zone's change put an hour between: a day is let
 * pass. */
static int64_t latest_year(struct tm tm, int64_t now_s)
{
	time_t now = now_s;
	struct tm today;
	struct tm tried;
	int64_t wall_s;
	int years;

	localtime_r(&now, &today);
	for (years = -1; years < 8; years++) {
		tried = tm;
		tried.tm_year = today.tm_year - years;
		tried.tm_isdst = -1;
		wall_s = mktime(&tried);
		/* 29 February is 1 March in most years. */
		if (wall_s <= now_s + DAY_S && tried.tm_mon == tm.tm_mon)
			return wall_s;
	}
	return now_s;
}

static bool traditional_time(struct maillog_clock *clock, const char *at, int64_t now_s)
{
	struct tm tm = {0};

	if (clock->now_s / DAY_S == now_s / DAY_S && memcmp(clock->text, at, TRADITIONAL_SIZE) == 0)
		return true;
	tm.tm_mon = month(at);
	tm.tm_mday = number(at + 4, 2);
	tm.tm_hour = number(at + 7, 2);
	tm.tm_min = number(at + 10, 2);
	tm.tm_sec = number(at + 13, 2);
	if (at[3] != ' ' || at[6] != ' ' || at[9] != ':' || at[12] != ':' || !in_range(&tm))
		return false;
	clock->wall_s = latest_year(tm, now_s);
	clock->now_s = now_s;
	memcpy(clock->text, at, TRADITIONAL_SIZE);
	return true;
}

/* Behind the seconds: ".123456", then "Z" or "+01:00". What is left begins at *at. */
static bool fraction_and_zone(const char **at, const char *end, int64_t *wall_ns)
{
	int64_t unit = NS_PER_S / 10;
	const char *p = *at;
	int hours, minutes;

	if (p < end && *p == '.')
		for (p++; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10)
			*wall_ns += unit * (*p - '0');
	if (p < end && *p == 'Z') {
		*at = p + 1;
		return true;
	}
	if (end - p < 6 || (*p != '+' && *p != '-') || p[3] != ':')
		return false;
	hours = number(p + 1, 2);
	minutes = number(p + 4, 2);
	if (hours < 0 || minutes < 0)
		return false;
	*wall_ns -= (*p == '+' ? 1 : -1) * (hours * 3600 + minutes * 60) * NS_PER_S;
	*at = p + 6;
	return true;
}

/* RFC 3339, as rsyslog writes it by its present default. */
static bool full_time(const char **at, const char *end, int64_t *wall_ns)
{
	const char *p = *at;
	struct tm tm = {0};

	if (end - p < 20 || p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' ||
	    p[16] != ':')
		return false;
	tm.tm_year = number(p, 4) - 1900;
	tm.tm_mon = number(p + 5, 2) - 1;
	tm.tm_mday = number(p + 8, 2);
	tm.tm_hour = number(p + 11, 2);
	tm.tm_min = number(p + 14, 2);
	tm.tm_sec = number(p + 17, 2);
	if (tm.tm_year < 70 || !in_range(&tm))
		return false;
	*wall_ns = timegm(&tm) * NS_PER_S;
	*at = p + 19;
	return fraction_and_zone(at, end, wall_ns);
}

static bool take_time(struct maillog_clock *clock, const char **at, const char *end, int64_t now_s,
		      int64_t *wall_ns)
{
	if (end - *at > TRADITIONAL_SIZE && traditional_time(clock, *at, now_s)) {
		*wall_ns = clock->wall_s * NS_PER_S;
		*at += TRADITIONAL_SIZE;
		return true;
	}
	return full_time(at, end, wall_ns);
}

/* "postfix/smtp[123]: " or "postfix/smtp: " */
static bool take_ident(const char **at, const char *end, struct maillog_span *ident,
		       struct maillog_span *pid)
{
	const char *p = *at;

	while (p < end && *p != '[' && *p != ':' && *p != ' ')
		p++;
	*ident = (struct maillog_span){*at, p - *at};
	*pid = (struct maillog_span){p, 0};
	if (p < end && *p == '[') {
		pid->at = p + 1;
		for (p++; p < end && *p >= '0' && *p <= '9'; p++)
			pid->size++;
		if (p >= end || *p++ != ']')
			return false;
	}
	if (end - p < 2 || p[0] != ':' || p[1] != ' ' || ident->size == 0)
		return false;
	*at = p + 2;
	return true;
}

bool maillog_line_parse(struct maillog_clock *clock, const char *line, size_t size, int64_t now_s,
			struct maillog_line *parsed)
{
	const char *end = line + size;
	const char *at = line;

	if (!take_time(clock, &at, end, now_s, &parsed->wall_ns) || at >= end || *at++ != ' ')
		return false;
	at = memchr(at, ' ', end - at); /* the host */
	if (!at)
		return false;
	at++;
	if (!take_ident(&at, end, &parsed->ident, &parsed->pid))
		return false;
	parsed->text = (struct maillog_span){at, end - at};
	return true;
}
