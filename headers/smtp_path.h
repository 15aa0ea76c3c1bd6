/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_path.h - part of smtp.h: the path of MAIL and RCPT (RFC 5321 4.1.2), its hash, and the key
 * form of its domain. Quoted local parts may hold anything, so a path is read byte by byte and
 * never split at a blank. What no grammar allows is still read to some end: the server refuses it.
 */
#ifndef SMTPL_SMTP_PATH_H
#define SMTPL_SMTP_PATH_H

enum smtp_path {
	SMTP_PATH_START = 0, /* blanks before the path */
	SMTP_PATH_OPEN,	     /* right behind '<' */
	SMTP_PATH_ANGLE,     /* between '<' and '>' */
	SMTP_PATH_BARE,	     /* without brackets: ends at a blank */
};

#define SMTP_FNV_OFFSET 0xcbf29ce484222325ull
#define SMTP_FNV_PRIME	0x100000001b3ull

SMTP_INLINE __u64 smtp_fnv(__u64 hash, __u32 byte)
{
	return (hash ^ byte) * SMTP_FNV_PRIME;
}

SMTP_INLINE void smtp_domain_begin(struct smtp_client *c)
{
	__builtin_memset(c->domain, 0, sizeof(c->domain));
	c->domain_len = 0;
	c->domain_hash = SMTP_FNV_OFFSET;
	c->dot = 0;
}

/* The domain may already have begun: it is the last unquoted '@' that counts, so what stood
 * behind an earlier one is local part and enters the hash as sent. */
SMTP_INLINE void smtp_domain_restart(struct smtp_client *c)
{
	smtp_domain_begin(c);
	c->in_domain = 1;
	c->hash = c->hash_as_sent;
}

SMTP_INLINE void smtp_address_begin(struct smtp_client *c)
{
	__builtin_memset(c->addr, 0, sizeof(c->addr));
	c->addr_len = 0;
	c->hash = SMTP_FNV_OFFSET;
	c->hash_as_sent = SMTP_FNV_OFFSET;
	smtp_domain_begin(c);
	c->in_domain = 0;
	c->route = 0;
	c->quoted = 0;
	c->escaped = 0;
	c->literal = 0;
}

SMTP_INLINE void smtp_path_begin(struct smtp_client *c)
{
	smtp_address_begin(c);
	c->path = SMTP_PATH_START;
	c->null_path = 0;
	c->prdr = 0;
}

SMTP_INLINE __u32 smtp_lower(__u32 byte)
{
	return byte - 'A' < 26 ? byte | 0x20 : byte;
}

SMTP_INLINE void smtp_domain_add(struct smtp_client *c, __u32 byte)
{
	__u64 at = smtp_hide(c->domain_len);

	c->domain_hash_before = c->domain_hash;
	c->domain_hash = smtp_fnv(c->domain_hash, byte);
	c->dot = byte == '.';
	if (at < SMTPL_DOMAIN_SIZE)
		c->domain[at] = byte ? byte : '?';
	if (at < 255)
		c->domain_len = at + 1;
}

/* NUL is kept as '?': what is reported ends at the first NUL. The hashes take it as it is. */
SMTP_INLINE void smtp_path_add(struct smtp_client *c, __u32 byte)
{
	__u64 at = smtp_hide(c->addr_len);

	if (at < SMTPL_ADDR_SIZE - 1) {
		c->addr[at] = byte ? byte : '?';
		c->addr_len = at + 1;
	}
	c->hash_as_sent = smtp_fnv(c->hash_as_sent, byte);
	if (c->in_domain) {
		c->hash = smtp_fnv(c->hash, smtp_lower(byte));
		smtp_domain_add(c, smtp_lower(byte));
	} else {
		c->hash = smtp_fnv(c->hash, byte);
	}
}

/* Quotes and backslashes. 1: the byte is taken. RFC 821 knew the backslash outside of quotes
 * too, and the servers that still do would find another end of the path without it. */
SMTP_INLINE __u32 smtp_path_quoted(struct smtp_client *c, __u32 byte)
{
	if (c->escaped)
		c->escaped = 0;
	else if (byte == '\\')
		c->escaped = 1;
	else if (byte == '"')
		c->quoted = !c->quoted;
	else if (!c->quoted)
		return 0;
	smtp_path_add(c, byte);
	return 1;
}

/* The bytes that mean something outside of quotes. 1: the path ends here. */
SMTP_INLINE __u32 smtp_path_plain(struct smtp_client *c, __u32 byte)
{
	if (smtp_is_blank(byte))
		return c->path == SMTP_PATH_BARE; /* dropped between brackets, as RFC 822 did */
	if (byte == '>' && c->path == SMTP_PATH_ANGLE)
		return 1;
	if (byte == ':' && c->route && !c->literal) {
		smtp_address_begin(c); /* the route ends, the mailbox begins */
		return 0;
	}
	if (byte == '[')
		c->literal = 1;
	else if (byte == ']')
		c->literal = 0;
	smtp_path_add(c, byte);
	if (byte == '@')
		smtp_domain_restart(c);
	return 0;
}

/* One byte of the path. 1: it ended with this byte. */
SMTP_INLINE __u32 smtp_path_byte(struct smtp_client *c, __u32 byte)
{
	if (c->path == SMTP_PATH_START) {
		if (smtp_is_blank(byte))
			return 0;
		c->path = byte == '<' ? SMTP_PATH_OPEN : SMTP_PATH_BARE;
		c->route = byte == '@';
		if (byte == '<')
			return 0;
	} else if (c->path == SMTP_PATH_OPEN) {
		c->path = SMTP_PATH_ANGLE;
		c->route = byte == '@';
		if (byte == '>') {
			c->null_path = 1;
			return 1;
		}
	}
	if (smtp_path_quoted(c, byte))
		return 0;
	return smtp_path_plain(c, byte);
}

SMTP_INLINE __u32 smtp_hex_digit(__u32 value)
{
	value &= 15;
	return value < 10 ? '0' + value : 'a' + value - 10;
}

SMTP_INLINE void smtp_hex4(char *to, __u32 value)
{
	to[0] = smtp_hex_digit(value >> 12);
	to[1] = smtp_hex_digit(value >> 8);
	to[2] = smtp_hex_digit(value >> 4);
	to[3] = smtp_hex_digit(value);
}

_Static_assert(SMTPL_DOMAIN_KEEP + 1 + 16 + 1 == SMTPL_DOMAIN_SIZE, "key form of a long domain");

/* The path is complete: c.domain takes the key form, c.hash is never 0. */
SMTP_INLINE void smtp_path_close(struct smtp_client *c)
{
	__u64 length = smtp_hide(c->domain_len);
	__u64 hash = c->domain_hash;

	if (c->dot && length > 0) {
		length--;
		hash = c->domain_hash_before;
		if (length < SMTPL_DOMAIN_SIZE)
			c->domain[length] = 0;
	}
	if (length >= SMTPL_DOMAIN_SIZE) {
		c->domain[SMTPL_DOMAIN_KEEP] = '~';
		smtp_hex4(c->domain + SMTPL_DOMAIN_KEEP + 1, hash >> 48);
		smtp_hex4(c->domain + SMTPL_DOMAIN_KEEP + 5, hash >> 32);
		smtp_hex4(c->domain + SMTPL_DOMAIN_KEEP + 9, hash >> 16);
		smtp_hex4(c->domain + SMTPL_DOMAIN_KEEP + 13, hash);
		c->domain[SMTPL_DOMAIN_SIZE - 1] = 0;
	}
	if (!c->hash)
		c->hash = 1;
}

#endif
