/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maillog_file.c - follows a log file through its rotations. A place in it is known by the file's
 * inode and by a hash of the bytes before it, which also finds it in a copy; so each of rename and
 * copytruncate is seen, while reading and after, and the file that has the place is read to its end
 * before those that came after it.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/hash.h"
#include "maillog_child.h"

#define MARK_BYTES	   512 /* some lines with times and ids: ends of lines are often alike */
#define BUFFER_BYTES	   (256 << 10)
#define LINE_BYTES	   (8 << 10) /* Postfix cuts at 2000; a longer line is nobody's */
#define HISTORY_BYTES	   (64ll << 20)
#define POSITION_BYTES	   (1 << 20) /* the position is sent at least each */
#define LOOK_MS		   100
#define LOOKS_PER_QUESTION 5 /* whether the name stands for another file */
#define MISSING_MS	   1000

enum fill {
	FILL_DATA,
	FILL_END,
	FILL_CHANGED, /* what was read is not there any more */
};

/* A file being read. Bytes [0, begin) of the buffer are taken, [begin, end) are not. */
struct file {
	int fd;
	uint64_t inode;
	uint64_t base; /* offset of the buffer's first byte */
	size_t begin;
	size_t end;
	uint64_t limit; /* lines that begin there, or behind, are not read */
	bool skipping;	/* up to the end of the line */
	bool fresh;	/* follows another file, and nothing of it was taken */
	char *buffer;
};

/* The log and its rotated files, newest first. */
struct chain {
	size_t count;
	int fds[MAILLOG_FILES_MAX];
	struct stat stats[MAILLOG_FILES_MAX];
};

static uint64_t mark_of(const char *bytes, size_t size)
{
	return hash_bytes(0, bytes, size);
}

static void chain_close(struct chain *chain)
{
	size_t i;

	for (i = 0; i < chain->count; i++)
		close(chain->fds[i]);
	chain->count = 0;
}

static bool chain_open(struct maillog_child *c, struct chain *chain)
{
	size_t i;

	chain->count = maillog_child_files(c, true, chain->fds);
	for (i = 0; i < chain->count; i++)
		fstat(chain->fds[i], &chain->stats[i]);
	return chain->count > 0;
}

/* Does this file have the place? */
static bool fits(int fd, const struct stat *stat, const struct maillog_position *at)
{
	size_t size = at->offset < MARK_BYTES ? at->offset : MARK_BYTES;
	char bytes[MARK_BYTES];

	if ((uint64_t)stat->st_size < at->offset)
		return false;
	return pread(fd, bytes, size, at->offset - size) == (ssize_t)size &&
	       mark_of(bytes, size) == at->mark;
}

/* Which one has it: the file itself, or a copy. -1: none. */
static int chain_find(const struct chain *chain, const struct maillog_position *at)
{
	size_t i;

	for (i = 0; i < chain->count; i++)
		if (chain->stats[i].st_ino == at->inode &&
		    fits(chain->fds[i], &chain->stats[i], at))
			return (int)i;
	for (i = 0; i < chain->count; i++)
		if (at->offset > 0 && fits(chain->fds[i], &chain->stats[i], at))
			return (int)i;
	return -1;
}

/* To be read from `offset` on; the descriptor stays the chain's. */
static void file_open(struct file *f, const struct chain *chain, size_t i, uint64_t offset)
{
	size_t before = offset < MARK_BYTES ? offset : MARK_BYTES;
	ssize_t got;

	f->fd = chain->fds[i];
	f->inode = chain->stats[i].st_ino;
	f->base = offset - before;
	got = pread(f->fd, f->buffer, before, f->base);
	f->begin = f->end = got > 0 ? got : 0;
	f->limit = UINT64_MAX;
	f->skipping = false;
	f->fresh = false;
}

/* Are the last bytes that were read still there? Else the file was truncated, and may have grown
 * again. */
static bool still_there(const struct file *f)
{
	size_t size = f->end < MARK_BYTES ? f->end : MARK_BYTES;
	char bytes[MARK_BYTES];

	return pread(f->fd, bytes, size, f->base + f->end - size) == (ssize_t)size &&
	       memcmp(bytes, f->buffer + f->end - size, size) == 0;
}

/* Make room, but keep what a mark needs. */
static void compact(struct file *f)
{
	size_t drop = f->begin > MARK_BYTES ? f->begin - MARK_BYTES : 0;

	memmove(f->buffer, f->buffer + drop, f->end - drop);
	f->base += drop;
	f->begin -= drop;
	f->end -= drop;
}

static enum fill fill(struct file *f)
{
	ssize_t got;

	compact(f);
	got = pread(f->fd, f->buffer + f->end, BUFFER_BYTES - f->end, f->base + f->end);
	/* Afterwards: then what was read stood behind it. */
	if (!still_there(f))
		return FILL_CHANGED;
	if (got <= 0)
		return FILL_END;
	f->end += got;
	return FILL_DATA;
}

/* The place behind the lines that were taken. While lines pass that were reported before, the old
 * place is the better one to begin from again. */
