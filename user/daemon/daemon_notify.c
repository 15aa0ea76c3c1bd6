// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_notify.c - notices of what the daemon decides and notices, and the two processes that send
 * them: smtpl-mailer, which is made while the daemon has all of root's privileges, as sendmail(1)
 * needs them, and smtpl-notify with its children.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "daemon.h"
#include "notify/channel.h"
#include "notify/template_files.h"

/* --- settings ------------------------------------------------------------------------------- */

/* The first line of the file. Without it nothing is signed, so nothing is sent. */
static int read_secret(const char *file, char secret[NOTIFY_SECRET_SIZE])
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, secret, NOTIFY_SECRET_SIZE - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	secret[n] = '\0';
	secret[strcspn(secret, "\r\n")] = '\0';
	return secret[0] ? 0 : -ENODATA;
}

static void read_webhook(const struct config *c, struct notify_settings *s)
{
	int err = 0;

	snprintf(s->webhook, sizeof(s->webhook), "%s", c->notify_webhook);
	if (s->webhook[0] && c->notify_secret_file[0])
		err = read_secret(c->notify_secret_file, s->secret);
	if (!err)
		return;
	log_error("no webhook is called: its secret in \"%s\": %s", c->notify_secret_file,
		  strerror(-err));
	s->webhook[0] = '\0';
}

static uint32_t contacts_of(const struct config *c)
{
	switch (c->notify_customer) {
	case CONFIG_CUSTOMER_PANEL:
	case CONFIG_CUSTOMER_FILE:
		return NOTIFY_CONTACTS_KNOWN;
	case CONFIG_CUSTOMER_COMMAND:
		return NOTIFY_CONTACTS_COMMAND;
	case CONFIG_CUSTOMER_OFF:
		break;
	}
	return NOTIFY_CONTACTS_OFF;
}

/* What the processes get: their padding is zero, so that two of them can be compared. */
static void read_settings(const struct config *c, struct notify_settings *s)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->command, sizeof(s->command), "%s", c->notify_command);
	snprintf(s->admin, sizeof(s->admin), "%s", c->notify_admin);
	snprintf(s->from, sizeof(s->from), "%s", c->notify_from);
	snprintf(s->customer_command, sizeof(s->customer_command), "%s",
		 c->notify_customer_command);
	s->contacts = contacts_of(c);
	read_webhook(c, s);
	if (gethostname(s->host, sizeof(s->host) - 1))
		snprintf(s->host, sizeof(s->host), "localhost");
}

static void send_templates(struct daemon *d)
{
	static struct template_set set; /* too large for the stack */

	template_files_read(d->config.directory, &set);
	for (uint32_t kind = 1; kind < TEMPLATES; kind++)
		for (int customer = 0; customer < 2; customer++)
			notify_set_template(&d->notify.notify, kind, customer,
					    &set.own[kind][customer]);
}

/* --- the processes -------------------------------------------------------------------------- */

static bool mailer_wanted(const struct daemon *d)
{
	return notify_channels(&d->notify.settings) & 1u << CHANNEL_MAIL;
}

static int mailer_start(struct daemon *d)
{
	int err;

	sandbox_hide_mappings();
	err = child_start(channel_mail_main, NULL, &d->notify.mailer, &d->notify.mailer_fd);
	if (err)
		log_error("no mail of notices: its process cannot start: %s", strerror(-err));
	return err ? err : d->notify.mailer_fd;
}

static void mailer_stop(struct daemon *d)
{
	child_stop(&d->notify.mailer, &d->notify.mailer_fd);
}

const struct daemon_child_kind daemon_mailer_kind = {
	.what = "the child that runs sendmail",
	.once = true,
	.wanted = mailer_wanted,
	.start = mailer_start,
	.stop = mailer_stop,
};

static bool notify_wanted(const struct daemon *d)
{
	return notify_ways(&d->notify.settings) != 0;
}

static int notify_child_start(struct daemon *d)
{
	struct daemon_notify *n = &d->notify;
	int err = notify_start(&n->notify, &n->settings, n->mailer > 0 ? n->mailer_fd : -1);

	daemon_losses_notify_begins(&d->losses);
	if (err) {
		log_error("no notices: their process cannot start: %s", strerror(-err));
		return err;
	}
	send_templates(d);
	return n->notify.fd;
}

static int notify_child_serve(struct daemon *d)
{
	struct notify_stats stats;
	int r = notify_serve(&d->notify.notify, &stats);

	if (r == 1)
		daemon_losses_notify(&d->losses, &stats);
	return r;
}

