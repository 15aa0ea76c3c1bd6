// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify_child.c - smtpl-notify: takes notices from the daemon into the queue, and gives each
 * channel a job at a time. Its channels are its own children, but for smtpl-mailer, which the
 * daemon starts while it has all of root's privileges.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "notify_child.h"

#define REPORT_MS    1000
#define FINISH_MS    4000
#define LOG_MS	     10000
#define LATE_MS	     120000 /* each way has a shorter bound of its own */
#define MEMORY_BYTES (1ull << 30)
#define FILES	     16

static const enum channel_name channel_of[NOTIFY_WAYS] = {
	[NOTIFY_COMMAND] = CHANNEL_COMMAND, [NOTIFY_ADMIN] = CHANNEL_MAIL,
	[NOTIFY_CUSTOMER] = CHANNEL_MAIL,   [NOTIFY_WEBHOOK] = CHANNEL_WEBHOOK,
	[NOTIFY_LOOKUP] = CHANNEL_COMMAND,
};

static const int syscalls[] = {
	SCMP_SYS(brk),	      SCMP_SYS(close), SCMP_SYS(fstat),	 SCMP_SYS(getpid),
	SCMP_SYS(madvise),    SCMP_SYS(mmap),  SCMP_SYS(mremap), SCMP_SYS(munmap),
	SCMP_SYS(newfstatat), SCMP_SYS(poll),  SCMP_SYS(ppoll),	 SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),     SCMP_SYS(write), SCMP_SYS(time),	 SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),
};

static unsigned int live_ways(const struct notify_child *c)
{
	unsigned int ways = notify_ways(&c->settings);

	for (int way = 0; way < NOTIFY_WAYS; way++)
		if (c->channel[channel_of[way]].fd < 0)
			ways &= ~NOTIFY_BIT(way);
	return ways;
}

/* --- results -------------------------------------------------------------------------------- */

static const char *about(const struct notify_task *task)
{
	static char text[2 * ACCOUNT_NAME_SIZE];

	if (task->digest)
		return "the digest";
	snprintf(text, sizeof(text), "\"%s\"%s%s", notice_kind_name(task->notice->kind),
		 task->notice->account[0] ? " of " : "", task->notice->account);
	return text;
}

static void log_failure(struct notify_channel *ch, const struct channel_result *r, int64_t again_ms,
			enum notify_way way, const char *what)
{
	char said[4 * CHANNEL_SAID_SIZE], how[4 * CHANNEL_SAID_SIZE], next[64] = "it is given up";
	int64_t now_ms = clock_mono_ms();

	if (ch->logged_ms && now_ms - ch->logged_ms < LOG_MS)
		return;
	ch->logged_ms = now_ms;
	if (again_ms)
		snprintf(next, sizeof(next), "it is tried again in %lld s",
			 (long long)again_ms / 1000);
	log_escape(r->how[0] ? r->how : strerror(-r->err), CHANNEL_SAID_SIZE, 1, how, sizeof(how));
	log_escape(r->said, CHANNEL_SAID_SIZE, 1, said, sizeof(said));
	log_warning("the notice %s is not sent by %s: %s%s%s%s; %s", what, notify_way_name(way),
		    how, said[0] ? ", and said \"" : "", said, said[0] ? "\"" : "", next);
}

static void log_said(const struct channel_result *r)
{
	char said[4 * CHANNEL_SAID_SIZE];

	if (r->said[0])
		log_info("the command of [notify] printed \"%s\"",
			 log_escape(r->said, CHANNEL_SAID_SIZE, 1, said, sizeof(said)));
}

