/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dialogue.h - reads SMTP dialogues from a text file, feeds them to a parser (the compiled-in one
 * or the one in the kernel) and writes down what the parser made of them, one line an event.
 *
 *   == name          a dialogue begins
 *   ordered          it is fed as written only, because another order is another story
 *   C: text          the client sends text CRLF; c: without the CRLF; C*9: nine times
 *   S: text          the server's direction; s:, S*9: alike
 *   X:               the server's side is told to give up (smtp_session_desync)
 *   E: client|lost   the session ends so; without this line it does not end
 *   > event          expected from the direction of the line before it
 *   = 2 1 0          at the end: attempts, callouts, too_many
 *   # remark
 *
 * In text, \r \n \t \0 \\ and \xNN are bytes. Lines of the client up to the next line of the server
 * are one flight: replies may arrive while it is still being sent, and no later flight begins
 * before all of them are in.
 */
#ifndef SELFTESTS_DIALOGUE_H
#define SELFTESTS_DIALOGUE_H

#include <ctype.h>
#include <glob.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../headers/smtp_types.h"

struct text {
	char *bytes;
	size_t len, room;
};

static inline void text_add(struct text *text, const char *bytes, size_t len)
{
	if (text->len + len + 1 > text->room) {
		text->room = (text->len + len + 1) * 2;
		text->bytes = realloc(text->bytes, text->room);
		if (!text->bytes)
			abort();
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = 0;
}

__attribute__((format(printf, 2, 3))) static inline void text_printf(struct text *text,
								     const char *format, ...)
{
	char line[2048];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(line))
		abort();
	text_add(text, line, len);
}

static inline const char *text_string(const struct text *text)
{
	return text->bytes ? text->bytes : "";
}

enum dialogue_kind {
	DIALOGUE_CLIENT = 0,
	DIALOGUE_SERVER,
	DIALOGUE_DESYNC,
	DIALOGUE_END,
};

struct dialogue_step {
	enum dialogue_kind kind;
	struct text bytes;
	bool lost; /* DIALOGUE_END */
};

struct dialogue {
	char name[120];
	unsigned int line; /* in the file */
	bool ordered;
	struct dialogue_step *steps;
	size_t n_steps;
	struct text expected[2]; /* by direction: client, all others */
	struct dialogue *next;
};

/* What a dialogue is fed to. Events are returned as smtp.h has them. */
struct dialogue_target {
	void *context;
	unsigned int (*client)(void *context, const char *bytes, size_t len, size_t *taken);
	unsigned int (*server)(void *context, const char *bytes, size_t len, size_t *taken);
	unsigned int (*desync)(void *context);
	unsigned int (*end)(void *context, bool lost);
	const struct smtp_session *session;
};

/* --- reading ---------------------------------------------------------------------------------- */

static inline void dialogue_unescape(struct text *to, const char *from)
{
	while (*from) {
		char byte = *from++;

		if (byte == '\\') {
			static const char letters[] = "rnt0\\", values[] = "\r\n\t\0\\";
			const char *found = *from ? strchr(letters, *from) : NULL;
			unsigned int value;

			if (found) {
				byte = values[found - letters];
				from++;
			} else if (from[0] == 'x' && isxdigit((unsigned char)from[1]) &&
				   isxdigit((unsigned char)from[2]) &&
				   sscanf(from, "x%2x", &value) == 1) {
				byte = value;
				from += 3;
			}
		}
		text_add(to, &byte, 1);
	}
}

static inline struct dialogue_step *dialogue_step_new(struct dialogue *d, enum dialogue_kind kind)
{
	struct dialogue_step *step = d->n_steps ? &d->steps[d->n_steps - 1] : NULL;

	if (step && step->kind == kind && kind <= DIALOGUE_SERVER)
		return step;
	d->steps = realloc(d->steps, (d->n_steps + 1) * sizeof(*d->steps));
	if (!d->steps)
		abort();
	step = &d->steps[d->n_steps++];
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}

static inline const char *dialogue_after(const char *colon)
{
	return colon[1] == ' ' ? colon + 2 : colon + 1;
}

static inline bool dialogue_bytes_line(struct dialogue *d, const char *line, const char *colon)
{
	enum dialogue_kind kind =
		toupper((unsigned char)line[0]) == 'C' ? DIALOGUE_CLIENT : DIALOGUE_SERVER;
	struct dialogue_step *step = dialogue_step_new(d, kind);
	long times = line[1] == '*' ? strtol(line + 2, NULL, 10) : 1;

	for (long i = 0; i < times; i++) {
		dialogue_unescape(&step->bytes, dialogue_after(colon));
		if (isupper((unsigned char)line[0]))
			text_add(&step->bytes, "\r\n", 2);
	}
	return times > 0;
}

