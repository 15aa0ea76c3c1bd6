/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * signature.h - the value of X-Smtplimit-Signature: "sha256=" and the HMAC-SHA256 of the body with
 * the secret, in hexadecimal digits.
 */
#ifndef SMTPL_SIGNATURE_H
#define SMTPL_SIGNATURE_H

#include <stddef.h>

#define SIGNATURE_SIZE (7 + 64 + 1)

void signature_make(const char *secret, const char *body, size_t size, char out[SIGNATURE_SIZE]);

#endif
