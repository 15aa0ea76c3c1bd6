// SPDX-License-Identifier: GPL-2.0-only
/*
 * prober_pause.c - a user can hold up the host each time that a probe is attached or detached. The
 * guard bounds how long; when it happens again and again, nothing is attached or detached for a
 * while. Existing probes stay, and are recovered afterwards like those of an earlier prober.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "prober_child.h"

#define WITHIN_NS (600 * NS_PER_S)
#define PAUSE_NS  (3600 * NS_PER_S)

/* Something stands still for so long only where the guard cannot help. */
#define HELPLESS_MS 3000

int prober_pause_start(struct prober_child *c)
{
	int err = guard_start(&c->guard);

	if (!err || err == -ENODEV)
		return 0;
	log_error("TLS: no guard that keeps users from holding up who puts probes: %s",
		  strerror(-err));
	return err;
}

static uint64_t pause_ns(void)
{
	const char *tests = getenv("SMTPLIMIT_TLS_PAUSE_S");

	return tests ? strtoul(tests, NULL, 10) * NS_PER_S : PAUSE_NS;
}

static void begin(struct prober_child *c, uint64_t now_ns)
{
	c->state.paused_ns = now_ns + pause_ns();
	c->detaching.count = 0;
	prober_process_each(c, prober_process_forget);
	bpf_tls_set_state(c->tls, &c->state); /* for the next prober, should this one end now */
	log_error(
		"TLS: held up %d times within %llu minutes: no probes are put in or taken out for %llu s, "
		"sessions of processes without are opaque",
		PROBER_TIMES, WITHIN_NS / NS_PER_S / 60, pause_ns() / NS_PER_S);
}

bool prober_times_note(struct prober_times *times, uint64_t now_ns)
{
	memmove(times->ns, times->ns + 1, sizeof(times->ns) - sizeof(times->ns[0]));
	times->ns[PROBER_TIMES - 1] = now_ns;
	return times->ns[0] && now_ns < times->ns[0] + WITHIN_NS;
}

static void note(struct prober_child *c, const struct guard_rescue *rescue, uint64_t now_ns)
{
	if (rescue->ended) {
		c->state.held++;
		c->state.held_uid = rescue->uid;
	}
	if (prober_times_note(&c->rescues, now_ns) && !c->state.paused_ns)
		begin(c, now_ns);
}

bool prober_pause_take(struct prober_child *c)
{
	struct guard_rescue rescue;
	int taken;

	if (!c->guard.pid)
		return !c->guard_lost;
	while ((taken = guard_take(&c->guard, &rescue)) == 1)
		if (rescue.ended || rescue.ms >= HELPLESS_MS)
			note(c, &rescue, clock_boot_ns());
	if (taken == 0)
		return true;
	log_error("TLS: the guard that keeps users from holding up who puts probes is gone");
	guard_stop(&c->guard);
	c->guard_lost = true;
	return false;
}

bool prober_pause_tend(struct prober_child *c, uint64_t now_ns)
{
	if (!c->state.paused_ns || now_ns < c->state.paused_ns)
		return c->state.paused_ns != 0;
	c->state.paused_ns = 0;
	c->rescues = (struct prober_times){0};
	prober_library_start(c);
	prober_recover_processes(c);
	log_info("TLS: probes are put in again");
	return false;
}
