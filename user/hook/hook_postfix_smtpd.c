/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix_smtpd.c - services of smtpd(8) that have smtpd_data_restrictions of their own in
 * master.cf do not ask by main.cf: they get ours before theirs.
 */
#include "hook_postfix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "postfix_cf.h"

static bool is_smtpd(const struct postfix_service *service)
{
	const char *command = service->field[POSTFIX_COMMAND];

	return strcspn(command, " ") == strlen("smtpd") && !strncmp(command, "smtpd", 5);
}

/* The block is one more line of the entry, whose last option counts. */
static int put_behind(struct hook_text *master, const struct postfix_service *service, int number,
		      const char *ours, const char *theirs)
{
	const char *name = postfix_settings[POSTFIX_DATA].name;
	char block[32], *lines = NULL;
	int err;

	if (asprintf(&lines, "  -o { %s = %s%s%s }\n", name, ours, *theirs ? ", " : "", theirs) < 0)
		return -ENOMEM;
	snprintf(block, sizeof(block), "data-%d", number);
	err = hook_block_put(master, block, "postfix", "#", lines, service->line.end);
	free(lines);
	return err;
}

int postfix_services_ask(struct hook_text *master)
{
	const struct postfix_setting *data = &postfix_settings[POSTFIX_DATA];
	struct postfix_service service;
	int there, number = 0, err = 0;
	size_t at = 0;

	while (!err && (there = postfix_master_next(master, &at, &service)) != 0) {
		size_t before = master->size;
		char *theirs = NULL;

		err = there < 0 ? there : 0;
		if (!err && is_smtpd(&service))
			err = postfix_service_option(&service, data->name, &theirs);
		if (err == 1)
			err = strstr(theirs, data->value) ?
				      0 :
				      put_behind(master, &service, ++number, data->value, theirs);
		at += master->size - before;
		free(theirs);
		postfix_service_free(&service);
	}
	return err;
}
