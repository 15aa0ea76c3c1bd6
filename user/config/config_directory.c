/* SPDX-License-Identifier: GPL-2.0-only */
#include "config_directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config_reading.h"

static int is_conf(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 5 && !strcmp(entry->d_name + length - 5, ".conf");
}

/* alphasort(3) goes by the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_file(struct config *c, const char *name, char *error, size_t error_size)
{
	char path[PATH_MAX], file_name[CONFIG_NAME_SIZE], directory[CONFIG_NAME_SIZE],
		why[CONFIG_ERROR_SIZE / 2];
	struct reading r = {.file = file_name,
			    .c = c,
			    .directory = directory,
			    .error = error,
			    .error_size = error_size};
	struct config_file file;
	int result;

	snprintf(path, sizeof(path), "%s/%.255s", c->directory, name);
	log_escape(path, strlen(path), 1, file_name, sizeof(file_name));
	log_escape(c->directory, strlen(c->directory), 1, directory, sizeof(directory));
	/* An editor's, which comes and goes. */
	if (name[0] == '.') {
		config_warn(c, "%s: hidden, not read: want a name without a dot at its begin",
			    file_name);
		return 0;
	}
	if (config_file_load_guarded(path, &file, why, sizeof(why))) {
		snprintf(error, error_size, "%s: %s", file_name, why);
		return -1;
	}
	r.begin = file.begin;
	r.end = file.end;
	result = reading_run(&r);
	config_file_free(&file);
	return result;
}

int config_directory_read(struct config *c, char *error, size_t error_size)
{
	char why[CONFIG_ERROR_SIZE / 2], printable[CONFIG_NAME_SIZE];
	int result = config_directory_check(c->directory, why, sizeof(why));
	struct dirent **list = NULL;
	int count = 0;

	if (result == -ENOENT)
		return 0;
	if (!result)
		count = scandir(c->directory, &list, is_conf, by_name);
	if (count < 0)
		snprintf(why, sizeof(why), "cannot read it: %s", strerror(errno));
	if (result || count < 0) {
		log_escape(c->directory, strlen(c->directory), 1, printable, sizeof(printable));
		snprintf(error, error_size, "%s: %s", printable, why);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		result = result ?: read_file(c, list[i]->d_name, error, error_size);
		free(list[i]);
	}
	free(list);
	return result;
}
