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
#include <sys/stat.h>
#include <time.h>
#include "base/hooked_files.h"
#include "kernel/bpf.h"
#include "kernel/bpf_tls.h"
#include "config/config.h"
#include "daemon_losses.h"
#include "kernel/sock_destroyer.h"
#include "policy/policy_server.h"
#include "owners/owners_watch.h"
#include "owners/services.h"
#include "core/pipeline.h"
#include "maillog/maillog_reader.h"
#include "notify/contacts.h"
#include "notify/notice_facts.h"
#include "notify/notify.h"
#include "tls/prober.h"
#include "core/prune.h"
#include "refuse/responder.h"
#include "refuse/suspension.h"
#include "state/state.h"
#include "state/state_faults.h"
#include "state/state_remotes.h"
#include "who/carried.h"
#include "who/users.h"
#include "daemon_children.h"

struct daemon_loop {
	int epoll_fd;
	struct daemon_source signal;
	struct daemon_source timer;
	struct daemon_source ring;
	struct daemon_source addresses;
	struct daemon_source orders;
	sigset_t signals;
	bool stop;
	uint64_t ticks;	       /* that were served */
	uint64_t second_ticks; /* that are over of this second */
};

/* The reading of the map of counts. */
struct daemon_snapshot {
	bool under_way; /* the ring is read up to the mark */
	uint64_t mark;
	uint64_t taken_ns;  /* when the map was last read */
	uint64_t cost_ns;   /* what that took */
	uint64_t ring_full; /* as of then: more of it means lost events */
};

struct daemon_save {
	uint64_t tick;	    /* when to save next */
	size_t bytes;	    /* of windows, in the last save */
	uint64_t failed_ns; /* when a failed save was last logged */
	bool failed;	    /* logged, and none was good since */
	bool failed_before; /* none was good since the last that failed */
};

struct daemon_policy {
	struct policy_server server;
	uint64_t strangers; /* turned away from its sockets, and logged */
	uint64_t logged_ns;
};

struct daemon_maillog {
	struct maillog_reader reader;
	bool restored;		    /* `at` is what was saved, or newer */
	struct maillog_position at; /* read up to here */
	bool unsaved;
	bool blind; /* it is read and not understood */
};

struct daemon_notify {
	struct notify notify;
	struct notify_settings settings;
	struct contacts contacts;
	pid_t mailer; /* smtpl-mailer */
	int mailer_fd;
	bool contacts_failed; /* the file of addresses could not be read, which is logged */
};

/* What stat(2) says of a file; all zero: it is not there. */
struct hook_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct hook_seen {
	struct hook_stamp stamp;
	bool looked;	 /* when the stamp was this */
	uint8_t lacking; /* so many looks in a row found that it lacks the hook */
	bool said;	 /* of the first file of a hook: that the hook is missing */
};

struct daemon_hooks {
	struct hook_stamp note; /* as read */
	struct hooked_files files;
	struct hook_seen seen[HOOKED_FILES_MAX]; /* by their places in files */
	uint64_t asked_ns;			 /* 0: never */
	bool asking;				 /* the file that asks may be there */
	bool unasked;				 /* a hook is missing that was not asked for */
};

/* This host's, but for loopback, as of the last reading. */
struct daemon_addresses {
	struct smtpl_local_key key[SMTPL_LOCALS_MAX];
	size_t count;
};

/* Alarms about remotes that are not in the database yet; of more than there is room for, the last.
 */
struct daemon_alarms {
	struct state_remote alarm[STATE_REMOTES_MAX];
	size_t count;
};

struct daemon_services {
	struct services known;
	struct carried carried;
	uint64_t look_ns; /* when to look for them again */
	int pipes_error;  /* logged */
};

/* Of this host, by enum own_fault: what is not in the database yet. */
struct daemon_faults {
	struct state_fault fault[OWN_FAULTS];
	int64_t said_s[OWN_FAULTS];
};

struct daemon {
	const char *config_file;
	struct config config;
	struct bpf *bpf;
	struct bpf_maps *maps; /* the daemon's own of bpf */
	struct bpf_tls *tls;   /* NULL: sessions in TLS are opaque */
	struct state *state;
	struct pipeline *pipeline;
	struct smtpl_meta meta;
	struct users users;
	struct daemon_loop loop;
	struct daemon_child children[DAEMON_CHILDREN];
	struct prober prober;
	struct sock_destroyer sock_destroyer;
	struct responder responder;
	struct daemon_policy policy;
	struct daemon_maillog maillog;
	struct daemon_notify notify;
	struct daemon_hooks hooks;
	uint64_t bypass_said_ns; /* in the log; 0: never */
	struct notice_facts *facts;
	/* SMTP AUTH of the latest failed mail, and who pays for it; "": none */
	struct account_id login_account;
	char login[SMTPL_ADDR_SIZE];
	struct daemon_addresses addresses;
	struct daemon_snapshot snapshot;
	struct daemon_save save;
	struct daemon_losses losses;
	struct daemon_alarms alarms;
	struct daemon_faults faults;
	struct prune prune; /* as of the last reading of the map */
	uint64_t prune_ns;
	/* suspensions in force that are not in the database yet */
	struct state_suspension *unsaved;
	size_t unsaved_count;
	size_t unsaved_room;
	struct daemon_told *told; /* a list */
	bool list_stale;	  /* the file `suspended` is to be written anew */
	struct owners_watch owners;
	struct daemon_services services;
	/* logged, and nothing was read since; "": none */
	char owners_error[OWNERS_WATCH_ERROR_SIZE];
	bool owners_unsaved;
	uint64_t owners_save_ns; /* when to try to save them next */
};

