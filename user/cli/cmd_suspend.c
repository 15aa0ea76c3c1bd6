// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_suspend.c - `smtplimit suspend`: keep an account from sending, by hand.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "config/config_value.h"
#include "order.h"

#define USAGE "want smtplimit suspend ACCOUNT [--for 60m] [--reason TEXT [--tell]]"

struct arguments {
	const char *account;
	const char *reason;
	bool tell;     /* the sender, too */
	int64_t for_s; /* 0: as long as a verdict's */
};

static int usage(const char *word, const char *problem)
{
	char quoted[128];

	log_error("suspend: \"%s\": %s", log_escape(word, strlen(word), 1, quoted, sizeof(quoted)),
		  problem);
	return CMD_USAGE;
}

static int take_for(const char *text, struct arguments *a)
{
	char want[128];

	if (config_duration(text, CONFIG_SUSPEND_MIN_S, CONFIG_SUSPEND_MAX_S, &a->for_s, want,
			    sizeof(want)))
		return usage(text, want);
	return CMD_DONE;
}

static int take_reason(const char *text, struct arguments *a)
{
	if (strlen(text) >= ORDER_REASON_SIZE)
		return usage(text, "the reason has more than 255 bytes");
	a->reason = text;
	return CMD_DONE;
}

/* What is told becomes a part of an SMTP reply. */
static int check_told(const struct arguments *a)
{
	if (!a->tell)
		return CMD_DONE;
	if (!a->reason[0])
		return usage("--tell", "there is nothing to tell without --reason TEXT");
	if (strlen(a->reason) >= SMTPL_TOLD_SIZE || !config_told_valid(a->reason))
		return usage(a->reason, "what is told has at most 128 printable ASCII characters");
	return CMD_DONE;
}

static int read_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{"for", required_argument, NULL, 'f'},
		{"reason", required_argument, NULL, 'r'},
		{"tell", no_argument, NULL, 't'},
		{0},
	};
	int option, r = CMD_DONE;

	opterr = 0;
	while (r == CMD_DONE && (option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (option == 'f')
			r = take_for(optarg, a);
		else if (option == 'r')
			r = take_reason(optarg, a);
		else if (option == 't')
			a->tell = true;
		else
			r = usage(argv[optind - 1],
				  option == ':' ? "lacks its value; " USAGE : USAGE);
	}
	if (r == CMD_DONE)
		r = check_told(a);
	if (r != CMD_DONE)
		return r;
	if (argc - optind != 1)
		return usage(argc > optind ? argv[optind + 1] : "", USAGE);
	a->account = argv[optind];
	return CMD_DONE;
}

int cmd_suspend(struct cli *cli, int argc, char **argv)
{
	struct arguments arguments = {.reason = ""};
	static struct order order;
	int r = read_arguments(argc, argv, &arguments);

	if (r != CMD_DONE)
		return r;
	r = order_begin(&order, cli, argv[0], arguments.account);
	if (r == CMD_DONE) {
		order.what.suspend = true;
		order.what.tell = arguments.tell;
		order.what.for_s = arguments.for_s ? arguments.for_s : order_rule(&order).suspend_s;
		snprintf(order.what.reason, sizeof(order.what.reason), "%s", arguments.reason);
		r = order_run(&order);
	}
	if (r == CMD_DONE)
		order_print(&order, true);
	order_end(&order);
	return r;
}
