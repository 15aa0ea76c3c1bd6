/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sock_diag.h - whose socket is it: NETLINK_SOCK_DIAG gives anybody the uid that made a socket, in
 * the caller's network namespace.
 */
#ifndef SMTPL_SOCK_DIAG_H
#define SMTPL_SOCK_DIAG_H

#include <stddef.h>
#include <stdint.h>

struct sock_diag_peer {
	uint32_t inode; /* of the peer's socket: names the connection */
	uint32_t uid;
};

/* The uid that opened the TCP connection which has this end: address v4-mapped for IPv4, network
 * order; port in host order. 0; -ENOENT: there is none; -ENOTUNIQ: several, of several uids;
 * another -errno: the kernel does not say. */
int sock_diag_tcp_uid(const uint8_t addr[16], uint32_t port, uint32_t *uid);

/* Who is connected to the unix socket that is bound to `path`. The number of peers, at most `max`;
 * -E2BIG: there are more; another -errno: the kernel does not say. */
int sock_diag_unix_peers(const char *path, struct sock_diag_peer *peers, size_t max);

#endif
