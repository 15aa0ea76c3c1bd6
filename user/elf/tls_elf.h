/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_elf.h - what a plan needs of an ELF file: its function symbols, the bytes of its code, and
 * where a function without a symbol begins and ends. The file is untrusted and stays mapped as long
 * as struct tls_elf is used.
 */
#ifndef SMTPL_TLS_ELF_H
#define SMTPL_TLS_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <libelf.h>

#define TLS_ELF_PLTS_MAX 8

/* Addresses as the file has them: `end` is the first one behind. */
struct tls_span {
	uint64_t start;
	uint64_t end;
};

struct tls_elf {
	Elf *elf;
	const uint8_t *image;
	size_t size;
	unsigned int code_alignment; /* of an instruction */
	const Elf64_Phdr *segments;
	size_t segments_count;
	struct tls_span plts[TLS_ELF_PLTS_MAX]; /* stubs that jump to functions of other files */
	size_t plts_count;
	const uint8_t *unwind; /* table of .eh_frame_hdr, sorted by address; NULL: none */
	size_t unwind_count;
	uint64_t unwind_base; /* what its entries are relative to */
};

/* One of the file's own functions. */
typedef void (*tls_elf_symbol)(void *arg, const char *name, struct tls_span body);

/* `machine`: EM_X86_64 or EM_AARCH64. 0, -ENOEXEC: no ELF file for that machine; -EBADMSG:
 * damaged. */
int tls_elf_open(struct tls_elf *elf, const void *image, size_t size, uint16_t machine);
void tls_elf_close(struct tls_elf *elf);

/* Calls `take` for every function in the tables of `type`: SHT_DYNSYM or SHT_SYMTAB. 0 or
 * -EBADMSG. */
int tls_elf_symbols(const struct tls_elf *elf, uint32_t type, tls_elf_symbol take, void *arg);

/* The bytes of a span of code, and their offset in the file; NULL: no such code. */
const uint8_t *tls_elf_code(const struct tls_elf *elf, struct tls_span span, uint64_t *offset);

/* The function that `address` lies in, or its part, found in the file's table for stack
 * unwinding. */
bool tls_elf_function(const struct tls_elf *elf, uint64_t address, struct tls_span *body);

bool tls_elf_is_plt(const struct tls_elf *elf, uint64_t address);

static inline bool tls_span_has(struct tls_span span, uint64_t address)
{
	return address >= span.start && address < span.end;
}

#endif
