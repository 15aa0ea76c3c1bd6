/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_tally.h - the plan of a file as binutils see it: functions by readelf, instructions and jumps
 * into the PLT by objdump, further parts of functions by the dump of the frames.
 */
#ifndef SMTPL_TEST_TLS_TALLY_H
#define SMTPL_TEST_TLS_TALLY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "elf/tls_plan.h"

#define TALLY_FUNCTIONS_MAX 32
#define TALLY_PARTS_MAX	    32

struct tally_function {
	char name[64];
	uint64_t start, end;
	uint32_t cookie;
};

/* A function's body and what it jumps to, with the RETs in there. */
struct tally_parts {
	struct tally_function parts[TALLY_PARTS_MAX];
	size_t count;
	uint64_t returns[SMTPL_TLS_PROBES_MAX];
	size_t returns_count;
};

struct tally {
	const char *path;
	struct tally_function functions[TALLY_FUNCTIONS_MAX];
	size_t functions_count;
	struct tls_plan plan;
};

static const struct {
	const char *name;
	uint32_t cookie;
} tally_names[] = {
	{"SSL_read", SMTPL_TLS_READ},
	{"SSL_read_ex", SMTPL_TLS_READ_EX},
	{"SSL_write", SMTPL_TLS_WRITE},
	{"SSL_write_ex", SMTPL_TLS_WRITE_EX},
	{"SSL_write_ex2", SMTPL_TLS_WRITE_EX2},
	{"SSL_do_handshake", SMTPL_TLS_HANDSHAKE},
	{"SSL_connect", SMTPL_TLS_HANDSHAKE},
	{"SSL_free", SMTPL_TLS_FREE},
	{"gnutls_record_recv", SMTPL_TLS_READ},
	{"gnutls_record_recv_seq", SMTPL_TLS_READ},
	{"gnutls_record_send", SMTPL_TLS_WRITE},
	{"gnutls_record_send2", SMTPL_TLS_WRITE},
	{"gnutls_record_send_range", SMTPL_TLS_WRITE},
	{"gnutls_record_uncork", SMTPL_TLS_UNCORK},
	{"gnutls_handshake", SMTPL_TLS_HANDSHAKE},
	{"gnutls_deinit", SMTPL_TLS_FREE},
};

__attribute__((format(printf, 1, 2))) static inline FILE *tally_run(const char *format, ...)
{
	char command[1024];
	va_list args;
	FILE *out;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	out = popen(command, "r");
	assert_non_null(out);
	return out;
}

/* "   666: 0000000000035a50    29 FUNC    GLOBAL DEFAULT   13 SSL_write_ex@@OPENSSL_3.0.0" */
static inline void tally_symbol(struct tally *t, const char *line)
{
	struct tally_function *f = &t->functions[t->functions_count];
	char size[32], type[32], section[32], name[256];
	size_t i;

	if (sscanf(line, " %*d: %lx %31s %31s %*s %*s %31s %255s", &f->start, size, type, section,
		   name) != 5 ||
	    strcmp(type, "FUNC") != 0 || strcmp(section, "UND") == 0)
		return;
	name[strcspn(name, "@")] = '\0';
	f->end = f->start + strtoul(size, NULL, 0);
	for (i = 0; i < sizeof(tally_names) / sizeof(*tally_names); i++) {
		if (strcmp(name, tally_names[i].name) != 0)
			continue;
		strcpy(f->name, name);
		f->cookie = tally_names[i].cookie;
		assert_true(++t->functions_count < TALLY_FUNCTIONS_MAX);
	}
}

static inline void tally_symbols(struct tally *t, const char *table)
{
	FILE *out = tally_run("readelf -W %s '%s'", table, t->path);
	char line[4096];

	while (fgets(line, sizeof(line), out))
		tally_symbol(t, line);
	assert_int_equal(pclose(out), 0);
}

/* "  LOAD           0x037000 0x0000000000037000 0x0000000000037000 0x133ee9 0x133ee9 R E
 * 0x1000" */
static inline uint64_t tally_offset(const struct tally *t, uint64_t address)
{
	FILE *out = tally_run("readelf -lW '%s'", t->path);
	uint64_t offset, start, size, found = 0;
	char line[4096];

	while (fgets(line, sizeof(line), out))
		if (sscanf(line, " LOAD %lx %lx %*s %lx", &offset, &start, &size) == 3 &&
		    strstr(line, "R E") && address >= start && address < start + size)
			found = address - start + offset;
	assert_int_equal(pclose(out), 0);
	assert_true(found != 0);
	return found;
}

static inline void tally_probe(struct tally *t, uint64_t address, uint32_t cookie)
{
	struct tls_probe *p = &t->plan.probes[t->plan.count];
	uint32_t i;

	*p = (struct tls_probe){.offset = tally_offset(t, address), .cookie = cookie};
	for (i = 0; i < t->plan.count; i++)
		if (memcmp(p, &t->plan.probes[i], sizeof(*p)) == 0)
			return;
	assert_true(++t->plan.count < SMTPL_TLS_PROBES_MAX);
}

