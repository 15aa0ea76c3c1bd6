/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_value.h - the kinds of value that a setting can have: how each is read and written.
 */
#ifndef SMTPL_CONFIG_VALUE_H
#define SMTPL_CONFIG_VALUE_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "config.h"

struct config_key;

struct config_type {
	/* Read `text` into the key's field of the structure at `base`. Returns 0; 1 with a warning
	 * in `why`; or -1 with what is wrong and what would be right in it. */
	int (*read)(const struct config_key *key, const char *text, void *base, char *why,
		    size_t why_size);
	/* Write the field as read() takes it. */
	void (*write)(const struct config_key *key, const void *base, FILE *out);
	/* The field for machines: durations in seconds, sizes in bytes, users by name. */
	json_t *(*json)(const struct config_key *key, const void *base);
	/* For lists and commands: empties the field. read() then adds to it, once for each line of
	 * the file. */
	void (*clear)(const struct config_key *key, void *base);
	/* The words of an enum, in its order, or those that a path may have instead. Ends with a
	 * NULL. */
	const char *const *words;
	const char *path; /* what a path is of: "a directory" */
};

extern const struct config_type config_type_mode;
extern const struct config_type config_type_source;
extern const struct config_type config_type_relay;
extern const struct config_type config_type_tls;
extern const struct config_type config_type_customer;
extern const struct config_type config_type_duration;
extern const struct config_type config_type_number;
extern const struct config_type config_type_number_or_0;
extern const struct config_type config_type_classes;
extern const struct config_type config_type_size;
extern const struct config_type config_type_bool;
extern const struct config_type config_type_path;
extern const struct config_type config_type_file;
extern const struct config_type config_type_optional_file; /* or "" */
extern const struct config_type config_type_cgroup;
extern const struct config_type config_type_log;
extern const struct config_type config_type_command;
extern const struct config_type config_type_address;
extern const struct config_type config_type_url;
extern const struct config_type config_type_secret;
extern const struct config_type config_type_note;
extern const struct config_type config_type_told;
extern const struct config_type config_type_date;
extern const struct config_type config_type_ports;
extern const struct config_type config_type_users;
extern const struct config_type config_type_networks;

/* Lists words: "enforce or observe"; `more`: what else is right, "": nothing. */
void config_words_list(const char *const *words, const char *more, char *list, size_t list_size);
/* Returns -1 where it is none of them. */
int config_word_index(const char *const *words, const char *text);

/* Reads the digits at the start of *text and moves *text behind them. -1: none, or too large. */
int config_digits(const char **text, int64_t *number);

/* Can the text be a part of an SMTP reply? */
bool config_told_valid(const char *text);

/* Longer than any user name that Linux knows (32) and than any line of the file has room for. */
#define CONFIG_ITEM_SIZE 256

/* Copies the next item of *text, a list with commas or blanks, and moves *text behind it. 0: one;
 * 1: no more; -1: too long, cut. Text behind " ;" is a comment, which inih leaves in place on later
 * lines of a list. */
int config_list_item(const char **text, char item[CONFIG_ITEM_SIZE]);

/* The default relay users: the mail servers that the host has. */
void config_uids_default(struct config_uids *uids);
/* addr: network order, IPv4 v4-mapped. */
bool config_networks_has(const struct config_networks *networks, const uint8_t addr[16]);
/* Add them to a list of the administrator's own, but for those that are in `others`. */
void config_uids_add_default(struct config_uids *uids, const struct config_uids *others);
bool config_uids_has(const struct config_uids *uids, uint32_t uid);
/* domain: key form. */
bool config_domains_has(const struct config_domains *domains, const char *domain);
/* A uid is added once. Returns -1 when the list is full. */
int config_uids_add(struct config_uids *uids, uint32_t uid);

#endif
