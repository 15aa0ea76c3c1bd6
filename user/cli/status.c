// SPDX-License-Identifier: GPL-2.0-only
/*
 * status.c - from entries of maps and rows of the state database to accounts.
 */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "status.h"
#include "base/clock.h"
#include "base/clock_text.h"
#include "status_tls.h"
#include "config/config_value.h"
#include "core/verdict.h"
#include "who/users.h"

void status_begin(struct status *s, const struct config *config, int64_t boot_ns, int64_t wall_ns)
{
	*s = (struct status){.config = config, .boot_ns = boot_ns, .wall_ns = wall_ns};
	s->rule = config->rule;
	s->mode = config->rule.mode;
}

static void account_free(struct status_account *a)
{
	for (size_t i = 0; i < a->domains_count; i++)
		free(a->domains[i]);
	free(a->domains);
	free(a->name);
	free(a->reason);
	free(a);
}

static void index_free(void *unused)
{
	(void)unused; /* the accounts belong to the array */
}

void status_end(struct status *s)
{
	tdestroy(s->index, index_free);
	for (size_t i = 0; i < s->accounts_count; i++)
		account_free(s->accounts[i]);
	free(s->accounts);
	free(s->roles);
	free(s->room);
	status_feeds_end(s);
	status_remotes_end(s);
	status_tls_end(s);
	for (size_t i = 0; i < s->problems_count; i++)
		free(s->problems[i]);
}

void status_problem(struct status *s, const char *format, ...)
{
	va_list args;
	int length;

	if (s->problems_count == STATUS_PROBLEMS_MAX)
		return;
	va_start(args, format);
	length = vasprintf(&s->problems[s->problems_count], format, args);
	va_end(args);
	if (length >= 0)
		s->problems_count++;
}

int64_t status_wall_s(const struct status *s, uint64_t boot_ns)
{
	int64_t ahead_ns;

	/* A time of any map may be written by anyone who is root. */
	if (__builtin_sub_overflow(boot_ns, (uint64_t)s->boot_ns, &ahead_ns) ||
	    __builtin_add_overflow(s->wall_ns, ahead_ns, &ahead_ns))
		return CLOCK_TEXT_LAST_S;
	return ahead_ns / NS_PER_S;
}

char *status_time(int64_t wall_s, char text[STATUS_TIME_SIZE])
{
	return clock_text_iso(wall_s, text);
}

static int id_compare(const void *a, const void *b)
{
	const struct account_id *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind == ACCOUNT_DOMAIN)
		return memcmp(x->domain, y->domain, sizeof(x->domain));
	return (x->uid > y->uid) - (x->uid < y->uid);
}

static struct account_id uid_id(uint32_t uid)
{
	return (struct account_id){.kind = ACCOUNT_UID, .uid = uid};
}

static const struct status_role *role_find(const struct status *s, uint32_t uid)
{
	static const struct status_role direct = {.role = SMTPL_ROLE_DIRECT};

	for (size_t i = 0; i < s->roles_count; i++)
		if (s->roles[i].uid == uid)
			return &s->roles[i];
	return &direct;
}

enum smtpl_role status_role(const struct status *s, uint32_t uid)
{
	return role_find(s, uid)->role;
}