static void note_position(struct maillog_child *c, const struct file *f)
{
	size_t size = f->begin < MARK_BYTES ? f->begin : MARK_BYTES;

	if (!c->reporting || c->reported_until_ns != INT64_MIN)
		return;
	c->position.kind = MAILLOG_IN_FILE;
	c->position.inode = f->inode;
	c->position.offset = f->base + f->begin;
	c->position.mark = mark_of(f->buffer + f->begin - size, size);
}

/* One line; `next` is behind its end. */
static void take_line(struct maillog_child *c, struct file *f, size_t size, const char *next)
{
	const char *line = f->buffer + f->begin;
	struct maillog_line parsed;
	bool skipped = f->skipping;
	bool is_line;

	f->begin = next - f->buffer;
	f->skipping = false;
	is_line = !skipped && size <= LINE_BYTES &&
		  maillog_line_parse(&c->clock, line, size, time(NULL), &parsed);
	if (is_line && parsed.wall_ns > c->reported_until_ns && c->reporting)
		c->reported_until_ns = INT64_MIN;
	note_position(c, f);
	if (is_line && !c->gone)
		maillog_child_take(c, &parsed);
}

/* All whole lines in the buffer, up to the limit. */
static void take_lines(struct maillog_child *c, struct file *f)
{
	const char *eol;

	while (f->base + f->begin < f->limit &&
	       (eol = memchr(f->buffer + f->begin, '\n', f->end - f->begin)))
		take_line(c, f, eol - (f->buffer + f->begin), eol + 1);
	if (f->end - f->begin <= LINE_BYTES || f->base + f->begin >= f->limit)
		return;
	/* The position stays before it. */
	f->skipping = true;
	f->begin = f->end;
}

/* Is this the first file behind the place that has anything in it? A copy may have been put
 * between, and the file truncated, after it was opened. */
static bool is_next(struct maillog_child *c, const struct file *f)
{
	struct chain chain;
	bool next = true;
	int i;

	if (!chain_open(c, &chain))
		return true;
	i = chain_find(&chain, &c->position);
	while (--i >= 0) {
		if (chain.stats[i].st_size == 0)
			continue;
		next = chain.stats[i].st_ino == f->inode;
		break;
	}
	chain_close(&chain);
	return next;
}

/* More to take, or why not. */
static enum fill fill_and_check(struct maillog_child *c, struct file *f)
{
	enum fill filled = fill(f);

	if (filled != FILL_DATA || !f->fresh)
		return filled;
	f->fresh = false;
	return is_next(c, f) ? FILL_DATA : FILL_CHANGED;
}

/* To its end, or to the limit. */
static enum fill drain(struct maillog_child *c, struct file *f)
{
	uint64_t sent = f->base + f->begin;
	enum fill filled = FILL_DATA;

	while (!c->gone && f->base + f->begin < f->limit &&
	       (filled = fill_and_check(c, f)) == FILL_DATA) {
		take_lines(c, f);
		if (c->reporting && f->base + f->begin >= sent + POSITION_BYTES) {
			sent = f->base + f->begin;
			maillog_child_put_position(c);
		}
	}
	return filled;
}

/* A line without an end, in a file that nobody writes any more. */
static void take_rest(struct maillog_child *c, struct file *f)
{
	if (f->end > f->begin)
		take_line(c, f, f->end - f->begin, f->buffer + f->end);
}

static void read_history(struct maillog_child *c, struct file *f, const struct chain *chain,
			 size_t i, uint64_t from, uint64_t to)
{
	file_open(f, chain, i, from);
	f->limit = to;
	f->skipping = from > 0;
	drain(c, f);
}

/* What stands before the place at which reporting begins, for the messages in the queue. */
static void read_back(struct maillog_child *c, struct file *f, const struct chain *chain, size_t at,
		      uint64_t offset)
{
	uint64_t from = offset > HISTORY_BYTES ? offset - HISTORY_BYTES : 0;
	uint64_t rest = HISTORY_BYTES - (offset - from);
	bool older = from == 0 && at + 1 < chain->count;
	uint64_t size = older ? chain->stats[at + 1].st_size : 0;
	uint64_t skip = size > rest ? size - rest : 0;

	c->reporting = false;
	maillog_begin(c->log, from == 0 && skip == 0 && at + 2 >= chain->count);
	if (older)
		read_history(c, f, chain, at + 1, skip, size);
	read_history(c, f, chain, at, from, offset);
	c->reporting = true;
}

/* Behind the last line that is whole. */
static uint64_t end_of_lines(struct file *f, const struct chain *chain)
{
	uint64_t size = chain->stats[0].st_size;
	uint64_t from = size > LINE_BYTES ? size - LINE_BYTES : 0;
	ssize_t got = pread(chain->fds[0], f->buffer, size - from, from);
	const char *eol = got > 0 ? memrchr(f->buffer, '\n', got) : NULL;

	return eol ? from + (eol + 1 - f->buffer) : from;
}

