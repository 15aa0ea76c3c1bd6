/* SPDX-License-Identifier: GPL-2.0-only */
#include "reply_words.h"

#include <string.h>

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

static bool is_joint(char c)
{
	return c == '.' || c == '-' || c == '_';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static void blank_out(char *text, size_t begin, size_t end)
{
	memset(text + begin, ' ', end - begin);
}

/* An address without its end, where the text was cut, goes to the end of the text. */
static void blank_brackets(char *text, size_t size)
{
	char *open, *close;

	for (char *at = text; (open = memchr(at, '<', text + size - at)); at = close) {
		close = memchr(open, '>', text + size - open);
		if (!close)
			close = text + size;
		blank_out(text, open - text, close - text);
	}
}

/* Where the address around text[at] begins; a quoted local part may hold anything. */
static size_t address_begin(const char *text, size_t at)
{
	if (at > 1 && text[at - 1] == '"') {
		for (size_t i = at - 1; i > 0; i--)
			if (text[i - 1] == '"')
				return i - 1;
	}
	while (at > 0 && !strchr(" <([{?&=", text[at - 1]))
		at--;
	return at;
}

static void blank_addresses(char *text, size_t size)
{
	for (size_t at = 0; at < size; at++) {
		size_t end = at;

		if (text[at] != '@' && (text[at] != '%' || strncmp(text + at, "%40", 3)))
			continue;
		while (end < size && !strchr(" >)]},;:\"", text[end]))
			end++;
		blank_out(text, address_begin(text, at), end);
		at = end;
	}
}

/* A number for a word's first two bytes; the second one may be its end. */
static unsigned int initials_of(const char *word)
{
	unsigned int second = word[1] == ' ' ? 0 : (unsigned char)word[1];

	return ((unsigned char)word[0] * 31 + second) % REPLY_INITIALS;
}

/* Take what stands in text[begin..end) as one word, or as those between its hyphens. */
static void add_words(struct reply_words *words, size_t begin, size_t end, size_t *used)
{
	char *text = words->bytes;
	bool host;

	while (end > begin && is_joint(text[end - 1]))
		end--;
	host = memchr(text + begin, '.', end - begin);
	words->hosts |= host && (text[end - 1] < '0' || text[end - 1] > '9'); /* no 5.7.1 */
	while (begin < end) {
		size_t from = *used;
		unsigned int initials;

		for (; begin < end && (host || !is_joint(text[begin])); begin++)
			text[(*used)++] = text[begin];
		begin++; /* behind the joint, or the end */
		if (*used == from)
			continue;
		text[(*used)++] = '\0';
		initials = initials_of(text + from);
		words->initials[initials / 64] |= 1ull << initials % 64;
		words->begin[words->count++] = (uint16_t)from;
	}
}

/* In a phrase a star is part of its word. */
static void read_words(struct reply_words *words, const char *text, size_t size, char star)
{
	char *bytes = words->bytes;
	size_t used = 0, length = 0, begin;

	memset(words->initials, 0, sizeof(words->initials));
	words->hosts = false;
	words->count = 0;
	size = strnlen(text, size < REPLY_TEXT_MAX ? size : REPLY_TEXT_MAX);
	/* Without apostrophes: "doesn't" is one word. */
	for (size_t i = 0; i < size; i++)
		if (text[i] != '\'')
			bytes[length++] = lower(text[i]);
	bytes[length] = '\0';
	blank_brackets(bytes, length);
	blank_addresses(bytes, length);
	for (size_t at = 0; at < length; at++) {
		if (!is_plain((unsigned char)bytes[at]) && bytes[at] != star)
			continue;
		for (begin = at; is_plain((unsigned char)bytes[at]) || is_joint(bytes[at]) ||
				 (bytes[at] && bytes[at] == star);)
			at++;
		/* A word and its NUL need no more room than the word and what parts it did. */
		add_words(words, begin, at, &used);
	}
}

void reply_words_read(struct reply_words *words, const char *text, size_t size)
{
	read_words(words, text, size, '\0');
}

void reply_words_read_phrase(struct reply_words *words, const char *text, size_t size)
{
	read_words(words, text, size, '*');
}

const char *reply_words_get(const struct reply_words *words, size_t number)
{
	return words->bytes + words->begin[number];
}

static bool is_end(const char *phrase)
{
	return *phrase == ' ' || !*phrase;
}

/* `phrase` begins with "*.example.org": is the word a name below it? */
static bool is_below(const char *word, const char *phrase)
{
	size_t size, length;

	if (!strchr(word, '.'))
		return false;
	size = strlen(word);
	length = strcspn(phrase, " ") - 1;
	return size > length && !memcmp(word + size - length, phrase + 1, length);
}

/* Is `word` the first one of the phrase? Returns the phrase behind it, NULL: no. */
static const char *match_word(const char *word, const char *phrase)
{
	size_t i = 0;

	if (phrase[0] == '*') {
		if (!is_below(word, phrase))
			return NULL;
		phrase += strcspn(phrase, " ");
	} else {
		while (word[i] && word[i] == phrase[i])
			i++;
		phrase += i;
		/* A host name goes on where the phrase has a dot as well. */
		if (*phrase == '*' && (!strchr(word, '.') || memchr(word, '.', i)))
			phrase++;
		else if (word[i])
			return NULL;
	}
	return is_end(phrase) ? phrase + (*phrase == ' ') : NULL;
}

/* A quick no for most phrases. */
static bool may_have(const struct reply_words *words, const char *phrase)
{
	unsigned int initials;

	if (phrase[0] == '*' && phrase[1] == '.')
		return words->hosts;
	if (!*phrase || phrase[0] == '*' || phrase[1] == '*')
		return true;
	initials = initials_of(phrase);
	return words->initials[initials / 64] >> initials % 64 & 1;
}

/* Behind a "*" that stands alone, and at the begin, any words may come before the next one: then
 * the rest is tried again from one word further on. */
bool reply_words_have(const struct reply_words *words, const char *phrase)
{
	const char *retry = phrase, *next;
	size_t retry_at = 0, at = 0;

	if (!may_have(words, phrase))
		return false;
	while (*phrase) {
		if (phrase[0] == '*' && is_end(phrase + 1)) {
			phrase += 1 + (phrase[1] == ' ');
			retry = phrase;
			retry_at = at;
			continue;
		}
		if (at == words->count)
			return false;
		next = match_word(reply_words_get(words, at), phrase);
		phrase = next ? next : retry;
		at = next ? at + 1 : ++retry_at;
	}
	return true;
}
