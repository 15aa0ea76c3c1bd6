// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent_suspended.c - what is in the kernel's maps, as the file `suspended`: for mail servers that
 * find no agent. Each account stands there under every name that a server may know it by.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "agent.h"
#include "log.h"
#include "suspended.h"

struct listing {
	struct agent *agent;
	struct suspended_writer *writer;
	uint64_t now_ns;
};

/* One line. *domain: of the text; NULL: the account's own. */
static int list_name(struct listing *l, const struct account_id *id, const char *name,
		     const char *domain)
{
	struct responder_answer refusal = {};
	char text[SUSPENDED_TEXT_SIZE];

	if (!agent_refusal(l->agent, id, &refusal))
		return 0;
	responder_text(&refusal, domain, text, sizeof(text));
	return suspended_add(l->writer, name, text);
}

static int list_uid(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = *uid};
	char name[ACCOUNT_NAME_SIZE], number[16];
	struct listing *l = arg;
	int err = 0;

	if (value->role != SMTPL_ROLE_DIRECT || value->suspension.until_ns <= l->now_ns)
		return 0;
	snprintf(number, sizeof(number), "%" PRIu32, *uid);
	account_name(&id, name, sizeof(name));
	if (!strchr(name, ':'))
		err = list_name(l, &id, name, NULL);
	return err ? err : list_name(l, &id, number, NULL);
}

static int list_domain(void *arg, const struct smtpl_domain_key *key,
		       const struct smtpl_suspension *suspension)
{
	struct account_id id = {.kind = ACCOUNT_DOMAIN};
	struct listing *l = arg;
	uint32_t uid;

	memcpy(id.domain, key->domain, sizeof(id.domain));
	if (suspension->until_ns <= l->now_ns || agent_owner(l->agent, id.domain, &uid))
		return 0;
	return list_name(l, &id, id.domain, id.domain);
}

static int list_owned(void *arg, const char *domain, uint32_t uid)
{
	const struct account_id id = {.kind = ACCOUNT_UID, .uid = uid};

	return list_name(arg, &id, domain, domain);
}

static int list_all(struct listing *l)
{
	struct agent *a = l->agent;
	int err = bpf_maps_each_uid(a->maps, list_uid, l);

	if (!err)
		err = bpf_maps_each_domain(a->maps, list_domain, l);
	return err ? err : owners_each(a->owners.owners, list_owned, l);
}

void agent_list_suspended(struct agent *a)
{
	struct listing l = {.agent = a, .now_ns = agent_now_ns()};
	int err = suspended_begin(a->config.run, &l.writer);

	a->list_stale = false;
	if (!err) {
		err = list_all(&l);
		if (err)
			suspended_abandon(l.writer);
		else
			err = suspended_commit(l.writer);
	}
	if (err)
		log_error("cannot write \"%s/" SUSPENDED_FILE "\": %s", a->config.run,
			  strerror(-err));
}
