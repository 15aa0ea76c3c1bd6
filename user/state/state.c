// SPDX-License-Identifier: GPL-2.0-only
/*
 * state.c - the connection to the state database: open, schema, damage, transactions. Rows are read
 * and written in state_row.c; state_rows.c gives them their meaning.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "core/pipeline.h"
#include "state_db.h"

#define STATE_APPLICATION 0x534d544c /* "SMTL", in the file's header */
#define STATE_SCHEMA	  1
#define STATE_BUSY_MS	  5000
#define STATE_HEAD_BYTES  512 /* of the smallest file that SQLite writes */

/* After a checkpoint the write-ahead log is cut back to this. */
#define STATE_WAL_BYTES "4194304"

#define TEXT_OF(x)  TEXT_OF_(x)
#define TEXT_OF_(x) #x

static const char schema_sql[] =
	"CREATE TABLE windows (kind INTEGER, uid INTEGER, domain TEXT, own_domain TEXT,"
	" boot TEXT, wall_ns INTEGER, boot_ns INTEGER, data BLOB,"
	" PRIMARY KEY (kind, uid, domain));"
	"CREATE TABLE counts (uid INTEGER, domain TEXT,"
	" boot TEXT, wall_ns INTEGER, boot_ns INTEGER,"
	" connections INTEGER, delivered INTEGER, deferred INTEGER, failed INTEGER,"
	" unknown INTEGER, opaque INTEGER, refused INTEGER, last_ns INTEGER, domains INTEGER,"
	" accounted_delivered INTEGER, accounted_deferred INTEGER, accounted_failed INTEGER,"
	" accounted_unknown INTEGER, PRIMARY KEY (uid, domain)) WITHOUT ROWID;"
	"CREATE TABLE suspensions (kind INTEGER, uid INTEGER, domain TEXT,"
	" boot TEXT, wall_ns INTEGER, boot_ns INTEGER, since_ns INTEGER, until_ns INTEGER,"
	" bad INTEGER, min INTEGER, percent INTEGER, by_hand INTEGER, own_domain TEXT, reason TEXT,"
	" PRIMARY KEY (kind, uid, domain)) WITHOUT ROWID;"
	"CREATE TABLE maps (id INTEGER PRIMARY KEY, generation INTEGER);"
	"PRAGMA application_id = " TEXT_OF(STATE_APPLICATION) ";"
							      "PRAGMA user_version = " TEXT_OF(
								      STATE_SCHEMA);

/* Later tables: an older version ignores them, and an older database gets them here. */
#define COLUMN_OF(name, text) ", " #name " INTEGER"
static const char later_sql[] =
	"CREATE TABLE IF NOT EXISTS told (kind INTEGER, uid INTEGER, domain TEXT,"
	" sender_domain TEXT, wall_ns INTEGER, delivered INTEGER, deferred INTEGER,"
	" failed INTEGER, unknown INTEGER, refused INTEGER, bypass INTEGER,"
	" PRIMARY KEY (kind, uid, domain, sender_domain)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS seeds (id INTEGER PRIMARY KEY, seed INTEGER);"
	"CREATE TABLE IF NOT EXISTS aside (uid INTEGER, domain TEXT, delivered INTEGER,"
	" deferred INTEGER, failed INTEGER, unknown INTEGER, PRIMARY KEY (uid, domain))"
	" WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS feeds (uid INTEGER PRIMARY KEY, boot TEXT, wall_ns INTEGER,"
	" boot_ns INTEGER, mta INTEGER, running INTEGER, told_ns INTEGER, changed_ns INTEGER" PIPELINE_FEED_STATS(
		COLUMN_OF) ");"
			   "CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY, kind INTEGER, uid INTEGER,"
			   " domain TEXT, own_domain TEXT, since_s INTEGER, until_s INTEGER, ended_s INTEGER,"
			   " how INTEGER, bad INTEGER, min INTEGER, percent INTEGER, by_hand INTEGER,"
			   " observed INTEGER, reason TEXT);"
			   "CREATE TABLE IF NOT EXISTS remotes (kind INTEGER, remote TEXT, accounts INTEGER,"
			   " tried INTEGER, text TEXT, first_s INTEGER, last_s INTEGER,"
			   " PRIMARY KEY (kind, remote)) WITHOUT ROWID;"
			   "CREATE TABLE IF NOT EXISTS faults (fault TEXT PRIMARY KEY, attempts INTEGER,"
			   " text TEXT, first_s INTEGER, last_s INTEGER) WITHOUT ROWID;"
			   "CREATE INDEX IF NOT EXISTS history_account ON history (kind, uid, domain);"
			   "CREATE INDEX IF NOT EXISTS history_since ON history (since_s);";
