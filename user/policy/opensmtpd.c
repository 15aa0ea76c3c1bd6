/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * opensmtpd.c - reads the lines of the server, and keeps its sessions.
 */
#include "opensmtpd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "policy_word.h"
#include "base/hash.h"

#define BUCKETS 4096

struct opensmtpd {
	struct opensmtpd_session *bucket[BUCKETS];
	size_t count;
};

/* A line of fields, which are taken from the left. */
struct fields {
	char *rest; /* NULL: none is left */
};

static char *next_field(struct fields *f)
{
	char *field = f->rest;

	f->rest = field ? strchr(field, '|') : NULL;
	if (f->rest)
		*f->rest++ = '\0';
	return field;
}

/* The rest of the line, as one field. */
static char *last_field(struct fields *f)
{
	char *field = f->rest;

	f->rest = NULL;
	return field;
}

/* 16 hex digits. */
static bool read_id(const char *text, uint64_t *id)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; text && i < 16; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit)
			return false;
		n = n << 4 | (uint64_t)(digit - digits);
	}
	*id = n;
	return text && text[16] == '\0';
}

/* Before 0.7 the name came first, and only then is it the last field that may hold a '|'. */
static bool is_before_0_7(const char *version)
{
	return strncmp(version, "0.", 2) == 0 && version[2] < '7' && version[3] == '\0';
}

struct opensmtpd *opensmtpd_new(void)
{
	return calloc(1, sizeof(struct opensmtpd));
}

void opensmtpd_free(struct opensmtpd *filter)
{
	for (size_t i = 0; filter && i < BUCKETS; i++)
		while (filter->bucket[i]) {
			struct opensmtpd_session *s = filter->bucket[i];

			filter->bucket[i] = s->next;
			free(s);
		}
	free(filter);
}

/* The link to the session, or where it would be. */
static struct opensmtpd_session **find(struct opensmtpd *filter, uint64_t id)
{
	struct opensmtpd_session **at = &filter->bucket[hash_word(id) % BUCKETS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* Reads ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH; any other source is not known. */
static void take_source(struct opensmtpd_session *s, char *source)
{
	char *port = strrchr(source, ':');
	size_t length;
	uint64_t number;

	if (strncmp(source, "unix:", 5) == 0) {
		snprintf(s->socket, sizeof(s->socket), "%s", source + 5);
		return;
	}
	if (!port)
		return;
	*port++ = '\0';
	length = strlen(source);
	if (source[0] == '[' && source[length - 1] == ']') {
		source[length - 1] = '\0';
		source++;
	}
	if (policy_word_ip(s->submission.client, source) &&
	    !policy_word_number(port, 65535, &number)) {
		s->submission.known |= SUBMISSION_HAS_CLIENT;
		s->submission.client_port = (uint32_t)number;
	}
}

static void connected(struct opensmtpd *filter, uint64_t id, char *source)
{
	struct opensmtpd_session **at = find(filter, id);
	struct opensmtpd_session *next = *at ? (*at)->next : NULL;

	if (!*at) {
		if (filter->count == OPENSMTPD_SESSIONS_MAX)
			return;
		*at = malloc(sizeof(**at));
		if (!*at)
			return;
		filter->count++;
	}
	**at = (struct opensmtpd_session){.id = id, .next = next};
	take_source(*at, source);
}

static void disconnected(struct opensmtpd *filter, uint64_t id)
{
	struct opensmtpd_session **at = find(filter, id);
	struct opensmtpd_session *gone = *at;

	if (!gone)
		return;
	*at = gone->next;
	free(gone);
	filter->count--;
}

static void authenticated(struct opensmtpd *filter, uint64_t id, const char *version,
			  struct fields *f)
{
	struct opensmtpd_session *s = *find(filter, id);
	char *user, *result;

	if (is_before_0_7(version)) {
		user = last_field(f);
		result = user ? strrchr(user, '|') : NULL;
		if (result)
			*result++ = '\0';
	} else {
		result = next_field(f);
		user = last_field(f);
	}
	if (s && user && result && strcmp(result, "pass") == 0)
		policy_word_address(s->submission.auth, user);
}

static void report(struct opensmtpd *filter, const char *version, const char *event, uint64_t id,
		   struct fields *f)
{
	if (strcmp(event, "link-connect") == 0) {
		next_field(f); /* the name of the client's address */
		next_field(f); /* whether that name has the address */
		connected(filter, id, f->rest ? next_field(f) : (char[]){""});
	} else if (strcmp(event, "link-disconnect") == 0) {
		disconnected(filter, id);
	} else if (strcmp(event, "link-auth") == 0) {
		authenticated(filter, id, version, f);
	}
}

enum opensmtpd_step opensmtpd_line(struct opensmtpd *filter, char *line,
				   struct opensmtpd_question *question)
{
	struct fields f = {line};
	const char *kind = next_field(&f);
	const char *version = next_field(&f);
	const char *time = next_field(&f);
	const char *side = next_field(&f);
	const char *event = next_field(&f);
	struct opensmtpd_session *s;
	uint64_t id;

	if (version && strcmp(kind, "config") == 0)
		return strcmp(version, "ready") ? OPENSMTPD_NOTHING : OPENSMTPD_REGISTER;
	if (!time || !event || strcmp(side, "smtp-in") || !read_id(next_field(&f), &id))
		return OPENSMTPD_NOTHING;
	if (strcmp(kind, "report") == 0)
		report(filter, version, event, id, &f);
	if (strcmp(kind, "filter") || !read_id(next_field(&f), &question->token))
		return OPENSMTPD_NOTHING;
	question->id = id;
	question->session = s = *find(filter, id);
	if (!s || !f.rest || strcmp(event, "mail-from"))
		return OPENSMTPD_PROCEED;
	policy_word_sender(s->submission.sender, last_field(&f));
	s->submission.rcpts = 1; /* the message, whose recipients are not known yet */
	return OPENSMTPD_ASK;
}

const char *opensmtpd_register(void)
{
	return "register|report|smtp-in|link-connect\n"
	       "register|report|smtp-in|link-auth\n"
	       "register|report|smtp-in|link-disconnect\n"
	       "register|filter|smtp-in|mail-from\n"
	       "register|ready\n";
}

size_t opensmtpd_reply(const struct opensmtpd_question *question, const char *refusal,
		       char reply[OPENSMTPD_REPLY_SIZE])
{
	int n = snprintf(reply, OPENSMTPD_REPLY_SIZE,
			 "filter-result|%016" PRIx64 "|%016" PRIx64 "|", question->id,
			 question->token);

	n += snprintf(reply + n, (size_t)(OPENSMTPD_REPLY_SIZE - n), "%s%.*s\n",
		      refusal ? "reject|" : "proceed", OPENSMTPD_REPLY_SIZE / 2,
		      refusal ? refusal : "");
	return (size_t)n;
}

size_t opensmtpd_sessions(const struct opensmtpd *filter)
{
	return filter->count;
}

bool opensmtpd_has_inode(const struct opensmtpd *filter, uint32_t inode)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct opensmtpd_session *s = filter->bucket[i]; s; s = s->next)
			if (s->inode == inode)
				return true;
	return false;
}
