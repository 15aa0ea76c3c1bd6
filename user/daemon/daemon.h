/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * daemon.h - the daemon's one context, shared by the daemon_*.c files alone. Each of them is one
 * concern of the daemon; cmd_run.c starts them in order and runs the loop.
 */
#ifndef SMTPL_DAEMON_H
#define SMTPL_DAEMON_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include "kernel/bpf.h"
#include "kernel/bpf_tls.h"
#include "config/config.h"
#include "daemon_losses.h"
#include "kernel/sock_destroyer.h"
#include "policy/policy_server.h"
#include "owners/owners_watch.h"
#include "core/pipeline.h"
#include "maillog/maillog_reader.h"
#include "tls/prober.h"
#include "core/prune.h"
#include "refuse/responder.h"
#include "state/state.h"
#include "who/users.h"

struct daemon {
	const char *config_file;
	struct config config;
	struct bpf *bpf;
	struct bpf_maps *maps; /* the daemon's own of bpf */
	struct state *state;
	struct pipeline *pipeline;
	struct responder responder;
	struct sock_destroyer sock_destroyer;
	struct bpf_tls *tls; /* NULL: sessions in TLS are opaque */
	struct prober prober;
	struct smtpl_meta meta;
	struct state_suspension
		*unsaved; /* suspensions in force that are not in the database yet */
	size_t unsaved_count;
	size_t unsaved_room;
	int64_t order_done; /* the newest order carried out: never twice */
	sigset_t signals;
	int lock_fd;
	int epoll_fd;
	int signal_fd;
	int timer_fd;
	int host_addresses_fd;
	bool stop;
	uint64_t ticks;		   /* that were served */
	uint64_t second_ticks;	   /* that are over of this second */
	uint64_t ring_full;	   /* as of the last look: more of it means lost events */
	uint64_t snapshot_cost_ns; /* what the last reading of the map took */
	uint64_t snapshot_ns;	   /* when the map was last read */
	size_t unseeded;	   /* saved counts that found no room at the start */
	size_t save_bytes;	   /* of windows, in the last save */
	uint64_t save_tick;	   /* when to save next */
	uint64_t save_failed_ns;   /* when a failed save was last logged */
	bool save_failed;	   /* logged, and none was good since */
	uint64_t responder_ns;	   /* when the responder was last started */
	bool snapshot;		   /* being taken: the ring is read up to the mark */
	uint64_t snapshot_mark;
	struct prune prune; /* as of the last reading of the map */
	uint64_t prune_ns;
	struct owners_watch owners;
	char owners_error
		[OWNERS_WATCH_ERROR_SIZE]; /* logged, and nothing was read since; "": none */
	bool owners_unsaved;
	uint64_t owners_save_ns; /* when to try to save them next */
	struct users users;
	struct policy_server policy;
	uint64_t policy_ns;	   /* when it was last started */
	uint64_t policy_strangers; /* turned away from its sockets, and said so */
	uint64_t policy_said_ns;
	struct maillog_reader maillog;
	uint64_t maillog_ns;		    /* when it was last started; 0: never */
	struct maillog_position maillog_at; /* told up to here */
	bool maillog_unsaved;
	struct daemon_losses losses;
	bool list_stale; /* the file `suspended` is to be written anew */
};

/* daemon_state.c - what was saved, and saving. 0 or -errno, having logged why. */
int daemon_state_open(struct daemon *a);
int daemon_restore(struct daemon *a);
/* On failure everything stays to be saved by the next one. */
int daemon_save(struct daemon *a);
/* Read the map of counts when events were lost, or it is due; healing follows once the ring was
 * read up to where it stood then. True: it was read. */
bool daemon_snapshot(struct daemon *a, bool due);
void daemon_snapshot_finish(struct daemon *a);

/* daemon_hosts.c - who is a relay or exempt, and which addresses are this host's. */
int daemon_apply_roles(struct daemon *a);
int daemon_apply_addresses(struct daemon *a);
/* Loopback, or an address of this host. */
bool daemon_is_local(void *arg, const uint8_t addr[16]);

