/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * smtp_fuzz.c - any dialogue, in the words of lib/dialogue.h, through the parser: nothing is
 * written outside of the session, nobody is decided twice, what is reported is well formed, and
 * nothing of an AUTH exchange stays. A finding is a file for selftests/corpus.
 */
#include <stdint.h>

#include "../../headers/smtp.h"
#include "../lib/dialogue.h"

#define BYTES_MAX 400000
#define TIMES_MAX 1100
#define TXNS	  64 /* transactions that are followed one by one */
#define RCPTS	  64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

static void broken(const char *condition, int line)
{
	fprintf(stderr, "smtp_fuzz:%d: does not hold: %s\n", line, condition);
	abort();
}

/* What the parser said so far. */
struct relay_counts {
	uint32_t mails, rcpts;	/* events */
	uint32_t attempts;	/* sum of all counts */
	uint32_t session;	/* decisions that name nobody */
	uint32_t sent[TXNS];	/* RCPT events by transaction */
	uint32_t decided[TXNS]; /* recipients */
	uint32_t mail[TXNS];	/* decisions of the MAIL itself */
	uint8_t rcpt[TXNS][RCPTS];
};

struct world {
	uint8_t before[64];
	struct smtp_session ss;
	uint8_t behind[64];
	struct relay_counts told;
	uint32_t auth_line; /* bytes of it so far; 0: not in a line of an AUTH exchange */
	bool secret;	    /* some of them were planted */
	size_t bytes;
	bool skip; /* leave chunks out by their length */
};

/* --- what must hold at any time --------------------------------------------------------------- */

static bool padded(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	if (length == size)
		return false;
	for (; length < size; length++) {
		if (text[length])
			return false;
	}
	return true;
}

static bool is_key(const char *domain)
{
	for (size_t i = 0; i < SMTPL_DOMAIN_SIZE; i++) {
		if (domain[i] >= 'A' && domain[i] <= 'Z')
			return false;
	}
	return padded(domain, SMTPL_DOMAIN_SIZE);
}

static void check_frame(const struct world *w)
{
	for (size_t i = 0; i < sizeof(w->before); i++)
		REQUIRE(w->before[i] == 0x5a && w->behind[i] == 0x5a);
	for (size_t i = 0; i < sizeof(w->ss.s.text_spill); i++)
		REQUIRE(!w->ss.s.text_spill[i]);
	REQUIRE(w->ss.c.pushed - w->ss.s.popped <= SMTP_FIFO_DEPTH);
	REQUIRE(w->ss.c.paired - w->ss.s.txn < SMTP_SENDERS);
	REQUIRE(w->ss.s.datas <= w->ss.c.datas);
	REQUIRE(w->ss.s.open || !w->ss.s.accepted);
}

static void check_count(struct relay_counts *told, const struct smtp_decision *d, uint32_t answered)
{
	uint32_t txn = d->txn;

	told->attempts += d->count;
	if (d->subject == SMTP_SUBJECT_SESSION) {
		REQUIRE(txn == 0 && d->count == 1 && !d->null_sender && !told->session++);
		return;
	}
	if (txn >= TXNS)
		return;
	if (d->subject == SMTP_SUBJECT_MAIL) {
		REQUIRE(d->count == 1 && !told->mail[txn]++ && !told->decided[txn]);
		return;
	}
	told->decided[txn] += d->count;
	REQUIRE(!told->mail[txn] && told->decided[txn] <= told->sent[txn]);
	if (d->subject != SMTP_SUBJECT_RCPT)
		return;
	REQUIRE(d->count == 1 && d->rcpt && d->rcpt == answered && d->rcpt <= told->sent[txn]);
	if (d->rcpt < RCPTS)
		REQUIRE(!told->rcpt[txn][d->rcpt]++);
}

static void check_decision(struct world *w)
{
	const struct smtp_decision *d = &w->ss.s.decision;

	if (!d->outcome) {
		REQUIRE(!d->count && !d->subject);
		return;
	}
	REQUIRE(d->outcome < SMTP_OUTCOMES && d->count);
	REQUIRE(d->subject >= SMTP_SUBJECT_SESSION && d->subject <= SMTP_SUBJECT_REST);
	if (d->lost)
		REQUIRE(!d->code && (d->outcome == SMTP_DEFERRED || d->outcome == SMTP_UNKNOWN));
	else
		REQUIRE(d->outcome == smtp_code_outcome(d->code));
	REQUIRE(padded(w->ss.s.text, sizeof(w->ss.s.text)));
	check_count(&w->told, d, w->ss.s.answered);
	REQUIRE(w->told.attempts == w->ss.s.attempts);
	REQUIRE(w->told.attempts <= w->told.rcpts + w->told.mails + 1);
}

static void check_path(const struct world *w)
{
	const struct smtp_client *c = &w->ss.c;

	REQUIRE(padded(c->addr, sizeof(c->addr)) && c->hash);
	REQUIRE(strlen(c->addr) == c->addr_len); /* nothing of the address before it */
	REQUIRE(is_key(c->domain) && is_key(c->senders[c->txn % SMTP_SENDERS].domain));
}

/* --- feeding ---------------------------------------------------------------------------------- */

static bool begins_auth(const struct smtp_session *ss)
{
	const struct smtp_client *c = &ss->c;

	if (c->mode != SMTP_MODE_COMMAND || smtp_unpaired(ss))
		return false;
	if (c->line == SMTP_LINE_START)
		return ss->s.auth_more && !smtp_unanswered(ss) && !c->cr;
	return c->line == SMTP_LINE_REST && c->verb == SMTP_AUTH;
}

