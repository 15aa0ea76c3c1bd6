/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy_client_serve_test.c - whole conversations on standard input and output: one answer to each
 * request, as many as come, and an end instead of an answer to what is no request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "policy/policy_client.h"
#include "cmd.h"
#include "policy/policy_socketmap.h"

#define DETAIL                                                                                     \
	"Domain a.test has exceeded the max defers and failures per hour (7/5 (58%)) allowed. "    \
	"Message discarded. Sending is possible again at 2099-11-21T14:05:00Z."
#define TEXT		      "550 5.7.1 " DETAIL
#define LENGTH		      " (in 12345 days)" /* as many digits as until 2099 for long */
#define REQUEST		      "request=smtpd_access_policy\nprotocol_state=RCPT\n"
#define REFUSED		      "action=" TEXT "\n\n"
#define DUNNO		      "action=DUNNO\n\n"
#define SESSION		      "5066755635621e3e"
#define TOKEN		      "3a8d52051222e3fe"
#define MAIL(session, sender) "filter|0.7|1.2|smtp-in|mail-from|" session "|" TOKEN "|" sender "\n"
#define RESULT(session, what) "filter-result|" session "|" TOKEN "|" what "\n"

/* How long that is depends on the day of the test: taken out where it is said. */
static void without_length(char *text)
{
	char *from, *to;

	while ((from = strstr(text, " (in ")) && (to = strstr(from, " days)"))) {
		to += strlen(" days)");
		memmove(from, to, strlen(to) + 1);
	}
}

static struct config config;
static struct policy_client answer = {.config = &config};

static int make_run(void **state)
{
	char run[] = "/tmp/answer_serve_test.XXXXXX", path[64];
	FILE *f;

	(void)state;
	if (!mkdtemp(run))
		return -1;
	snprintf(config.run, sizeof(config.run), "%s", run);
	snprintf(path, sizeof(path), "%s/suspended", run);
	f = fopen(path, "w");
	if (!f)
		return -1;
	fputs("1001: " TEXT "\nalice: " TEXT "\na.test: " TEXT "\n", f);
	return fclose(f);
}

static int remove_run(void **state)
{
	char path[PATH_MAX + 16];

	(void)state;
	snprintf(path, sizeof(path), "%s/suspended", config.run);
	unlink(path);
	return rmdir(config.run);
}

