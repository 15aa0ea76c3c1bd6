/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_record.c - fills in a delivery report.
 */
#include <string.h>
#include "who/account.h"
#include "maillog_record.h"

static void copy(char *to, size_t size, struct maillog_span from)
{
	size_t length = strnlen(from.at ? from.at : "", from.size);

	if (length >= size)
		length = size - 1;
	if (length > 0)
		memcpy(to, from.at, length);
	memset(to + length, 0, size - length);
}

static struct maillog_span domain_of(struct maillog_span address)
{
	const char *at = memrchr(address.at, '@', address.size);

	if (!at)
		return (struct maillog_span){address.at, 0};
	return (struct maillog_span){at + 1, address.at + address.size - at - 1};
}

void maillog_record_domain(struct maillog_span address, char key[SMTPL_DOMAIN_SIZE])
{
	char text[SMTPL_ADDR_SIZE];

	copy(text, sizeof(text), domain_of(address));
	if (account_domain_key(text, key))
		key[0] = '\0';
}

static void fill_submission(struct submission *o, const struct maillog_message *m)
{
	if (!m || !m->sender)
		o->known |= SUBMISSION_NO_SENDER;
	if (!m)
		return;
	o->known |= m->known;
	o->uid = m->uid;
	o->first_uid = m->first_uid;
	o->caller = m->caller;
	o->client_port = m->client_port;
	memcpy(o->client, m->client, sizeof(o->client));
	if (m->auth)
		memcpy(o->auth, m->auth, strlen(m->auth));
	if (m->sender)
		memcpy(o->sender, m->sender, strlen(m->sender));
	if (m->forwarder)
		memcpy(o->forwarder, m->forwarder, strlen(m->forwarder));
}

/* Only the domain was added to what somebody wrote: "bob", now bob@example.com. */
static bool is_completed(struct maillog_span orig, struct maillog_span rcpt)
{
	return orig.size < rcpt.size && rcpt.at[orig.size] == '@' &&
	       strncasecmp(orig.at, rcpt.at, orig.size) == 0;
}

static void fill_redirect(struct submission *o, const struct maillog_event *e)
{
	char forwarder[SMTPL_DOMAIN_SIZE];

	if (!e->orig.at || is_completed(e->orig, e->rcpt))
		return;
	o->known |= SUBMISSION_REDIRECTED;
	maillog_record_domain(e->orig, forwarder);
	if (forwarder[0])
		memcpy(o->forwarder, forwarder, sizeof(forwarder));
}

/* Of a reply without an enhanced code, Postfix logs one that it has made of the code: x.0.0. */
static void fill_reply(struct delivery_report *r, const struct maillog_event *e)
{
	if (e->replied && delivery_report_reply(r, e->text.at, e->text.size))
		return;
	memcpy(r->enhanced, e->enhanced, sizeof(r->enhanced));
	delivery_report_text(r, e->text.at, e->text.size);
}

void maillog_record_fill(struct delivery_report *r, const struct maillog_message *m,
			 const struct maillog_event *e, enum maillog_fate fate)
{
	static const uint8_t outcomes[] = {
		[MAILLOG_AT_HOME] = SMTP_DEFERRED,
		[MAILLOG_DELIVERED] = SMTP_DELIVERED,
		[MAILLOG_DEFERRED] = SMTP_DEFERRED,
		[MAILLOG_FAILED] = SMTP_FAILED,
	};

	r->kind = fate == MAILLOG_REFUSED ? REPORT_REFUSED :
		  fate == MAILLOG_AT_HOME ? REPORT_HOME :
					    REPORT_OUTCOME;
	r->mta = FEED_POSTFIX;
	r->count = 1;
	r->age_s = e->age_s < 0 ? REPORT_AGE_UNKNOWN : delivery_report_age(e->age_s);
	fill_submission(&r->submission, m);
	fill_redirect(&r->submission, e);
	copy(r->rcpt, sizeof(r->rcpt), e->rcpt);
	copy(r->id, sizeof(r->id), e->id);
	r->outcome = outcomes[fate];
	r->fault = fate == MAILLOG_AT_HOME && !e->fault ? OWN_FAULT_SERVER : e->fault;
	r->port = (uint16_t)e->host_port;
	memcpy(r->dest, e->dest, sizeof(r->dest));
	delivery_report_host(r, e->host.at, e->host.size);
	fill_reply(r, e);
}
