// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_text.c - `smtplimit status` for people: who is near the limit, who is over it, and what
 * the daemon lost or found odd.
 */
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "status.h"
#include "status_tls.h"
#include "core/verdict.h"

#define CELL_SIZE    640
#define DOMAIN_WIDTH 30

enum column {
	COLUMN_ACCOUNT,
	COLUMN_DOMAINS,
	COLUMN_DELIVERED,
	COLUMN_DEFERRED,
	COLUMN_FAILED,
	COLUMN_PERCENT,
	COLUMN_HEADROOM,
	COLUMN_TOTAL,
	COLUMN_REFUSED,
	COLUMN_SUSPENDED,
	COLUMNS,
};

static const char *const titles[] = {
	[COLUMN_ACCOUNT] = "ACCOUNT",	  [COLUMN_DOMAINS] = "DOMAINS",
	[COLUMN_DELIVERED] = "DELIVERED", [COLUMN_DEFERRED] = "DEFERRED",
	[COLUMN_FAILED] = "FAILED",	  [COLUMN_PERCENT] = "PERCENT",
	[COLUMN_HEADROOM] = "HEADROOM",	  [COLUMN_TOTAL] = "TOTAL",
	[COLUMN_REFUSED] = "REFUSED",	  [COLUMN_SUSPENDED] = "SUSPENDED UNTIL",
};
_Static_assert(sizeof(titles) / sizeof(*titles) == COLUMNS, "a column without a title");

struct row {
	char cell[COLUMNS][CELL_SIZE];
};

static bool is_number(enum column column)
{
	return column >= COLUMN_DELIVERED && column <= COLUMN_REFUSED;
}

/* Characters of UTF-8; what is printed has no wider or combining ones worth a table of them. */
static int width(const char *text)
{
	int characters = 0;

	for (; *text; text++)
		characters += (*text & 0xc0) != 0x80;
	return characters;
}

/* The first domain, its end cut off where it is long, and how many more there are. */
static void domains_cell(const struct status_account *a, char *cell)
{
	char first[CELL_SIZE / 2], more[32] = "";
	bool cut;

	cell[0] = '\0';
	if (!a->domains_count || a->id.kind == ACCOUNT_DOMAIN)
		return;
	log_escape(a->domains[0], strlen(a->domains[0]), 0, first, sizeof(first));
	cut = strlen(first) > DOMAIN_WIDTH;
	if (a->domains_count > 1)
		snprintf(more, sizeof(more), " +%zu", a->domains_count - 1);
	snprintf(cell, CELL_SIZE, "%.*s%s%s", DOMAIN_WIDTH, first, cut ? ".." : "", more);
}

static void suspended_cell(const struct status_account *a, char *cell)
{
	char until[STATUS_TIME_SIZE], reason[CELL_SIZE - STATUS_TIME_SIZE - 2];

	if (a->suspended)
		snprintf(cell, CELL_SIZE, "%s: %s", status_time(a->until_wall_s, until),
			 log_escape(a->reason, strlen(a->reason), 1, reason, sizeof(reason)));
	else if (status_observes(a))
		snprintf(cell, CELL_SIZE, a->headroom ? "observed" : "observed: over the line");
	else
		snprintf(cell, CELL_SIZE, "-");
}

static void number_cell(char *cell, uint64_t number)
{
	snprintf(cell, CELL_SIZE, "%" PRIu64, number);
}

/* What nobody could see is shown where there is any: an account of zeros would look like one that
 * sends nothing. */
static void total_cell(const struct status_account *a, char *cell)
{
	const struct smtpl_count *t = &a->total;
	char unknown[32] = "", opaque[32] = "";

	if (t->unknown)
		snprintf(unknown, sizeof(unknown), ", %llu unknown", t->unknown);
	if (t->opaque)
		snprintf(opaque, sizeof(opaque), ", %llu opaque", t->opaque);
	snprintf(cell, CELL_SIZE, "%llu/%llu/%llu%s%s", t->delivered, t->deferred, t->failed,
		 unknown, opaque);
}

