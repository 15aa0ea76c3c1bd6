// SPDX-License-Identifier: GPL-2.0-only
/*
 * prune_test.c - which keys are forgotten: only under pressure, only idle ones, the oldest first,
 * and no more than needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "core/prune.h"

#define RELAY	  100
#define ALICE	  1001
#define BOB	  1002
#define BEFORE_NS 1000000
#define THIRD	  (SMTPL_DOMAINS_PER_UID / 3)
#define HALF	  (SMTPL_DOMAINS_PER_UID / 2)

static enum smtpl_role role(void *arg, uint32_t uid)
{
	++*(int *)arg;
	return uid == RELAY ? SMTPL_ROLE_RELAY : SMTPL_ROLE_DIRECT;
}

static struct smtpl_count_key key_of(uint32_t uid, size_t n)
{
	struct smtpl_count_key key = {.uid = uid};

	if (n)
		snprintf(key.domain, sizeof(key.domain), "d%zu.example", n);
	return key;
}

/* A uid as the map has it: `says` in its "" entry, `count` domains, number n last used at ages(n).
 * */
struct user {
	uint32_t uid;
	uint64_t says;
	size_t count;
	uint64_t (*ages)(size_t n);
};

static uint64_t ages_up(size_t n)
{
	return n;
}

static uint64_t ages_down(size_t n)
{
	return BEFORE_NS - n;
}

static uint64_t ages_young(size_t n)
{
	return BEFORE_NS + n;
}

static uint64_t ages_none(size_t n)
{
	(void)n;
	return 0;
}

static void note(struct prune *p, const struct user *u)
{
	struct smtpl_count whole = {.domains = u->says, .last_ns = 1};

	for (size_t n = 0; n <= u->count; n++) {
		const struct smtpl_count_key key = key_of(u->uid, n);
		const struct smtpl_count none = {0};

		prune_note(p, &key, n ? &none : &whole);
	}
}

static void collect(struct prune *p, const struct user *u)
{
	for (size_t n = 0; n <= u->count; n++) {
		const struct smtpl_count_key key = key_of(u->uid, n);
		const struct smtpl_count count = {.last_ns = n ? u->ages(n) : 0};

		if (prune_candidate(p, &key, &count))
			prune_keep(p, &key, &count);
	}
}

struct result {
	bool pressed;
	int asked; /* for roles */
	size_t removed;
	uint64_t last_ns; /* of the last one removed */
};

static struct result prune(struct prune *p, const struct user *users, size_t count)
{
	struct result r = {0};

	prune_begin(p);
	for (size_t i = 0; i < count; i++)
		note(p, &users[i]);
	r.pressed = prune_pressed(p, role, &r.asked);
	if (!r.pressed)
		return r;
	assert_int_equal(prune_start(p, BEFORE_NS), 0);
	for (size_t i = 0; i < count; i++)
		collect(p, &users[i]);
	prune_choose(p);
	for (size_t i = 0; i < p->key_count; i++) {
		const struct prune_key *k = &p->keys[i];

		assert_true(k->key.domain[0]);
		assert_true(k->count.last_ns >= r.last_ns); /* the oldest first */
		if (!prune_wanted(p, k->key.uid))
			continue;
		prune_removed(p, k->key.uid);
		r.last_ns = k->count.last_ns;
		r.removed++;
	}
	prune_end(p);
	return r;
}

static const struct prune_uid *uid_of(const struct prune *p, uint32_t uid)
{
	for (size_t i = 0; i < p->uid_count; i++)
		if (p->uids[i].uid == uid)
			return &p->uids[i];
	fail_msg("uid %u is not there", uid);
	return NULL;
}

static void test_no_pressure(void **state)
{
	const struct user users[] = {
		{ALICE, HALF, HALF, ages_up},
		{RELAY, SMTPL_DOMAINS_PER_RELAY / 2, SMTPL_DOMAINS_PER_RELAY / 2, ages_up},
	};
	struct prune p = {0};
	struct result r = prune(&p, users, 2);

	(void)state;
	assert_false(r.pressed);
	assert_int_equal(r.asked, 1); /* with few domains the role does not matter */
	prune_free(&p);
}

