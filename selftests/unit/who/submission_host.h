/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * submission_host.h - the host that the tests of submission.c have, and how a row of theirs is
 * checked.
 *
 * alice (1001) owns a.example and list.example, bob (1002) b.example, eve (1003) is exempt and
 * owns e.example, postfix (89) is a relay and owns relay.example, spamd (90) is a content filter
 * and owns f.example, list (38) is a list manager. 203.0.113.5 is a trusted host.
 */
#ifndef SMTPL_SUBMISSION_HOST_H
#define SMTPL_SUBMISSION_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include "who/submission.h"

#define ALICE	   1001
#define BOB	   1002
#define EVE	   1003
#define POSTFIX	   89
#define SPAMD	   90
#define LIST	   38
#define BY_ALICE   "127.0.0.1", 40001
#define BY_POSTFIX "127.0.0.1", 40089
#define BY_SPAMD   "127.0.0.1", 40090
#define BY_LIST	   "127.0.0.1", 40038
#define BY_UNKNOWN "127.0.0.1", 40000
#define OUTSIDE	   "198.51.100.7", 40001
#define TRUSTED	   "203.0.113.5", 40001
#define NOWHERE	   NULL, 0

#define ACCOUNT	   SUBMISSION_HAS_ACCOUNT
#define UID	   SUBMISSION_HAS_UID
#define CALLER	   SUBMISSION_HAS_CALLER
#define REDIRECTED SUBMISSION_REDIRECTED
#define INTERNAL   SUBMISSION_INTERNAL
#define NO_SENDER  SUBMISSION_NO_SENDER
#define AGAIN	   (SUBMISSION_HAS_UID | SUBMISSION_AGAIN)

static enum smtpl_role role_of(void *arg, uint32_t uid)
{
	(void)arg;
	/* Not root: that one is nobody's choice. */
	return uid == EVE     ? SMTPL_ROLE_EXEMPT :
	       uid == POSTFIX ? SMTPL_ROLE_RELAY :
	       uid == SPAMD   ? SMTPL_ROLE_SERVICE :
	       uid == LIST    ? SMTPL_ROLE_LISTS :
				SMTPL_ROLE_DIRECT;
}

static bool find(const char *const *names, const uint32_t *uids, const char *name, uint32_t *uid)
{
	size_t i;

	for (i = 0; names[i]; i++) {
		if (strcmp(names[i], name))
			continue;
		*uid = uids[i];
		return true;
	}
	return false;
}

static bool owner_of(void *arg, const char *domain, uint32_t *uid)
{
	static const char *const names[] = {"a.example", "list.example",  "b.example",
					    "e.example", "relay.example", "f.example",
					    NULL};
	static const uint32_t uids[] = {ALICE, ALICE, BOB, EVE, POSTFIX, SPAMD};

	(void)arg;
	return find(names, uids, domain, uid);
}

static bool user_of(void *arg, const char *name, uint32_t *uid)
{
	static const char *const names[] = {"alice", "bob", "eve", "postfix", "root", "a+b", NULL};
	static const uint32_t uids[] = {ALICE, BOB, EVE, POSTFIX, 0, ALICE};

	(void)arg;
	return find(names, uids, name, uid);
}

static bool is_own_name(void *arg, const char *domain)
{
	(void)arg;
	return !strcmp(domain, "host.example") || !strcmp(domain, "a.example");
}

static bool is_local(void *arg, const uint8_t addr[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};

	(void)arg;
	return memcmp(addr, mapped, 12) == 0 && addr[12] == 127;
}

static bool is_trusted(void *arg, const uint8_t addr[16])
{
	static const uint8_t web[4] = {203, 0, 113, 5};

	(void)arg;
	return memcmp(addr + 12, web, sizeof(web)) == 0;
}

/* Of alice's port bob speaks to port 587. */
static bool caller_of(void *arg, const struct submission *o, uint32_t *uid)
{
	assert_true(is_local(arg, o->client));
	assert_int_not_equal(o->client_port, 0);
	if (o->client_port == 40000)
		return false;
	*uid = o->client_port != 40001 ? o->client_port - 40000 :
	       o->server_port == 587   ? BOB :
					 ALICE;
	return true;
}

