/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sock_destroy.h - destroys TCP sockets through netlink (SOCK_DESTROY), where the kernel has no
 * bpf_sock_destroy (before 6.5).
 */
#ifndef SMTPL_SOCK_DESTROY_H
#define SMTPL_SOCK_DESTROY_H

#include <stddef.h>
#include <stdint.h>

/* Destroy every TCP socket of the caller's network namespace that `uid` made and that is connected,
 * or connecting, to another host and one of the ports (a bit each of 65536). Returns how many, or
 * -errno: -EOPNOTSUPP where the kernel was built without CONFIG_INET_DIAG_DESTROY. */
int sock_destroy_uid(uint32_t uid, const uint64_t *ports);

/* The same for the sockets that have these cookies (SO_COOKIE), wherever they go. */
int sock_destroy_cookies(const uint64_t *cookies, size_t count);

#endif
