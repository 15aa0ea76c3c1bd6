/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.h - /etc/smtplimit.conf: every setting, its default, its range, and where it came from.
 */
#ifndef SMTPL_CONFIG_H
#define SMTPL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <linux/limits.h>

#include "headers/limits.h"
#include "headers/tls.h"
#include "core/reply_rows.h"
#include "core/verdict.h"

#define CONFIG_FILE_DEFAULT   "/etc/smtplimit.conf"
#define CONFIG_OWNERS_DEFAULT "/etc/smtplimit/domains"

/* Room for any error, in one line. */
#define CONFIG_ERROR_SIZE 1024

#define CONFIG_WINDOW_MIN_S	1
#define CONFIG_WINDOW_MAX_S	(24 * 3600)
#define CONFIG_SUSPEND_MIN_S	1
#define CONFIG_SUSPEND_MAX_S	(30 * 24 * 3600)
#define CONFIG_MIN_FAILURES_MAX 1000000
#define CONFIG_RING_MIN_BYTES	(4u << 10)
#define CONFIG_RING_MAX_BYTES	(64u << 20)
/* A socket below the run directory ("/socketmap") must fit into sockaddr_un. */
#define CONFIG_RUN_MAX	     90
#define CONFIG_REFRESH_MIN_S 1
#define CONFIG_REFRESH_MAX_S (24 * 3600)

/* A mail address (RFC 5321, 4.5.3.1.3, without the brackets), and a line's worth of URL. */
#define CONFIG_ADDRESS_SIZE 255
#define CONFIG_URL_SIZE	    256

/* A file's name fits behind it. */
#define CONFIG_DIRECTORY_SIZE (PATH_MAX - 256)

enum config_source {
	CONFIG_SOURCE_AUTO = 0,
	CONFIG_SOURCE_NONE,
	CONFIG_SOURCE_CPANEL,
	CONFIG_SOURCE_DIRECTADMIN,
	CONFIG_SOURCE_HESTIA,
	CONFIG_SOURCE_FILE,
	CONFIG_SOURCE_COMMAND,
};

enum config_relay {
	CONFIG_RELAY_HOOK = 0,	/* a suspended account's mail is left to the mail server's hooks */
	CONFIG_RELAY_RESET = 1, /* its sessions are reset in the kernel */
};

enum config_customer {
	CONFIG_CUSTOMER_OFF = 0,
	CONFIG_CUSTOMER_PANEL,
	CONFIG_CUSTOMER_FILE,
	CONFIG_CUSTOMER_COMMAND,
};

/* Sender domains, in key form. */
#define CONFIG_DOMAINS_MAX 64
struct config_domains {
	char domain[CONFIG_DOMAINS_MAX][SMTPL_DOMAIN_SIZE];
	size_t count;
};

struct config_uids {
	uint32_t uid[SMTPL_USERS_MAX];
	size_t count;
};

/* Hosts: an address has 128 bits, IPv4's are v4-mapped. Network order, the rest is 0. */
#define CONFIG_NETWORKS_MAX 64

struct config_network {
	uint8_t addr[16];
	unsigned int bits;
};

struct config_networks {
	struct config_network network[CONFIG_NETWORKS_MAX];
	size_t count;
};

