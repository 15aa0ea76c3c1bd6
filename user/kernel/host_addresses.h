/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host_addresses.h - the addresses of this host, for the map smtpl_locals: mail to them does not
 * leave.
 *
 * These are the addresses of the caller's network namespace, loopback included. All of 127.0.0.0/8
 * is local, beyond the one address that is assigned: whoever looks an address up must know that.
 */
#ifndef SMTPL_HOST_ADDRESSES_H
#define SMTPL_HOST_ADDRESSES_H

#include "headers/maps.h"

/* A non-blocking socket that becomes readable when an address comes or goes, or -errno. Open it
 * before the first host_addresses_read(), so that no change falls between. */
int host_addresses_open(void);

/* Call back for each address; one that two interfaces have comes twice. Returns 0, -errno, or the
 * callback's first non-zero return, which ends the call. */
int host_addresses_read(int (*each)(void *arg, const struct smtpl_local_key *key), void *arg);

/* Empty the socket. 1: something changed, read again; 0: nothing; -errno: the socket is broken. */
int host_addresses_drain(int fd);

#endif