/* daemon_judge.c - carrying out verdicts and orders, and their end. */
void daemon_on_suspend(void *arg, struct account *account, const struct verdict *v,
		       uint64_t now_ns);
enum smtpl_role daemon_role(void *arg, uint32_t uid);
void daemon_orders(struct daemon *a);
/* [refuse] relay has changed: for the suspensions in force as well. */
void daemon_apply_relay(struct daemon *a);
/* Note what ended by itself. */
void daemon_expire(struct daemon *a);
/* Clear ended suspensions out of the kernel's maps that the database does not know. */
void daemon_sweep(struct daemon *a);
/* End a suspension before its time; the account's window begins empty. */
void daemon_lift(struct daemon *a, const struct account_id *id, const char *why);
/* Write the file `suspended` as the maps are now. */
void daemon_list_suspended(struct daemon *a);
/* Put the suspensions that are not in the database yet. Within a transaction. 0 or -errno */
int daemon_put_unsaved(struct daemon *a);

/* daemon_owners.c - which user owns a domain. start: with the privileges of root and the database
 * open; 0, also when nothing could be read. poll: about once a second. reload: the settings have
 * changed. */
int daemon_owners_start(struct daemon *a);
void daemon_owners_poll(struct daemon *a);
void daemon_owners_reload(struct daemon *a, const struct config *before);
void daemon_owners_stop(struct daemon *a);
/* arg: the daemon. domain: key form. */
bool daemon_owner(void *arg, const char *domain, uint32_t *uid);

/* daemon_payer.c - who pays for a message of a relay. */
enum payer_kind daemon_payer(struct daemon *a, const struct submission *o, struct account_id *id);
/* At submission: it comes from outside, unauthenticated. */
bool daemon_is_inbound(struct daemon *a, const struct submission *o);
/* Who on this host had the connection of the submission's client at that time. */
bool daemon_caller_then(struct daemon *a, const struct submission *o, int64_t wall_ns,
			uint32_t *uid);

/* daemon_feed.c - what mail servers tell. arg: the daemon. */
void daemon_on_record(void *arg, const struct delivery_report *record);

/* daemon_policy.c - the child that mail servers ask. tend: start one where there is none. */
void daemon_policy_start(struct daemon *a);
void daemon_policy_serve(struct daemon *a);
void daemon_policy_tend(struct daemon *a);
void daemon_policy_stop(struct daemon *a);

/* daemon_maillog.c - the child that reads Postfix's log, if there is a Postfix. */
void daemon_maillog_start(struct daemon *a);
void daemon_maillog_serve(struct daemon *a);
void daemon_maillog_tend(struct daemon *a);
void daemon_maillog_stop(struct daemon *a);
/* Put how far it was told. Within a transaction. 0 or -errno */
int daemon_maillog_save(struct daemon *a);

/* daemon_losses.c - about once a second, and at the end: what was lost, for status and the log. */
void daemon_losses_show(struct daemon *a);

/* daemon_tls.c - seeing inside TLS. start: with the privileges of root, before the mappings are
 * hidden; 0, also where it can't be done. attach: before the hooks on sockets. serve: the child is
 * gone. */
int daemon_tls_start(struct daemon *a);
void daemon_tls_attach(struct daemon *a);
void daemon_tls_serve(struct daemon *a);
void daemon_tls_stop(struct daemon *a);

/* daemon_prune.c - after a reading of the map: when room in it is short, forget what is idle. */
void daemon_prune(struct daemon *a);

/* daemon_responder.c - the child that speaks the refusal. */
void daemon_responder_start(struct daemon *a);
void daemon_responder_serve(struct daemon *a);
void daemon_responder_stop(struct daemon *a);
/* Is the account suspended? Then the figures of the text, and its own domain. arg: the daemon. */
bool daemon_refusal(void *arg, const struct account_id *id, struct responder_answer *answer);
/* Tell the kernel side that we are alive, and where the responder is. */
void daemon_heartbeat(struct daemon *a);

#endif
