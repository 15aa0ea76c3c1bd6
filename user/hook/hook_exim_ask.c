/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim_ask.c - what Exim says of itself: which file it reads, and what it has in force.
 */
#include "hook_exim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_SIZE (1u << 20)

/* The first is the one that panels install; on Debian it is a link to the second. */
const char *exim_program(const struct hook_context *context)
{
	static const char *const names[] = {"/usr/sbin/exim", "/usr/sbin/exim4",
					    "/usr/exim/bin/exim", "/usr/local/sbin/exim"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (hook_exists(context, names[i]))
			return names[i];
	return NULL;
}

static int ask(const struct hook_context *context, const char *what, char *answer, size_t size)
{
	const char *exim = exim_program(context);
	const char *const argv[] = {exim, "-bP", what, NULL};

	return exim ? hook_ask(context, argv, answer, size) : -ENOENT;
}

int exim_ask_file(const struct hook_context *context, char path[PATH_MAX])
{
	int err = ask(context, "configure_file", path, PATH_MAX);

	/* Debian's, before update-exim4.conf(8) has made one. */
	if (err == -EINVAL && strstr(path, "non-existent configuration file"))
		return -ENOENT;
	path[strcspn(path, "\n")] = '\0';
	return err ? err : path[0] == '/' ? 0 : -EPROTO;
}

/* "name = value" at the beginning of a line. */
static bool is_set(const char *line, const char *name, const char **value)
{
	size_t length = strlen(name);

	if (strncmp(line, name, length) || strncmp(line + length, " = ", 3))
		return false;
	*value = line + length + 3;
	return true;
}

struct transport {
	char name[EXIM_NAME_SIZE];
	bool smtp, lmtp, hooked;
};

static void transport_end(const struct transport *t, char *unhooked, size_t size)
{
	size_t length = strlen(unhooked);

	if (t->smtp && !t->lmtp && !t->hooked)
		snprintf(unhooked + length, size - length, "%s\"%s\"", length ? ", " : "", t->name);
}

/* "NAME transport:", then its options, one a line. */
static void read_transports(char *text, char *unhooked, size_t size)
{
	static const char head[] = " transport:";
	struct transport t = {0};
	char *at = text, *line;
	const char *value;

	unhooked[0] = '\0';
	while ((line = strsep(&at, "\n"))) {
		size_t length = strlen(line), tail = sizeof(head) - 1;

		if (length > tail && !strcmp(line + length - tail, head)) {
			transport_end(&t, unhooked, size);
			t = (struct transport){0};
			snprintf(t.name, sizeof(t.name), "%.*s", (int)(length - tail), line);
		} else if (is_set(line, "driver", &value)) {
			t.smtp = !strcmp(value, "smtp");
		} else if (is_set(line, "protocol", &value)) {
			t.lmtp = !strcasecmp(value, "lmtp");
		} else if (is_set(line, "event_action", &value)) {
			t.hooked = strstr(value, "smtplimit_event") != NULL;
		}
	}
	transport_end(&t, unhooked, size);
}

int exim_ask_in_force(const struct hook_context *context, struct exim_in_force *force, char *error,
		      size_t error_size)
{
	char *answer = malloc(ANSWER_SIZE);
	const char *user;
	int err = answer ? ask(context, "router_list", answer, ANSWER_SIZE) : -ENOMEM;

	*force = (struct exim_in_force){0};
	if (!err) {
		snprintf(force->first_router, sizeof(force->first_router), "%.*s",
			 (int)strcspn(answer, "\n"), answer);
		err = ask(context, "exim_user", answer, ANSWER_SIZE);
	}
	if (!err) {
		answer[strcspn(answer, "\n")] = '\0';
		if (is_set(answer, "exim_user", &user))
			snprintf(force->user, sizeof(force->user), "%s", user);
		err = ask(context, "transports", answer, ANSWER_SIZE);
	}
	if (!err)
		read_transports(answer, force->unhooked, sizeof(force->unhooked));
	else
		snprintf(error, error_size, "%s%s",
			 err == -EINVAL ? "its configuration is broken as it is: " : "",
			 answer ? answer : strerror(-err));
	free(answer);
	return err;
}
