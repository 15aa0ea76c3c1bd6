/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_value.c - single values of /etc/smtplimit.conf: words, numbers, durations, sizes
 * and switches. Texts are in config_text.c, the lists in config_list.c.
 */
#include "config_key.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"

/* A new value of an enum lacks its word where `last` is not the last of them. */
#define WORDS_OF(names, last)                                                                      \
	_Static_assert(sizeof(names) / sizeof((names)[0]) == (last) + 2, "a value lacks a word")

static const char *const mode_words[] = {
	[VERDICT_ENFORCE] = "enforce",
	[VERDICT_OBSERVE] = "observe",
	NULL,
};
WORDS_OF(mode_words, VERDICT_OBSERVE);

static const char *const source_words[] = {
	[CONFIG_SOURCE_AUTO] = "auto",	     [CONFIG_SOURCE_NONE] = "none",
	[CONFIG_SOURCE_CPANEL] = "cpanel",   [CONFIG_SOURCE_DIRECTADMIN] = "directadmin",
	[CONFIG_SOURCE_HESTIA] = "hestia",   [CONFIG_SOURCE_FILE] = "file",
	[CONFIG_SOURCE_COMMAND] = "command", NULL,
};
WORDS_OF(source_words, CONFIG_SOURCE_COMMAND);

static const char *const relay_words[] = {
	[CONFIG_RELAY_HOOK] = "hook",
	[CONFIG_RELAY_RESET] = "reset",
	NULL,
};
WORDS_OF(relay_words, CONFIG_RELAY_RESET);

static const char *const tls_words[] = {
	[SMTPL_TLS_OFF] = "off",
	[SMTPL_TLS_PROCESS] = "process",
	[SMTPL_TLS_LIBRARY] = "library",
	NULL,
};
WORDS_OF(tls_words, SMTPL_TLS_LIBRARY);

static const char *const customer_words[] = {
	[CONFIG_CUSTOMER_OFF] = "off",
	[CONFIG_CUSTOMER_PANEL] = "panel",
	[CONFIG_CUSTOMER_FILE] = "file",
	[CONFIG_CUSTOMER_COMMAND] = "command",
	NULL,
};
WORDS_OF(customer_words, CONFIG_CUSTOMER_COMMAND);

int config_digits(const char **text, int64_t *number)
{
	const char *d = *text;
	int64_t n = 0;

	for (; *d >= '0' && *d <= '9'; d++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *d - '0', &n))
			return -1;
	if (d == *text)
		return -1;
	*text = d;
	*number = n;
	return 0;
}

void config_words_list(const char *const *words, const char *more, char *list, size_t list_size)
{
	size_t used = 0;

	list[0] = '\0';
	for (size_t i = 0; words[i] && used < list_size; i++) {
		const char *between = !i ? "" : words[i + 1] || *more ? ", " : " or ";

		used += (size_t)snprintf(list + used, list_size - used, "%s%s", between, words[i]);
	}
	if (*more && used < list_size)
		snprintf(list + used, list_size - used, ", or %s", more);
}

int config_word_index(const char *const *words, const char *text)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	return -1;
}

_Static_assert(sizeof(enum verdict_mode) == sizeof(unsigned int) &&
		       sizeof(enum config_source) == sizeof(unsigned int) &&
		       sizeof(enum config_relay) == sizeof(unsigned int) &&
		       sizeof(enum smtpl_tls_mode) == sizeof(unsigned int) &&
		       sizeof(enum config_customer) == sizeof(unsigned int),
	       "words are kept in fields of this size");

static int read_word(const struct config_key *key, const char *text, void *base, char *why,
		     size_t why_size)
{
	int index = config_word_index(key->type->words, text);
	char list[128];

	if (index < 0) {
		config_words_list(key->type->words, "", list, sizeof(list));
		snprintf(why, why_size, "want %s", list);
		return -1;
	}
	*(unsigned int *)config_field(key, base) = (unsigned int)index;
	return 0;
}

