/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suspension.h - a suspension and its end, carried out in one order by the daemon, and by a command
 * that does the daemon's work. The kernel's maps come first: it holds at once. The state database
 * comes second: it outlives a reboot. The file `suspended` comes third: mail servers that find no
 * daemon go by it. The caller logs last, by what came of each step.
 */
#ifndef SMTPL_SUSPENSION_H
#define SMTPL_SUSPENSION_H

#include <stdbool.h>
#include <stdint.h>
#include "kernel/bpf.h"
#include "core/verdict.h"
#include "core/window.h"
#include "order_socket.h"
#include "owners/owners.h"
#include "state/state.h"

/* Where it is carried out. The functions return 0 or -errno. */
struct suspension_place {
	struct bpf_maps *maps;	     /* NULL: nothing is loaded, the database alone changes */
	const struct owners *owners; /* NULL: nobody owns anything */
	bool reset_relays;	     /* the kernel ends relays' sessions by their sender domain */
	/* Into the database, and out of it, with the window that begins empty. NULL: the caller
	 * does that for several accounts together. */
	int (*save)(void *arg, const struct state_suspension *s);
	int (*forget)(void *arg, const struct account_id *id);
	int (*list)(void *arg); /* write the file */
	void *arg;
};

/* What came of each step, 0 or -errno. When the maps fail, a suspension has not begun and no other
 * step is tried; one that does not end stays in the database, but its domains are let go. Any other
 * failure keeps no later step from being tried. */
struct suspension_result {
	int maps;    /* -EPERM: root, a relay user or an exempt user, who can never be refused */
	int domains; /* of what the account owns, for relays' sessions */
	int saved;   /* it holds, but not over a reboot */
	int listed;  /* it holds, but the file is as it was */
};

struct suspension_result suspension_begin(const struct suspension_place *place,
					  const struct state_suspension *s);
struct suspension_result suspension_end(const struct suspension_place *place,
					const struct account_id *id);

/* With relay = reset the kernel must know the domains that a suspended account owns. NULL: the
 * suspension is over, and so is that of its domains, whatever the setting is by now. 0 or -errno */
int suspension_domains(const struct suspension_place *place, const struct account_id *id,
		       const struct smtpl_suspension *suspension);

/* The suspension that an order asks for, from now_ns (boot time) on; then, where the account has
 * a window, its figures as they stand. */
struct state_suspension suspension_by_hand(const struct suspension_order *order,
					   const struct verdict_rule *rule, uint64_t now_ns);
void suspension_reason(const struct suspension_order *order, char reason[ORDER_REASON_SIZE]);
void suspension_figures(struct state_suspension *s, struct window *window,
			const struct verdict_rule *rule, int64_t now_s);

#endif
