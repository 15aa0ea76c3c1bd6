// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock.c - reads the host's clocks.
 */
#include "clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	return read_ns(CLOCK_BOOTTIME);
}

int64_t clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
	return read_ns(CLOCK_MONOTONIC) / (NS_PER_S / 1000);
}

/* How far wall time is ahead of boot time. */
static int64_t wall_ahead_ns(void)
{
	return clock_wall_ns() - (int64_t)clock_boot_ns();
}

int64_t clock_wall_of(uint64_t boot_ns)
{
	return (int64_t)boot_ns + wall_ahead_ns();
}

uint64_t clock_boot_of(int64_t wall_ns)
{
	int64_t boot_ns = wall_ns - wall_ahead_ns(), now_ns = (int64_t)clock_boot_ns();

	return boot_ns < 0 ? 0 : boot_ns < now_ns ? boot_ns : now_ns;
}
