/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * status_tls.h - TLS in `smtplimit status`: how sessions are looked into, in which libraries, and
 * why those that stay opaque do.
 */
#ifndef SMTPL_STATUS_TLS_H
#define SMTPL_STATUS_TLS_H

#include <jansson.h>
#include <stdio.h>
#include "headers/tls.h"
#include "status.h"

/* What the prober last wrote. Never told: nobody looks into TLS. */
void status_tls_state(struct status *s, const struct smtpl_tls_state *state);
/* 0 or -ENOMEM. */
int status_tls_file(struct status *s, const struct smtpl_tls_file *file);

/* For status.c: sort, and tell what is wrong as problems. */
void status_tls_finish(struct status *s);
void status_tls_end(struct status *s);

/* For status_text.c and status_json.c; null where nothing is loaded. */
void status_tls_print(const struct status *s, FILE *out);
json_t *status_tls_json(const struct status *s);

#endif
