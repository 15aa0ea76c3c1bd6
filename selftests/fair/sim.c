/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim.c - what a judge gets to read of a reply, and the options on the command line.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text sim_text(const struct sim *sim, const struct attempt *a)
{
	struct text t = sim->texts[a->text];
	bool noisy = (long)((a->mail * 2654435761u >> 8) % 100) < sim->noise;

	if (!noisy || a->outcome == SMTP_DELIVERED)
		return t;
	snprintf(t.text, sizeof(t.text), "Reference %08x", a->mail);
	if (sim->silent) {
		memset(t.enhanced, 0, sizeof(t.enhanced));
		t.code = a->outcome == SMTP_FAILED ? 550 : 450;
	}
	return t;
}

enum reply_class sim_class(const struct sim *sim, const struct attempt *a)
{
	const struct text t = sim_text(sim, a);
	struct reply r = {.outcome = (enum smtp_outcome)a->outcome,
			  .code = t.code,
			  .text = t.text,
			  .size = strlen(t.text)};

	memcpy(r.enhanced, t.enhanced, sizeof(r.enhanced));
	return reply_class(&r, NULL);
}

/* What stands behind the last "name="; NULL: nothing does. */
static const char *find(const char *options, const char *name)
{
	size_t length = strlen(name);
	const char *found = NULL;

	while (options && *options) {
		if (!strncmp(options, name, length) && options[length] == '=')
			found = options + length + 1;
		options = strchr(options, ',');
		options = options ? options + 1 : NULL;
	}
	return found;
}

long option(const char *options, const char *name, long without)
{
	const char *value = find(options, name);

	return value ? strtol(value, NULL, 0) : without;
}

unsigned int option_classes(const char *options, const char *name)
{
	const char *value = find(options, name);
	unsigned int mask = 0;

	while (value && *value && *value != ',') {
		size_t length = strcspn(value, "+,");
		enum reply_class class = reply_class_by_name(value, length);

		if (class == REPLY_NONE) {
			fprintf(stderr, "fairsim: \"%.*s\" is no class of replies\n", (int)length,
				value);
			exit(2);
		}
		mask |= 1u << class;
		value += length + (value[length] == '+');
	}
	return mask;
}
