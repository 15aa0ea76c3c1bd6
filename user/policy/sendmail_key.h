/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sendmail_key.h - the key of Sendmail's look-ups, "ADDRESS,PORT,AUTH,<SENDER>", as the macros
 * client_addr, client_port and auth_authen have them. It has no blanks, which Sendmail would turn
 * into dots. Pure.
 */
#ifndef SMTPL_SENDMAIL_KEY_H
#define SMTPL_SENDMAIL_KEY_H

#include "who/submission.h"

/* What makes no sense in it is not known. 0; -EINVAL: it is not such a key. */
int sendmail_key_parse(const char *key, struct submission *o);

#endif
