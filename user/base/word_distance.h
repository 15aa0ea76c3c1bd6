/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * word_distance.h - how far a mistyped word is from the one that was meant.
 */
#ifndef SMTPL_WORD_DISTANCE_H
#define SMTPL_WORD_DISTANCE_H

#include <stddef.h>

/* Words that are nearer than this are probably meant. */
#define WORD_NEAR 3

/* Edits (insert, delete, replace) between two words, upper and lower case of `a` alike. SIZE_MAX: b
 * has more than 31 bytes. */
size_t word_distance(const char *a, const char *b);

#endif
