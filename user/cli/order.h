/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * order.h - what `suspend` and `release` share: bring an order to the daemon and wait until it is
 * carried out, or do it in its place where none runs.
 */
#ifndef SMTPL_ORDER_H
#define SMTPL_ORDER_H

#include "kernel/bpf.h"
#include "cmd.h"
#include "config/config.h"
#include "owners/owners.h"
#include "refuse/order_socket.h"
#include "state/state.h"
#include "who/payer.h"

/* Longest wait for the daemon, by the clock. */
#define ORDER_WAIT_S 10

struct order {
	const struct cli *cli;
	struct config config;
	struct suspension_order what;
	char name[ACCOUNT_NAME_SIZE];
	struct bpf_maps *maps; /* NULL: there are none */
	struct state *state;   /* NULL: it cannot be opened, which is said only where it matters */
	struct owners *owners; /* of order_owners() */
	struct verdict_rule rule;    /* in force */
	bool elsewhere;		     /* a daemon runs with another run directory: `why` */
	bool loaded;		     /* maps and hooks: what is in the maps is in force */
	char why[CONFIG_ERROR_SIZE]; /* it is not carried out, or not saved */
	uint64_t before_ns; /* boot time until which it was suspended already; 0: it was not */
	bool by_itself;	    /* carried out by the command: no daemon runs */
};

/* The paths, who is meant, the maps and the state. CMD_DONE, or what to exit with, said on
 * stderr. order_end() in any case. */
int order_begin(struct order *o, const struct cli *cli, const char *command, const char *account);
void order_end(struct order *o);

/* Carry it out. CMD_DONE, or what to exit with, said on stderr. */
int order_run(struct order *o);

/* Is the account suspended now, by the maps or as it is saved, for the next start? */
bool order_suspended(struct order *o, struct state_suspension *suspension);
/* As it is saved, of suspension->account. False: it is not, *suspension stays. */
bool order_saved(struct order *o, struct state_suspension *suspension);

/* Roles by the maps and the configuration, owners as saved. arg: the order. */
extern const struct payer_ops order_payer_ops;

/* By which the account is judged: the rule in force, and what its own section sets. */
struct verdict_rule order_rule(const struct order *o);
/* Open the state database, or open it otherwise. 0, or -errno, o->state is then NULL. */
int order_open_state(struct order *o, enum state_open how);

/* order_here.c - without a daemon. Carry it out: CMD_DONE, or what to exit with, said on stderr. */
int order_here(struct order *o);
/* Who owns what, as it was saved; the order's, NULL: not known. */
const struct owners *order_owners(struct order *o);

/* order_sender.c - who else has sent from the domain that the order is about, rather one that is
 * suspended. */
struct order_sender {
	bool known;
	bool suspended;
	struct account_id account;
};
struct order_sender order_find_sender(struct order *o);

/* How it stands now, for people or as JSON. */
void order_print(struct order *o, bool changed);

#endif
