/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * agent.h - the daemon's one context, shared by the agent_*.c files alone. Each of them is one
 * concern of the daemon; cmd_run.c starts them in order and runs the loop.
 */
#ifndef SMTPL_AGENT_H
#define SMTPL_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf.h"
#include "config.h"
#include "cutter.h"
#include "pipeline.h"
#include "responder.h"
#include "state.h"

struct agent {
	const char *config_file;
	struct config config;
	struct bpf *bpf;
	struct bpf_maps *maps; /* the agent's own of bpf */
	struct state *state;
	struct pipeline *pipeline;
	struct responder responder;
	struct cutter cutter;
	struct smtpl_meta meta;
	int lock_fd;
	int epoll_fd;
	int signal_fd;
	int timer_fd;
	int locals_fd;
	bool stop;
	uint64_t ticks;
	uint64_t ring_full;    /* as of the last look: more of it means lost events */
	uint64_t snapshot_ns;  /* when the map was last read */
	uint64_t saved_ns;     /* counts changed later than this are not saved yet */
	uint64_t responder_ns; /* when the responder was last started */
	bool snapshot;         /* being taken: the ring is read up to the mark */
	uint64_t snapshot_mark;
};

uint64_t agent_now_ns(void); /* boot time */

/* agent_state.c - what was saved, and saving. 0 or -errno, having logged why. */
int agent_state_open(struct agent *a);
int agent_restore(struct agent *a);
void agent_save(struct agent *a);
/* Read the map of counts when events were lost, or it is due; healing follows once the ring was read
 * up to where it stood then. */
void agent_snapshot(struct agent *a, bool due);
void agent_snapshot_finish(struct agent *a);

/* agent_hosts.c - who is a relay or exempt, and which addresses are this host's. */
int agent_apply_roles(struct agent *a);
int agent_apply_locals(struct agent *a);

/* agent_judge.c - carrying out verdicts and orders, and their end. */
void agent_on_suspend(void *arg, struct account *account, const struct verdict *v, uint64_t now_ns);
enum smtpl_role agent_role(void *arg, uint32_t uid);
void agent_orders(struct agent *a);
void agent_expire(struct agent *a);

/* agent_responder.c - the child that speaks the refusal. */
void agent_responder_start(struct agent *a);
void agent_responder_serve(struct agent *a);
void agent_responder_stop(struct agent *a);
/* Tell the kernel side that we are alive, and where the responder is. */
void agent_heartbeat(struct agent *a);

#endif