/* false: it is no line of a dialogue. */
static inline bool dialogue_line(struct dialogue *d, const char *line)
{
	const char *colon = strchr(line, ':');
	struct dialogue_step *step;

	if (line[0] == '>' || line[0] == '=') {
		bool client = line[0] == '>' && d->n_steps &&
			      d->steps[d->n_steps - 1].kind == DIALOGUE_CLIENT;

		text_printf(&d->expected[!client], "%s\n", line + (line[0] == '>' ? 2 : 0));
		return true;
	}
	if (!strcmp(line, "ordered"))
		return d->ordered = true;
	if (!colon)
		return false;
	if (strchr("CScs", line[0]))
		return dialogue_bytes_line(d, line, colon);
	if (line[0] != 'X' && line[0] != 'E')
		return false;
	step = dialogue_step_new(d, line[0] == 'X' ? DIALOGUE_DESYNC : DIALOGUE_END);
	step->lost = !strcmp(dialogue_after(colon), "lost");
	return line[0] == 'X' || step->lost || !strcmp(dialogue_after(colon), "client");
}

/* Adds the dialogues of a file to a list. NULL: with the reason on stderr. */
static inline struct dialogue *dialogue_read(const char *path, struct dialogue *list)
{
	FILE *file = fopen(path, "r");
	unsigned int number = 0;
	size_t size = 0;
	char *line = NULL;

	if (!file) {
		fprintf(stderr, "%s: %m\n", path);
		return NULL;
	}
	while (getline(&line, &size, file) >= 0) {
		number++;
		line[strcspn(line, "\n")] = 0;
		if (!line[0] || line[0] == '#')
			continue;
		if (!strncmp(line, "== ", 3)) {
			struct dialogue *d = calloc(1, sizeof(*d));

			if (!d)
				abort();
			snprintf(d->name, sizeof(d->name), "%s", line + 3);
			d->line = number;
			d->next = list;
			list = d;
		} else if (!list || !dialogue_line(list, line)) {
			fprintf(stderr, "%s:%u: not a line of a dialogue: \"%s\"\n", path, number,
				line);
			list = NULL;
			break;
		}
	}
	free(line);
	fclose(file);
	return list;
}

/* All dialogues of selftests/corpus, from the top of the tree or selftests. NULL: reason on
 * stderr. */
static inline struct dialogue *dialogue_corpus(void)
{
	struct dialogue *list = NULL;
	glob_t found;

	if (glob("selftests/corpus/*.smtp", 0, NULL, &found) &&
	    glob("corpus/*.smtp", 0, NULL, &found)) {
		fprintf(stderr, "no selftests/corpus/*.smtp\n");
		return NULL;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		list = dialogue_read(found.gl_pathv[i], list);
		if (!list)
			break;
	}
	globfree(&found);
	return list;
}

static inline void dialogue_free(struct dialogue *list)
{
	while (list) {
		struct dialogue *next = list->next;

		for (size_t i = 0; i < list->n_steps; i++)
			free(list->steps[i].bytes.bytes);
		free(list->steps);
		free(list->expected[0].bytes);
		free(list->expected[1].bytes);
		free(list);
		list = next;
	}
}

/* --- writing down ----------------------------------------------------------------------------- */

static inline void trace_bytes(struct text *out, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size && bytes[i]; i++) {
		if (isprint((unsigned char)bytes[i]) && bytes[i] != '\\')
			text_add(out, bytes + i, 1);
		else
			text_printf(out, "\\x%02x", (unsigned char)bytes[i]);
	}
}

static inline const struct smtp_sender *trace_sender(const struct smtp_session *ss, __u32 txn)
{
	return &ss->c.senders[txn % SMTP_SENDERS];
}

static inline void trace_client(struct text *out, const struct smtp_session *ss, unsigned int event)
{
	static const char *const names[] = {"", "MAIL", "RCPT", "RCPT?", "OPAQUE"};
	const struct smtp_sender *sender = trace_sender(ss, ss->c.txn);

	if (!event)
		return;
	text_printf(out, "%s", event < 5 ? names[event] : "?");
	if (event <= 3) {
		text_printf(out, " %u", ss->c.txn);
		if (event == 2)
			text_printf(out, "/%u", sender->rcpts);
		text_printf(out, " <");
		trace_bytes(out, ss->c.addr, sizeof(ss->c.addr));
		text_printf(out, ">");
	}
	if (event == 1) {
		text_printf(out, " \"");
		trace_bytes(out, sender->domain, sizeof(sender->domain));
		text_printf(out, "\"%s%s", sender->null_sender ? " null" : "",
			    sender->prdr ? " prdr" : "");
	}
	text_printf(out, "\n");
}

static inline void trace_decision(struct text *out, const struct smtp_session *ss)
{
	static const char *const outcomes[] = {"NONE", "DELIVERED", "DEFERRED", "FAILED",
					       "UNKNOWN"};
	static const char *const subjects[] = {"NONE", "SESSION", "MAIL", "RCPT", "PRDR", "REST"};
	const __u16 *enhanced = ss->s.enhanced;
	const struct smtp_decision *d = &ss->s.decision;

	if (!d->outcome)
		return;
	text_printf(out, "%s %s %u", outcomes[d->outcome], subjects[d->subject], d->txn);
	if (d->rcpt)
		text_printf(out, "/%u", d->rcpt);
	text_printf(out, " x%u", d->count);
	if (d->null_sender)
		text_printf(out, " null");
	if (d->lost)
		text_printf(out, " lost");
	if (d->code)
		text_printf(out, " %u", d->code);
	if (enhanced[0])
		text_printf(out, " %u.%u.%u", enhanced[0], enhanced[1], enhanced[2]);
	if (ss->s.text[0]) {
		text_printf(out, " \"");
		trace_bytes(out, ss->s.text, sizeof(ss->s.text));
		text_printf(out, "\"");
	}
	text_printf(out, "\n");
}

