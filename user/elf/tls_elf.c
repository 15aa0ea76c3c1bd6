/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tls_elf.c - reads untrusted ELF files: libelf finds the tables, and every value from them is
 * checked against the size of the file before it is used.
 */
#include <errno.h>
#include <string.h>
#include "tls_elf.h"

/* .eh_frame_hdr (LSB, "Exception Frames"): version, three encodings, where .eh_frame is, the
 * number of entries, the entries. Linkers write it in this encoding alone. */
#define UNWIND_VERSION	    1
#define UNWIND_COUNT_UDATA4 0x03
#define UNWIND_TABLE_SDATA4 0x3b /* relative to the begin of .eh_frame_hdr */
#define UNWIND_HEADER_BYTES 12
#define UNWIND_ENTRY_BYTES  8

#define ALIGNMENT 8 /* of tables */

static uint32_t u32_at(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Bytes that are loaded at `start`, from a segment with all of `flags`; NULL: no such segment. */
static const uint8_t *loaded(const struct tls_elf *elf, uint64_t start, uint64_t bytes,
			     uint32_t flags)
{
	size_t i;

	for (i = 0; i < elf->segments_count; i++) {
		const Elf64_Phdr *p = &elf->segments[i];
		uint64_t into = start - p->p_vaddr;

		if (p->p_type != PT_LOAD || (p->p_flags & flags) != flags)
			continue;
		if (start < p->p_vaddr || into > p->p_filesz || bytes > p->p_filesz - into)
			continue;
		if (p->p_offset > elf->size || p->p_filesz > elf->size - p->p_offset)
			continue;
		return elf->image + p->p_offset + into;
	}
	return NULL;
}

static int check_ident(const uint8_t *image, size_t size, uint16_t machine)
{
	Elf64_Ehdr header;

	if (size < sizeof(header))
		return -ENOEXEC;
	memcpy(&header, image, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (header.e_machine != machine || machine == EM_NONE ||
	    (header.e_type != ET_DYN && header.e_type != ET_EXEC))
		return -ENOEXEC;
	/* A truncated file loses its section headers first, and libelf takes it for one that has
	 * none. */
	if (header.e_phoff >= size || header.e_shoff >= size ||
	    header.e_shnum * sizeof(Elf64_Shdr) > size - header.e_shoff)
		return -EBADMSG;
	/* libelf accepts this where the processor does; no linker writes it. */
	if ((header.e_phoff | header.e_shoff) % ALIGNMENT)
		return -EBADMSG;
	return 0;
}

static int find_segments(struct tls_elf *elf)
{
	size_t count;

	if (elf_getphdrnum(elf->elf, &count))
		return -EBADMSG;
	elf->segments = count ? elf64_getphdr(elf->elf) : NULL;
	elf->segments_count = count;
	return count && !elf->segments ? -EBADMSG : 0;
}

static int find_plts(struct tls_elf *elf)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf->elf, &names))
		return -EBADMSG;
	while ((section = elf_nextscn(elf->elf, section))) {
		const Elf64_Shdr *header = elf64_getshdr(section);
		const char *name = header ? elf_strptr(elf->elf, names, header->sh_name) : NULL;

		if (!name)
			return -EBADMSG;
		if (strncmp(name, ".plt", 4) != 0 || header->sh_size > UINT64_MAX - header->sh_addr)
			continue;
		if (elf->plts_count == TLS_ELF_PLTS_MAX)
			return -EBADMSG;
		elf->plts[elf->plts_count].start = header->sh_addr;
		elf->plts[elf->plts_count++].end = header->sh_addr + header->sh_size;
	}
	return 0;
}

/* Without the table only functions of one part can be probed. */
static void find_unwind(struct tls_elf *elf)
{
	const uint8_t *table;
	size_t i;

	for (i = 0; i < elf->segments_count; i++)
		if (elf->segments[i].p_type == PT_GNU_EH_FRAME)
			break;
	if (i == elf->segments_count)
		return;
	elf->unwind_base = elf->segments[i].p_vaddr;
	table = loaded(elf, elf->unwind_base, UNWIND_HEADER_BYTES, PF_R);
	if (!table || table[0] != UNWIND_VERSION || table[2] != UNWIND_COUNT_UDATA4 ||
	    table[3] != UNWIND_TABLE_SDATA4)
		return;
	elf->unwind_count = u32_at(table + 8);
	elf->unwind = loaded(elf, elf->unwind_base + UNWIND_HEADER_BYTES,
			     (uint64_t)elf->unwind_count * UNWIND_ENTRY_BYTES, PF_R);
}

