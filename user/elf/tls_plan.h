/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_plan.h - where to put probes in a file: the entries and the RETs of the TLS functions that it
 * exports. Reads untrusted files (a customer's own library): run it in tls_reader.h's sandbox.
 *
 *	SSL_read (libssl)   entry  offset 0x3b2d0  cookie SMTPL_TLS_READ
 *	                    RET    offset 0x3b34f  cookie SMTPL_TLS_READ | SMTPL_TLS_RETURN
 *
 * The RETs of a function are those of its own body, of its parts elsewhere (.cold), and of
 * functions that it tail-calls (gnutls_record_recv does so), unless those have probes of their own.
 * The BPF side checks by the stack pointer that a RET is the function's, so one too many does no
 * harm.
 */
#ifndef SMTPL_TLS_PLAN_H
#define SMTPL_TLS_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include "headers/tls.h"

struct tls_probe {
	uint64_t offset; /* in the file */
	uint32_t cookie; /* enum smtpl_tls_function, perhaps with SMTPL_TLS_RETURN */
	uint32_t pad;
};

struct tls_plan {
	uint32_t libraries; /* enum smtpl_tls_library, or-ed */
	uint32_t count;
	/* In the order to attach them: reading and writing first, and the RETs of each function
	 * before its entry, so that each call whose entry is seen also has its return seen. */
	struct tls_probe probes[SMTPL_TLS_PROBES_MAX];
};

/* 0. -ENOENT: no TLS function in it. -ENOEXEC: no ELF file for this machine. -EBADMSG:
 * damaged. -ENOTSUP: a function that reads or writes has no RET that could be found, or there
 * are too many. Nothing is changed on an error. */
int tls_plan_read(int fd, struct tls_plan *plan);

/* The same of a file in memory, for `machine`: EM_X86_64 or EM_AARCH64. */
int tls_plan_image(const void *image, size_t size, uint16_t machine, struct tls_plan *plan);

#endif
