/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * order_socket.h - how `suspend` and `release` reach the daemon, which keeps windows and
 * suspensions in memory: the socket `order` in the run directory, of root alone. Neither the order
 * nor its answer needs a disk.
 *
 * An order stands only as long as somebody waits for its answer: one that was given up is not
 * carried out later.
 */
#ifndef SMTPL_ORDER_SOCKET_H
#define SMTPL_ORDER_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include "who/account.h"

#define ORDER_SOCKET	  "order"
#define ORDER_REASON_SIZE 256

struct suspension_order {
	struct account_id account;
	bool suspend;	/* else release */
	bool tell;	/* the sender hears the reason */
	uint64_t for_s; /* suspend */
	char reason[ORDER_REASON_SIZE];
};

/* What came of it, 0 or -errno each. */
struct order_answer {
	int32_t done;  /* in the kernel: it holds */
	int32_t saved; /* in the database: it outlives a reboot */
	char why[256]; /* it is not saved */
};

/* The daemon's end. A listening socket, or -errno. */
int order_socket_listen(const char *run);
/* The next order: the descriptor to answer at. -EAGAIN: there is none; -ECANCELED: nobody waits for
 * it any more; another -errno: it is none. */
int order_socket_take(int listener, struct suspension_order *order);
/* Closes the descriptor. */
void order_socket_answer(int fd, const struct order_answer *answer);

/* The command's end. 0; -ECONNREFUSED or -ENOENT: nobody listens (yet); -ECONNRESET: the daemon
 * ended meanwhile; -ETIMEDOUT: no answer within wait_ms; another -errno. */
int order_socket_ask(const char *run, const struct suspension_order *order, int64_t wait_ms,
		     struct order_answer *answer);

#endif
