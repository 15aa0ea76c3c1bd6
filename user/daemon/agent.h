/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * agent.h - the daemon's one context, shared by the agent_*.c files alone. Each of them is one
 * concern of the daemon; cmd_run.c starts them in order and runs the loop.
 */
#ifndef SMTPL_AGENT_H
#define SMTPL_AGENT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include "kernel/bpf.h"
#include "tls/bpf_tls.h"
#include "config/config.h"
#include "kernel/cutter.h"
#include "ask/door.h"
#include "owners/owners_watch.h"
#include "core/pipeline.h"
#include "maillog/postlog_reader.h"
#include "tls/prober.h"
#include "core/prune.h"
#include "refuse/responder.h"
#include "state/state.h"
#include "who/users.h"

struct agent {
	const char *config_file;
	struct config config;
	struct bpf *bpf;
	struct bpf_maps *maps; /* the agent's own of bpf */
	struct state *state;
	struct pipeline *pipeline;
	struct responder responder;
	struct cutter cutter;
	struct bpf_tls *tls; /* NULL: sessions in TLS are opaque */
	struct prober prober;
	struct smtpl_meta meta;
	struct state_suspension *unsaved; /* suspensions in force that are not in the database yet */
	size_t unsaved_count;
	size_t unsaved_room;
	int64_t order_done; /* the newest order carried out: never twice */
	sigset_t signals;
	int lock_fd;
	int epoll_fd;
	int signal_fd;
	int timer_fd;
	int locals_fd;
	bool stop;
	uint64_t ticks;        /* that were served */
	uint64_t second_ticks; /* that are over of this second */
	uint64_t ring_full;    /* as of the last look: more of it means lost events */
	uint64_t snapshot_cost_ns; /* what the last reading of the map took */
	uint64_t snapshot_ns;  /* when the map was last read */
	size_t unseeded;       /* saved counts that found no room at the start */
	size_t save_bytes;     /* of windows, in the last save */
	uint64_t save_tick;    /* when to save next */
	uint64_t save_failed_ns; /* when a failed save was last logged */
	bool save_failed;        /* logged, and none was good since */
	uint64_t responder_ns; /* when the responder was last started */
	bool snapshot;         /* being taken: the ring is read up to the mark */
	uint64_t snapshot_mark;
	struct prune prune; /* as of the last reading of the map */
	uint64_t prune_ns;
	struct owners_watch owners;
	char owners_error[OWNERS_WATCH_ERROR_SIZE]; /* logged, and nothing was read since; "": none */
	bool owners_unsaved;
	uint64_t owners_save_ns; /* when to try to save them next */
	struct users users;
	struct door door;
	uint64_t door_ns; /* when it was last started */
	uint64_t door_strangers; /* turned away from its sockets, and said so */
	uint64_t door_said_ns;
	struct postlog_reader postlog;
	uint64_t postlog_ns; /* when it was last started; 0: never */
	struct postlog_position postlog_at; /* told up to here */
	bool postlog_unsaved;
	bool list_stale;  /* the file `suspended` is to be written anew */
};

uint64_t agent_now_ns(void); /* boot time */
int64_t agent_wall_ns(uint64_t boot_ns);
/* Never later than now, nor before the boot. */
uint64_t agent_boot_ns(int64_t wall_ns);

/* agent_state.c - what was saved, and saving. 0 or -errno, having logged why. */
int agent_state_open(struct agent *a);
int agent_restore(struct agent *a);
/* On failure everything stays to be saved by the next one. */
int agent_save(struct agent *a);
/* Read the map of counts when events were lost, or it is due; healing follows once the ring was read
 * up to where it stood then. True: it was read. */
bool agent_snapshot(struct agent *a, bool due);
void agent_snapshot_finish(struct agent *a);

/* agent_hosts.c - who is a relay or exempt, and which addresses are this host's. */
int agent_apply_roles(struct agent *a);
int agent_apply_locals(struct agent *a);
/* Loopback, or an address of this host. */
bool agent_is_local(void *arg, const uint8_t addr[16]);

/* agent_judge.c - carrying out verdicts and orders, and their end. */
void agent_on_suspend(void *arg, struct account *account, const struct verdict *v, uint64_t now_ns);
enum smtpl_role agent_role(void *arg, uint32_t uid);
void agent_orders(struct agent *a);
/* [refuse] relay has changed: for the suspensions in force as well. */
void agent_apply_relay(struct agent *a);
/* Note what ended by itself. */
void agent_expire(struct agent *a);
/* Clear ended suspensions out of the kernel's maps that the database does not know. */
void agent_sweep(struct agent *a);
/* End a suspension before its time; the account's window begins empty. */
void agent_lift(struct agent *a, const struct account_id *id, const char *why);
/* Write the file `suspended` as the maps are now. */
void agent_list_suspended(struct agent *a);
/* Put the suspensions that are not in the database yet. Within a transaction. 0 or -errno */
int agent_put_unsaved(struct agent *a);

/* agent_owners.c - which user owns a domain. start: with the privileges of root and the database open;
 * 0, also when nothing could be read. poll: about once a second. reload: the settings have changed. */
int agent_owners_start(struct agent *a);
void agent_owners_poll(struct agent *a);
void agent_owners_reload(struct agent *a, const struct config *before);
void agent_owners_stop(struct agent *a);
/* arg: the agent. domain: key form. */
bool agent_owner(void *arg, const char *domain, uint32_t *uid);

/* agent_origin.c - who pays for a message of a relay. */
enum origin_charge agent_origin(struct agent *a, const struct origin *o, struct account_id *id);
/* At submission: it comes from outside, unauthenticated. */
bool agent_origin_is_inbound(struct agent *a, const struct origin *o);
/* Who on this host had the connection of the origin's client at that time. */
bool agent_caller_then(struct agent *a, const struct origin *o, int64_t wall_ns, uint32_t *uid);

/* agent_feed.c - what mail servers tell. arg: the agent. */
void agent_on_record(void *arg, const struct feed_record *record);

/* agent_door.c - the child that mail servers ask. tend: start one where there is none. */
void agent_door_start(struct agent *a);
void agent_door_serve(struct agent *a);
void agent_door_tend(struct agent *a);
void agent_door_stop(struct agent *a);

/* agent_postlog.c - the child that reads Postfix's log, if there is a Postfix. */
void agent_postlog_start(struct agent *a);
void agent_postlog_serve(struct agent *a);
void agent_postlog_tend(struct agent *a);
void agent_postlog_stop(struct agent *a);
/* Put how far it was told. Within a transaction. 0 or -errno */
int agent_postlog_save(struct agent *a);

/* agent_tls.c - seeing inside TLS. start: with the privileges of root, before the mappings are hidden; 0,
 * also where it can't be done. attach: before the hooks on sockets. serve: the child is gone. */
int agent_tls_start(struct agent *a);
void agent_tls_attach(struct agent *a);
void agent_tls_serve(struct agent *a);
void agent_tls_stop(struct agent *a);

/* agent_prune.c - after a reading of the map: when room in it is short, forget what is idle. */
void agent_prune(struct agent *a);

/* agent_responder.c - the child that speaks the refusal. */
void agent_responder_start(struct agent *a);
void agent_responder_serve(struct agent *a);
void agent_responder_stop(struct agent *a);
/* Is the account suspended? Then the figures of the text, and its own domain. arg: the agent. */
bool agent_refusal(void *arg, const struct account_id *id, struct responder_answer *answer);
/* Tell the kernel side that we are alive, and where the responder is. */
void agent_heartbeat(struct agent *a);

#endif
