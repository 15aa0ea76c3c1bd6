/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * service.c - which users belong to services.
 */
#include "service.h"

#define OVERFLOW_UID 65534 /* nobody, as whom web servers run on some systems */

#define FILTER	   "a content filter", SMTPL_ROLE_SERVICE
#define LISTS	   "a list manager", SMTPL_ROLE_LISTS
#define REDIRECTOR "a keeper of mailboxes", SMTPL_ROLE_SERVICE
#define TUNNEL	   "a tunnel", SMTPL_ROLE_SERVICE

/* The users of Debian's and Fedora's packages and of the projects' own instructions. Web servers
 * are not among them: where each site has a user of its own, theirs is an account like others. */
const struct service_name service_names[] = {
	{"spamd", FILTER},	  {"debian-spamd", FILTER},  {"spamassassin", FILTER},
	{"amavis", FILTER},	  {"amavisd", FILTER},	     {"vscan", FILTER},
	{"clamav", FILTER},	  {"clamsmtp", FILTER},	     {"clamilt", FILTER},
	{"clamd", FILTER},	  {"rspamd", FILTER},	     {"_rspamd", FILTER},
	{"opendkim", FILTER},	  {"opendmarc", FILTER},     {"mimedefang", FILTER},
	{"defang", FILTER},	  {"dspam", FILTER},	     {"bogofilter", FILTER},
	{"altermime", FILTER},	  {"dkimproxy", FILTER},     {"spampd", FILTER},
	{"mailman", LISTS},	  {"mailman3", LISTS},	     {"list", LISTS},
	{"majordomo", LISTS},	  {"mlmmj", LISTS},	     {"sympa", LISTS},
	{"ecartis", LISTS},	  {"smartlist", LISTS},	     {"schleuder", LISTS},
	{"vmail", REDIRECTOR},	  {"virtual", REDIRECTOR},   {"dovecot", REDIRECTOR},
	{"cyrus", REDIRECTOR},	  {"popuser", REDIRECTOR},   {"dbmail", REDIRECTOR},
	{"vpopmail", REDIRECTOR}, {"fetchmail", REDIRECTOR}, {"stunnel4", TUNNEL},
	{"stunnel", TUNNEL},	  {"haproxy", TUNNEL},	     {NULL, NULL, SMTPL_ROLE_DIRECT},
};

bool service_may_be(const struct service_uid *u)
{
	return u->uid && !u->owns && !u->direct;
}

bool service_may_carry(const struct service_uid *u)
{
	return service_may_be(u) && (u->uid < u->uid_min || u->uid == OVERFLOW_UID);
}

const char *service_why(enum smtpl_service_why why)
{
	switch (why) {
	case SMTPL_SERVICE_NAME:
		return "it has the name of one";
	case SMTPL_SERVICE_PIPE:
		return "Postfix pipes mail through it and gets it back";
	case SMTPL_SERVICE_CARRIES:
		return "it sends under the domains of several owners";
	case SMTPL_SERVICE_NONE:
		break;
	}
	return "";
}
