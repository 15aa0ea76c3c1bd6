/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * status.h - what `smtplimit status` shows, in one structure that text and JSON are printed from.
 *
 * Filled from the pinned maps and the state database: begin, meta, every owner, every uid (it says
 * who is a relay), then the rest in any order, then finish. What is enforced is what the maps say;
 * without maps (nothing loaded) the saved suspensions stand for them. Pure but for the passwd
 * database: the clocks are arguments.
 */
#ifndef SMTPL_STATUS_H
#define SMTPL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "base/clock_text.h"
#include "headers/losses.h"
#include "headers/maps.h"
#include "headers/stats.h"
#include "headers/tls.h"
#include "who/account.h"
#include "who/payer.h"
#include "config/config_account.h"
#include "core/delivery_report.h"
#include "owners/owners.h"
#include "state/state.h"
#include "state/state_feeds.h"
#include "state/state_faults.h"
#include "state/state_remotes.h"
#include "core/verdict.h"
#include "core/window.h"

#define STATUS_PROBLEMS_MAX 16

/* For so long after it last grew a serious loss is a problem. */
#define STATUS_LOSS_S (24 * 3600)

/* Past this a process that should give signs of life is stuck. */
#define STATUS_LATE_S 10

/* The text has the alarms about remotes of so long, the JSON all that are saved. */
#define STATUS_REMOTES_S 3600

/* Which accounts are printed. */
enum status_view {
	STATUS_ALL = 0,
	STATUS_ACTIVE, /* with mail in the window, or suspended */
	STATUS_SUSPENDED,
};

/* Deferred and failed mails of a window that do not count, by what is known of them. */
struct status_uncounted {
	uint64_t all;
	uint32_t class[REPLY_CLASSES]; /* nobody's failure, whatever the remote */
	uint32_t trouble;	       /* their remote was in trouble */
};

struct status_account {
	struct account_id id;
	enum smtpl_role role;	    /* a domain is direct or exempt */
	enum smtpl_service_why why; /* it is a service user */
	unsigned int carries;	    /* of a direct sender: of how many others' domains it sends */
	struct verdict_rule rule;   /* by which it is judged */
	const struct config_section *section; /* of the configuration, in force; NULL: none */
	struct tally window;
	struct status_uncounted uncounted;
	/* Further failures until the line; 0: suspended, or over it; UINT64_MAX: no number
	 * suffices, or it is never judged. */
	uint64_t headroom;
	struct smtpl_count total;	/* last_ns and domains are not used */
	struct smtpl_totals superseded; /* of them, what mail servers reported */
	struct relay_count reported;
	bool suspended;
	bool saved; /* `reason` and `since_wall_s` come from the state database */
	struct smtpl_suspension suspension;
	int64_t since_wall_s; /* Unix time; 0: not known */
	int64_t until_wall_s;
	char *name;   /* printable */
	char *reason; /* untrusted bytes; NULL without a suspension */
	char **domains;
	size_t domains_count;
};

struct status_role {
	uint32_t uid;
	enum smtpl_role role;
	enum smtpl_service_why why;
};

struct status {
	const struct config *config;
	enum status_view view;
	struct status_account *picked; /* the only one to print; NULL: those of the view */
	int64_t boot_ns;
	int64_t wall_ns;
	struct verdict_rule rule; /* in force; nothing loaded: the file's */
	enum verdict_mode mode;	  /* the same */
	bool file_differs;	  /* from the rule in force */
	bool loaded;		  /* maps and hooks: meta, stats and losses are set */
	pid_t daemon_lock_pid;	  /* 0: none */
	struct smtpl_meta meta;
	struct smtpl_stats stats;
	struct smtpl_losses losses;
	uint64_t relay_sessions;
	struct relay_count nobodys;	     /* what no account was charged with */
	char *problems[STATUS_PROBLEMS_MAX]; /* what could not be read, a line each */
	size_t problems_count;
	struct status_account **accounts; /* finish: those suspended first, then the worst */
	size_t accounts_count;
	size_t accounts_room;
	struct status_role *roles;
	size_t roles_count;
	struct tally_room *room; /* NULL: nothing was counted yet */
	struct owners *owners;	 /* NULL: nobody owns anything */
	struct state_feed *feeds;
	size_t feeds_count;
	struct state_remote *remotes;
	size_t remotes_count;
	struct state_fault faults[OWN_FAULTS];
	size_t faults_count;
	struct smtpl_tls_state tls; /* without a prober all 0 */
	struct smtpl_tls_file *tls_files;
	size_t tls_files_count;
	void *index; /* tsearch(3), by id */
};

void status_begin(struct status *s, const struct config *config, int64_t boot_ns, int64_t wall_ns);
void status_end(struct status *s);

