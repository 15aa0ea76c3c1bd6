/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim_layout.c - find and read the files of an Exim configuration.
 */
#include "hook_exim.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The directories of conf.d in the order in which they are read, and our file in each. It is read
 * behind the file that begins the section, and before all other routers. */
static const struct {
	const char *name;
	const char *own;
	enum exim_section section;
} conf_d[] = {
	{"main", "99_smtplimit", EXIM_MAIN},
	{"acl", "01_smtplimit", EXIM_ACL},
	{"router", "01_smtplimit", EXIM_ROUTERS},
	{"transport", NULL, EXIM_TRANSPORTS},
};

static bool below(const struct hook_context *context, struct exim_layout *layout, const char *name)
{
	if (snprintf(layout->path, sizeof(layout->path), "%s/%s", layout->directory, name) >=
	    (int)sizeof(layout->path))
		return false;
	return hook_exists(context, layout->path);
}

/* Has this file of shell assignments dc_use_split_config='true'? The last assignment counts. */
static bool is_split(const struct hook_context *context, const char *path)
{
	static const char key[] = "dc_use_split_config=";
	struct hook_text text;
	bool split = false;
	const char *at;

	if (hook_read(context, path, &text))
		return false;
	for (at = text.text; (at = strstr(at, key)); at++)
		if (at == text.text || at[-1] == '\n') {
			const char *value = at + sizeof(key) - 1;

			value += strspn(value, "'\"");
			split = strncasecmp(value, "true", 4) == 0;
		}
	hook_text_free(&text);
	return split;
}

/* Exim reads the first of these that exists. Debian's update-exim4.conf(8) does nothing when there
 * is an exim4.conf. */
static int find_in(const struct hook_context *context, const char *directory,
		   struct exim_layout *layout)
{
	static const char *const whole[] = {"exim4.conf", "exim.conf", "configure"};

	snprintf(layout->directory, sizeof(layout->directory), "%s", directory);
	layout->kind = EXIM_LAYOUT_FILE;
	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		if (below(context, layout, whole[i]))
			return 0;
	if (!below(context, layout, "update-exim4.conf.conf"))
		return -ENOENT;
	if (is_split(context, layout->path)) {
		layout->kind = EXIM_LAYOUT_SPLIT;
		return below(context, layout, "conf.d") ? 0 : -ENOENT;
	}
	layout->kind = EXIM_LAYOUT_TEMPLATE;
	return below(context, layout, "exim4.conf.template") ? 0 : -ENOENT;
}

/* A configuration of whatever name and place. */
static int take_file(const struct hook_context *context, const char *path,
		     struct exim_layout *layout)
{
	const char *slash = strrchr(path, '/');

	layout->kind = EXIM_LAYOUT_FILE;
	snprintf(layout->path, sizeof(layout->path), "%s", path);
	snprintf(layout->directory, sizeof(layout->directory), "%.*s", (int)(slash - path), path);
	return hook_exists(context, path) ? 0 : -ENOENT;
}

int exim_layout_find(const struct hook_context *context, struct exim_layout *layout, char *error,
		     size_t error_size)
{
	static const char *const places[] = {"/etc/exim4", "/etc", "/etc/exim", "/usr/exim",
					     "/usr/local/etc/exim"};
	char path[PATH_MAX];
	int err = -ENOENT;

	snprintf(error, error_size, "no configuration of Exim was found: want --dir DIR");
	if (context->directory)
		return find_in(context, context->directory, layout);
	err = exim_ask_file(context, path);
	if (err == -EINVAL) {
		snprintf(error, error_size, "its configuration is broken as it is: %s", path);
		return err;
	}
	if (!err)
		return strcmp(path, EXIM_BUILT) ? take_file(context, path, layout) :
						  find_in(context, places[0], layout);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (find_in(context, places[i], layout) == 0)
			return 0;
	return -ENOENT;
}

/* Where packages and panels keep files of their own, which they replace at will. */
static bool is_of_others(const char *path)
{
	static const char *const theirs[] = {"/usr/", "/opt/", "/var/cpanel/"};
	static const char *const not_theirs[] = {"/usr/exim/", "/usr/local/etc/"};
	bool found = false;

	for (size_t i = 0; i < sizeof(theirs) / sizeof(*theirs); i++)
		found |= !strncmp(path, theirs[i], strlen(theirs[i]));
	for (size_t i = 0; i < sizeof(not_theirs) / sizeof(*not_theirs); i++)
		found &= strncmp(path, not_theirs[i], strlen(not_theirs[i])) != 0;
	return found;
}

