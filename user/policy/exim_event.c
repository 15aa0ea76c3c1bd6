/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exim_event.c - turns Exim's events into delivery reports.
 */
#include "exim_event.h"

#include <errno.h>
#include <stdio.h>
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
	const char *host; /* its name */
	uint64_t port;
	int error; /* $event_defer_errno */
	bool has_relay;
	bool has_host; /* its address */
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

/* Without a connection it is -1. */
static void take_port(struct event *e, const char *value)
{
	if (policy_word_number(value, UINT16_MAX, &e->port))
		e->port = 0;
}

static void take_error(struct event *e, const char *value)
{
	bool own = *value == '-';
	uint64_t number;

	if (!policy_word_number(value + own, UINT16_MAX, &number))
		e->error = own ? -(int)number : (int)number;
}

/* Exim calls "TLS1.3" what all others call "TLSv1.3". */
static void take_tls(struct delivery_report *r, const char *value)
{
	static const char digits[] = "0123456789.";
	const char *version = value + 3;

	if (strncmp(value, "TLS", 3))
		return;
	version += *version == 'v';
	if (*version && strlen(version) < 8 && !version[strspn(version, digits)])
		snprintf(r->tls, sizeof(r->tls), "TLSv%s", version);
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
		e->has_host = policy_word_ip(r->dest, value);
	else if (strcmp(key, "hostport") == 0)
		take_port(e, value);
	else if (strcmp(key, "errno") == 0)
		take_error(e, value);
	else if (strcmp(key, "hostname64") == 0)
		return take_base64(&e->host, value);
	else if (strcmp(key, "tls") == 0)
		take_tls(r, value);
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

/* An older hook gives a port that is another host's where it gives no address. A host that has no
 * name is called by its address. */
static void finish_host(struct delivery_report *r, const struct event *e)
{
	if (e->has_host)
		r->port = (uint16_t)e->port;
	else
		policy_word_ip(r->dest, e->host);
	delivery_report_host(r, e->host, strlen(e->host));
}

/* Only Exim's own number says so: the text may be a remote's. */
static void finish_fault(struct delivery_report *r, const struct event *e)
{
	if (r->outcome == SMTP_DEFERRED && (!r->code || e->error == -42))
		r->fault = own_fault_of_exim(e->error);
}

static void finish_age(struct delivery_report *r)
{
	int64_t submitted_ns = exim_event_submitted_ns(r->id);

	if (submitted_ns && r->wall_ns)
		r->age_s = delivery_report_age((r->wall_ns - submitted_ns) / NS_PER_S);
}

int exim_event_parse(char *line, size_t length, uint32_t peer, struct delivery_report *record)
{
	struct delivery_report r = {
		.mta = FEED_EXIM, .relay_uid = peer, .age_s = REPORT_AGE_UNKNOWN};
	struct event e = {.event = "", .proto = "", .orig = "", .rcpt = "", .text = "", .host = ""};
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
	finish_host(&r, &e);
	finish_age(&r);
	exim_event_reply(&r, e.text);
	finish_fault(&r, &e);
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

/* Behind a quoted string, in which a backslash quotes one byte. */
static const char *behind_quotes(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (at[0] == '\\' && at[1])
			at++;
	return at;
}

/* Behind the address of the command that was answered, which may contain anything between quotes:
 * "SMTP error from remote mail server after RCPT TO:<"x: 250 y"@b>: 550 no". */
static const char *behind_address(const char *text)
{
	static const char after[] = "after ";
	const char *command = strstr(text, after);
	const char *end;

	if (!command)
		return text;
	command += sizeof(after) - 1;
	command += strncmp(command, "pipelined ", 10) ? 0 : 10;
	if (strncmp(command, "MAIL FROM:<", 11) && strncmp(command, "RCPT TO:<", 9))
		return text;
	end = strchr(command, '<') + 1;
	if (*end == '"')
		end = behind_quotes(end);
	end = strchr(end, '>');
	return end ? end : text;
}

/* Finds the reply in Exim's text: at its beginning, or behind ": ". NULL: there is none. */
static const char *find_code(const char *text)
{
	const char *at = text;

	if (delivery_report_is_code(text, strlen(text)))
		return text;
	at = behind_address(text);
	while ((at = strstr(at, ": "))) {
		at += 2;
		if (delivery_report_is_code(at, strlen(at)))
			return at;
	}
	return NULL;
}

/* Behind the last reply of a message that it gives up after days. */
static size_t length_without_end(const char *text)
{
	static const char end[] = ": retry timeout exceeded";
	size_t length = strlen(text), size = sizeof(end) - 1;

	return length > size && !strcmp(text + length - size, end) ? length - size : length;
}

/* Exim hands over a reply as it logs it: with a backslash and an n between its lines. */
static size_t unescape(char *to, size_t room, const char *text, size_t length)
{
	size_t size = 0;

	for (size_t i = 0; i < length && size < room; i++) {
		char c = text[i];

		if (c == '\\' && i + 1 < length && strchr("nrt\\", text[i + 1]))
			c = text[++i] == '\\' ? '\\' : ' ';
		to[size++] = c;
	}
	return size;
}

void exim_event_reply(struct delivery_report *record, const char *text)
{
	const char *code = find_code(text);
	char reply[2048]; /* more than a report's text can hold of it */
	size_t size;

	if (!code) {
		delivery_report_text(record, text, length_without_end(text));
		return;
	}
	size = unescape(reply, sizeof(reply), code, length_without_end(code));
	delivery_report_reply(record, reply, size);
}
