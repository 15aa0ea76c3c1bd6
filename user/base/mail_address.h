/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mail_address.h - is a text a mail address to which a notice may go? Panels and files may hold
 * anything, and the configuration takes what the mailer takes.
 */
#ifndef SMTPL_MAIL_ADDRESS_H
#define SMTPL_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#define MAIL_ADDRESS_SIZE 256

/* LOCAL@DOMAIN as a dot-atom of RFC 5322 and a host name in ASCII, without quotes, comments or
 * address literals. local: a name of this host's, without a domain or with one of a single label
 * (root, root@localhost), is one as well. It never begins with a hyphen. */
bool mail_address_is(const char *text, bool local);

#endif
