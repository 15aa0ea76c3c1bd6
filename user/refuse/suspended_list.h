/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suspended_list.h - what is in the kernel's maps, as the file `suspended` (suspended.h): each
 * account under every name that a mail server may know it by. Written by the daemon when something
 * has changed, and by a command that does the daemon's work.
 */
#ifndef SMTPL_SUSPENDED_LIST_H
#define SMTPL_SUSPENDED_LIST_H

#include <stdbool.h>
#include "who/account.h"
#include "who/payer.h"
#include "kernel/bpf.h"
#include "owners/owners.h"
#include "responder.h"

struct suspended_list {
	const char *run;
	struct bpf_maps *maps;
	const struct owners *owners; /* NULL: nobody owns anything */
	struct payer_ops payer;
	/* The figures of an account's text; false: it is not suspended. */
	bool (*refusal)(void *arg, const struct account_id *id, struct responder_answer *answer);
	void *arg;
	uint64_t now_ns;
};

/* 0 or -errno; then the file is as it was. */
int suspended_list_write(const struct suspended_list *list);

/* What a refusal says. own_domain: the account's; "": none, its name stands for it. */
void suspended_figures(const struct account_id *id, const struct smtpl_suspension *suspension,
		       const char *own_domain, int64_t until_wall_s, int64_t now_wall_s,
		       struct responder_answer *answer);

#endif
