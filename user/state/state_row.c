// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_row.c - one row of the state database: its columns to and from C types, with times moved
 * into this boot.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "core/pipeline.h"
#include "state_db.h"

#define STAMP "boot, wall_ns, boot_ns"
#define KEY   "kind, uid, domain"

/* Also the order in which a row of the history is written and read. */
#define HISTORY                                                                                    \
	KEY ", own_domain, since_s, until_s, ended_s, how, bad, min, percent, by_hand, observed,"  \
	    " reason"
#define OF_ACCOUNT "(" KEY ") = (?1, ?2, ?3)"

#define FAULT  "fault, attempts, text, first_s, last_s"
#define REMOTE "kind, remote, accounts, tried, text, first_s, last_s"

#define NAME_OF(name, text) ", " #name
#define MARK_OF(name, text) ", ?"
#define FEED_COLUMNS                                                                               \
	"uid, " STAMP ", mta, running, told_ns, changed_ns" PIPELINE_FEED_STATS(NAME_OF)

static const char *const statement_sql[] = {
	[STATE_SQL_BEGIN] = "BEGIN IMMEDIATE",
	[STATE_SQL_BEGIN_READ] = "BEGIN",
	[STATE_SQL_COMMIT] = "COMMIT",
	[STATE_SQL_PUT_WINDOW] = "INSERT OR REPLACE INTO windows (" KEY ", own_domain, " STAMP
				 ", data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	[STATE_SQL_DELETE_WINDOW] = "DELETE FROM windows WHERE (" KEY ") = (?, ?, ?)",
	[STATE_SQL_EACH_WINDOW] = "SELECT " KEY ", own_domain, " STAMP ", data FROM windows",
	[STATE_SQL_PUT_COUNT] = "INSERT OR REPLACE INTO counts (uid, domain, " STAMP
				", connections, delivered, deferred, failed, unknown, opaque,"
				" refused, last_ns, domains, accounted_delivered,"
				" accounted_deferred, accounted_failed, accounted_unknown) VALUES"
				" (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[STATE_SQL_DELETE_COUNT] = "DELETE FROM counts WHERE (uid, domain) = (?, ?)",
	[STATE_SQL_EACH_COUNT] = "SELECT uid, domain, " STAMP
				 ", connections, delivered, deferred, failed, unknown, opaque,"
				 " refused, last_ns, domains, accounted_delivered,"
				 " accounted_deferred, accounted_failed, accounted_unknown"
				 " FROM counts",
	/* A start of 0 is before this boot: the row's own start is kept, moved to the new stamp. */
	[STATE_SQL_PUT_SUSPENSION] =
		"INSERT INTO suspensions (" KEY ", " STAMP
		", since_ns, until_ns, bad, min, percent,"
		" by_hand, own_domain, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
		" ON CONFLICT (" KEY ") DO UPDATE SET since_ns = CASE WHEN excluded.since_ns != 0"
		" THEN excluded.since_ns WHEN boot = excluded.boot THEN since_ns ELSE since_ns +"
		" (wall_ns - boot_ns) - (excluded.wall_ns - excluded.boot_ns) END,"
		" boot = excluded.boot, wall_ns = excluded.wall_ns, boot_ns = excluded.boot_ns,"
		" until_ns = excluded.until_ns, bad = excluded.bad, min = excluded.min,"
		" percent = excluded.percent, by_hand = excluded.by_hand,"
		" own_domain = excluded.own_domain, reason = excluded.reason",
	[STATE_SQL_DELETE_SUSPENSION] = "DELETE FROM suspensions WHERE (" KEY ") = (?, ?, ?)",
	[STATE_SQL_EACH_SUSPENSION] = "SELECT " KEY ", " STAMP ", since_ns, until_ns, bad, min,"
				      " percent, by_hand, own_domain, reason FROM suspensions",
	[STATE_SQL_PUT_OWNER] = ("INSERT INTO owners (domain, uid) VALUES (?, ?)"
				 " ON CONFLICT (domain) DO UPDATE SET uid = excluded.uid"
				 " WHERE uid IS NOT excluded.uid"),
	[STATE_SQL_DELETE_OWNER] = "DELETE FROM owners WHERE domain = ?",
	[STATE_SQL_EACH_OWNER] = "SELECT domain, uid FROM owners",
	[STATE_SQL_ADD_RELAY_COUNTS] =
		"INSERT INTO told (" KEY
		", sender_domain, wall_ns, delivered, deferred, failed, unknown,"
		" refused, bypass) VALUES (?1, ?2, ?3, CASE WHEN EXISTS (SELECT 1 FROM told WHERE (" KEY
		", sender_domain) = (?1, ?2, ?3, ?4)) OR (SELECT count(*) FROM told WHERE (" KEY
		") = (?1, ?2, ?3)) < ?5 THEN ?4 ELSE '' END, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
		" ON CONFLICT DO UPDATE SET wall_ns = excluded.wall_ns,"
		" delivered = delivered + excluded.delivered, deferred = deferred + excluded.deferred,"
		" failed = failed + excluded.failed, unknown = unknown + excluded.unknown,"
		" refused = refused + excluded.refused, bypass = bypass + excluded.bypass",
	[STATE_SQL_TRIM_RELAY_COUNTS] =
		"DELETE FROM told WHERE (SELECT count(*) FROM told) > ?1 AND wall_ns <"
		" (SELECT wall_ns FROM told ORDER BY wall_ns DESC LIMIT 1 OFFSET ?2 - 1)",
	[STATE_SQL_EACH_RELAY_COUNT] =
		"SELECT " KEY ", sender_domain, delivered, deferred, failed, unknown,"
		" refused, bypass FROM told",
	[STATE_SQL_EACH_SENT] = "SELECT uid, domain FROM counts WHERE domain <> '' AND wall_ns >= ?"
				" UNION SELECT uid, sender_domain FROM told"
				" WHERE kind = ? AND sender_domain <> '' AND wall_ns >= ?",
	[STATE_SQL_PUT_SUPERSEDED] =
		"INSERT OR REPLACE INTO aside (uid, domain, delivered, deferred,"
		" failed, unknown) VALUES (?, ?, ?, ?, ?, ?)",
	[STATE_SQL_DELETE_SUPERSEDED] = "DELETE FROM aside WHERE (uid, domain) = (?, ?)",
	[STATE_SQL_EACH_SUPERSEDED] =
		"SELECT uid, domain, delivered, deferred, failed, unknown FROM aside",
	[STATE_SQL_PUT_FEED] = "INSERT OR REPLACE INTO feeds (" FEED_COLUMNS
			       ") VALUES (?, ?, ?, ?, ?, ?, ?, ?" PIPELINE_FEED_STATS(MARK_OF) ")",
	[STATE_SQL_EACH_FEED] = "SELECT " FEED_COLUMNS " FROM feeds",
	[STATE_SQL_PUT_POSITION] =
		"INSERT OR REPLACE INTO positions (source, position) VALUES (?, ?)",
	[STATE_SQL_GET_POSITION] = "SELECT position FROM positions WHERE source = ?",
	/* An end is never before the start, also where the clock was set back. */
	[STATE_SQL_REPLACE_HISTORY] =
		"UPDATE history SET ended_s = max(since_s, ?5), how = ?6 WHERE " OF_ACCOUNT
		" AND observed = ?4 AND ended_s > ?5",
	[STATE_SQL_ADD_HISTORY] = "INSERT INTO history (" HISTORY
				  ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	/* The clock may have been set back: by boot time the suspension can be over all the same.
	 */
	[STATE_SQL_END_HISTORY] =
		"UPDATE history SET ended_s = max(since_s, ?4), how = CASE WHEN EXISTS"
		" (SELECT 1 FROM suspensions WHERE " OF_ACCOUNT " AND boot = ?5 AND until_ns <= ?6)"
		" THEN ?7 ELSE ?8 END WHERE " OF_ACCOUNT " AND observed = 0 AND ended_s > ?4",
	[STATE_SQL_TRIM_HISTORY_ACCOUNT] = "DELETE FROM history WHERE " OF_ACCOUNT
					   " AND id <= (SELECT id FROM history WHERE " OF_ACCOUNT
					   " ORDER BY id DESC LIMIT 1 OFFSET ?4)",
	[STATE_SQL_TRIM_HISTORY] = "DELETE FROM history WHERE since_s < ?1 OR id <="
				   " (SELECT id FROM history ORDER BY id DESC LIMIT 1 OFFSET ?2)",
	[STATE_SQL_EACH_HISTORY] = "SELECT " HISTORY " FROM history WHERE (?1 = 0 OR " OF_ACCOUNT
				   ") AND since_s >= max(?4, ?5) ORDER BY since_s DESC, id DESC",
	[STATE_SQL_PUT_REMOTE] =
		"INSERT INTO remotes (" REMOTE ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)"
		" ON CONFLICT DO UPDATE SET first_s = CASE WHEN excluded.last_s - last_s"
		" BETWEEN 0 AND ?7 THEN first_s ELSE excluded.first_s END,"
		" accounts = excluded.accounts, tried = excluded.tried, text = excluded.text,"
		" last_s = excluded.last_s",
	[STATE_SQL_TRIM_REMOTES] =
		"DELETE FROM remotes WHERE last_s NOT BETWEEN ?1 AND ?2 OR (kind, remote) IN"
		" (SELECT kind, remote FROM remotes ORDER BY last_s DESC LIMIT -1 OFFSET ?3)",
	[STATE_SQL_EACH_REMOTE] = "SELECT " REMOTE " FROM remotes WHERE last_s BETWEEN ?1 AND ?2"
				  " ORDER BY last_s DESC, kind DESC, remote",
	[STATE_SQL_PUT_FAULT] =
		"INSERT INTO faults (" FAULT ") VALUES (?1, ?2, ?3, ?4, ?4)"
		" ON CONFLICT DO UPDATE SET attempts = CASE WHEN excluded.last_s - last_s"
		" BETWEEN 0 AND ?5 THEN attempts ELSE 0 END + excluded.attempts,"
		" first_s = CASE WHEN excluded.last_s - last_s"
		" BETWEEN 0 AND ?5 THEN first_s ELSE excluded.first_s END,"
		" text = excluded.text, last_s = excluded.last_s",
	[STATE_SQL_EACH_FAULT] = "SELECT " FAULT " FROM faults WHERE last_s BETWEEN ?1 AND ?2"
				 " ORDER BY last_s DESC, fault",
};
_Static_assert(sizeof(statement_sql) / sizeof(*statement_sql) == STATE_STATEMENTS,
	       "a statement without its SQL");

