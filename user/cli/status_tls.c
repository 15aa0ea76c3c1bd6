// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_tls.c - who asks why a session under TLS is opaque finds the answer here: it is switched
 * off, the kernel takes no probes, nobody puts them, or the process has nothing to put them on.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "status_tls.h"

#define PRINTED_MAX  12 /* libraries; a host of jails has hundreds of copies */
#define ESCAPED_SIZE (4 * 256 + 1)

static const char *mode_name(enum smtpl_tls_mode mode)
{
	switch (mode) {
	case SMTPL_TLS_OFF:
		return "off";
	case SMTPL_TLS_PROCESS:
		return "process";
	case SMTPL_TLS_LIBRARY:
		return "library";
	}
	return "unknown";
}

static const char *way_name(enum smtpl_tls_way way)
{
	switch (way) {
	case SMTPL_TLS_WAY_NONE:
		return "none";
	case SMTPL_TLS_WAY_MULTI:
		return "uprobe_multi";
	case SMTPL_TLS_WAY_PERF:
		return "perf_uprobe";
	}
	return "unknown";
}

static const char *library_name(uint32_t libraries)
{
	switch (libraries) {
	case SMTPL_TLS_OPENSSL:
		return "openssl";
	case SMTPL_TLS_GNUTLS:
		return "gnutls";
	case SMTPL_TLS_OPENSSL | SMTPL_TLS_GNUTLS:
		return "openssl,gnutls";
	}
	return "unknown";
}

/* What a map says may be written by anyone who is root. */
static const char *error_text(int32_t error)
{
	return strerror(error == INT_MIN ? INT_MAX : abs(error));
}

static const char *escaped(const char *bytes, size_t size, char text[ESCAPED_SIZE])
{
	return log_escape(bytes, size, 1, text, ESCAPED_SIZE);
}

void status_tls_state(struct status *s, const struct smtpl_tls_state *state)
{
	s->tls = *state;
}

