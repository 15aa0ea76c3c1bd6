/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_code.c - turns what capstone decodes into control flow, for x86-64 and for aarch64.
 *
 * An indirect jump is either a switch or a tail call. Compilers reach the cases of a switch by a
 * table of distances, so an addition makes the address, or on x86 the table is the jump's own
 * operand; a function's address is loaded as it is.
 */
#include <errno.h>
#include <elf.h>
#include <string.h>
#include "tls_code.h"

#define ADDED_NEAR 4 /* instructions between the addition and the jump, at most */

/* capstone 4 does not know these. All aarch64 instructions have one size and are aligned, so they
 * can be compared as words. */
#define AARCH64_RETAA 0xd65f0bffu
#define AARCH64_RETAB 0xd65f0fffu

int tls_code_open(struct tls_code *code, uint16_t machine)
{
	bool x86 = machine == EM_X86_64;

	memset(code, 0, sizeof(*code));
	code->machine = machine;
	if (cs_open(x86 ? CS_ARCH_X86 : CS_ARCH_ARM64, x86 ? CS_MODE_64 : CS_MODE_LITTLE_ENDIAN,
		    &code->engine))
		return -ENOMEM;
	if (cs_option(code->engine, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK)
		code->insn = cs_malloc(code->engine);
	if (code->insn)
		return 0;
	cs_close(&code->engine);
	return -ENOMEM;
}

void tls_code_close(struct tls_code *code)
{
	cs_free(code->insn, 1);
	cs_close(&code->engine);
}

void tls_code_begin(struct tls_code *code, const uint8_t *bytes, size_t size, uint64_t address)
{
	code->at = bytes;
	code->left = size;
	code->address = address;
	code->since_added = ADDED_NEAR + 1;
}

static bool is_in_group(const struct tls_code *code, uint8_t group)
{
	return cs_insn_group(code->engine, code->insn, group);
}

static void note_addition(struct tls_code *code, bool is_addition, unsigned int to)
{
	code->since_added += code->since_added <= ADDED_NEAR;
	if (!is_addition)
		return;
	code->added = to;
	code->since_added = 0;
}

static enum tls_flow jump_by_register(const struct tls_code *code, unsigned int reg)
{
	bool is_sum = code->added == reg && code->since_added <= ADDED_NEAR;

	return is_sum ? TLS_FLOW_TABLE : TLS_FLOW_UNKNOWN;
}

static enum tls_flow x86_jump(const struct tls_code *code, uint64_t *target)
{
	const cs_x86_op *to = &code->insn->detail->x86.operands[0];

	if (code->insn->detail->x86.op_count != 1)
		return TLS_FLOW_UNKNOWN;
	switch (to->type) {
	case X86_OP_IMM:
		*target = (uint64_t)to->imm;
		return TLS_FLOW_JUMP;
	case X86_OP_REG:
		return jump_by_register(code, to->reg);
	case X86_OP_MEM:
		if (to->mem.base == X86_REG_RIP)
			return TLS_FLOW_LINKED; /* as with -fno-plt */
		return to->mem.index == X86_REG_INVALID ? TLS_FLOW_UNKNOWN : TLS_FLOW_TABLE;
	default:
		return TLS_FLOW_UNKNOWN;
	}
}

static enum tls_flow x86_flow(struct tls_code *code, uint64_t *target)
{
	const cs_insn *insn = code->insn;
	enum tls_flow flow = TLS_FLOW_NEXT;

	if (insn->id == X86_INS_RET)
		flow = TLS_FLOW_RETURN;
	else if (insn->id == X86_INS_LJMP)
		flow = TLS_FLOW_UNKNOWN;
	else if (is_in_group(code, X86_GRP_JUMP))
		flow = x86_jump(code, target);
	note_addition(code, insn->id == X86_INS_ADD, insn->detail->x86.operands[0].reg);
	return flow;
}

static enum tls_flow aarch64_jump(const struct tls_code *code, uint64_t *target)
{
	const cs_arm64 *detail = &code->insn->detail->arm64;
	const cs_arm64_op *to;

	if (detail->op_count == 0)
		return TLS_FLOW_UNKNOWN;
	to = &detail->operands[detail->op_count - 1]; /* behind what cbz or tbz tests */
	if (to->type == ARM64_OP_REG)
		return jump_by_register(code, to->reg);
	if (to->type != ARM64_OP_IMM)
		return TLS_FLOW_UNKNOWN;
	*target = (uint64_t)to->imm;
	return TLS_FLOW_JUMP;
}

static enum tls_flow aarch64_flow(struct tls_code *code, uint64_t *target)
{
	const cs_insn *insn = code->insn;
	enum tls_flow flow = TLS_FLOW_NEXT;

	if (insn->id == ARM64_INS_RET)
		flow = TLS_FLOW_RETURN;
	else if (is_in_group(code, ARM64_GRP_JUMP) && insn->id != ARM64_INS_BL &&
		 insn->id != ARM64_INS_BLR)
		flow = aarch64_jump(code, target);
	note_addition(code, insn->id == ARM64_INS_ADD, insn->detail->arm64.operands[0].reg);
	return flow;
}

static bool is_signed_return(const struct tls_code *code)
{
	uint32_t word;

	if (code->machine != EM_AARCH64 || code->left < sizeof(word))
		return false;
	memcpy(&word, code->at, sizeof(word));
	return word == AARCH64_RETAA || word == AARCH64_RETAB;
}

bool tls_code_next(struct tls_code *code, struct tls_step *step)
{
	step->address = code->address;
	step->target = 0;
	if (code->left == 0)
		return false;
	if (is_signed_return(code)) {
		step->flow = TLS_FLOW_RETURN;
		code->at += 4;
		code->left -= 4;
		code->address += 4;
		return true;
	}
	if (!cs_disasm_iter(code->engine, &code->at, &code->left, &code->address, code->insn))
		return false;
	step->flow = code->machine == EM_X86_64 ? x86_flow(code, &step->target) :
						  aarch64_flow(code, &step->target);
	return true;
}
