/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notice_json.h - a notice, or a digest, as one JSON object: the body of the webhook, and what a
 * command reads. smtplimit-notify(5) documents it.
 */
#ifndef SMTPL_NOTICE_JSON_H
#define SMTPL_NOTICE_JSON_H

#include "notice.h"
#include "notice_digest.h"

/* NULL: no memory. The caller frees it. Strings are printable. */
char *notice_json(const struct notice *n, const char *host);
/* With this many of its notices at most. */
char *notice_json_digest(const struct notice_digest *d, const char *host, uint32_t notices_max);

#endif
