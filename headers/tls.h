/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls.h - what the probes on TLS libraries and the maps about them hold. A probe carries a cookie
 * (bpf_get_attach_cookie) that names its function, and whether it stands on the entry or on a RET.
 *
 * A TLS object is the SSL or gnutls_session_t that the functions get as their first argument; it is
 * bound to the session whose socket the same thread reads while it is inside such a function.
 */
#ifndef SMTPL_TLS_H
#define SMTPL_TLS_H

#include <linux/types.h>
#include "limits.h"

/* What a function does with its arguments: (object, buffer, size, ...). Arguments count from 1. */
enum smtpl_tls_function {
	SMTPL_TLS_READ = 1,  /* returns the bytes read: SSL_read, gnutls_record_recv */
	SMTPL_TLS_READ_EX,   /* returns 1, and the bytes read in *argument 4: SSL_read_ex */
	SMTPL_TLS_WRITE,     /* returns the bytes written: SSL_write, gnutls_record_send */
	SMTPL_TLS_WRITE_EX,  /* returns 1, and the bytes in *argument 4: SSL_write_ex */
	SMTPL_TLS_WRITE_EX2, /* the same in *argument 5: SSL_write_ex2 */
	SMTPL_TLS_UNCORK,    /* writes what was given to a WRITE before: gnutls_record_uncork */
	SMTPL_TLS_HANDSHAKE, /* entry alone: SSL_do_handshake, gnutls_handshake */
	SMTPL_TLS_FREE,	     /* entry alone, the object is no more: SSL_free, gnutls_deinit */
	SMTPL_TLS_FUNCTIONS,
};

#define SMTPL_TLS_RETURN 0x100 /* in a cookie, beside the function: a probe on one of its RETs */

/* Probes in one file. OpenSSL 3 has 11, GnuTLS 3.7 has 15. */
#define SMTPL_TLS_PROBES_MAX 64

#define SMTPL_TLS_PIDS_MAX     16384
#define SMTPL_TLS_FILES_MAX    256
#define SMTPL_TLS_SESSIONS_MAX 16384
#define SMTPL_TLS_SESSIONS_PER_UID                                                                 \
	(SMTPL_TLS_SESSIONS_MAX / 8) /* at once; mail servers have no such bound */
#define SMTPL_TLS_OBJECTS_MAX 16384
#define SMTPL_TLS_ASKS_BYTES  65536u

/* [watch] tls */
enum smtpl_tls_mode {
	SMTPL_TLS_OFF = 0,
	SMTPL_TLS_PROCESS, /* probes in the process that opened a session */
	SMTPL_TLS_LIBRARY, /* probes in the file, for all who map it */
};

/* How probes are attached. */
enum smtpl_tls_way {
	SMTPL_TLS_WAY_NONE = 0,
	/* uprobe_multi: one link for a file (6.10; in 6.6 it knows threads alone) */
	SMTPL_TLS_WAY_MULTI,
	SMTPL_TLS_WAY_PERF, /* perf uprobes: a link for each probe */
};

/* smtpl_tls_asks, a ring buffer: a process speaks SMTP and may come to use TLS. BPF asks the prober
 * (user/tls/prober.h) for probes: at connect where the process has no entry in smtpl_tls_pids, and
 * when TLS begins where it has no probed file. */
struct smtpl_tls_ask {
	__u32 pid;   /* process, as the initial pid namespace knows it */
	__u32 uid;   /* of the session */
	__u32 role;  /* enum smtpl_role of the session */
	__u32 again; /* TLS begins: look anew though the process is known */
};

/* smtpl_tls_pids: pid of a process -> this. The prober writes it, with [watch] tls = library BPF
 * does, too. A probe does nothing in a process without an entry. */
struct smtpl_tls_pid {
	__u64 since_ns; /* boot time: its probes are attached; 0: no TLS library was found in it */
	/* boot time: when it last connected, or read from a TLS session; written by BPF */
	__u64 last_ns;
	__u32 files; /* of it, with probes: in this process alone or for all */
	__u32 pad;
};

/* smtpl_tls: cookie of a socket -> its session, whose plaintext is followed. It begins with: */
struct smtpl_tls_session {
	__u64 object; /* the TLS object that it is bound to; 0: none yet */
	__u64 owner;  /* whose object that is: never the same for two programs, as a pid may be */
	__u32 pid;    /* of the process that last read */
	__u32 uid;    /* of the session */
};

enum smtpl_tls_library {
	SMTPL_TLS_OPENSSL = 1,
	SMTPL_TLS_GNUTLS = 2,
};

/* smtpl_tls_files: files with TLS functions. Written by the prober. */
struct smtpl_tls_file_key {
	__u64 dev; /* st_dev */
	__u64 ino;
};

struct smtpl_tls_file {
	/* as the process that mapped it first has it: untrusted bytes, NUL padded */
	char path[256];
	__u32 libraries; /* enum smtpl_tls_library, or-ed */
	__u32 probes;	 /* probes that it takes */
	__u32 processes; /* with probes in this file now */
	__u32 whole;	 /* 1: attached to the file, for all who map it */
	__s32 error;	 /* -errno why it can't be probed; 0 */
	__u32 pad;
	__u64 last_ns; /* boot time: a process was last found to map it */
};

/* smtpl_tls_state: one entry. Written by the prober; totals since the maps were made. */
struct smtpl_tls_state {
	__u32 mode;	    /* enum smtpl_tls_mode */
	__u32 way;	    /* enum smtpl_tls_way */
	__u32 pid;	    /* of the prober; 0: it has ended */
	__u32 processes;    /* with probes now */
	__u64 probed;	    /* processes that got probes */
	__u64 without;	    /* processes in which no TLS library was found */
	__u64 unreadable;   /* processes or files that could not be read: gone, refused, damaged */
	__u64 failed;	    /* processes or files that took no probe */
	__u64 skipped;	    /* processes beyond what may be probed in a second */
	__u64 heartbeat_ns; /* boot time */
	__u64 held; /* times that a user's FUSE held up the host or the prober, and was ended */
	__u64 paused_ns; /* boot time: until then nothing is put in or taken out; 0: it is */
	__u32 held_uid;	 /* whose that was the last time */
	__u32 pad;
	char error[128]; /* the last one, printable; "" */
};

#endif
