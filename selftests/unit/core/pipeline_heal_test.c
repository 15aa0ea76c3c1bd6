// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipeline_heal_test.c - lost events: every attempt is taken in exactly once, whatever is lost,
 * whenever the map is read, in whatever order the CPUs count. The simulation has a ring of records
 * in the order of their reservation, CPUs that are between reserving, counting and submitting, and
 * a reader that stops at a record not submitted, as the kernel's ring buffer has it.
 */
#include <errno.h>
#include "base/clock.h"
#include "pipeline_events.h"

static const struct verdict_rule never = {.window_s = 86400,
					  .suspend_s = 3600,
					  .percent = 100,
					  .min_failures = 1000000,
					  .one_remote = 100};

static void lose(struct fixture *f, enum smtp_outcome o, uint32_t count)
{
	event_outcome(f, o, SMTP_SUBJECT_REST, 0, count);
}

static void test_nothing_missing(void **state)
{
	struct fixture *f = *state;

	anonymous(f, SMTP_FAILED, 3);
	snapshot(f);
	snapshot(f);
	anonymous(f, SMTP_DELIVERED, 2);
	snapshot(f);
	assert_window(f, 2, 0, 3);
	assert_int_equal(pipeline_stats(f->p).healed, 0);
	assert_int_equal(pipeline_stats(f->p).attempts, 5);
}

/* The verdict follows from the map alone. */
static void test_verdict_from_totals(void **state)
{
	struct fixture *f = *state;

	lose(f, SMTP_FAILED, 3);
	lose(f, SMTP_DEFERRED, 1);
	lose(f, SMTP_DELIVERED, 5);
	lose(f, SMTP_UNKNOWN, 9);
	snapshot(f);
	assert_window(f, 5, 1, 3);
	assert_int_equal(f->suspended, 0);
	lose(f, SMTP_FAILED, 1);
	snapshot(f);
	assert_int_equal(f->suspended, 1);
	assert_int_equal(f->verdict.bad, 5);
	assert_int_equal(f->verdict.percent, 50);
	assert_int_equal(pipeline_stats(f->p).healed, 19);
}

/* Nobody is judged by a part: the failures of one domain and the delivered mails of another. */
static void test_all_before_any_verdict(void **state)
{
	const struct smtpl_count bad = {.failed = 10}, good = {.delivered = 11};
	struct fixture *f = *state;

	pipeline_snapshot_begin(f->p);
	assert_int_equal(pipeline_snapshot_key(f->p, ALICE, "a.example", &bad), 0);
	assert_int_equal(pipeline_snapshot_key(f->p, ALICE, "b.example", &good), 0);
	assert_int_equal(pipeline_snapshot_key(f->p, BOB, "b.example", &good), 0);
	assert_int_equal(pipeline_snapshot_key(f->p, BOB, "a.example", &bad), 0);
	pipeline_snapshot_end(f->p, f->now * NS_PER_S);
	assert_int_equal(f->suspended, 0);
	assert_window(f, 11, 0, 10);
}

/* In the ring while the map was read: before the reading, after it, and before it but too late. */
static void test_split_by_reading(void **state)
{
	struct fixture *f = *state;
	struct smtpl_event_outcome first = event_outcome(f, SMTP_FAILED, SMTP_SUBJECT_REST, 0, 1);
	struct smtpl_event_outcome second = event_outcome(f, SMTP_FAILED, SMTP_SUBJECT_REST, 0, 1);
	struct smtpl_event_outcome third;

	pipeline_snapshot_begin(f->p);
	assert_int_equal(pipeline_snapshot_key(f->p, f->uid, f->domain, &f->count), 0);
	third = event_outcome(f, SMTP_FAILED, SMTP_SUBJECT_REST, 0, 1);
	send(f, &third, sizeof(third));
	send(f, &second, sizeof(second));
	pipeline_snapshot_end(f->p, f->now * NS_PER_S);
	assert_window(f, 0, 0, 3);
	assert_int_equal(pipeline_stats(f->p).healed, 1);
	send(f, &first, sizeof(first));
	assert_window(f, 0, 0, 3);
	assert_int_equal(pipeline_stats(f->p).late, 1);
	snapshot(f);
	assert_int_equal(pipeline_stats(f->p).attempts, 3);
}

static void test_begin_and_no_end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pipeline_snapshot_key(f->p, f->uid, f->domain, &f->count), -EINVAL);
	pipeline_snapshot_end(f->p, f->now * NS_PER_S);
	lose(f, SMTP_FAILED, 1);
	pipeline_snapshot_begin(f->p);
	assert_int_equal(pipeline_snapshot_key(f->p, f->uid, f->domain, &f->count), 0);
	anonymous(f, SMTP_FAILED, 1);
	snapshot(f);
	assert_window(f, 0, 0, 2);
	assert_int_equal(pipeline_stats(f->p).healed, 1);
}

