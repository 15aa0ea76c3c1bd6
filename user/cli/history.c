// SPDX-License-Identifier: GPL-2.0-only
/*
 * history.c - one suspension of the past as a line, and as JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock_text.h"
#include "base/log.h"
#include "config/config.h"
#include "history.h"

static void append(char text[HISTORY_LINE_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void append(char text[HISTORY_LINE_SIZE], const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, HISTORY_LINE_SIZE - used, format, args);
	va_end(args);
}

static void append_end(const struct state_history *h, int64_t now_s, char text[HISTORY_LINE_SIZE])
{
	char when[CLOCK_TEXT_SIZE];

	switch (h->end) {
	case STATE_HISTORY_RUNNING:
		append(text, ", until %s", clock_text(h->until_wall_s, now_s, when));
		break;
	case STATE_HISTORY_RELEASED:
		append(text, ", released after %s",
		       clock_text_span(h->ended_wall_s - h->since_wall_s, when));
		break;
	case STATE_HISTORY_REPLACED:
		append(text, ", replaced after %s",
		       clock_text_span(h->ended_wall_s - h->since_wall_s, when));
		break;
	default: /* it lasted as long as was said */
		break;
	}
}

char *history_line(const struct state_history *h, int64_t now_s, char text[HISTORY_LINE_SIZE])
{
	char since[CLOCK_TEXT_SIZE], span[CLOCK_TEXT_SIZE], reason[4 * sizeof(h->reason)];

	text[0] = '\0';
	append(text, "%s for %s", clock_text_day(h->since_wall_s, since),
	       clock_text_span(h->until_wall_s - h->since_wall_s, span));
	if (h->observed)
		append(text, ", observed");
	append_end(h, now_s, text);
	if (h->by_hand)
		append(text, ": %s%s",
		       log_escape(h->reason, sizeof(h->reason), 1, reason, sizeof(reason)),
		       h->by_hand & SMTPL_BY_HAND_TOLD ? " (told to the sender)" : "");
	else
		append(text, ": %" PRIu32 "/%" PRIu32 " (%" PRIu32 "%%)", h->bad, h->min,
		       h->percent);
	return text;
}

static json_t *json_time(int64_t wall_s)
{
	char text[CLOCK_TEXT_SIZE];

	return wall_s ? json_string(clock_text_iso(wall_s, text)) : json_null();
}

static json_t *json_text(const char *bytes, size_t size)
{
	char text[4 * SMTPL_DOMAIN_SIZE + 4 * sizeof(((struct state_history *)NULL)->reason)];

	return json_string(log_escape(bytes, size, 1, text, sizeof(text)));
}

json_t *history_json(const struct state_history *h)
{
	char name[ACCOUNT_NAME_SIZE];

	account_name(&h->account, name, sizeof(name));
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:o}",
			 "account", name, "domain",
			 h->domain[0] ? json_text(h->domain, sizeof(h->domain)) : json_null(),
			 "since", json_time(h->since_wall_s), "until", json_time(h->until_wall_s),
			 "ended", json_time(h->ended_wall_s), "end", state_history_end_name(h->end),
			 "by_hand", h->by_hand != 0, "told", (h->by_hand & SMTPL_BY_HAND_TOLD) != 0,
			 "observed", h->observed != 0, "bad", (json_int_t)h->bad, "min",
			 (json_int_t)h->min, "percent", (json_int_t)h->percent, "reason",
			 json_text(h->reason, sizeof(h->reason)));
}

static int since_before(const char *text, int64_t now_s, int64_t *since_s)
{
	int64_t n;

	if (config_seconds(text, &n) || n > now_s)
		return -EINVAL;
	*since_s = now_s - n;
	return 0;
}

int history_since(const char *text, int64_t now_s, int64_t *since_s)
{
	static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
					    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *rest = strptime(text, forms[i], &tm);

		if (!rest || (*rest && strcmp(rest, "Z")))
			continue;
		*since_s = *rest ? timegm(&tm) : mktime(&tm);
		return *since_s < 0 ? -EINVAL : 0;
	}
	return since_before(text, now_s, since_s);
}
