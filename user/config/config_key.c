/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_key.c - every setting and its default. For a new one add a line in config_keys, a field
 * and its default, and a line in smtplimit.conf(5).
 */
#include "config_key.h"

#include <string.h>
#include "base/word_distance.h"
#include "config_account.h"
#include "core/remotes.h"
#include "core/reply_class.h"

#define AT(field)	offsetof(struct config, field)
#define IN(field)	offsetof(struct config_section, field)
#define ALL_KEYS	(CONFIG_KEYS + CONFIG_ACCOUNT_KEYS)
#define PATH_LENGTH_MAX (PATH_MAX - 64)

/* clang-format off */
const struct config_key config_keys[ALL_KEYS] = {
	{ "limit", "mode", &config_type_mode, AT(rule.mode), 0, 0 },
	{ "limit", "window", &config_type_duration, AT(rule.window_s),
	  CONFIG_WINDOW_MIN_S, CONFIG_WINDOW_MAX_S },
	{ "limit", "percent", &config_type_number, AT(rule.percent), 1, 100 },
	{ "limit", "min_failures", &config_type_number, AT(rule.min_failures),
	  1, CONFIG_MIN_FAILURES_MAX },
	{ "limit", "suspend", &config_type_duration, AT(rule.suspend_s),
	  CONFIG_SUSPEND_MIN_S, CONFIG_SUSPEND_MAX_S },
	{ "limit", "set_aside", &config_type_classes, AT(rule.set_aside), 0, 0 },
	{ "limit", "one_remote", &config_type_number, AT(rule.one_remote), 0, 100 },
	{ "limit", "trouble_accounts", &config_type_number_or_0, AT(rule.trouble_accounts),
	  2, REMOTES_MEETINGS },
	{ "limit", "trouble_share", &config_type_number, AT(rule.trouble_share), 1, 100 },
	{ "limit", "defer_grace", &config_type_duration, AT(rule.defer_grace_s), 0, 3600 },
	{ "limit", "hard_recipients", &config_type_number_or_0, AT(rule.hard_recipients),
	  20, 1000000 },
	{ "limit", "hard_percent", &config_type_number, AT(rule.hard_percent), 1, 100 },
	{ "limit", "rare_remote", &config_type_number_or_0, AT(rule.rare_remote), 20,
	  CONFIG_MIN_FAILURES_MAX },
	{ "limit", "lead", &config_type_number, AT(rule.lead), 0, 20 },
	{ "limit", "warn", &config_type_number, AT(rule.warn), 0, 100 },
	{ "limit", "replies", &config_type_optional_file, AT(replies_file), 0, PATH_LENGTH_MAX },
	{ "watch", "ports", &config_type_ports, AT(ports), 0, 0 },
	{ "watch", "relay_users", &config_type_users, AT(relays), 0, 0 },
	{ "watch", "exempt_users", &config_type_users, AT(exempts), 0, 0 },
	{ "watch", "direct_users", &config_type_users, AT(directs), 0, 0 },
	{ "watch", "local", &config_type_bool, AT(local), 0, 0 },
	{ "watch", "cgroup", &config_type_cgroup, AT(cgroup), 0, PATH_LENGTH_MAX },
	{ "watch", "ring", &config_type_size, AT(ring_bytes),
	  CONFIG_RING_MIN_BYTES, CONFIG_RING_MAX_BYTES },
	{ "watch", "tls", &config_type_tls, AT(tls), 0, 0 },
	{ "accounts", "source", &config_type_source, AT(source), 0, 0 },
	{ "accounts", "file", &config_type_file, AT(owners_file), 0, PATH_LENGTH_MAX },
	{ "accounts", "command", &config_type_command, AT(owners_command), 0, PATH_LENGTH_MAX },
	{ "accounts", "refresh", &config_type_duration, AT(owners_refresh_s),
	  CONFIG_REFRESH_MIN_S, CONFIG_REFRESH_MAX_S },
	{ "accounts", "count_forwards", &config_type_bool, AT(count_forwards), 0, 0 },
	{ "accounts", "trusted_hosts", &config_type_networks, AT(trusted), 0, 0 },
	{ "feed", "exim", &config_type_bool, AT(feed_exim), 0, 0 },
	{ "feed", "postfix", &config_type_log, AT(feed_postfix), 0, PATH_LENGTH_MAX },
	{ "refuse", "relay", &config_type_relay, AT(relay), 0, 0 },
	{ "refuse", "contact", &config_type_told, AT(contact), 0, SMTPL_TOLD_SIZE - 1 },
	{ "notify", "command", &config_type_command, AT(notify_command), 0, PATH_LENGTH_MAX },
	{ "notify", "admin", &config_type_address, AT(notify_admin), 1, CONFIG_ADDRESS_SIZE - 1 },
	{ "notify", "customer", &config_type_customer, AT(notify_customer), 0, 0 },
	{ "notify", "customer_file", &config_type_optional_file, AT(notify_customer_file),
	  0, PATH_LENGTH_MAX },
	{ "notify", "customer_command", &config_type_command, AT(notify_customer_command),
	  0, PATH_LENGTH_MAX },
	{ "notify", "from", &config_type_address, AT(notify_from), 0, CONFIG_ADDRESS_SIZE - 1 },
	{ "notify", "webhook", &config_type_url, AT(notify_webhook), 0, CONFIG_URL_SIZE - 1 },
	{ "notify", "webhook_secret_file", &config_type_secret, AT(notify_secret_file),
	  0, PATH_LENGTH_MAX },
	{ "paths", "state", &config_type_path, AT(state), 0, PATH_LENGTH_MAX },
	{ "paths", "run", &config_type_path, AT(run), 0, CONFIG_RUN_MAX },
	{ "paths", "bpffs", &config_type_path, AT(bpffs), 0, PATH_LENGTH_MAX },
	/* of struct config_section */
	{ "account", "percent", &config_type_number, IN(rule.percent), 1, 100 },
	{ "account", "min_failures", &config_type_number, IN(rule.min_failures),
	  1, CONFIG_MIN_FAILURES_MAX },
	{ "account", "suspend", &config_type_duration, IN(rule.suspend_s),
	  CONFIG_SUSPEND_MIN_S, CONFIG_SUSPEND_MAX_S },
	{ "account", "mode", &config_type_mode, IN(rule.mode), 0, 0 },
	{ "account", "until", &config_type_date, IN(until_s), 0, 0 },
	{ "account", "note", &config_type_note, IN(note), 0, CONFIG_NOTE_SIZE - 1 },
};
/* clang-format on */

