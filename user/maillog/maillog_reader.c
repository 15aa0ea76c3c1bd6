/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_reader.c - the daemon's side of reading Postfix's log: which one, the child's start and
 * end, the answers to its questions.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "base/child.h"
#include "maillog_child.h"
#include "maillog_files.h"
#include "maillog_reader.h"

#define MESSAGES_PER_CALL 64
#define DAY_S		  (24 * 3600)
#define POSTFIX_USER	  "postfix"
#define JOURNAL		  "journal"

static bool is_fresh(const char *path)
{
	struct stat stat_buf;

	return stat(path, &stat_buf) == 0 && S_ISREG(stat_buf.st_mode) &&
	       stat_buf.st_mtime > time(NULL) - DAY_S;
}

static const char *find_log(void)
{
	static const char *const paths[] = {"/var/log/mail.log", "/var/log/maillog"};
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (is_fresh(paths[i]))
			return paths[i];
	return JOURNAL;
}

static int choose(struct maillog_reader *r, const char *where)
{
	if (strcmp(where, "auto") == 0)
		where = find_log();
	if (strcmp(where, JOURNAL) == 0) {
		r->journal = true;
		return 0;
	}
	if (strncmp(where, JOURNAL ":", sizeof(JOURNAL)) == 0) {
		r->journal = true;
		where += sizeof(JOURNAL);
	}
	if (where[0] != '/')
		return -EINVAL;
	return snprintf(r->path, sizeof(r->path), "%s", where) < (int)sizeof(r->path) ?
		       0 :
		       -ENAMETOOLONG;
}

int maillog_reader_start(struct maillog_reader *r, const char *where,
			 const struct maillog_position *from)
{
	const struct passwd *pw = getpwnam(POSTFIX_USER);
	struct maillog_reader made = {.fd = -1};
	struct maillog_start start = {0};
	int err;

	if (!pw)
		return -ENOENT;
	made.relay_uid = pw->pw_uid;
	err = choose(&made, where);
	if (err)
		return err;
	start.journal = made.journal;
	start.directory = made.path;
	start.relay_uid = start.postfix_uid = made.relay_uid;
	if (from)
		start.from = *from;
	if (getrandom(&start.seed, sizeof(start.seed), 0) != sizeof(start.seed))
		return -EIO;
	err = child_start(maillog_child_main, &start, &made.pid, &made.fd);
	if (!err)
		*r = made;
	return err;
}

void maillog_reader_stop(struct maillog_reader *r)
{
	child_stop(&r->pid, &r->fd);
}

/* A reply that does not fit makes the child ask again. */
static void reply(const struct maillog_reader *r, struct maillog_reply *answer, const int *fds)
{
	union {
		char bytes[CMSG_SPACE(MAILLOG_FILES_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct iovec part = {answer, sizeof(*answer)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *header;

	if (answer->files > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(answer->files * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(answer->files * sizeof(int));
		memcpy(CMSG_DATA(header), fds, answer->files * sizeof(int));
	}
	sendmsg(r->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void answer_files(const struct maillog_reader *r, const struct maillog_packet *question)
{
	struct maillog_reply answer = {.id = question->id};
	int fds[MAILLOG_FILES_MAX];
	uint32_t i;

	if (!r->journal)
		answer.files = maillog_files_open(
			r->path, fds, question->kind == MAILLOG_ASK_FILES ? MAILLOG_FILES_MAX : 1);
	reply(r, &answer, fds);
	for (i = 0; i < answer.files; i++)
		close(fds[i]);
}

static void answer_caller(const struct maillog_reader *r, const struct maillog_packet *question,
			  const struct maillog_reader_ops *ops, void *arg)
{
	struct maillog_reply answer = {.id = question->id};

	answer.known = ops->caller(arg, question->caller.addr, question->caller.port,
				   question->caller.wall_ns, &answer.uid);
	reply(r, &answer, NULL);
}

/* The child has read what strangers wrote: no string is without its end, no record another's. */
static void close_strings(struct maillog_packet *t, uint32_t relay_uid)
{
	struct delivery_report *record = &t->record;

	t->position.cursor[sizeof(t->position.cursor) - 1] = '\0';
	if (t->kind != MAILLOG_PUT_REPORT)
		return;
	record->mta = FEED_POSTFIX;
	record->relay_uid = relay_uid;
	record->submission.known &= ~(uint32_t)SUBMISSION_HAS_ACCOUNT;
	delivery_report_bound(record);
}

static void handle(const struct maillog_reader *r, struct maillog_packet *t,
		   const struct maillog_reader_ops *ops, void *arg)
{
	close_strings(t, r->relay_uid);
	switch (t->kind) {
	case MAILLOG_PUT_REPORT:
		if (t->record.outcome < SMTP_OUTCOMES)
			ops->record(arg, &t->record);
		ops->position(arg, &t->position);
		break;
	case MAILLOG_PUT_POSITION:
		ops->position(arg, &t->position);
		break;
	case MAILLOG_PUT_STATS:
		if (ops->counted)
			ops->counted(arg, &t->stats);
		break;
	case MAILLOG_ASK_CALLER:
		answer_caller(r, t, ops, arg);
		break;
	case MAILLOG_ASK_FILE:
	case MAILLOG_ASK_FILES:
		answer_files(r, t);
		break;
	}
}

int maillog_reader_serve(struct maillog_reader *r, const struct maillog_reader_ops *ops, void *arg)
{
	struct maillog_packet packet;
	int i, taken = 1;

	for (i = 0; i < MESSAGES_PER_CALL && taken; i++) {
		taken = child_take(r->fd, &packet, sizeof(packet));
		if (taken == -EPIPE)
			return taken;
		if (taken == 1)
			handle(r, &packet, ops, arg);
	}
	return 0;
}
