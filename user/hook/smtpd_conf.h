/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtpd_conf.h - put our filter into the lines of an smtpd.conf(5), and take it out to the byte.
 * Pure.
 *
 *	listen on lo			listen on lo filter smtplimit
 *	listen on lo filter rspamd	listen on lo filter { smtplimit, rspamd }
 *	listen on lo filter { a, b }	listen on lo filter {smtplimit,  a, b }
 *	filter c chain { a, b }		filter c chain {smtplimit,  a, b }
 *
 * A listener whose filter is a chain stays as it is: chains do not nest, and each has ours.
 */
#ifndef SMTPL_SMTPD_CONF_H
#define SMTPL_SMTPD_CONF_H

#include "hook.h"

#define SMTPD_CONF_FILTER	"smtplimit"
#define SMTPD_CONF_CHAINS_MAX	64
#define SMTPD_CONF_INCLUDES_MAX 16
#define SMTPD_CONF_NAME_SIZE	256

/* What is known from all files of a configuration. */
struct smtpd_conf {
	char chain[SMTPD_CONF_CHAINS_MAX][SMTPD_CONF_NAME_SIZE];
	size_t chains;
	char include[SMTPD_CONF_INCLUDES_MAX][SMTPD_CONF_NAME_SIZE]; /* in order */
	size_t includes;
	bool has_socket; /* a line "listen on socket" */
};

/* Add what is in a file. 0; -E2BIG: there is no room for it. */
int smtpd_conf_scan(struct smtpd_conf *conf, const struct hook_text *text);

/* Put our filter into every listener and chain of a file that does not have it; take it out. 0 or
 * -ENOMEM. */
int smtpd_conf_add(const struct smtpd_conf *conf, struct hook_text *text);
int smtpd_conf_remove(struct hook_text *text);

#endif
