/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exim_event.c - turns Exim's events into delivery reports.
 */
#include "exim_event.h"

#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "policy_word.h"

#define LAST_SECOND (INT64_MAX / NS_PER_S)

/* Words whose meaning depends on others, so that they are kept until all have been read. */
struct event {
	const char *event;
	const char *proto;
	const char *orig;
	const char *rcpt;
	const char *text;
	bool has_relay;
};

static const struct {
	const char *event;
	enum report_kind kind;
	enum smtp_outcome outcome;
} outcomes[] = {
	{"msg:delivery", REPORT_OUTCOME, SMTP_DELIVERED},
	{"msg:fail:delivery", REPORT_OUTCOME, SMTP_FAILED},
	{"msg:fail:internal", REPORT_OUTCOME, SMTP_FAILED},
	{"msg:rcpt:defer", REPORT_OUTCOME, SMTP_DEFERRED},
	{"msg:defer", REPORT_OUTCOME, SMTP_DEFERRED},
	{"refused", REPORT_REFUSED, SMTP_OUTCOME_NONE},
};

static int take_event(struct delivery_report *r, const char *event)
{
	size_t i;

	for (i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++) {
		if (strcmp(outcomes[i].event, event))
			continue;
		r->kind = outcomes[i].kind;
		r->outcome = outcomes[i].outcome;
		return 0;
	}
	return -ENOENT;
}

static int take_time(struct delivery_report *r, const char *value)
{
	uint64_t seconds;

	if (policy_word_number(value, LAST_SECOND, &seconds))
		return -EINVAL;
	r->wall_ns = (int64_t)seconds * NS_PER_S;
	return 0;
}

static int take_base64(const char **to, char *value)
{
	*to = value;
	return policy_word_base64(value);
}

static int take_id(struct delivery_report *r, const char *value)
{
	size_t length = strlen(value);

	if (length >= sizeof(r->id))
		return -EINVAL;
	memcpy(r->id, value, length + 1);
	return 0;
}

/* 0 or -EINVAL; unknown words are ignored. */
static int take_word(struct delivery_report *r, struct event *e, const char *key, char *value)
{
	int err;

	if (strcmp(key, "event") == 0)
		e->event = value;
	else if (strcmp(key, "proto") == 0)
		e->proto = value;
	else if (strcmp(key, "rcpt64") == 0)
		return take_base64(&e->rcpt, value);
	else if (strcmp(key, "orig64") == 0)
		return take_base64(&e->orig, value);
	else if (strcmp(key, "text64") == 0)
		return take_base64(&e->text, value);
	else if (strcmp(key, "id") == 0)
		return take_id(r, value);
	else if (strcmp(key, "time") == 0)
		return take_time(r, value);
	else if (strcmp(key, "relay") == 0)
		e->has_relay = account_uid_number(value, &r->relay_uid) == 0;
	else if (strcmp(key, "host") == 0 || strcmp(key, "ip") == 0)
		policy_word_ip(r->dest, value);
	else {
		err = policy_word_submission(&r->submission, key, value);
		return err == -ENOENT ? 0 : err;
	}
	return 0;
}

/* A change of case is no redirection: domains change it on the way, local parts often do. */
static bool is_redirected(const struct event *e)
{
	const char *at = strrchr(e->orig, '@');

	return at && at > e->orig && at[1] && strcasecmp(e->orig, e->rcpt) != 0;
}

static void finish_submission(struct submission *o, const struct event *e)
{
	char domain[SMTPL_DOMAIN_SIZE];

	/* For mail that came by SMTP, $originator_uid is that of Exim itself. */
	if (strncmp(e->proto, "local", 5))
		o->known &= ~(uint32_t)SUBMISSION_HAS_UID;
	if (!is_redirected(e))
		return;
	o->known |= SUBMISSION_REDIRECTED;
	if (account_domain_key(strrchr(e->orig, '@') + 1, domain) == 0)
		memcpy(o->forwarder, domain, sizeof(domain));
}

int exim_event_parse(char *line, size_t length, uint32_t peer, struct delivery_report *record)
{
	struct delivery_report r = {
		.mta = FEED_EXIM, .relay_uid = peer, .age_s = REPORT_AGE_UNKNOWN};
	struct event e = {"", "", "", "", "", false};
	char *key, *value;

	if (memchr(line, '\0', length))
		return -EINVAL;
	line[length] = '\0';
	if (!policy_word_next(&line, &key, &value) || value || strcmp(key, "exim"))
		return -EINVAL;
	while (policy_word_next(&line, &key, &value))
		if (value && *value && take_word(&r, &e, key, value))
			return -EINVAL;
	if (take_event(&r, e.event))
		return *e.event ? -ENOENT : -EINVAL;
	if (!e.has_relay)
		r.relay_uid = peer;
	policy_word_address(r.rcpt, e.rcpt);
	finish_submission(&r.submission, &e);
	exim_event_reply(&r, e.text);
	*record = r;
	return 0;
}

/* The id begins with six digits of base 62 and a minus. */
int64_t exim_event_submitted_ns(const char *id)
{
	static const char digits[] = "0123456789"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	int64_t seconds = 0;

	for (size_t i = 0; i < 6; i++) {
		const char *digit = id[i] ? strchr(digits, id[i]) : NULL;

		if (!digit)
			return 0;
		seconds = seconds * 62 + (digit - digits);
	}
	return id[6] == '-' && seconds <= LAST_SECOND ? seconds * NS_PER_S : 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_code(const char *at)
{
	return at[0] >= '2' && at[0] <= '5' && is_digit(at[1]) && is_digit(at[2]) &&
	       (at[3] == ' ' || at[3] == '-' || at[3] == '\0');
}

/* Finds the reply in Exim's text: at its beginning, or behind ": ". The address of the command
 * before it may contain anything, so the last match counts. NULL: there is none. */
static const char *find_code(const char *text)
{
	const char *found = NULL;
	const char *at = text;

	if (is_code(text))
		return text;
	while ((at = strstr(at, ": "))) {
		at += 2;
		if (is_code(at))
			found = at;
	}
	return found;
}

/* Reads "5.1.1" that ends at a blank or the end. Returns its length, 0: there is none. */
static size_t read_enhanced(const char *text, uint16_t enhanced[3])
{
	uint16_t number[3];
	size_t at = 0;
	int part;

	for (part = 0; part < 3; part++) {
		size_t digits = 0;

		if (part && text[at++] != '.')
			return 0;
		for (number[part] = 0; is_digit(text[at]) && digits < 3; digits++)
			number[part] = number[part] * 10 + (uint16_t)(text[at++] - '0');
		if (!digits)
			return 0;
	}
	if ((text[at] && text[at] != ' ') || (number[0] != 2 && number[0] != 4 && number[0] != 5))
		return 0;
	memcpy(enhanced, number, sizeof(number));
	return at;
}

static void copy_text(char to[SMTPL_TEXT_SIZE], const char *text)
{
	size_t i;

	for (i = 0; i < SMTPL_TEXT_SIZE - 1 && text[i]; i++)
		to[i] = text[i] == '\r' || text[i] == '\n' ? ' ' : text[i];
	to[i] = '\0';
}

void exim_event_reply(struct delivery_report *record, const char *text)
{
	const char *code = find_code(text);

	if (code) {
		record->code =
			(uint16_t)((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
		text = code + 3 + (code[3] != '\0');
		text += read_enhanced(text, record->enhanced);
		text += *text == ' ';
	}
	copy_text(record->text, text);
}
