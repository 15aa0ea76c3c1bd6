/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim_parse.c - read what the hook must know of an Exim configuration.
 */
#include "hook_exim.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_SIZE	  EXIM_LINE_SIZE
#define INCLUDE_DEPTH_MAX 10

struct reader {
	const struct hook_context *context;
	struct exim_conf *conf;
	char *error;
	size_t error_size;
	int err; /* of a file that is included and cannot be read */
	int depth;
	enum exim_section section;
	struct exim_transport *transport;
	struct exim_place here; /* the beginning of the logical line */
	struct exim_place next; /* behind it */
};

/* Append a physical line to a logical one, without the blanks at its ends; what does not fit is
 * left out. True: the next physical line continues it. */
static bool append(char line[LINE_SIZE], const char *from, size_t size)
{
	size_t length = strlen(line);
	bool goes_on;

	while (size > 0 && isspace((unsigned char)*from)) {
		from++;
		size--;
	}
	while (size > 0 && isspace((unsigned char)from[size - 1]))
		size--;
	goes_on = size > 0 && from[size - 1] == '\\';
	size -= goes_on;
	if (size > LINE_SIZE - 1 - length)
		size = LINE_SIZE - 1 - length;
	memcpy(line + length, from, size);
	line[length + size] = '\0';
	return goes_on;
}

static bool is_comment(const char *from, size_t size)
{
	while (size > 0 && isspace((unsigned char)*from)) {
		from++;
		size--;
	}
	return size == 0 || *from == '#';
}

/* Read the next logical line that is neither empty nor a comment, from r->next on. Comments may
 * stand between the physical lines of one. */
static bool next_line(struct reader *r, char line[LINE_SIZE])
{
	const struct hook_text *text = &r->conf->part[r->next.part].bare;
	bool goes_on = false;

	line[0] = '\0';
	while (r->next.at < text->size && (goes_on || !line[0])) {
		const char *from = text->text + r->next.at;
		const char *end = memchr(from, '\n', text->size - r->next.at);
		size_t size = end ? (size_t)(end - from) + 1 : text->size - r->next.at;

		if (!goes_on)
			r->here = r->next;
		r->next.at += size;
		if (!is_comment(from, size))
			goes_on = append(line, from, size);
	}
	return line[0] != '\0';
}

static bool is_name(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '_' && text[i] != '-')
			return false;
	return length > 0 && length < EXIM_NAME_SIZE;
}

/* Split "hide name == value": *line is set to the name, *value to what follows the sign, or to the
 * end. Returns the name's length; 0: it is no option. */
static size_t split_option(const char **line, const char **value)
{
	const char *end;
	size_t length;

	if (strncmp(*line, "hide ", 5) == 0)
		*line += 5 + strspn(*line + 5, " \t");
	length = strcspn(*line, " \t=:");
	end = *line + length;
	end += strspn(end, " \t");
	if (!is_name(*line, length) || (*end && *end != '='))
		return 0;
	end += strspn(end, "=");
	*value = end + strspn(end, " \t");
	return length;
}

/* Copy a value without the quotes around it. */
static void copy_value(char *to, size_t to_size, const char *value)
{
	size_t length = strlen(value);

	if (length > 1 && value[0] == '"' && value[length - 1] == '"') {
		value++;
		length -= 2;
	}
	snprintf(to, to_size, "%.*s", (int)length, value);
}

static void note_value(struct exim_conf *conf, struct exim_option *option, const char *value)
{
	conf->too_big |= option->count == EXIM_VALUES_MAX;
	if (!conf->too_big)
		copy_value(option->value[option->count++], EXIM_VALUE_SIZE, value);
}

static void note_macro(struct exim_conf *conf, const char *name, size_t length, const char *value)
{
	struct exim_named *macro;

	if (strlen(value) >= EXIM_NAME_SIZE)
		return;
	conf->too_big |= conf->macros == EXIM_MACROS_MAX;
	if (conf->too_big)
		return;
	macro = &conf->macro[conf->macros++];
	snprintf(macro->name, sizeof(macro->name), "%.*s", (int)length, name);
	copy_value(macro->value, sizeof(macro->value), value);
}

static bool is_option(const char *line, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(line, name, length) == 0;
}