/* What the children are (daemon_children.h), each in the file of its own. */
extern const struct daemon_child_kind daemon_prober_kind;    /* daemon_tls.c */
extern const struct daemon_child_kind daemon_destroyer_kind; /* cmd_run.c */
extern const struct daemon_child_kind daemon_responder_kind;
extern const struct daemon_child_kind daemon_policy_kind;
extern const struct daemon_child_kind daemon_maillog_kind;
extern const struct daemon_child_kind daemon_mailer_kind; /* daemon_notify.c */
extern const struct daemon_child_kind daemon_notify_kind;

/* daemon_loop.c. start: before anything else is watched. watch: from now on. 0 or -errno. */
int daemon_loop_start(struct daemon *d);
int daemon_watch(struct daemon *d, struct daemon_source *source);
/* Until a signal ends it. */
void daemon_loop(struct daemon *d);

/* daemon_restore.c - what was saved. 0 or -errno, having logged why. */
int daemon_restore(struct daemon *d);

/* daemon_state.c - saving. 0 or -errno, having logged why. */
int daemon_state_open(struct daemon *d);
/* On failure everything stays to be saved by the next one. */
int daemon_save(struct daemon *d);
/* Leave a suspension to the next save, which comes with the next tick, or take it back. 0 or
 * -ENOMEM. arg: the daemon. */
int daemon_save_suspension(void *arg, const struct state_suspension *s);
void daemon_unsave_suspension(struct daemon *d, const struct account_id *id);
/* Read the map of counts when events were lost, or it is due; healing follows once the ring was
 * read up to where it stood then. True: it was read. */
bool daemon_snapshot(struct daemon *d, bool due);
void daemon_snapshot_finish(struct daemon *d);

/* daemon_hosts.c - who is a relay or exempt, and which addresses are this host's. */
int daemon_apply_roles(struct daemon *d);
enum smtpl_role daemon_role(void *arg, uint32_t uid);
/* Is the domain in exempt_users? */
bool daemon_exempts(void *arg, const char *domain);
int daemon_apply_addresses(struct daemon *d);
/* Loopback, or an address of this host. */
bool daemon_is_local(void *arg, const uint8_t addr[16]);

/* daemon_orders.c - what `suspend` and `release` ask for, from now on. 0 or -errno, logged. */
int daemon_orders_start(struct daemon *d);

/* daemon_judge.c - carrying out suspensions, and their end. */
void daemon_on_suspend(void *arg, struct account *account, const struct verdict *v,
		       uint64_t now_ns);
/* 0 or -errno, logged */
int daemon_suspend(struct daemon *d, const struct state_suspension *s);
/* The domain that stands for the account in the text, for as long as it is suspended. */
void daemon_name_account(struct daemon *d, const struct account_id *id,
			 char domain[SMTPL_DOMAIN_SIZE]);
/* [refuse] relay has changed: for the suspensions in force as well. */
void daemon_apply_relay(struct daemon *d);
/* Note what ended by itself. */
void daemon_expire(struct daemon *d);
/* Clear ended suspensions out of the kernel's maps that the database does not know. */
void daemon_sweep(struct daemon *d);
/* End a suspension before its time; the account's window begins empty. */
struct suspension_result daemon_lift(struct daemon *d, const struct account_id *id,
				     const char *why);
/* Write the file `suspended` as the maps are now. */
void daemon_list_suspended(struct daemon *d);

/* daemon_owners.c - which user owns a domain. start: with the privileges of root and the database
 * open; 0, also when nothing could be read. poll: about once a second. reload: the settings have
 * changed. */
int daemon_owners_start(struct daemon *d);
void daemon_owners_poll(struct daemon *d);
void daemon_owners_reload(struct daemon *d, const struct config *before);
void daemon_owners_stop(struct daemon *d);
/* arg: the daemon. domain: key form. */
bool daemon_owner(void *arg, const char *domain, uint32_t *uid);

/* daemon_services.c - who are service users. start: when owners and saved state are known; 0 or
 * -errno. look: now, and write their roles; poll: once a minute, or when one was found. sent: an
 * outcome of mail. excuse: somebody is to be suspended; true: it is a service user instead. */
int daemon_services_start(struct daemon *d);
int daemon_services_look(struct daemon *d);
void daemon_services_poll(struct daemon *d);
void daemon_services_sent(struct daemon *d, const struct outcome *o);
bool daemon_services_excuse(struct daemon *d, const struct account_id *id);
void daemon_services_stop(struct daemon *d);

