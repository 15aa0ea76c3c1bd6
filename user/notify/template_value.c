// SPDX-License-Identifier: GPL-2.0-only
/*
 * template_value.c - what each placeholder of a template stands for.
 */
#include <stdio.h>
#include <string.h>
#include "core/reply_class.h"
#include "template.h"

typedef void (*value_writer)(const struct template_subject *s, const struct notice *n,
			     struct notify_text *out);

static void write_account(const struct template_subject *s, const struct notice *n,
			  struct notify_text *out)
{
	(void)s;
	notify_text_untrusted(out, n->account);
}

static void write_domain(const struct template_subject *s, const struct notice *n,
			 struct notify_text *out)
{
	(void)s;
	notify_text_untrusted(out, n->domain[0] ? n->domain : n->account);
}

static void write_host(const struct template_subject *s, const struct notice *n,
		       struct notify_text *out)
{
	(void)n;
	notify_text_untrusted(out, s->host);
}

static void write_kind(const struct template_subject *s, const struct notice *n,
		       struct notify_text *out)
{
	notify_text_add(out, "%s", s->digest ? "digest" : notice_kind_name(n->kind));
}

static void write_since(const struct template_subject *s, const struct notice *n,
			struct notify_text *out)
{
	(void)s;
	notify_text_time(out, n->since_s ? n->since_s : n->time_s);
}

static void write_until(const struct template_subject *s, const struct notice *n,
			struct notify_text *out)
{
	(void)s;
	notify_text_time(out, n->until_s);
}

static void write_time(const struct template_subject *s, const struct notice *n,
		       struct notify_text *out)
{
	notify_text_time(out, s->digest ? s->digest->first_s : n->time_s);
}

static void write_length(const struct template_subject *s, const struct notice *n,
			 struct notify_text *out)
{
	(void)s;
	notify_text_length(out, n->until_s - n->since_s);
}

static void write_window(const struct template_subject *s, const struct notice *n,
			 struct notify_text *out)
{
	(void)s;
	notify_text_length(out, n->window_s);
}

#define NUMBER(name, value)                                                                        \
	static void write_##name(const struct template_subject *s, const struct notice *n,         \
				 struct notify_text *out)                                          \
	{                                                                                          \
		(void)s;                                                                           \
		(void)n;                                                                           \
		notify_text_add(out, "%llu", (unsigned long long)(value));                         \
	}

NUMBER(bad, n->bad)
NUMBER(min_failures, n->min_failures)
NUMBER(percent, n->percent)
NUMBER(headroom, n->headroom)
NUMBER(accounts_bad, n->accounts_bad)
NUMBER(accounts_tried, n->accounts_tried)
NUMBER(count, s->digest ? s->digest->count : 1)

static void write_remote(const struct template_subject *s, const struct notice *n,
			 struct notify_text *out)
{
	(void)s;
	notify_text_untrusted(out, n->remote);
}

static void write_text(const struct template_subject *s, const struct notice *n,
		       struct notify_text *out)
{
	(void)s;
	notify_text_untrusted(out, n->text);
}

/* What an administrator wrote down is for administrators, unless he said otherwise. */
static const char *reason(const struct template_subject *s, const struct notice *n)
{
	return s->customer && !n->tell ? "" : n->reason;
}

static void write_reason(const struct template_subject *s, const struct notice *n,
			 struct notify_text *out)
{
	notify_text_untrusted(out, reason(s, n));
}

/* In front of a subject, whose reader may see no more. */
static void write_observed(const struct template_subject *s, const struct notice *n,
			   struct notify_text *out)
{
	if (!s->digest && n->simulated)
		notify_text_add(out, "only observed: ");
}

static void write_simulated(const struct template_subject *s, const struct notice *n,
			    struct notify_text *out)
{
	if (s->digest ? s->digest->simulated > 0 : n->simulated)
		notify_text_add(out, "This is simulated (mode = observe): nobody was stopped.\n\n");
}

static void write_repeated(const struct template_subject *s, const struct notice *n,
			   struct notify_text *out)
{
	(void)s;
	if (n->repeated)
		notify_text_add(out,
				"The same happened %u more time%s before; of one kind, one "
				"notice an hour is sent.\n\n",
				n->repeated, n->repeated == 1 ? "" : "s");
}

static void write_why(const struct template_subject *s, const struct notice *n,
		      struct notify_text *out)
{
	if (n->by_hand) {
		notify_text_add(out, "It was done by hand%s", reason(s, n)[0] ? ": " : "");
		notify_text_untrusted(out, reason(s, n));
		notify_text_add(out, ".");
		return;
	}
	notify_text_add(out, "%llu of its mails were deferred or refused",
			(unsigned long long)n->bad);
	if (n->window_s) {
		notify_text_add(out, " within ");
		notify_text_length(out, n->window_s);
	}
	notify_text_add(out, ", which is %u %% of what it sent.", n->percent);
}

