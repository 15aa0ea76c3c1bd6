/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sock_diag.c - requests to and replies of the kernel's socket monitoring (sock_diag(7)).
 */
#include "sock_diag.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Since Linux 5.3; older headers lack them. An older kernel gives no attribute, and so no uid. */
#define SHOW_UID      0x40
#define ATTRIBUTE_UID 7

/* The states in which a client still waits for an answer. */
#define STATES                                                                                     \
	(1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT)

/* Called for each socket of a reply. Non-zero ends the reading and is returned. */
typedef int (*sock_diag_each)(void *arg, const struct nlmsghdr *message);

static int open_diag(void)
{
	const struct timeval wait = {.tv_usec = 300000};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return fd;
}

/* 1: more messages follow; 0: that was the end; -errno. A single reply has no mark of an end. */
static int read_messages(const void *buffer, size_t size, sock_diag_each each, void *arg)
{
	const char *at = buffer;
	const char *end = at + size;

	while ((size_t)(end - at) >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)at;
		size_t length = message->nlmsg_len;
		int r;

		if (length < sizeof(*message) || length > (size_t)(end - at))
			return -EPROTO;
		at += NLMSG_ALIGN(length) < (size_t)(end - at) ? NLMSG_ALIGN(length) :
								 (size_t)(end - at);

		if (message->nlmsg_type == NLMSG_DONE)
			return 0;
		if (message->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(message))->error;
		r = each(arg, message);
		if (r || !(message->nlmsg_flags & NLM_F_MULTI))
			return r;
	}
	return 1;
}

static int exchange(int fd, const struct nlmsghdr *request, sock_diag_each each, void *arg)
{
	static char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
	int r;

	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	do {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n <= 0)
			return n ? -errno : -EPROTO;
		r = read_messages(buffer, (size_t)n, each, arg);
	} while (r > 0);
	return r;
}

static int query(const struct nlmsghdr *request, sock_diag_each each, void *arg)
{
	int fd = open_diag();
	int r;

	if (fd < 0)
		return fd;
	r = exchange(fd, request, each, arg);
	close(fd);
	return r;
}

struct tcp_search {
	const uint8_t *addr; /* v4-mapped */
	uint16_t port;	     /* network order */
	bool found;
	uint32_t uid;
};

static int match_tcp(void *arg, const struct nlmsghdr *message)
{
	struct tcp_search *s = arg;
	const struct inet_diag_msg *m = NLMSG_DATA(message);
	uint8_t addr[16] = {[10] = 0xff, 0xff};

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return -EPROTO;
	if (m->idiag_family == AF_INET)
		memcpy(addr + 12, m->id.idiag_src, 4);
	else
		memcpy(addr, m->id.idiag_src, 16);
	if (m->id.idiag_sport != s->port || memcmp(addr, s->addr, sizeof(addr)))
		return 0;
	if (s->found && s->uid != m->idiag_uid)
		return -ENOTUNIQ;
	s->found = true;
	s->uid = m->idiag_uid;
	return 0;
}

static int search_tcp(struct tcp_search *s, uint8_t family)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = family,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = STATES,
			 .id.idiag_sport = s->port},
	};

	return query(&request.head, match_tcp, s);
}

int sock_diag_tcp_uid(const uint8_t addr[16], uint32_t port, uint32_t *uid)
{
	static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
	struct tcp_search s = {.addr = addr, .port = htons((uint16_t)port)};
	int r = 0;

	if (memcmp(addr, mapped, sizeof(mapped)) == 0)
		r = search_tcp(&s, AF_INET);
	/* A socket of IPv6 may speak IPv4. */
	if (!r && !s.found)
		r = search_tcp(&s, AF_INET6);
	if (!r && !s.found)
		r = -ENOENT;
	if (!r)
		*uid = s.uid;
	return r;
}

/* The value of an attribute, at least `size` bytes, or NULL. */
static const void *attribute(const struct nlmsghdr *message, unsigned short type, size_t size,
			     size_t *length)
{
	const struct unix_diag_msg *m = NLMSG_DATA(message);
	const struct rtattr *a = (const struct rtattr *)(m + 1);
	int left = (int)message->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == type && RTA_PAYLOAD(a) >= size) {
			*length = RTA_PAYLOAD(a);
			return RTA_DATA(a);
		}
	return NULL;
}

struct unix_search {
	const char *path;
	struct sock_diag_peer *peers;
	size_t max, count;
};

/* A socket that accept(2) made has the name of the listening one, and a peer; a peer that was
 * closed has no inode number any more. */
static int match_unix(void *arg, const struct nlmsghdr *message)
{
	struct unix_search *s = arg;
	size_t length, ignored;
	const char *name = attribute(message, UNIX_DIAG_NAME, 1, &length);
	const uint32_t *peer = attribute(message, UNIX_DIAG_PEER, sizeof(*peer), &ignored);

	if (!name || !peer || !*peer || strnlen(name, length) != strlen(s->path) ||
	    memcmp(name, s->path, strlen(s->path)))
		return 0;
	if (s->count == s->max)
		return -E2BIG;
	s->peers[s->count++].inode = *peer;
	return 0;
}

static int take_uid(void *arg, const struct nlmsghdr *message)
{
	struct sock_diag_peer *peer = arg;
	size_t length;
	const uint32_t *uid = attribute(message, ATTRIBUTE_UID, sizeof(*uid), &length);

	if (!uid)
		return -EOPNOTSUPP;
	peer->uid = *uid;
	return 0;
}

static int query_unix(uint16_t flags, uint32_t show, uint32_t inode, sock_diag_each each, void *arg)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req body;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | flags},
		.body = {.sdiag_family = AF_UNIX,
			 .udiag_states = 1 << TCP_ESTABLISHED,
			 .udiag_ino = inode,
			 .udiag_show = show,
			 .udiag_cookie = {UINT32_MAX, UINT32_MAX}},
	};

	return query(&request.head, each, arg);
}

int sock_diag_unix_peers(const char *path, struct sock_diag_peer *peers, size_t max)
{
	struct unix_search s = {.path = path, .peers = peers, .max = max};
	size_t kept = 0;
	int r = query_unix(NLM_F_DUMP, UDIAG_SHOW_NAME | UDIAG_SHOW_PEER, 0, match_unix, &s);

	if (r)
		return r;
	for (size_t i = 0; i < s.count; i++) {
		r = query_unix(0, SHOW_UID, peers[i].inode, take_uid, &peers[i]);
		if (!r)
			peers[kept++] = peers[i];
		else if (r != -ENOENT) /* closed by now */
			return r;
	}
	return (int)kept;
}
