/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * contacts.h - a customer's mail address, from the administrator's file or the panel's own record.
 * It is never guessed, and a text that is no address is none.
 */
#ifndef SMTPL_CONTACTS_H
#define SMTPL_CONTACTS_H

#include <stddef.h>
#include "base/mail_address.h"

struct contacts {
	const char *root; /* of the panel's files; "" but in tests */
	char *bytes;	  /* of the administrator's file, as of its last change */
	size_t size;
	long long changed_ns;
	unsigned long long inode;
};

void contacts_free(struct contacts *c);

/* In lines "ACCOUNT ADDRESS"; "#" begins a comment. The file is read again when it has changed. 0;
 * -ENOENT: none is known; another -errno: of the file. */
int contacts_in_file(struct contacts *c, const char *file, const char *account,
		     char address[MAIL_ADDRESS_SIZE]);

/*
 * In the record that cPanel (CONTACTEMAIL= in /var/cpanel/users/USER) or DirectAdmin (email= in
 * data/users/USER/user.conf) has of a user; the user cannot write either by himself. 0 or -ENOENT,
 * or another -errno of the file. The file .contactemail in the user's home is not read: he could
 * make it anything that blocks.
 */
int contacts_in_panel(const struct contacts *c, const char *account,
		      char address[MAIL_ADDRESS_SIZE]);

#endif