static const char *class_words(const char *class)
{
	static const char *const words[REPLY_CLASSES] = {
		[REPLY_RECIPIENT] = "the recipient does not exist or takes no mail",
		[REPLY_CONTENT] = "the message is refused for its content",
		[REPLY_LISTED] = "this server is on a block list",
		[REPLY_UNAUTHENTICATED] = "the sender is not authenticated (SPF, DKIM, DMARC)",
		[REPLY_RATE] = "too much mail in a short time",
		[REPLY_FULL] = "the mailbox is full",
		[REPLY_GREYLIST] = "a first attempt is put off",
		[REPLY_NO_ANSWER] = "the other server does not answer",
		[REPLY_OWN] = "a fault of this server",
		[REPLY_UNEXPLAINED] = "no cause is given",
	};
	enum reply_class known = reply_class_by_name(class, strlen(class));

	return known != REPLY_NONE && words[known] ? words[known] : "no cause is given";
}

static void write_replies(const struct template_subject *s, const struct notice *n,
			  struct notify_text *out)
{
	(void)s;
	for (unsigned int i = 0; i < n->groups; i++) {
		const struct notice_group *g = &n->group[i];

		notify_text_add(out, "  %u x %s", g->count, class_words(g->class));
		if (g->remote[0]) {
			notify_text_add(out, ", says ");
			notify_text_untrusted(out, g->remote);
		}
		if (g->example[0]) {
			notify_text_add(out, ":\n      ");
			notify_text_untrusted(out, g->example);
		}
		notify_text_add(out, "\n");
	}
	if (!n->groups)
		notify_text_add(out, "  (none are recorded)\n");
}

static void write_recipients(const struct template_subject *s, const struct notice *n,
			     struct notify_text *out)
{
	(void)s;
	for (unsigned int i = 0; i < n->recipients; i++) {
		const struct notice_recipient *r = &n->recipient[i];

		notify_text_add(out, "  ");
		notify_text_untrusted(out, r->address);
		notify_text_add(out, ": ");
		if (r->code)
			notify_text_add(out, "%u ", r->code);
		if (r->enhanced[0]) {
			notify_text_untrusted(out, r->enhanced);
			notify_text_add(out, " ");
		}
		notify_text_untrusted(out, r->text[0] ? r->text : "(no text)");
		notify_text_add(out, "\n");
	}
	if (!n->recipients)
		notify_text_add(out, "  (none are recorded)\n");
}

static void write_entry(const struct notice_digest_entry *e, struct notify_text *out)
{
	notify_text_add(out, "  %s", notice_kind_name(e->kind));
	if (e->account[0] || e->text[0])
		notify_text_add(out, "  ");
	notify_text_untrusted(out, e->account[0] ? e->account : e->text);
	if (e->domain[0] && e->account[0]) {
		notify_text_add(out, " (");
		notify_text_untrusted(out, e->domain);
		notify_text_add(out, ")");
	}
	if (e->until_s && e->kind == NOTICE_SUSPENDED) {
		notify_text_add(out, " until ");
		notify_text_time(out, e->until_s);
	}
	notify_text_add(out, "%s\n", e->simulated ? ", simulated" : "");
}

static void write_summary(const struct template_subject *s, const struct notice *n,
			  struct notify_text *out)
{
	const struct notice_digest *d = s->digest;

	(void)n;
	for (uint32_t kind = 1; d && kind < NOTICE_KINDS; kind++)
		if (d->kinds[kind])
			notify_text_add(out, "  %u x %s\n", d->kinds[kind], notice_kind_name(kind));
}

static void write_entries(const struct template_subject *s, const struct notice *n,
			  struct notify_text *out)
{
	const struct notice_digest *d = s->digest;

	(void)n;
	for (uint32_t i = 0; d && i < d->entries; i++)
		write_entry(&d->entry[i], out);
	if (d && d->count > d->entries)
		notify_text_add(out, "  and %u more\n", d->count - d->entries);
}

static const struct {
	const char *name;
	value_writer write;
} values[] = {
	{"account", write_account},
	{"accounts_bad", write_accounts_bad},
	{"accounts_tried", write_accounts_tried},
	{"bad", write_bad},
	{"count", write_count},
	{"domain", write_domain},
	{"entries", write_entries},
	{"headroom", write_headroom},
	{"host", write_host},
	{"kind", write_kind},
	{"length", write_length},
	{"min_failures", write_min_failures},
	{"observed", write_observed},
	{"percent", write_percent},
	{"reason", write_reason},
	{"recipients", write_recipients},
	{"remote", write_remote},
	{"repeated", write_repeated},
	{"replies", write_replies},
	{"simulated", write_simulated},
	{"since", write_since},
	{"summary", write_summary},
	{"text", write_text},
	{"time", write_time},
	{"until", write_until},
	{"why", write_why},
	{"window", write_window},
};

bool template_value(const char *name, size_t length, const struct template_subject *s,
		    struct notify_text *out)
{
	static const struct notice none; /* a digest is of no single notice */

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strlen(values[i].name) != length || strncmp(values[i].name, name, length))
			continue;
		values[i].write(s, s->notice ? s->notice : &none, out);
		return true;
	}
	return false;
}
