/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix_services.c - services of master.cf with smtpd_data_restrictions of their own do not
 * see those of main.cf: they get our question put before them, by one more option, which counts.
 */
#include "hook_postfix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "postfix_cf.h"

#define SETTING "smtpd_data_restrictions"

static const char *question(void)
{
	const struct postfix_setting *s = postfix_settings;

	while (strcmp(s->name, SETTING))
		s++;
	return s->value;
}

/* A service at a loopback address takes back what a filter was given: that was asked about before.
 */
static bool takes_submissions(const struct postfix_service *service)
{
	const char *name = service->field[POSTFIX_NAME];
	const char *type = service->field[POSTFIX_TYPE];
	const char *command = service->field[POSTFIX_COMMAND];

	return (!strcmp(type, "inet") || !strcmp(type, "pass")) && !strncmp(command, "smtpd", 5) &&
	       (command[5] == ' ' || !command[5]) && strncmp(name, "127.", 4) &&
	       strncmp(name, "[127.", 5) && strncmp(name, "localhost:", 10) &&
	       strncmp(name, "[::1]:", 6);
}

static int put_option(struct hook_text *master, const struct postfix_service *service,
		      const char *value, size_t number)
{
	char *lines = NULL, name[32];
	int err;

	snprintf(name, sizeof(name), "data-%zu", number);
	if (asprintf(&lines, "  -o { " SETTING " = %s%s%s }\n", question(), *value ? ", " : "",
		     value) < 0)
		return -ENOMEM;
	err = hook_block_put(master, name, "postfix", "#", lines, service->line.end);
	free(lines);
	return err;
}

int postfix_services_edit(struct hook_text *master)
{
	struct postfix_service service;
	size_t at = 0, number = 0;
	int there, err = 0;

	while (!err && (there = postfix_master_next(master, &at, &service)) != 0) {
		size_t before = master->size;
		char *value = NULL;

		if (there < 0)
			return there;
		err = takes_submissions(&service) ?
			      postfix_service_option(&service, SETTING, &value) :
			      0;
		if (err == 1 && !strstr(value, "smtplimit-policy"))
			err = put_option(master, &service, value, ++number);
		err = err < 0 ? err : 0;
		at += master->size - before;
		free(value);
		postfix_service_free(&service);
	}
	return err;
}
