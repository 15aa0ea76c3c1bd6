// SPDX-License-Identifier: GPL-2.0-only
/*
 * suspended_list.c - the file `suspended` from the kernel's maps.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "who/account.h"
#include "base/log.h"
#include "refusal_text.h"
#include "suspended.h"
#include "suspended_list.h"

struct listing {
	const struct suspended_list *list;
	struct suspended_writer *writer;
	uint32_t *uids; /* suspended; in order once all are there */
	size_t uids_count;
	size_t uids_room;
};

/* One line. domain: of the text; "": the account's own. Strangers choose names of domains: one that
 * cannot be a line is left out, and keeps nobody else out of the file. */
static int list_name(struct listing *l, const struct account_id *id, const char *name,
		     const char *domain)
{
	struct responder_answer refusal = {};
	char text[SUSPENDED_TEXT_SIZE];
	int err;

	if (!l->list->refusal(l->list->arg, id, &refusal))
		return 0;
	/* Whoever reads it says how long that is, and whom to ask. */
	refusal.now_wall_s = 0;
	refusal.contact[0] = '\0';
	refusal.names_sender = 1;
	refusal_text(&refusal, domain, text, sizeof(text));
	err = suspended_add(l->writer, name, text);
	return err == -EINVAL ? 0 : err;
}

static int note_uid(struct listing *l, uint32_t uid)
{
	size_t room = l->uids_room ? 2 * l->uids_room : 64;
	uint32_t *grown;

	if (l->uids_count == l->uids_room) {
		grown = reallocarray(l->uids, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		l->uids = grown;
		l->uids_room = room;
	}
	l->uids[l->uids_count++] = uid;
	return 0;
}

static int compare_uids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int list_uid(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = *uid};
	char name[ACCOUNT_NAME_SIZE], number[16];
	struct listing *l = arg;
	int err;

	if (value->role != SMTPL_ROLE_DIRECT || value->suspension.until_ns <= l->list->now_ns)
		return 0;
	err = note_uid(l, *uid);
	snprintf(number, sizeof(number), "%" PRIu32, *uid);
	account_name(&id, name, sizeof(name));
	if (!err && !strchr(name, ':'))
		err = list_name(l, &id, name, "");
	return err ? err : list_name(l, &id, number, "");
}

/* One that a user pays for is listed with that user. One without a dot would be taken for the user,
 * or the uid, of that name. */
static int list_domain(void *arg, const struct smtpl_domain_key *key,
		       const struct smtpl_suspension *suspension)
{
	struct listing *l = arg;
	struct account_id id;

	if (suspension->until_ns <= l->list->now_ns ||
	    payer_of_domain(&l->list->payer, l->list->arg, key->domain, &id) != PAYER_ACCOUNT ||
	    id.kind != ACCOUNT_DOMAIN || !strchr(id.domain, '.'))
		return 0;
	return list_name(l, &id, id.domain, id.domain);
}

static int list_owned(void *arg, const char *domain, uint32_t uid)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = uid};
	struct listing *l = arg;

	if (!bsearch(&uid, l->uids, l->uids_count, sizeof(uid), compare_uids))
		return 0;
	return list_name(l, &id, domain, domain);
}

static int list_all(struct listing *l)
{
	int err = bpf_maps_each_uid(l->list->maps, list_uid, l);

	if (!err)
		err = bpf_maps_each_domain(l->list->maps, list_domain, l);
	if (err || !l->uids_count)
		return err;
	qsort(l->uids, l->uids_count, sizeof(*l->uids), compare_uids);
	return owners_each(l->list->owners, list_owned, l);
}

int suspended_list_write(const struct suspended_list *list)
{
	struct listing l = {.list = list};
	int err = suspended_begin(list->run, &l.writer);

	if (err)
		return err;
	err = list_all(&l);
	free(l.uids);
	if (!err)
		return suspended_commit(l.writer);
	suspended_abandon(l.writer);
	return err;
}

void suspended_figures(const struct account_id *id, const struct smtpl_suspension *suspension,
		       const char *own_domain, int64_t until_wall_s, int64_t now_wall_s,
		       struct responder_answer *answer)
{
	char name[ACCOUNT_NAME_SIZE];

	account_name(id, name, sizeof(name));
	log_escape(own_domain[0] ? own_domain : name, SMTPL_DOMAIN_SIZE, 0, answer->domain,
		   sizeof(answer->domain));
	answer->known = 1;
	answer->bad = suspension->bad;
	answer->min = suspension->min;
	answer->percent = suspension->percent;
	answer->by_hand = suspension->by_hand != 0;
	answer->until_wall_s = until_wall_s;
	answer->now_wall_s = now_wall_s;
}
