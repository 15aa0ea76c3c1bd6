/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix_edit.c - put our parts into main.cf and master.cf.
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

const struct postfix_setting postfix_settings[] = {
	[POSTFIX_DATA] =
		{"smtpd_data_restrictions",
		 "check_policy_service { unix:private/smtplimit-policy, timeout=2s, default_action=DUNNO }",
		 true},
	{"sender_dependent_default_transport_maps", POSTFIX_MAP "transport", true},
	/* By the port the policy server finds the user on this host who connected. */
	{"smtpd_client_port_logging", "yes", false},
	/* spawn(8) ends its commands then; clients stay connected for 1000 s. */
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

static int say_errno(char *error, size_t error_size, int err, const struct postfix_file *file)
{
	return err ? say(error, error_size, err, file->path, strerror(-err)) : 0;
}

void postfix_files_free(struct postfix_files *files)
{
	hook_text_free(&files->main.old);
	hook_text_free(&files->main.text);
	hook_text_free(&files->master.old);
	hook_text_free(&files->master.text);
}

/* Read a file, and take our parts out of `text`. */
static int read_file(const struct hook_context *context, const char *name,
		     struct postfix_file *file, char *error, size_t error_size)
{
	int err;

	snprintf(file->path, sizeof(file->path), "%s/%s", postfix_directory(context), name);
	err = hook_read(context, file->path, &file->old);
	if (!err && memchr(file->old.text, '\0', file->old.size))
		return say(error, error_size, -EINVAL, file->path, "holds a NUL byte");
	err = err ? err : hook_text_copy(&file->text, &file->old);
	err = err ? err : hook_restore(&file->text, "#");
	return say_errno(error, error_size, err, file);
}

/* The option of ours that begins so; its value has no blanks. */
static int remove_option(struct hook_text *master, struct postfix_line *line, const char *begin)
{
	const char *from = master->text + line->begin;
	const char *at = memmem(from, line->end - line->begin, begin, strlen(begin));
	size_t before = master->size;
	char *option;
	int err;

	if (!at)
		return 0;
	option = strndup(at, 3 + strcspn(at + 3, " \t\r\n")); /* behind "-o " */
	err = option ? postfix_option_remove(master, line, option) : -ENOMEM;
	line->end -= before - master->size;
	free(option);
	return err;
}

/* When postconf(1) changes a service it writes the entry anew, and our options are no longer in
 * their block. If they stayed, Postfix would take no mail from sendmail(1), because the service
 * that they name is gone. */
static int restore_pickup(struct hook_text *master)
{
	struct postfix_service service;
	int there = postfix_master_find(master, POSTFIX_CLEANUP, &service);

	postfix_service_free(&service);
	if (there) /* put in by hand */
		return there < 0 ? there : 0;
	there = postfix_master_find(master, "pickup", &service);
	if (there == 1)
		there = remove_option(master, &service.line, POSTFIX_PICKUP_CLEANUP);
	if (!there && service.joined)
		there = remove_option(master, &service.line, POSTFIX_PICKUP_OVERRIDE);
	postfix_service_free(&service);
	return there;
}

/* postconf(1) changes a setting where it stands, in our block. What it has put behind our part of
 * the value, or deleted there, is kept when the block is taken out. */
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

static int keep_edits(struct postfix_file *main)
{
	int err = 0;

	for (size_t i = 0; postfix_settings[i].name && !err; i++)
		if (postfix_settings[i].list)
			err = keep_edit(&postfix_settings[i], &main->old, &main->text);
	return err;
}

int postfix_files_read(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size)
{
	struct postfix_file *main = &files->main, *master = &files->master;
	int err;

	memset(files, 0, sizeof(*files));
	err = read_file(context, "main.cf", main, error, error_size);
	err = err ? err : read_file(context, "master.cf", master, error, error_size);
	err = err ? err : say_errno(error, error_size, keep_edits(main), main);
	err = err ? err : say_errno(error, error_size, restore_pickup(&master->text), master);
	if (err)
		postfix_files_free(files);
	return err;
}

/* "name = value", followed by the old value; malloc'ed. */
static char *setting_line(const struct postfix_setting *setting, const char *old)
{
	bool both = setting->list && old && *old;
	char *line = NULL;

	if (asprintf(&line, "%s = %s%s%s\n", setting->name, setting->value, both ? ", " : "",
		     both ? old : "") < 0)
		return NULL;
	return line;
}

/* Has somebody put it in by hand? */
static bool setting_holds(const struct postfix_setting *setting, const char *old)
{
	return setting->list ? strstr(old, setting->value) != NULL : !strcmp(old, setting->value);
}

/* Replace a setting that is there, or write it to `missing`. */
static int put_setting(struct hook_text *text, const struct postfix_setting *setting, FILE *missing)
{
	struct postfix_line where;
	char *old, *line = NULL;
	int there = postfix_main_find(text, setting->name, &where, &old);
	int err = there < 0 ? there : 0;

	if (!err && !(there && setting_holds(setting, old))) {
		line = setting_line(setting, old);
		if (!line)
			err = -ENOMEM;
		else if (there)
			err = postfix_replace(text, &where, setting->name, line);
		else
			fputs(line, missing);
	}
	free(line);
	free(old);
	return err;
}

/* The settings that are not there go into one block at the end. */
static int edit_main(struct hook_text *text)
{
	char *missing = NULL;
	size_t size;
	FILE *out = open_memstream(&missing, &size);
	int err = 0;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; postfix_settings[i].name && !err; i++)
		err = put_setting(text, &postfix_settings[i], out);
	if (fclose(out))
		err = -ENOMEM;
	if (!err && size)
		err = hook_block_put(text, "settings", "postfix", "#", missing, text->size);
	free(missing);
	return err;
}

