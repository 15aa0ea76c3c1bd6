/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.c - reads /etc/smtplimit.conf with inih and prints what is in force.
 *
 * inih never sees the file itself but one line at a time from next_line(), because of errors that
 * it does not report: it cuts lines at its own bound, ignores text behind a [section], and knows no
 * sections without keys. Its line numbers are not used either: not every build passes them on.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "who/account.h"
#include "config_key.h"
#include "base/log.h"

/* Room for more than 1024 users on lines of their own; a longer file is no configuration. */
#define FILE_BYTES_MAX (256 * 1024)
#define QUOTE_SIZE     128

struct reading {
	const char *file; /* printable */
	struct config *c;
	char *text;	   /* as read, to be freed */
	const char *begin; /* of the first line */
	const char *at;	   /* the next line */
	const char *end;
	unsigned int line;		 /* the one that inih has; from 1 */
	unsigned int lines[CONFIG_KEYS]; /* where each key was set; 0: nowhere */
	bool indented;			 /* the line begins with a blank */
	bool paths_only;		 /* inih sees nothing but [paths] */
	bool hidden;			 /* with paths_only: the line is in another section */
	const struct config_key *last; /* what an indented line continues; NULL after a [section] */
	unsigned int error_line;       /* 0: none yet */
	char *error;
	size_t error_size;
};

/* Note an error of a line; the first one stays. */
static void __attribute__((format(printf, 3, 4)))
fail(struct reading *r, unsigned int line, const char *format, ...)
{
	size_t used;
	va_list args;

	if (r->error_line)
		return;
	r->error_line = line;
	used = (size_t)snprintf(r->error, r->error_size, "%s:%u: ", r->file, line);
	if (used >= r->error_size)
		return;
	va_start(args, format);
	vsnprintf(r->error + used, r->error_size - used, format, args);
	va_end(args);
}

static const char *quote(const char *bytes, size_t size, char quoted[QUOTE_SIZE])
{
	return log_escape(bytes, size, 1, quoted, QUOTE_SIZE);
}

static void fail_unknown_key(struct reading *r, const char *section, const char *name)
{
	const struct config_key *near = config_key_nearest(name);
	char quoted[QUOTE_SIZE], list[256], sections[128];

	quote(name, strlen(name), quoted);
	config_key_list(section, list, sizeof(list));
	config_section_list(sections, sizeof(sections));
	if (!config_section_known(section))
		fail(r, r->line, "\"%s\" stands in no section: want %s above it", quoted, sections);
	else if (near && strcmp(near->section, section))
		fail(r, r->line,
		     "unknown key \"%s\" in [%s]: did you mean \"%s\" of [%s]? [%s] has %s", quoted,
		     section, near->name, near->section, section, list);
	else if (near)
		fail(r, r->line, "unknown key \"%s\" in [%s]: did you mean \"%s\"? [%s] has %s",
		     quoted, section, near->name, section, list);
	else
		fail(r, r->line, "unknown key \"%s\" in [%s]: want one of %s", quoted, section,
		     list);
}

static void fail_unknown_section(struct reading *r, const char *section)
{
	const char *near = config_section_nearest(section);
	char quoted[QUOTE_SIZE], sections[128];

	quote(section, strlen(section), quoted);
	config_section_list(sections, sizeof(sections));
	if (near)
		fail(r, r->line, "unknown section \"%s\": did you mean [%s]?", quoted, near);
	else
		fail(r, r->line, "unknown section \"%s\": want %s", quoted, sections);
}

/* Checks a line whose first character is '[', as inih accepts anything behind it. */
static void check_section(struct reading *r, const char *line)
{
	size_t length = strcspn(line + 1, "]");
	const char *rest = line + 1 + length;
	char section[QUOTE_SIZE], quoted[QUOTE_SIZE];
	bool closed = *rest == ']';

	if (closed)
		rest += 1 + strspn(rest + 1, " \t\r");
	if (!closed || (*rest && *rest != ';' && *rest != '#')) {
		fail(r, r->line, "\"%s\": want a [section] alone on its line",
		     quote(line, strlen(line), quoted));
		return;
	}
	snprintf(section, sizeof(section), "%.*s", (int)length, line + 1);
	if (!config_section_known(section))
		fail_unknown_section(r, section);
	r->last = NULL;
}

