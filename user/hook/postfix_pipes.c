/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postfix_pipes.c - finds the users of pipe(8) entries whose mail comes back.
 */
#include "postfix_pipes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "hook_postfix.h"
#include "postfix_cf.h"

#define WORD_SIZE 256

/* The value of "name=VALUE" at `at`, which ends at a blank, a colon or a brace. */
static bool copy_word(const char *at, const char *ends, char word[WORD_SIZE])
{
	size_t length = strcspn(at, ends);

	if (!length || length >= WORD_SIZE)
		return false;
	memcpy(word, at, length);
	word[length] = '\0';
	return true;
}

/* pipe(8)'s attributes stand before argv=, which is the last. */
static const char *attribute(const char *command, const char *name)
{
	const char *argv = strstr(command, "argv="), *at = command;
	size_t length = strlen(name);

	while ((at = strstr(at, name)) && (!argv || at <= argv)) {
		if ((at == command || strchr(" {", at[-1])) && at[length] == '=')
			return at + length + 1;
		at += length;
	}
	return NULL;
}

/* Does a word of the command name sendmail(1), itself or as what another program runs? */
static bool runs_sendmail(const char *argv)
{
	const char *at = argv;

	while ((at = strstr(at, "sendmail"))) {
		bool begins = at == argv || strchr(" /{=", at[-1]);

		at += strlen("sendmail");
		if (begins && (!*at || strchr(" }", *at)))
			return true;
	}
	return false;
}

/* "content_filter = NAME:NEXTHOP" of main.cf, or "-o content_filter=NAME:" of an entry. */
static bool is_filter_in(const char *text, const char *service)
{
	static const char key[] = "content_filter";
	char word[WORD_SIZE];
	const char *at = text;

	while ((at = strstr(at, key))) {
		at += sizeof(key) - 1;
		at += strspn(at, " \t=");
		if (copy_word(at, " \t:,}\n", word) && !strcmp(word, service))
			return true;
	}
	return false;
}

static int is_filter(const struct hook_text *master, const struct hook_text *main,
		     const char *service)
{
	char *value;
	int there = postfix_main_find(main, "content_filter", NULL, &value);
	bool found = false;

	if (there == 1) {
		char word[WORD_SIZE];

		found = copy_word(value, " :", word) && !strcmp(word, service);
	}
	free(value);
	return there < 0 ? there : found || is_filter_in(master->text ? master->text : "", service);
}

int postfix_pipes_of(const struct hook_text *master, const struct hook_text *main,
		     void (*each)(void *arg, const char *user), void *arg)
{
	struct postfix_service service;
	size_t at = 0;
	int err = 0;

	while (err >= 0 && (err = postfix_master_next(master, &at, &service)) == 1) {
		const char *command = service.field[POSTFIX_COMMAND];
		const char *user = attribute(command, "user"), *argv = attribute(command, "argv");
		char word[WORD_SIZE];

		if (!strncmp(command, "pipe ", 5) && user && argv && copy_word(user, " :}", word)) {
			err = runs_sendmail(argv) ?
				      1 :
				      is_filter(master, main, service.field[POSTFIX_NAME]);
			if (err == 1)
				each(arg, word);
		}
		postfix_service_free(&service);
	}
	return err < 0 ? err : 0;
}

int postfix_pipes_each(const struct hook_context *context,
		       void (*each)(void *arg, const char *user), void *arg)
{
	struct hook_text master = {0}, main = {0};
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/master.cf", postfix_directory(context));
	err = hook_read(context, path, &master);
	if (!err) {
		snprintf(path, sizeof(path), "%s/main.cf", postfix_directory(context));
		err = hook_read(context, path, &main);
	}
	if (!err)
		err = postfix_pipes_of(&master, &main, each, arg);
	hook_text_free(&master);
	hook_text_free(&main);
	return err == -ENOENT || err == -ENOTDIR ? 0 : err;
}
