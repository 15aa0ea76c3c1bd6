/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_returns.c - decodes every instruction of a function from its beginning, then those of the
 * functions that it jumps to. A probe that is not at the start of an instruction would break the
 * program, so any inconsistency ends the search: bytes that are no instruction, or a jump into the
 * middle of one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "tls_returns.h"

#define REGIONS_MAX	 8
#define REGION_BYTES_MAX 65536 /* a larger one is no part of a function that reads or writes */

/* What is known of a byte of a region. */
enum {
	STEP_BEGINS = 1,
	STEP_LANDING = 2,
};

/* The function's body, or what it jumps to. */
struct region {
	struct tls_span span;
	uint8_t *marks; /* a byte for each of its bytes */
};

struct search {
	const struct tls_elf *elf;
	struct tls_code *code;
	const uint64_t *own;
	size_t own_count;
	struct region regions[REGIONS_MAX];
	size_t regions_count;
	struct tls_returns *found;
};

static bool is_own(const struct search *s, uint64_t address)
{
	size_t i;

	for (i = 0; i < s->own_count; i++)
		if (s->own[i] == address)
			return true;
	return false;
}

static struct region *region_of(struct search *s, uint64_t address)
{
	size_t i;

	for (i = 0; i < s->regions_count; i++)
		if (tls_span_has(s->regions[i].span, address))
			return &s->regions[i];
	return NULL;
}

static int add_region(struct search *s, struct tls_span span)
{
	struct region *region = &s->regions[s->regions_count];
	uint64_t size = span.end - span.start;

	if (s->regions_count == REGIONS_MAX || size == 0 || size > REGION_BYTES_MAX)
		return -ENOTSUP;
	region->marks = calloc(1, size);
	if (!region->marks)
		return -ENOMEM;
	region->span = span;
	s->regions_count++;
	return 0;
}

static int take_jump(struct search *s, uint64_t target)
{
	struct region *region = region_of(s, target);
	struct tls_span body;
	int err;

	if (!region && (is_own(s, target) || tls_elf_is_plt(s->elf, target))) {
		s->found->ends_elsewhere = true;
		return 0;
	}
	if (!region) {
		if (!tls_elf_function(s->elf, target, &body))
			return -ENOTSUP;
		region = &s->regions[s->regions_count];
		err = add_region(s, body);
		if (err)
			return err;
	}
	region->marks[target - region->span.start] |= STEP_LANDING;
	return 0;
}

static int add_return(struct tls_returns *found, uint64_t offset)
{
	if (found->count == SMTPL_TLS_PROBES_MAX)
		return -ENOTSUP;
	found->offsets[found->count++] = offset;
	return 0;
}

static int take_step(struct search *s, const struct tls_step *step, uint64_t offset)
{
	switch (step->flow) {
	case TLS_FLOW_RETURN:
		return add_return(s->found, offset);
	case TLS_FLOW_JUMP:
		return take_jump(s, step->target);
	case TLS_FLOW_LINKED:
		s->found->ends_elsewhere = true;
		return 0;
	case TLS_FLOW_UNKNOWN:
		return -ENOTSUP;
	default:
		return 0;
	}
}

static int sweep(struct search *s, const struct region *region)
{
	struct tls_span span = region->span;
	struct tls_step step;
	const uint8_t *bytes;
	uint64_t offset;
	int err = 0;

	bytes = tls_elf_code(s->elf, span, &offset);
	if (!bytes)
		return -ENOTSUP;
	tls_code_begin(s->code, bytes, span.end - span.start, span.start);
	while (!err && tls_code_next(s->code, &step)) {
		uint64_t into = step.address - span.start;

		region->marks[into] |= STEP_BEGINS;
		err = take_step(s, &step, offset + into);
	}
	return !err && s->code->left > 0 ? -ENOTSUP : err;
}

static bool lands_between(const struct region *region)
{
	uint64_t size = region->span.end - region->span.start;
	uint64_t i;

	for (i = 0; i < size; i++)
		if (region->marks[i] == STEP_LANDING)
			return true;
	return false;
}

int tls_returns_find(const struct tls_elf *elf, struct tls_code *code, struct tls_span body,
		     const uint64_t *own, size_t own_count, struct tls_returns *returns)
{
	struct search s = {
		.elf = elf,
		.code = code,
		.own = own,
		.own_count = own_count,
		.found = returns,
	};
	size_t i;
	int err;

	memset(returns, 0, sizeof(*returns));
	err = add_region(&s, body);
	/* sweep() adds regions to the list. */
	for (i = 0; i < s.regions_count && !err; i++)
		err = sweep(&s, &s.regions[i]);
	for (i = 0; i < s.regions_count; i++) {
		if (!err && lands_between(&s.regions[i]))
			err = -ENOTSUP;
		free(s.regions[i].marks);
	}
	return err;
}
