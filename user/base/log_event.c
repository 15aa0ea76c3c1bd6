// SPDX-License-Identifier: GPL-2.0-only
/*
 * log_event.c - events of accounts, sent to the journal by its own protocol.
 */
#include "log_event.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The place in the source would be this file for every event. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "clock_text.h"
#include "log.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELDS_MAX     10
#define FIELD_SIZE     1280 /* "NAME=" and an account's name, every byte of it escaped */

struct fields {
	char text[FIELDS_MAX][FIELD_SIZE];
	char message[sizeof("MESSAGE=") + LOG_TEXT_SIZE];
	struct iovec vector[FIELDS_MAX + 1];
	int count;
};

const char *log_event_id(enum log_event_kind kind)
{
#define ID_OF(name, id) [LOG_EVENT_##name] = id,
	static const char *const ids[] = {LOG_EVENTS(ID_OF)};
#undef ID_OF

	return ids[kind];
}

static void add(struct fields *f, const char *name, const char *value)
{
	char *text = f->text[f->count];
	int length;

	if (!value || !value[0])
		return;
	length = snprintf(text, FIELD_SIZE, "%s=", name);
	log_printable(value, strlen(value), text + length, FIELD_SIZE - length);
	f->vector[f->count++] = (struct iovec){text, strlen(text)};
}

static void add_number(struct fields *f, const char *name, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	add(f, name, text);
}

static void add_facts(struct fields *f, const struct log_facts *facts)
{
	char until[CLOCK_TEXT_SIZE];

	add(f, "SMTPLIMIT_ACCOUNT", facts->account);
	add(f, "SMTPLIMIT_DOMAIN", facts->domain);
	add(f, "SMTPLIMIT_LOGIN", facts->login);
	if (facts->has_figures) {
		add_number(f, "SMTPLIMIT_BAD", facts->bad);
		add_number(f, "SMTPLIMIT_PERCENT", facts->percent);
	}
	if (facts->until_wall_s)
		add(f, "SMTPLIMIT_UNTIL", clock_text_iso(facts->until_wall_s, until));
}

static int send_event(enum log_event_kind kind, const struct log_facts *facts, const char *text)
{
	static const char name[] = "MESSAGE=";
	struct fields f = {.count = 0};

	add(&f, "MESSAGE_ID", log_event_id(kind));
	add_number(&f, "PRIORITY", LOG_LEVEL_NOTICE);
	add(&f, "SYSLOG_IDENTIFIER", "smtplimit");
	add_facts(&f, facts);
	memcpy(f.message, name, sizeof(name));
	log_printable(text, LOG_TEXT_SIZE, f.message + sizeof(name) - 1, LOG_TEXT_SIZE);
	f.vector[f.count++] = (struct iovec){f.message, strlen(f.message)};
	return sd_journal_sendv(f.vector, f.count);
}

void log_event(enum log_event_kind kind, const struct log_facts *facts, const char *format, ...)
{
	char text[LOG_TEXT_SIZE];
	int saved = errno;
	va_list args;

	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		snprintf(text, sizeof(text), "(a message that could not be formatted)");
	va_end(args);
	/* Without its socket sd_journal_sendv() says that all went well. */
	if (!log_is_journal() || access(JOURNAL_SOCKET, W_OK) || send_event(kind, facts, text))
		log_line(LOG_LEVEL_NOTICE, "%s", text);
	errno = saved;
}
