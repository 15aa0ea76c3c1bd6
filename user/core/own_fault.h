/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * own_fault.h - faults of this host, which are no failures of who sent the mail: known by what its
 * own mail servers say. Pure.
 *
 * Only words that a server of this host wrote itself may be given to own_fault_of_words(): never a
 * remote's reply, which could say the same. The words are looked at from their beginning to their
 * end, so that names within them, which strangers choose, cannot make a fault of anything else.
 */
#ifndef SMTPL_OWN_FAULT_H
#define SMTPL_OWN_FAULT_H

#include <stddef.h>

enum own_fault {
	OWN_FAULT_NONE = 0,
	OWN_FAULT_SERVER,   /* a filter, back end or mail server of this host does not answer */
	OWN_FAULT_LOGIN,    /* a smart host does not take this host's login */
	OWN_FAULT_RESOLVER, /* a name was not found for now: a fault when that is so with all */
	OWN_FAULT_NETWORK,  /* there is no route, or no address to send from */
	OWN_FAULT_DISK,	    /* no room, or a file that cannot be written */
	OWN_FAULT_SETUP,    /* a mail server's configuration */
	OWN_FAULT_TLS,	    /* of this host; that of a remote is the remote's */
	OWN_FAULT_SAID,	    /* a remote says that this host's name, TLS or login is at fault */
	OWN_FAULTS,
};

/* "server", "login", ..., in JSON and the database. */
const char *own_fault_name(enum own_fault fault);
enum own_fault own_fault_by_name(const char *name);
/* What is wrong, for people. */
const char *own_fault_what(enum own_fault fault);

/* Of Postfix's status texts, without "delivery temporarily suspended: ". */
enum own_fault own_fault_of_words(const char *words, size_t size);
/* Of $event_defer_errno of Exim: errno(3), and below zero numbers of its own (macros.h). */
enum own_fault own_fault_of_exim(int error);

#endif