/* What the daemon last wrote, and with it the rule in force. A start that never got to attaching
 * has left maps with a schema of 0: that is not loaded. */
void status_meta(struct status *s, const struct smtpl_meta *meta);

/* status_rule.c - The rule in force: as the daemon last read it, or the file's where nothing is
 * loaded. */
struct verdict_rule status_rule(const struct smtpl_meta *meta, const struct config *config);

/* Each returns 0 or -ENOMEM. */
int status_uid(struct status *s, uint32_t uid, const struct smtpl_uid *value);
int status_count(struct status *s, const struct smtpl_count_key *key,
		 const struct smtpl_count *count);
int status_domain(struct status *s, const struct smtpl_domain_key *key,
		  const struct smtpl_suspension *suspension);
int status_window(struct status *s, const struct account_id *id, struct window *window);
int status_suspension(struct status *s, const struct state_suspension *saved);
int status_owner(struct status *s, const char *domain, uint32_t uid);
int status_superseded(struct status *s, uint32_t uid, const char *domain,
		      const struct smtpl_totals *superseded);
int status_relay_count(struct status *s, const struct account_id *id, const char *domain,
		       const struct relay_count *counts);
int status_feed(struct status *s, const struct state_feed *feed);
int status_remote(struct status *s, const struct state_remote *remote);
int status_finish(struct status *s);

/* status_view.c - Leave one account to print, when everything is read and before status_finish():
 * the one that a person means (account_find.h). 0; -ENOMEM; another -errno: it is not known, `why`
 * has one line. */
int status_pick(struct status *s, const char *text, char *why, size_t why_size);
/* Does a daemon judge now? Not one that is dead, starting or stuck. */
bool status_is_judged(const struct status *s);
/* Is it to be printed? */
bool status_shows(const struct status *s, const struct status_account *a);

/* One line of what could not be read; those past STATUS_PROBLEMS_MAX are left out. */
void status_problem(struct status *s, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Boot time as Unix time. */
int64_t status_wall_s(const struct status *s, uint64_t boot_ns);

/* "2026-11-21T14:05:00Z" */
#define STATUS_TIME_SIZE CLOCK_TEXT_SIZE
char *status_time(int64_t wall_s, char text[STATUS_TIME_SIZE]);

/* status_feeds.c - Why a feed does not run, in one word for programs and in words for people; NULL:
 * it runs, or nobody knows. */
const char *status_feed_stop(const struct pipeline_feed *feed);
const char *status_feed_why(const struct pipeline_feed *feed);
/* Those that do not run are problems. */
void status_feeds_finish(struct status *s);
/* "exim", "postfix" */
const char *status_feed_name(const struct state_feed *feed);

/* Shared by the files of status: the account of an id, made where there is none, or NULL without
 * memory; that of an id of which something is known, or NULL; its domains, which may come twice;
 * what a uid is; whose (uid, domain) is; what was reported in place of what is superseded. */
struct status_account *status_account(struct status *s, const struct account_id *id);
struct status_account *status_known(const struct status *s, const struct account_id *id);
int status_add_domain(struct status_account *a, const char *domain, size_t size);
enum smtpl_role status_role(const struct status *s, uint32_t uid);
/* status_services.c: at the end, of how many others an account has sent, and what is nobody's. */
void status_service_finish(struct status *s, struct status_account *a);
/* Is it a service user? */
bool status_serves(const struct status_account *a);
void status_services_print(const struct status *s, FILE *out);
struct account_id status_payer(struct status *s, uint32_t uid, const char *domain);
/* The same of a relay's mail from a domain: its owner, or the domain. */
struct account_id status_domain_payer(struct status *s, const char *domain);
void status_replace(struct status_account *a);
extern const struct payer_ops status_payer_ops; /* arg: the status */
/* The rule that an account without one of its own would have, with what its section sets. */
void status_account_rule(const struct status *s, struct status_account *a);
/* Is the account judged at all? Root, relay and exempt users are not. */
bool status_judges(const struct status_account *a);
/* Is it judged, and never suspended by that? */
bool status_observes(const struct status_account *a);
void status_feeds_end(struct status *s);
void status_remotes_end(struct status *s);
void status_remotes_print(const struct status *s, FILE *out);

/* status_faults.c */
int status_fault(struct status *s, const struct state_fault *fault);
void status_faults_print(const struct status *s, FILE *out);

/* status_text.c: all of it, or what is wrong and the picked account, by status_account.c. */
void status_print_text(const struct status *s, FILE *out);
void status_print_account(const struct status *s, const struct status_account *a, FILE *out);
/* status_json.c: 0 or -ENOMEM. */
int status_print_json(const struct status *s, FILE *out);

#endif
