/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * word_distance.c - how far a mistyped word is from the one that was meant.
 */
#include "word_distance.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

size_t word_distance(const char *a, const char *b)
{
	size_t row[32], length = strlen(b), corner, above;

	if (length >= sizeof(row) / sizeof(row[0]))
		return SIZE_MAX;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; *a; a++, i++) {
		corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			above = row[j];
			row[j] = corner + (tolower((unsigned char)*a) != b[j - 1]);
			if (above + 1 < row[j])
				row[j] = above + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			corner = above;
		}
	}
	return row[length];
}
