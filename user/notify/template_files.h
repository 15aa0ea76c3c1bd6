/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * template_files.h - the administrator's templates, read from a directory.
 */
#ifndef SMTPL_TEMPLATE_FILES_H
#define SMTPL_TEMPLATE_FILES_H

#include "template.h"

struct template_set {
	/* A subject of "": the default text is used. Second: for customers. */
	struct template own[TEMPLATES][2];
};

/* Read all that there are. Of a file that cannot be used the log says why, and the default text is
 * used instead. directory: NULL or "": none. */
void template_files_read(const char *directory, struct template_set *set);

#endif