#undef COLUMN_OF

/* Text of an open that failed, when there is no connection to hold it. */
static _Thread_local char open_error[1024];

const char *state_error(const struct state *state)
{
	return state ? state->error : open_error;
}

uint64_t state_skipped(const struct state *state)
{
	return state->skipped;
}

void state_set_clock(struct state *state, const struct state_clock *clock)
{
	state->clock = *clock;
	state->clock_set = true;
}

int state_errorf(struct state *state, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(state->error, sizeof(state->error), format, args);
	va_end(args);
	return error;
}

static int errno_of_io(struct state *state)
{
	int error = sqlite3_system_errno(state->db);

	return error == ENOSPC || error == EDQUOT ? -ENOSPC : -EIO;
}

static int errno_of(struct state *state, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return sqlite3_system_errno(state->db) ? -sqlite3_system_errno(state->db) : -EIO;
	case SQLITE_IOERR:
		return errno_of_io(state);
	default:
		return -EIO;
	}
}

int state_fail(struct state *state, int rc, const char *doing)
{
	int error = errno_of(state, rc);

	return state_errorf(state, error, "%s: %s", doing,
			    error == -ENOSPC ? "no space left on the disk" :
					       sqlite3_errmsg(state->db));
}

static int run_sql(struct state *state, const char *sql, const char *doing)
{
	int rc = sqlite3_exec(state->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : state_fail(state, rc, doing);
}

/* The first column of the first row; *value untouched without a row. */
static int ask_int(struct state *state, const char *sql, int64_t *value)
{
	sqlite3_stmt *statement;
	int rc = sqlite3_prepare_v2(state->db, sql, -1, &statement, NULL);

	if (rc != SQLITE_OK)
		return state_fail(state, rc, "reading the state database");
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	rc = sqlite3_finalize(statement);
	return rc == SQLITE_OK ? 0 : state_fail(state, rc, "reading the state database");
}

static int make_file(struct state *state, const char *path)
{
	char directory[PATH_MAX];
	int fd;

	if (snprintf(directory, sizeof(directory), "%s", path) >= (int)sizeof(directory))
		return state_errorf(state, -ENAMETOOLONG, "%s: the path is too long", path);
	if (mkdir(dirname(directory), 0700) && errno != EEXIST)
		return state_errorf(state, -errno, "cannot make the directory of %s: %m", path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	if (fd < 0)
		return state_errorf(state, -errno, "cannot make %s: %m", path);
	close(fd);
	return 0;
}

/* SQLite takes a file without a complete header for an empty one, and would silently begin anew. */
static int check_size(struct state *state, const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return state_errorf(state, -errno, errno == ENOENT ? "%s does not exist" : "%s: %m",
				    path);
	if (st.st_size > 0 && st.st_size < STATE_HEAD_BYTES)
		return state_errorf(state, -EBADMSG, "%s is cut off after %lld bytes", path,
				    (long long)st.st_size);
	return 0;
}

static int connect_file(struct state *state, const char *path, enum state_open how)
{
	int flags = how == STATE_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
	int r, rc;

	r = how == STATE_WRITE ? make_file(state, path) : 0;
	if (!r)
		r = check_size(state, path);
	if (r)
		return r;
	rc = sqlite3_open_v2(path, &state->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return state_fail(state, rc, path);
	sqlite3_busy_timeout(state->db, STATE_BUSY_MS);
	/* Until the schema is known to be ours, closing must not write into the file. */
	sqlite3_db_config(state->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_db_config(state->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(state->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return 0;
}

/* 0: it is ours; -ENOENT: it is empty. */
static int check_schema(struct state *state, const char *path)
{
	int64_t application = 0, version = 0, tables = 0;
	int r;

	r = ask_int(state, "PRAGMA application_id", &application);
	if (!r)
		r = ask_int(state, "PRAGMA user_version", &version);
	if (!r)
		r = ask_int(state, "SELECT count(*) FROM sqlite_master", &tables);
	if (r)
		return r;
	if (!application && !version && !tables)
		return state_errorf(state, -ENOENT, "%s: nothing is saved in it yet", path);
	if (application != STATE_APPLICATION)
		return state_errorf(
			state, -EPROTO,
			"%s is the database of another program: move it away, or set another "
			"state directory",
			path);
	if (version != STATE_SCHEMA)
		return state_errorf(
			state, -EPROTO,
			"%s has schema %lld, this version of smtplimit knows schema %d: use the "
			"version that wrote it, or move the file away",
			path, (long long)version, STATE_SCHEMA);
	return 0;
}

static int make_schema(struct state *state, const char *path)
{
	int r = run_sql(state, "BEGIN IMMEDIATE", "making the state database");

	if (r)
		return r;
	/* Another process may have made it while this one waited for the lock. */
	r = check_schema(state, path);
	if (r == -ENOENT)
		r = run_sql(state, schema_sql, "making the state database");
	if (!r)
		r = run_sql(state, later_sql, "making the state database");
	if (!r)
		r = run_sql(state, "COMMIT", "making the state database");
	if (r)
		sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* The first page of a truncated or torn file may look right. */
static int check_pages(struct state *state, const char *path)
{
	sqlite3_stmt *statement;
	char text[256] = "";
	int rc;

	rc = sqlite3_prepare_v2(state->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return state_fail(state, rc, path);
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(statement, 0));
	rc = sqlite3_finalize(statement);
	if (rc != SQLITE_OK)
		return state_fail(state, rc, path);
	return strcmp(text, "ok") ? state_errorf(state, -EBADMSG, "%s: %s", path, text) : 0;
}

static int use_wal(struct state *state, const char *path)
{
	sqlite3_stmt *statement;
	char mode[16] = "";
	int rc;

	rc = sqlite3_prepare_v2(state->db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
	if (rc != SQLITE_OK)
		return state_fail(state, rc, path);
	if (sqlite3_step(statement) == SQLITE_ROW)
		snprintf(mode, sizeof(mode), "%s", (const char *)sqlite3_column_text(statement, 0));
	rc = sqlite3_finalize(statement);
	if (rc != SQLITE_OK)
		return state_fail(state, rc, path);
	if (strcmp(mode, "wal"))
		return state_errorf(state, -ENOTSUP,
				    "%s: its file system has no shared memory for SQLite's WAL",
				    path);
	return run_sql(state,
		       "PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=" STATE_WAL_BYTES,
		       path);
}

static int open_once(struct state *state, const char *path, enum state_open how)
{
	int r = connect_file(state, path, how);

	if (r)
		return r;
	r = check_schema(state, path);
	if (how == STATE_READ || (r && r != -ENOENT))
		return r;
	sqlite3_db_config(state->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	r = r == -ENOENT ? 0 : check_pages(state, path);
	if (!r)
		r = use_wal(state, path);
	if (!r)
		r = make_schema(state, path);
	if (!r)
		state->error[0] = '\0';
	state->write = true;
	return r;
}

static void disconnect(struct state *state)
{
	for (int i = 0; i < STATE_STATEMENTS; i++) {
		sqlite3_finalize(state->statement[i]);
		state->statement[i] = NULL;
	}
	sqlite3_close(state->db);
	state->db = NULL;
}

/* The log is renamed with the file, as its name must match; the shared index is rebuilt from it. */
static int rename_damaged(struct state *state, const char *path)
{
	static const char *const parts[] = {"-wal", "-shm", ""};
	char why[400], from[PATH_MAX], to[PATH_MAX];
	char stamp[24];
	time_t now = time(NULL);
	struct tm tm;

	snprintf(why, sizeof(why), "%.*s", (int)sizeof(why) - 1, state->error);
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (snprintf(from, sizeof(from), "%s%s", path, parts[i]) >= (int)sizeof(from) ||
		    snprintf(to, sizeof(to), "%s.damaged-%s%s", path, stamp, parts[i]) >=
			    (int)sizeof(to))
			return state_errorf(state, -ENAMETOOLONG, "%s: the path is too long", path);
		if (rename(from, to) && errno != ENOENT)
			return state_errorf(state, -errno,
					    "%s is damaged (%s) and cannot be renamed: %m", path,
					    why);
	}
	return state_errorf(state, 0,
			    "%s was damaged (%s): it is now %s, and the state begins empty", path,
			    why, to);
}

static int open_write(struct state *state, const char *path)
{
	char message[sizeof(state->error)];
	int r = open_once(state, path, STATE_WRITE);

	if (r != -EBADMSG)
		return r;
	disconnect(state);
	r = rename_damaged(state, path);
	if (r)
		return r;
	memcpy(message, state->error, sizeof(message));
	r = open_once(state, path, STATE_WRITE);
	if (!r)
		memcpy(state->error, message, sizeof(message));
	return r;
}

int state_open(const char *path, enum state_open how, struct state **state)
{
	struct state *made = calloc(1, sizeof(*made));
	int r;

	if (!made) {
		snprintf(open_error, sizeof(open_error), "out of memory");
		return -ENOMEM;
	}
	r = how == STATE_WRITE ? open_write(made, path) : open_once(made, path, how);
	if (r) {
		memcpy(open_error, made->error, sizeof(open_error));
		state_close(made);
		return r;
	}
	*state = made;
	return 0;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	disconnect(state);
	free(state);
}

static int run_prepared(struct state *state, enum state_statement which)
{
	struct state_row row;
	int r = state_row(state, which, &row);

	if (r)
		return r;
	r = sqlite3_step(row.statement);
	r = r == SQLITE_DONE ? 0 : state_fail(state, r, "state transaction");
	state_row_end(&row);
	return r;
}

int state_begin(struct state *state)
{
	int r;

	if (state->in_transaction)
		return state_errorf(state, -EINVAL, "a state transaction is open already");
	r = run_prepared(state, state->write ? STATE_SQL_BEGIN : STATE_SQL_BEGIN_READ);
	if (r)
		return r;
	state->in_transaction = true;
	state->durable = false;
	state->failed = 0;
	return 0;
}

void state_rollback(struct state *state)
{
	/* SQLite may have rolled back by itself when the disk was full: then this fails, which is
	 * ignored. */
	sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	state->in_transaction = false;
	state->failed = 0;
}

/* On a full disk the log is emptied into the database, so that its space can be used again. */
static int fail_commit(struct state *state, int error)
{
	char message[sizeof(state->error)];

	memcpy(message, state->error, sizeof(message));
	state_rollback(state);
	if (error == -ENOSPC)
		sqlite3_wal_checkpoint_v2(state->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	memcpy(state->error, message, sizeof(message));
	return error;
}

int state_commit(struct state *state)
{
	bool durable = state->durable;
	int r;

	if (!state->in_transaction)
		return state_errorf(state, -EINVAL, "no state transaction is open");
	r = state->failed ? state->failed : run_prepared(state, STATE_SQL_COMMIT);
	if (r)
		return fail_commit(state, r);
	state->in_transaction = false;
	return durable ? state_sync(state) : 0;
}

/* synchronous=NORMAL does not sync the log at a commit, and the setting cannot change within a
 * transaction: so commits that must survive a power failure sync here. */
int state_sync(struct state *state)
{
	sqlite3_file *wal = NULL;
	int rc;

	rc = sqlite3_file_control(state->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
	if (rc == SQLITE_OK && wal && wal->pMethods)
		rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
	return rc == SQLITE_OK ? 0 :
				 state_errorf(state, -EIO, "the state database cannot be synced");
}
