/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fairsim.c - replay a day of attempts to a judge, and say whom it suspends.
 *
 *	fairsim DIR product|rules OPTIONS
 *
 * DIR has attempts.bin and replies.tsv, as world.py writes them. A message that is tried while its
 * account is suspended is refused: it is lost, and its retries do not come. noise=P and silent=1 of
 * OPTIONS are for the texts (sim.h). Prints, with tabs:
 *	suspend ACCOUNT SECOND BAD PERCENT
 *	account ACCOUNT SUSPENSIONS FIRST_SECOND ATTEMPTS BAD LOST ATTEMPTS_BEFORE BAD_BEFORE
 *		DELIVERED
 *	class NAME ATTEMPTS
 * ATTEMPTS, BAD, DELIVERED: what left the host in the day; LOST: mails refused; *_BEFORE: up to the
 * first suspension (the whole day without one). Mail to this host itself is in none of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"

#define DAY_MS	  (25 * 3600 * 1000u)
#define TEXTS_MAX 1024

_Static_assert(sizeof(struct attempt) == 36, "RECORD in world.py");

struct count {
	uint32_t suspensions, first_ms, attempts, bad, lost, attempts_before, bad_before, delivered;
};

static struct count *counts;
static uint64_t classes[REPLY_CLASSES];

void sim_suspend(uint32_t account, uint32_t time_ms, const struct verdict_out *v)
{
	struct count *c = &counts[account];

	if (c->suspensions++ == 0)
		c->first_ms = time_ms;
	printf("suspend\t%u\t%u\t%llu\t%u\n", account, time_ms / 1000, (unsigned long long)v->bad,
	       v->percent);
}

static void *load(const char *directory, const char *name, size_t *size)
{
	char path[4096];
	FILE *file;
	char *data;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END)) {
		perror(path);
		exit(1);
	}
	*size = ftell(file);
	rewind(file);
	data = malloc(*size + 1);
	if (!data || fread(data, 1, *size, file) != *size)
		exit(1);
	data[*size] = '\0';
	fclose(file);
	return data;
}

/* Lines "CODE ENHANCED TEXT", with tabs; "-" for none. */
static void read_texts(struct sim *sim, const char *directory)
{
	size_t size;
	char *data = load(directory, "replies.tsv", &size);

	sim->texts = calloc(TEXTS_MAX, sizeof(*sim->texts));
	if (!sim->texts)
		exit(1);
	for (char *line = strtok(data, "\n"); line; line = strtok(NULL, "\n")) {
		struct text *t = &sim->texts[sim->texts_count++];
		char *enhanced = strchr(line, '\t');
		char *text = enhanced ? strchr(enhanced + 1, '\t') : NULL;

		if (!text || sim->texts_count == TEXTS_MAX) {
			fprintf(stderr,
				"fairsim: replies.tsv: \"%s\" is no reply, or one too many\n",
				line);
			exit(1);
		}
		t->code = (uint16_t)strtoul(line, NULL, 10);
		sscanf(enhanced + 1, "%hu.%hu.%hu", &t->enhanced[0], &t->enhanced[1],
		       &t->enhanced[2]);
		snprintf(t->text, sizeof(t->text), "%s", text + 1);
	}
	free(data);
}

static void largest(uint32_t *most, uint32_t value)
{
	if (value >= *most)
		*most = value + 1;
}

static void measure(struct sim *sim, const struct attempt *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		largest(&sim->accounts, all[i].account);
		largest(&sim->accounts, all[i].named);
		largest(&sim->rcpts, all[i].rcpt);
		largest(&sim->domains, all[i].domain);
		largest(&sim->remotes, all[i].remote);
		largest(&sim->mails, all[i].mail);
	}
}

static void count(const struct sim *sim, const struct attempt *a)
{
	struct count *c = &counts[a->account];
	bool delivered = a->outcome == SMTP_DELIVERED;

	if (a->flags & LOCAL)
		return;
	classes[sim_class(sim, a)]++;
	c->attempts++;
	c->bad += !delivered;
	c->delivered += delivered;
	if (c->suspensions == 0) {
		c->attempts_before++;
		c->bad_before += !delivered;
	}
}

static int replay(const struct sim *sim, const struct attempt *all, size_t n,
		  const struct judge_ops *ops, const char *options)
{
	uint8_t *lost = calloc(sim->mails + 1, 1);
	void *judge = ops->open(sim, options);
	uint32_t tick_ms = 0;

	if (!lost || !judge)
		return -1;
	for (const struct attempt *a = all; a < all + n; a++) {
		for (; tick_ms <= a->time_ms; tick_ms += 1000)
			ops->tick(judge, tick_ms);
		if (lost[a->mail])
			continue;
		if (!(a->flags & LOCAL) && ops->suspended(judge, a)) {
			lost[a->mail] = 1;
			counts[a->account].lost++;
			continue;
		}
		count(sim, a);
		ops->attempt(judge, a);
	}
	for (; tick_ms < DAY_MS; tick_ms += 1000)
		ops->tick(judge, tick_ms);
	ops->close(judge);
	free(lost);
	return 0;
}

static void print(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->accounts; i++) {
		const struct count *c = &counts[i];

		if (c->attempts || c->lost)
			printf("account\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\t%u\n", i, c->suspensions,
			       c->first_ms / 1000, c->attempts, c->bad, c->lost, c->attempts_before,
			       c->bad_before, c->delivered);
	}
	for (int i = 0; i < REPLY_CLASSES; i++)
		printf("class\t%s\t%llu\n", reply_class_name((enum reply_class)i),
		       (unsigned long long)classes[i]);
}

int main(int argc, char **argv)
{
	struct attempt *all;
	struct sim sim = {0};
	size_t size;
	bool product;

	if (argc != 4 || (strcmp(argv[2], "product") && strcmp(argv[2], "rules"))) {
		fprintf(stderr, "usage: fairsim DIR product|rules OPTIONS\n");
		return 2;
	}
	product = !strcmp(argv[2], "product");
	sim.noise = option(argv[3], "noise", 0);
	sim.silent = option(argv[3], "silent", 0);
	all = load(argv[1], "attempts.bin", &size);
	read_texts(&sim, argv[1]);
	measure(&sim, all, size / sizeof(*all));
	counts = calloc(sim.accounts + 1, sizeof(*counts));
	if (!counts ||
	    replay(&sim, all, size / sizeof(*all), product ? &product_ops : &rules_ops, argv[3])) {
		fprintf(stderr, "fairsim: not enough memory\n");
		return 1;
	}
	print(&sim);
	free(counts);
	free(sim.texts);
	free(all);
	return 0;
}
