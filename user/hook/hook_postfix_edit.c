/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix_edit.c - our parts in main.cf and master.cf.
 */
#include "hook_postfix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "who/account.h"
#include "config/config_value.h"
#include "hook_client.h"
#include "postfix_cf.h"

#define DIRECTORY "/etc/postfix"
/* spawn(8) refuses root and Postfix's own user. It must be let in by the daemon: a relay user. */
#define USER "mail"

const struct postfix_setting postfix_settings[] = {
	{"smtpd_data_restrictions",
	 "check_policy_service { unix:private/smtplimit-policy, timeout=2s, default_action=DUNNO }",
	 true},
	{"sender_dependent_default_transport_maps", POSTFIX_MAP "transport", true},
	/* The port tells who on this host opened the connection. */
	{"smtpd_client_port_logging", "yes", false},
	/* spawn(8) ends its commands then, but those who ask stay connected for 1000 s. */
	{"smtplimit-policy_time_limit", "3600s", false},
	{"smtplimit-map_time_limit", "3600s", false},
	{0},
};

static int say(char *error, size_t error_size, int err, const char *path, const char *what)
{
	snprintf(error, error_size, "%s: %s", path, what);
	return err;
}

const char *postfix_directory(const struct hook_context *context)
{
	return context->directory ? context->directory : DIRECTORY;
}

void postfix_files_free(struct postfix_files *files)
{
	hook_text_free(&files->main_old);
	hook_text_free(&files->main);
	hook_text_free(&files->master_old);
	hook_text_free(&files->master);
}

/* Our parts already taken out of what shall be. */
static int read_one(const struct hook_context *context, const char *path, struct hook_text *old,
		    struct hook_text *text, char *error, size_t error_size)
{
	int err = hook_read(context, path, old);

	if (!err && memchr(old->text, '\0', old->size))
		return say(error, error_size, -EINVAL, path, "holds a NUL byte");
	err = err ? err : hook_text_copy(text, old);
	err = err ? err : postfix_restore(text);
	return err ? say(error, error_size, err, path, strerror(-err)) : 0;
}

/* postconf(1) writes a service anew when it changes it, and so takes our option out of its block:
 * without the service that it names no mail of sendmail(1) would be taken. */
static int restore_pickup(struct hook_text *master)
{
	struct postfix_service service;
	int there = postfix_master_find(master, POSTFIX_CLEANUP, &service);

	postfix_service_free(&service);
	if (there) /* put in by hand */
		return there < 0 ? there : 0;
	there = postfix_master_find(master, "pickup", &service);
	if (there == 1)
		postfix_option_remove(master, &service.line,
				      "-o cleanup_service_name=" POSTFIX_CLEANUP);
	postfix_service_free(&service);
	return there < 0 ? there : 0;
}

/* postconf(1) changes a setting where it stands, which is in our block: what has been put behind
 * our part, or taken out there, is to stay when the block goes. */
static int keep_edit(const struct postfix_setting *setting, const struct hook_text *with,
		     struct hook_text *without)
{
	size_t length = strlen(setting->value);
	char *now, *was = NULL;
	int err = postfix_main_find(with, setting->name, NULL, &now);

	if (err == 1)
		err = postfix_main_find(without, setting->name, NULL, &was);
	if (err >= 0 && now && !strncmp(now, setting->value, length)) {
		const char *rest = now + length + strspn(now + length, ", \t");
		const char *before = was ? was : "";

		err = strcmp(now, before) && strcmp(rest, before) ?
			      postfix_main_set(without, setting->name, rest) :
			      0;
	}
	free(now);
	free(was);
	return err < 0 ? err : 0;
}

static int keep_edits(const struct hook_text *with, struct hook_text *without)
{
	int err = 0;

	for (size_t i = 0; postfix_settings[i].name && !err; i++)
		if (postfix_settings[i].list)
			err = keep_edit(&postfix_settings[i], with, without);
	return err;
}

int postfix_files_read(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size)
{
	const char *directory = postfix_directory(context);
	int err;

	memset(files, 0, sizeof(*files));
	snprintf(files->main_path, sizeof(files->main_path), "%s/main.cf", directory);
	snprintf(files->master_path, sizeof(files->master_path), "%s/master.cf", directory);
	err = read_one(context, files->main_path, &files->main_old, &files->main, error,
		       error_size);
	if (!err)
		err = read_one(context, files->master_path, &files->master_old, &files->master,
			       error, error_size);
	if (!err && (err = keep_edits(&files->main_old, &files->main)))
		say(error, error_size, err, files->main_path, strerror(-err));
	if (!err && (err = restore_pickup(&files->master)))
		say(error, error_size, err, files->master_path, strerror(-err));
	if (err)
		postfix_files_free(files);
	return err;
}

