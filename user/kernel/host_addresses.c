/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * host_addresses.c - lists the host's own addresses and notices changes (rtnetlink(7)).
 */
#include "host_addresses.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int host_addresses_open(void)
{
	struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int error;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&groups, sizeof(groups)))
		return fd;
	error = -errno;
	close(fd);
	return error;
}

/* False: not an IP address. */
static bool local_key(const struct sockaddr *address, struct smtpl_local_key *key)
{
	const struct sockaddr_in6 *v6 = (const void *)address;
	const struct sockaddr_in *v4 = (const void *)address;

	memset(key, 0, sizeof(*key));
	if (address && address->sa_family == AF_INET) {
		memset(key->addr + 10, 0xff, 2);
		memcpy(key->addr + 12, &v4->sin_addr, 4);
		return true;
	}
	if (address && address->sa_family == AF_INET6) {
		memcpy(key->addr, &v6->sin6_addr, 16);
		return true;
	}
	return false;
}

int host_addresses_read(int (*each)(void *arg, const struct smtpl_local_key *key), void *arg)
{
	struct smtpl_local_key key;
	struct ifaddrs *all;
	int result = 0;

	if (getifaddrs(&all))
		return -errno;
	for (struct ifaddrs *one = all; one && !result; one = one->ifa_next)
		if (local_key(one->ifa_addr, &key))
			result = each(arg, &key);
	freeifaddrs(all);
	return result;
}

/* The messages are not parsed: the caller lists all addresses again. The kernel alone can send to
 * these groups' members without CAP_NET_ADMIN, and a false alarm costs one listing. */
int host_addresses_drain(int fd)
{
	char message[8192];
	int changed = 0;
	ssize_t n;

	for (;;) {
		n = recv(fd, message, sizeof(message), 0);
		if (n >= 0 || errno == ENOBUFS) /* messages were lost */
			changed = 1;
		else if (errno == EAGAIN)
			return changed;
		else if (errno != EINTR)
			return -errno;
	}
}
