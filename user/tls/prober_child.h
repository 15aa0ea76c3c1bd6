/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * prober_child.h - the prober's one context, shared by the prober*.c files alone.
 */
#ifndef SMTPL_PROBER_CHILD_H
#define SMTPL_PROBER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include "kernel/bpf_tls.h"
#include "config/config.h"
#include "guard.h"
#include "prober_budget.h"
#include "prober_files.h"
#include "prober_maps.h"
#include "base/sandbox.h"
#include "elf/tls_reader.h"

#define PROBER_PROCESSES_MAX 4096
#define PROBER_PROCESS_FILES 8
#define PROBER_NAME_SIZE     65
#define PROBER_DETACHING_MAX 64
#define PROBER_TIMES	     3

/* Times of an event that must not happen often, the oldest first. */
struct prober_times {
	uint64_t ns[PROBER_TIMES];
};

/* A file with TLS functions in a process. */
struct prober_probe {
	uint64_t hash;		  /* of the file */
	struct prober_file *file; /* NULL: not found in the process yet, after a restart */
	bool own;		  /* has a pin of its own, for this process */
};

struct prober_process {
	pid_t pid;
	int pidfd;
	uint64_t start; /* clock ticks since boot */
	uint32_t uid;	/* of the session that the BPF programs asked for */
	bool relay;
	bool probed;	  /* has been counted as such */
	uint64_t busy_ns; /* when it was last found busy */
	uint32_t count;
	struct prober_probe probes[PROBER_PROCESS_FILES];
	struct prober_process *chain;
};

/* Names of probes that are to be detached, the oldest first. */
struct prober_detaching {
	char names[PROBER_DETACHING_MAX + 1][PROBER_NAME_SIZE];
	size_t count;
};

struct prober_child {
	struct bpf_tls *tls;
	const struct config *config;
	struct smtpl_tls_state state;
	struct tls_reader reader;
	struct guard guard;
	bool guard_lost;
	struct prober_times rescues;
	struct prober_budget budget;
	struct prober_files files;
	struct prober_maps maps;				/* of the process that is scanned */
	struct prober_process *processes[PROBER_PROCESSES_MAX]; /* by pid */
	size_t processes_count;
	struct prober_detaching detaching;
	uint64_t ask_ns;    /* when the last request came */
	uint64_t second_ns; /* when the work of each second is due */
	uint64_t idle_ns;   /* when idle processes were last looked for */
	bool any_idle;
	uint64_t library_ns;
	uint64_t walk_ns;   /* when the mappings of all processes were last read */
	bool lost_library;  /* processes have lost probes that a file had for all */
	uint64_t logged_ns; /* when an error was last logged */
	int epoll_fd;
	int timer_fd;
};

/* CAP_SYS_ADMIN: /proc/PID/map_files. */
#define PROBER_CAPS                                                                                \
	CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_BPF, CAP_PERFMON, CAP_DAC_READ_SEARCH, SANDBOX_CHILD_CAPS

struct prober_args {
	struct bpf_tls *tls;
	const struct config *config;
	bool again; /* restarted by the supervisor: a pause goes on */
};

/* prober.c - as child_start() wants it; arg: struct prober_args. */
int prober_main(void *arg, int fd, pid_t parent);

/* prober_process.c - the processes that requests named. find: NULL: it is not known, or not the
 * same process any more. begin: 0 or -errno; -ESRCH: gone. */
struct prober_process *prober_process_find(struct prober_child *c, pid_t pid);
bool prober_process_known(struct prober_child *c, pid_t pid); /* perhaps an ended one */
/* May there be one more process of this sender, or one more with probes? free: it is a mail
 * server's, which does not use up the room of others. */