/* No byte of F5..FF comes from anywhere but a line of an AUTH exchange. The first bytes of such a
 * line are left as they are: they may look like a command. */
static uint8_t planted(struct world *w, uint8_t byte)
{
	if (!w->auth_line && begins_auth(&w->ss))
		w->auth_line = 1;
	if (byte == '\n')
		w->auth_line = 0;
	if (!w->auth_line || w->auth_line++ <= strlen("MAIL FROM:<") || byte == '\r')
		return byte >= 0xf5 ? byte & 0x7f : byte;
	w->secret = true;
	return 0xf5 + w->auth_line % 8;
}

static void check_secret(const struct world *w)
{
	const struct smtp_client *c = &w->ss.c;

	REQUIRE(c->word == 0);
	for (size_t i = 0; i < sizeof(c->addr); i++)
		REQUIRE((uint8_t)c->addr[i] < 0xf5);
	for (size_t i = 0; i < sizeof(c->domain); i++)
		REQUIRE((uint8_t)c->domain[i] < 0xf5);
}

static void client_event(struct world *w, uint32_t event)
{
	uint32_t txn = w->ss.c.txn;

	REQUIRE(event <= SMTP_CLIENT_OPAQUE);
	if (event >= SMTP_CLIENT_MAIL && event <= SMTP_CLIENT_RCPT_UNKNOWN)
		check_path(w);
	w->told.mails += event == SMTP_CLIENT_MAIL;
	w->told.rcpts += event == SMTP_CLIENT_RCPT;
	if (event == SMTP_CLIENT_RCPT && txn < TXNS)
		REQUIRE(++w->told.sent[txn] == w->ss.c.senders[txn % SMTP_SENDERS].rcpts);
}

static size_t feed_client(struct world *w, const struct text *bytes, size_t at)
{
	uint64_t chunk = w->skip ? smtp_client_chunk(&w->ss) : 0;

	if (chunk) {
		chunk = chunk < bytes->len - at ? chunk : bytes->len - at;
		smtp_client_skip_chunk(&w->ss, chunk);
		return chunk;
	}
	client_event(w, smtp_client_byte(&w->ss, planted(w, bytes->bytes[at])));
	if (w->secret && w->ss.c.line == SMTP_LINE_START)
		check_secret(w);
	return 1;
}

static void server_event(struct world *w, uint32_t event)
{
	REQUIRE(event <= SMTP_SERVER_MALFORMED);
	if (event == SMTP_SERVER_REPLY || event == SMTP_SERVER_DESYNC)
		check_decision(w);
	REQUIRE(event != SMTP_SERVER_DESYNC || w->ss.s.desync);
	REQUIRE(event != SMTP_SERVER_OPAQUE || w->ss.s.opaque);
}

static size_t feed_server(struct world *w, const struct text *bytes, size_t at)
{
	server_event(w, smtp_server_byte(&w->ss, (uint8_t)bytes->bytes[at]));
	return 1;
}

static void end(struct world *w, bool lost)
{
	uint32_t calls = 0, how = lost ? SMTP_END_LOST : SMTP_END_CLIENT;

	while (smtp_session_end(&w->ss, how)) {
		REQUIRE(++calls <= SMTP_SENDERS + 1 && w->ss.s.decision.outcome);
		check_decision(w);
	}
	REQUIRE(!smtp_session_end(&w->ss, how) && !w->ss.s.decision.outcome);
}

/* One line of the input; false: this dialogue ends here. */
static bool play_line(struct world *w, const char *line)
{
	const char *colon = strchr(line, ':');
	long times = line[0] && line[1] == '*' ? strtol(line + 2, NULL, 10) : 1;
	struct text bytes = {0};
	bool client = line[0] == 'C' || line[0] == 'c';

	if (line[0] == 'X')
		server_event(w, smtp_session_desync(&w->ss));
	if (line[0] == 'E')
		return end(w, !strcmp(line, "E: lost")), false;
	if (!colon || !strchr("CScs", line[0]))
		return true;
	dialogue_unescape(&bytes, dialogue_after(colon));
	if (isupper((unsigned char)line[0]))
		text_add(&bytes, "\r\n", 2);
	for (; times > 0 && times <= TIMES_MAX && w->bytes < BYTES_MAX; times--) {
		for (size_t at = 0; at < bytes.len; check_frame(w))
			at += client ? feed_client(w, &bytes, at) : feed_server(w, &bytes, at);
		w->bytes += bytes.len;
	}
	free(bytes.bytes);
	return true;
}

static void play(struct world *w, const char *text, bool skip)
{
	char *copy = strdup(text), *rest = copy, *line;
	bool more = true;

	memset(w, 0, sizeof(*w));
	memset(w->before, 0x5a, sizeof(w->before));
	memset(w->behind, 0x5a, sizeof(w->behind));
	w->skip = skip;
	while ((line = strsep(&rest, "\n"))) {
		if (!strncmp(line, "== ", 3)) {
			memset(&w->ss, 0, sizeof(w->ss));
			memset(&w->told, 0, sizeof(w->told));
			more = true;
		} else if (more) {
			more = play_line(w, line);
		}
	}
	if (more)
		end(w, true);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world read, skipped;
	struct text text = {0};

	text_add(&text, (const char *)data, size);
	play(&read, text.bytes, false);
	play(&skipped, text.bytes, true);
	free(text.bytes);
	REQUIRE(!memcmp(&read.ss, &skipped.ss, sizeof(read.ss)));
	return 0;
}
