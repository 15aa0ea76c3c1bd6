/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sendmail_key.h - the key of Sendmail's look-ups, "ADDRESS,PORT,AUTH,<SENDER>", made of the macros
 * client_addr, client_port and auth_authen. It has no blanks, which Sendmail would turn into dots.
 * Pure.
 */
#ifndef SMTPL_SENDMAIL_KEY_H
#define SMTPL_SENDMAIL_KEY_H

#include "who/submission.h"

/* Parts that are not valid are left unknown. 0; -EINVAL: it is not such a key. */
int sendmail_key_parse(const char *key, struct submission *o);

#endif
