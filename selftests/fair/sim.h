/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sim.h - what the parts of the fairness simulator share: one attempt as world.py writes it, and
 * the two kinds of judge that it is given to (the product's own code, or a rule of rules.c).
 */
#ifndef FAIR_SIM_H
#define FAIR_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/reply_class.h"

enum {
	WARM = 1,     /* the recipient's domain is one that several accounts write to every day */
	LOCAL = 2,    /* to this host itself: cPanel counts it, the product does not see it */
	OFF_WIRE = 4, /* there is no session: the mail server alone knows of it */
};

/* One attempt, 36 bytes, little-endian: RECORD in world.py. */
struct attempt {
	uint32_t time_ms; /* of the outcome; the file is in this order */
	uint32_t account;
	uint32_t mail;	 /* one message to one recipient; its retries have the same number */
	uint32_t rcpt;	 /* one address */
	uint32_t domain; /* of the recipient */
	uint32_t remote; /* the receiving organisation */
	uint32_t text;	 /* line of the texts file */
	uint8_t outcome; /* enum smtp_outcome: delivered, deferred or failed */
	uint8_t sender;	 /* which of the account's addresses */
	uint8_t flags;	 /* WARM, LOCAL, OFF_WIRE */
	uint8_t pad;
	uint32_t named; /* the account whose domain the sender address has */
};

/* A line of world.py's texts file. */
struct text {
	uint16_t code; /* 0: no reply */
	uint16_t enhanced[3];
	char text[160];
};

struct sim {
	struct text *texts;
	size_t texts_count;
	long noise;	   /* percent of the mails whose replies have a text that says nothing */
	bool silent;	   /* nor do the codes of those */
	uint32_t accounts; /* these five: one more than the largest number */
	uint32_t rcpts;
	uint32_t domains;
	uint32_t remotes;
	uint32_t mails;
};

/* What the receiver answered; with noise, what can be read of it. */
struct text sim_text(const struct sim *sim, const struct attempt *a);
/* What the product takes it to be about. */
enum reply_class sim_class(const struct sim *sim, const struct attempt *a);

struct verdict_out {
	uint64_t bad;
	unsigned int percent;
};

struct judge_ops {
	void *(*open)(const struct sim *sim, const char *options);
	void (*attempt)(void *judge, const struct attempt *a);
	void (*tick)(void *judge, uint32_t time_ms);
	/* Suspended now? The judge begins and ends suspensions by itself. */
	bool (*suspended)(void *judge, const struct attempt *a);
	void (*close)(void *judge);
};

/* options: report, wire or relay; min=N,percent=N,window=S,suspend=S */
extern const struct judge_ops product_ops;
extern const struct judge_ops rules_ops;

/* A judge says so when an account begins to be suspended. */
void sim_suspend(uint32_t account, uint32_t time_ms, const struct verdict_out *v);

/* The value of name=NUMBER in a comma-separated list; of several the last. */
long option(const char *options, const char *name, long without);
/* Of name=CLASS+CLASS..., a bit for each class; exits on a name that is no class. */
unsigned int option_classes(const char *options, const char *name);

#endif