int state_row(struct state *state, enum state_statement which, struct state_row *row)
{
	sqlite3_stmt **kept = &state->statement[which];
	int rc;

	if (!*kept) {
		rc = sqlite3_prepare_v3(state->db, statement_sql[which], -1,
					SQLITE_PREPARE_PERSISTENT, kept, NULL);
		if (rc != SQLITE_OK)
			return state_fail(state, rc, "state database");
	}
	if (sqlite3_stmt_busy(*kept))
		return state_errorf(state, -EBUSY, "a callback of the same state call asked again");
	*row = (struct state_row){.state = state, .statement = *kept, .rc = SQLITE_OK};
	return 0;
}

static void bound(struct state_row *row, int rc)
{
	if (row->rc == SQLITE_OK)
		row->rc = rc;
}

void state_row_int(struct state_row *row, int64_t value)
{
	bound(row, sqlite3_bind_int64(row->statement, ++row->column, value));
}

void state_row_text(struct state_row *row, const char *text, size_t size)
{
	bound(row, sqlite3_bind_text(row->statement, ++row->column, text, strnlen(text, size),
				     SQLITE_STATIC));
}

void state_row_blob(struct state_row *row, const void *bytes, size_t size)
{
	bound(row, sqlite3_bind_blob64(row->statement, ++row->column, bytes, size, SQLITE_STATIC));
}

