/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tlsplan_fuzz.c - any bytes as a file that a process maps: no plan, or one that stays inside of
 * the file, has RETs where there are such, and what moves data first.
 *
 * Input: the file. It is read as one for x86-64 and as one for aarch64.
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "elf/tls_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool is_prefix(uint8_t byte)
{
	return (byte & 0xf0) == 0x40 ||
	       memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", byte, 11);
}

static bool is_x86_return(const uint8_t *at, size_t left)
{
	while (left > 1 && is_prefix(*at)) {
		at++;
		left--;
	}
	return *at == 0xc3 || *at == 0xc2;
}

static bool is_aarch64_return(const uint8_t *at, size_t left)
{
	uint32_t word;

	if (left < sizeof(word))
		return false;
	memcpy(&word, at, sizeof(word));
	return (word & 0xfffffc1f) == 0xd65f0000 || (word & 0xfffffbff) == 0xd65f0bff;
}

static void check_probe(const struct tls_probe *p, const uint8_t *data, size_t size,
			uint16_t machine)
{
	uint32_t function = p->cookie & ~SMTPL_TLS_RETURN;

	check(p->offset < size && p->pad == 0);
	check(function >= SMTPL_TLS_READ && function < SMTPL_TLS_FUNCTIONS);
	if (p->cookie == function)
		return;
	check(function < SMTPL_TLS_HANDSHAKE);
	check(machine == EM_X86_64 ? is_x86_return(data + p->offset, size - p->offset) :
				     is_aarch64_return(data + p->offset, size - p->offset));
}

static void check_plan(const struct tls_plan *plan, const uint8_t *data, size_t size,
		       uint16_t machine)
{
	bool behind = false;
	uint32_t i;

	check(plan->count > 1 && plan->count <= SMTPL_TLS_PROBES_MAX);
	check(plan->libraries && !(plan->libraries & ~(SMTPL_TLS_OPENSSL | SMTPL_TLS_GNUTLS)));
	for (i = 0; i < plan->count; i++) {
		bool moves = (plan->probes[i].cookie & ~SMTPL_TLS_RETURN) < SMTPL_TLS_HANDSHAKE;

		check_probe(&plan->probes[i], data, size, machine);
		check(!(moves && behind));
		behind = !moves;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t machines[] = {EM_X86_64, EM_AARCH64};
	struct tls_plan plan, before;
	int i;

	for (i = 0; i < 2; i++) {
		int err;

		memset(&plan, 0xee, sizeof(plan));
		before = plan;
		err = tls_plan_image(data, size, machines[i], &plan);
		if (err == 0) {
			check_plan(&plan, data, size, machines[i]);
			continue;
		}
		check(err == -ENOENT || err == -ENOEXEC || err == -EBADMSG || err == -ENOTSUP);
		check(memcmp(&plan, &before, sizeof(plan)) == 0);
	}
	return 0;
}
