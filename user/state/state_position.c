// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_position.c - the position up to which the log of a mail server was read. It is written in
 * the transaction of the reports from there, so that a restart neither loses nor repeats any.
 */
#include <errno.h>
#include <string.h>
#include "state_db.h"
#include "state_position.h"

/* A database of an earlier version has no such table until the first put. */
static bool has_table(struct state *state)
{
	return sqlite3_table_column_metadata(state->db, NULL, "positions", NULL, NULL, NULL, NULL,
					     NULL, NULL) == SQLITE_OK;
}

static int make_table(struct state *state)
{
	int rc = sqlite3_exec(state->db,
			      "CREATE TABLE IF NOT EXISTS positions (source TEXT PRIMARY KEY,"
			      " position TEXT) WITHOUT ROWID",
			      NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : state_fail(state, rc, "making the table of positions");
}

int state_put_position(struct state *state, const char *source, const char *position)
{
	struct state_row row;
	int r = has_table(state) ? 0 : make_table(state);

	if (!r)
		r = state_row(state, STATE_SQL_PUT_POSITION, &row);
	if (r)
		return r;
	state_row_text(&row, source, strlen(source));
	state_row_text(&row, position, strlen(position));
	return state_row_write(&row, false);
}

int state_get_position(struct state *state, const char *source, char *position, size_t size)
{
	struct state_row row;
	int r = has_table(state) ? state_row(state, STATE_SQL_GET_POSITION, &row) : -ENOENT;

	if (r)
		return r;
	state_row_text(&row, source, strlen(source));
	r = state_row_next(&row);
	if (r > 0)
		r = state_get_text(&row, position, size) ? 0 : -EBADMSG;
	else if (r == 0)
		r = -ENOENT;
	state_row_end(&row);
	return r;
}
