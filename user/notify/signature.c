// SPDX-License-Identifier: GPL-2.0-only
/*
 * signature.c - signing with nettle.
 */
#include <nettle/base16.h>
#include <nettle/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "signature.h"

void signature_make(const char *secret, const char *body, size_t size, char out[SIGNATURE_SIZE])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	char hex[BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) + 1] = "";
	struct hmac_sha256_ctx hmac;

	hmac_sha256_set_key(&hmac, strlen(secret), (const uint8_t *)secret);
	hmac_sha256_update(&hmac, size, (const uint8_t *)body);
	hmac_sha256_digest(&hmac, sizeof(digest), digest);
	base16_encode_update(hex, sizeof(digest), digest);
	snprintf(out, SIGNATURE_SIZE, "sha256=%s", hex);
}
