/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_value.c - single values of /etc/smtplimit.conf: numbers, durations, sizes, switches and
 * paths. The lists are in config_list.c.
 */
#include "config_key.h"

#include <inttypes.h>
#include <string.h>

#include "log.h"

static const char *const mode_names[] = {
	[CONFIG_ENFORCE] = "enforce",
	[CONFIG_OBSERVE] = "observe",
};
_Static_assert(sizeof(mode_names) / sizeof(mode_names[0]) == CONFIG_OBSERVE + 1,
	       "a mode lacks a name");

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

static int read_mode(const struct config_key *key, const char *text, struct config *c, char *why,
		     size_t why_size)
{
	(void)key;
	for (size_t i = 0; i < sizeof(mode_names) / sizeof(mode_names[0]); i++) {
		if (strcmp(text, mode_names[i]))
			continue;
		c->mode = (enum config_mode)i;
		return 0;
	}
	snprintf(why, why_size, "want enforce or observe");
	return -1;
}

static void write_mode(const struct config_key *key, const struct config *c, FILE *out)
{
	(void)key;
	fputs(mode_names[c->mode], out);
}

static json_t *json_mode(const struct config_key *key, const struct config *c)
{
	(void)key;
	return json_string(mode_names[c->mode]);
}

const struct config_type config_type_mode = {
	.read = read_mode,
	.write = write_mode,
	.json = json_mode,
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

/* Printable as it stands, so that no message and no JSON has to change it. */
static bool path_is_clean(const char *path)
{
	char printable[PATH_MAX];

	return path[0] == '/' && path[strspn(path, "/")] &&
	       !strcmp(log_escape(path, strlen(path), 1, printable, sizeof(printable)), path);
}

static int read_path(const struct config_key *key, const char *text, struct config *c, char *why,
		     size_t why_size)
{
	size_t length = strlen(text);
	char *path = field(key, c);

	if (!path_is_clean(text)) {
		snprintf(why, why_size,
			 "want an absolute path of a directory, not /, of printable characters");
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

static void write_path(const struct config_key *key, const struct config *c, FILE *out)
{
	fputs(field_const(key, c), out);
}

static json_t *json_path(const struct config_key *key, const struct config *c)
{
	return json_string(field_const(key, c));
}

const struct config_type config_type_path = {
	.read = read_path,
	.write = write_path,
	.json = json_path,
};

static int read_cgroup(const struct config_key *key, const char *text, struct config *c, char *why,
		       size_t why_size)
{
	if (!strcmp(text, "auto")) {
		snprintf(c->cgroup, sizeof(c->cgroup), "auto");
		return 0;
	}
	if (text[0] == '/')
		return read_path(key, text, c, why, why_size);
	snprintf(why, why_size, "want auto, or the absolute path of a cgroup v2 directory");
	return -1;
}

const struct config_type config_type_cgroup = {
	.read = read_cgroup,
	.write = write_path,
	.json = json_path,
};