/* The place is in no file: all that is newer than the last report. */
static size_t newer_than(const struct chain *chain, int64_t wall_ns)
{
	size_t i = 0;

	while (i + 1 < chain->count && chain->stats[i + 1].st_mtime >= wall_ns / NS_PER_S)
		i++;
	return i;
}

/* Where reporting begins: a file of the chain, and an offset. */
static size_t first_place(struct maillog_child *c, struct file *f, const struct chain *chain,
			  bool created, uint64_t *offset)
{
	const struct maillog_position *from = &c->start->from;
	int found;

	*offset = 0;
	if (from->kind != MAILLOG_IN_FILE) {
		if (!created)
			*offset = end_of_lines(f, chain);
		return 0;
	}
	/* The beginning of a file looks like that of any other. */
	found = from->offset > 0 ? chain_find(chain, from) : -1;
	if (found >= 0) {
		*offset = from->offset;
		return found;
	}
	c->reported_until_ns = from->wall_ns;
	if (from->offset > 0)
		maillog_child_lost(c, 1);
	return newer_than(chain, from->wall_ns);
}

/* The file at `i` from `offset` on, then all that came after it; the log itself stays open. False:
 * they have changed meanwhile, find the place anew. */
static bool catch_up(struct maillog_child *c, struct file *f, const struct chain *chain, size_t i,
		     uint64_t offset)
{
	file_open(f, chain, i, offset);
	for (; i > 0 && !c->gone; i--) {
		if (drain(c, f) == FILL_CHANGED)
			return false;
		take_rest(c, f);
		file_open(f, chain, i - 1, 0);
		f->fresh = true;
	}
	return true;
}

/* Does the log's name stand for another file? */
static bool is_renamed(struct maillog_child *c, const struct file *f)
{
	int fds[MAILLOG_FILES_MAX];
	struct stat stat;
	bool renamed;

	if (maillog_child_files(c, false, fds) == 0)
		return false;
	renamed = fstat(fds[0], &stat) == 0 && stat.st_ino != f->inode;
	close(fds[0]);
	return renamed;
}

/* Has a newer one been written to? Then this one is complete: whoever writes has changed over. */
static bool is_replaced(struct maillog_child *c, const struct file *f)
{
	struct chain chain;
	bool newer = false;
	size_t i;

	if (f->fresh)
		return !is_next(c, f);
	if (!is_renamed(c, f) || !chain_open(c, &chain))
		return false;
	for (i = 0; i < chain.count && chain.stats[i].st_ino != f->inode; i++)
		newer |= chain.stats[i].st_size > 0;
	chain_close(&chain);
	return newer;
}

/* Until the file is rotated away, or truncated. */
static void follow(struct maillog_child *c, struct file *f)
{
	int looks = 0;

	while (!c->gone && drain(c, f) == FILL_END) {
		maillog_child_alive(c);
		maillog_child_wait(c, LOOK_MS);
		if (++looks % LOOKS_PER_QUESTION == 0 && !c->gone && is_replaced(c, f)) {
			if (drain(c, f) == FILL_END)
				take_rest(c, f);
			return;
		}
	}
	if (!c->gone)
		maillog_child_wait(c, LOOK_MS);
}

/* True: it had to be waited for. */
static bool await_log(struct maillog_child *c, struct chain *chain)
{
	bool missing = false;

	while (!c->gone && !chain_open(c, chain)) {
		missing = true;
		maillog_child_lost(c, 0);
		maillog_child_wait(c, MISSING_MS);
	}
	return missing;
}

/* As catch_up(). */
static bool begin(struct maillog_child *c, struct file *f, struct chain *chain)
{
	bool created = await_log(c, chain);
	uint64_t offset;
	size_t i;

	if (c->gone)
		return true;
	i = first_place(c, f, chain, created, &offset);
	read_back(c, f, chain, i, offset);
	if (c->start->from.kind == MAILLOG_IN_FILE)
		c->position = c->start->from;
	else if (c->position.wall_ns == 0)
		c->position.wall_ns = (time(NULL) - 1) * NS_PER_S;
	file_open(f, chain, i, offset);
	note_position(c, f);
	maillog_child_put_position(c);
	return catch_up(c, f, chain, i, offset);
}

/* The place again, after a rotation. */
static bool go_on(struct maillog_child *c, struct file *f, struct chain *chain)
{
	int found;

	chain_close(chain);
	await_log(c, chain);
	if (c->gone)
		return true;
	found = chain_find(chain, &c->position);
	return catch_up(c, f, chain, found < 0 ? 0 : found, found < 0 ? 0 : c->position.offset);
}

void maillog_file_run(struct maillog_child *c)
{
	struct file f = {.buffer = malloc(BUFFER_BYTES)};
	struct chain chain = {0};
	bool complete;

	if (!f.buffer)
		return;
	complete = begin(c, &f, &chain);
	while (!c->gone) {
		if (complete)
			follow(c, &f);
		complete = c->gone || go_on(c, &f, &chain);
	}
	chain_close(&chain);
	free(f.buffer);
}
