/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_file.h - text files of an administrator, read as a whole.
 */
#ifndef SMTPL_CONFIG_FILE_H
#define SMTPL_CONFIG_FILE_H

#include <stddef.h>
#include "base/log.h"

/* Room for 10,000 accounts; a longer file is no configuration. */
#define CONFIG_FILE_BYTES_MAX (4 << 20)

/* How much of a text an error quotes, of a path an error or a setting names. */
#define CONFIG_QUOTE_SIZE 128
#define CONFIG_NAME_SIZE  512

struct config_file {
	char *text;  /* to be freed */
	char *begin; /* behind a byte order mark */
	char *end;
};

/* Read a file of any kind. 0 or -errno; a file of CONFIG_FILE_BYTES_MAX or more: -EFBIG. */
int config_file_load(const char *path, struct config_file *file);

/* Read a file that only root writes to: regular, owned by root or by the caller, and nobody else
 * may write. 0 or -errno, with what is wrong and what would be right in `why`. */
int config_file_load_guarded(const char *path, struct config_file *file, char *why,
			     size_t why_size);

void config_file_free(struct config_file *file);

/* -errno with `why`, as above, where others may change what is in a directory. */
int config_directory_check(const char *path, char *why, size_t why_size);

static inline const char *config_quote(const char *bytes, size_t size,
				       char quoted[CONFIG_QUOTE_SIZE])
{
	return log_escape(bytes, size, 1, quoted, CONFIG_QUOTE_SIZE);
}

#endif