/* "name = value", with the old value behind; malloc'ed. */
static char *setting_line(const struct postfix_setting *setting, const char *old)
{
	bool both = setting->list && old && *old;
	char *line = NULL;

	if (asprintf(&line, "%s = %s%s%s\n", setting->name, setting->value, both ? ", " : "",
		     both ? old : "") < 0)
		return NULL;
	return line;
}

/* Is it there already, put in by hand? */
static bool setting_holds(const struct postfix_setting *setting, const char *old)
{
	return setting->list ? strstr(old, setting->value) != NULL : !strcmp(old, setting->value);
}

/* Replace a setting that is there; 1: it is not. */
static int put_setting(struct hook_text *text, const struct postfix_setting *setting, char **line)
{
	struct postfix_line where;
	char *old;
	int there = postfix_main_find(text, setting->name, &where, &old);
	int err = there < 0 ? there : 0;

	*line = NULL;
	if (!err && !(there && setting_holds(setting, old))) {
		*line = setting_line(setting, old);
		err = !*line ? -ENOMEM : there ? 0 : 1;
	}
	if (!err && *line)
		err = postfix_replace(text, &where, setting->name, *line);
	free(old);
	return err;
}

/* Those that are not there go into one block at the end. */
static int put_settings(struct hook_text *text, FILE *missing)
{
	int err = 0;

	for (size_t i = 0; postfix_settings[i].name && err >= 0; i++) {
		char *line;

		err = put_setting(text, &postfix_settings[i], &line);
		if (err == 1)
			fputs(line, missing);
		free(line);
	}
	return err < 0 ? err : 0;
}

static int edit_main(struct hook_text *text)
{
	char *missing = NULL;
	size_t size;
	FILE *out = open_memstream(&missing, &size);
	int err;

	if (!out)
		return -ENOMEM;
	err = put_settings(text, out);
	if (fclose(out))
		err = -ENOMEM;
	if (!err && size)
		err = hook_block_put(text, "settings", "postfix", "#", missing, text->size);
	free(missing);
	return err;
}

/* The value of a parameter about headers, as it was without us; malloc'ed. */
static int checks_of(const struct hook_text *text, const char *name, char **value)
{
	int there = postfix_main_find(text, name, NULL, value);

	if (there < 0)
		return there;
	if (there && strcmp(*value, "$header_checks"))
		return 0;
	free(*value);
	there = postfix_main_find(text, "header_checks", NULL, value);
	if (!there)
		*value = strdup("");
	return *value ? 0 : -ENOMEM;
}

/* Our cleanup(8): the one that pickup(8) has used, and one more table for headers of the message
 * itself. Those of its parts must not be asked for: they may be of another message. */
static int write_cleanup(const struct postfix_files *files, const struct postfix_service *model,
			 FILE *out)
{
	static const char *const names[] = {"header_checks", "mime_header_checks",
					    "nested_header_checks"};

	fprintf(out, POSTFIX_CLEANUP);
	for (int i = POSTFIX_TYPE; i < POSTFIX_FIELDS; i++)
		fprintf(out, " %s", model->field[i]);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *value;
		int err = checks_of(&files->main, names[i], &value);

		if (err)
			return err;
		fprintf(out, "\n  -o { %s = %s%s%s }", names[i], i ? "" : POSTFIX_PICKUP_MAP,
			!i && *value ? ", " : "", value);
		free(value);
	}
	fputc('\n', out);
	return 0;
}

/* The value of -o cleanup_service_name in pickup's entry: the last counts; malloc'ed. */
static char *cleanup_name(const struct postfix_service *pickup)
{
	static const char option[] = "cleanup_service_name=";
	const char *name = "cleanup";
	const char *at = pickup->field[POSTFIX_COMMAND];

	while ((at = strstr(at, option))) {
		at += strlen(option);
		name = at;
	}
	return strndup(name, strcspn(name, " }"));
}