struct config {
	/* DIR/NAME.d beside DIR/NAME.conf: files of accounts, templates of notices */
	char directory[CONFIG_DIRECTORY_SIZE];
	struct verdict_rule rule; /* [limit] */
	char replies_file[PATH_MAX];
	struct reply_rows replies;	 /* of that file, owned */
	uint16_t ports[SMTPL_PORTS_MAX]; /* host order, each once */
	size_t ports_count;
	struct config_uids relays; /* root is always one of them */
	bool relays_gone; /* a name of relay_users is: those of the default are relays, too */
	struct config_uids exempts;
	struct config_uids directs;	      /* never taken for service users */
	struct config_domains exempt_domains; /* where nobody owns them */
	bool local;			      /* watch loopback and the host's own addresses too */
	char cgroup[PATH_MAX];		      /* "auto", or a directory of a cgroup v2 hierarchy */
	uint32_t ring_bytes;		      /* power of two, at least a page */
	enum smtpl_tls_mode tls;	      /* how TLS sessions are read */
	/* [accounts]: who owns a domain */
	enum config_source source;
	char owners_file[PATH_MAX];
	char owners_command[PATH_MAX]; /* run by /bin/sh; "": none */
	int64_t owners_refresh_s;      /* how often the command is run */
	bool count_forwards;
	struct config_networks trusted; /* hosts whose senders are believed */
	/* [feed]: mail servers' reports. postfix: "auto", "off", "journal" or the path of the
	 * log. */
	bool feed_exim;
	char feed_postfix[PATH_MAX];
	enum config_relay relay; /* [refuse] */
	char contact[SMTPL_TOLD_SIZE];
	/* [notify]: who hears of an event. A text that is "" is not set. */
	char notify_command[PATH_MAX]; /* run by /bin/sh */
	char notify_admin[CONFIG_ADDRESS_SIZE];
	enum config_customer notify_customer; /* where a customer's address comes from */
	char notify_customer_file[PATH_MAX];
	char notify_customer_command[PATH_MAX]; /* run by /bin/sh */
	char notify_from[CONFIG_ADDRESS_SIZE];	/* "": postmaster at the host's name */
	char notify_webhook[CONFIG_URL_SIZE];	/* http:// or https:// */
	char notify_secret_file[PATH_MAX];	/* signs what is sent to the webhook */
	char state[PATH_MAX];
	char run[PATH_MAX];
	char bpffs[PATH_MAX];
	struct config_accounts *accounts; /* [account NAME], owned; config_account.h */
	bool paths_only; /* by config_read_paths(): the rest of the file could not be read */
};

/* The defaults of every key; relay users resolved from the passwd database. What *c owned before
 * is lost: config_free() it first. */
void config_defaults(struct config *c);

/* Read a file over the defaults. A missing file is fine when `file` is CONFIG_FILE_DEFAULT.
 * Returns 0, *c to be freed by config_free(), or -1 with one line in `error`: "FILE:LINE: what, in
 * quotes, and what is right", *c then unspecified, without anything to free. */
int config_read(const char *file, struct config *c, char *error, size_t error_size);

/* The same for a caller that needs the paths alone: after an error outside of [paths] all other
 * settings are the defaults, c->paths_only is set, and it returns 1 with the error. */
int config_read_paths(const char *file, struct config *c, char *error, size_t error_size);

/* The same for the policy client, which a mail server's user runs for each mail: accounts, the
 * directory beside the file and the file of `replies` are passed over, unread. */
int config_read_client(const char *file, struct config *c, char *error, size_t error_size);

/* Frees what *c owns; a copy of *c owns the same. */
void config_free(struct config *c);

/* `smtplimit config`: each effective setting with the file and line, or "default", it came from.
 * Errors as config_read(), with nothing printed. */
int config_print(const char *file, bool json, FILE *out, char *error, size_t error_size);

/* Read a duration: whole numbers with w, d, h, m or s, each unit once and the larger one first,
 * like "60m" or "1h30m". Returns 0, or -1: it is none. */
int config_seconds(const char *text, int64_t *seconds);

/* The same within bounds. Returns 0, or -1 with what would be right in `want`: "want ... from 1s to
 * 24h". */
int config_duration(const char *text, int64_t min_s, int64_t max_s, int64_t *seconds, char *want,
		    size_t want_size);

/* Write a duration as config_duration() reads it, in the largest unit that keeps it exact, but an
 * hour as 60m and a day as 24h. */
void config_duration_text(int64_t seconds, char *text, size_t text_size);

#endif
