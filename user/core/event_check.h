/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * event_check.h - is a ring record one that the pipeline can work with? The ring is the kernel's
 * and trusted, but a record of another version or a damaged one must do no harm.
 */
#ifndef SMTPL_EVENT_CHECK_H
#define SMTPL_EVENT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/clock.h"
#include "headers/event.h"

/* Room for a record that is younger than the time its reader took before reading. */
#define EVENT_AHEAD_MAX_NS (60ull * NS_PER_S)

/* Size, type and every field that anything here depends on. */
bool event_valid(const void *data, size_t size, uint64_t now_ns);

/* The key's running total of the event's own outcome; 0 if that is none. */
uint64_t event_total(const struct smtpl_event_outcome *e);

#endif
