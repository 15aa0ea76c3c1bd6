// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel.c - jobs and results over the socket pair.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "base/child.h"
#include "channel.h"

static size_t job_size(const struct channel_head *h)
{
	return sizeof(*h) + (size_t)h->first_size + h->second_size + h->body_size;
}

bool channel_job_make(struct channel_job *job, enum channel_work work, uint64_t id,
		      const struct channel_part part[3])
{
	char *at = job->bytes;

	if (part[0].size + part[1].size + part[2].size > sizeof(job->bytes))
		return false;
	job->head = (struct channel_head){
		.id = id,
		.work = work,
		.first_size = (uint32_t)part[0].size,
		.second_size = (uint32_t)part[1].size,
		.body_size = (uint32_t)part[2].size,
	};
	for (int i = 0; i < 3; i++) {
		if (part[i].size)
			memcpy(at, part[i].bytes, part[i].size);
		at += part[i].size;
	}
	return true;
}

int channel_job_send(int fd, const struct channel_job *job)
{
	size_t size = job_size(&job->head);

	return send(fd, job, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size ? 0 : -errno;
}

int channel_result_take(int fd, struct channel_result *result)
{
	int r = child_take(fd, result, sizeof(*result));

	if (r != 1)
		return r == 0 ? 0 : -EPIPE;
	result->how[sizeof(result->how) - 1] = '\0';
	result->said[sizeof(result->said) - 1] = '\0';
	return 1;
}

static bool ends(const char *bytes, size_t size)
{
	return size == 0 || bytes[size - 1] == '\0';
}

/* The parts fill the record, and strings end. */
static bool is_job(const struct channel_job *job, ssize_t size)
{
	const struct channel_head *h = &job->head;

	return size >= (ssize_t)sizeof(*h) && size <= (ssize_t)sizeof(*job) && h->first_size > 0 &&
	       h->first_size <= CHANNEL_BYTES && h->second_size <= CHANNEL_BYTES &&
	       h->body_size <= CHANNEL_BYTES && job_size(h) == (size_t)size &&
	       ends(job->bytes, h->first_size) && ends(job->bytes + h->first_size, h->second_size);
}

static ssize_t await_job(int fd, struct channel_job *job)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t size;

	do {
		while (poll(&ready, 1, -1) < 0 && errno == EINTR)
			;
		size = recv(fd, job, sizeof(*job), MSG_DONTWAIT | MSG_TRUNC);
	} while (size < 0 && (errno == EINTR || errno == EAGAIN));
	return size;
}

void channel_serve(int fd, void (*work)(const struct channel_job *job, const char *first,
					const char *second, const char *body,
					struct channel_result *result))
{
	static struct channel_job job; /* too large for the stack */
	ssize_t size;

	while ((size = await_job(fd, &job)) > 0) {
		struct channel_result result = {.id = job.head.id, .err = -EINVAL};
		const char *second = job.bytes + job.head.first_size;

		if (!is_job(&job, size))
			return;
		work(&job, job.bytes, job.head.second_size ? second : "",
		     second + job.head.second_size, &result);
		if (send(fd, &result, sizeof(result), MSG_NOSIGNAL) != sizeof(result))
			return;
	}
}

/* Of what was said only a line is told. */
void channel_run(const struct program *program, struct channel_result *result)
{
	char out[CHANNEL_SAID_SIZE], err[CHANNEL_SAID_SIZE];
	struct program_result run = {.out = {.text = out, .room = sizeof(out)},
				     .err = {.text = err, .room = sizeof(err)}};

	result->err = program_run(program, &run);
	snprintf(result->how, sizeof(result->how), "%s", run.how);
	program_said(&run, result->said, sizeof(result->said));
}
