/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state.h - what must outlive a reboot, in SQLite (WAL): windows, suspensions and totals.
 *
 * In memory every time is boot time. Each row also keeps the boot id and, for both clocks, the time
 * of its writing. In the same boot the boot time is taken as it is (a clock step moves nothing),
 * after a reboot it is moved by the wall clock. Moved seconds of a window may be negative: before
 * this boot. Calls return 0 or -errno and log nothing; state_error() has the text of the last
 * failure of this connection.
 *
 * A put or a delete of a suspension is also noted in the history (state_history.h): put both into
 * one transaction.
 *
 * A suspension is on the disk when its put, or the commit around it, has returned 0.
 * Anything else may lose the last seconds when the power fails, but never when the process crashes.
 * -ENOSPC: nothing of the transaction was kept, and the next one may work.
 */
#ifndef SMTPL_STATE_H
#define SMTPL_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "headers/event.h"
#include "headers/maps.h"
#include "who/account.h"
#include "core/window.h"

#define STATE_FILE "state.db" /* in the state directory */

struct state;

/* What the kernel counted for one key, and how much of it the windows have already counted. */
struct state_count {
	uint32_t uid;
	char domain[SMTPL_DOMAIN_SIZE];
	struct smtpl_count kernel;     /* as read from smtpl_counts */
	struct smtpl_totals accounted; /* attempts that went through the pipeline */
};

/* A suspension, with the texts that people are shown. */
struct state_suspension {
	struct account_id account;
	/* Times in boot time of now. When read back, a time before this boot is 0: then an until_ns
	 * is over, and a since_ns that is put as 0 keeps the start that the row has. */
	struct smtpl_suspension kernel;
	char domain[SMTPL_DOMAIN_SIZE]; /* the account's own domain for the text, or "" */
	char reason[256];
	int64_t since_wall_s; /* Unix time of the start; set by reading, ignored by the put */
	bool observed;	      /* mode = observe: nobody is refused, the put adds to the history
			       * alone */
};

enum state_open {
	STATE_READ = 0,
	STATE_WRITE = 1, /* make the file, its directory and the tables, mode 0600 / 0700 */
};

/* A missing file (or one without tables yet) with STATE_READ is -ENOENT; one of another schema
 * -EPROTO, and untouched. With STATE_WRITE a damaged file is renamed to FILE.damaged-TIME and
 * state_error() says so, which is "" after any other success; with STATE_READ it is -EBADMSG. On
 * failure *state is untouched and state_error(NULL) has the text. */
int state_open(const char *path, enum state_open how, struct state **state);
void state_close(struct state *state);
const char *state_error(const struct state *state);

/* Rows that the state_each calls of this connection skipped because their content was not valid. */
uint64_t state_skipped(const struct state *state);

/* The clocks that rows are stamped with and moved by. Read afresh for each call; tests set their
 * own. */
struct state_clock {
	char boot_id[40];
	int64_t boot_ns;
	int64_t wall_ns; /* at the same moment */
};
void state_set_clock(struct state *state, const struct state_clock *clock);
/* Both clocks as they are now; boot_id is left alone. */
void state_clock_read(struct state_clock *clock);

/* All puts between begin and commit become visible together. After a put that failed, commit keeps
 * nothing and returns that failure. With STATE_READ: one view over several state_each calls. */
int state_begin(struct state *state);
int state_commit(struct state *state);
void state_rollback(struct state *state);

int state_put_window(struct state *state, const struct account_id *account, const char *own_domain,
		     const struct window *window); /* an empty one deletes the row */
int state_put_count(struct state *state, const struct state_count *count);
int state_delete_count(struct state *state, uint32_t uid, const char *domain);
int state_put_suspension(struct state *state, const struct state_suspension *suspension);
int state_delete_suspension(struct state *state, const struct account_id *account);

/* Each calls back for every row; a callback's non-zero return ends the call and is returned. The
 * callback owns the window (window_clear). */
int state_each_window(struct state *state,
		      int (*each)(void *arg, const struct account_id *account,
				  const char *own_domain, struct window *window),
		      void *arg);
int state_each_count(struct state *state, int (*each)(void *arg, const struct state_count *count),
		     void *arg);
int state_each_suspension(struct state *state,
			  int (*each)(void *arg, const struct state_suspension *suspension),
			  void *arg);

#endif