/* A line's blanks at its end are no part of an address. */
static void found(struct notify_child *c, struct notify_task *task, struct channel_result *r)
{
	char printable[4 * CHANNEL_SAID_SIZE];
	size_t length = strcspn(r->said, " \t\r");

	r->said[length] = '\0';
	if (!r->said[0]) {
		notify_queue_done(c->queue, task, NOTIFY_NOBODY, 0);
		return;
	}
	if (mail_address_is(r->said, false)) {
		notify_queue_found(c->queue, task, r->said, clock_mono_ms());
		return;
	}
	log_warning("customer_command of [notify] printed \"%s\", want a mail address",
		    log_escape(r->said, CHANNEL_SAID_SIZE, 1, printable, sizeof(printable)));
	notify_queue_done(c->queue, task, NOTIFY_NO_WAY, 0);
}

static void on_result(struct notify_child *c, struct notify_channel *ch, struct channel_result *r)
{
	struct notify_task *task = ch->task;
	enum notify_way way;
	char what[2 * ACCOUNT_NAME_SIZE];
	int64_t again_ms;

	if (!task || r->id != ch->id)
		return;
	ch->task = NULL;
	way = task->way;
	if (!r->err && way == NOTIFY_LOOKUP) {
		found(c, task, r);
		return;
	}
	if (!r->err && way == NOTIFY_COMMAND)
		log_said(r);
	snprintf(what, sizeof(what), "%s", about(task));
	again_ms = notify_queue_done(c->queue, task, r->err ? NOTIFY_FAILED : NOTIFY_SENT,
				     clock_mono_ms());
	if (r->err)
		log_failure(ch, r, again_ms, way, what);
}

/* smtpl-mailer is gone: the rest goes on. With a child of its own this process ends, and the daemon
 * starts both anew. */
static bool on_gone(struct notify_child *c, struct notify_channel *ch)
{
	if (ch->task)
		notify_queue_done(c->queue, ch->task, NOTIFY_NO_WAY, 0);
	ch->task = NULL;
	ch->fd = -1;
	if (ch != &c->channel[CHANNEL_MAIL])
		return false;
	notify_queue_set_ways(c->queue, live_ways(c));
	log_error("the process that runs sendmail is gone: mail of notices needs a restart of "
		  "smtplimit");
	return true;
}

static bool serve_channel(struct notify_child *c, struct notify_channel *ch)
{
	static struct channel_result result;
	int r;

	while ((r = channel_result_take(ch->fd, &result)) == 1)
		on_result(c, ch, &result);
	return r == 0 || on_gone(c, ch);
}

/* --- jobs ----------------------------------------------------------------------------------- */

static unsigned int idle_ways(const struct notify_child *c)
{
	unsigned int ways = live_ways(c);

	for (int way = 0; way < NOTIFY_WAYS; way++)
		if (c->channel[channel_of[way]].task)
			ways &= ~NOTIFY_BIT(way);
	return ways;
}

static void begin_task(struct notify_child *c, struct notify_channel *ch, struct notify_task *task)
{
	static struct channel_job job; /* too large for the stack */
	int err = notify_job_make(c, task, &job) ? channel_job_send(ch->fd, &job) : -E2BIG;

	if (!err) {
		ch->task = task;
		ch->id = job.head.id;
		ch->late_ms = clock_mono_ms() + LATE_MS;
		return;
	}
	log_error("the notice %s cannot be given to its process: %s", about(task), strerror(-err));
	notify_queue_done(c->queue, task, NOTIFY_NO_WAY, 0);
}

static void begin_tasks(struct notify_child *c, int64_t now_ms)
{
	for (int way = 0; way < NOTIFY_WAYS; way++) {
		struct notify_channel *ch = &c->channel[channel_of[way]];
		struct notify_task *task;

		if (!(idle_ways(c) & NOTIFY_BIT(way)))
			continue;
		task = notify_queue_take(c->queue, (enum notify_way)way, now_ms);
		if (task)
			begin_task(c, ch, task);
	}
}

/* --- the daemon ----------------------------------------------------------------------------- */

static void apply_settings(struct notify_child *c, const struct notify_settings *s)
{
	c->settings = *s;
	notify_queue_set_ways(c->queue, live_ways(c));
}

