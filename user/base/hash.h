/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hash.h - the mixing behind every hash table of the core and behind a mail's identity. Strangers
 * choose the domains that become keys, so tables are seeded: nobody can make all of them meet in
 * one bucket. Identities outlive the process (they are saved with the window), so they are not.
 */
#ifndef SMTPL_HASH_H
#define SMTPL_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The finalizer of splitmix64: a permutation, so no two inputs meet. */
static inline uint64_t hash_word(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* For one `a` a permutation of b as well: two numbers never have one hash. */
static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
	return hash_word(hash_word(a) ^ b);
}

static inline uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t size)
{
	const char *at = bytes;
	uint64_t hash = hash_pair(seed, size);

	while (size > 0) {
		size_t n = size < sizeof(hash) ? size : sizeof(hash);
		uint64_t word = 0;

		memcpy(&word, at, n);
		hash = hash_word(hash ^ word);
		at += n;
		size -= n;
	}
	return hash;
}

#endif