/* An option event_action, of the main section or a transport. */
static void note_event(struct reader *r, const char *whole, const char *value)
{
	struct exim_conf *conf = r->conf;
	struct exim_event *event = &conf->event[conf->events];

	if (r->transport)
		r->transport->events = true;
	else
		conf->event_action = true;
	if (strstr(value, "smtplimit_event"))
		return;
	conf->too_big |= conf->events == EXIM_EVENTS_MAX || strlen(whole) == LINE_SIZE - 1;
	if (conf->too_big)
		return;
	event->transport =
		r->transport ? (size_t)(r->transport - conf->transport) : EXIM_EVENT_OF_MAIN;
	event->at = r->here;
	event->end = r->next.at;
	snprintf(event->line, sizeof(event->line), "%s", whole);
	conf->events++;
}

static void read_main(struct reader *r, const char *line)
{
	struct exim_conf *conf = r->conf;
	const char *whole = line;
	const char *value;
	size_t length;

	if (strncmp(line, "domainlist", 10) == 0 && isspace((unsigned char)line[10])) {
		line += 10 + strspn(line + 10, " \t");
		length = strcspn(line, " \t=");
		conf->local_domains |= is_option(line, length, "local_domains");
		return;
	}
	length = split_option(&line, &value);
	if (is_option(line, length, "acl_smtp_rcpt"))
		note_value(conf, &conf->acl_smtp_rcpt, value);
	else if (is_option(line, length, "acl_not_smtp"))
		note_value(conf, &conf->acl_not_smtp, value);
	else if (is_option(line, length, "event_action"))
		note_event(r, whole, value);
}

/* The length of a name that stands alone on its line, with a colon: an ACL, a router, a transport.
 * 0: the line is something else. */
static size_t label(const char *line)
{
	size_t length = strcspn(line, " \t:");
	const char *end = line + length + strspn(line + length, " \t");

	return *end == ':' && is_name(line, length) && strspn(end + 1, " \t") == strlen(end + 1) ?
		       length :
		       0;
}

static void read_acl(struct reader *r, const char *line)
{
	struct exim_conf *conf = r->conf;
	size_t length = label(line);
	struct exim_named *acl;

	if (strstr(line, "smtplimit_rcpt"))
		conf->rcpt_by_hand = true;
	if (strstr(line, "smtplimit_not_smtp"))
		conf->not_smtp_by_hand = true;
	conf->too_big |= length && conf->acls == EXIM_ACLS_MAX;
	if (!length || conf->too_big)
		return;
	acl = &conf->acl[conf->acls++];
	snprintf(acl->name, sizeof(acl->name), "%.*s", (int)length, line);
	acl->at = r->next;
}

static void read_transport(struct reader *r, const char *line)
{
	struct exim_conf *conf = r->conf;
	struct exim_transport *t = r->transport;
	size_t length = label(line);
	const char *whole = line, *value;

	if (length) {
		conf->too_big |= conf->transports == EXIM_TRANSPORTS_MAX;
		if (conf->too_big)
			return;
		r->transport = t = &conf->transport[conf->transports++];
		snprintf(t->name, sizeof(t->name), "%.*s", (int)length, line);
		t->at = r->next;
		return;
	}
	length = split_option(&line, &value);
	if (!t || !length)
		return;
	if (is_option(line, length, "driver") && strcmp(value, "smtp") == 0)
		t->smtp = true;
	else if (is_option(line, length, "protocol"))
		t->lmtp = strcasecmp(value, "lmtp") == 0;
	else if (is_option(line, length, "event_action"))
		note_event(r, whole, value);
}

static void enter_section(struct reader *r, const char *name)
{
	static const char *const names[EXIM_OTHER] = {"", "acl", "routers", "transports"};

	if (!r->conf->main_end.found)
		r->conf->main_end = r->here;
	r->section = EXIM_OTHER;
	for (size_t i = EXIM_ACL; i < EXIM_OTHER; i++)
		if (strcmp(name, names[i]) == 0)
			r->section = i;
	r->conf->begin[r->section] = r->next;
	r->transport = NULL;
}

/* Put in the values of macros, as Exim does in each line: of those known so far, the last value of
 * each. What does not fit is left out. */
