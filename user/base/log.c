/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log.c - lines on stderr, and the escaper that stands between untrusted bytes (replies of remote
 * servers, names, the configuration file) and every terminal, log and page.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ESCAPE_UTF8	 0x1u
#define ESCAPE_BACKSLASH 0x2u

/* Characters that can mislead a terminal or a reader. */
static const struct {
	uint32_t first;
	uint32_t last;
} unsafe[] = {
	{0x0080, 0x009f},    /* C1 controls: U+009B is a CSI to many terminals */
	{0x00ad, 0x00ad},    /* soft hyphen */
	{0x061c, 0x061c},    /* Arabic letter mark */
	{0x180e, 0x180e},    /* Mongolian vowel separator */
	{0x200b, 0x200f},    /* zero width, left-to-right and right-to-left marks */
	{0x2028, 0x202e},    /* line and paragraph separators, bidi embeddings and overrides */
	{0x2060, 0x206f},    /* word joiner, bidi isolates, deprecated formatting */
	{0xfdd0, 0xfdef},    /* noncharacters */
	{0xfeff, 0xfeff},    /* byte order mark */
	{0xfff0, 0xffff},    /* interlinear annotation, replacement, noncharacters */
	{0xe0000, 0x1fffff}, /* tags, variation selectors, private planes, beyond Unicode */
};

static int character_is_unsafe(uint32_t c)
{
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
		if (c >= unsafe[i].first && c <= unsafe[i].last)
			return 1;
	return 0;
}

/* Length of the safe UTF-8 character of two bytes or more at `s`, or 0. RFC 3629: no overlong form,
 * no surrogate, nothing above U+10FFFF. */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t c;

	if (s[0] < 0xc2 || s[0] > 0xf4 || length > size)
		return 0;
	c = s[0] & (0xffu >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[length] || (c >= 0xd800 && c <= 0xdfff) || character_is_unsafe(c))
		return 0;
	return length;
}

/* Writes the printable form of what begins at `s` to `form`, its length to `form_size`. Returns how
 * many bytes of `s` it stands for. */
static size_t escape_one(const unsigned char *s, size_t size, unsigned int flags, char form[5],
			 size_t *form_size)
{
	size_t length = 1;

	if (s[0] == '\\' && (flags & ESCAPE_BACKSLASH)) {
		memcpy(form, "\\\\", 2);
		*form_size = 2;
		return 1;
	}
	if (s[0] >= 0x80 && (flags & ESCAPE_UTF8))
		length = utf8_length(s, size);
	if (length > 1 || (s[0] >= 0x20 && s[0] < 0x7f)) {
		memcpy(form, s, length);
		*form_size = length;
		return length;
	}
	*form_size = (size_t)snprintf(form, 5, "\\x%02x", s[0]);
	return 1;
}

static size_t escape(const char *bytes, size_t size, unsigned int flags, char *out, size_t out_size)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t used = 0, taken, form_size;
	char form[5];

	size = strnlen(bytes, size);
	for (size_t i = 0; i < size; i += taken) {
		taken = escape_one(s + i, size - i, flags, form, &form_size);
		if (used + form_size >= out_size)
			break;
		memcpy(out + used, form, form_size);
		used += form_size;
	}
	if (out_size)
		out[used] = '\0';
	return used;
}

char *log_escape(const char *bytes, size_t size, int utf8, char *out, size_t out_size)
{
	escape(bytes, size, ESCAPE_BACKSLASH | (utf8 ? ESCAPE_UTF8 : 0), out, out_size);
	return out;
}

size_t log_printable(const char *bytes, size_t size, char *out, size_t out_size)
{
	return escape(bytes, size, ESCAPE_UTF8, out, out_size);
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the manager's connection; a stderr that was
 * redirected since has other numbers. */
bool log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char mine[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st))
		return false;
	snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return !strcmp(stream, mine);
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[LOG_TEXT_SIZE], line[LOG_TEXT_SIZE + 32];
	int saved = errno;
	size_t length;
	va_list args;

	va_start(args, format);
	if (vsnprintf(text, sizeof(text), format, args) < 0)
		snprintf(text, sizeof(text), "(a message that could not be formatted)");
	va_end(args);

	if (log_is_journal())
		length = (size_t)snprintf(line, sizeof(line), "<%d>", level);
	else
		length = (size_t)snprintf(line, sizeof(line), "smtplimit: ");
	length += log_printable(text, sizeof(text), line + length, LOG_TEXT_SIZE);
	line[length++] = '\n';
	while (write(STDERR_FILENO, line, length) < 0 && errno == EINTR)
		;
	errno = saved;
}