static const struct submission_ops plain = {.payer = {role_of, owner_of},
					    .user = user_of,
					    .own_name = is_own_name,
					    .local = is_local,
					    .trusted = is_trusted,
					    .caller = caller_of};
static const struct submission_ops counting = {.payer = {role_of, owner_of},
					       .user = user_of,
					       .own_name = is_own_name,
					       .local = is_local,
					       .trusted = is_trusted,
					       .caller = caller_of,
					       .count_forwards = true};

struct row {
	const char *name;
	uint32_t known;
	const char *account; /* "uid:N", "domain:X" */
	const char *auth;
	uint32_t uid; /* of UID and CALLER */
	const char *client;
	uint32_t port;
	const char *sender;
	const char *forwarder;
	const char *expected; /* "uid:N", "domain:X", or why nobody */
	const char *counted;  /* the same with count_forwards; NULL: no difference */
	bool inbound;
};

/* One charge a name. */
static const char *charge_name(enum payer_kind charge, const struct account_id *id, char *text,
			       size_t size)
{
	static const char *const names[] = {
		[PAYER_NULL_SENDER] = "null",
		[PAYER_FORWARD] = "forward",
		[PAYER_EXEMPT] = "exempt",
		[PAYER_NOBODY] = "nobody",
	};

	if (charge != PAYER_ACCOUNT)
		return names[charge];
	if (id->kind == ACCOUNT_UID)
		snprintf(text, size, "uid:%u", id->uid);
	else
		snprintf(text, size, "domain:%s", id->domain);
	return text;
}

static struct account_id account_from(const char *text)
{
	struct account_id id = {0};

	if (!text)
		return id;
	if (sscanf(text, "uid:%u", &id.uid) == 1)
		id.kind = ACCOUNT_UID;
	else if (sscanf(text, "domain:%127s", id.domain) == 1)
		id.kind = ACCOUNT_DOMAIN;
	else
		id.kind = (enum account_kind)7;
	return id;
}

static struct submission submission_from(const struct row *row)
{
	struct submission o = {.known = row->known, .uid = row->uid, .caller = row->uid};

	o.account = account_from(row->account);
	snprintf(o.auth, sizeof(o.auth), "%s", row->auth ? row->auth : "");
	snprintf(o.sender, sizeof(o.sender), "%s", row->sender ? row->sender : "");
	snprintf(o.forwarder, sizeof(o.forwarder), "%s", row->forwarder ? row->forwarder : "");
	if (row->client) {
		o.known |= SUBMISSION_HAS_CLIENT;
		o.client[10] = o.client[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, row->client, o.client + 12), 1);
		o.client_port = row->port;
	}
	return o;
}

static void check(const struct row *row, const struct submission_ops *ops, const char *expected)
{
	static const struct account_id untouched = {.kind = ACCOUNT_UID, .uid = 4242};
	struct submission o = submission_from(row);
	struct account_id id = untouched;
	enum payer_why why;
	enum payer_kind charge = submission_payer(&o, ops, NULL, &id, &why);
	char text[256];
	const char *got = charge_name(charge, &id, text, sizeof(text));

	if (strcmp(got, expected))
		fail_msg("%s%s: %s, not %s", row->name, ops->count_forwards ? " (counting)" : "",
			 got, expected);
	if (charge != PAYER_ACCOUNT)
		assert_memory_equal(&id, &untouched, sizeof(id));
	if (submission_is_inbound(&o, ops, NULL) != row->inbound)
		fail_msg("%s: inbound is wrong", row->name);
}

static void check_rows(const struct row *rows, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		check(&rows[i], &plain, rows[i].expected);
		check(&rows[i], &counting, rows[i].counted ? rows[i].counted : rows[i].expected);
	}
}

#define CHECK(rows)		    check_rows(rows, sizeof(rows) / sizeof(*(rows)))
#define ALWAYS(expected)	    expected, NULL, false
#define COUNTING(expected, counted) expected, counted, false
#define INBOUND(expected, counted)  expected, counted, true
/* Of bob's, which only counts when nothing better is known. */
#define SENT "x@b.example"

#endif
