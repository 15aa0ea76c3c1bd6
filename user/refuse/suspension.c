// SPDX-License-Identifier: GPL-2.0-only
/*
 * suspension.c - the order of steps of a suspension and of its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "kernel/enforce.h"
#include "suspension.h"

int suspension_domains(const struct suspension_place *place, const struct account_id *id,
		       const struct smtpl_suspension *suspension)
{
	if (!place->maps || id->kind != ACCOUNT_UID || (suspension && !place->reset_relays))
		return 0;
	return enforce_domains(place->maps, place->owners, id->uid, suspension);
}

/* s: NULL, its end */
static struct suspension_result carry_out(const struct suspension_place *place,
					  const struct account_id *id,
					  const struct state_suspension *s)
{
	struct suspension_result r = {0};

	if (place->maps)
		r.maps = s ? enforce_suspend(place->maps, id, &s->kernel) :
			     enforce_release(place->maps, id);
	if (s && r.maps)
		return r;
	r.domains = suspension_domains(place, id, s ? &s->kernel : NULL);
	if (s && place->save)
		r.saved = place->save(place->arg, s);
	else if (!s && !r.maps && place->forget)
		r.saved = place->forget(place->arg, id);
	if (place->maps)
		r.listed = place->list(place->arg);
	return r;
}

struct suspension_result suspension_begin(const struct suspension_place *place,
					  const struct state_suspension *s)
{
	return carry_out(place, &s->account, s);
}

struct suspension_result suspension_end(const struct suspension_place *place,
					const struct account_id *id)
{
	return carry_out(place, id, NULL);
}

void suspension_reason(const struct suspension_order *order, char reason[ORDER_REASON_SIZE])
{
	snprintf(reason, ORDER_REASON_SIZE, "%s", order->reason[0] ? order->reason : "by hand");
}

struct state_suspension suspension_by_hand(const struct suspension_order *order,
					   const struct verdict_rule *rule, uint64_t now_ns)
{
	struct state_suspension s = {
		.account = order->account,
		.kernel = {.since_ns = now_ns,
			   .until_ns = now_ns + order->for_s * NS_PER_S,
			   .min = rule->min_failures,
			   .by_hand = SMTPL_BY_HAND | (order->tell ? SMTPL_BY_HAND_TOLD : 0)},
	};

	suspension_reason(order, s.reason);
	return s;
}

void suspension_figures(struct state_suspension *s, struct window *window,
			const struct verdict_rule *rule, int64_t now_s)
{
	struct tally_room *room = tally_room_new();
	struct tally tally = {0};
	struct verdict v;

	window_slide(window, now_s, rule->window_s);
	if (room)
		tally = tally_window(window, rule, NULL, 0, room, now_s);
	free(room);
	v = verdict_decide(&tally, rule);
	s->kernel.bad = v.bad;
	s->kernel.percent = v.percent;
}