static void write_word(const struct config_key *key, const void *base, FILE *out)
{
	fputs(key->type->words[*(const unsigned int *)config_field_const(key, base)], out);
}

static json_t *json_word(const struct config_key *key, const void *base)
{
	return json_string(key->type->words[*(const unsigned int *)config_field_const(key, base)]);
}

const struct config_type config_type_mode = {
	.read = read_word,
	.write = write_word,
	.json = json_word,
	.words = mode_words,
};

const struct config_type config_type_source = {
	.read = read_word,
	.write = write_word,
	.json = json_word,
	.words = source_words,
};

const struct config_type config_type_relay = {
	.read = read_word,
	.write = write_word,
	.json = json_word,
	.words = relay_words,
};

const struct config_type config_type_tls = {
	.read = read_word,
	.write = write_word,
	.json = json_word,
	.words = tls_words,
};

const struct config_type config_type_customer = {
	.read = read_word,
	.write = write_word,
	.json = json_word,
	.words = customer_words,
};

static const struct {
	char name;
	int64_t s;
} units[] = {{'w', 7 * 24 * 3600}, {'d', 24 * 3600}, {'h', 3600}, {'m', 60}, {'s', 1}};
#define UNITS_END (sizeof(units) / sizeof(units[0]))

int config_seconds(const char *text, int64_t *seconds)
{
	int64_t n, sum = 0;
	size_t unit = 0;

	/* Nothing is nothing in any unit. */
	if (!strcmp(text, "0")) {
		*seconds = 0;
		return 0;
	}
	do {
		if (config_digits(&text, &n))
			return -1;
		while (unit < UNITS_END && units[unit].name != *text)
			unit++;
		if (unit == UNITS_END || __builtin_mul_overflow(n, units[unit].s, &n) ||
		    __builtin_add_overflow(sum, n, &sum))
			return -1;
		unit++;
	} while (*++text);
	*seconds = sum;
	return 0;
}

int config_duration(const char *text, int64_t min_s, int64_t max_s, int64_t *seconds, char *want,
		    size_t want_size)
{
	char from[32], to[32];
	int64_t n;

	if (!config_seconds(text, &n) && n >= min_s && n <= max_s) {
		*seconds = n;
		return 0;
	}
	config_duration_text(min_s, from, sizeof(from));
	config_duration_text(max_s, to, sizeof(to));
	snprintf(want, want_size,
		 "want whole numbers with s, m, h, d or w, like 60m or 1h30m, from %s to %s", from,
		 to);
	return -1;
}

void config_duration_text(int64_t seconds, char *text, size_t text_size)
{
	if (seconds > 24 * 3600 && seconds % (24 * 3600) == 0)
		snprintf(text, text_size, "%" PRId64 "d", seconds / (24 * 3600));
	else if (seconds > 3600 && seconds % 3600 == 0)
		snprintf(text, text_size, "%" PRId64 "h", seconds / 3600);
	else if (seconds && seconds % 60 == 0)
		snprintf(text, text_size, "%" PRId64 "m", seconds / 60);
	else
		snprintf(text, text_size, "%" PRId64 "s", seconds);
}

static int read_duration(const struct config_key *key, const char *text, void *base, char *why,
			 size_t why_size)
{
	return config_duration(text, key->min, key->max, config_field(key, base), why, why_size);
}

static void write_duration(const struct config_key *key, const void *base, FILE *out)
{
	char text[32];

	config_duration_text(*(const int64_t *)config_field_const(key, base), text, sizeof(text));
	fputs(text, out);
}

static json_t *json_duration(const struct config_key *key, const void *base)
{
	return json_integer(*(const int64_t *)config_field_const(key, base));
}

const struct config_type config_type_duration = {
	.read = read_duration,
	.write = write_duration,
	.json = json_duration,
};