/* Is a line outside of [paths]? A misspelt [paths] is not hidden, so that it is reported. */
static bool is_hidden(struct reading *r, const char *line, size_t length)
{
	const char *first = line, *end = line + length, *near;
	char section[QUOTE_SIZE];

	while (first < end && isspace((unsigned char)*first))
		first++;
	if (first == end || *first != '[' || (first > line && r->last))
		return r->hidden;
	snprintf(section, sizeof(section), "%.*s", (int)(end - first - 1), first + 1);
	section[strcspn(section, "]\r")] = '\0';
	near = config_section_nearest(section);
	r->hidden = !near || strcmp(near, "paths") != 0;
	r->last = NULL;
	return r->hidden;
}

/* inih's reader, like fgets(3): the next line with its newline, NULL at the end or an error. */
static char *next_line(char *line, int line_size, void *arg)
{
	struct reading *r = arg;
	const char *newline, *first, *begin = r->at;
	size_t length;

	if (r->error_line || begin == r->end)
		return NULL;
	newline = memchr(begin, '\n', (size_t)(r->end - begin));
	length = (size_t)((newline ? newline : r->end) - begin);
	r->line++;
	r->at += length + (newline != NULL);
	if (r->paths_only && is_hidden(r, begin, length))
		length = 0;
	if (memchr(begin, '\0', length)) {
		fail(r, r->line, "a zero byte: want a text file");
		return NULL;
	}
	if (length + 2 > (size_t)line_size) {
		fail(r, r->line,
		     "%zu bytes: want lines of at most %d, lists go on in an indented line", length,
		     line_size - 2);
		return NULL;
	}
	memcpy(line, begin, length);
	memcpy(line + length, "\n", 2);
	r->indented = isspace((unsigned char)line[0]);
	first = line + strspn(line, " \t\r\v\f");
	line[length] = '\0';
	if (*first == '[' && !(r->indented && r->last))
		check_section(r, first);
	line[length] = '\n';
	return line;
}

/* Is this assignment in its place? Notes an error if not. */
static bool check_place(struct reading *r, const struct config_key *key, const char *value,
			bool more)
{
	unsigned int before = r->lines[key - config_keys];
	char quoted[QUOTE_SIZE];

	quote(value, strlen(value), quoted);
	if (!more && before)
		fail(r, r->line, "%s = \"%s\": set in line %u already, want it once", key->name,
		     quoted, before);
	else if (more && !key->type->clear)
		fail(r, r->line,
		     "\"%s\": a line that begins with a blank goes on with %s, which is no list: "
		     "want it in the first column",
		     quoted, key->name);
	else if (strstr(value, " #") || strstr(value, "\t#"))
		fail(r, r->line,
		     "%s = \"%s\": want a comment on a line of its own, or behind \" ;\"",
		     key->name, quoted);
	return !r->error_line;
}

/* inih's handler: one assignment, or one more line of a list. 0: stop at this line. */
static int set_key(void *arg, const char *section, const char *name, const char *value)
{
	char why[QUOTE_SIZE * 3], quoted[QUOTE_SIZE];
	const struct config_key *key = config_key_find(section, name);
	struct reading *r = arg;
	bool more = r->indented && r->last;

	if (r->error_line)
		return 0;
	if (!key) {
		fail_unknown_key(r, section, name);
		return 0;
	}
	if (!check_place(r, key, value, more))
		return 0;
	if (!more) {
		r->lines[key - config_keys] = r->line;
		if (key->type->clear)
			key->type->clear(key, r->c);
	}
	r->last = key;
	if (key->type->read(key, value, r->c, why, sizeof(why))) {
		fail(r, r->line, "%s = \"%s\": %s", name, quote(value, strlen(value), quoted), why);
		return 0;
	}
	return 1;
}