static inline bool tally_is_mover(const struct tally *t, uint64_t address)
{
	size_t i;

	for (i = 0; i < t->functions_count; i++)
		if (t->functions[i].start == address &&
		    t->functions[i].cookie < SMTPL_TLS_HANDSHAKE)
			return true;
	return false;
}

/* "00000018 0000000000000024 0000001c FDE cie=00000000 pc=0000000000037020..000000000003a9c0" */
static inline struct tally_function tally_frame(const struct tally *t, uint64_t address)
{
	FILE *out = tally_run("readelf --debug-dump=frames '%s'", t->path);
	struct tally_function found = {.start = 0};
	uint64_t start, end;
	char line[4096];

	while (fgets(line, sizeof(line), out)) {
		const char *pc = strstr(line, " FDE ") ? strstr(line, " pc=") : NULL;

		if (pc && sscanf(pc, " pc=%lx..%lx", &start, &end) == 2 && address >= start &&
		    address < end)
			found = (struct tally_function){.start = start, .end = end};
	}
	pclose(out);
	assert_true(found.end != 0);
	return found;
}

/* "   3fa86:<tab>jmp    3e8b0 <gnutls_transport_get_int@@GNUTLS_3_4+0x31c0>": where a jump
 * goes to; 0: it is none, or one that is not followed. */
static inline uint64_t tally_jump(const struct tally *t, const char *text)
{
	uint64_t target;

	if (strncmp(text, "bnd ", 4) == 0 || strncmp(text, "notrack ", 8) == 0)
		text = strchr(text, ' ') + 1;
	if (text[0] != 'j' || strstr(text, "@plt") || strchr(text, '*') ||
	    sscanf(text, "%*s %lx", &target) != 1)
		return 0;
	return tally_is_mover(t, target) ? 0 : target;
}

static inline bool tally_is_return(const char *text)
{
	return strncmp(text, "ret", 3) == 0 || strncmp(text, "repz ret", 8) == 0 ||
	       strncmp(text, "bnd ret", 7) == 0;
}

static inline void tally_instruction(const struct tally *t, struct tally_parts *p, uint64_t address,
				     const char *text)
{
	uint64_t target = tally_jump(t, text);
	size_t i;

	if (tally_is_return(text))
		p->returns[p->returns_count++] = address;
	for (i = 0; i < p->count; i++)
		if (target >= p->parts[i].start && target < p->parts[i].end)
			return;
	if (target)
		p->parts[p->count++] = tally_frame(t, target);
	assert_true(p->count < TALLY_PARTS_MAX && p->returns_count < SMTPL_TLS_PROBES_MAX);
}

static inline void tally_part(const struct tally *t, struct tally_parts *p, size_t part)
{
	FILE *out = tally_run("objdump -d --no-show-raw-insn --start-address=%#lx "
			      "--stop-address=%#lx '%s'",
			      p->parts[part].start, p->parts[part].end, t->path);
	char line[4096];
	uint64_t address;

	while (fgets(line, sizeof(line), out)) {
		const char *text = strchr(line, '\t');

		if (text && sscanf(line, " %lx:", &address) == 1)
			tally_instruction(t, p, address, text + 1);
	}
	assert_int_equal(pclose(out), 0);
}

static inline void tally_function(struct tally *t, const struct tally_function *f)
{
	struct tally_parts p = {.parts = {*f}, .count = 1};
	size_t i;

	if (f->start == f->end)
		p.parts[0] = tally_frame(t, f->start);
	if (f->cookie >= SMTPL_TLS_HANDSHAKE) {
		tally_probe(t, f->start, f->cookie);
		return;
	}
	for (i = 0; i < p.count; i++)
		tally_part(t, &p, i);
	if (p.returns_count)
		tally_probe(t, f->start, f->cookie);
	for (i = 0; i < p.returns_count; i++)
		tally_probe(t, p.returns[i], f->cookie | SMTPL_TLS_RETURN);
}

static inline int tally_compare(const void *a, const void *b)
{
	const struct tls_probe *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

static inline void tally_sort(struct tls_plan *plan)
{
	qsort(plan->probes, plan->count, sizeof(*plan->probes), tally_compare);
}

/* The plan that the file must have, sorted; count 0: none. `table`: of symbols, for readelf. */
static inline struct tls_plan tally_plan(const char *path, const char *table)
{
	static struct tally t;
	size_t i;

	t = (struct tally){.path = path};
	tally_symbols(&t, table);
	for (i = 0; i < t.functions_count; i++) {
		t.plan.libraries |=
			t.functions[i].name[0] == 'S' ? SMTPL_TLS_OPENSSL : SMTPL_TLS_GNUTLS;
		tally_function(&t, &t.functions[i]);
	}
	tally_sort(&t.plan);
	return t.plan;
}

#endif