void config_defaults(struct config *c)
{
	static const uint16_t ports[] = {25, 465, 587};

	memset(c, 0, sizeof(*c));
	snprintf(c->directory, sizeof(c->directory), "/etc/smtplimit.d");
	c->rule.mode = VERDICT_ENFORCE;
	c->rule.window_s = 3600;
	c->rule.suspend_s = 3600;
	c->rule.percent = 50;
	c->rule.min_failures = 5;
	c->rule.set_aside = 1u << REPLY_LISTED | 1u << REPLY_UNAUTHENTICATED;
	c->rule.one_remote = 50;
	c->rule.trouble_accounts = 4;
	c->rule.trouble_share = 50;
	c->rule.hard_percent = 25;
	c->rule.warn = 80;
	memcpy(c->ports, ports, sizeof(ports));
	c->ports_count = sizeof(ports) / sizeof(ports[0]);
	config_uids_default(&c->relays);
	c->ring_bytes = SMTPL_RING_BYTES_DEFAULT;
	c->tls = SMTPL_TLS_PROCESS;
	snprintf(c->cgroup, sizeof(c->cgroup), "auto");
	snprintf(c->owners_file, sizeof(c->owners_file), CONFIG_OWNERS_DEFAULT);
	c->owners_refresh_s = 300;
	c->feed_exim = true;
	snprintf(c->feed_postfix, sizeof(c->feed_postfix), "auto");
	snprintf(c->state, sizeof(c->state), "/var/lib/smtplimit");
	snprintf(c->run, sizeof(c->run), "/run/smtplimit");
	snprintf(c->bpffs, sizeof(c->bpffs), "/sys/fs/bpf/smtplimit");
}

const struct config_key *config_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < ALL_KEYS; i++)
		if (!strcmp(config_keys[i].section, section) && !strcmp(config_keys[i].name, name))
			return &config_keys[i];
	return NULL;
}

const struct config_key *config_key_nearest(const char *section, const char *name)
{
	const struct config_key *best = NULL;
	size_t least = WORD_NEAR, distance;

	for (size_t i = 0; i < ALL_KEYS; i++) {
		distance = word_distance(name, config_keys[i].name);
		if (distance >= least &&
		    (!best || distance > least || strcmp(config_keys[i].section, section)))
			continue;
		best = &config_keys[i];
		least = distance;
	}
	return best;
}

const char *config_section_nearest(const char *section)
{
	const char *best = NULL;
	size_t least = WORD_NEAR, distance;

	for (size_t i = 0; i < ALL_KEYS; i++) {
		distance = word_distance(section, config_keys[i].section);
		if (distance >= least)
			continue;
		best = config_keys[i].section;
		least = distance;
	}
	return best;
}

bool config_section_known(const char *section)
{
	for (size_t i = 0; i < ALL_KEYS; i++)
		if (!strcmp(config_keys[i].section, section))
			return true;
	return false;
}

void config_key_list(const char *section, char *list, size_t list_size)
{
	size_t used = 0;

	list[0] = '\0';
	for (size_t i = 0; i < ALL_KEYS && used < list_size; i++)
		if (!strcmp(config_keys[i].section, section))
			used += (size_t)snprintf(list + used, list_size - used, "%s%s",
						 used ? ", " : "", config_keys[i].name);
}

void config_section_list(char *list, size_t list_size)
{
	const char *last = config_keys[ALL_KEYS - 1].section, *section = "";
	size_t used = 0;

	list[0] = '\0';
	for (size_t i = 0; i < ALL_KEYS && used < list_size; i++) {
		if (!strcmp(config_keys[i].section, section))
			continue;
		section = config_keys[i].section;
		used += (size_t)snprintf(list + used, list_size - used, "%s[%s%s]",
					 !used		       ? "" :
					 strcmp(section, last) ? ", " :
								 " or ",
					 section, strcmp(section, last) ? "" : " NAME");
	}
}
