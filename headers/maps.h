/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps.h - keys and values of the maps pinned below <bpffs>/v1/. All times are boot time
 * (CLOCK_BOOTTIME) in nanoseconds, all counts are since the maps were made or, after a reboot,
 * since the state database was. Fields are in host byte order unless they say otherwise. A change
 * of any layout here is a new SMTPL_SCHEMA.
 */
#ifndef SMTPL_MAPS_H
#define SMTPL_MAPS_H

#include <linux/types.h>
#include "limits.h"

#define SMTPL_SCHEMA  1
#define SMTPL_PIN_DIR "v1"

/* smtpl_counts: written by BPF, read by all. Domain "" holds the connections, opaque sessions and
 * refusals of the uid, and the attempts that failed before a sender was named. */
struct smtpl_count_key {
	__u32 uid;
	char domain[SMTPL_DOMAIN_SIZE]; /* lower case, NUL padded */
};

struct smtpl_count {
	__u64 connections;
	__u64 delivered; /* attempts */
	__u64 deferred;
	__u64 failed;
	__u64 unknown;
	__u64 opaque;	/* sessions */
	__u64 refused;	/* connects, and messages of a mail server, that smtplimit turned away */
	__u64 last_ns;	/* when anything here last changed */
	__u64 domains;	/* in the "" entry: domains of the uid that have an entry */
	__u64 event_ns; /* in the "" entry: how far its share of the ring is used up */
};

enum smtpl_by_hand {
	SMTPL_BY_HAND = 1,	/* `smtplimit suspend`, the three figures are as they stood then */
	SMTPL_BY_HAND_TOLD = 2, /* its reason is told to the sender */
};

/* What a suspension says, wherever it is kept. Not suspended: until_ns is 0 or in the past. */
struct smtpl_suspension {
	__u64 since_ns;
	__u64 until_ns;
	__u32 bad;     /* deferred + failed mails in the window at the verdict */
	__u32 min;     /* min_failures then in force */
	__u32 percent; /* cut to a whole number */
	__u32 by_hand; /* of enum smtpl_by_hand; 0: by the rule */
};

enum smtpl_role {
	SMTPL_ROLE_DIRECT = 0, /* also every uid without an entry */
	SMTPL_ROLE_RELAY = 1,  /* a mail server: judged per sender domain, never refused */
	SMTPL_ROLE_EXEMPT = 2, /* counted, never judged, never refused */
	/* Service users, who carry mail of many owners, and are never refused. What names no
	 * submitter is nobody's; a list manager's is its sender domain's. */
	SMTPL_ROLE_SERVICE = 3,
	SMTPL_ROLE_LISTS = 4,
};

/* How it is known that a user is a service user. */
enum smtpl_service_why {
	SMTPL_SERVICE_NONE = 0,	   /* it is none */
	SMTPL_SERVICE_NAME = 1,	   /* the name of a known service */
	SMTPL_SERVICE_PIPE = 2,	   /* Postfix hands mail to a filter that runs as it */
	SMTPL_SERVICE_CARRIES = 3, /* it sends under several owners' domains */
};

/* smtpl_uids: uid -> this. Written by the daemon, read by BPF and the CLI. */
struct smtpl_uid {
	__u32 role; /* enum smtpl_role */
	__u32 why;  /* enum smtpl_service_why */
	struct smtpl_suspension suspension;
};

/* smtpl_domains: domain (NUL padded) -> struct smtpl_suspension. Writer and readers as above. */
struct smtpl_domain_key {
	char domain[SMTPL_DOMAIN_SIZE];
};

/* smtpl_locals: the host's own addresses, IPv4 as v4-mapped (::ffff:a.b.c.d), network order. */
struct smtpl_local_key {
	__u8 addr[16];
};

/* One end of a connection. */
struct smtpl_endpoint {
	__u8 addr[16]; /* v4-mapped for IPv4, network order */
	__u32 port;    /* host order */
};

/* Who stands behind a connection. */
struct smtpl_caller {
	__u32 uid;     /* of the process that connected */
	__u32 pid;     /* 0: not known, and uid is that of the socket's creator */
	__u64 time_ns; /* of the connect; where that is not known, when it was noted */
};

/* smtpl_redirs: connections to the responder. Key: struct smtpl_endpoint, the client's end. */

/* smtpl_callers: connections from this host to a watched port of its own. An entry is there before
 * the server can accept, and before it gets any byte. Connections to two servers can have the same
 * client's end at once: so each has an exact entry with both ends, and one whose `server` is zero,
 * which belongs to the connection that sent last. */
struct smtpl_caller_key {
	__u64 netns_cookie; /* of the client's network namespace; 127.0.0.1 is in each */
	struct smtpl_endpoint client;
	struct smtpl_endpoint server;
};

/* smtpl_meta: one entry. */
struct smtpl_meta {
	__u32 schema; /* SMTPL_SCHEMA */
	__u32 pid;    /* of the daemon that wrote this last */
	char boot_id[40];
	char version[32];
	__u64 generation; /* random, made with the maps: which state database belongs to them */
	__u64 started_ns;
	__u64 heartbeat_ns;    /* renewed every second while the daemon lives */
	__u64 netns_cookie;    /* of the responder */
	__u32 responder_port;  /* host order, on 127.0.0.1 and ::1; 0: no responder */
	__u32 responder_port6; /* the same for ::1 */
	/* The rule in force, as the daemon last read it. */
	__u32 observe; /* 1: mode = observe */
	__u32 percent;
	__u32 min_failures;
	__u32 pad;
	__u64 window_s;
	__u64 suspend_s;
};

#endif
