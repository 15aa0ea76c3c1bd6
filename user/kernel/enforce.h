/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * enforce.h - the only writer of suspensions: turns a decision into an entry of the pinned maps.
 */
#ifndef SMTPL_ENFORCE_H
#define SMTPL_ENFORCE_H

#include "headers/maps.h"
#include "who/account.h"
#include "bpf.h"
#include "owners/owners.h"

/* Refuse the account from now until suspension->until_ns (boot time). 0; -EPERM: root, a relay user
 * or an exempt user, who can never be refused; -E2BIG: the map is full; other -errno. */
int enforce_suspend(struct bpf_maps *maps, const struct account_id *account,
		    const struct smtpl_suspension *suspension);

/* End a suspension. 0 also when there was none. */
int enforce_release(struct bpf_maps *maps, const struct account_id *account);

/* Suspend, or with NULL release, each domain that a uid owns, for the sessions of relays that name
 * it. */
int enforce_domains(struct bpf_maps *maps, const struct owners *owners, uint32_t uid,
		    const struct smtpl_suspension *suspension);

/* The suspension in force now: 0, or -ENOENT. */
int enforce_lookup(struct bpf_maps *maps, const struct account_id *account, uint64_t now_ns,
		   struct smtpl_suspension *suspension);

#endif
