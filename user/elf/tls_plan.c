/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_plan.c - finds the functions by which TLS libraries read, write, shake hands and end a
 * session, and makes the plan of their probes.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "tls_code.h"
#include "tls_elf.h"
#include "tls_plan.h"
#include "tls_returns.h"

#define FILE_BYTES_MAX (512u << 20)
#define FUNCTIONS_MAX  32 /* of one file: a name may have several versions */
#define NAME_SIZE      32

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE /* none is planned for */
#endif

struct known {
	char name[NAME_SIZE];
	enum smtpl_tls_library library;
	enum smtpl_tls_function function;
};

static const struct known known_functions[] = {
	{"SSL_read", SMTPL_TLS_OPENSSL, SMTPL_TLS_READ},
	{"SSL_read_ex", SMTPL_TLS_OPENSSL, SMTPL_TLS_READ_EX},
	{"SSL_write", SMTPL_TLS_OPENSSL, SMTPL_TLS_WRITE},
	{"SSL_write_ex", SMTPL_TLS_OPENSSL, SMTPL_TLS_WRITE_EX},
	{"SSL_write_ex2", SMTPL_TLS_OPENSSL, SMTPL_TLS_WRITE_EX2},
	{"SSL_do_handshake", SMTPL_TLS_OPENSSL, SMTPL_TLS_HANDSHAKE},
	{"SSL_connect", SMTPL_TLS_OPENSSL, SMTPL_TLS_HANDSHAKE},
	{"SSL_free", SMTPL_TLS_OPENSSL, SMTPL_TLS_FREE},
	{"gnutls_record_recv", SMTPL_TLS_GNUTLS, SMTPL_TLS_READ},
	{"gnutls_record_recv_seq", SMTPL_TLS_GNUTLS, SMTPL_TLS_READ},
	{"gnutls_record_send", SMTPL_TLS_GNUTLS, SMTPL_TLS_WRITE},
	{"gnutls_record_send2", SMTPL_TLS_GNUTLS, SMTPL_TLS_WRITE},
	{"gnutls_record_send_range", SMTPL_TLS_GNUTLS, SMTPL_TLS_WRITE},
	{"gnutls_record_uncork", SMTPL_TLS_GNUTLS, SMTPL_TLS_UNCORK},
	{"gnutls_handshake", SMTPL_TLS_GNUTLS, SMTPL_TLS_HANDSHAKE},
	{"gnutls_deinit", SMTPL_TLS_GNUTLS, SMTPL_TLS_FREE},
};

struct function {
	const struct known *known;
	struct tls_span body;
	bool only_tail_calls; /* ends in other functions alone: they are probed in its place */
};

/* The functions of a file, and the plan in the making. */
struct draft {
	struct tls_elf elf;
	struct tls_code code;
	struct function functions[FUNCTIONS_MAX];
	size_t count;
	bool too_many;
	uint64_t own[FUNCTIONS_MAX]; /* where those that move data begin */
	size_t own_count;
	struct tls_plan plan;
};

static bool moves_data(enum smtpl_tls_function function)
{
	return function >= SMTPL_TLS_READ && function <= SMTPL_TLS_UNCORK;
}

static bool reads(enum smtpl_tls_function function)
{
	return function == SMTPL_TLS_READ || function == SMTPL_TLS_READ_EX;
}

/* --- the functions of the file ---------------------------------------------------------------- */

static const struct known *known_by_name(const char *name)
{
	size_t i;

	/* Most of a large library's names go here. */
	if (name[0] != 'S' && name[0] != 'g')
		return NULL;
	for (i = 0; i < sizeof(known_functions) / sizeof(*known_functions); i++)
		if (strcmp(known_functions[i].name, name) == 0)
			return &known_functions[i];
	return NULL;
}

static void take_symbol(void *arg, const char *name, struct tls_span body)
{
	const struct known *known = known_by_name(name);
	struct draft *d = arg;

	if (!known)
		return;
	d->too_many = d->count == FUNCTIONS_MAX;
	if (d->too_many)
		return;
	d->functions[d->count++] = (struct function){.known = known, .body = body};
	if (moves_data(known->function))
		d->own[d->own_count++] = body.start;
}