static void expand_macros(const struct exim_conf *conf, char text[LINE_SIZE])
{
	for (size_t i = conf->macros; i-- > 0;) {
		const struct exim_named *macro = &conf->macro[i];
		size_t length = strlen(macro->name), value = strlen(macro->value);
		char *at = strstr(text, macro->name);

		if (!at || strlen(text) - length + value >= LINE_SIZE)
			continue;
		memmove(at + value, at + length, strlen(at + length) + 1);
		memcpy(at, macro->value, value);
	}
}

static struct exim_part *part_of(struct exim_conf *conf, const char *path)
{
	for (size_t i = 0; i < conf->parts; i++)
		if (!strcmp(conf->part[i].path, path))
			return &conf->part[i];
	return NULL;
}

static void read_line(struct reader *r, const char *line);

/* A file is read at its first place: what a second branch includes once more is the same. One that
 * does not exist is Exim's to complain of. */
static void read_include(struct reader *r, const char *line)
{
	const char *from = line + strcspn(line, " \t");
	struct exim_place here = r->here, next = r->next;
	struct exim_conf *conf = r->conf;
	char path[LINE_SIZE], inner[LINE_SIZE];

	copy_value(path, sizeof(path), from + strspn(from, " \t"));
	expand_macros(conf, path);
	if (path[0] != '/' || part_of(conf, path) || !hook_exists(r->context, path) ||
	    r->depth == INCLUDE_DEPTH_MAX)
		return;
	r->err = exim_conf_add(r->context, conf, path, false, r->error, r->error_size);
	if (r->err)
		return;
	conf->part[conf->parts - 1].included = true;
	r->next = (struct exim_place){conf->parts - 1, 0, true};
	r->depth++;
	while (!r->err && next_line(r, inner))
		read_line(r, inner);
	r->depth--;
	r->here = here;
	r->next = next;
}

static void read_line(struct reader *r, const char *line)
{
	const char *name = line, *value;
	size_t length;

	if (line[0] == '.') {
		if (strncmp(line, ".include", 8) == 0)
			read_include(r, line);
		return;
	}
	if (strncmp(line, "begin", 5) == 0 && isspace((unsigned char)line[5])) {
		enter_section(r, line + 5 + strspn(line + 5, " \t"));
		return;
	}
	length = split_option(&name, &value);
	if (length && isupper((unsigned char)name[0]) && name[length])
		note_macro(r->conf, name, length, value);
	else if (r->section == EXIM_MAIN)
		read_main(r, line);
	else if (r->section == EXIM_ACL)
		read_acl(r, line);
	else if (r->section == EXIM_TRANSPORTS)
		read_transport(r, line);
}

int exim_conf_parse(const struct hook_context *context, struct exim_conf *conf, char *error,
		    size_t error_size)
{
	struct reader r = {
		.context = context, .conf = conf, .error = error, .error_size = error_size};
	char line[LINE_SIZE];

	for (size_t i = 0; i < conf->parts && !r.err; i++) {
		const struct exim_part *part = &conf->part[i];

		if (part->own || part->included || !part->bare.text)
			continue;
		r.next = (struct exim_place){i, 0, true};
		while (!r.err && next_line(&r, line))
			read_line(&r, line);
	}
	return r.err;
}

static bool note_acls(const struct exim_conf *conf, const char *name, bool wanted[])
{
	bool found = false;

	for (size_t i = 0; i < conf->acls; i++)
		if (strcmp(conf->acl[i].name, name) == 0)
			found = wanted[i] = true;
	return found;
}

/* A macro may have another value in each branch; a value may be a macro again. */
static bool follow(const struct exim_conf *conf, const char *value, int depth, bool wanted[])
{
	bool macro = false, known = true;

	for (size_t i = 0; i < conf->macros && depth > 0; i++) {
		if (strcmp(conf->macro[i].name, value))
			continue;
		known &= follow(conf, conf->macro[i].value, depth - 1, wanted);
		macro = true;
	}
	return macro ? known : note_acls(conf, value, wanted);
}

size_t exim_conf_acls(const struct exim_conf *conf, const struct exim_option *option,
		      size_t found[EXIM_ACLS_MAX], bool *all)
{
	bool wanted[EXIM_ACLS_MAX] = {false};
	size_t count = 0;

	*all = option->count > 0;
	for (size_t i = 0; i < option->count; i++)
		*all &= follow(conf, option->value[i], 4, wanted);
	for (size_t i = 0; i < conf->acls; i++)
		if (wanted[i])
			found[count++] = i;
	return count;
}
