/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * daemon_losses.h - what the daemon and its children lost, summed up for the map smtpl_losses. The
 * children and the pipeline count from their own start on; what they counted more than at the last
 * look is added to the totals, which go on over restarts of all of them.
 */
#ifndef SMTPL_DAEMON_LOSSES_H
#define SMTPL_DAEMON_LOSSES_H

#include <stdbool.h>
#include <stdint.h>
#include "core/pipeline.h"
#include "headers/losses.h"
#include "kernel/bpf.h"
#include "maillog/maillog.h"
#include "notify/notify_queue.h"
#include "policy/policy_server.h"

struct daemon_losses {
	struct smtpl_losses total; /* anyone in the daemon may add to it */
	struct smtpl_losses seen;  /* as of the last look at what has grown */
	struct smtpl_losses said;  /* as of the last line in the log */
	uint64_t said_ns;	   /* 0: nothing was logged */
	bool unwritten;		   /* the map does not have what was seen */
	bool failed;		   /* and could not be written, which is logged */
	/* As of the last look. */
	struct policy_stats policy;
	struct maillog_stats maillog;
	struct pipeline_stats pipeline;
	struct notify_stats notify;
};

/* The totals go on from those of the map. */
void daemon_losses_begin(struct daemon_losses *l, const struct bpf_maps *maps);

/* A child begins to count anew: zero what it had counted. */
void daemon_losses_policy_begins(struct daemon_losses *l);
void daemon_losses_maillog_begins(struct daemon_losses *l);
/* What was waiting in the last one is lost. */
void daemon_losses_notify_begins(struct daemon_losses *l);
/* What it has counted since then. */
void daemon_losses_policy(struct daemon_losses *l, const struct policy_stats *now);
void daemon_losses_maillog(struct daemon_losses *l, const struct maillog_stats *now);
void daemon_losses_notify(struct daemon_losses *l, const struct notify_stats *now);

#endif
