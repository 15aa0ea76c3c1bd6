/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_record.h - the delivery report of what a line of Postfix's log says of one recipient.
 */
#ifndef SMTPL_MAILLOG_RECORD_H
#define SMTPL_MAILLOG_RECORD_H

#include "core/delivery_report.h"
#include "maillog_event.h"
#include "maillog_table.h"

/* The key form of an address' domain; "": it has none. */
void maillog_record_domain(struct maillog_span address, char key[SMTPL_DOMAIN_SIZE]);

/* m: NULL: nothing is known of the message. */
void maillog_record_fill(struct delivery_report *r, const struct maillog_message *m,
			 const struct maillog_event *e, enum maillog_fate fate);

#endif
