/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_directory.h - the files *.conf of the directory beside the main file.
 */
#ifndef SMTPL_CONFIG_DIRECTORY_H
#define SMTPL_CONFIG_DIRECTORY_H

#include "config.h"

/* Read the sections [account NAME] of all files, in the order of their names. A missing directory
 * is an empty one. -1: `error` is a whole line. */
int config_directory_read(struct config *c, char *error, size_t error_size);

#endif