void state_row_account(struct state_row *row, const struct account_id *account)
{
	bool domain = account->kind == ACCOUNT_DOMAIN;

	state_row_int(row, account->kind);
	state_row_int(row, domain ? 0 : account->uid);
	state_row_text(row, domain ? account->domain : "", sizeof(account->domain));
}

void state_row_end(struct state_row *row)
{
	sqlite3_reset(row->statement);
	sqlite3_clear_bindings(row->statement);
}

/* Within a transaction the first failure is remembered and nothing more is tried: SQLite may have
 * rolled back, and what follows would then be committed one by one. */
int state_row_write(struct state_row *row, bool durable)
{
	struct state *state = row->state;
	int r = 0;

	if (!state->write)
		r = state_errorf(state, -EROFS, "the state database is open for reading only");
	else if (state->in_transaction && state->failed)
		r = state->failed;
	if (!r && row->rc == SQLITE_OK)
		row->rc = sqlite3_step(row->statement);
	if (!r && row->rc != SQLITE_DONE)
		r = state_fail(state, row->rc, "writing the state database");
	state_row_end(row);
	if (state->in_transaction) {
		state->failed = r;
		state->durable |= durable;
		return r;
	}
	return !r && durable ? state_sync(state) : r;
}

int state_row_next(struct state_row *row)
{
	int rc = row->rc == SQLITE_OK ? sqlite3_step(row->statement) : row->rc;

	row->column = 0;
	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : state_fail(row->state, rc, "reading the state database");
}

