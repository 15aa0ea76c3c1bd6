// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_check.c - `smtplimit check`: can this host run it. One line a requirement, and one for each
 * mail server that is here: is its hook live.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "kernel/bpf.h"
#include "cmd.h"
#include "config/config_account.h"
#include "hook/hook.h"
#include "hook/postfix_pipes.h"
#include "kernel/bpf_maps.h"
#include "owners/services.h"
#include "base/log.h"
#include "status.h"

struct check_output {
	json_t *list; /* NULL: text */
	bool failed;
};

static void check_line(void *arg, const char *name, bool met, bool required, const char *why)
{
	struct check_output *out = arg;
	char text[1024];

	log_escape(why, sizeof(text), 0, text, sizeof(text));
	out->failed |= required && !met;
	if (out->list)
		json_array_append_new(out->list,
				      json_pack("{s:s, s:b, s:b, s:s}", "name", name, "met", met,
						"required", required, "why", text));
	else
		printf("%-8s %s%s%s\n",
		       met	? "yes" :
		       required ? "NO" :
				  "lower",
		       name, text[0] ? ": " : "", text);
}

/* A line begins with the server's name, which is told with "hook" behind it. */
static void check_hooks(const struct cli *cli, const struct config *config,
			struct check_output *out)
{
	struct hook_context context = {.config = config, .root = ""};
	char binary[PATH_MAX], line[1024], name[64];

	if (strcmp(cli->config_file, CONFIG_FILE_DEFAULT))
		context.config_file = cli->config_file;
	hook_find_binary(&context, binary);
	for (size_t i = 0; hook_mtas[i]; i++) {
		int result = hook_mtas[i]->check(&context, line, sizeof(line));
		const char *why = strstr(line, ": ");

		if (result == 1)
			continue;
		snprintf(name, sizeof(name), "hook of %s", hook_mtas[i]->name);
		check_line(out, name, result == 0, false, why ? why + 2 : line);
	}
}

struct check_services {
	const struct config *config;
	const struct owners *owners;
	struct services services;
};

static void check_pipe(void *arg, const char *user)
{
	struct check_services *c = arg;
	uint32_t uid;

	if (!account_uid(user, &uid))
		services_add(&c->services, c->config, c->owners, uid, SMTPL_SERVICE_PIPE);
}

static int check_carrier(void *arg, const uint32_t *uid, const struct smtpl_uid *value)
{
	struct check_services *c = arg;

	if (value->why == SMTPL_SERVICE_CARRIES)
		services_add(&c->services, c->config, c->owners, *uid, value->why);
	return 0;
}

/* With those that a daemon has found by what they carry. Owners that only a command knows are not
 * asked for. */
static void check_services(const struct config *config, struct check_output *out)
{
	const struct hook_context context = {.config = config, .root = ""};
	char why[1024], name[ACCOUNT_NAME_SIZE], line[ACCOUNT_NAME_SIZE + 32];
	static struct check_services c; /* too large for the stack */
	struct owners *owners = NULL;
	struct bpf_maps *maps;

	owners_read(config, "", 0, &owners, why, sizeof(why));
	c.config = config;
	c.owners = owners;
	services_read(&c.services, config, owners, SERVICES_PASSWD, SERVICES_LOGIN_DEFS);
	postfix_pipes_each(&context, check_pipe, &c);
	if (!bpf_maps_open(config->bpffs, &maps)) {
		bpf_maps_each_uid(maps, check_carrier, &c);
		bpf_maps_close(maps);
	}
	for (size_t i = 0; i < c.services.count; i++) {
		const struct service *s = &c.services.service[i];
		const struct account_id id = {.kind = ACCOUNT_UID, .uid = s->uid};

		account_name(&id, name, sizeof(name));
		snprintf(line, sizeof(line), "service user %s", name);
		snprintf(why, sizeof(why),
			 "%s; it is never suspended, unless it is in direct_users",
			 service_why(s->why));
		check_line(out, line, true, false, why);
	}
	owners_free(owners);
}

static int check_feed(void *arg, const struct state_feed *feed)
{
	const char *why = status_feed_why(&feed->known);
	char name[64];

	if (!why)
		return 0;
	snprintf(name, sizeof(name), "reports of %s", status_feed_name(feed));
	check_line(arg, name, false, false, why);
	return 0;
}

/* As the daemon has last saved it: what a server was to report and did not. */
static void check_feeds(const struct config *config, struct check_output *out)
{
	char path[PATH_MAX + sizeof("/" STATE_FILE)];
	struct state *state;

	snprintf(path, sizeof(path), "%s/%s", config->state, STATE_FILE);
	if (state_open(path, STATE_READ, &state))
		return;
	state_each_feed(state, check_feed, out);
	state_close(state);
}

/* What is no error and still not in force. */
static void check_warnings(const struct config *config, struct check_output *out)
{
	const char *warning;

	for (size_t i = 0; (warning = config_warning(config, i)); i++)
		check_line(out, "configuration", false, false, warning);
}

/* Who owns a domain is not known without it. */
static void check_owners(const struct config *config, struct check_output *out)
{
	char why[PATH_MAX + 128];

	if ((config->source != CONFIG_SOURCE_FILE && config->source != CONFIG_SOURCE_AUTO) ||
	    !access(config->owners_file, R_OK) ||
	    (config->source == CONFIG_SOURCE_AUTO && errno == ENOENT &&
	     !strcmp(config->owners_file, CONFIG_OWNERS_DEFAULT)))
		return;
	snprintf(why, sizeof(why), "[accounts] file: \"%s\": %s; want lines DOMAIN: USER in it",
		 config->owners_file, strerror(errno));
	check_line(out, "owners of domains", false, false, why);
}

static void check_print_json(struct check_output *out)
{
	json_t *object = json_pack("{s:b, s:o}", "ok", !out->failed, "requirements", out->list);

	json_dumpf(object, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(object);
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
	struct check_output out = {};
	static struct config config;
	char error[1024] = "";

	if (argc > 1) {
		log_error("check takes no argument, not \"%s\"", argv[1]);
		return CMD_USAGE;
	}
	if (config_read(cli->config_file, &config, error, sizeof(error))) {
		log_error("%s", error);
		return CMD_FAILED;
	}
	if (cli->json)
		out.list = json_array();
	bpf_check(&config, check_line, &out);
	check_hooks(cli, &config, &out);
	check_services(&config, &out);
	check_owners(&config, &out);
	check_feeds(&config, &out);
	check_warnings(&config, &out);
	config_free(&config);
	if (cli->json)
		check_print_json(&out);
	if (out.failed)
		log_error("this host cannot run smtplimit: see the lines with NO");
	return out.failed ? CMD_FAILED : CMD_DONE;
}