static void test_down_to_a_third(void **state)
{
	const struct user users[] = {
		{BOB, HALF, HALF, ages_up},
		{ALICE, HALF + 1, HALF + 1, ages_down},
	};
	struct prune p = {0};
	struct result r = prune(&p, users, 2);

	(void)state;
	assert_true(r.pressed);
	assert_int_equal(r.removed, HALF + 1 - (THIRD - 1));
	assert_int_equal(r.last_ns, ages_down(THIRD));
	assert_int_equal(uid_of(&p, ALICE)->found, THIRD - 1);
	assert_int_equal(uid_of(&p, BOB)->found, HALF);
	assert_true(uid_of(&p, ALICE)->removed);
	assert_false(uid_of(&p, BOB)->removed);
	prune_free(&p);
}

static void test_the_young_stay(void **state)
{
	const struct user users[] = {
		{ALICE, SMTPL_DOMAINS_PER_UID, SMTPL_DOMAINS_PER_UID, ages_young},
		{BOB, SMTPL_DOMAINS_PER_UID, SMTPL_DOMAINS_PER_UID, ages_none}};
	struct prune p = {0};
	struct result r = prune(&p, users, 1);

	(void)state;
	assert_true(r.pressed);
	assert_int_equal(r.removed, 0);
	r = prune(&p, users, 2);
	assert_int_equal(r.removed, SMTPL_DOMAINS_PER_UID - THIRD + 1);
	assert_int_equal(uid_of(&p, ALICE)->found, SMTPL_DOMAINS_PER_UID);
	prune_free(&p);
}

/* The "" entry says more than there is: that is found out, and nothing is removed. */
static void test_what_it_says_is_wrong(void **state)
{
	const struct user users[] = {{ALICE, 2 * HALF, HALF, ages_up}};
	struct prune p = {0};
	struct result r = prune(&p, users, 1);

	(void)state;
	assert_true(r.pressed);
	assert_int_equal(r.removed, 0);
	assert_int_equal(uid_of(&p, ALICE)->bound, SMTPL_DOMAINS_PER_UID);
	assert_int_equal(uid_of(&p, ALICE)->domains, 2 * HALF);
	assert_int_equal(uid_of(&p, ALICE)->found, HALF);
	prune_free(&p);
}

/* At most PRUNE_MAX at once, of a relay's full share the oldest wherever they lie. */
static void test_bounded(void **state)
{
	const size_t full = SMTPL_DOMAINS_PER_RELAY;
	const struct user up = {RELAY, full, full, ages_up};
	const struct user down = {RELAY, full, full, ages_down};
	const struct user same = {RELAY, full, full, ages_none};
	struct prune p = {0};
	struct result r = prune(&p, &up, 1);

	(void)state;
	assert_int_equal(r.removed, PRUNE_MAX);
	assert_int_equal(r.last_ns, ages_up(PRUNE_MAX));
	r = prune(&p, &down, 1);
	assert_int_equal(r.removed, PRUNE_MAX);
	assert_int_equal(r.last_ns, ages_down(full - PRUNE_MAX + 1));
	r = prune(&p, &same, 1);
	assert_int_equal(r.removed, PRUNE_MAX);
	assert_int_equal(uid_of(&p, RELAY)->found, full - PRUNE_MAX);
	prune_free(&p);
}

/* Nobody uses too much, but all together do: then anybody's idle keys go. */
static void test_map_nearly_full(void **state)
{
	enum { MANY = SMTPL_COUNTS_MAX / 4 * 3 / (HALF + 1) };
	static struct user users[MANY + 1];
	struct prune p = {0};
	struct result r;
	uint64_t left = 0;

	(void)state;
	for (size_t i = 0; i <= MANY; i++)
		users[i] = (struct user){2000 + i, HALF, HALF, i ? ages_young : ages_up};
	assert_false(prune(&p, users, MANY).pressed);
	r = prune(&p, users, MANY + 1);
	assert_true(r.pressed);
	assert_int_equal(r.asked, 0);
	assert_int_equal(r.removed, HALF);
	for (size_t i = 0; i < p.uid_count; i++)
		left += p.uids[i].found;
	assert_int_equal(left, MANY * HALF);
	assert_true(uid_of(&p, 2000)->removed);
	prune_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_pressure),    cmocka_unit_test(test_down_to_a_third),
		cmocka_unit_test(test_the_young_stay), cmocka_unit_test(test_what_it_says_is_wrong),
		cmocka_unit_test(test_bounded),	       cmocka_unit_test(test_map_nearly_full),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("prune", tests, NULL, NULL);
}