/* The maps were made anew: what is in them is the new beginning, never a negative heal. */
static void test_totals_fell(void **state)
{
	struct fixture *f = *state;

	anonymous(f, SMTP_DELIVERED, 10);
	f->count.delivered = 4;
	snapshot(f);
	assert_int_equal(pipeline_stats(f->p).resets, 1);
	assert_int_equal(pipeline_stats(f->p).healed, 0);
	anonymous(f, SMTP_DELIVERED, 1);
	lose(f, SMTP_DELIVERED, 1);
	snapshot(f);
	assert_window(f, 12, 0, 0);
	assert_int_equal(pipeline_stats(f->p).healed, 1);
}

/* What happened while no daemon ran counts when it happened, as far as the kernel knows. */
static void test_old_losses(void **state)
{
	struct fixture *f = *state;

	lose(f, SMTP_FAILED, 10);
	f->now += 3600;
	snapshot(f);
	assert_int_equal(f->suspended, 0);
	assert_window(f, 0, 0, 0);
	assert_int_equal(pipeline_stats(f->p).healed, 10);
	/* The time of the last reading is not the time of what came since. */
	f->count.failed += 10;
	snapshot(f);
	assert_int_equal(f->suspended, 1);
}

static void test_while_suspended(void **state)
{
	struct fixture *f = *state;

	anonymous(f, SMTP_FAILED, 5);
	lose(f, SMTP_FAILED, 10);
	snapshot(f);
	assert_window(f, 0, 0, 5);
	f->now += 3600;
	snapshot(f);
	anonymous(f, SMTP_FAILED, 1);
	assert_window(f, 0, 0, 1);
}

static void test_reader_stopped(void **state)
{
	struct fixture *f = *state;

	set_rule(f, &never);
	for (int i = 0; i < 10000; i++)
		lose(f, SMTP_DELIVERED + i % 4, 1);
	snapshot(f);
	assert_window(f, 2500, 2500, 2500);
	assert_int_equal(pipeline_stats(f->p).healed, 10000);
	assert_int_equal(pipeline_stats(f->p).attempts, 10000);
}

/* ---- the simulation ---- */

#define KEYS 3
#define CPUS 4
#define RING 20000

struct cpu {
	int step;  /* 0: idle; 1: reserved or lost; 2: counted */
	int place; /* in the ring; -1: lost */
	int key;
	enum smtp_outcome outcome;
	uint32_t count;
	struct smtpl_totals totals;
};

struct machine {
	struct fixture *f;
	uint64_t seed;
	struct cpu cpus[CPUS];
	struct smtpl_count counts[KEYS];
	struct smtpl_event_outcome *ring;
	bool *submitted;
	int producer;
	int consumer;
	uint64_t lost;
};

static const char *const domains[KEYS] = {"a.example", "b.example", ""};

static uint64_t chance(struct machine *m, uint64_t below)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return m->seed % below;
}

static void cpu_step(struct machine *m, struct cpu *c)
{
	struct smtpl_event_outcome *e = &m->ring[c->place < 0 ? 0 : c->place];

	switch (c->step) {
	case 0:
		c->key = chance(m, KEYS);
		c->outcome = SMTP_DELIVERED + chance(m, 4);
		c->count = 1 + chance(m, 3);
		c->place = chance(m, 3) ? m->producer++ : -1;
		assert_true(m->producer < RING);
		break;
	case 1:
		*count_field(&m->counts[c->key], c->outcome) += c->count;
		c->totals = event_totals(&m->counts[c->key]);
		break;
	case 2:
		if (c->place < 0) {
			m->lost += c->count;
			break;
		}
		*e = (struct smtpl_event_outcome){.head = event_head(m->f, SMTPL_EVENT_OUTCOME),
						  .totals = c->totals,
						  .count = c->count,
						  .outcome = c->outcome,
						  .subject = SMTP_SUBJECT_REST};
		snprintf(e->domain, sizeof(e->domain), "%s", domains[c->key]);
		m->submitted[c->place] = true;
		break;
	}
	c->step = (c->step + 1) % 3;
}

static void machine_run(struct machine *m, int steps)
{
	while (steps-- > 0)
		cpu_step(m, &m->cpus[chance(m, CPUS)]);
}

static void machine_read(struct machine *m, int records)
{
	while (records-- > 0 && m->consumer < m->producer && m->submitted[m->consumer]) {
		send(m->f, &m->ring[m->consumer], sizeof(m->ring[0]));
		m->consumer++;
	}
}

