// SPDX-License-Identifier: GPL-2.0-only
/*
 * owners_cpanel.c - cPanel's list of all domains, or that of the main domains on an old host that
 * has no other.
 */
#include <errno.h>
#include "owners_read.h"

static const char all[] = "/etc/userdomains";
static const char main_domains[] = "/etc/trueuserdomains";

int owners_read_cpanel(struct owners_reading *r)
{
	int err = owners_file(r, all, OWNERS_LINE_BYTES, owners_row_line);

	if (!err)
		owners_note_source(r->owners, "cpanel /etc/userdomains");
	if (err != -ENOENT)
		return err;
	err = owners_file(r, main_domains, OWNERS_LINE_BYTES, owners_row_line);
	if (!err)
		owners_note_source(r->owners, "cpanel /etc/trueuserdomains");
	else if (err == -ENOENT) /* so that the error names the file that should be there */
		owners_file(r, all, OWNERS_LINE_BYTES, owners_row_line);
	return err;
}

int owners_files_cpanel(const char *root, owners_file_fn each, void *arg)
{
	int result = each(arg, all);

	(void)root;
	return result ? result : each(arg, main_domains);
}
