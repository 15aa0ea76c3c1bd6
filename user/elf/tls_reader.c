/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_reader.c - both ends of the conversation with the child that reads files for plans: it gets a
 * descriptor, and answers with a plan. The child can be slow, and can die of what is in a file. A
 * file might even take it over: so it reads no file of another owner than the one before, and its
 * answers are checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <seccomp.h>
#include "base/clock.h"
#include "base/child.h"
#include "base/sandbox.h"
#include "tls_reader.h"

#define MEMORY_BYTES (2ull << 30) /* of addresses: files are mapped */
#define SPARE_FILES  8

/* qsort() in capstone calls sysinfo, to see how much memory there is. */
static const int reader_syscalls[] = {
	SCMP_SYS(brk),	   SCMP_SYS(close),  SCMP_SYS(fstat),	SCMP_SYS(madvise),
	SCMP_SYS(mmap),	   SCMP_SYS(mremap), SCMP_SYS(munmap),	SCMP_SYS(newfstatat),
	SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sysinfo),
};

/* From the child. */
struct answer {
	int32_t err;
	uint32_t pad;
	struct tls_plan plan;
};

/* A message that carries one descriptor; the kernel wants at least one byte with it. */
struct fd_message {
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(struct cmsghdr))));
	char byte;
	struct iovec part;
	struct msghdr message;
};

static void fd_message_init(struct fd_message *p)
{
	memset(p, 0, sizeof(*p));
	p->part.iov_base = &p->byte;
	p->part.iov_len = 1;
	p->message.msg_iov = &p->part;
	p->message.msg_iovlen = 1;
	p->message.msg_control = p->control;
	p->message.msg_controllen = sizeof(p->control);
}

/* --- in the child ----------------------------------------------------------------------------- */

/* The next file; -1: there will be none. */
static int receive_file(int fd)
{
	const struct cmsghdr *control;
	struct fd_message p;
	ssize_t got;
	int file;

	do {
		fd_message_init(&p);
		got = recvmsg(fd, &p.message, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	control = got == 1 ? CMSG_FIRSTHDR(&p.message) : NULL;
	if (!control || control->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&file, CMSG_DATA(control), sizeof(file));
	return file;
}

static int serve(int fd)
{
	struct answer answer;
	ssize_t sent;
	int file;

	for (;;) {
		file = receive_file(fd);
		if (file < 0)
			return 0;
		memset(&answer, 0, sizeof(answer));
		answer.err = tls_plan_read(file, &answer.plan);
		close(file);
		do
			sent = send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
		while (sent < 0 && errno == EINTR);
		if (sent != sizeof(answer))
			return 1;
	}
}

static int reader_main(void *arg, int fd, pid_t parent)
{
	const struct sandbox sandbox = {
		.parent = parent,
		.name = "smtpl-tlsreader",
		.user = "nobody",
		.fds = &fd,
		.fds_count = 1,
		.syscalls = reader_syscalls,
		.syscalls_count = sizeof(reader_syscalls) / sizeof(*reader_syscalls),
		.files = SPARE_FILES,
		.memory_bytes = MEMORY_BYTES,
	};
	int flags = fcntl(fd, F_GETFL);
	int err;

	(void)arg;
	err = fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) ? -errno : sandbox_enter(&sandbox);
	return child_locked_in(fd, err) ? serve(fd) : 1;
}

/* --- in the parent ---------------------------------------------------------------------------- */

static int start(struct tls_reader *reader, uid_t owner)
{
	if (reader->pid > 0 && reader->owner != owner)
		tls_reader_stop(reader);
	reader->owner = owner;
	return reader->pid > 0 ? 0 : child_start(reader_main, NULL, &reader->pid, &reader->fd);
}

static int send_file(const struct tls_reader *reader, int file)
{
	struct cmsghdr *control;
	struct fd_message p;
	ssize_t sent;

	fd_message_init(&p);
	control = CMSG_FIRSTHDR(&p.message);
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(file));
	memcpy(CMSG_DATA(control), &file, sizeof(file));
	do
		sent = sendmsg(reader->fd, &p.message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* If the child had died before this file, the file is not to blame: a new one gets it. */
static int send_to_child(struct tls_reader *reader, int file, uid_t owner)
{
	int err = start(reader, owner);

	if (!err)
		err = send_file(reader, file);
	if (err != -EPIPE && err != -ECONNRESET)
		return err;
	tls_reader_stop(reader);
	err = start(reader, owner);
	return err ? err : send_file(reader, file);
}

static int wait_for_answer(const struct tls_reader *reader, struct answer *answer)
{
	struct pollfd ready = {.fd = reader->fd, .events = POLLIN};
	int64_t end_ms = clock_mono_ms() + TLS_READER_TIMEOUT_MS;
	int64_t left_ms = TLS_READER_TIMEOUT_MS;
	int n;

	do {
		n = poll(&ready, 1, (int)left_ms);
		left_ms = end_ms - clock_mono_ms();
	} while (n < 0 && errno == EINTR && left_ms > 0);
	if (n <= 0)
		return -ETIMEDOUT;
	return child_take(reader->fd, answer, sizeof(*answer)) == 1 ? 0 : -ECHILD;
}

static bool is_valid_plan(const struct tls_plan *plan, uint64_t file_bytes)
{
	uint32_t i;

	if (plan->count == 0 || plan->count > SMTPL_TLS_PROBES_MAX)
		return false;
	if (plan->libraries == 0 || plan->libraries & ~(SMTPL_TLS_OPENSSL | SMTPL_TLS_GNUTLS))
		return false;
	for (i = 0; i < plan->count; i++) {
		uint32_t function = plan->probes[i].cookie & ~SMTPL_TLS_RETURN;

		if (function == 0 || function >= SMTPL_TLS_FUNCTIONS ||
		    plan->probes[i].offset >= file_bytes)
			return false;
	}
	return true;
}

int tls_reader_plan(struct tls_reader *reader, int file, struct tls_plan *plan)
{
	struct answer answer;
	struct stat st;
	int err;

	if (fstat(file, &st))
		return -errno;
	err = send_to_child(reader, file, st.st_uid);
	if (!err)
		err = wait_for_answer(reader, &answer);
	if (!err &&
	    (answer.err > 0 || (answer.err == 0 && !is_valid_plan(&answer.plan, st.st_size))))
		err = -ECHILD;
	if (err) {
		tls_reader_stop(reader);
		return err;
	}
	if (answer.err == 0)
		*plan = answer.plan;
	return answer.err;
}

void tls_reader_stop(struct tls_reader *reader)
{
	child_stop(&reader->pid, &reader->fd);
}