static void machine_snapshot(struct machine *m)
{
	int noted;

	pipeline_snapshot_begin(m->f->p);
	for (int i = 0; i < KEYS; i++) {
		assert_int_equal(pipeline_snapshot_key(m->f->p, ALICE, domains[i], &m->counts[i]),
				 0);
		machine_run(m, chance(m, 4)); /* the map is not read at one moment */
		machine_read(m, chance(m, 3));
	}
	noted = m->producer;
	while (m->consumer < noted) {
		machine_read(m, 5);
		machine_run(m, chance(m, 4));
	}
	pipeline_snapshot_end(m->f->p, m->f->now * NS_PER_S);
}

static int add_totals(void *arg, uint32_t uid, const char *domain,
		      const struct smtpl_totals *accounted)
{
	struct machine *m = arg;

	(void)uid;
	for (int i = 0; i < KEYS; i++) {
		if (strcmp(domains[i], domain) != 0)
			continue;
		/* Never more than was counted. */
		assert_true(accounted->delivered <= m->counts[i].delivered);
		assert_true(accounted->deferred <= m->counts[i].deferred);
		assert_true(accounted->failed <= m->counts[i].failed);
		assert_true(accounted->unknown <= m->counts[i].unknown);
	}
	return 0;
}

static int equal_totals(void *arg, uint32_t uid, const char *domain,
			const struct smtpl_totals *accounted)
{
	struct machine *m = arg;

	(void)uid;
	for (int i = 0; i < KEYS; i++) {
		struct smtpl_totals truth = event_totals(&m->counts[i]);

		if (strcmp(domains[i], domain) == 0)
			assert_memory_equal(accounted, &truth, sizeof(truth));
	}
	return 0;
}

static void machine_check_end(struct machine *m)
{
	uint64_t delivered = 0, deferred = 0, failed = 0, unknown = 0;

	for (int i = 0; i < CPUS; i++)
		while (m->cpus[i].step != 0)
			cpu_step(m, &m->cpus[i]);
	machine_read(m, RING);
	pipeline_snapshot_begin(m->f->p);
	for (int i = 0; i < KEYS; i++) {
		assert_int_equal(pipeline_snapshot_key(m->f->p, ALICE, domains[i], &m->counts[i]),
				 0);
		delivered += m->counts[i].delivered;
		deferred += m->counts[i].deferred;
		failed += m->counts[i].failed;
		unknown += m->counts[i].unknown;
	}
	pipeline_snapshot_end(m->f->p, m->f->now * NS_PER_S);
	assert_window(m->f, delivered, deferred, failed);
	assert_int_equal(pipeline_each_dirty_key(m->f->p, equal_totals, m), 0);
	assert_int_equal(pipeline_stats(m->f->p).attempts, delivered + deferred + failed + unknown);
	assert_int_equal(pipeline_stats(m->f->p).healed, m->lost);
	assert_int_equal(pipeline_stats(m->f->p).late, 0);
}

static void simulate(struct fixture *f, uint64_t seed)
{
	struct machine m = {.f = f, .seed = seed};

	m.ring = calloc(RING, sizeof(*m.ring));
	m.submitted = calloc(RING, sizeof(*m.submitted));
	assert_true(m.ring && m.submitted);
	for (int round = 0; round < 100; round++) {
		machine_run(&m, chance(&m, 60));
		machine_read(&m, chance(&m, 30));
		if (chance(&m, 3) == 0)
			machine_snapshot(&m);
		assert_int_equal(pipeline_each_dirty_key(f->p, add_totals, &m), 0);
		assert_true(pipeline_stats(f->p).healed <= m.lost + CPUS * 3);
	}
	assert_true(m.lost > 100);
	machine_check_end(&m);
	free(m.ring);
	free(m.submitted);
}

static void test_simulation(void **state)
{
	print_message("# seeds 1..100\n");
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct fixture *f;

		assert_int_equal(fixture_setup(state), 0);
		f = *state;
		set_rule(f, &never);
		simulate(f, seed * 0x9e3779b97f4a7c15ull);
		fixture_teardown(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_missing),
		TEST(test_verdict_from_totals),
		TEST(test_all_before_any_verdict),
		TEST(test_split_by_reading),
		TEST(test_begin_and_no_end),
		TEST(test_totals_fell),
		TEST(test_old_losses),
		TEST(test_while_suspended),
		TEST(test_reader_stopped),
		cmocka_unit_test(test_simulation),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("pipeline_heal", tests, NULL, NULL);
}
