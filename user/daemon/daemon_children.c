// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon_children.c - the table of the processes beside the daemon.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "base/clock.h"
#include "daemon.h"
#include "base/log.h"
#include "base/sandbox.h"

#define RESTART_NS (5 * NS_PER_S)

static const struct daemon_child_kind *const kinds[DAEMON_CHILDREN] = {
	[DAEMON_PROBER] = &daemon_prober_kind,	     [DAEMON_DESTROYER] = &daemon_destroyer_kind,
	[DAEMON_RESPONDER] = &daemon_responder_kind, [DAEMON_POLICY] = &daemon_policy_kind,
	[DAEMON_MAILLOG] = &daemon_maillog_kind,     [DAEMON_MAILER] = &daemon_mailer_kind,
	[DAEMON_NOTIFY] = &daemon_notify_kind,
};

static void serve(struct daemon *d, struct daemon_source *source)
{
	struct daemon_child *child = (struct daemon_child *)source; /* its first member */
	enum daemon_child_name name = (enum daemon_child_name)(child - d->children);
	const struct daemon_child_kind *kind = kinds[name];

	if (source->fd < 0 || kind->serve(d) != -EPIPE)
		return;
	if (!kind->once)
		log_warning("%s is gone; it is started again in %lld s", kind->what,
			    RESTART_NS / NS_PER_S);
	daemon_child_stop(d, name);
	if (kind->gone)
		kind->gone(d);
	daemon_children_tend(d);
}

void daemon_children_init(struct daemon *d)
{
	for (int name = 0; name < DAEMON_CHILDREN; name++)
		d->children[name].source = (struct daemon_source){.fd = -1, .serve = serve};
}

int daemon_child_start(struct daemon *d, enum daemon_child_name name)
{
	struct daemon_child *child = &d->children[name];
	int fd, err;

	if (kinds[name]->wanted && !kinds[name]->wanted(d))
		return 0;
	if (!kinds[name]->once)
		sandbox_hide_mappings();
	fd = kinds[name]->start(d);
	child->started_ns = clock_boot_ns();
	if (fd < 0)
		return fd;
	child->source.fd = fd;
	err = kinds[name]->serve ? daemon_watch(d, &child->source) : 0;
	if (err) {
		log_error("%s cannot be served: %s", kinds[name]->what, strerror(-err));
		daemon_child_stop(d, name);
	}
	return err;
}

/* Children that were forked later hold the daemon's end as well, and epoll would go by the last. */
void daemon_child_stop(struct daemon *d, enum daemon_child_name name)
{
	struct daemon_source *source = &d->children[name].source;

	if (source->fd < 0)
		return;
	epoll_ctl(d->loop.epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->fd = -1;
	kinds[name]->stop(d);
}

void daemon_children_tend(struct daemon *d)
{
	for (int name = 0; name < DAEMON_CHILDREN; name++) {
		const struct daemon_child *child = &d->children[name];

		if (child->source.fd < 0 && !kinds[name]->once &&
		    clock_boot_ns() - child->started_ns > RESTART_NS)
			daemon_child_start(d, (enum daemon_child_name)name);
	}
}

void daemon_children_stop(struct daemon *d)
{
	for (int name = DAEMON_CHILDREN; name-- > 0;)
		daemon_child_stop(d, (enum daemon_child_name)name);
}
