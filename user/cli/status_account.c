// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_account.c - `smtplimit status ACCOUNT` for people: how near the account is to the line, or
 * for how long it is suspended, and by which rule.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/log.h"
#include "status.h"
#include "who/service.h"

#define TEXT_SIZE     1024
#define DOMAINS_SHOWN 10
#define SETTING_WIDTH 32

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* "2026-11-21 15:04:05 CET", as the clock on the wall has it. */
static char *local_time(int64_t wall_s, char text[STATUS_TIME_SIZE])
{
	time_t clock = wall_s;
	struct tm tm = {0};

	if (!localtime_r(&clock, &tm) || !strftime(text, STATUS_TIME_SIZE, "%F %T %Z", &tm))
		status_time(wall_s, text);
	return text;
}

/* "47 minutes", "2 hours 5 minutes": the two largest units. */
static char *length(int64_t seconds, char text[TEXT_SIZE])
{
	static const struct {
		int64_t s;
		const char *name;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	size_t i = 0;
	int64_t n, rest;
	int used;

	while (i < 3 && seconds < units[i].s)
		i++;
	n = seconds / units[i].s;
	used = snprintf(text, TEXT_SIZE, "%" PRId64 " %s%s", n, units[i].name, plural(n));
	if (i >= 2)
		return text;
	rest = seconds % units[i].s / units[i + 1].s;
	if (rest)
		snprintf(text + used, TEXT_SIZE - used, " %" PRId64 " %s%s", rest,
			 units[i + 1].name, plural(rest));
	return text;
}

static void print_window(const struct status *s, const struct status_account *a, FILE *out)
{
	int tenths = verdict_permille(a->window.bad, a->window.delivered);
	char window[32];

	config_duration_text(s->rule.window_s, window, sizeof(window));
	fprintf(out,
		"window:     %" PRIu64 " mail%s delivered, %" PRIu64 " deferred, %" PRIu64
		" failed in %s",
		a->window.delivered, plural(a->window.delivered), a->window.deferred,
		a->window.failed, window);
	if (tenths >= 0)
		fprintf(out, ": %d.%d%%", tenths / 10, tenths % 10);
	fprintf(out, "\n");
}

/* Those of unknown reason: more mails to one failing address, too many at one remote, too young. */
static void print_uncounted(const struct status_account *a, FILE *out)
{
	const struct status_uncounted *u = &a->uncounted;
	uint64_t rest = u->all;
	const char *comma = "";

	if (!u->all)
		return;
	fprintf(out, "            not counted of the deferred and failed: ");
	for (int i = 0; i < REPLY_CLASSES; i++) {
		if (!u->class[i])
			continue;
		fprintf(out, "%s%" PRIu32 " of class %s", comma, u->class[i], reply_class_name(i));
		comma = ", ";
		rest -= rest < u->class[i] ? rest : u->class[i];
	}
	if (u->trouble)
		fprintf(out, "%s%" PRIu32 " at remotes in trouble", comma, u->trouble);
	comma = u->trouble ? ", " : comma;
	rest -= rest < u->trouble ? rest : u->trouble;
	if (rest)
		fprintf(out,
			"%s%" PRIu64
			" to an address that counts already, too many at one remote, or "
			"younger than defer_grace",
			comma, rest);
	fprintf(out, "\n");
}

static void print_headroom(const struct status_account *a, FILE *out)
{
	bool observed = a->rule.mode == VERDICT_OBSERVE;

	fprintf(out, "headroom:   ");
	if (!status_judges(a))
		fprintf(out, "never suspended: %s\n",
			a->role == SMTPL_ROLE_EXEMPT ?
				"it is in exempt_users" :
			status_serves(a) ?
				service_why(a->why) :
				"it is root or a relay user, whose mail belongs to others");
	else if (a->headroom == UINT64_MAX)
		fprintf(out, "no failure suspends it beside these deliveries\n");
	else if (a->headroom)
		fprintf(out, "%" PRIu64 " more failure%s until it %s suspended\n", a->headroom,
			plural(a->headroom), observed ? "would be" : "is");
	else
		fprintf(out, "none: it is over the line, and %s\n",
			observed ? "only observed" : "is suspended when it is judged next");
}

static void print_suspension(const struct status *s, const struct status_account *a, FILE *out)
{
	int64_t rest_s = a->until_wall_s - s->wall_ns / NS_PER_S;
	char text[TEXT_SIZE], when[STATUS_TIME_SIZE];

	fprintf(out, "suspended:  until %s", local_time(a->until_wall_s, when));
	fprintf(out, ", for %s more\n", length(rest_s > 0 ? rest_s : 0, text));
	if (a->since_wall_s)
		fprintf(out, "since:      %s\n", local_time(a->since_wall_s, when));
	fprintf(out, "reason:     %s%s\n",
		log_escape(a->reason, strlen(a->reason), 1, text, sizeof(text)),
		a->suspension.by_hand & SMTPL_BY_HAND_TOLD ? " (told to the sender)" : "");
}

/* "  percent = 70        # /etc/smtplimit.d/plan.conf:3" */
static void print_line(const char *key, const char *value, const char *from, FILE *out)
{
	int blanks = SETTING_WIDTH - (int)(strlen(key) + strlen(value));

	fprintf(out, "  %s = %s%*s # %s\n", key, value, blanks > 0 ? blanks : 0, "", from);
}

static void print_count(const char *key, uint32_t count, FILE *out)
{
	char text[16];

	snprintf(text, sizeof(text), "%" PRIu32, count);
	if (count)
		print_line(key, text, "[limit]", out);
}

static void print_value(const struct status_account *a, const char *key, const char *value,
			FILE *out)
{
	unsigned int line = a->section ? config_section_line(a->section, key) : 0;
	char from[TEXT_SIZE] = "[limit]";

	if (line)
		snprintf(from, sizeof(from), "%s:%u", a->section->file, line);
	print_line(key, value, from, out);
}

/* Of [limit] alone, where they are not off. */
static void print_general(const struct status_account *a, FILE *out)
{
	const struct verdict_rule *r = &a->rule;
	char text[32];

	if (r->defer_grace_s) {
		config_duration_text(r->defer_grace_s, text, sizeof(text));
		print_line("defer_grace", text, "[limit]", out);
	}
	print_count("hard_recipients", r->hard_recipients, out);
	if (r->hard_recipients)
		print_count("hard_percent", r->hard_percent, out);
	print_count("rare_remote", r->rare_remote, out);
	print_count("lead", r->lead, out);
}

static void print_rule(const struct status *s, const struct status_account *a, FILE *out)
{
	const struct config_section *section = a->section;
	char text[TEXT_SIZE];

	fprintf(out, "rule%s:\n",
		s->config->paths_only ?
			" (without its own section, for the error in the configuration)" :
			"");
	print_value(a, "mode", a->rule.mode == VERDICT_OBSERVE ? "observe" : "enforce", out);
	snprintf(text, sizeof(text), "%" PRIu32, a->rule.percent);
	print_value(a, "percent", text, out);
	snprintf(text, sizeof(text), "%" PRIu32, a->rule.min_failures);
	print_value(a, "min_failures", text, out);
	config_duration_text(a->rule.suspend_s, text, sizeof(text));
	print_value(a, "suspend", text, out);
	print_general(a, out);
	if (!section)
		return;
	if (section->until_s != CONFIG_NO_END)
		print_value(a, "until", local_time(section->until_s, text), out);
	if (section->note[0])
		print_value(a, "note",
			    log_escape(section->note, strlen(section->note), 1, text, sizeof(text)),
			    out);
	if (s->file_differs)
		fprintf(out, "  the file says otherwise than the daemon has read: reload\n");
}

/* The first of a user's domains by name. */
struct owned {
	uint32_t uid;
	size_t count;
	const char *first[DOMAINS_SHOWN];
};

static int add_owned(void *arg, const char *domain, uint32_t uid)
{
	struct owned *owned = arg;
	size_t i = owned->count < DOMAINS_SHOWN ? owned->count : DOMAINS_SHOWN;

	if (uid != owned->uid)
		return 0;
	owned->count++;
	for (; i && strcmp(domain, owned->first[i - 1]) < 0; i--)
		if (i < DOMAINS_SHOWN)
			owned->first[i] = owned->first[i - 1];
	if (i < DOMAINS_SHOWN)
		owned->first[i] = domain;
	return 0;
}

static void print_domains(const char *title, const char *const *domains, size_t count, FILE *out)
{
	char text[TEXT_SIZE];

	for (size_t i = 0; i < count && i < DOMAINS_SHOWN; i++)
		fprintf(out, "%s%s", i ? ", " : title,
			log_escape(domains[i], strlen(domains[i]), 1, text, sizeof(text)));
	if (count > DOMAINS_SHOWN)
		fprintf(out, " and %zu more", count - DOMAINS_SHOWN);
	if (count)
		fprintf(out, "\n");
}

/* Users who have sent from a domain that nobody owns: a bounce may name a forged one. */
static void print_senders(const struct status *s, const struct status_account *a, FILE *out)
{
	const char *senders[DOMAINS_SHOWN];
	size_t count = 0;

	for (size_t i = 0; i < s->accounts_count; i++) {
		const struct status_account *other = s->accounts[i];

		for (size_t j = 0; other->id.kind == ACCOUNT_UID && j < other->domains_count; j++) {
			if (strcmp(other->domains[j], a->id.domain) != 0)
				continue;
			if (count < DOMAINS_SHOWN)
				senders[count] = other->name;
			count++;
		}
	}
	print_domains("sent by:    ", senders, count, out);
}

static void print_names(const struct status *s, const struct status_account *a, FILE *out)
{
	struct owned owned = {.uid = a->id.uid};

	if (a->id.kind != ACCOUNT_UID) {
		print_senders(s, a, out);
		return;
	}
	owners_each(s->owners, add_owned, &owned);
	print_domains("owns:       ", owned.first, owned.count, out);
	print_domains("sent from:  ", (const char *const *)a->domains, a->domains_count, out);
}

static void print_total(const struct status_account *a, FILE *out)
{
	const struct smtpl_count *t = &a->total;

	fprintf(out,
		"total:      %llu attempts delivered, %llu deferred, %llu failed, %llu unknown, %llu "
		"refused; %llu opaque sessions\n",
		t->delivered, t->deferred, t->failed, t->unknown, t->refused, t->opaque);
	if (a->reported.bypass)
		fprintf(out,
			"            %" PRIu64
			" left through mail servers while it was suspended: is "
			"the hook in place? see smtplimit hook\n",
			a->reported.bypass);
}

void status_print_account(const struct status *s, const struct status_account *a, FILE *out)
{
	fprintf(out, "account:    %s", a->name);
	if (a->id.kind == ACCOUNT_UID)
		fprintf(out, " (uid %" PRIu32 ")", a->id.uid);
	fprintf(out, "\n");
	if (a->suspended)
		print_suspension(s, a, out);
	print_window(s, a, out);
	print_uncounted(a, out);
	if (!a->suspended)
		print_headroom(a, out);
	print_total(a, out);
	print_names(s, a, out);
	print_rule(s, a, out);
}
