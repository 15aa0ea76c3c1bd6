/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cmd_answer.c - `smtplimit answer`: what a mail server runs to ask whether mail may be sent.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/stat.h>
#include "policy/policy_client.h"
#include "cmd.h"
#include "base/log.h"

#define WANTED "want answer policy, socketmap, opensmtpd, or sendmail KEY"

/* spawn(8) makes the connection standard error, too: what is logged must not get into the protocol.
 * */
static void keep_log_apart(void)
{
	struct stat out, err;
	int fd;

	if (fstat(STDOUT_FILENO, &out) || fstat(STDERR_FILENO, &err) || out.st_ino != err.st_ino ||
	    out.st_dev != err.st_dev || !S_ISSOCK(out.st_mode))
		return;
	fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		close(STDERR_FILENO);
}

/* An answer is needed whatever is wrong with the file. */
static void read_config(const char *file, struct config *config)
{
	char error[CONFIG_ERROR_SIZE];
	int r = config_read_client(file, config, error, sizeof(error));

	if (r)
		log_warning("%s; going on with %s", error,
			    r > 0 ? "its [paths] alone" : "the defaults");
	if (r < 0)
		config_defaults(config);
}

static int answer_key(struct policy_client *a, int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[0], "--"))
		return policy_client_sendmail(a, argv[1]);
	if (argc == 1)
		return policy_client_sendmail(a, argv[0]);
	log_error("answer sendmail takes one key: " WANTED);
	return CMD_USAGE;
}

int cmd_answer(struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*function)(struct policy_client *a);
	} protocols[] = {
		{"policy", policy_client_policy},
		{"socketmap", policy_client_socketmap},
		{"opensmtpd", policy_client_opensmtpd},
	};
	static struct config config;
	struct policy_client a = {.config = &config};
	int err;

	keep_log_apart();
	signal(SIGPIPE, SIG_IGN);
	read_config(cli->config_file, &config);
	err = policy_client_lock();
	if (err)
		log_warning("cannot give up system calls: %s", strerror(-err));
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (argc == 2 && !strcmp(argv[1], protocols[i].name))
			return protocols[i].function(&a);
	if (argc > 1 && !strcmp(argv[1], "sendmail"))
		return answer_key(&a, argc - 2, argv + 2);
	log_error("%s", WANTED);
	return CMD_USAGE;
}
