/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_list.c - the settings of /etc/smtplimit.conf that are lists: ports and users, separated by
 * commas or blanks, over as many lines as it takes.
 */
#include "config_key.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "config_file.h"
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

void config_uids_add_default(struct config_uids *uids, const struct config_uids *others)
{
	uint32_t uid;

	for (size_t i = 0; i < sizeof(relay_names) / sizeof(relay_names[0]); i++)
		if (!account_uid(relay_names[i], &uid) && !config_uids_has(others, uid))
			config_uids_add(uids, uid);
}

void config_uids_default(struct config_uids *uids)
{
	static const struct config_uids none;

	uids->count = 0;
	config_uids_add(uids, 0);
	config_uids_add_default(uids, &none);
}

bool config_domains_has(const struct config_domains *domains, const char *domain)
{
	for (size_t i = 0; i < domains->count; i++)
		if (!strncmp(domains->domain[i], domain, SMTPL_DOMAIN_SIZE))
			return true;
	return false;
}

/* Looks up a user as chown(1) does, the passwd database before a number; or uid:N, as printed. */
static int user_uid(const char *item, uint32_t *uid)
{
	int error;

	if (!strncmp(item, "uid:", 4))
		return account_uid_number(item + 4, uid);
	error = account_uid(item, uid);
	if (error == -ENOENT && !item[strspn(item, "0123456789")])
		return account_uid_number(item, uid);
	return error;
}

/* A relay is a process that carries mail of many, and a domain is none. */
static int add_domain(const struct config_key *key, const char *item, struct config *c, char *why,
		      size_t why_size)
{
	struct config_domains *domains = &c->exempt_domains;
	char domain[SMTPL_DOMAIN_SIZE];

	if (is_relays(key))
		return refuse(
			item,
			"is a domain, and relays are users: want it in exempt_users, if nobody "
			"shall pay for its mail",
			why, why_size);
	if (account_domain_key(item + strlen("domain:"), domain))
		return refuse(item, "is no domain: want domain:NAME, like domain:example.com", why,
			      why_size);
	if (config_domains_has(domains, domain))
		return 0;
	if (domains->count == CONFIG_DOMAINS_MAX) {
		snprintf(why, why_size, "want at most %d domains", CONFIG_DOMAINS_MAX);
		return -1;
	}
	memcpy(domains->domain[domains->count++], domain, sizeof(domain));
	return 0;
}

/* -ENOENT: there is no such user, which may be one who was deleted. */
static int add_user(const struct config_key *key, const char *item, void *base, char *why,
		    size_t why_size)
{
	char problem[160];
	uint32_t uid;
	int error = user_uid(item, &uid);

	if (error == -ENOENT)
		return error;
	if (error == -EINVAL)
		return refuse(item, "is no user: want names of users, or uids as numbers", why,
			      why_size);
	if (error) {
		snprintf(problem, sizeof(problem), "cannot be looked up: %s", strerror(-error));
		return refuse(item, problem, why, why_size);
	}
	if (!uid && !is_relays(key))
		return refuse(item, "is root, a relay user in any case: want other users", why,
			      why_size);
	if (config_uids_add(config_field(key, base), uid)) {
		snprintf(why, why_size, "want at most %d users", SMTPL_USERS_MAX);
		return -1;
	}
	return 0;
}

/* Of a relay that is gone by its name alone, or is misspelt, the host's mail must not be judged as
 * one customer's. */
static void note_gone(const struct config_key *key, const char *item, struct config *c, char *why,
		      size_t why_size)
{
	size_t used = strlen(why);
	char quoted[CONFIG_ITEM_SIZE];

	c->relays_gone |= is_relays(key);
	log_escape(item, strlen(item), 1, quoted, sizeof(quoted));
	snprintf(why + used, why_size - used, "%s\"%.64s\"",
		 used ? ", " :
		 is_relays(key) ?
			"no such user, passed over, and the default relay users are taken in "
			"its place: " :
			"no such user, passed over: ",
		 quoted);
}

static int read_users(const struct config_key *key, const char *text, void *base, char *why,
		      size_t why_size)
{
	char item[CONFIG_ITEM_SIZE], gone[CONFIG_QUOTE_SIZE * 2] = "";
	int more, r;

	while ((more = config_list_item(&text, item)) <= 0) {
		if (more < 0)
			return refuse(item, "... is longer than any user name", why, why_size);
		r = strncmp(item, "domain:", 7) ? add_user(key, item, base, why, why_size) :
						  add_domain(key, item, base, why, why_size);
		if (r == -ENOENT)
			note_gone(key, item, base, gone, sizeof(gone));
		else if (r)
			return r;
	}
	if (!gone[0])
		return 0;
	snprintf(why, why_size, "%s", gone);
	return 1;
}

/* The domains of exempt_users. */
static const struct config_domains *domains_of(const struct config_key *key, const void *base)
{
	static const struct config_domains none;

	return is_relays(key) ? &none : &((const struct config *)base)->exempt_domains;
}

static void write_users(const struct config_key *key, const void *base, FILE *out)
{
	const struct config_uids *uids = config_field_const(key, base);
	const struct config_domains *domains = domains_of(key, base);
	struct account_id id = {.kind = ACCOUNT_UID};
	char name[ACCOUNT_NAME_SIZE];

	for (size_t i = 0; i < uids->count; i++) {
		id.uid = uids->uid[i];
		account_name(&id, name, sizeof(name));
		fprintf(out, "%s%s", i ? "," : "", name);
	}
	id.kind = ACCOUNT_DOMAIN;
	for (size_t i = 0; i < domains->count; i++) {
		memcpy(id.domain, domains->domain[i], sizeof(id.domain));
		account_name(&id, name, sizeof(name));
		fprintf(out, "%s%s", i || uids->count ? "," : "", name);
	}
}

static json_t *json_users(const struct config_key *key, const void *base)
{
	const struct config_uids *uids = config_field_const(key, base);
	const struct config_domains *domains = domains_of(key, base);
	struct account_id id = {.kind = ACCOUNT_UID};
	char name[ACCOUNT_NAME_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < uids->count; i++) {
		id.uid = uids->uid[i];
		account_name(&id, name, sizeof(name));
		json_array_append_new(list, json_string(name));
	}
	id.kind = ACCOUNT_DOMAIN;
	for (size_t i = 0; i < domains->count; i++) {
		memcpy(id.domain, domains->domain[i], sizeof(id.domain));
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
	else
		((struct config *)base)->exempt_domains.count = 0;
}

const struct config_type config_type_users = {
	.read = read_users,
	.write = write_users,
	.json = json_users,
	.clear = clear_users,
};
