/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_code.h - decodes machine code, one instruction after the other: where does control go next?
 */
#ifndef SMTPL_TLS_CODE_H
#define SMTPL_TLS_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <capstone/capstone.h>

enum tls_flow {
	TLS_FLOW_NEXT = 0, /* to the next one, calls included; behind a trap perhaps nowhere */
	TLS_FLOW_RETURN,
	TLS_FLOW_JUMP,	  /* to `target`, perhaps on a condition */
	TLS_FLOW_TABLE,	  /* by a table of places in the same function (switch) */
	TLS_FLOW_LINKED,  /* to a function of another file, through a linker's slot */
	TLS_FLOW_UNKNOWN, /* a jump to an address that only the running program knows */
};

struct tls_step {
	uint64_t address;
	uint64_t target;
	enum tls_flow flow;
};

struct tls_code {
	csh engine;
	cs_insn *insn;
	uint16_t machine;
	const uint8_t *at;
	size_t left; /* bytes that were not decoded yet */
	uint64_t address;
	unsigned int added;	  /* register that the last addition went to */
	unsigned int since_added; /* instructions */
};

/* `machine`: EM_X86_64 or EM_AARCH64. 0 or -ENOMEM. */
int tls_code_open(struct tls_code *code, uint16_t machine);
void tls_code_close(struct tls_code *code);

/* Begin to decode `size` bytes that are loaded at `address`. */
void tls_code_begin(struct tls_code *code, const uint8_t *bytes, size_t size, uint64_t address);

/* False at the end; with code->left > 0 the next bytes are no instruction. */
bool tls_code_next(struct tls_code *code, struct tls_step *step);

#endif
