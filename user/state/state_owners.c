// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_owners.c - the owners of domains in the state database: the last known ones, for commands
 * that show accounts, and for a start at which the sources cannot be read.
 */
#include <errno.h>
#include <string.h>
#include "state_db.h"
#include "state_owners.h"

/* A database of an earlier version has no such table until the first put. */
static bool has_table(struct state *state)
{
	return sqlite3_table_column_metadata(state->db, NULL, "owners", NULL, NULL, NULL, NULL,
					     NULL, NULL) == SQLITE_OK;
}

static int make_table(struct state *state)
{
	int rc;

	if (!state->write)
		return state_errorf(state, -EROFS, "the state database is open for reading only");
	rc = sqlite3_exec(state->db,
			  "CREATE TABLE IF NOT EXISTS owners (domain TEXT PRIMARY KEY, uid INTEGER)"
			  " WITHOUT ROWID",
			  NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : state_fail(state, rc, "making the table of owners");
}

static bool get_owner(struct state_row *row, char domain[SMTPL_DOMAIN_SIZE], uint32_t *uid)
{
	return state_get_text(row, domain, SMTPL_DOMAIN_SIZE) && domain[0] &&
	       state_get_u32(row, uid);
}

int state_each_owner(struct state *state, int (*each)(void *arg, const char *domain, uint32_t uid),
		     void *arg)
{
	char domain[SMTPL_DOMAIN_SIZE];
	struct state_row row;
	uint32_t uid;
	int r;

	if (!has_table(state))
		return 0;
	r = state_row(state, STATE_SQL_EACH_OWNER, &row);
	if (r)
		return r;
	while ((r = state_row_next(&row)) > 0) {
		if (!get_owner(&row, domain, &uid)) {
			state->skipped++;
			continue;
		}
		r = each(arg, domain, uid);
		if (r)
			break;
	}
	state_row_end(&row);
	return r;
}

/* By the text that the row has, valid or not. */
static int delete_owner(struct state *state, const char *domain)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_DELETE_OWNER, &row);

	if (r)
		return r;
	state_row_text(&row, domain, SIZE_MAX);
	return state_row_write(&row, false);
}

/* A row is deleted after it was read: SQLite allows that while the statement goes on. */
static int delete_others(struct state *state, const struct owners *owners)
{
	struct state_row row;
	int r = state_row(state, STATE_SQL_EACH_OWNER, &row);
	uint32_t uid;

	if (r)
		return r;
	while ((r = state_row_next(&row)) > 0) {
		const char *domain = (const char *)sqlite3_column_text(row.statement, 0);

		if (domain && !owners_find(owners, domain, &uid) &&
		    (r = delete_owner(state, domain)))
			break;
	}
	state_row_end(&row);
	return r;
}

/* Writes nothing where the row is the same. */
static int put_owner(void *arg, const char *domain, uint32_t uid)
{
	struct state *state = arg;
	struct state_row row;
	int r = state_row(state, STATE_SQL_PUT_OWNER, &row);

	if (r)
		return r;
	state_row_text(&row, domain, SMTPL_DOMAIN_SIZE);
	state_row_int(&row, uid);
	return state_row_write(&row, false);
}

int state_put_owners(struct state *state, const struct owners *owners)
{
	int r = state_begin(state);

	if (r)
		return r;
	r = make_table(state);
	if (!r)
		r = delete_others(state, owners);
	if (!r)
		r = owners_each(owners, put_owner, state);
	if (!r)
		return state_commit(state);
	state_rollback(state);
	return r;
}

static int add_row(void *arg, const char *domain, uint32_t uid)
{
	int err = owners_add(arg, domain, uid);

	return err == -EEXIST ? 0 : err;
}

int state_get_owners(struct state *state, struct owners *owners)
{
	return state_each_owner(state, add_row, owners);
}
