/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * clock.h - the host's clocks, each in one unit.
 *
 * Boot time (CLOCK_BOOTTIME, ns) is what maps, windows and suspensions go by: it runs on while the
 * host sleeps, and nobody can set it. Wall time (Unix time, ns) is for people, logs and the
 * database. Monotonic time (ms) is for time-outs.
 */
#ifndef SMTPL_CLOCK_H
#define SMTPL_CLOCK_H

#include <stdint.h>

/* Signed, so that it divides a time before the boot as well. */
#define NS_PER_S 1000000000ll

uint64_t clock_boot_ns(void);
int64_t clock_wall_ns(void);
int64_t clock_mono_ms(void);

/* Converts between the two, as the wall clock is set now. */
int64_t clock_wall_of(uint64_t boot_ns);
/* The result is never later than now, nor before the boot. */
uint64_t clock_boot_of(int64_t wall_ns);

#endif
