/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * remote.h - the remote: the organisation that answered, or that would have had to. Pure.
 *
 *	mx3.google.com			google.com, its registered domain
 *	no name, 203.0.113.9		203.0.113.0/24
 *	no name, 2001:db8:1:2::25	2001:db8:1::/48
 *	no answer, bob@a.partner.example	partner.example
 *
 * Where registered domains begin is read from the Public Suffix List that libpsl was built with.
 * Where an organisation names its customers' hosts below a private suffix of that list, each
 * customer is a remote.
 */
#ifndef SMTPL_REMOTE_H
#define SMTPL_REMOTE_H

#include <stdint.h>

/* Room for any name of a remote: a host name has at most 253 bytes. */
#define REMOTE_NAME_SIZE 256

/*
 * The identity of the remote, and its name into `name`.
 *	host	the MX's name, untrusted: what is no ASCII host name with a registered domain is
 *		passed over. NULL or "": not known
 *	addr	the MX's address, IPv4 mapped into IPv6. NULL or zeroes: there was none
 *	rcpt	the recipient's address, untrusted, which decides only where the other two do
 *		not. NULL or "": not known
 *	seed	random and secret: strangers choose names, and must not find one that has the
 *		identity of another remote
 * Returns 0, with the name "", when nothing of this names a remote, and never REMOTES_ANYWHERE
 * (remotes.h). Identities of different seeds cannot be compared.
 */
uint32_t remote_identity(uint64_t seed, const char *host, const uint8_t addr[16], const char *rcpt,
			 char name[REMOTE_NAME_SIZE]);

#endif