int tls_elf_open(struct tls_elf *elf, const void *image, size_t size, uint16_t machine)
{
	int err = check_ident(image, size, machine);

	memset(elf, 0, sizeof(*elf));
	if (err)
		return err;
	elf_version(EV_CURRENT);
	elf->image = image;
	elf->size = size;
	elf->code_alignment = machine == EM_AARCH64 ? 4 : 1;
	elf->elf = elf_memory((char *)image, size); /* libelf does not write to it */
	if (!elf->elf)
		return -EBADMSG;
	err = find_segments(elf);
	if (!err)
		err = find_plts(elf);
	if (err)
		tls_elf_close(elf);
	else
		find_unwind(elf);
	return err;
}

void tls_elf_close(struct tls_elf *elf)
{
	elf_end(elf->elf);
	elf->elf = NULL;
}

static int take_table(const struct tls_elf *elf, Elf_Scn *section, uint32_t strings,
		      tls_elf_symbol take, void *arg)
{
	const Elf_Data *symbols = elf_getdata(section, NULL);
	const Elf_Data *names = elf_getdata(elf_getscn(elf->elf, strings), NULL);
	const Elf64_Sym *symbol;
	const char *text;

	if (!symbols || !names)
		return -EBADMSG;
	if (symbols->d_type != ELF_T_SYM || !symbols->d_buf || !names->d_buf || names->d_size == 0)
		return -EBADMSG;
	text = names->d_buf;
	if (text[names->d_size - 1] != '\0')
		return -EBADMSG;
	symbol = symbols->d_buf;
	if ((uintptr_t)symbol % ALIGNMENT)
		return -EBADMSG;
	for (size_t left = symbols->d_size / sizeof(*symbol); left > 0; left--, symbol++) {
		const struct tls_span body = {symbol->st_value, symbol->st_value + symbol->st_size};

		if (symbol->st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol->st_info) != STT_FUNC)
			continue;
		if (symbol->st_name >= names->d_size || body.end < body.start)
			return -EBADMSG;
		take(arg, text + symbol->st_name, body);
	}
	return 0;
}

int tls_elf_symbols(const struct tls_elf *elf, uint32_t type, tls_elf_symbol take, void *arg)
{
	Elf_Scn *section = NULL;
	int err = 0;

	while (!err && (section = elf_nextscn(elf->elf, section))) {
		const Elf64_Shdr *header = elf64_getshdr(section);

		if (!header)
			return -EBADMSG;
		if (header->sh_type == type)
			err = take_table(elf, section, header->sh_link, take, arg);
	}
	return err;
}

const uint8_t *tls_elf_code(const struct tls_elf *elf, struct tls_span span, uint64_t *offset)
{
	const uint8_t *code = loaded(elf, span.start, span.end - span.start, PF_R | PF_X);

	if (!code || span.start % elf->code_alignment)
		return NULL;
	*offset = code - elf->image;
	return code;
}

static uint64_t unwind_address(const struct tls_elf *elf, size_t entry, size_t at)
{
	const uint8_t *field = elf->unwind + entry * UNWIND_ENTRY_BYTES + at;

	return elf->unwind_base + (int32_t)u32_at(field);
}

/*
 * The size is in the entry of .eh_frame: length, its CIE, begin, size. The CIE says how the last
 * two are encoded. Where the begin equals the table's when it is read in the one encoding that
 * compilers use for code of a shared object, the size is in that encoding, too.
 */
static bool unwind_span(const struct tls_elf *elf, size_t entry, struct tls_span *body)
{
	uint64_t start = unwind_address(elf, entry, 0);
	uint64_t frame = unwind_address(elf, entry, 4);
	const uint8_t *fields = loaded(elf, frame, 16, PF_R);

	if (!fields || frame + 8 + (int32_t)u32_at(fields + 8) != start)
		return false;
	body->start = start;
	body->end = start + u32_at(fields + 12);
	return body->end > start;
}

bool tls_elf_function(const struct tls_elf *elf, uint64_t address, struct tls_span *body)
{
	size_t low = 0, high = elf->unwind ? elf->unwind_count : 0;
	struct tls_span found;

	/* The last entry that does not begin behind the address. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (unwind_address(elf, middle, 0) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || !unwind_span(elf, low - 1, &found) || !tls_span_has(found, address))
		return false;
	*body = found;
	return true;
}

bool tls_elf_is_plt(const struct tls_elf *elf, uint64_t address)
{
	size_t i;

	for (i = 0; i < elf->plts_count; i++)
		if (tls_span_has(elf->plts[i], address))
			return true;
	return false;
}
