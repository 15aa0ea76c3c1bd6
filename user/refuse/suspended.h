/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * suspended.h - the file `suspended` below the run directory: who may not send, for mail servers
 * that find no daemon. A line for each name that an account goes by, in the form of Exim's lsearch:
 *
 *	alice: 550 5.7.1 Domain example.com has exceeded ... again at 2026-11-21T14:05:00Z.
 *	1001: the same
 *	example.com: the same, one for each domain of the account
 *
 * The time at the end of the text is the line's expiry: readers must look at it, since a dead
 * daemon takes nothing out.
 */
#ifndef SMTPL_SUSPENDED_H
#define SMTPL_SUSPENDED_H

#include <stddef.h>
#include <stdint.h>

#define SUSPENDED_FILE	    "suspended"
#define SUSPENDED_TEXT_SIZE 512

struct suspended_writer;

/* Write the file anew: begin, a line for each name, then commit, which replaces the old file
 * atomically (or leaves it when nothing differs). Mode 0644. abandon forgets it; after commit there
 * is nothing left to forget. 0 or -errno. */
int suspended_begin(const char *run, struct suspended_writer **writer);
int suspended_add(struct suspended_writer *writer, const char *name, const char *text);
int suspended_commit(struct suspended_writer *writer);
void suspended_abandon(struct suspended_writer *writer);

/* The text for a name whose time is not over, with how long that is and the contact (or ""). 0;
 * -ENOENT: none; another -errno: no file. */
int suspended_find(const char *run, const char *name, int64_t now_wall_s, const char *contact,
		   char *text, size_t text_size);

#endif
