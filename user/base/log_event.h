/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log_event.h - log lines about an account. Where stderr is the journal they go there with fields,
 * so that nobody has to take the text apart; smtplimit-history(8) lists them. Elsewhere they are
 * lines like all others.
 */
#ifndef SMTPL_LOG_EVENT_H
#define SMTPL_LOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A kind of event, and its MESSAGE_ID: 128 random bits that mean this kind and nothing else. Users'
 * alarms and journalctl --catalog go by it, so one is never changed nor used again; a new kind gets
 * one of `systemd-id128 new`.
 */
#define LOG_EVENTS(X)                                                                              \
	X(SUSPENDED, "9b1f7ba84d8e478e9c2cb19900b7b8b2")                                           \
	X(WOULD_SUSPEND, "ad9c012ac1f84f3f88d72a6fd9f82936")                                       \
	X(RELEASED, "bef037ff91d04256888b2242db55ace6")                                            \
	X(OVER, "06e221dd023e46918402476b9eaba6e0")                                                \
	X(NEAR, "84f51fc8c9cf4edfa956abd7ebf2a3ee")

#define LOG_EVENT_OF(name, id) LOG_EVENT_##name,
enum log_event_kind { LOG_EVENTS(LOG_EVENT_OF) LOG_EVENT_KINDS };
#undef LOG_EVENT_OF

/* What is not known gets no field. */
struct log_facts {
	const char *account; /* as it is written */
	const char *domain;  /* the account's own; NULL, "": not known */
	const char *login;   /* of SMTP AUTH; NULL, "": not known */
	bool has_figures;
	uint32_t bad;
	uint32_t percent;
	int64_t until_wall_s; /* Unix time; 0: none */
};

/* The text as log_line() takes it, at the level of a notice. errno is kept. */
void log_event(enum log_event_kind kind, const struct log_facts *facts, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

const char *log_event_id(enum log_event_kind kind);

#endif