/* What others than root may write, a customer perhaps, is not written by root either. */
static bool is_foreign(const struct hook_context *context, const char *path)
{
	struct stat st;

	return is_of_others(path) || hook_stat(context, path, &st) || !S_ISREG(st.st_mode) ||
	       st.st_uid != geteuid() || (st.st_mode & S_IWOTH);
}

void exim_conf_free(struct exim_conf *conf)
{
	for (size_t i = 0; conf && i < conf->parts; i++) {
		free(conf->part[i].path);
		hook_text_free(&conf->part[i].old);
		hook_text_free(&conf->part[i].bare);
	}
	free(conf);
}

struct exim_part *exim_conf_own(struct exim_conf *conf, enum exim_section section)
{
	for (size_t i = 0; i < conf->parts; i++)
		if (conf->part[i].own && conf->part[i].section == section)
			return &conf->part[i];
	return NULL;
}

int exim_conf_add(const struct hook_context *context, struct exim_conf *conf, const char *path,
		  bool own, char *error, size_t error_size)
{
	struct exim_part *part = &conf->part[conf->parts];
	int err = -E2BIG;

	if (conf->parts < EXIM_PARTS_MAX) {
		*part = (struct exim_part){.path = strdup(path), .own = own};
		part->foreign = !own && is_foreign(context, path);
		conf->parts++;
		err = part->path ? hook_read(context, path, &part->old) : -ENOMEM;
	}
	if (err == -ENOENT && own)
		return 0;
	if (!err && !own)
		err = hook_text_copy(&part->bare, &part->old);
	err = err ? err : hook_restore(&part->bare, EXIM_COMMENT);
	if (err)
		snprintf(error, error_size, "%s: cannot be read: %s", path, strerror(-err));
	return err;
}

/* update-exim4.conf(8) takes only files with such names. */
static int is_part(const struct dirent *entry)
{
	static const char taken[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return entry->d_name[0] && strspn(entry->d_name, taken) == strlen(entry->d_name);
}

/* A file NAME.rul stands for NAME. */
static int add_entry(const struct hook_context *context, struct exim_conf *conf,
		     const char *directory, const char *name, char *error, size_t error_size)
{
	char path[2 * PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/%s.rul", directory, name);

	if (length >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (!hook_exists(context, path))
		path[length - 4] = '\0';
	return exim_conf_add(context, conf, path, false, error, error_size);
}

static int add_directory(const struct hook_context *context, struct exim_conf *conf,
			 const char *directory, const char *own, char *error, size_t error_size)
{
	char path[2 * PATH_MAX];
	struct dirent **entries;
	int count, err = 0;

	snprintf(path, sizeof(path), "%s%s", context->root, directory);
	count = scandir(path, &entries, is_part, alphasort);
	if (count < 0) {
		err = -errno;
		snprintf(error, error_size, "%s: cannot be read: %s", directory, strerror(-err));
		return err;
	}
	for (int i = 0; i < count; i++) {
		if (!err && !(own && strcmp(entries[i]->d_name, own) == 0))
			err = add_entry(context, conf, directory, entries[i]->d_name, error,
					error_size);
		free(entries[i]);
	}
	free(entries);
	return err;
}

static int add_conf_d(const struct hook_context *context, const struct exim_layout *layout,
		      struct exim_conf *conf, char *error, size_t error_size)
{
	char path[2 * PATH_MAX];
	int err = 0;

	for (size_t i = 0; i < sizeof(conf_d) / sizeof(*conf_d) && !err; i++) {
		snprintf(path, sizeof(path), "%s/%s", layout->path, conf_d[i].name);
		err = add_directory(context, conf, path, conf_d[i].own, error, error_size);
		if (err || !conf_d[i].own)
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", layout->path, conf_d[i].name,
			 conf_d[i].own);
		err = exim_conf_add(context, conf, path, true, error, error_size);
		if (!err)
			conf->part[conf->parts - 1].section = conf_d[i].section;
	}
	return err;
}

int exim_conf_read(const struct hook_context *context, const struct exim_layout *layout,
		   struct exim_conf **conf, char *error, size_t error_size)
{
	struct exim_conf *made = calloc(1, sizeof(*made));
	int err;

	if (!made) {
		snprintf(error, error_size, "out of memory");
		return -ENOMEM;
	}
	if (layout->kind == EXIM_LAYOUT_SPLIT)
		err = add_conf_d(context, layout, made, error, error_size);
	else
		err = exim_conf_add(context, made, layout->path, false, error, error_size);
	err = err ? err : exim_conf_parse(context, made, error, error_size);
	if (err) {
		exim_conf_free(made);
		return err;
	}
	*conf = made;
	return 0;
}
