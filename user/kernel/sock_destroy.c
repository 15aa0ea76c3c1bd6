// SPDX-License-Identifier: GPL-2.0-only
/*
 * sock_destroy.c - ends TCP sockets through netlink (SOCK_DESTROY), where the kernel has no
 * bpf_sock_destroy. See sock_diag(7) and net/ipv4/inet_diag.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "sock_destroy.h"

#define DESTROY_BATCH 256 /* sockets remembered from one dump; the dump is repeated for more */

struct sock_diag_request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 diag;
};

/* Selects sockets: those with the cookies, or without any those of the uid to the ports. */
struct destroy_filter {
	const uint64_t *cookies;
	size_t count;
	uint32_t uid;
	const uint64_t *ports;
};

struct destroy_batch {
	struct inet_diag_sockid id[DESTROY_BATCH];
	size_t count;
	bool more;
};

static int sock_diag_send(int fd, int type, int flags, int family,
			  const struct inet_diag_sockid *id)
{
	struct sock_diag_request request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = type,
			 .nlmsg_flags = NLM_F_REQUEST | flags},
		.diag = {.sdiag_family = family,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = 1 << TCP_ESTABLISHED | 1 << TCP_SYN_SENT |
					 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 |
					 1 << TCP_CLOSE_WAIT},
	};

	if (id)
		request.diag.id = *id;
	return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

/* Loopback, or this host's own address: then both ends are the same. */
static bool is_local(const struct inet_diag_msg *m)
{
	const struct in6_addr *to = (const struct in6_addr *)m->id.idiag_dst;
	uint32_t v4 = ntohl(m->idiag_family == AF_INET ? m->id.idiag_dst[0] : m->id.idiag_dst[3]);

	if (memcmp(m->id.idiag_src, m->id.idiag_dst, sizeof(m->id.idiag_dst)) == 0)
		return true;
	if (m->idiag_family == AF_INET || IN6_IS_ADDR_V4MAPPED(to))
		return v4 >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(to);
}

static bool has_cookie(const struct destroy_filter *f, const struct inet_diag_sockid *id)
{
	uint64_t cookie = (uint64_t)id->idiag_cookie[1] << 32 | id->idiag_cookie[0];

	for (size_t i = 0; i < f->count; i++)
		if (f->cookies[i] == cookie)
			return true;
	return false;
}

static bool wanted(const struct destroy_filter *f, const struct inet_diag_msg *m)
{
	uint16_t port = ntohs(m->id.idiag_dport);

	if (f->cookies)
		return has_cookie(f, &m->id);
	return m->idiag_uid == f->uid && f->ports[port / 64] >> port % 64 & 1 && !is_local(m);
}

static void batch_add(struct destroy_batch *batch, const struct inet_diag_sockid *id)
{
	if (batch->count == DESTROY_BATCH) {
		batch->more = true;
		return;
	}
	batch->id[batch->count++] = *id;
}

/* 1: more follows, 0: done, -errno */
static int dump_part(int fd, const struct destroy_filter *f, struct destroy_batch *batch)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	unsigned int left = n > 0 ? n : 0;

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	for (struct nlmsghdr *h = (struct nlmsghdr *)buf; NLMSG_OK(h, left);
	     h = NLMSG_NEXT(h, left)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)) && wanted(f, m))
			batch_add(batch, &m->id);
	}
	return 1;
}

/* 0, or the kernel's answer: -ENOENT for a socket that went away by itself */
static int destroy_one(int fd, int family, const struct inet_diag_sockid *id)
{
	_Alignas(struct nlmsghdr) char buf[1024];
	const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
	int err = sock_diag_send(fd, SOCK_DESTROY, NLM_F_ACK, family, id);
	ssize_t n;

	if (err)
		return err;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || h->nlmsg_type != NLMSG_ERROR)
		return n < 0 ? -errno : -EPROTO;
	return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static int destroy_family(int fd, int family, const struct destroy_filter *f)
{
	struct destroy_batch batch;
	int destroyed = 0, err;

	do {
		batch.count = 0;
		batch.more = false;
		err = sock_diag_send(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family, NULL);
		if (err)
			return err;
		while ((err = dump_part(fd, f, &batch)) > 0)
			;
		for (size_t i = 0; !err && i < batch.count; i++) {
			err = destroy_one(fd, family, &batch.id[i]);
			destroyed += err == 0;
			err = err == -ENOENT ? 0 : err;
		}
	} while (!err && batch.more);
	return err ? err : destroyed;
}

static int destroy_wanted(const struct destroy_filter *f)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int v4, v6;

	if (fd < 0)
		return -errno;
	v4 = destroy_family(fd, AF_INET, f);
	v6 = destroy_family(fd, AF_INET6, f);
	close(fd);
	if (v4 < 0)
		return v4;
	return v6 < 0 ? v6 : v4 + v6;
}

int sock_destroy_uid(uint32_t uid, const uint64_t *ports)
{
	const struct destroy_filter f = {.uid = uid, .ports = ports};

	return destroy_wanted(&f);
}

int sock_destroy_cookies(const uint64_t *cookies, size_t count)
{
	const struct destroy_filter f = {.cookies = cookies, .count = count};

	return destroy_wanted(&f);
}