static void make_row(const struct status_account *a, struct row *row)
{
	static const char *const roles[] = {"", " (relay)", " (exempt)", " (service)", " (lists)"};
	int tenths = verdict_permille(a->window.bad, a->window.delivered);

	snprintf(row->cell[COLUMN_ACCOUNT], CELL_SIZE, "%s%s", a->name,
		 a->role <= SMTPL_ROLE_LISTS ? roles[a->role] : "");
	domains_cell(a, row->cell[COLUMN_DOMAINS]);
	number_cell(row->cell[COLUMN_DELIVERED], a->window.delivered);
	number_cell(row->cell[COLUMN_DEFERRED], a->window.deferred);
	number_cell(row->cell[COLUMN_FAILED], a->window.failed);
	if (tenths < 0)
		snprintf(row->cell[COLUMN_PERCENT], CELL_SIZE, "-");
	else
		snprintf(row->cell[COLUMN_PERCENT], CELL_SIZE, "%d.%d%%", tenths / 10, tenths % 10);
	if (a->headroom == UINT64_MAX)
		snprintf(row->cell[COLUMN_HEADROOM], CELL_SIZE, "-");
	else
		number_cell(row->cell[COLUMN_HEADROOM], a->headroom);
	total_cell(a, row->cell[COLUMN_TOTAL]);
	number_cell(row->cell[COLUMN_REFUSED], a->total.refused);
	suspended_cell(a, row->cell[COLUMN_SUSPENDED]);
}

static void print_row(const struct row *row, const int widths[COLUMNS], FILE *out)
{
	for (int i = 0; i < COLUMNS; i++) {
		const char *cell = row->cell[i];
		int blanks = widths[i] - width(cell);

		if (i == COLUMNS - 1)
			fprintf(out, "%s\n", cell);
		else if (is_number(i))
			fprintf(out, "%*s%s  ", blanks, "", cell);
		else
			fprintf(out, "%s%*s  ", cell, blanks, "");
	}
}

static void print_accounts(const struct status *s, FILE *out)
{
	int widths[COLUMNS] = {0};
	struct row row;

	for (int i = 0; i < COLUMNS; i++)
		widths[i] = width(titles[i]);
	for (size_t a = 0; a < s->accounts_count; a++) {
		if (!status_shows(s, s->accounts[a]))
			continue;
		make_row(s->accounts[a], &row);
		for (int i = 0; i < COLUMNS; i++)
			if (width(row.cell[i]) > widths[i])
				widths[i] = width(row.cell[i]);
	}
	for (int i = 0; i < COLUMNS; i++)
		snprintf(row.cell[i], CELL_SIZE, "%s", titles[i]);
	print_row(&row, widths, out);
	for (size_t a = 0; a < s->accounts_count; a++) {
		if (!status_shows(s, s->accounts[a]))
			continue;
		make_row(s->accounts[a], &row);
		print_row(&row, widths, out);
	}
}

static void print_rule(const struct status *s, FILE *out)
{
	char window[32], suspend[32];

	config_duration_text(s->rule.window_s, window, sizeof(window));
	config_duration_text(s->rule.suspend_s, suspend, sizeof(suspend));
	fprintf(out,
		"smtplimit %s, mode %s: suspended for %s when %u%% or more of the mails in %s, and at "
		"least %u, are deferred or fail\n",
		SMTPLIMIT_VERSION, s->mode == VERDICT_OBSERVE ? "observe" : "enforce", suspend,
		s->rule.percent, window, s->rule.min_failures);
	if (s->file_differs)
		fprintf(out, "the file says otherwise: %s\n",
			s->daemon_lock_pid > 0 ? "reload" : "the next start takes it up");
}

static void print_daemon(const struct status *s, FILE *out)
{
	char started[STATUS_TIME_SIZE], beat[STATUS_TIME_SIZE];

	status_time(status_wall_s(s, s->meta.started_ns), started);
	status_time(status_wall_s(s, s->meta.heartbeat_ns), beat);
	if (s->daemon_lock_pid > 0 && !s->loaded)
		fprintf(out, "daemon: starting, pid %d\n", (int)s->daemon_lock_pid);
	else if (s->daemon_lock_pid > 0 && s->meta.heartbeat_ns && !status_is_judged(s))
		fprintf(out, "daemon: pid %d is stuck, no sign of life since %s\n",
			(int)s->daemon_lock_pid, beat);
	else if (s->daemon_lock_pid > 0)
		fprintf(out, "daemon: running, pid %d, since %s\n", (int)s->daemon_lock_pid,
			started);
	else if (s->meta.heartbeat_ns)
		fprintf(out,
			"daemon: dead since %s; counting goes on, suspensions hold and end by "
			"themselves, nobody is judged\n",
			beat);
	else
		fprintf(out, "daemon: stopped; counting goes on, suspensions hold and end by "
			     "themselves, nobody is judged\n");
}

