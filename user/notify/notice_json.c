// SPDX-License-Identifier: GPL-2.0-only
/*
 * notice_json.c - notices in JSON, by jansson.
 */
#include <jansson.h>
#include <stdlib.h>
#include "base/log.h"
#include "notice_json.h"

#define STRING_MAX 512

/* What is not known is null. */
static json_t *json_text(const char *text)
{
	char printable[4 * STRING_MAX + 1];

	if (!text[0])
		return json_null();
	return json_string(log_escape(text, STRING_MAX, 1, printable, sizeof(printable)));
}

static json_t *json_time(int64_t time_s)
{
	return time_s ? json_integer(time_s) : json_null();
}

static json_t *json_groups(const struct notice *n)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < n->groups; i++) {
		const struct notice_group *g = &n->group[i];

		json_array_append_new(
			array, json_pack("{s:o, s:o, s:I, s:o}", "class", json_text(g->class),
					 "remote", json_text(g->remote), "count",
					 (json_int_t)g->count, "example", json_text(g->example)));
	}
	return array;
}

static json_t *json_recipients(const struct notice *n)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < n->recipients; i++) {
		const struct notice_recipient *r = &n->recipient[i];

		json_array_append_new(
			array,
			json_pack("{s:o, s:o, s:o, s:o}", "address", json_text(r->address), "code",
				  r->code ? json_integer(r->code) : json_null(), "enhanced",
				  json_text(r->enhanced), "text", json_text(r->text)));
	}
	return array;
}

static char *dump(json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return text;
}

#define INTEGER(field) json_integer((json_int_t)(field))

char *notice_json(const struct notice *n, const char *host)
{
	return dump(json_pack(
		"{s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o, s:o, s:o, s:o, s:o}",
		"kind", notice_kind_name(n->kind), "host", json_text(host), "time",
		json_time(n->time_s), "account", json_text(n->account), "domain",
		json_text(n->domain), "simulated", n->simulated, "by_hand", n->by_hand, "reason",
		json_text(n->reason), "since", json_time(n->since_s), "until",
		json_time(n->until_s), "bad", INTEGER(n->bad), "min_failures",
		INTEGER(n->min_failures), "percent", INTEGER(n->percent), "window",
		INTEGER(n->window_s), "headroom", INTEGER(n->headroom), "remote",
		json_text(n->remote), "accounts_bad", INTEGER(n->accounts_bad), "accounts_tried",
		INTEGER(n->accounts_tried), "repeated", INTEGER(n->repeated), "text",
		json_text(n->text), "replies", json_groups(n), "recipients", json_recipients(n)));
}

static json_t *json_kinds(const struct notice_digest *d)
{
	json_t *object = json_object();

	for (uint32_t kind = 1; kind < NOTICE_KINDS; kind++)
		if (d->kinds[kind])
			json_object_set_new(object, notice_kind_name(kind),
					    INTEGER(d->kinds[kind]));
	return object;
}

static json_t *json_entries(const struct notice_digest *d, uint32_t max)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < d->entries && i < max; i++) {
		const struct notice_digest_entry *e = &d->entry[i];

		json_array_append_new(array,
				      json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:o}", "kind",
						notice_kind_name(e->kind), "account",
						json_text(e->account), "domain",
						json_text(e->domain), "simulated", e->simulated,
						"percent", INTEGER(e->percent), "until",
						json_time(e->until_s), "text", json_text(e->text)));
	}
	return array;
}

char *notice_json_digest(const struct notice_digest *d, const char *host, uint32_t notices_max)
{
	return dump(json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", "digest", "host",
			      json_text(host), "time", json_time(d->first_s), "last",
			      json_time(d->last_s), "count", INTEGER(d->count), "simulated",
			      INTEGER(d->simulated), "kinds", json_kinds(d), "notices",
			      json_entries(d, notices_max)));
}