/* What a protocol writes for this input; its exit code. */
static int serve(int (*protocol)(struct policy_client *a), const char *in, size_t size,
		 char out[65536])
{
	int from = memfd_create("in", 0), to = memfd_create("out", 0), status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(write(from, in, size), (ssize_t)size);
	assert_int_equal(lseek(from, 0, SEEK_SET), 0);
	pid = fork();
	if (pid == 0) {
		if (dup2(from, 0) < 0 || dup2(to, 1) < 0)
			_exit(99);
		_exit(protocol(&answer));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	n = pread(to, out, 65535, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	without_length(out);
	close(from);
	close(to);
	return WEXITSTATUS(status);
}

static void assert_served(int (*protocol)(struct policy_client *a), const char *in,
			  const char *want, int code)
{
	static char out[65536];
	int got = serve(protocol, in, strlen(in), out);

	if (strcmp(out, want) || got != code)
		fail_msg("to \"%.200s\": code %d, \"%s\"", in, got, out);
}

static void test_policy(void **state)
{
	(void)state;
	assert_served(policy_client_policy, "", "", CMD_DONE);
	assert_served(policy_client_policy,
		      REQUEST "sender=x@a.test\n\n" REQUEST "sender=x@b.test\n\n" REQUEST
			      "sasl_username=alice\nsender=x@b.test\n\n",
		      REFUSED DUNNO REFUSED, CMD_DONE);
	assert_served(policy_client_policy, REQUEST "sender=x@a.test\n", "", CMD_DONE); /* torn */
	assert_served(policy_client_policy, REQUEST "\n", DUNNO, CMD_DONE);
	assert_served(policy_client_policy, REQUEST "sender=x@a.test\n\nnonsense\n\n" REQUEST "\n",
		      REFUSED, CMD_FAILED);
	assert_served(policy_client_policy, "request=other\n\n", "", CMD_FAILED);
}

/* A value that is too long is skipped; a request without an end is not. */
static void test_policy_is_bounded(void **state)
{
	static char in[200000], out[65536];
	size_t n = (size_t)sprintf(in, REQUEST "ccert_subject=");

	(void)state;
	memset(in + n, 'x', 50000);
	n += 50000;
	n += (size_t)sprintf(in + n, "\nsender=x@a.test\n\n");
	assert_int_equal(serve(policy_client_policy, in, n, out), CMD_DONE);
	assert_string_equal(out, REFUSED);
	n = (size_t)sprintf(in, REQUEST "x=");
	memset(in + n, 'x', sizeof(in) - n);
	memcpy(in + sizeof(in) - 2, "\n\n", 2);
	assert_int_equal(serve(policy_client_policy, in, sizeof(in), out), CMD_FAILED);
	assert_string_equal(out, "");
}

static void test_socketmap(void **state)
{
	char want[512];

	(void)state;
	snprintf(want, sizeof(want), "%zu:OK error:5.7.1 %s,9:NOTFOUND ,%zu:OK %s,",
		 strlen("OK error:5.7.1 " DETAIL LENGTH), DETAIL, strlen("OK " TEXT LENGTH), TEXT);
	assert_served(policy_client_socketmap,
		      "18:transport x@a.test,18:transport x@b.test,11:users alice,", want,
		      CMD_DONE);
	snprintf(want, sizeof(want), "%zu:OK REJECT 5.7.1 %s,9:NOTFOUND ,",
		 strlen("OK REJECT 5.7.1 " DETAIL LENGTH), DETAIL);
	assert_served(policy_client_socketmap,
		      "61:pickup/h.test Received: by h.test (Postfix, from userid 1001),"
		      "61:pickup/h.test Received: by r.test (Postfix, from userid 1001),",
		      want, CMD_DONE);
	assert_served(policy_client_socketmap, "12:ask uid=1001", "", CMD_DONE); /* torn */
	assert_served(policy_client_socketmap, "5:users,", "", CMD_FAILED);
	assert_served(policy_client_socketmap, "x", "", CMD_FAILED);
	assert_served(policy_client_socketmap, "99999999:users", "", CMD_FAILED);
	assert_served(policy_client_socketmap, "11:users alice;", "", CMD_FAILED);
}

/* A header as long as Postfix allows is skipped, and the next request is found. */
static void test_socketmap_is_bounded(void **state)
{
	static char in[POLICY_SOCKETMAP_MAX + 100], out[65536];
	size_t n = (size_t)sprintf(in, "%u:pickup ", POLICY_SOCKETMAP_MAX);
	size_t end = n + POLICY_SOCKETMAP_MAX - strlen("pickup ");

	(void)state;
	memset(in + n, 'x', end - n);
	n = end + (size_t)sprintf(in + end, ",9:users bob,");
	assert_int_equal(serve(policy_client_socketmap, in, n, out), CMD_DONE);
	assert_string_equal(out, "9:NOTFOUND ,9:NOTFOUND ,");
}

static void test_opensmtpd(void **state)
{
	static char out[65536];
	static const char in[] =
		"config|ready\n\n\0garbage\n"
		"report|0.7|1.2|smtp-in|link-connect|" SESSION "|h|pass|192.0.2.1:5|x\n" MAIL(
			SESSION, "x@a.test") "report|0.7|1.2|smtp-in|link-auth|" SESSION
					     "|pass|alice\n" MAIL(SESSION, "x@b.test")
						     MAIL(TOKEN, "x@a.test") "filter|torn";
	char *answers;

	(void)state;
	assert_int_equal(serve(policy_client_opensmtpd, in, sizeof(in) - 1, out), CMD_DONE);
	answers = strstr(out, "filter-result");
	assert_non_null(answers);
	assert_string_equal(answers, RESULT(SESSION, "proceed") RESULT(SESSION, "reject|" TEXT)
					     RESULT(TOKEN, "proceed"));
	assert_int_equal(strncmp(out, "register|", 9), 0);
}

static void test_sendmail(void **state)
{
	static const struct {
		const char *key, *want;
	} cases[] = {
		{"0,,,<<x@a.test>>", "\"" TEXT "\"\n"},
		{",,alice,<<x@b.test>>", "\"" TEXT "\"\n"},
		{"192.0.2.1,5,,<<x@a.test>>", ""},
		{"nonsense", ""},
	};
	char out[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int to = memfd_create("out", 0), saved = dup(1);
		ssize_t n;

		assert_true(dup2(to, 1) == 1);
		assert_int_equal(policy_client_sendmail(&answer, cases[i].key), CMD_DONE);
		assert_true(dup2(saved, 1) == 1);
		n = pread(to, out, sizeof(out) - 1, 0);
		out[n > 0 ? n : 0] = '\0';
		without_length(out);
		assert_string_equal(out, cases[i].want);
		close(to);
		close(saved);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),	  cmocka_unit_test(test_policy_is_bounded),
		cmocka_unit_test(test_socketmap), cmocka_unit_test(test_socketmap_is_bounded),
		cmocka_unit_test(test_opensmtpd), cmocka_unit_test(test_sendmail),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_run, remove_run);
}
