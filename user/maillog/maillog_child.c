/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_child.c - the talk of the reading child with its parent. The child blocks where the
 * parent is slow: then it reads slower.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <seccomp.h>
#include "base/clock.h"
#include "base/child.h"
#include "maillog_child.h"
#include "base/sandbox.h"

#define ALIVE_MS	 1000
#define COUNTED_MS	 1000
#define REPLY_TIMEOUT_MS 5000
/* What the parent cannot remember need not be asked. */
#define CALLER_AGE_NS	     (600 * NS_PER_S)
#define MEMORY_BYTES	     (1ull << 30)
#define JOURNAL_FILES	     1024
#define JOURNAL_MEMORY_BYTES (8ull << 30) /* of addresses: the files are mapped */
#define SPARE_FILES	     (2 * MAILLOG_FILES_MAX + 16)

static const int file_syscalls[] = {
	SCMP_SYS(brk),	  SCMP_SYS(close),  SCMP_SYS(fstat),   SCMP_SYS(madvise),
	SCMP_SYS(mmap),	  SCMP_SYS(mremap), SCMP_SYS(munmap),  SCMP_SYS(newfstatat),
	SCMP_SYS(poll),	  SCMP_SYS(ppoll),  SCMP_SYS(pread64), SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
};

static const int journal_syscalls[] = {
	SCMP_SYS(brk),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(getdents64),
	SCMP_SYS(getpid),
	SCMP_SYS(getrandom),
	SCMP_SYS(gettid),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(newfstatat),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(pread64),
	SCMP_SYS(prlimit64),
	SCMP_SYS(read),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(stat),
	SCMP_SYS(statfs),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(ioctl),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_rm_watch),
};

static void put(struct maillog_child *c, const struct maillog_packet *packet)
{
	ssize_t sent;

	do
		sent = send(c->fd, packet, sizeof(*packet), MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent != sizeof(*packet))
		c->gone = true;
}

static void put_report(struct maillog_child *c, const struct delivery_report *record)
{
	const struct maillog_packet packet = {
		.kind = MAILLOG_PUT_REPORT,
		.position = c->position,
		.record = *record,
	};

	put(c, &packet);
}

void maillog_child_put_position(struct maillog_child *c)
{
	const struct maillog_packet packet = {
		.kind = MAILLOG_PUT_POSITION,
		.position = c->position,
	};

	put(c, &packet);
}

static void put_source(struct maillog_child *c, enum report_kind kind, uint32_t count)
{
	const struct delivery_report record = {
		.kind = kind,
		.mta = FEED_POSTFIX,
		.relay_uid = c->start->relay_uid,
		.count = count,
		.wall_ns = clock_wall_ns(),
	};

	put_report(c, &record);
}

/* The clock is not looked at for each line. */
static void report_losses(struct maillog_child *c)
{
	const struct maillog_stats stats = maillog_stats(c->log);
	uint64_t losses = stats.unread + stats.unknown + stats.evicted + stats.nomem;
	int64_t now_ms;

	if (losses == c->losses)
		return;
	now_ms = clock_mono_ms();
	if (c->counted_ms && now_ms < c->counted_ms + COUNTED_MS)
		return;
	c->losses = losses;
	c->counted_ms = now_ms;
	put(c, &(struct maillog_packet){.kind = MAILLOG_PUT_STATS, .stats = stats});
}

void maillog_child_alive(struct maillog_child *c)
{
	int64_t now_ms = clock_mono_ms();

	report_losses(c);
	if (c->alive_ms && now_ms < c->alive_ms + ALIVE_MS)
		return;
	c->alive_ms = now_ms;
	c->lost = false;
	if (!c->blind)
		put_source(c, REPORT_ALIVE, 0);
}

void maillog_child_lost(struct maillog_child *c, uint32_t count)
{
	if (count == 0 && c->lost)
		return;
	c->lost = count == 0;
	put_source(c, REPORT_LOST, count);
}

void maillog_child_wait(struct maillog_child *c, int ms)
{
	struct pollfd parent = {.fd = c->fd};

	if (poll(&parent, 1, ms) > 0 && (parent.revents & (POLLHUP | POLLERR)))
		c->gone = true;
}

/* Descriptors that came with a message. */
static size_t take_fds(struct msghdr *message, int *fds, size_t max)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	size_t count;

	if (!control || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (count > max)
		count = max;
	memcpy(fds, CMSG_DATA(control), count * sizeof(int));
	return count;
}