/* Reports a line that inih could not read: it has neither of the two forms. */
static void fail_syntax(struct reading *r, unsigned int line)
{
	const char *at = r->begin, *end = r->end;
	char quoted[QUOTE_SIZE];

	for (unsigned int i = 1; i < line; i++)
		at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
	end = memchr(at, '\n', (size_t)(end - at)) ?: end;
	if (end > at && end[-1] == '\r')
		end--;
	r->error_line = 0;
	fail(r, line, "\"%s\": want KEY = VALUE, a [section], or a comment behind #",
	     quote(at, (size_t)(end - at), quoted));
}

static unsigned int line_of(const struct reading *r, const char *section, const char *name)
{
	return r->lines[config_key_find(section, name) - config_keys];
}

/* Checks what depends on more than one line. */
static void check_whole(struct reading *r)
{
	unsigned int relays = line_of(r, "watch", "relay_users");
	unsigned int exempts = line_of(r, "watch", "exempt_users");
	struct account_id id = {.kind = ACCOUNT_UID};
	char name[ACCOUNT_NAME_SIZE];

	if (!r->c->ports_count)
		fail(r, line_of(r, "watch", "ports"),
		     "ports = \"\": want at least one port from 1 to 65535");
	if (r->c->source == CONFIG_SOURCE_COMMAND && !r->c->owners_command[0])
		fail(r, line_of(r, "accounts", "source"),
		     "source = \"command\": want command = and what to run in [accounts] as well");
	if (r->c->notify_customer == CONFIG_CUSTOMER_FILE && !r->c->notify_customer_file[0])
		fail(r, line_of(r, "notify", "customer"),
		     "customer = \"file\": want customer_file = and its path in [notify] as well");
	if (r->c->notify_customer == CONFIG_CUSTOMER_COMMAND && !r->c->notify_customer_command[0])
		fail(r, line_of(r, "notify", "customer"),
		     "customer = \"command\": want customer_command = and what to run in [notify] "
		     "as well");
	for (size_t i = 0; i < r->c->exempts.count; i++) {
		id.uid = r->c->exempts.uid[i];
		if (!config_uids_has(&r->c->relays, id.uid))
			continue;
		account_name(&id, name, sizeof(name));
		fail(r, exempts > relays ? exempts : relays,
		     "%s is in exempt_users and in %srelay_users: want it in one of them", name,
		     relays ? "" : "the default ");
	}
}

/* Reads the whole file, without a byte order mark. 0 or -errno. */
static int load(struct reading *r, const char *file)
{
	FILE *f = fopen(file, "re");
	size_t size = 0;
	int result = 0;

	if (!f)
		return -errno;
	r->text = malloc(FILE_BYTES_MAX);
	if (r->text)
		size = fread(r->text, 1, FILE_BYTES_MAX, f);
	if (!r->text || ferror(f))
		result = -errno;
	else if (size == FILE_BYTES_MAX)
		result = -EFBIG;
	fclose(f);

	r->begin = r->text;
	if (size >= 3 && !memcmp(r->begin, "\xef\xbb\xbf", 3))
		r->begin += 3;
	r->at = r->begin;
	r->end = r->text + size;
	return result;
}

/* DIR/NAME.d of DIR/NAME.conf. */
static int directory_of(const char *file, char directory[PATH_MAX])
{
	size_t length = strlen(file);

	if (length > 5 && !strcmp(file + length - 5, ".conf"))
		length -= 5;
	return snprintf(directory, PATH_MAX, "%.*s.d", (int)length, file) < PATH_MAX - 256 ? 0 : -1;
}