static void print_feed(const struct status *s, const struct state_feed *feed, FILE *out)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = feed->known.relay_uid};
	const struct pipeline_feed_stats *n = &feed->known.stats;
	char user[ACCOUNT_NAME_SIZE], since[STATUS_TIME_SIZE];
	int64_t ago_s = s->wall_ns / NS_PER_S - feed->reported_wall_s;
	const char *why = status_feed_why(&feed->known);

	account_name(&id, user, sizeof(user));
	fprintf(out, "feed %s (%s): ", status_feed_name(feed), user);
	if (s->daemon_lock_pid <= 0)
		fprintf(out, "nobody listens, no daemon runs");
	else if (!feed->known.running)
		fprintf(out, "STOPPED since %s: the wire is counted%s%s",
			status_time(feed->changed_wall_s, since), why ? ", since " : "",
			why ? why : "");
	else if (!feed->reported_wall_s)
		fprintf(out, "running, nothing told yet");
	else
		fprintf(out, "running, last told %" PRId64 " s ago", ago_s > 0 ? ago_s : 0);
	fprintf(out,
		"; %" PRIu64 " mails told, %" PRIu64 " also seen on the wire, %" PRIu64
		" differ, %" PRIu64 " not seen, %" PRIu64 " seen and not told, %" PRIu64 " late\n",
		n->told_delivered + n->told_deferred + n->told_failed, n->agreed + n->differed,
		n->differed, n->told_only, n->wire_only, n->late);
}

static void print_bypass(const struct status *s, FILE *out)
{
	for (size_t i = 0; i < s->accounts_count; i++) {
		const struct status_account *a = s->accounts[i];

		if (a->reported.bypass)
			fprintf(out,
				"%s: %" PRIu64 " mails left through mail servers while it was "
				"suspended: is the hook in place? see smtplimit hook\n",
				a->name, a->reported.bypass);
	}
}

/* After a blank line, where there is any. */
static void print_counter(const char *name, uint64_t count, const char *text, bool *any, FILE *out)
{
	if (!count)
		return;
	fprintf(out, "%s%-20s %12" PRIu64 "  %s\n", *any ? "" : "\n", name, count, text);
	*any = true;
}

/* First what the kernel counted, then the daemon. */
static void print_counters(const struct status *s, FILE *out)
{
	bool any = false;

#define STATUS_STAT(name, text) print_counter(#name, s->stats.name, text, &any, out);
	SMTPL_STATS(STATUS_STAT)
#undef STATUS_STAT
#define STATUS_LOSS(name, text) print_counter(#name, s->losses.name, text, &any, out);
	SMTPL_LOSSES(STATUS_LOSS)
#undef STATUS_LOSS
}

static void print_left_out(const struct status *s, size_t shown, FILE *out)
{
	size_t left_out = s->accounts_count - shown;

	if (left_out)
		fprintf(out, "left out: %zu account%s %s (smtplimit status --all)\n", left_out,
			left_out == 1 ? "" : "s",
			s->view == STATUS_SUSPENDED ? "not suspended" :
						      "without mail in the window");
}

static void print_view(const struct status *s, FILE *out)
{
	size_t shown = 0;

	for (size_t i = 0; i < s->accounts_count; i++)
		shown += status_shows(s, s->accounts[i]);
	if (!s->accounts_count && s->loaded)
		fprintf(out, "no account has sent yet\n");
	if (!s->accounts_count)
		return;
	fprintf(out, "\n");
	if (shown) {
		print_accounts(s, out);
		fprintf(out,
			"TOTAL: attempts delivered/deferred/failed since counting began, and "
			"of which nothing is known; the columns before it: mails in the window\n");
	}
	print_left_out(s, shown, out);
	print_bypass(s, out);
}

static void print_loaded(const struct status *s, FILE *out)
{
	if (s->loaded || s->daemon_lock_pid > 0)
		print_daemon(s, out);
	else
		fprintf(out,
			"smtplimit is not loaded on this host; start it with: smtplimit run\n");
}

static void print_problems(const struct status *s, FILE *out)
{
	char line[1024];

	for (size_t i = 0; i < s->problems_count; i++)
		fprintf(out, "problem: %s\n",
			log_escape(s->problems[i], strlen(s->problems[i]), 1, line, sizeof(line)));
}

void status_print_text(const struct status *s, FILE *out)
{
	if (s->picked) {
		if (!status_is_judged(s))
			print_loaded(s, out);
		print_problems(s, out);
		status_print_account(s, s->picked, out);
		return;
	}
	print_rule(s, out);
	print_loaded(s, out);
	print_problems(s, out);
	if (s->relay_sessions)
		fprintf(out,
			"relay users: %" PRIu64 " sessions, counted for the owners of their sender "
			"domains\n",
			s->relay_sessions);
	status_services_print(s, out);
	for (size_t i = 0; i < s->feeds_count; i++)
		print_feed(s, &s->feeds[i], out);
	status_faults_print(s, out);
	status_remotes_print(s, out);
	status_tls_print(s, out);
	print_view(s, out);
	print_counters(s, out);
}