static void take_template(struct notify_child *c, const struct notify_template_record *r)
{
	if (r->kind > 0 && r->kind < TEMPLATES && r->customer < 2)
		c->template[r->kind][r->customer] = r->template;
}

union record {
	uint32_t put;
	struct notify_notice_record notice;
	struct notify_settings_record settings;
	struct notify_template_record template;
};

static void take_record(struct notify_child *c, union record *record, size_t size)
{
	if (record->put == NOTIFY_PUT_NOTICE && size == sizeof(record->notice)) {
		if (notice_check(&record->notice.notice))
			notify_queue_add(c->queue, &record->notice.notice, clock_mono_ms());
	} else if (record->put == NOTIFY_PUT_SETTINGS && size == sizeof(record->settings)) {
		apply_settings(c, &record->settings.settings);
	} else if (record->put == NOTIFY_PUT_TEMPLATE && size == sizeof(record->template)) {
		take_template(c, &record->template);
	}
}

/* False: the daemon is gone or ends. */
static bool serve_daemon(struct notify_child *c)
{
	static union record record; /* too large for the stack */

	for (;;) {
		ssize_t size = recv(c->fd, &record, sizeof(record), MSG_DONTWAIT);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN;
		if (size == 0)
			return false;
		if ((size_t)size >= sizeof(record.put))
			take_record(c, &record, (size_t)size);
	}
}

