/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_ways.c - a list of the servers on loopback, in the order in which they were met.
 */
#include <string.h>
#include "maillog_ways.h"

static size_t find(const struct maillog_ways *w, const uint8_t addr[16], uint32_t port)
{
	size_t i;

	for (i = 0; i < w->count; i++)
		if (w->list[i].port == port && memcmp(w->list[i].addr, addr, 16) == 0)
			break;
	return i;
}

void maillog_ways_note(struct maillog_ways *w, const uint8_t addr[16], uint32_t port, bool returns)
{
	size_t i = find(w, addr, port);

	if (i == MAILLOG_WAYS_MAX)
		return;
	if (i == w->count) {
		w->count++;
		memcpy(w->list[i].addr, addr, 16);
		w->list[i].port = port;
		w->list[i].returns = false;
	}
	w->list[i].returns |= returns;
}

bool maillog_ways_leaves(const struct maillog_ways *w, const uint8_t addr[16], uint32_t port)
{
	size_t i = find(w, addr, port);

	return i < w->count && !w->list[i].returns;
}
