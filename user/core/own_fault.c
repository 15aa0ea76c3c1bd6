// SPDX-License-Identifier: GPL-2.0-only
/*
 * own_fault.c - the words by which mail servers tell faults of their own host.
 */
#include "own_fault.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const struct {
	const char *name;
	const char *what;
} faults[] = {
	[OWN_FAULT_NONE] = {"none", ""},
	[OWN_FAULT_SERVER] = {"server", "a server or filter of this host does not answer"},
	[OWN_FAULT_LOGIN] = {"login", "a smart host does not take this host's login"},
	[OWN_FAULT_RESOLVER] = {"resolver", "no names can be looked up"},
	[OWN_FAULT_NETWORK] = {"network", "there is no way to the remote from here"},
	[OWN_FAULT_DISK] = {"disk", "there is no room for mail"},
	[OWN_FAULT_SETUP] = {"setup", "a mail server of this host is set up wrongly"},
	[OWN_FAULT_TLS] = {"tls", "TLS of this host fails"},
	[OWN_FAULT_SAID] = {"said", "a remote finds this host's name, TLS or login wrong"},
};

_Static_assert(sizeof(faults) / sizeof(*faults) == OWN_FAULTS, "each has a name");

/* Words as Postfix writes them: a beginning, then one word that others choose (a name, a host with
 * its address; NULL end: nothing is asked of the rest), then an end. */
static const struct {
	enum own_fault fault;
	const char *begin;
	const char *end;
} words[] = {
	{OWN_FAULT_LOGIN, "SASL authentication failed; ", NULL},
	{OWN_FAULT_LOGIN, "SASL authentication failed: ", NULL},
	{OWN_FAULT_RESOLVER, "Host or domain name not found. Name service error for name=",
	 " type=MX: Host not found, try again"},
	{OWN_FAULT_RESOLVER, "Host or domain name not found. Name service error for name=",
	 " type=A: Host not found, try again"},
	{OWN_FAULT_RESOLVER, "Host or domain name not found. Name service error for name=",
	 " type=AAAA: Host not found, try again"},
	{OWN_FAULT_RESOLVER, "unable to look up host ", ": Temporary failure in name resolution"},
	{OWN_FAULT_RESOLVER, "unable to look up host ", ": Try again"},
	{OWN_FAULT_NETWORK, "connect to ", ": Network is unreachable"},
	{OWN_FAULT_NETWORK, "connect to ", ": No route to host"},
	{OWN_FAULT_NETWORK, "connect to ", ": Network is down"},
	{OWN_FAULT_NETWORK, "connect to ", ": Cannot assign requested address"},
	{OWN_FAULT_DISK, "queue file write error", ""},
	{OWN_FAULT_DISK, "Insufficient system storage", NULL},
	{OWN_FAULT_DISK, "Error writing message file", NULL},
	{OWN_FAULT_SETUP, "mail for ", " loops back to myself"},
	{OWN_FAULT_SETUP, "mail transport unavailable", ""},
	{OWN_FAULT_SETUP, "unknown mail transport error", ""},
	{OWN_FAULT_SETUP, "mail system configuration error", ""},
	{OWN_FAULT_SETUP, "Server configuration error", NULL},
	{OWN_FAULT_SETUP, "Server configuration problem", NULL},
	{OWN_FAULT_SETUP, "Local configuration error", NULL},
	{OWN_FAULT_SETUP, "bad command startup", NULL},
	{OWN_FAULT_SETUP, "alias database unavailable", ""},
	{OWN_FAULT_SETUP, "Temporary lookup failure", ""},
	{OWN_FAULT_TLS, "TLS is required, but our TLS engine is unavailable", ""},
	{OWN_FAULT_TLS, "TLS is required, but unavailable", NULL},
};

const char *own_fault_name(enum own_fault fault)
{
	return fault < OWN_FAULTS ? faults[fault].name : "?";
}

enum own_fault own_fault_by_name(const char *name)
{
	for (int i = OWN_FAULT_NONE + 1; i < OWN_FAULTS; i++)
		if (!strcmp(faults[i].name, name))
			return (enum own_fault)i;
	return OWN_FAULT_NONE;
}

const char *own_fault_what(enum own_fault fault)
{
	return fault < OWN_FAULTS ? faults[fault].what : "?";
}

static bool matches(const char *begin, const char *end, const char *text, size_t size)
{
	size_t first = strlen(begin), last = end ? strlen(end) : 0;

	if (size < first + last || memcmp(text, begin, first))
		return false;
	if (!end)
		return true;
	return memcmp(text + size - last, end, last) == 0 &&
	       (*end ? !memchr(text + first, ' ', size - first - last) : size == first);
}

enum own_fault own_fault_of_words(const char *text, size_t size)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (matches(words[i].begin, words[i].end, text, size))
			return words[i].fault;
	return OWN_FAULT_NONE;
}

enum own_fault own_fault_of_exim(int error)
{
	switch (error) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		return OWN_FAULT_NETWORK;
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case -26: /* ERRNO_WRITEINCOMPLETE */
		return OWN_FAULT_DISK;
	case EACCES:
	case EPERM:
	case -5:  /* ERRNO_NOTDIRECTORY */
	case -21: /* ERRNO_NOTABSOLUTE */
	case -27: /* ERRNO_EXPANDFAIL */
	case -30: /* ERRNO_BADTRANSPORT */
	case -35: /* ERRNO_LISTDEFER */
		return OWN_FAULT_SETUP;
	case -36: /* ERRNO_DNSDEFER */
		return OWN_FAULT_RESOLVER;
	case -42: /* ERRNO_AUTHFAIL */
		return OWN_FAULT_LOGIN;
	default:
		return OWN_FAULT_NONE;
	}
}