/* The value that a parameter has in a service; malloc'ed, NULL: it is not set. 0 or -ENOMEM. */
static int value_in(const struct hook_text *main, const struct postfix_service *service,
		    const char *name, char **value)
{
	int there = postfix_service_option(service, name, value);

	if (!there)
		there = postfix_main_find(main, name, NULL, value);
	return there < 0 ? there : 0;
}

/* Put another text in place of each `what`; *text is malloc'ed. */
static int substitute(char **text, const char *what, const char *with)
{
	char *made = NULL;
	size_t size;
	FILE *out = open_memstream(&made, &size);
	const char *at = *text, *found;

	if (!out)
		return -ENOMEM;
	for (; (found = strstr(at, what)); at = found + strlen(what))
		fprintf(out, "%.*s%s", (int)(found - at), at, with);
	fputs(at, out);
	if (fclose(out)) {
		free(made);
		return -ENOMEM;
	}
	free(*text);
	*text = made;
	return 0;
}

/* The value of a parameter about headers without our part; malloc'ed. header_checks is the default
 * of the others, and would have our part in it. */
static int checks_of(const struct hook_text *main, const struct postfix_service *model,
		     const char *name, char **value)
{
	static const char *const references[] = {"${header_checks}", "$(header_checks)",
						 "$header_checks"};
	char *headers = NULL;
	int err = value_in(main, model, name, value);

	err = err ? err : value_in(main, model, "header_checks", &headers);
	if (!err && !*value)
		*value = strdup(headers && strcmp(name, "header_checks") ? headers : "");
	if (!err && !*value)
		err = -ENOMEM;
	for (size_t i = 0; i < sizeof(references) / sizeof(*references) && !err; i++)
		err = substitute(value, references[i], headers ? headers : "");
	free(headers);
	return err;
}

static int write_checks(const struct hook_text *main, const struct postfix_service *model,
			const char *name, const char *ours, FILE *out)
{
	char *value;
	int err = checks_of(main, model, name, &value);

	if (!err)
		fprintf(out, "\n  -o { %s = %s%s%s }", name, ours, *ours && *value ? ", " : "",
			value);
	free(value);
	return err;
}

/* Our cleanup(8) is the one that pickup(8) uses, with one more table for the headers of the message
 * itself. The table is not asked for headers of its parts, which may be another message's.
 * unchecked: pickup had no headers and bodies checked, and so ours is the only table. */
static int write_cleanup(const struct postfix_files *files, const struct postfix_service *model,
			 bool unchecked, FILE *out)
{
	const struct hook_text *main = &files->main.text;
	int err = 0;

	fprintf(out, POSTFIX_CLEANUP);
	for (int i = POSTFIX_TYPE; i < POSTFIX_FIELDS; i++)
		fprintf(out, " %s", model->field[i]);
	if (unchecked) {
		fprintf(out, "\n  -o { header_checks = " POSTFIX_PICKUP_MAP " }\n"
			     "  -o { mime_header_checks = }\n  -o { nested_header_checks = }\n"
			     "  -o { body_checks = }");
	} else {
		err = write_checks(main, model, "header_checks", POSTFIX_PICKUP_MAP, out);
		err = err ? err : write_checks(main, model, "mime_header_checks", "", out);
		err = err ? err : write_checks(main, model, "nested_header_checks", "", out);
	}
	fputc('\n', out);
	return err;
}

/* A list without one of its words; malloc'ed. */
static char *list_without(const char *list, const char *word)
{
	char *made = NULL;
	size_t size, length;
	FILE *out = open_memstream(&made, &size);

	if (!out)
		return NULL;
	for (; *list; list += length) {
		list += strspn(list, ", \t");
		length = strcspn(list, ", \t");
		if (length && (length != strlen(word) || memcmp(list, word, length)))
			fprintf(out, "%s%.*s", ftell(out) ? "," : "", (int)length, list);
	}
	return fclose(out) ? NULL : made;
}

/* What pickup hands mail to, and how. */
struct pickup {
	struct postfix_service service; /* joined NULL: sendmail(1) is not in use here */
	char *cleanup;			/* the service's name */
	char *override; /* receive_override_options with headers checked; NULL: as they are */
};

