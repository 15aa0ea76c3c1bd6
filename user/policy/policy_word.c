/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_word.c - words and values of the lines that mail servers send.
 */
#include "policy_word.h"

#include <errno.h>
#include <string.h>
#include <arpa/inet.h>

bool policy_word_next(char **line, char **key, char **value)
{
	char *word = *line + strspn(*line, " ");
	char *end = word + strcspn(word, " ");
	char *equals;

	if (word == end)
		return false;
	*line = *end ? end + 1 : end;
	*end = '\0';
	equals = strchr(word, '=');
	if (equals)
		*equals = '\0';
	*key = word;
	*value = equals ? equals + 1 : NULL;
	return true;
}

int policy_word_number(const char *digits, uint64_t max, uint64_t *number)
{
	uint64_t n = 0;

	if (!*digits)
		return -EINVAL;
	for (; *digits; digits++) {
		unsigned int digit = (unsigned int)*digits - '0';

		if (digit > 9 || n > max / 10 || (n == max / 10 && digit > max % 10))
			return -EINVAL;
		n = n * 10 + digit;
	}
	*number = n;
	return 0;
}

/* A value of 64: the letter is not of the alphabet. */
static unsigned int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

int policy_word_base64(char *text)
{
	size_t length = strlen(text);
	size_t data = length;
	uint32_t bits = 0;
	char *out = text;
	size_t i;

	while (data > 0 && length - data < 2 && text[data - 1] == '=')
		data--;
	if (length % 4)
		return -EINVAL;
	for (i = 0; i < data; i++) {
		unsigned int value = base64_value(text[i]);

		if (value > 63)
			return -EINVAL;
		bits = bits << 6 | value;
		if (i % 4 == 0)
			continue;
		*out = (char)(bits >> (6 - i % 4 * 2));
		if (!*out++)
			return -EINVAL;
	}
	*out = '\0';
	return 0;
}

void policy_word_address(char address[SMTPL_ADDR_SIZE], const char *text)
{
	const size_t room = SMTPL_ADDR_SIZE - 1;
	size_t length = strlen(text);
	const char *at = strrchr(text, '@');
	size_t domain = at ? length - (at - text) : 0; /* with its @ */
	size_t local = length - domain;

	if (domain > room) {
		address[0] = '@';
		memcpy(address + 1, text + length - (room - 1), room);
		return;
	}
	if (local > room - domain)
		local = room - domain;
	memcpy(address, text, local);
	memcpy(address + local, text + length - domain, domain + 1);
}

void policy_word_sender(char sender[SMTPL_ADDR_SIZE], const char *text)
{
	size_t length;

	policy_word_address(sender, text[0] == '<' ? text + 1 : text);
	length = strlen(sender);
	if (text[0] == '<' && length > 0 && sender[length - 1] == '>')
		sender[length - 1] = '\0';
}

bool policy_word_ip(uint8_t addr[16], const char *text)
{
	uint8_t found[16] = {[10] = 0xff, 0xff};

	if (inet_pton(AF_INET, text, found + 12) != 1 && inet_pton(AF_INET6, text, found) != 1)
		return false;
	memcpy(addr, found, sizeof(found));
	return true;
}

/* Takes the account that an earlier answer named; "-" was nobody. */
static int take_account(struct submission *o, const char *value)
{
	struct account_id id = {.kind = ACCOUNT_UID};

	if (strcmp(value, "-") == 0)
		return 0;
	if (strncmp(value, "uid:", 4) == 0) {
		if (account_uid_number(value + 4, &id.uid))
			return -EINVAL;
	} else if (strncmp(value, "domain:", 7) == 0) {
		id.kind = ACCOUNT_DOMAIN;
		if (account_domain_key(value + 7, id.domain))
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	o->account = id;
	o->known |= SUBMISSION_HAS_ACCOUNT;
	return 0;
}

static int take_uid(struct submission *o, const char *value)
{
	if (account_uid_number(value, &o->uid))
		return -EINVAL;
	o->known |= SUBMISSION_HAS_UID;
	return 0;
}

static int take_addr(struct submission *o, const char *value)
{
	if (!policy_word_ip(o->client, value))
		return -EINVAL;
	o->known |= SUBMISSION_HAS_CLIENT;
	return 0;
}

static int take_number(uint32_t *port, const char *value)
{
	uint64_t number;

	if (policy_word_number(value, 65535, &number))
		return -EINVAL;
	*port = (uint32_t)number;
	return 0;
}

static int take_port(struct submission *o, const char *value)
{
	return take_number(&o->client_port, value);
}

static int take_to(struct submission *o, const char *value)
{
	return policy_word_ip(o->server, value) ? 0 : -EINVAL;
}

static int take_to_port(struct submission *o, const char *value)
{
	return take_number(&o->server_port, value);
}

static int take_rcpts(struct submission *o, const char *value)
{
	uint64_t number;

	if (policy_word_number(value, SMTPL_RCPTS_PER_MESSAGE, &number))
		return -EINVAL;
	o->rcpts = (uint32_t)number;
	return 0;
}

static int take_auth(struct submission *o, const char *value)
{
	policy_word_address(o->auth, value);
	return 0;
}

static int take_sender(struct submission *o, const char *value)
{
	policy_word_sender(o->sender, value);
	return 0;
}

static int take_no_sender(struct submission *o, const char *value)
{
	if (strcmp(value, "1"))
		return -EINVAL;
	o->known |= SUBMISSION_NO_SENDER;
	return 0;
}

int policy_word_submission(struct submission *o, const char *key, char *value)
{
	static const struct {
		const char *key;
		bool base64;
		int (*take)(struct submission *o, const char *value);
	} words[] = {
		{"account", false, take_account},
		{"uid", false, take_uid},
		{"addr", false, take_addr},
		{"port", false, take_port},
		{"to", false, take_to},
		{"toport", false, take_to_port},
		{"auth", false, take_auth},
		{"auth64", true, take_auth},
		{"sender", false, take_sender},
		{"sender64", true, take_sender},
		{"nosender", false, take_no_sender},
		{"rcpts", false, take_rcpts},
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i].key, key))
			continue;
		if (!value || (words[i].base64 && policy_word_base64(value)))
			return -EINVAL;
		return *value ? words[i].take(o, value) : 0;
	}
	return -ENOENT;
}
