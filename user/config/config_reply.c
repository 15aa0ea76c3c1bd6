/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_reply.c - what [limit] says of replies: the classes that are set aside, and the
 * administrator's own rows.
 */
#include "config_reply.h"

#include <errno.h>
#include <string.h>

#include "config_file.h"
#include "config_key.h"
#include "core/reply_class.h"

/* A recipient's or a message's own fault stays the account's, and this host's is never charged. */
#define MAY_BE_SET_ASIDE                                                                           \
	(1u << REPLY_LISTED | 1u << REPLY_UNAUTHENTICATED | 1u << REPLY_RATE | 1u << REPLY_FULL |  \
	 1u << REPLY_GREYLIST | 1u << REPLY_NO_ANSWER | 1u << REPLY_UNEXPLAINED)
#define THEY_ARE "listed, unauthenticated, rate, full, greylist, no_answer or unexplained"

static int read_classes(const struct config_key *key, const char *text, void *base, char *why,
			size_t why_size)
{
	char item[CONFIG_ITEM_SIZE], quoted[CONFIG_QUOTE_SIZE];
	uint32_t *classes = config_field(key, base);
	enum reply_class class;

	while (config_list_item(&text, item) <= 0) {
		class = reply_class_by_name(item, strlen(item));
		if (class != REPLY_NONE && MAY_BE_SET_ASIDE & 1u << class) {
			*classes |= 1u << class;
			continue;
		}
		snprintf(why, why_size, "\"%s\" %s: want " THEY_ARE,
			 config_quote(item, strlen(item), quoted),
			 class == REPLY_NONE ? "is no class of replies" : "cannot be set aside");
		return -1;
	}
	return 0;
}

static void write_classes(const struct config_key *key, const void *base, FILE *out)
{
	const uint32_t *classes = config_field_const(key, base);
	const char *between = "";

	for (int class = REPLY_NONE + 1; class < REPLY_CLASSES; class ++) {
		if (!(*classes & 1u << class))
			continue;
		fprintf(out, "%s%s", between, reply_class_name((enum reply_class) class));
		between = ",";
	}
}

static json_t *json_classes(const struct config_key *key, const void *base)
{
	const uint32_t *classes = config_field_const(key, base);
	json_t *list = json_array();

	for (int class = REPLY_NONE + 1; class < REPLY_CLASSES; class ++)
		if (*classes & 1u << class)
			json_array_append_new(
				list, json_string(reply_class_name((enum reply_class) class)));
	return list;
}

static void clear_classes(const struct config_key *key, void *base)
{
	*(uint32_t *)config_field(key, base) = 0;
}

const struct config_type config_type_classes = {
	.read = read_classes,
	.write = write_classes,
	.json = json_classes,
	.clear = clear_classes,
};

static int read_lines(struct config_file *file, const char *name, struct reply_rows *rows,
		      char error[REPLY_ERROR_MAX])
{
	unsigned int line = 0;
	char *newline;
	int result = 0;

	for (char *at = file->begin; at < file->end && !result; at = newline + 1) {
		newline = memchr(at, '\n', (size_t)(file->end - at)) ?: file->end;
		*newline = '\0';
		line++;
		if (at + strlen(at) == newline) {
			result = reply_rows_add(rows, name, line, at, error);
			continue;
		}
		snprintf(error, REPLY_ERROR_MAX, "%s:%u: a zero byte: want a text file", name,
			 line);
		result = -EINVAL;
	}
	if (result == -ENOMEM)
		snprintf(error, REPLY_ERROR_MAX, "%s: out of memory", name);
	return result;
}

int config_replies_read(const char *path, struct reply_rows *rows, char error[REPLY_ERROR_MAX],
			char *why, size_t why_size)
{
	char name[CONFIG_NAME_SIZE / 2];
	struct config_file file;
	int result;

	error[0] = '\0';
	result = config_file_load_guarded(path, &file, why, why_size);
	if (result)
		return result;
	log_escape(path, strlen(path), 1, name, sizeof(name));
	result = read_lines(&file, name, rows, error);
	config_file_free(&file);
	if (result)
		reply_rows_free(rows);
	return result;
}