static void pickup_free(struct pickup *pickup)
{
	postfix_service_free(&pickup->service);
	free(pickup->cleanup);
	free(pickup->override);
}

/* Some configurations have pickup(8) not check headers, as content filters are set up: then it is
 * to have them checked, by a cleanup(8) without the other tables. */
static int pickup_read(const struct postfix_files *files, struct pickup *pickup)
{
	static const char unchecked[] = "no_header_body_checks";
	const struct hook_text *main = &files->main.text;
	char *options = NULL;
	int there = postfix_master_find(&files->master.text, "pickup", &pickup->service), err;

	if (there <= 0)
		return there;
	err = value_in(main, &pickup->service, "cleanup_service_name", &pickup->cleanup);
	if (!err && !pickup->cleanup && !(pickup->cleanup = strdup("cleanup")))
		err = -ENOMEM;
	err = err ? err : value_in(main, &pickup->service, "receive_override_options", &options);
	if (!err && options && strstr(options, unchecked) &&
	    !(pickup->override = list_without(options, unchecked)))
		err = -ENOMEM;
	free(options);
	return err;
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
		fprintf(out, "%s unix - n n - 0 spawn user=%s\n  argv=%s\n", services[i][0],
			POSTFIX_USER, command);
	}
	return 0;
}

/* The lines of the block of services. */
static int write_services(const struct hook_context *context, const struct postfix_files *files,
			  const struct pickup *pickup, FILE *out, char *error, size_t error_size)
{
	const struct postfix_file *master = &files->master;
	struct postfix_service model;
	int err = postfix_write_spawns(context, out, error, error_size);

	if (err || !pickup->service.joined)
		return err;
	err = postfix_master_find(&master->text, pickup->cleanup, &model);
	if (err == 0) {
		snprintf(error, error_size, "%s: has no service \"%s\", which pickup hands mail to",
			 master->path, pickup->cleanup);
		return -EINVAL;
	}
	if (err == 1)
		err = write_cleanup(files, &model, pickup->override, out);
	postfix_service_free(&model);
	return say_errno(error, error_size, err, master);
}

static int put_services(const struct hook_context *context, struct postfix_files *files,
			const struct pickup *pickup, char *error, size_t error_size)
{
	struct hook_text *text = &files->master.text;
	char *lines = NULL;
	size_t size;
	FILE *out = open_memstream(&lines, &size);
	int err = out ? write_services(context, files, pickup, out, error, error_size) : -ENOMEM;

	if (out && fclose(out))
		err = -ENOMEM;
	if (!err)
		err = hook_block_put(text, "services", "postfix", "#", lines, text->size);
	free(lines);
	return err;
}

static int put_pickup(struct hook_text *text, const struct pickup *pickup)
{
	char *lines = NULL;
	int err;

	if (asprintf(&lines, "%s%s%s  " POSTFIX_PICKUP_CLEANUP "\n",
		     pickup->override ? "  " POSTFIX_PICKUP_OVERRIDE : "",
		     pickup->override ? pickup->override : "", pickup->override ? "\n" : "") < 0)
		return -ENOMEM;
	err = hook_block_put(text, "pickup", "postfix", "#", lines, pickup->service.line.end);
	free(lines);
	return err;
}

static int edit_master(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size)
{
	struct postfix_file *master = &files->master;
	struct pickup pickup = {0};
	int err = say_errno(error, error_size, pickup_read(files, &pickup), master);

	/* By hand it is the whole of this file. */
	if (!err && !(pickup.cleanup && !strcmp(pickup.cleanup, POSTFIX_CLEANUP))) {
		err = put_services(context, files, &pickup, error, error_size);
		if (!err && pickup.service.joined)
			err = say_errno(error, error_size, put_pickup(&master->text, &pickup),
					master);
	}
	pickup_free(&pickup);
	return err ? err :
		     say_errno(error, error_size, postfix_services_ask(&master->text), master);
}

static int check_user(const struct hook_context *context, char *error, size_t error_size)
{
	uint32_t uid;

	if (account_uid(POSTFIX_USER, &uid) || config_uids_has(&context->config->relays, uid))
		return 0;
	snprintf(error, error_size,
		 "[watch] relay_users lacks \"" POSTFIX_USER
		 "\", as whom Postfix will ask: want it there");
	return -EINVAL;
}

int postfix_files_edit(const struct hook_context *context, struct postfix_files *files, char *error,
		       size_t error_size)
{
	int err = check_user(context, error, error_size);

	err = err ? err : postfix_files_read(context, files, error, error_size);
	if (err)
		return err;
	/* master.cf comes first: it needs values of main.cf as they are without our part. */
	err = edit_master(context, files, error, error_size);
	err = err ? err : say_errno(error, error_size, edit_main(&files->main.text), &files->main);
	if (err)
		postfix_files_free(files);
	return err;
}
