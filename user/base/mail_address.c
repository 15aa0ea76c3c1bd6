// SPDX-License-Identifier: GPL-2.0-only
/*
 * mail_address.c - the check of an address.
 */
#include <ctype.h>
#include <string.h>
#include "mail_address.h"

#define LOCAL_MAX  64
#define DOMAIN_MAX 253
#define LABEL_MAX  63

/* RFC 5322 allows "|", "`" and "$" in an atom as well; no mailbox of people has them. */
static bool is_atom(unsigned char c)
{
	return isalnum(c) || (c && strchr("!#%&'*+-/=?^_{}~", c));
}

/* Words parted by single dots. */
static bool is_local_part(const char *text, size_t length)
{
	bool dot = true;

	if (length == 0 || length > LOCAL_MAX || text[0] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '.' ? dot : !is_atom((unsigned char)text[i]))
			return false;
		dot = text[i] == '.';
	}
	return !dot;
}

static bool is_label(const char *text, size_t length)
{
	if (length == 0 || length > LABEL_MAX || text[0] == '-' || text[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
	return true;
}

static bool is_domain(const char *text, size_t labels_min)
{
	size_t labels = 0;

	if (strlen(text) > DOMAIN_MAX)
		return false;
	for (;;) {
		size_t length = strcspn(text, ".");

		if (!is_label(text, length))
			return false;
		labels++;
		if (!text[length])
			return labels >= labels_min;
		text += length + 1;
	}
}

bool mail_address_is(const char *text, bool local)
{
	const char *at = strrchr(text, '@');

	if (!at)
		return local && is_local_part(text, strlen(text));
	return is_local_part(text, (size_t)(at - text)) && is_domain(at + 1, local ? 1 : 2);
}