/* At most once a second, when they have changed. */
static void report(struct notify_child *c, int64_t now_ms)
{
	const struct notify_stats stats = notify_queue_stats(c->queue);

	if (!memcmp(&stats, &c->reported, sizeof(stats)) ||
	    (c->reported_ms && now_ms - c->reported_ms < REPORT_MS && !c->finishing))
		return;
	if (send(c->fd, &stats, sizeof(stats), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(stats))
		c->reported = stats;
	c->reported_ms = now_ms;
}

static bool unreported(const struct notify_child *c)
{
	const struct notify_stats stats = notify_queue_stats(c->queue);

	return memcmp(&stats, &c->reported, sizeof(stats)) != 0;
}

/* --- the loop ------------------------------------------------------------------------------- */

static bool works(const struct notify_child *c)
{
	for (int name = 0; name < CHANNELS; name++)
		if (c->channel[name].task)
			return true;
	return false;
}

static void finish(struct notify_child *c, int64_t now_ms)
{
	c->finishing = true;
	c->end_ms = now_ms + FINISH_MS;
	notify_queue_flush(c->queue, now_ms);
}

static bool is_finished(const struct notify_child *c, int64_t now_ms)
{
	if (!c->finishing)
		return false;
	return now_ms >= c->end_ms ||
	       (!works(c) && notify_queue_due(c->queue, idle_ways(c), now_ms) > c->end_ms);
}

static int wait_ms(const struct notify_child *c, int64_t now_ms)
{
	int64_t due_ms = notify_queue_due(c->queue, idle_ways(c), now_ms);

	if (unreported(c) && c->reported_ms + REPORT_MS < due_ms)
		due_ms = c->reported_ms + REPORT_MS;
	if (c->finishing && c->end_ms < due_ms)
		due_ms = c->end_ms;
	for (int name = 0; name < CHANNELS; name++)
		if (c->channel[name].task && c->channel[name].late_ms < due_ms)
			due_ms = c->channel[name].late_ms;
	if (due_ms == INT64_MAX)
		return -1;
	if (due_ms <= now_ms)
		return 0;
	return due_ms - now_ms > INT32_MAX ? INT32_MAX : (int)(due_ms - now_ms);
}

/* A process that was stopped, or hangs. False: this process is to end. */
static bool end_late(struct notify_child *c, int64_t now_ms)
{
	for (int name = 0; name < CHANNELS; name++)
		if (c->channel[name].task && c->channel[name].late_ms <= now_ms &&
		    !on_gone(c, &c->channel[name]))
			return false;
	return true;
}

/* False: this process is to end. */
static bool wait_and_serve(struct notify_child *c, int timeout_ms)
{
	struct pollfd fds[CHANNELS + 1] = {
		[CHANNELS] = {.fd = c->finishing ? -1 : c->fd, .events = POLLIN}};

	for (int name = 0; name < CHANNELS; name++)
		fds[name] = (struct pollfd){.fd = c->channel[name].fd, .events = POLLIN};
	poll(fds, CHANNELS + 1, timeout_ms);
	for (int name = 0; name < CHANNELS; name++)
		if (fds[name].revents && !serve_channel(c, &c->channel[name]))
			return false;
	if (fds[CHANNELS].revents && !serve_daemon(c))
		finish(c, clock_mono_ms());
	return end_late(c, clock_mono_ms());
}

static void run(struct notify_child *c)
{
	struct notify_stats left;
	bool on = true;

	while (on && !is_finished(c, clock_mono_ms())) {
		begin_tasks(c, clock_mono_ms());
		report(c, clock_mono_ms());
		on = wait_and_serve(c, wait_ms(c, clock_mono_ms()));
	}
	report(c, clock_mono_ms());
	left = notify_queue_stats(c->queue);
	if (on && left.waiting)
		log_warning("%llu notices were not sent before the end",
			    (unsigned long long)left.waiting);
}

/* --- the start ------------------------------------------------------------------------------ */

static int start_channel(struct notify_child *c, enum channel_name name, child_main main)
{
	struct notify_channel *ch = &c->channel[name];
	int err;

	if (!(notify_channels(&c->settings) & 1u << name))
		return 0;
	err = child_start(main, NULL, &ch->pid, &ch->fd);
	if (err)
		log_error("the process for notices by %s cannot start: %s",
			  name == CHANNEL_COMMAND ? "command" : "webhook", strerror(-err));
	return err;
}

static int lock_in(const struct notify_child *c, pid_t parent)
{
	int fds[CHANNELS + 1] = {c->fd};
	struct sandbox sandbox = {
		.parent = parent,
		.name = "smtpl-notify",
		.user = "nobody",
		.fds = fds,
		.fds_count = 1,
		.syscalls = syscalls,
		.syscalls_count = sizeof(syscalls) / sizeof(syscalls[0]),
		.files = FILES,
		.memory_bytes = MEMORY_BYTES,
	};

	for (int name = 0; name < CHANNELS; name++)
		if (c->channel[name].fd >= 0)
			fds[sandbox.fds_count++] = c->channel[name].fd;
	return sandbox_enter(&sandbox);
}

/* What can't be had once it is locked in: the time zone's file, random numbers, processes. */
static int prepare(struct notify_child *c)
{
	int err;

	setenv("TZ", ":/etc/localtime", 0);
	tzset();
	json_object_seed(0);
	if (getrandom(&c->random, sizeof(c->random), 0) < 0)
		return -errno;
	c->queue = notify_queue_new(c->random);
	if (!c->queue)
		return -ENOMEM;
	err = start_channel(c, CHANNEL_COMMAND, channel_command_main);
	if (!err)
		err = start_channel(c, CHANNEL_WEBHOOK, channel_webhook_main);
	return err;
}

int notify_child_main(void *arg, int fd, pid_t parent)
{
	static struct notify_child c; /* too large for the stack */
	const struct notify_start *start = arg;
	int err;

	c.fd = fd;
	c.settings = *start->settings;
	for (int name = 0; name < CHANNELS; name++)
		c.channel[name].fd = -1;
	c.channel[CHANNEL_MAIL].fd = start->mailer_fd;
	err = prepare(&c);
	if (!err)
		err = lock_in(&c, parent);
	if (!child_locked_in(fd, err))
		return 1;
	apply_settings(&c, start->settings);
	run(&c);
	return 0;
}
