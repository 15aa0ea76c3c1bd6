/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * nomem.h - allocations that fail when a test says so. Included by one file of a test binary: it
 * stands in front of glibc's malloc for the whole binary. Off under sanitizers, which have their
 * own.
 */
#ifndef SMTPL_TEST_NOMEM_H
#define SMTPL_TEST_NOMEM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
#define NOMEM_WORKS 0
#else
#define NOMEM_WORKS 1
#endif

/* How many allocations still succeed; negative: all. */
static long nomem_left = -1;

static inline void nomem_after(long allocations)
{
	nomem_left = allocations;
}

#if NOMEM_WORKS
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static bool nomem_now(void)
{
	if (nomem_left < 0)
		return false;
	if (nomem_left == 0) {
		errno = ENOMEM;
		return true;
	}
	nomem_left--;
	return false;
}

void *malloc(size_t size)
{
	return nomem_now() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return nomem_now() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	return nomem_now() ? NULL : __libc_realloc(p, size);
}
#endif

#endif