/* pickup(8) can be told not to have headers checked, and others are. */
static bool checks_headers(const struct hook_text *text, const struct postfix_service *pickup)
{
	static const char none[] = "no_header_body_checks";
	const char *own = strstr(pickup->field[POSTFIX_COMMAND], "receive_override_options=");
	char *value;
	bool checks = true;

	if (own)
		return !strstr(own, none);
	if (postfix_main_find(text, "receive_override_options", NULL, &value) == 1)
		checks = !strstr(value, none);
	free(value);
	return checks;
}

int postfix_write_spawns(const struct hook_context *context, FILE *out, char *error,
			 size_t error_size)
{
	static const char *const services[][2] = {{"smtplimit-policy", "policy"},
						  {"smtplimit-map", "socketmap"}};

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		char command[HOOK_COMMAND_SIZE];
		int err = hook_client_command(context, services[i][1], command, error, error_size);

		if (err)
			return err;
		fprintf(out, "%s unix - n n - 0 spawn user=%s\n  argv=%s\n", services[i][0], USER,
			command);
	}
	return 0;
}

static int write_services(const struct hook_context *context, const struct postfix_files *files,
			  const char *cleanup, FILE *out, char *error, size_t error_size)
{
	struct postfix_service model;
	int err = postfix_master_find(&files->master, cleanup, &model);

	if (err == 0) {
		snprintf(error, error_size, "%s: has no service \"%s\", which pickup hands mail to",
			 files->master_path, cleanup);
		return -EINVAL;
	}
	if (err < 0)
		return say(error, error_size, err, files->master_path, strerror(-err));
	err = 0;
	if (strstr(model.field[POSTFIX_COMMAND], "header_checks"))
		err = say(error, error_size, -EINVAL, files->master_path,
			  "the service cleanup has header_checks of its own: want them in main.cf");
	err = err ? err : postfix_write_spawns(context, out, error, error_size);
	err = err ? err : write_cleanup(files, &model, out);
	postfix_service_free(&model);
	return err;
}

/* The lines of the block of services; malloc'ed. */
static int services_text(const struct hook_context *context, const struct postfix_files *files,
			 const struct postfix_service *pickup, char **lines, char *error,
			 size_t error_size)
{
	char *cleanup = cleanup_name(pickup);
	size_t size;
	FILE *out = open_memstream(lines, &size);
	int err = -ENOMEM;

	if (out) {
		err = cleanup ? write_services(context, files, cleanup, out, error, error_size) :
				-ENOMEM;
		if (fclose(out))
			err = -ENOMEM;
	}
	free(cleanup);
	return err;
}

static int edit_master(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size)
{
	struct hook_text *text = &files->master;
	struct postfix_service pickup;
	char *lines = NULL;
	int err = postfix_master_find(text, "pickup", &pickup);

	if (err <= 0)
		return say(error, error_size, err ? err : -EINVAL, files->master_path,
			   err ? strerror(-err) : "has no service \"pickup\"");
	if (strstr(pickup.field[POSTFIX_COMMAND], POSTFIX_CLEANUP)) {
		postfix_service_free(&pickup); /* put in by hand */
		return 0;
	}
	if (!checks_headers(&files->main, &pickup))
		err = say(error, error_size, -EINVAL, files->master_path,
			  "pickup has receive_override_options = no_header_body_checks: headers "
			  "must be checked for mail of sendmail(1) to be refused");
	else
		err = services_text(context, files, &pickup, &lines, error, error_size);
	if (!err)
		err = hook_block_put(text, "services", "postfix", "#", lines, text->size);
	if (!err)
		err = hook_block_put(text, "pickup", "postfix", "#",
				     "  -o cleanup_service_name=" POSTFIX_CLEANUP "\n",
				     pickup.line.end);
	free(lines);
	postfix_service_free(&pickup);
	return err;
}

static int check_user(const struct hook_context *context, char *error, size_t error_size)
{
	uint32_t uid;

	if (account_uid(USER, &uid) || config_uids_has(&context->config->relays, uid))
		return 0;
	snprintf(error, error_size,
		 "[watch] relay_users lacks \"" USER "\", as whom Postfix will ask: want it there");
	return -EINVAL;
}

int postfix_files_edit(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size)
{
	int err = check_user(context, error, error_size);

	err = err ? err : postfix_files_read(context, files, error, error_size);
	if (err)
		return err;
	/* master.cf first: it asks for values that main.cf has without us. */
	err = edit_master(context, files, error, error_size);
	if (!err) {
		err = edit_main(&files->main);
		if (err)
			say(error, error_size, err, files->main_path, strerror(-err));
	}
	if (err)
		postfix_files_free(files);
	return err;
}
