/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_list.c - the settings of /etc/smtplimit.conf that are lists: ports and users, separated by
 * commas or blanks, over as many lines as it takes.
 */
#include "config_key.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "who/account.h"
#include "base/log.h"

#define SEPARATORS ", \t"

/* The users that run a mail server on the known distributions and panels: Exim (cPanel and Fedora:
 * mailnull, exim; DirectAdmin: mail), Postfix, Sendmail, OpenSMTPD, Courier, qmail, nullmailer,
 * msmtpd. Those that this host does not have are skipped. */
static const char *const relay_names[] = {
	"Debian-exim", "exim",	    "mailnull", "mail",	 "postfix",   "smmsp",
	"smmta",       "opensmtpd", "smtpd",	"smtpq", "opensmtpq", "courier",
	"qmailr",      "qmails",    "nullmail", "msmtp",
};

int config_list_item(const char **text, char item[CONFIG_ITEM_SIZE])
{
	const char *begin = *text + strspn(*text, SEPARATORS);
	size_t length = strcspn(begin, SEPARATORS);

	*text = begin + length;
	if (!length || *begin == ';')
		return 1;
	snprintf(item, CONFIG_ITEM_SIZE, "%.*s", (int)length, begin);
	return length < CONFIG_ITEM_SIZE ? 0 : -1;
}

static int refuse(const char *item, const char *problem, char *why, size_t why_size)
{
	char quoted[CONFIG_ITEM_SIZE];

	log_escape(item, strlen(item), 1, quoted, sizeof(quoted));
	snprintf(why, why_size, "\"%s\" %s", quoted, problem);
	return -1;
}

static int add_port(const char *item, struct config *c, char *why, size_t why_size)
{
	const char *end = item;
	int64_t port;

	if (config_digits(&end, &port) || *end || port < 1 || port > 65535)
		return refuse(item, "is no port: want whole numbers from 1 to 65535", why,
			      why_size);
	for (size_t i = 0; i < c->ports_count; i++)
		if (c->ports[i] == port)
			return refuse(item, "stands there twice: want each port once", why,
				      why_size);
	if (c->ports_count == SMTPL_PORTS_MAX) {
		snprintf(why, why_size, "want at most %d ports", SMTPL_PORTS_MAX);
		return -1;
	}
	c->ports[c->ports_count++] = (uint16_t)port;
	return 0;
}

static int read_ports(const struct config_key *key, const char *text, void *base, char *why,
		      size_t why_size)
{
	char item[CONFIG_ITEM_SIZE];
	int more;

	(void)key;
	while ((more = config_list_item(&text, item)) <= 0)
		if (add_port(item, base, why, why_size))
			return -1;
	return 0;
}

static void write_ports(const struct config_key *key, const void *base, FILE *out)
{
	const struct config *c = base;

	(void)key;
	for (size_t i = 0; i < c->ports_count; i++)
		fprintf(out, "%s%u", i ? "," : "", c->ports[i]);
}

static json_t *json_ports(const struct config_key *key, const void *base)
{
	const struct config *c = base;
	json_t *list = json_array();

	(void)key;
	for (size_t i = 0; i < c->ports_count; i++)
		json_array_append_new(list, json_integer(c->ports[i]));
	return list;
}

static void clear_ports(const struct config_key *key, void *base)
{
	struct config *c = base;

	(void)key;
	c->ports_count = 0;
}

const struct config_type config_type_ports = {
	.read = read_ports,
	.write = write_ports,
	.json = json_ports,
	.clear = clear_ports,
};

static bool is_relays(const struct config_key *key)
{
	return key->offset == offsetof(struct config, relays);
}

bool config_uids_has(const struct config_uids *uids, uint32_t uid)
{
	for (size_t i = 0; i < uids->count; i++)
		if (uids->uid[i] == uid)
			return true;
	return false;
}

int config_uids_add(struct config_uids *uids, uint32_t uid)
{
	if (config_uids_has(uids, uid))
		return 0;
	if (uids->count == SMTPL_USERS_MAX)
		return -1;
	uids->uid[uids->count++] = uid;
	return 0;
}

void config_uids_default(struct config_uids *uids)
{
	uint32_t uid;

	uids->count = 0;
	config_uids_add(uids, 0);
	for (size_t i = 0; i < sizeof(relay_names) / sizeof(relay_names[0]); i++)
		if (!account_uid(relay_names[i], &uid))
			config_uids_add(uids, uid);
}

/* Looks up a user as chown(1) does, the passwd database before a number; or uid:N, as printed. */
static int user_uid(const char *item, uint32_t *uid)
{
	int error;

	if (!strncmp(item, "uid:", 4))
		return account_uid_number(item + 4, uid);
	error = account_uid(item, uid);
	if (error == -ENOENT && !account_uid_number(item, uid))
		return 0;
	return error;
}

static int add_user(const struct config_key *key, const char *item, void *base, char *why,
		    size_t why_size)
{
	char problem[160];
	uint32_t uid;
	int error = user_uid(item, &uid);

	if (error && error != -ENOENT && error != -EINVAL) {
		snprintf(problem, sizeof(problem), "cannot be looked up: %s", strerror(-error));
		return refuse(item, problem, why, why_size);
	}
	if (error)
		return refuse(item, "is no such user: want names of users, or uids as numbers", why,
			      why_size);
	if (!uid && !is_relays(key))
		return refuse(item, "is root, a relay user in any case: want other users", why,
			      why_size);
	if (config_uids_add(config_field(key, base), uid)) {
		snprintf(why, why_size, "want at most %d users", SMTPL_USERS_MAX);
		return -1;
	}
	return 0;
}

static int read_users(const struct config_key *key, const char *text, void *base, char *why,
		      size_t why_size)
{
	char item[CONFIG_ITEM_SIZE];
	int more;

	while ((more = config_list_item(&text, item)) <= 0) {
		if (more < 0)
			return refuse(item, "... is longer than any user name", why, why_size);
		if (add_user(key, item, base, why, why_size))
			return -1;
	}
	return 0;
}

static void write_users(const struct config_key *key, const void *base, FILE *out)
{
	const struct config_uids *uids = config_field_const(key, base);
	struct account_id id = {.kind = ACCOUNT_UID};
	char name[ACCOUNT_NAME_SIZE];

	for (size_t i = 0; i < uids->count; i++) {
		id.uid = uids->uid[i];
		account_name(&id, name, sizeof(name));
		fprintf(out, "%s%s", i ? "," : "", name);
	}
}

static json_t *json_users(const struct config_key *key, const void *base)
{
	const struct config_uids *uids = config_field_const(key, base);
	struct account_id id = {.kind = ACCOUNT_UID};
	char name[ACCOUNT_NAME_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < uids->count; i++) {
		id.uid = uids->uid[i];
		account_name(&id, name, sizeof(name));
		json_array_append_new(list, json_string(name));
	}
	return list;
}

/* Root stays: it can never be refused, so it must never be judged as a direct sender. */
static void clear_users(const struct config_key *key, void *base)
{
	struct config_uids *uids = config_field(key, base);

	uids->count = 0;
	if (is_relays(key))
		config_uids_add(uids, 0);
}

const struct config_type config_type_users = {
	.read = read_users,
	.write = write_users,
	.json = json_users,
	.clear = clear_users,
};
