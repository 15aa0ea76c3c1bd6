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
#define PROBER_LEAVING_MAX   64
#define PROBER_TIMES	     3

/* When something happened that must not happen often, the oldest first. */
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
	uint32_t uid;	/* of the session for which it was asked */
	bool relay;
	bool probed;	  /* has been counted as such */
	uint64_t busy_ns; /* when it was last found so */
	uint32_t count;
	struct prober_probe probes[PROBER_PROCESS_FILES];
	struct prober_process *chain;
};

/* Names of probes to be taken out, the oldest first. */
struct prober_leaving {
	char names[PROBER_LEAVING_MAX + 1][PROBER_NAME_SIZE];
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
	struct prober_maps maps; /* of the process that is looked at */
	struct prober_process *processes[PROBER_PROCESSES_MAX]; /* by pid */
	size_t processes_count;
	struct prober_leaving leaving;
	uint64_t ask_ns;    /* when it was last asked */
	uint64_t second_ns; /* when what is done each second is due */
	uint64_t idle_ns;   /* when those were looked for that do nothing */
	bool any_idle;
	uint64_t library_ns;
	uint64_t walk_ns; /* when all processes were last looked at */
	bool left;	  /* processes have lost what they had through a file */
	uint64_t said_ns; /* when an error was last logged */
	int epoll_fd;
	int timer_fd;
};

/* CAP_SYS_ADMIN: /proc/PID/map_files. */
#define PROBER_CAPS                                                                                \
	CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_BPF, CAP_PERFMON, CAP_DAC_READ_SEARCH, SANDBOX_CHILD_CAPS

struct prober_args {
	struct bpf_tls *tls;
	const struct config *config;
	bool again; /* the daemon is the same: a pause goes on */
};

/* prober.c - as child_start() wants it; arg: struct prober_args. */
int prober_main(void *arg, int fd, pid_t parent);

/* prober_process.c - the processes that were asked for. find: NULL: it is not known, or not the
 * same process any more. begin: 0 or -errno; -ESRCH: gone. */
struct prober_process *prober_process_find(struct prober_child *c, pid_t pid);
bool prober_process_known(struct prober_child *c, pid_t pid); /* perhaps an ended one */
/* May there be one more of this sender, or one more with probes? free: it is none who could want to
 * take up the room of others. */
bool prober_process_room(const struct prober_child *c, uint32_t uid, bool free, bool probed);
int prober_process_begin(struct prober_child *c, pid_t pid, struct prober_process **process);
bool prober_process_ended(const struct prober_process *p);
/* Take its probes out, and forget it. */
void prober_process_end(struct prober_child *c, struct prober_process *p);
/* Leave its probes where they are, and forget it. */
void prober_process_forget(struct prober_child *c, struct prober_process *p);
void prober_process_unprobe(struct prober_child *c, struct prober_process *p, size_t index);
void prober_process_name(const struct prober_process *p, uint64_t hash,
			 char name[PROBER_NAME_SIZE]);
void prober_process_each(struct prober_child *c,
			 void (*each)(struct prober_child *c, struct prober_process *p));
/* Tell the BPF programs about it. since_ns: when its newest probes came; 0: they were there. */
void prober_process_report(struct prober_child *c, struct prober_process *p, uint64_t since_ns);
/* Forget those that have not sent for a while, and take their probes out: they may do other things
 * with TLS. */
void prober_process_rest(struct prober_child *c);

enum prober_scan {
	PROBER_SCAN_ASKED,
	PROBER_SCAN_FREE, /* whatever the budget has */
	PROBER_SCAN_BIND, /* put no probes: find the files of those that are there */
};

/* prober_detach.c - take the probes of this name out, now or later. not: true: they were to be
 * taken out, and stay. tend: once a second. */
void prober_detach(struct prober_child *c, const char *name);
bool prober_detach_cancel(struct prober_child *c, const char *name);
void prober_detach_tend(struct prober_child *c, uint64_t now_ns);

/* prober_scan.c - find the TLS functions in a process, and put probes on them. 0 or -errno;
 * -EDQUOT: there are some, and the budget is used up. */
int prober_scan(struct prober_child *c, struct prober_process *p, enum prober_scan how);
/* What is in the file open as fd (O_PATH). NULL: it could not be read, or must not. */
struct prober_file *prober_scan_into(struct prober_child *c, int fd, const char *path);
/* Is the file that is open as fd what it was? */
bool prober_scan_same(int fd, const struct prober_file_id *id);

/* prober_library.c - files with probes for all who map them. learn: look into the usual libraries,
 * so that no session has to wait for that, and into what an earlier prober has attached. start:
 * [watch] tls = library attaches to the usual ones. */
void prober_library_learn(struct prober_child *c);
void prober_library_start(struct prober_child *c);
/* Is it attached for all, or should be and is now? */
bool prober_library_wanted(struct prober_child *c, struct prober_file *file, int fd);
/* An earlier prober has attached it. False: it must not stay so. */
bool prober_library_recover(struct prober_file *file);
/* Take the probes out of files that are not what they were: they would be in the wrong places of
 * what is mapped from now on. */
void prober_library_check(struct prober_child *c);
/* The same, and of what is not mapped any more, or by other programs by now. Once a second. */
void prober_library_tend(struct prober_child *c);

/* prober_recover.c - what an earlier prober has left. The names of pins say of what they are: of a
 * file, of a file in a process; false: not so. */
bool prober_recover_library(const char *name, uint64_t *hash);
bool prober_recover_name(const char *name, pid_t *pid, uint64_t *start, uint64_t *hash);
void prober_recover_files(struct prober_child *c);
void prober_recover_processes(struct prober_child *c);

/* prober_pause.c - what the guard tells, and what is made of it. start: guard_start(). take: false:
 * it is gone, and without it this must not go on. tend: once a second; true: nothing is to be put
 * in or taken out now, but of files that were changed. */
int prober_pause_start(struct prober_child *c);
bool prober_pause_take(struct prober_child *c);
bool prober_pause_tend(struct prober_child *c, uint64_t now_ns);
/* It has happened now. True: as many times as are noted within ten minutes. */
bool prober_times_note(struct prober_times *times, uint64_t now_ns);

/* prober_report.c - smtpl_tls_state and smtpl_tls_files. */
void prober_report_start(struct prober_child *c, bool again);
void prober_report(struct prober_child *c, uint64_t now_ns);
/* A failure: the last one is shown. path: untrusted, "": none. */
void prober_report_error(struct prober_child *c, const char *what, const char *path, int error);

#endif
