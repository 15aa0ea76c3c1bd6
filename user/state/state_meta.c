// SPDX-License-Identifier: GPL-2.0-only
/*
 * state_meta.c - which maps the state database belongs to. Read and written once at each start, so
 * the statements are not kept prepared.
 */
#include <errno.h>
#include "state_db.h"
#include "state_meta.h"

int state_get_generation(struct state *state, uint64_t *generation)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(state->db, "SELECT generation FROM maps", -1, &statement, NULL);

	*generation = 0;
	if (rc != SQLITE_OK)
		return state_fail(state, rc, "reading the generation of the maps");
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*generation = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ?
		       0 :
		       state_fail(state, rc, "reading the generation");
}

int state_put_generation(struct state *state, uint64_t generation)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(state->db, "REPLACE INTO maps (id, generation) VALUES (1, ?)",
				    -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return state_fail(state, rc, "noting the generation of the maps");
	sqlite3_bind_int64(statement, 1, generation);
	rc = sqlite3_step(statement);
	sqlite3_finalize(statement);
	return rc == SQLITE_DONE ? 0 : state_fail(state, rc, "noting the generation of the maps");
}

int state_get_seed(struct state *state, uint64_t *seed)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_exec(state->db, "INSERT OR IGNORE INTO seeds VALUES (1, random())", NULL,
			      NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(state->db, "SELECT seed FROM seeds", -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return state_fail(state, rc, "reading the seed of identities");
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*seed = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc == SQLITE_ROW ? 0 : state_fail(state, rc, "reading the seed of identities");
}

int state_accept_counts(struct state *state)
{
	int rc = sqlite3_exec(
		state->db,
		"UPDATE counts SET accounted_delivered = delivered, accounted_deferred ="
		" deferred, accounted_failed = failed, accounted_unknown = unknown",
		NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : state_fail(state, rc, "taking in the saved counts");
}

void state_set_busy_ms(struct state *state, int ms)
{
	sqlite3_busy_timeout(state->db, ms);
}

void state_keep_files(struct state *state)
{
	int keep = 1;

	sqlite3_file_control(state->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
}

bool state_is_full(int err)
{
	return err == -ENOSPC || err == -EROFS;
}