int status_tls_file(struct status *s, const struct smtpl_tls_file *file)
{
	struct smtpl_tls_file *grown =
		reallocarray(s->tls_files, s->tls_files_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->tls_files = grown;
	grown[s->tls_files_count++] = *file;
	return 0;
}

void status_tls_end(struct status *s)
{
	free(s->tls_files);
}

static bool prober_late(const struct status *s)
{
	int64_t ago_ns = (int64_t)((uint64_t)s->boot_ns - s->tls.heartbeat_ns);

	return ago_ns > STATUS_LATE_S * NS_PER_S;
}

/* It ends with the daemon. */
static bool prober_runs(const struct status *s)
{
	return s->tls.mode != SMTPL_TLS_OFF && s->daemon_lock_pid > 0 && s->tls.pid &&
	       !prober_late(s);
}

/* What the file says, where that is known and not what is in force; else NULL. */
static const char *mode_to_come(const struct status *s)
{
	if (s->config->paths_only || s->config->tls == s->tls.mode)
		return NULL;
	return mode_name(s->config->tls);
}

static void tell_prober(struct status *s)
{
	char since[STATUS_TIME_SIZE];

	status_time(status_wall_s(s, s->tls.heartbeat_ns), since);
	if (s->daemon_lock_pid <= 0)
		status_problem(
			s, "TLS: nobody puts probes while no daemon runs: sessions of processes "
			   "without probes are opaque; start smtplimit");
	else if (s->tls.pid)
		status_problem(
			s,
			"TLS: no sign of life of the prober, pid %u, since %s: sessions of "
			"processes without probes are opaque; restart smtplimit, whose log says "
			"why",
			s->tls.pid, since);
	else
		status_problem(
			s,
			"TLS: the prober has ended, it lived until %s: sessions of processes "
			"without probes are opaque; restart smtplimit, whose log says why",
			since);
}

static void tell_pause(struct status *s)
{
	char until[STATUS_TIME_SIZE], who[64] = "";

	if (s->tls.held)
		snprintf(who, sizeof(who), ", the last one of uid %u by FUSE", s->tls.held_uid);
	status_problem(
		s,
		"TLS: processes of users held up who puts probes again and again%s: no probes are put in "
		"until %s, sessions of processes without are opaque; the log of smtplimit names them, and "
		"a restart of smtplimit goes on at once",
		who, status_time(status_wall_s(s, s->tls.paused_ns), until));
}

static void tell_problems(struct status *s)
{
	/* A daemon that found that the kernel can't has removed the map. */
	if (s->tls.mode == SMTPL_TLS_OFF && mode_to_come(s))
		status_problem(
			s,
			"TLS: nobody looks into it though the file says tls = %s: smtplimit "
			"check tells if this kernel can, the log of smtplimit why it does not, and "
			"a restart takes the setting up",
			mode_to_come(s));
	else if (s->tls.mode != SMTPL_TLS_OFF && !prober_runs(s))
		tell_prober(s);
	else if (s->tls.mode != SMTPL_TLS_OFF && s->tls.paused_ns)
		tell_pause(s);
}

/* What needs a look first. */
static int file_compare(const void *left, const void *right)
{
	const struct smtpl_tls_file *a = left, *b = right;

	if (!a->error != !b->error)
		return a->error ? -1 : 1;
	if (!a->whole != !b->whole)
		return a->whole ? -1 : 1;
	if (a->processes != b->processes)
		return a->processes > b->processes ? -1 : 1;
	return strncmp(a->path, b->path, sizeof(a->path));
}

void status_tls_finish(struct status *s)
{
	if (s->tls_files_count)
		qsort(s->tls_files, s->tls_files_count, sizeof(*s->tls_files), file_compare);
	if (s->loaded)
		tell_problems(s);
}

static void print_file(const struct smtpl_tls_file *file, FILE *out)
{
	char path[ESCAPED_SIZE];

	fprintf(out, "  %s (%s): ", escaped(file->path, sizeof(file->path), path),
		library_name(file->libraries));
	if (file->error)
		fprintf(out, "no probes, %s\n", error_text(file->error));
	else if (file->whole)
		fprintf(out, "all processes\n");
	else
		fprintf(out, "%u process%s\n", file->processes, file->processes == 1 ? "" : "es");
}

static void print_files(const struct status *s, FILE *out)
{
	for (size_t i = 0; i < s->tls_files_count && i < PRINTED_MAX; i++)
		print_file(&s->tls_files[i], out);
	if (s->tls_files_count > PRINTED_MAX)
		fprintf(out, "  and %zu more, which smtplimit -j has\n",
			s->tls_files_count - PRINTED_MAX);
}

static void print_reason(const char *what, uint64_t count, FILE *out)
{
	if (count)
		fprintf(out, "  %s: %" PRIu64 "\n", what, count);
}

/* The prober has escaped it. What is not printable even so, others have written. */
static const char *last_error(const struct smtpl_tls_state *t, char text[ESCAPED_SIZE])
{
	for (size_t i = 0; i < sizeof(t->error) && t->error[i]; i++)
		if (t->error[i] < ' ' || t->error[i] > '~')
			return escaped(t->error, sizeof(t->error), text);
	snprintf(text, ESCAPED_SIZE, "%.*s", (int)sizeof(t->error), t->error);
	return text;
}

/* Why sessions are opaque, or unknown. A process is looked into before it is known if it will use
 * TLS. */
static void print_reasons(const struct status *s, FILE *out)
{
	const struct smtpl_tls_state *t = &s->tls;
	char error[ESCAPED_SIZE];

	print_reason("no probes: processes without TLS, or whose has no symbols (static, Go, "
		     "rustls)",
		     t->without, out);
	print_reason(
		"no probes: processes or files that could not be read (gone, refused, damaged)",
		t->unreadable, out);
	print_reason("no probes: processes or files that took none", t->failed, out);
	print_reason(
		"no probes: skipped, too many at once, or in a pause (each time that a process asked)",
		t->skipped, out);
	print_reason("no probes: questions lost because there was no room", s->stats.tls_unasked,
		     out);
	print_reason("unknown: sessions whose probes came late (tls = library avoids it)",
		     s->stats.tls_late, out);
	if (t->held)
		fprintf(out,
			"  times that FUSE of a user held up who puts probes, and was ended: %" PRIu64
			", the last one of uid %u\n",
			(uint64_t)t->held, t->held_uid);
	if (t->error[0])
		fprintf(out, "  last error: %s\n", last_error(t, error));
}

void status_tls_print(const struct status *s, FILE *out)
{
	const struct smtpl_tls_state *t = &s->tls;

	if (!s->loaded)
		return;
	if (t->mode == SMTPL_TLS_OFF) {
		fprintf(out, "TLS: off: every session under TLS is opaque\n");
		return;
	}
	fprintf(out,
		"TLS: %s, %s; %u process%s with probes; sessions %llu seen (%llu late), %llu not "
		"bound, %llu opaque",
		mode_name(t->mode), way_name(t->way), t->processes, t->processes == 1 ? "" : "es",
		s->stats.tls_sessions, s->stats.tls_late, s->stats.tls_unbound,
		s->stats.tls_opaque);
	if (mode_to_come(s))
		fprintf(out, "; the file says %s: a restart takes it up", mode_to_come(s));
	fprintf(out, "\n");
	print_files(s, out);
	print_reasons(s, out);
}

static json_t *json_file(const struct smtpl_tls_file *file)
{
	char path[ESCAPED_SIZE];

	return json_pack(
		"{s:s, s:s, s:I, s:b, s:s?}", "path", escaped(file->path, sizeof(file->path), path),
		"library", library_name(file->libraries), "processes", (json_int_t)file->processes,
		"whole", file->whole != 0, "error", file->error ? error_text(file->error) : NULL);
}

static json_t *json_files(const struct status *s)
{
	json_t *files = json_array();

	for (size_t i = 0; files && i < s->tls_files_count; i++)
		json_array_append_new(files, json_file(&s->tls_files[i]));
	return files;
}

static json_t *json_held(const struct status *s)
{
	char until[STATUS_TIME_SIZE];

	return json_pack("{s:I, s:o, s:s?}", "times", (json_int_t)s->tls.held, "uid",
			 s->tls.held ? json_integer(s->tls.held_uid) : json_null(), "paused_until",
			 s->tls.paused_ns ? status_time(status_wall_s(s, s->tls.paused_ns), until) :
					    NULL);
}

json_t *status_tls_json(const struct status *s)
{
	const struct smtpl_tls_state *t = &s->tls;
	char error[ESCAPED_SIZE];

	if (!s->loaded)
		return json_null();
	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:o, s:o}", "mode",
			 mode_name(t->mode), "way", way_name(t->way), "prober", prober_runs(s),
			 "processes", (json_int_t)t->processes, "probed", (json_int_t)t->probed,
			 "without", (json_int_t)t->without, "unreadable", (json_int_t)t->unreadable,
			 "failed", (json_int_t)t->failed, "skipped", (json_int_t)t->skipped,
			 "error", t->error[0] ? last_error(t, error) : NULL, "held", json_held(s),
			 "libraries", json_files(s));
}