/* The array takes a new account. */
static int account_keep(struct status *s, struct status_account *a)
{
	struct status_account **grown;
	size_t room = s->accounts_room ? 2 * s->accounts_room : 64;

	if (s->accounts_count == s->accounts_room) {
		grown = reallocarray(s->accounts, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->accounts = grown;
		s->accounts_room = room;
	}
	/* The id is the account's first field: the tree compares accounts by it. */
	_Static_assert(offsetof(struct status_account, id) == 0, "the key of the index");
	if (!tsearch(a, &s->index, id_compare))
		return -ENOMEM;
	s->accounts[s->accounts_count++] = a;
	return 0;
}

struct status_account *status_known(const struct status *s, const struct account_id *id)
{
	struct status_account **found = tfind(id, &s->index, id_compare);

	return found ? *found : NULL;
}

struct status_account *status_account(struct status *s, const struct account_id *id)
{
	struct status_account *a = status_known(s, id);

	if (a)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->id = *id;
	if (id->kind == ACCOUNT_UID) {
		a->role = role_find(s, id->uid)->role;
		a->why = role_find(s, id->uid)->why;
	} else if (config_domains_has(&s->config->exempt_domains, id->domain)) {
		a->role = SMTPL_ROLE_EXEMPT;
	}
	status_account_rule(s, a);
	if (account_keep(s, a)) {
		account_free(a);
		return NULL;
	}
	return a;
}

int status_add_domain(struct status_account *a, const char *domain, size_t size)
{
	char **grown = reallocarray(a->domains, a->domains_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	a->domains = grown;
	grown[a->domains_count] = strndup(domain, size);
	if (!grown[a->domains_count])
		return -ENOMEM;
	a->domains_count++;
	return 0;
}

static int suspend(struct status *s, const struct account_id *id, const struct smtpl_suspension *by)
{
	struct status_account *a;

	if (by->until_ns <= (uint64_t)s->boot_ns)
		return 0;
	a = status_account(s, id);
	if (!a)
		return -ENOMEM;
	a->suspended = true;
	a->suspension = *by;
	a->until_wall_s = status_wall_s(s, by->until_ns);
	if (by->since_ns)
		a->since_wall_s = status_wall_s(s, by->since_ns);
	return 0;
}

static int add_role(struct status *s, uint32_t uid, const struct smtpl_uid *value)
{
	struct status_role *grown = reallocarray(s->roles, s->roles_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->roles = grown;
	grown[s->roles_count++] =
		(struct status_role){.uid = uid, .role = value->role, .why = value->why};
	return 0;
}

int status_uid(struct status *s, uint32_t uid, const struct smtpl_uid *value)
{
	struct account_id id = uid_id(uid);

	if (value->role != SMTPL_ROLE_DIRECT)
		return add_role(s, uid, value);
	return suspend(s, &id, &value->suspension);
}

static void add_count(struct smtpl_count *to, const struct smtpl_count *count)
{
	to->connections += count->connections;
	to->delivered += count->delivered;
	to->deferred += count->deferred;
	to->failed += count->failed;
	to->unknown += count->unknown;
	to->opaque += count->opaque;
	to->refused += count->refused;
}

/* A relay's mail is its sender domain's owner's, or the domain's, over all relays; what names no
 * domain stays the relay's. */
int status_count(struct status *s, const struct smtpl_count_key *key,
		 const struct smtpl_count *count)
{
	bool relay = status_role(s, key->uid) == SMTPL_ROLE_RELAY, named = key->domain[0];
	struct account_id id = status_payer(s, key->uid, key->domain);
	struct status_account *a = status_account(s, &id);

	if (!a)
		return -ENOMEM;
	add_count(&a->total, count);
	if (relay && !named)
		s->relay_sessions += count->connections;
	if (!named || id.kind == ACCOUNT_DOMAIN)
		return 0;
	return status_add_domain(a, key->domain, sizeof(key->domain));
}

/* With relay = reset the domains of who is suspended are in the map, too. */
int status_domain(struct status *s, const struct smtpl_domain_key *key,
		  const struct smtpl_suspension *suspension)
{
	struct account_id id = status_domain_payer(s, key->domain);

	return id.kind == ACCOUNT_DOMAIN ? suspend(s, &id, suspension) : 0;
}

/* Further ones are more mails to one failing address, too many at one remote, or too young. */
static struct status_uncounted uncounted(const struct window *w, const struct status_account *a)
{
	struct window_counts seen = window_counts(w);
	struct status_uncounted u = {.all = seen.deferred + seen.failed - a->window.bad};

	for (const struct window_mail *m = window_mail_inside(w, NULL); m;
	     m = window_mail_inside(w, m)) {
		if (m->class < REPLY_CLASSES && verdict_sets_aside(&a->rule, m->class))
			u.class[m->class]++;
		else if (m->flags & WINDOW_MAIL_EXCUSED)
			u.trouble++;
	}
	return u;
}

int status_window(struct status *s, const struct account_id *id, struct window *window)
{
	int64_t now_s = s->boot_ns / NS_PER_S;
	struct window_counts counts;
	struct status_account *a;

	window_slide(window, now_s, s->rule.window_s);
	counts = window_counts(window);
	if (!counts.delivered && !counts.deferred && !counts.failed)
		return 0;
	if (!s->room)
		s->room = tally_room_new();
	a = status_account(s, id);
	if (!a || !s->room)
		return -ENOMEM;
	a->window = tally_window(window, &a->rule, NULL, 0, s->room, now_s);
	a->uncounted = uncounted(window, a);
	return 0;
}

/* The map knows who is refused, the row says why and, over a reboot, since when. */
int status_suspension(struct status *s, const struct state_suspension *saved)
{
	struct status_account *a;
	int r = s->loaded ? 0 : suspend(s, &saved->account, &saved->kernel);

	if (r)
		return r;
	a = status_known(s, &saved->account);
	if (!a || !a->suspended)
		return 0;
	if (a->suspension.by_hand != saved->kernel.by_hand)
		return 0; /* a row that the map has outrun */
	if (!a->since_wall_s)
		a->since_wall_s = saved->since_wall_s;
	free(a->reason);
	a->reason = strndup(saved->reason, sizeof(saved->reason));
	return a->reason ? 0 : -ENOMEM;
}

static int text_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One may come from the uid itself and through mail servers. */
static void sort_domains(struct status_account *a)
{
	size_t kept = 0;

	if (a->domains_count)
		qsort(a->domains, a->domains_count, sizeof(*a->domains), text_compare);
	for (size_t i = 0; i < a->domains_count; i++) {
		if (kept && !strcmp(a->domains[kept - 1], a->domains[i]))
			free(a->domains[i]);
		else
			a->domains[kept++] = a->domains[i];
	}
	a->domains_count = kept;
}

static uint64_t headroom(const struct status_account *a)
{
	if (a->suspended)
		return 0;
	return status_judges(a) ? verdict_decide(&a->window, &a->rule).headroom : UINT64_MAX;
}

static int finish_account(struct status_account *a)
{
	char name[ACCOUNT_NAME_SIZE];
	const struct smtpl_suspension *s = &a->suspension;
	int length = 0;

	a->headroom = headroom(a);
	if (!a->name) {
		account_name(&a->id, name, sizeof(name));
		a->name = strdup(name);
	}
	if (!a->name)
		return -ENOMEM;
	if (a->id.kind == ACCOUNT_DOMAIN &&
	    status_add_domain(a, a->id.domain, sizeof(a->id.domain)))
		return -ENOMEM;
	sort_domains(a);
	status_replace(a);
	if (!a->suspended || (a->reason && a->reason[0]))
		return 0;
	free(a->reason);
	a->reason = NULL;
	if (s->by_hand)
		a->reason = strdup("by hand");
	else
		length = asprintf(&a->reason, "deferred and failed mails %u/%u (%u%%)", s->bad,
				  s->min, s->percent);
	return length < 0 || !a->reason ? -ENOMEM : 0;
}

/* The nearest to the line; of equal ones that with the most failures. */
static int nearest_first(const void *left, const void *right)
{
	const struct status_account *a = *(struct status_account *const *)left;
	const struct status_account *b = *(struct status_account *const *)right;

	if (a->suspended != b->suspended)
		return a->suspended ? -1 : 1;
	if (a->headroom != b->headroom)
		return a->headroom < b->headroom ? -1 : 1;
	if (a->window.bad != b->window.bad)
		return a->window.bad > b->window.bad ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* What is older is shown by the counters alone. */
static void loss_problem(struct status *s, const char *name, uint64_t count, uint64_t last_ns,
			 const char *text)
{
	/* Nothing is lost yet once saving works again. */
	int64_t shown_s = !strcmp(name, "saves_failed") ? STATUS_LATE_S : STATUS_LOSS_S;
	char last[STATUS_TIME_SIZE];

	if (last_ns && (int64_t)last_ns > s->boot_ns - shown_s * NS_PER_S)
		status_problem(s, "%s is %" PRIu64 ", and last grew at %s: %s", name, count,
			       status_time(status_wall_s(s, last_ns), last), text);
}

static void losses_finish(struct status *s)
{
#define LOSS_PROBLEM(name, text) loss_problem(s, #name, s->losses.name, s->losses.name##_ns, text);
	SMTPL_LOSSES_SERIOUS(LOSS_PROBLEM)
#undef LOSS_PROBLEM
}

/* getpwuid(3) reads the file from its beginning for each uid. The first entry of a uid counts. */
static int name_users(struct status *s, const char *file)
{
	FILE *f = fopen(file, "re");
	const struct passwd *entry;
	char name[ACCOUNT_NAME_SIZE];
	struct status_account *a;
	int r = 0;

	while (f && !r && (entry = fgetpwent(f))) {
		const struct account_id id = uid_id(entry->pw_uid);

		a = status_known(s, &id);
		if (!a || a->name)
			continue;
		account_user_name(id.uid, entry->pw_name, name, sizeof(name));
		a->name = strdup(name);
		r = a->name ? 0 : -ENOMEM;
	}
	if (f)
		fclose(f);
	return r;
}

int status_finish(struct status *s)
{
	if (name_users(s, USERS_FILE))
		return -ENOMEM;
	for (size_t i = 0; i < s->accounts_count; i++)
		if (finish_account(s->accounts[i]))
			return -ENOMEM;
	for (size_t i = 0; i < s->accounts_count; i++)
		status_service_finish(s, s->accounts[i]);
	if (s->accounts_count)
		qsort(s->accounts, s->accounts_count, sizeof(*s->accounts), nearest_first);
	losses_finish(s);
	status_feeds_finish(s);
	status_tls_finish(s);
	return 0;
}