/* One reply; false: none. */
static bool take_reply(struct maillog_child *c, struct maillog_reply *reply, int *fds,
		       size_t *count)
{
	union {
		char bytes[CMSG_SPACE(MAILLOG_FILES_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec part = {reply, sizeof(*reply)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got == 0)
		c->gone = true;
	if (got <= 0)
		return false;
	*count = take_fds(&message, fds, MAILLOG_FILES_MAX);
	return got == sizeof(*reply);
}

static void close_all(const int *fds, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		close(fds[i]);
}

/* Ask, and wait for the answer to this question. *count descriptors came along. */
static bool ask(struct maillog_child *c, struct maillog_packet *question,
		struct maillog_reply *reply, int fds[MAILLOG_FILES_MAX], size_t *count)
{
	int64_t end_ms = clock_mono_ms() + REPLY_TIMEOUT_MS;
	struct pollfd parent = {.fd = c->fd, .events = POLLIN};
	int64_t left_ms = REPLY_TIMEOUT_MS;

	question->id = ++c->asked;
	put(c, question);
	while (!c->gone && left_ms > 0) {
		if (poll(&parent, 1, (int)left_ms) > 0 && take_reply(c, reply, fds, count)) {
			if (reply->id == question->id)
				return true;
			close_all(fds, *count);
		}
		left_ms = end_ms - clock_mono_ms();
	}
	return false;
}

size_t maillog_child_files(struct maillog_child *c, bool all, int fds[MAILLOG_FILES_MAX])
{
	struct maillog_packet question = {
		.kind = all ? MAILLOG_ASK_FILES : MAILLOG_ASK_FILE,
		.position = c->position,
	};
	struct maillog_reply reply;
	size_t count;

	return ask(c, &question, &reply, fds, &count) ? count : 0;
}

static bool caller(void *arg, const uint8_t addr[16], uint32_t port, int64_t at_ns, uint32_t *uid)
{
	struct maillog_packet question = {.kind = MAILLOG_ASK_CALLER};
	struct maillog_child *c = arg;
	int fds[MAILLOG_FILES_MAX];
	struct maillog_reply reply;
	size_t count;

	if (at_ns < clock_wall_ns() - CALLER_AGE_NS)
		return false;
	question.position = c->position;
	memcpy(question.caller.addr, addr, sizeof(question.caller.addr));
	question.caller.port = port;
	question.caller.wall_ns = at_ns;
	if (!ask(c, &question, &reply, fds, &count))
		return false;
	close_all(fds, count);
	*uid = reply.uid;
	return reply.known;
}

/* At most one of each line, so c->position is behind all that was reported. */
static void record(void *arg, const struct delivery_report *r)
{
	put_report(arg, r);
}

/* Once, until lines are understood again: then the log is alive again. */
static void report_blindness(struct maillog_child *c)
{
	const char *example = maillog_blind(c->log);
	struct delivery_report record = {.kind = REPORT_BLIND, .mta = FEED_POSTFIX};

	if (example && !c->blind) {
		record.relay_uid = c->start->relay_uid;
		record.wall_ns = clock_wall_ns();
		delivery_report_text(&record, example, strlen(example));
		put_report(c, &record);
	}
	c->blind = example != NULL;
}

void maillog_child_take(struct maillog_child *c, const struct maillog_line *line)
{
	if (c->reported_until_ns == INT64_MIN)
		c->position.wall_ns = line->wall_ns;
	maillog_take(c->log, line, c->reporting && c->reported_until_ns == INT64_MIN);
	report_blindness(c);
	report_losses(c);
}

/* Files come by the socket. */
static int lock_in_file(const struct maillog_child *c, pid_t parent)
{
	const struct sandbox sandbox = {
		.parent = parent,
		.name = "smtpl-maillog",
		.user = "nobody",
		.fds = &c->fd,
		.fds_count = 1,
		.syscalls = file_syscalls,
		.syscalls_count = sizeof(file_syscalls) / sizeof(*file_syscalls),
		.files = SPARE_FILES,
		.memory_bytes = MEMORY_BYTES,
	};

	return sandbox_enter(&sandbox);
}

/* The journal's files come and go, so libsystemd finds and opens them itself. */
static int lock_in_journal(const struct maillog_child *c, pid_t parent)
{
	const struct sandbox sandbox = {
		.parent = parent,
		.name = "smtpl-maillog",
		.user = "nobody",
		.group = "systemd-journal",
		.reads_files = true,
		.fds = &c->fd,
		.fds_count = 1,
		.syscalls = journal_syscalls,
		.syscalls_count = sizeof(journal_syscalls) / sizeof(*journal_syscalls),
		.files = JOURNAL_FILES,
		.memory_bytes = JOURNAL_MEMORY_BYTES,
	};

	return sandbox_enter(&sandbox);
}

int maillog_child_main(void *arg, int fd, pid_t parent)
{
	struct maillog_child c = {
		.start = arg, .fd = fd, .position = {0}, .reported_until_ns = INT64_MIN};
	const struct maillog_ops ops = {
		.caller = caller,
		.record = record,
		.relay_uid = c.start->relay_uid,
		.seed = c.start->seed,
	};
	int flags = fcntl(fd, F_GETFL);
	int err = 0;

	/* Else mktime() reads the time zone's file when that is no longer allowed: with no TZ it
	 * looks each time whether the file has changed, which it cannot see then. */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
	c.log = maillog_new(&ops, &c, MAILLOG_MESSAGES_MAX);
	if (!c.log || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK))
		err = -errno;
	if (!err)
		err = c.start->journal ? lock_in_journal(&c, parent) : lock_in_file(&c, parent);
	if (!child_locked_in(fd, err))
		return 1;
	if (c.start->journal)
		maillog_journal_run(&c);
	else
		maillog_file_run(&c);
	return 0;
}