static int read_number(const struct config_key *key, const char *text, void *base, char *why,
		       size_t why_size)
{
	int64_t n;

	if (config_digits(&text, &n) || *text || n < key->min || n > key->max) {
		snprintf(why, why_size, "want a whole number from %" PRId64 " to %" PRId64,
			 key->min, key->max);
		return -1;
	}
	*(uint32_t *)config_field(key, base) = (uint32_t)n;
	return 0;
}

static void write_number(const struct config_key *key, const void *base, FILE *out)
{
	fprintf(out, "%" PRIu32, *(const uint32_t *)config_field_const(key, base));
}

static json_t *json_number(const struct config_key *key, const void *base)
{
	return json_integer(*(const uint32_t *)config_field_const(key, base));
}

const struct config_type config_type_number = {
	.read = read_number,
	.write = write_number,
	.json = json_number,
};

/* Zero turns the thing off; what is below the least makes no sense. */
static int read_number_or_0(const struct config_key *key, const char *text, void *base, char *why,
			    size_t why_size)
{
	if (!strcmp(text, "0")) {
		*(uint32_t *)config_field(key, base) = 0;
		return 0;
	}
	if (!read_number(key, text, base, why, why_size))
		return 0;
	snprintf(why, why_size, "want 0 for off, or a whole number from %" PRId64 " to %" PRId64,
		 key->min, key->max);
	return -1;
}

const struct config_type config_type_number_or_0 = {
	.read = read_number_or_0,
	.write = write_number,
	.json = json_number,
};

static void size_text(int64_t bytes, char *text, size_t text_size)
{
	if (bytes % (1 << 20) == 0)
		snprintf(text, text_size, "%" PRId64 "m", bytes >> 20);
	else if (bytes % (1 << 10) == 0)
		snprintf(text, text_size, "%" PRId64 "k", bytes >> 10);
	else
		snprintf(text, text_size, "%" PRId64, bytes);
}

static int read_size(const struct config_key *key, const char *text, void *base, char *why,
		     size_t why_size)
{
	char from[32], to[32];
	int64_t n = 0, unit = 0;

	if (!config_digits(&text, &n) && (!*text || !text[1]))
		unit = !*text ? 1 : *text == 'k' ? 1 << 10 : *text == 'm' ? 1 << 20 : 0;
	if (unit && !__builtin_mul_overflow(n, unit, &n) && n >= key->min && n <= key->max &&
	    (n & (n - 1)) == 0) {
		*(uint32_t *)config_field(key, base) = (uint32_t)n;
		return 0;
	}
	size_text(key->min, from, sizeof(from));
	size_text(key->max, to, sizeof(to));
	snprintf(why, why_size, "want a power of two, in bytes or with k or m, from %s to %s", from,
		 to);
	return -1;
}

static void write_size(const struct config_key *key, const void *base, FILE *out)
{
	char text[32];

	size_text(*(const uint32_t *)config_field_const(key, base), text, sizeof(text));
	fputs(text, out);
}

const struct config_type config_type_size = {
	.read = read_size,
	.write = write_size,
	.json = json_number,
};

static int read_bool(const struct config_key *key, const char *text, void *base, char *why,
		     size_t why_size)
{
	bool yes = !strcmp(text, "yes");

	if (!yes && strcmp(text, "no")) {
		snprintf(why, why_size, "want yes or no");
		return -1;
	}
	*(bool *)config_field(key, base) = yes;
	return 0;
}

static void write_bool(const struct config_key *key, const void *base, FILE *out)
{
	fputs(*(const bool *)config_field_const(key, base) ? "yes" : "no", out);
}

static json_t *json_bool(const struct config_key *key, const void *base)
{
	return json_boolean(*(const bool *)config_field_const(key, base));
}

const struct config_type config_type_bool = {
	.read = read_bool,
	.write = write_bool,
	.json = json_bool,
};