static int read_config(const char *file, bool paths_only, struct config *c,
		       unsigned int lines[CONFIG_KEYS], char *error, size_t error_size)
{
	char printable[QUOTE_SIZE * 4];
	struct reading r = {.file = printable,
			    .c = c,
			    .error = error,
			    .error_size = error_size,
			    .paths_only = paths_only,
			    .hidden = paths_only};
	int result;

	log_escape(file, strlen(file), 1, printable, sizeof(printable));
	config_defaults(c);
	if (directory_of(file, c->directory)) {
		snprintf(error, error_size, "%s: the path is too long", printable);
		return -1;
	}
	memset(lines, 0, CONFIG_KEYS * sizeof(lines[0]));
	result = load(&r, file);
	if (result) {
		free(r.text);
		if (result == -ENOENT && !strcmp(file, CONFIG_FILE_DEFAULT))
			return 0;
		snprintf(error, error_size, "%s: cannot read the configuration: %s", printable,
			 strerror(-result));
		return -1;
	}
	result = ini_parse_stream(next_line, &r, set_key, &r);
	if (result > 0 && (!r.error_line || (unsigned int)result < r.error_line))
		fail_syntax(&r, (unsigned int)result);
	else if (result < 0)
		fail(&r, r.line, "out of memory");
	if (!r.error_line)
		check_whole(&r);
	memcpy(lines, r.lines, sizeof(r.lines));
	free(r.text);
	return r.error_line ? -1 : 0;
}

int config_read(const char *file, struct config *c, char *error, size_t error_size)
{
	unsigned int lines[CONFIG_KEYS];

	return read_config(file, false, c, lines, error, error_size);
}

int config_read_paths(const char *file, struct config *c, char *error, size_t error_size)
{
	char in_paths[CONFIG_ERROR_SIZE];
	unsigned int lines[CONFIG_KEYS];

	if (!read_config(file, false, c, lines, error, error_size))
		return 0;
	if (read_config(file, true, c, lines, in_paths, sizeof(in_paths))) {
		snprintf(error, error_size, "%s", in_paths);
		return -1;
	}
	c->paths_only = true;
	return 1;
}

static void print_from(const char *file, unsigned int line, char *from, size_t from_size)
{
	char printable[QUOTE_SIZE * 4];

	if (line)
		snprintf(from, from_size, "%s:%u",
			 log_escape(file, strlen(file), 1, printable, sizeof(printable)), line);
	else
		snprintf(from, from_size, "default");
}

static int print_text(const char *file, const struct config *c,
		      const unsigned int lines[CONFIG_KEYS], FILE *out)
{
	char from[QUOTE_SIZE * 4 + 16], *setting;
	const struct config_key *key;
	size_t size;
	FILE *memory;

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		key = &config_keys[i];
		memory = open_memstream(&setting, &size);
		if (!memory)
			return -1;
		fprintf(memory, "[%s] %s = ", key->section, key->name);
		key->type->write(key, c, memory);
		if (fclose(memory))
			return -1;
		print_from(file, lines[i], from, sizeof(from));
		fprintf(out, "%-44s # %s\n", setting, from);
		free(setting);
	}
	return 0;
}

static json_t *json_setting(const struct config_key *key, const struct config *c, const char *from)
{
	return json_pack("{s:o,s:s}", "value", key->type->json(key, c), "from", from);
}

static int print_json(const char *file, const struct config *c,
		      const unsigned int lines[CONFIG_KEYS], FILE *out)
{
	char from[QUOTE_SIZE * 4 + 16];
	const struct config_key *key;
	json_t *all = json_object();
	int result = 0;

	for (size_t i = 0; i < CONFIG_KEYS && !result; i++) {
		key = &config_keys[i];
		if (!json_object_get(all, key->section))
			json_object_set_new(all, key->section, json_object());
		print_from(file, lines[i], from, sizeof(from));
		result = json_object_set_new(json_object_get(all, key->section), key->name,
					     json_setting(key, c, from));
	}
	if (!result)
		result = json_dumpf(all, out, 0);
	if (!result)
		fputc('\n', out);
	json_decref(all);
	return result;
}

int config_print(const char *file, bool json, FILE *out, char *error, size_t error_size)
{
	unsigned int lines[CONFIG_KEYS];
	struct config c;
	int result;

	if (read_config(file, false, &c, lines, error, error_size))
		return -1;
	result = json ? print_json(file, &c, lines, out) : print_text(file, &c, lines, out);
	if (result)
		snprintf(error, error_size, "cannot print the configuration: out of memory");
	return result ? -1 : 0;
}
