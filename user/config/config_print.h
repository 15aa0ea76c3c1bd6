/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config_print.h - what `smtplimit config` prints. `file`: the main one, printable; `lines`: where
 * each key is set in it. 0, or -1: out of memory.
 */
#ifndef SMTPL_CONFIG_PRINT_H
#define SMTPL_CONFIG_PRINT_H

#include "config_key.h"

int config_print_text(const char *file, const struct config *c,
		      const unsigned int lines[CONFIG_KEYS], FILE *out);
int config_print_json(const char *file, const struct config *c,
		      const unsigned int lines[CONFIG_KEYS], FILE *out);

#endif
