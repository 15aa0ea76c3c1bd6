/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state_db.h - what the state_*.c files share: the connection, its prepared statements, and the
 * reading and writing of rows. Nobody else includes this.
 */
#ifndef SMTPL_STATE_DB_H
#define SMTPL_STATE_DB_H

#include <sqlite3.h>
#include "state.h"

enum state_statement {
	STATE_SQL_BEGIN,
	STATE_SQL_BEGIN_READ,
	STATE_SQL_COMMIT,
	STATE_SQL_PUT_WINDOW,
	STATE_SQL_DELETE_WINDOW,
	STATE_SQL_EACH_WINDOW,
	STATE_SQL_PUT_COUNT,
	STATE_SQL_DELETE_COUNT,
	STATE_SQL_EACH_COUNT,
	STATE_SQL_PUT_SUSPENSION,
	STATE_SQL_DELETE_SUSPENSION,
	STATE_SQL_EACH_SUSPENSION,
	STATE_SQL_PUT_OWNER,
	STATE_SQL_DELETE_OWNER,
	STATE_SQL_EACH_OWNER,
	STATE_SQL_ADD_RELAY_COUNTS,
	STATE_SQL_TRIM_RELAY_COUNTS,
	STATE_SQL_EACH_RELAY_COUNT,
	STATE_SQL_EACH_SENT,
	STATE_SQL_PUT_SUPERSEDED,
	STATE_SQL_DELETE_SUPERSEDED,
	STATE_SQL_EACH_SUPERSEDED,
	STATE_SQL_PUT_FEED,
	STATE_SQL_EACH_FEED,
	STATE_SQL_PUT_POSITION,
	STATE_SQL_GET_POSITION,
	STATE_SQL_REPLACE_HISTORY,
	STATE_SQL_ADD_HISTORY,
	STATE_SQL_END_HISTORY,
	STATE_SQL_TRIM_HISTORY_ACCOUNT,
	STATE_SQL_TRIM_HISTORY,
	STATE_SQL_EACH_HISTORY,
	STATE_SQL_PUT_REMOTE,
	STATE_SQL_TRIM_REMOTES,
	STATE_SQL_EACH_REMOTE,
	STATE_SQL_PUT_FAULT,
	STATE_SQL_EACH_FAULT,
	STATE_STATEMENTS,
};

struct state {
	sqlite3 *db;
	sqlite3_stmt *statement[STATE_STATEMENTS];
	bool write;
	bool in_transaction;
	bool durable; /* the open transaction must be on the disk when commit returns */
	bool clock_set;
	int failed; /* first failure in the open transaction */
	uint64_t skipped;
	uint64_t relay_count_puts;
	uint64_t history_puts;
	struct state_clock clock;
	char error[1024];
};

/* The -errno for a result code of SQLite, with the text "doing: why" for state_error(). */
int state_fail(struct state *state, int rc, const char *doing);
int state_errorf(struct state *state, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Syncs what was committed to the disk. */
int state_sync(struct state *state);

/* Bind the columns of one row in their order, then run it. The first failure is kept. */
struct state_row {
	struct state *state;
	sqlite3_stmt *statement;
	int column;
	int rc;
};
int state_row(struct state *state, enum state_statement which, struct state_row *row);
void state_row_int(struct state_row *row, int64_t value);
void state_row_text(struct state_row *row, const char *text, size_t size); /* ends at a NUL */
void state_row_blob(struct state_row *row, const void *bytes, size_t size);
void state_row_account(struct state_row *row, const struct account_id *account);
int state_row_write(struct state_row *row, bool durable);

/* Columns are read in their order by the get calls, from `column` on; false: the row is not valid.
 * */
int state_row_next(struct state_row *row); /* 1: a row, 0: no more, or -errno */
void state_row_end(struct state_row *row);
int64_t state_get_int(struct state_row *row);
bool state_get_u32(struct state_row *row, uint32_t *value);
bool state_get_text(struct state_row *row, char *text, size_t size); /* NUL padded */
bool state_get_account(struct state_row *row, struct account_id *account);

/* The three columns boot, wall_ns, boot_ns: stamped with the time of writing; read as a shift that
 * moves the row's times into this boot. */
int state_clock_now(struct state *state, struct state_clock *clock);
void state_row_stamp(struct state_row *row, const struct state_clock *now);
bool state_get_shift(struct state_row *row, const struct state_clock *now, int64_t *shift_ns);
/* Moves a boot time into this boot; 0 where it is before that. False: not a time. */
bool state_move_time(int64_t ns, int64_t shift_ns, __u64 *moved_ns);
/* Whole seconds, rounded down: a mail is never moved behind now. */
int64_t state_seconds(int64_t ns);

/* A database that only an earlier version has opened for writing lacks some tables. */
bool state_has_table(struct state *state, const char *name);

/* state_history.c: what a put and a delete of a suspension add to the history. end: before the row
 * of the suspension is deleted. */
int state_history_begin(struct state *state, const struct state_suspension *s);
int state_history_end(struct state *state, const struct account_id *account);

/* state_window.c: a window as bytes. Times are as they are in the window; malloc'ed. */
int state_window_pack(const struct window *window, unsigned char **bytes, size_t *size);
/* -EBADMSG: pack does not write this; -ENOMEM. The window is then empty. */
int state_window_unpack(const unsigned char *bytes, size_t size, int64_t shift_s,
			struct window *window);

#endif