static int find_functions(struct draft *d)
{
	int err = tls_elf_symbols(&d->elf, SHT_DYNSYM, take_symbol, d);

	/* A program with the library linked in need not export it. */
	if (!err && d->own_count == 0)
		err = tls_elf_symbols(&d->elf, SHT_SYMTAB, take_symbol, d);
	if (!err && d->own_count == 0)
		err = -ENOENT;
	return !err && d->too_many ? -ENOTSUP : err;
}

/* --- the probes ------------------------------------------------------------------------------- */

static int add_probe(struct tls_plan *plan, uint64_t offset, uint32_t cookie)
{
	uint32_t i;

	/* A function may have several names and versions; two may end in the same third one. */
	for (i = 0; i < plan->count; i++)
		if (plan->probes[i].offset == offset && plan->probes[i].cookie == cookie)
			return 0;
	if (plan->count == SMTPL_TLS_PROBES_MAX)
		return -ENOTSUP;
	plan->probes[plan->count].offset = offset;
	plan->probes[plan->count++].cookie = cookie;
	return 0;
}

static int add_entry(struct draft *d, const struct function *f)
{
	const struct tls_span first = {f->body.start, f->body.start + 1};
	uint64_t offset;

	if (!tls_elf_code(&d->elf, first, &offset))
		return -ENOTSUP;
	d->plan.libraries |= f->known->library;
	return add_probe(&d->plan, offset, f->known->function);
}

static int add_mover(struct draft *d, struct function *f)
{
	struct tls_returns returns;
	size_t i;
	int err;

	/* Written in assembler without a size. */
	if (f->body.start == f->body.end && !tls_elf_function(&d->elf, f->body.start, &f->body))
		return -ENOTSUP;
	err = tls_returns_find(&d->elf, &d->code, f->body, d->own, d->own_count, &returns);
	if (err)
		return err;
	f->only_tail_calls = returns.count == 0;
	if (f->only_tail_calls)
		return returns.ends_elsewhere ? 0 : -ENOTSUP;
	for (i = 0; i < returns.count && !err; i++)
		err = add_probe(&d->plan, returns.offsets[i],
				f->known->function | SMTPL_TLS_RETURN);
	return err ? err : add_entry(d, f);
}

/* Does another function of the same library, for the same direction, have its probes? */
static bool has_probed_sibling(const struct draft *d, const struct function *f)
{
	size_t i;

	for (i = 0; i < d->count; i++) {
		const struct function *other = &d->functions[i];

		if (moves_data(other->known->function) && !other->only_tail_calls &&
		    other->known->library == f->known->library &&
		    reads(other->known->function) == reads(f->known->function))
			return true;
	}
	return false;
}

static int make_plan(struct draft *d)
{
	size_t i;
	int err = 0;

	for (i = 0; i < d->count && !err; i++)
		if (moves_data(d->functions[i].known->function))
			err = add_mover(d, &d->functions[i]);
	for (i = 0; i < d->count && !err; i++)
		if (d->functions[i].only_tail_calls && !has_probed_sibling(d, &d->functions[i]))
			err = -ENOTSUP;
	for (i = 0; i < d->count && !err; i++)
		if (!moves_data(d->functions[i].known->function))
			err = add_entry(d, &d->functions[i]);
	return err;
}

int tls_plan_image(const void *image, size_t size, uint16_t machine, struct tls_plan *plan)
{
	struct draft d = {0};
	int err = tls_elf_open(&d.elf, image, size, machine);

	if (err)
		return err;
	err = find_functions(&d);
	if (!err)
		err = tls_code_open(&d.code, machine);
	if (!err) {
		err = make_plan(&d);
		tls_code_close(&d.code);
	}
	tls_elf_close(&d.elf);
	if (!err)
		*plan = d.plan;
	return err;
}

int tls_plan_read(int fd, struct tls_plan *plan)
{
	struct stat file;
	void *image;
	int err;

	if (fstat(fd, &file))
		return -errno;
	if (!S_ISREG(file.st_mode) || file.st_size == 0 || file.st_size > FILE_BYTES_MAX)
		return -ENOEXEC;
	/* Shared: a private mapping contains the breakpoints of those who probe the file already
	 * (we, with [watch] tls = library), and the plan would be made of them. */
	image = mmap(NULL, file.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (image == MAP_FAILED)
		return -errno;
	err = tls_plan_image(image, file.st_size, MACHINE, plan);
	munmap(image, file.st_size);
	return err;
}