static void notify_child_stop(struct daemon *d)
{
	struct notify_stats stats = d->losses.notify;

	notify_stop(&d->notify.notify, &stats);
	daemon_losses_notify(&d->losses, &stats);
}

const struct daemon_child_kind daemon_notify_kind = {
	.what = "the child that sends notices",
	.wanted = notify_wanted,
	.start = notify_child_start,
	.serve = notify_child_serve,
	.stop = notify_child_stop,
};

void daemon_notify_start(struct daemon *d)
{
	read_settings(&d->config, &d->notify.settings);
	daemon_child_start(d, DAEMON_MAILER);
	daemon_child_start(d, DAEMON_NOTIFY);
}

void daemon_notify_reload(struct daemon *d)
{
	struct notify_settings *now = &d->notify.settings;
	unsigned int before = notify_channels(now);

	read_settings(&d->config, now);
	if (mailer_wanted(d) && !d->notify.mailer)
		log_warning("mail of notices begins with a restart");
	if (notify_channels(now) != before) {
		daemon_child_stop(d, DAEMON_NOTIFY);
		daemon_child_start(d, DAEMON_NOTIFY);
	} else if (notify_wanted(d) && !notify_set(&d->notify.notify, now)) {
		send_templates(d);
	}
}

void daemon_notify_stop(struct daemon *d)
{
	contacts_free(&d->notify.contacts);
}

/* --- notices -------------------------------------------------------------------------------- */

static void find_in_file(struct daemon *d, struct notice *n)
{
	struct daemon_notify *dn = &d->notify;
	int err = contacts_in_file(&dn->contacts, d->config.notify_customer_file, n->account,
				   n->customer);
	bool failed = err && err != -ENOENT;

	if (err)
		n->customer[0] = '\0';
	if (failed && !dn->contacts_failed)
		log_error("customers' addresses in \"%s\" cannot be read: %s",
			  d->config.notify_customer_file, strerror(-err));
	dn->contacts_failed = failed;
}

static void find_customer(struct daemon *d, struct notice *n)
{
	n->customer[0] = '\0';
	if (!notice_for_customer(n) || !n->account[0])
		return;
	if (d->config.notify_customer == CONFIG_CUSTOMER_FILE)
		find_in_file(d, n);
	else if (d->config.notify_customer == CONFIG_CUSTOMER_PANEL &&
		 contacts_in_panel(&d->notify.contacts, n->account, n->customer))
		n->customer[0] = '\0';
}

void daemon_notice(struct daemon *d, const struct notice *notice)
{
	struct notice n = *notice;

	if (!notify_wanted(d))
		return;
	if (!n.time_s)
		n.time_s = time(NULL);
	find_customer(d, &n);
	if (notify_send(&d->notify.notify, &n))
		d->losses.total.notices_dropped++;
}

static int64_t wall_s(uint64_t boot_ns)
{
	return clock_wall_of(boot_ns) / NS_PER_S;
}

void daemon_notice_suspended(struct daemon *d, const struct state_suspension *s,
			     enum daemon_suspended how)
{
	struct notice n = {
		.kind = NOTICE_SUSPENDED,
		.simulated = how == DAEMON_SUSPENDED_OBSERVED,
		.by_hand = how == DAEMON_SUSPENDED_BY_HAND,
		.tell = (s->kernel.by_hand & SMTPL_BY_HAND_TOLD) != 0,
		.since_s = wall_s(s->kernel.since_ns),
		.until_s = wall_s(s->kernel.until_ns),
		.bad = s->kernel.bad,
		.min_failures = s->kernel.min,
		.percent = s->kernel.percent,
		.window_s = (uint32_t)d->config.rule.window_s,
	};

	account_name(&s->account, n.account, sizeof(n.account));
	snprintf(n.domain, sizeof(n.domain), "%s", s->domain);
	if (n.by_hand)
		snprintf(n.reason, sizeof(n.reason), "%s", s->reason);
	n.time_s = time(NULL);
	notice_facts_fill(d->facts, &s->account, &n);
	daemon_notice(d, &n);
}

void daemon_notice_ended(struct daemon *d, const struct account_id *id, bool by_itself,
			 const char *why)
{
	const struct account *a = accounts_find(pipeline_accounts(d->pipeline), id);
	struct notice n = {
		.kind = by_itself ? NOTICE_ENDED : NOTICE_RELEASED,
		.by_hand = !by_itself,
	};

	notice_facts_forget(d->facts, id);
	account_name(id, n.account, sizeof(n.account));
	if (a)
		snprintf(n.domain, sizeof(n.domain), "%s", accounts_own_domain(a));
	snprintf(n.text, sizeof(n.text), "%s", why);
	daemon_notice(d, &n);
}
