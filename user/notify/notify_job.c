// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify_job.c - what a channel gets for a task: environment and JSON, a mail, or a body to POST.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/hash.h"
#include "mail_message.h"
#include "notice_env.h"
#include "notice_json.h"
#include "notify_child.h"

#define ENV_BYTES  (16 * 1024)
#define TEXT_BYTES (32 * 1024)
#define MAIL_BYTES (64 * 1024)
#define JSON_BYTES (64 * 1024)

/* A digest with names as long as they can be is cut, until it fits. */
static char *task_json(const struct notify_child *c, const struct notify_task *task)
{
	const char *host = c->settings.host;
	char *json = NULL;

	if (task->notice)
		return notice_json(task->notice, host);
	for (uint32_t max = NOTICE_DIGEST_MAX; max > 0; max /= 2) {
		json = notice_json_digest(task->digest, host, max);
		if (!json || strlen(json) <= JSON_BYTES)
			return json;
		free(json);
	}
	return NULL;
}

static struct channel_part string_part(const char *text)
{
	return (struct channel_part){text, strlen(text) + 1};
}

static bool make_run(struct notify_child *c, const struct notify_task *task,
		     struct channel_job *job, uint64_t id)
{
	static char env[ENV_BYTES]; /* too large for the stack */
	struct channel_part part[3] = {string_part(c->settings.command), {.bytes = env}};
	char *json = task_json(c, task);
	bool made;

	part[1].size = task->notice ?
			       notice_env(task->notice, c->settings.host, env, sizeof(env)) :
			       notice_env_digest(task->digest, c->settings.host, env, sizeof(env));
	if (json)
		part[2] = (struct channel_part){json, strlen(json)};
	made = json && channel_job_make(job, CHANNEL_RUN, id, part);
	free(json);
	return made;
}

static bool make_post(struct notify_child *c, const struct notify_task *task,
		      struct channel_job *job, uint64_t id)
{
	struct channel_part part[3] = {string_part(c->settings.webhook),
				       string_part(c->settings.secret)};
	char *json = task_json(c, task);
	bool made;

	if (json)
		part[2] = (struct channel_part){json, strlen(json)};
	made = json && channel_job_make(job, CHANNEL_POST, id, part);
	free(json);
	return made;
}

static const struct template *choose(const struct notify_child *c, const struct notify_task *task)
{
	uint32_t kind = task->digest ? TEMPLATE_DIGEST : task->notice->kind;
	bool customer = task->way == NOTIFY_CUSTOMER;
	const struct template *own = &c->template[kind][customer];

	return own->subject[0] ? own : template_default(kind, customer);
}

static void default_from(const char *host, char *from, size_t from_size)
{
	snprintf(from, from_size, "smtplimit <postmaster%s%s>", strchr(host, '.') ? "@" : "",
		 strchr(host, '.') ? host : "");
}

static bool make_mail(struct notify_child *c, const struct notify_task *task,
		      struct channel_job *job, uint64_t id)
{
	static char text[TEXT_BYTES], mail[MAIL_BYTES]; /* too large for the stack */
	const struct template_subject about = {.notice = task->notice,
					       .digest = task->digest,
					       .host = c->settings.host,
					       .customer = task->way == NOTIFY_CUSTOMER};
	const struct template *template = choose(c, task);
	const char *to = about.customer ? task->address : c->settings.admin;
	char subject[512], from[512];
	struct mail_message message = {.to = to, .subject = subject, .text = text};
	struct channel_part part[3] = {string_part(to)};
	struct notify_text out;

	notify_text_begin(&out, subject, sizeof(subject));
	template_fill(template->subject, &about, &out);
	notify_text_begin(&out, text, sizeof(text));
	template_fill(template->text, &about, &out);
	default_from(c->settings.host, from, sizeof(from));
	message.from = c->settings.from[0] ? c->settings.from : from;
	message.host = c->settings.host;
	message.date_s = time(NULL);
	message.serial = hash_pair(c->random, id);
	part[2] = (struct channel_part){mail, mail_message_write(&message, mail, sizeof(mail))};
	return part[2].size && channel_job_make(job, CHANNEL_SEND, id, part);
}

static bool make_address(struct notify_child *c, const struct notify_task *task,
			 struct channel_job *job, uint64_t id)
{
	const struct channel_part part[3] = {string_part(c->settings.customer_command),
					     string_part(task->notice->account)};

	return channel_job_make(job, CHANNEL_ADDRESS, id, part);
}

bool notify_job_make(struct notify_child *c, const struct notify_task *task,
		     struct channel_job *job)
{
	uint64_t id = ++c->jobs;

	switch (task->way) {
	case NOTIFY_COMMAND:
		return make_run(c, task, job, id);
	case NOTIFY_WEBHOOK:
		return make_post(c, task, job, id);
	case NOTIFY_LOOKUP:
		return make_address(c, task, job, id);
	default:
		return make_mail(c, task, job, id);
	}
}
