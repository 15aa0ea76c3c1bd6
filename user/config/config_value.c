/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_value.c - single values of /etc/smtplimit.conf: words, numbers, durations, sizes,
 * switches, paths and commands. The lists are in config_list.c.
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

static const char *const cgroup_words[] = {"auto", NULL};
static const char *const log_words[] = {"auto", "off", "journal", NULL};

static void *field(const struct config_key *key, struct config *c)
{
	return (char *)c + key->offset;
}

static const void *field_const(const struct config_key *key, const struct config *c)
{
	return (const char *)c + key->offset;
}

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

/* Lists the words: "enforce or observe"; `more`: what else is right, "": nothing. */
static void list_words(const char *const *words, const char *more, char *list, size_t list_size)
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

/* Returns -1 where it is none of them. */
static int word_index(const char *const *words, const char *text)
{
	for (int i = 0; words[i]; i++)
		if (!strcmp(text, words[i]))
			return i;
	return -1;
}

_Static_assert(sizeof(enum verdict_mode) == sizeof(unsigned int) &&
		       sizeof(enum config_source) == sizeof(unsigned int) &&
		       sizeof(enum config_relay) == sizeof(unsigned int) &&
		       sizeof(enum smtpl_tls_mode) == sizeof(unsigned int),
	       "words are kept in fields of this size");

static int read_word(const struct config_key *key, const char *text, struct config *c, char *why,
		     size_t why_size)
{
	int index = word_index(key->type->words, text);
	char list[128];

	if (index < 0) {
		list_words(key->type->words, "", list, sizeof(list));
		snprintf(why, why_size, "want %s", list);
		return -1;
	}
	*(unsigned int *)field(key, c) = (unsigned int)index;
	return 0;
}

static void write_word(const struct config_key *key, const struct config *c, FILE *out)
{
	fputs(key->type->words[*(const unsigned int *)field_const(key, c)], out);
}

