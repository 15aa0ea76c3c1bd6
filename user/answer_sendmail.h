/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * answer_sendmail.h - the key of Sendmail's look-ups. Pure.
 */
#ifndef SMTPL_ANSWER_SENDMAIL_H
#define SMTPL_ANSWER_SENDMAIL_H

#include "origin.h"

/* "ADDRESS,PORT,AUTH,<SENDER>". What makes no sense in it is not known. 0; -EINVAL: it is not such
 * a key. */
int answer_sendmail_key(const char *key, struct origin *o);

#endif