int64_t state_get_int(struct state_row *row)
{
	return sqlite3_column_int64(row->statement, row->column++);
}

bool state_get_u32(struct state_row *row, uint32_t *value)
{
	int64_t wide = state_get_int(row);

	*value = wide;
	return wide >= 0 && wide <= UINT32_MAX;
}

bool state_get_text(struct state_row *row, char *text, size_t size)
{
	const unsigned char *from = sqlite3_column_text(row->statement, row->column);
	size_t length = sqlite3_column_bytes(row->statement, row->column++);

	memset(text, 0, size);
	if (!from || length >= size || strnlen((const char *)from, length) != length)
		return false;
	memcpy(text, from, length);
	return true;
}

bool state_get_account(struct state_row *row, struct account_id *account)
{
	int64_t kind = state_get_int(row);
	bool uid = state_get_u32(row, &account->uid);
	bool domain = state_get_text(row, account->domain, sizeof(account->domain));

	account->kind = kind == ACCOUNT_DOMAIN ? ACCOUNT_DOMAIN : ACCOUNT_UID;
	if (!uid || !domain)
		return false;
	return kind == ACCOUNT_UID ? !account->domain[0] :
				     kind == ACCOUNT_DOMAIN && !account->uid && account->domain[0];
}

bool state_has_table(struct state *state, const char *name)
{
	return sqlite3_table_column_metadata(state->db, NULL, name, NULL, NULL, NULL, NULL, NULL,
					     NULL) == SQLITE_OK;
}

void state_clock_read(struct state_clock *clock)
{
	clock->boot_ns = clock_boot_ns();
	clock->wall_ns = clock_wall_ns();
}

static int read_boot_id(struct state *state)
{
	char *id = state->clock.boot_id;
	size_t length;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f)
		return state_errorf(state, -errno,
				    "cannot read /proc/sys/kernel/random/boot_id: %m");
	length = fread(id, 1, sizeof(state->clock.boot_id) - 1, f);
	fclose(f);
	id[length] = '\0';
	id[strcspn(id, "\n")] = '\0';
	return id[0] ? 0 : state_errorf(state, -EIO, "/proc/sys/kernel/random/boot_id is empty");
}

int state_clock_now(struct state *state, struct state_clock *clock)
{
	if (!state->clock_set) {
		int r = state->clock.boot_id[0] ? 0 : read_boot_id(state);

		if (r)
			return r;
		state_clock_read(&state->clock);
	}
	*clock = state->clock;
	return 0;
}

void state_row_stamp(struct state_row *row, const struct state_clock *now)
{
	state_row_text(row, now->boot_id, sizeof(now->boot_id));
	state_row_int(row, now->wall_ns);
	state_row_int(row, now->boot_ns);
}

/* After a reboot the wall clock says how much time passed since the row was written, but it is
 * never taken as negative: a host that comes up in 1970 must not make a suspension eternal. */
bool state_get_shift(struct state_row *row, const struct state_clock *now, int64_t *shift_ns)
{
	char boot[sizeof(now->boot_id)];
	bool text = state_get_text(row, boot, sizeof(boot));
	int64_t wall_ns = state_get_int(row), boot_ns = state_get_int(row);
	int64_t passed_ns;

	*shift_ns = 0;
	if (!text || wall_ns < 0 || boot_ns < 0)
		return false;
	if (!strcmp(boot, now->boot_id))
		return true;
	passed_ns = now->wall_ns > wall_ns ? now->wall_ns - wall_ns : 0;
	*shift_ns = now->boot_ns - boot_ns - passed_ns;
	return true;
}
