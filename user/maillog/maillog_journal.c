/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_journal.c - Postfix's messages out of the journal. Everybody may write into it under any
 * identifier, but _UID is the kernel's word: messages of root and of the user postfix count, as
 * master(8) and its daemons are; postdrop(1) and sendmail(1), which customers run, are not among
 * them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <systemd/sd-journal.h>
#include "base/clock.h"
#include "maillog_child.h"
#include "maillog_event.h"

#define HISTORY_ENTRIES	 200000 /* about what HISTORY_BYTES of a file hold */
#define MISSING_MS	 1000
#define WAIT_US		 200000
#define NS_PER_US	 1000ll
#define POSITION_ENTRIES 10000	/* the position is sent at least each */
#define NO_CURSOR	 "none" /* the journal was empty: the time alone counts */

static int match_uid(sd_journal *j, uint32_t uid)
{
	char match[32];

	snprintf(match, sizeof(match), "_UID=%u", uid);
	return sd_journal_add_match(j, match, 0);
}

static void close_journal(sd_journal **j)
{
	sd_journal_close(*j);
}

/* NULL: there is none, or it is empty. */
static sd_journal *open_journal(const struct maillog_start *start)
{
	sd_journal *j = NULL;
	uint64_t bytes = 0;
	int r;

	if (start->directory[0])
		r = sd_journal_open_directory(&j, start->directory, 0);
	else
		r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
	if (r < 0)
		return NULL;
	if (sd_journal_get_usage(j, &bytes) < 0 || bytes == 0 || match_uid(j, 0) < 0 ||
	    match_uid(j, start->postfix_uid) < 0) {
		sd_journal_close(j);
		return NULL;
	}
	return j;
}

/* The value of a field of the current entry. */
static bool field(sd_journal *j, const char *name, struct maillog_span *value)
{
	size_t skip = strlen(name) + 1;
	const void *data;
	size_t size;

	if (sd_journal_get_data(j, name, &data, &size) < 0 || size < skip)
		return false;
	*value = (struct maillog_span){(const char *)data + skip, size - skip};
	return true;
}

static void note_position(struct maillog_child *c, sd_journal *j)
{
	char *cursor;

	if (!c->reporting || c->reported_until_ns != INT64_MIN ||
	    sd_journal_get_cursor(j, &cursor) < 0)
		return;
	if (strlen(cursor) < sizeof(c->position.cursor)) {
		memset(c->position.cursor, 0, sizeof(c->position.cursor));
		memcpy(c->position.cursor, cursor, strlen(cursor));
		c->position.kind = MAILLOG_IN_JOURNAL;
	}
	free(cursor);
}

/* A field of the current entry, copied to `to`, since the next one may take its place in memory. */
static bool copy_field(sd_journal *j, const char *name, char *to, size_t size,
		       struct maillog_span *value)
{
	if (!field(j, name, value) || value->size > size)
		return false;
	memcpy(to, value->at, value->size);
	value->at = to;
	return true;
}

/* The current entry. What is not Postfix's moves no position: it costs a cursor. */
static void take_entry(struct maillog_child *c, sd_journal *j)
{
	struct maillog_line line = {.pid = {"", 0}};
	char ident[128], pid[16];
	uint64_t usec;

	if (!copy_field(j, "SYSLOG_IDENTIFIER", ident, sizeof(ident), &line.ident) ||
	    !maillog_is_postfix(line.ident) || sd_journal_get_realtime_usec(j, &usec) < 0)
		return;
	line.wall_ns = (int64_t)usec * NS_PER_US;
	if (c->reporting && line.wall_ns > c->reported_until_ns)
		c->reported_until_ns = INT64_MIN;
	note_position(c, j);
	if (!copy_field(j, "_PID", pid, sizeof(pid), &line.pid))
		line.pid.size = 0;
	if (field(j, "MESSAGE", &line.text))
		maillog_child_take(c, &line);
}

/* Seek the entry that was reported last. False: it is not there. */
static bool seek_reported(sd_journal *j, const struct maillog_position *at)
{
	return sd_journal_seek_cursor(j, at->cursor) >= 0 && sd_journal_next(j) > 0 &&
	       sd_journal_test_cursor(j, at->cursor) > 0;
}

/* What is older than the current entry, and that one, for the messages in the queue. */
static void read_back(struct maillog_child *c, sd_journal *j)
{
	int back = sd_journal_previous_skip(j, HISTORY_ENTRIES);

	c->reporting = false;
	maillog_begin(c->log, false);
	for (; back >= 0 && !c->gone; back--) {
		take_entry(c, j);
		if (back > 0 && sd_journal_next(j) <= 0)
			break;
	}
	c->reporting = true;
}

/* Seek the place before the first entry to be reported, with the history read. */
static void find_place(struct maillog_child *c, sd_journal *j, const struct maillog_position *from)
{
	if (from->kind == MAILLOG_IN_JOURNAL && seek_reported(j, from)) {
		read_back(c, j);
		c->position = *from;
		return;
	}
	if (from->kind == MAILLOG_IN_JOURNAL) {
		c->position = *from;
		c->reported_until_ns = from->wall_ns;
		c->reporting = true;
		sd_journal_seek_realtime_usec(j, from->wall_ns / NS_PER_US);
		if (strcmp(from->cursor, NO_CURSOR) != 0)
			maillog_child_lost(c, 1);
		return;
	}
	sd_journal_seek_tail(j);
	if (sd_journal_previous(j) > 0) {
		read_back(c, j);
		c->position.wall_ns = time(NULL) * NS_PER_S;
		note_position(c, j);
		return;
	}
	c->reporting = true;
	c->position.kind = MAILLOG_IN_JOURNAL;
	c->position.wall_ns = (time(NULL) - 1) * NS_PER_S;
	memcpy(c->position.cursor, NO_CURSOR, sizeof(NO_CURSOR));
	sd_journal_seek_head(j);
}

/* Until the journal cannot be read any more. */
static void follow(struct maillog_child *c, sd_journal *j)
{
	unsigned int untold = 0;
	int r;

	while (!c->gone && (r = sd_journal_next(j)) >= 0) {
		if (r > 0) {
			take_entry(c, j);
			if (++untold % POSITION_ENTRIES == 0)
				maillog_child_put_position(c);
			continue;
		}
		maillog_child_alive(c);
		maillog_child_wait(c, 0);
		if (!c->gone && sd_journal_wait(j, WAIT_US) < 0)
			return;
	}
}

void maillog_journal_run(struct maillog_child *c)
{
	struct maillog_position from = c->start->from;

	while (!c->gone) {
		__attribute__((cleanup(close_journal))) sd_journal *j = open_journal(c->start);

		if (!j) {
			maillog_child_lost(c, 0);
			maillog_child_wait(c, MISSING_MS);
			continue;
		}
		find_place(c, j, &from);
		maillog_child_put_position(c);
		follow(c, j);
		from = c->position;
	}
}
