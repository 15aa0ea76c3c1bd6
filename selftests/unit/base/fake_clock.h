/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fake_clock.h - in place of base/clock.c: a host that was booted at fake_booted_ns (wall time) and
 * whose clock stands at fake_boot_ns. It defines every function of base/clock.h, so that the linker
 * does not take the real ones from the library.
 */
#ifndef SMTPL_TEST_FAKE_CLOCK_H
#define SMTPL_TEST_FAKE_CLOCK_H

#include "base/clock.h"

static uint64_t fake_boot_ns;
static int64_t fake_booted_ns;

uint64_t clock_boot_ns(void)
{
	return fake_boot_ns;
}

int64_t clock_wall_ns(void)
{
	return clock_wall_of(fake_boot_ns);
}

int64_t clock_mono_ms(void)
{
	return fake_boot_ns / (NS_PER_S / 1000);
}

int64_t clock_wall_of(uint64_t boot_ns)
{
	return (int64_t)boot_ns + fake_booted_ns;
}

uint64_t clock_boot_of(int64_t wall_ns)
{
	return (uint64_t)(wall_ns - fake_booted_ns);
}

#endif
