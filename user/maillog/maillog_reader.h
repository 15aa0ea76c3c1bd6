/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_reader.h - reads Postfix's log as it grows, in a child process under seccomp without
 * privileges, and hands on what maillog.h makes of it, each record with the position behind it.
 *
 * A file is opened by the daemon, which gives the child its descriptors: the child is nobody, in an
 * empty root directory, and can do no more than read them. Rotation by rename and by copytruncate
 * is followed, also when it happened while nobody read; files that were compressed meanwhile are
 * not read. Whoever may write to syslog can put lines into the file: logger(1) can, and so can
 * customers.
 *
 * A journal consists of files that come and go, so its reader keeps the root directory: as nobody,
 * in the group systemd-journal, it opens files for reading only. It believes the entries alone that
 * the kernel says were written by root or by the user postfix: customers cannot forge them.
 */
#ifndef SMTPL_MAILLOG_READER_H
#define SMTPL_MAILLOG_READER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/delivery_report.h"
#include "maillog_position.h"

struct maillog_reader {
	pid_t pid;
	int fd; /* the parent's end, non-blocking; readable: call maillog_reader_serve() */
	uint32_t relay_uid;
	bool journal;
	char path[PATH_MAX]; /* of the file; of the journal's directory, "": the host's */
};

struct maillog_reader_ops {
	/* REPORT_OUTCOME, REPORT_REFUSED; REPORT_ALIVE each second while the end of the log is
	 * reached; REPORT_LOST: count 0: there is no log, reported once and tried again each
	 * second; else: lines were lost, nobody knows how many. */
	void (*record)(void *arg, const struct delivery_report *record);
	/* Who on this host opened the connection that has this end, as it was at that time; false:
	 * not known. */
	bool (*caller)(void *arg, const uint8_t addr[16], uint32_t port, int64_t wall_ns,
		       uint32_t *uid);
	/* Everything up to here has been reported: called behind each record, and now and then
	 * without. When it is saved together with what was reported, a restart neither loses nor
	 * doubles anything. */
	void (*position)(void *arg, const struct maillog_position *position);
};

/*
 * where: the path of the log; "journal", or "journal:DIRECTORY"; "auto": /var/log/mail.log or
 * /var/log/maillog if it was written within a day, else the journal. from: as saved, or NULL.
 * Without a position of this kind it begins at the end; what stands before is read for the messages
 * in the queue (64 MiB at most). Waits until the child is locked in. 0 or -errno: -ENOENT: there is
 * no user postfix. Nothing is left on failure, and *r is untouched.
 */
int maillog_reader_start(struct maillog_reader *r, const char *where,
			 const struct maillog_position *from);
/* Handle what the child has sent, a bounded number. -EPIPE: the child is gone; stop, then start
 * with the position that was called back last. */
int maillog_reader_serve(struct maillog_reader *r, const struct maillog_reader_ops *ops, void *arg);
void maillog_reader_stop(struct maillog_reader *r);

#endif