static json_t *json_word(const struct config_key *key, const struct config *c)
{
	return json_string(key->type->words[*(const unsigned int *)field_const(key, c)]);
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

int config_duration(const char *text, int64_t min_s, int64_t max_s, int64_t *seconds, char *want,
		    size_t want_size)
{
	char from[32], to[32];
	int64_t n, unit = 0;

	if (!config_digits(&text, &n) && *text && !text[1])
		unit = *text == 's' ? 1 : *text == 'm' ? 60 : *text == 'h' ? 3600 : 0;
	if (unit && !__builtin_mul_overflow(n, unit, &n) && n >= min_s && n <= max_s) {
		*seconds = n;
		return 0;
	}
	config_duration_text(min_s, from, sizeof(from));
	config_duration_text(max_s, to, sizeof(to));
	snprintf(want, want_size, "want a whole number with s, m or h, like 60m, from %s to %s",
		 from, to);
	return -1;
}

void config_duration_text(int64_t seconds, char *text, size_t text_size)
{
	if (seconds > 3600 && seconds % 3600 == 0)
		snprintf(text, text_size, "%" PRId64 "h", seconds / 3600);
	else if (seconds && seconds % 60 == 0)
		snprintf(text, text_size, "%" PRId64 "m", seconds / 60);
	else
		snprintf(text, text_size, "%" PRId64 "s", seconds);
}

static int read_duration(const struct config_key *key, const char *text, struct config *c,
			 char *why, size_t why_size)
{
	return config_duration(text, key->min, key->max, field(key, c), why, why_size);
}

static void write_duration(const struct config_key *key, const struct config *c, FILE *out)
{
	char text[32];

	config_duration_text(*(const int64_t *)field_const(key, c), text, sizeof(text));
	fputs(text, out);
}

static json_t *json_duration(const struct config_key *key, const struct config *c)
{
	return json_integer(*(const int64_t *)field_const(key, c));
}

const struct config_type config_type_duration = {
	.read = read_duration,
	.write = write_duration,
	.json = json_duration,
};

static int read_number(const struct config_key *key, const char *text, struct config *c, char *why,
		       size_t why_size)
{
	int64_t n;

	if (config_digits(&text, &n) || *text || n < key->min || n > key->max) {
		snprintf(why, why_size, "want a whole number from %" PRId64 " to %" PRId64,
			 key->min, key->max);
		return -1;
	}
	*(uint32_t *)field(key, c) = (uint32_t)n;
	return 0;
}

static void write_number(const struct config_key *key, const struct config *c, FILE *out)
{
	fprintf(out, "%" PRIu32, *(const uint32_t *)field_const(key, c));
}

static json_t *json_number(const struct config_key *key, const struct config *c)
{
	return json_integer(*(const uint32_t *)field_const(key, c));
}

const struct config_type config_type_number = {
	.read = read_number,
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

static int read_size(const struct config_key *key, const char *text, struct config *c, char *why,
		     size_t why_size)
{
	char from[32], to[32];
	int64_t n = 0, unit = 0;

	if (!config_digits(&text, &n) && (!*text || !text[1]))
		unit = !*text ? 1 : *text == 'k' ? 1 << 10 : *text == 'm' ? 1 << 20 : 0;
	if (unit && !__builtin_mul_overflow(n, unit, &n) && n >= key->min && n <= key->max &&
	    (n & (n - 1)) == 0) {
		*(uint32_t *)field(key, c) = (uint32_t)n;
		return 0;
	}
	size_text(key->min, from, sizeof(from));
	size_text(key->max, to, sizeof(to));
	snprintf(why, why_size, "want a power of two, in bytes or with k or m, from %s to %s", from,
		 to);
	return -1;
}

static void write_size(const struct config_key *key, const struct config *c, FILE *out)
{
	char text[32];

	size_text(*(const uint32_t *)field_const(key, c), text, sizeof(text));
	fputs(text, out);
}

const struct config_type config_type_size = {
	.read = read_size,
	.write = write_size,
	.json = json_number,
};

static int read_bool(const struct config_key *key, const char *text, struct config *c, char *why,
		     size_t why_size)
{
	bool yes = !strcmp(text, "yes");

	if (!yes && strcmp(text, "no")) {
		snprintf(why, why_size, "want yes or no");
		return -1;
	}
	*(bool *)field(key, c) = yes;
	return 0;
}

static void write_bool(const struct config_key *key, const struct config *c, FILE *out)
{
	fputs(*(const bool *)field_const(key, c) ? "yes" : "no", out);
}

static json_t *json_bool(const struct config_key *key, const struct config *c)
{
	return json_boolean(*(const bool *)field_const(key, c));
}

const struct config_type config_type_bool = {
	.read = read_bool,
	.write = write_bool,
	.json = json_bool,
};

/* The path is printable, so that no message and no JSON has to escape it. */
static bool path_is_clean(const char *path)
{
	char printable[PATH_MAX];

	return path[0] == '/' && path[strspn(path, "/")] &&
	       !strcmp(log_escape(path, strlen(path), 1, printable, sizeof(printable)), path);
}

/* Takes a word that may stand in place of a path, or refuses the text. 1: it is a path. */
static int read_path_word(const struct config_key *key, const char *text, struct config *c,
			  char *why, size_t why_size)
{
	char more[64], list[128];

	if (!key->type->words || text[0] == '/')
		return 1;
	if (word_index(key->type->words, text) >= 0) {
		snprintf(field(key, c), (size_t)key->max + 1, "%s", text);
		return 0;
	}
	snprintf(more, sizeof(more), "the absolute path of %s", key->type->path);
	list_words(key->type->words, more, list, sizeof(list));
	snprintf(why, why_size, "want %s", list);
	return -1;
}

static int read_path(const struct config_key *key, const char *text, struct config *c, char *why,
		     size_t why_size)
{
	int result = read_path_word(key, text, c, why, why_size);
	size_t length = strlen(text);
	char *path = field(key, c);

	if (result <= 0)
		return result;
	if (!path_is_clean(text)) {
		snprintf(why, why_size,
			 "want an absolute path of %s, not /, of printable characters",
			 key->type->path);
		return -1;
	}
	while (text[length - 1] == '/')
		length--;
	if (length > (size_t)key->max) {
		snprintf(why, why_size, "want at most %" PRId64 " bytes, not %zu", key->max,
			 length);
		return -1;
	}
	memcpy(path, text, length);
	path[length] = '\0';
	return 0;
}

static void write_text(const struct config_key *key, const struct config *c, FILE *out)
{
	fputs(field_const(key, c), out);
}

static json_t *json_text(const struct config_key *key, const struct config *c)
{
	return json_string(field_const(key, c));
}

const struct config_type config_type_path = {
	.read = read_path,
	.write = write_text,
	.json = json_text,
	.path = "a directory",
};

const struct config_type config_type_file = {
	.read = read_path,
	.write = write_text,
	.json = json_text,
	.path = "a file",
};

const struct config_type config_type_cgroup = {
	.read = read_path,
	.write = write_text,
	.json = json_text,
	.words = cgroup_words,
	.path = "a cgroup v2 directory",
};

const struct config_type config_type_log = {
	.read = read_path,
	.write = write_text,
	.json = json_text,
	.words = log_words,
	.path = "a log file",
};

/* The command is printable; a backslash is fine, as a command is shown unescaped. */
static bool command_is_clean(const char *text)
{
	char printable[2 * PATH_MAX];
	size_t length = strlen(text);

	for (const char *c = text; *c; c++)
		length += *c == '\\';
	return strlen(log_escape(text, strlen(text), 1, printable, sizeof(printable))) == length;
}

/* Up to where a comment begins, which inih leaves in place on all lines but the first. */
static size_t command_length(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] == ';' && (!i || text[i - 1] == ' ' || text[i - 1] == '\t'))
			length = i;
	while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	return length;
}

/* Lines are joined by a blank. */
static int read_command(const struct config_key *key, const char *text, struct config *c, char *why,
			size_t why_size)
{
	char *command = field(key, c);
	size_t used = strlen(command), length = command_length(text);

	if (!command_is_clean(text)) {
		snprintf(why, why_size, "want a command of printable characters");
		return -1;
	}
	if (!length)
		return 0;
	if (used + (used > 0) + length > (size_t)key->max) {
		snprintf(why, why_size, "want at most %" PRId64 " bytes, not %zu", key->max,
			 used + (used > 0) + length);
		return -1;
	}
	snprintf(command + used, (size_t)key->max + 1 - used, "%s%.*s", used ? " " : "",
		 (int)length, text);
	return 0;
}

static void clear_command(const struct config_key *key, struct config *c)
{
	*(char *)field(key, c) = '\0';
}

const struct config_type config_type_command = {
	.read = read_command,
	.write = write_text,
	.json = json_text,
	.clear = clear_command,
};