/* daemon_submission.c - who pays for a mail, and for a message of a relay. arg: the daemon. */
extern const struct payer_ops daemon_payer_ops;
enum payer_kind daemon_payer(struct daemon *d, const struct submission *o, struct account_id *id,
			     enum payer_why *why);
/* At submission: it comes from outside, unauthenticated. */
bool daemon_is_inbound(struct daemon *d, const struct submission *o);
/* Is the domain (key form) this host's own name? */
bool daemon_own_name(void *arg, const char *domain);
/* Who on this host had the connection of the submission's client at that time. */
bool daemon_caller_then(struct daemon *d, const struct submission *o, int64_t wall_ns,
			uint32_t *uid);

/* daemon_outcomes.c - for struct pipeline_ops: the rule of an account, and what is said of
 * outcomes. arg: the daemon. */
const struct verdict_rule *daemon_rule(void *arg, const struct account *a);
/* SMTP AUTH of the mail that has just been charged to the account; "": not known. */
const char *daemon_login(const struct daemon *d, const struct account_id *id);
void daemon_on_outcome(void *arg, const struct outcome *o, enum outcome_counted counted,
		       uint64_t now_ns);
void daemon_on_bypass(void *arg, const struct outcome *o);
void daemon_on_near(void *arg, struct account *account, const struct verdict *v, uint64_t now_ns);
void daemon_on_alarm(void *arg, enum pipeline_alarm kind, const struct outcome *o, uint32_t bad,
		     uint32_t tried);
/* Put the alarms into the database. Within a transaction. 0 or -errno. */
int daemon_alarms_save(struct daemon *d);

/* daemon_reports.c - what mail servers report. arg: the daemon. */
void daemon_on_record(void *arg, const struct delivery_report *record);

/* daemon_maillog.c - put into the database how far the log was read. Within a transaction. 0 or
 * -errno */
int daemon_maillog_save(struct daemon *d);

/* daemon_losses.c - about once a second, and at the end: what was lost, for status and the log. */
void daemon_losses_show(struct daemon *d);

/* daemon_notify.c - notices of events. start: with the privileges of root. reload: the settings or
 * the templates have changed. notice: where something is to be sent, its time and the customer's
 * address are filled in. */
void daemon_notify_start(struct daemon *d);
void daemon_notify_reload(struct daemon *d);
void daemon_notify_stop(struct daemon *d);
void daemon_notice(struct daemon *d, const struct notice *notice);
enum daemon_suspended {
	DAEMON_SUSPENDED_BY_RULE,
	DAEMON_SUSPENDED_BY_HAND,
	DAEMON_SUSPENDED_OBSERVED, /* nobody was stopped */
};
void daemon_notice_suspended(struct daemon *d, const struct state_suspension *s,
			     enum daemon_suspended how);
/* by_itself: because its time was over. */
void daemon_notice_ended(struct daemon *d, const struct account_id *id, bool by_itself,
			 const char *why);

/* daemon_faults.c - a fault of this host kept a mail back; the text is a server's. save: within a
 * transaction; saved: it is on the disk. */
void daemon_fault(struct daemon *d, enum own_fault fault, const char *text, size_t text_size);
int daemon_faults_save(struct daemon *d);
void daemon_faults_saved(struct daemon *d);

/* daemon_told.c - the reasons of suspensions by hand that the senders are told. note: of one that
 * begins, or was in force when the daemon started; forget: of one that ends. told: "" without one.
 */
void daemon_told_note(struct daemon *d, const struct state_suspension *s);
void daemon_told_forget(struct daemon *d, const struct account_id *id);
void daemon_told(const struct daemon *d, const struct account_id *id, char reason[SMTPL_TOLD_SIZE]);

/* daemon_hooks.c - are the hooks still in the mail servers' files? poll: about once a second. */
void daemon_hooks_poll(struct daemon *d);
void daemon_hooks_stop(struct daemon *d);

/* daemon_tls.c - seeing inside TLS. start: with the privileges of root, before the mappings are
 * hidden; 0, also where it can't be done. attach: before the programs on sockets. */
int daemon_tls_start(struct daemon *d);
void daemon_tls_attach(struct daemon *d);
void daemon_tls_stop(struct daemon *d);

/* daemon_prune.c - after a reading of the map: when room in it is short, forget what is idle. */
void daemon_prune(struct daemon *d);

/* daemon_responder.c - is the account suspended? Then the figures of the text, and its own domain.
 * arg: the daemon. */
bool daemon_refusal(void *arg, const struct account_id *id, struct responder_answer *answer);
/* The same, for a mail of this sender domain. */
bool daemon_refusal_of_mail(struct daemon *d, const struct account_id *id, const char *domain,
			    struct responder_answer *answer);
/* Write for the kernel side that the daemon is alive, and where the responder is. */
void daemon_heartbeat(struct daemon *d);

#endif
