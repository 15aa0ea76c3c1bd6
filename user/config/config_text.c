/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_text.c - settings of /etc/smtplimit.conf that are texts: paths, commands, mail addresses,
 * URLs and notes.
 */
#include "config_key.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mail_address.h"

static const char *const cgroup_words[] = {"auto", NULL};
static const char *const log_words[] = {"auto", "off", "journal", NULL};

/* The path is printable, so that no message and no JSON has to escape it. */
static bool path_is_clean(const char *path)
{
	char printable[PATH_MAX];

	return path[0] == '/' && path[strspn(path, "/")] &&
	       !strcmp(log_escape(path, strlen(path), 1, printable, sizeof(printable)), path);
}

/* Takes a word that may stand in place of a path, or refuses the text. 1: it is a path. */
static int read_path_word(const struct config_key *key, const char *text, void *base, char *why,
			  size_t why_size)
{
	char more[64], list[128];

	if (!key->type->words || text[0] == '/')
		return 1;
	if (config_word_index(key->type->words, text) >= 0) {
		snprintf(config_field(key, base), (size_t)key->max + 1, "%s", text);
		return 0;
	}
	snprintf(more, sizeof(more), "the absolute path of %s", key->type->path);
	config_words_list(key->type->words, more, list, sizeof(list));
	snprintf(why, why_size, "want %s", list);
	return -1;
}

static int read_path(const struct config_key *key, const char *text, void *base, char *why,
		     size_t why_size)
{
	int result = read_path_word(key, text, base, why, why_size);
	size_t length = strlen(text);
	char *path = config_field(key, base);

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

static void write_text(const struct config_key *key, const void *base, FILE *out)
{
	fputs(config_field_const(key, base), out);
}

static json_t *json_text(const struct config_key *key, const void *base)
{
	return json_string(config_field_const(key, base));
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

/* The text is printable; a backslash is fine, as a command is shown unescaped. */
static bool is_printable(const char *text)
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
static int read_command(const struct config_key *key, const char *text, void *base, char *why,
			size_t why_size)
{
	char *command = config_field(key, base);
	size_t used = strlen(command), length = command_length(text);

	if (!is_printable(text)) {
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

static void clear_command(const struct config_key *key, void *base)
{
	*(char *)config_field(key, base) = '\0';
}

const struct config_type config_type_command = {
	.read = read_command,
	.write = write_text,
	.json = json_text,
	.clear = clear_command,
};

/* Printable ASCII without blanks, quotation marks, brackets and what a shell would act upon. */
static bool is_word(const char *text, size_t length, const char *more)
{
	for (size_t i = 0; i < length; i++)
		if (!isascii(text[i]) || (!isalnum(text[i]) && !strchr(more, text[i])))
			return false;
	return length > 0;
}

static int keep_text(const struct config_key *key, const char *text, void *base, char *why,
		     size_t why_size)
{
	size_t length = strlen(text);

	if (length > (size_t)key->max) {
		snprintf(why, why_size, "want at most %" PRId64 " bytes, not %zu", key->max,
			 length);
		return -1;
	}
	memcpy(config_field(key, base), text, length + 1);
	return 0;
}

/* One address, which ends up in a header field and in the arguments of sendmail(1). With a minimum
 * of 1 a name of this host's will do: that is one to write to. */
static int read_address(const struct config_key *key, const char *text, void *base, char *why,
			size_t why_size)
{
	if (*text && (!mail_address_is(text, true) || (!key->min && !strchr(text, '@')))) {
		snprintf(why, why_size, "want one mail address, like postmaster@example.com%s",
			 key->min ? ", or a user of this host, like root" : "");
		return -1;
	}
	return keep_text(key, text, base, why, why_size);
}

const struct config_type config_type_address = {
	.read = read_address,
	.write = write_text,
	.json = json_text,
};

static int read_url(const struct config_key *key, const char *text, void *base, char *why,
		    size_t why_size)
{
	const char *host = !strncmp(text, "https://", 8) ? text + 8 :
			   !strncmp(text, "http://", 7)	 ? text + 7 :
							   NULL;
	static const char more[] = "-._~:/?[]@!$&'()*+,;=%";

	if (!*text)
		return keep_text(key, text, base, why, why_size);
	if (!host || !is_word(host, strlen(host), more) || (!isalnum(*host) && *host != '[')) {
		snprintf(why, why_size,
			 "want a URL that begins with https:// or http://, without blanks, like "
			 "https://example.com/hook");
		return -1;
	}
	return keep_text(key, text, base, why, why_size);
}

const struct config_type config_type_url = {
	.read = read_url,
	.write = write_text,
	.json = json_text,
};

/* A key that others can read signs nothing. Who may not see the file cannot say, and does not use
 * it either. */
static int check_secret(const char *path, char *why, size_t why_size)
{
	struct stat st;

	if (stat(path, &st)) {
		if (errno == EACCES && geteuid())
			return 0;
		snprintf(why, why_size, "cannot read it: %s", strerror(errno));
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		snprintf(why, why_size, "is no regular file: want a file with the secret");
	else if (st.st_uid && st.st_uid != geteuid())
		snprintf(why, why_size,
			 "belongs to the uid %" PRIu32 ": want a file of root (chown root)",
			 (uint32_t)st.st_uid);
	else if (st.st_mode & 077)
		snprintf(why, why_size,
			 "has the mode %04o: want a file that only root can read (chmod 600)",
			 (unsigned int)st.st_mode & 07777);
	else if (!st.st_size)
		snprintf(why, why_size, "is empty: want a file with the secret");
	else
		return 0;
	return -1;
}

static int read_secret(const struct config_key *key, const char *text, void *base, char *why,
		       size_t why_size)
{
	if (!*text)
		return keep_text(key, text, base, why, why_size);
	if (read_path(key, text, base, why, why_size))
		return -1;
	return check_secret(config_field(key, base), why, why_size);
}

const struct config_type config_type_secret = {
	.read = read_secret,
	.write = write_text,
	.json = json_text,
	.path = "a file",
};

static int read_optional(const struct config_key *key, const char *text, void *base, char *why,
			 size_t why_size)
{
	return *text ? read_path(key, text, base, why, why_size) :
		       keep_text(key, text, base, why, why_size);
}

const struct config_type config_type_optional_file = {
	.read = read_optional,
	.write = write_text,
	.json = json_text,
	.path = "a file",
};

static int read_note(const struct config_key *key, const char *text, void *base, char *why,
		     size_t why_size)
{
	if (is_printable(text))
		return keep_text(key, text, base, why, why_size);
	snprintf(why, why_size, "want a text of printable characters, in UTF-8");
	return -1;
}

const struct config_type config_type_note = {
	.read = read_note,
	.write = write_text,
	.json = json_text,
};

bool config_told_valid(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

static int read_told(const struct config_key *key, const char *text, void *base, char *why,
		     size_t why_size)
{
	if (config_told_valid(text))
		return keep_text(key, text, base, why, why_size);
	snprintf(why, why_size,
		 "want a text of printable ASCII characters, as mail servers take it");
	return -1;
}

const struct config_type config_type_told = {
	.read = read_told,
	.write = write_text,
	.json = json_text,
};