static inline void trace_server(struct text *out, const struct smtp_session *ss, unsigned int event)
{
	static const char *const names[] = {"", "", "OPAQUE\n", "DESYNC\n", "MALFORMED\n"};

	text_printf(out, "%s", event < 5 ? names[event] : "?\n");
	if (event == 1 || event == 3)
		trace_decision(out, ss);
}

/* --- feeding ---------------------------------------------------------------------------------- */

struct dialogue_run {
	const struct dialogue_target *target;
	struct text trace[2];
	unsigned int seed; /* 0: as written; else replies arrive anywhere within the flight */
};

static inline bool dialogue_coin(struct dialogue_run *run)
{
	run->seed = run->seed * 1103515245u + 12345u;
	return run->seed >> 30 == 0;
}

static inline bool dialogue_answerable(const struct smtp_session *ss)
{
	return !ss->s.greeted || ss->c.pushed != ss->s.popped;
}

static inline void dialogue_feed(struct dialogue_run *run, bool server, const struct text *bytes,
				 size_t *at, size_t most)
{
	const struct dialogue_target *t = run->target;
	size_t len = bytes->len - *at < most ? bytes->len - *at : most, taken = 0;
	unsigned int event;

	if (server) {
		event = t->server(t->context, bytes->bytes + *at, len, &taken);
		trace_server(&run->trace[1], t->session, event);
	} else {
		event = t->client(t->context, bytes->bytes + *at, len, &taken);
		trace_client(&run->trace[0], t->session, event);
	}
	*at += taken;
}

/* A flight of the client and the server's replies to it. */
static inline void dialogue_flight(struct dialogue_run *run, const struct text *client,
				   const struct text *server)
{
	size_t c_at = 0, s_at = 0;

	while (c_at < client->len) {
		if (run->seed && s_at < server->len && dialogue_answerable(run->target->session) &&
		    dialogue_coin(run))
			dialogue_feed(run, true, server, &s_at, 1);
		else
			dialogue_feed(run, false, client, &c_at, run->seed ? 1 : client->len);
	}
	while (s_at < server->len)
		dialogue_feed(run, true, server, &s_at, server->len);
}

static inline void dialogue_end(struct dialogue_run *run, bool lost)
{
	const struct dialogue_target *t = run->target;
	unsigned int calls = 0;

	while (t->end(t->context, lost) && calls++ <= SMTP_SENDERS)
		trace_decision(&run->trace[1], t->session);
	if (t->end(t->context, lost))
		text_printf(&run->trace[1], "too many decisions at the end\n");
}

/* Feeds the whole dialogue. True: the trace is as expected; if not, it is written to stderr. */
static inline bool dialogue_play(const struct dialogue *d, const struct dialogue_target *target,
				 unsigned int seed)
{
	struct dialogue_run run = {.target = target, .seed = seed};
	const struct smtp_session *ss = target->session;
	const struct text none = {0};
	bool good;

	for (size_t i = 0; i < d->n_steps; i++) {
		const struct dialogue_step *step = &d->steps[i];
		const struct dialogue_step *next = i + 1 < d->n_steps ? step + 1 : NULL;

		if (step->kind == DIALOGUE_SERVER) {
			dialogue_flight(&run, &none, &step->bytes);
		} else if (step->kind == DIALOGUE_DESYNC) {
			trace_server(&run.trace[1], ss, target->desync(target->context));
		} else if (step->kind == DIALOGUE_END) {
			dialogue_end(&run, step->lost);
		} else if (next && next->kind == DIALOGUE_SERVER) {
			dialogue_flight(&run, &step->bytes, &next->bytes);
			i++;
		} else {
			dialogue_flight(&run, &step->bytes, &none);
		}
	}
	text_printf(&run.trace[1], "= %u %u %u\n", ss->s.attempts, ss->s.callouts, ss->s.too_many);
	good = !strcmp(text_string(&run.trace[0]), text_string(&d->expected[0])) &&
	       !strcmp(text_string(&run.trace[1]), text_string(&d->expected[1]));
	if (!good) {
		fprintf(stderr, "# %s (line %u), seed %u, client's events:\n%s# server's:\n%s",
			d->name, d->line, seed, text_string(&run.trace[0]),
			text_string(&run.trace[1]));
		fprintf(stderr, "# expected of the client:\n%s# of the server:\n%s",
			text_string(&d->expected[0]), text_string(&d->expected[1]));
	}
	free(run.trace[0].bytes);
	free(run.trace[1].bytes);
	return good;
}

#endif