bool prober_process_room(const struct prober_child *c, uint32_t uid, bool free, bool probed);
int prober_process_begin(struct prober_child *c, pid_t pid, struct prober_process **process);
bool prober_process_ended(const struct prober_process *p);
/* Detach its probes, and forget it. */
void prober_process_end(struct prober_child *c, struct prober_process *p);
/* Keep its probes attached, and forget it. */
void prober_process_forget(struct prober_child *c, struct prober_process *p);
void prober_process_unprobe(struct prober_child *c, struct prober_process *p, size_t index);
void prober_process_name(const struct prober_process *p, uint64_t hash,
			 char name[PROBER_NAME_SIZE]);
void prober_process_each(struct prober_child *c,
			 void (*each)(struct prober_child *c, struct prober_process *p));
/* Report it to the BPF programs. since_ns: when its newest probes came; 0: they were there. */
void prober_process_report(struct prober_child *c, struct prober_process *p, uint64_t since_ns);
/* End those that have not sent for a while: they may do other things with TLS. */
void prober_process_end_idle(struct prober_child *c);

enum prober_scan {
	PROBER_SCAN_ASKED,
	PROBER_SCAN_FREE, /* without regard to the budget */
	PROBER_SCAN_BIND, /* put no probes: find the files of those that exist */
};

/* prober_detach.c - detach the probes of this name, now or later. cancel: true: they were to be
 * detached, and stay. tend: once a second. */
void prober_detach(struct prober_child *c, const char *name);
bool prober_detach_cancel(struct prober_child *c, const char *name);
void prober_detach_tend(struct prober_child *c, uint64_t now_ns);

/* prober_scan.c - find the TLS functions in a process, and put probes on them. 0 or -errno;
 * -EDQUOT: there are some, and the budget is used up. */
int prober_scan(struct prober_child *c, struct prober_process *p, enum prober_scan how);
/* What the file open as fd (O_PATH) has. NULL: it could not be read, or must not. */
struct prober_file *prober_scan_into(struct prober_child *c, int fd, const char *path);
/* Is the file that is open as fd unchanged? */
bool prober_scan_same(int fd, const struct prober_file_id *id);

/* prober_library.c - files with probes for all who map them. learn: read the usual libraries, so
 * that no session has to wait for that, and those that an earlier prober has attached to. start:
 * [watch] tls = library attaches to the usual ones. */
void prober_library_learn(struct prober_child *c);
void prober_library_start(struct prober_child *c);
/* Is it attached for all? It is attached now where that is wanted. */
bool prober_library_wanted(struct prober_child *c, struct prober_file *file, int fd);
/* Take over a file that an earlier prober has attached to. False: its probes must go. */
bool prober_library_recover(struct prober_file *file);
/* Detach the probes of files that have changed: they would be at wrong places in what is mapped
 * from now on. */
void prober_library_check(struct prober_child *c);
/* The same, and those of files that nobody maps any more, or that other programs map as well. Once
 * a second. */
void prober_library_tend(struct prober_child *c);

/* prober_recover.c - takes over from an earlier prober. The names of pins say whose probes they
 * are: a file's, or those of a file in a process; false: another name. */
bool prober_recover_library(const char *name, uint64_t *hash);
bool prober_recover_name(const char *name, pid_t *pid, uint64_t *start, uint64_t *hash);
void prober_recover_files(struct prober_child *c);
void prober_recover_processes(struct prober_child *c);

/* prober_pause.c - reads the guard's reports. start: guard_start(). take: false: the guard is gone,
 * and the prober must not go on without it. tend: once a second; true: nothing may be attached or
 * detached now, except that changed files lose their probes. */
int prober_pause_start(struct prober_child *c);
bool prober_pause_take(struct prober_child *c);
bool prober_pause_tend(struct prober_child *c, uint64_t now_ns);
/* Note that it has happened now. True: as many times as are kept lie within ten minutes. */
bool prober_times_note(struct prober_times *times, uint64_t now_ns);

/* prober_report.c - smtpl_tls_state and smtpl_tls_files. */
void prober_report_start(struct prober_child *c, bool again);
void prober_report(struct prober_child *c, uint64_t now_ns);
/* Report a failure: the last one is shown. path: untrusted, "": none. */
void prober_report_error(struct prober_child *c, const char *what, const char *path, int error);

#endif
