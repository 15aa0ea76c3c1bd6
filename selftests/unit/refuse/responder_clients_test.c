/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder_clients_test.c - what real mail clients make of the responder: each must show its user
 * the text of the refusal. Takes root; a client that is not installed is skipped.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "responder_fixture.h"

/* Run a client program, which finds the port in $PORT, answer the child's questions meanwhile, and
 * return what the program wrote. */
static const char *run_client(struct responder *r, const char *command)
{
	static char output[65536];
	char port[8];
	struct pollfd ready[2];
	size_t length = 0;
	struct asked asked = {0};
	ssize_t got;
	FILE *f;

	snprintf(port, sizeof(port), "%u", r->port);
	setenv("PORT", port, 1);
	f = popen(command, "re");
	assert_non_null(f);
	ready[0] = (struct pollfd){.fd = fileno(f), .events = POLLIN};
	ready[1] = (struct pollfd){.fd = r->fd, .events = POLLIN};
	for (;;) {
		assert_true(poll(ready, 2, WAIT_MS) > 0);
		if (ready[1].revents)
			assert_int_equal(responder_serve(r, lookup_known, &asked), 0);
		if (!ready[0].revents)
			continue;
		got = read(ready[0].fd, output + length, sizeof(output) - 1 - length);
		if (got <= 0)
			break;
		length += got;
	}
	output[length] = '\0';
	pclose(f);
	return output;
}

/* The program tells its user the refusal, with this domain in it. */
static void assert_told(const char *program, const char *domain, const char *command)
{
	char text[512];
	struct responder r;
	const char *output;

	need_root();
	snprintf(text, sizeof(text), "command -v %s >/dev/null", program);
	if (system(text) != 0)
		skip();
	refusal_text(&known, domain, text, sizeof(text));
	assert_non_null(strstr(text, domain));
	r = start();
	output = run_client(&r, command);
	if (!strstr(output, strstr(text, "5.7.1")) || !strstr(output, "550"))
		fail_msg("%s did not tell \"%s\" but: %s", program, text, output);
	responder_stop(&r);
}

#define PYTHON(statement)                                                                          \
	"/usr/bin/python3 -c '\nimport smtplib\ns = smtplib.SMTP(\"127.0.0.1\", '$PORT', \"h\")\n" \
	"try:\n  " statement "\nexcept Exception as e:\n  print(repr(e))' 2>&1"
#define SWAKS "swaks --server 127.0.0.1:$PORT --helo h --from a@example.com --to b@example.net "
#define CURL                                                                                       \
	"echo x | curl -sv smtp://127.0.0.1:$PORT/h --mail-from a@example.com "                    \
	"--mail-rcpt b@example.net -T - "
#define MSMTP "echo x | msmtp -C /dev/null --host=127.0.0.1 --port=$PORT --from=a@example.com "

static void test_smtplib(void **state)
{
	(void)state;
	assert_told("python3", "example.com",
		    PYTHON("s.sendmail(\"a@example.com\", \"b@example.net\", \"x\")"));
}

static void test_swaks(void **state)
{
	(void)state;
	assert_told("swaks", "example.com", SWAKS "2>&1");
	assert_told("swaks", "example.com", SWAKS "--pipeline 2>&1");
}

static void test_curl(void **state)
{
	(void)state;
	assert_told("curl", "example.com", CURL "2>&1");
}

static void test_msmtp(void **state)
{
	(void)state;
	assert_told("msmtp", "example.com", MSMTP "b@example.net 2>&1");
}

/* Who insists on TLS or a login is told the reason, not that the server has none. */
static void test_smtplib_insists(void **state)
{
	(void)state;
	assert_told("python3", "own.example", PYTHON("s.starttls()"));
	assert_told("python3", "own.example", PYTHON("s.login(\"u\", \"p\")"));
}

static void test_swaks_insists(void **state)
{
	(void)state;
	assert_told("swaks", "own.example", SWAKS "-a -au u -ap p 2>&1");
}

static void test_curl_insists(void **state)
{
	(void)state;
	assert_told("curl", "own.example", CURL "--ssl-reqd 2>&1");
	assert_told("curl", "own.example", CURL "-u u:p 2>&1");
}

static void test_msmtp_insists(void **state)
{
	(void)state;
	assert_told("msmtp", "own.example",
		    MSMTP "--tls=on --tls-certcheck=off b@example.net 2>&1");
	assert_told("msmtp", "own.example",
		    MSMTP "--auth=cram-md5 --user=u --passwordeval='echo p' b@example.net 2>&1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smtplib),
		cmocka_unit_test(test_swaks),
		cmocka_unit_test(test_curl),
		cmocka_unit_test(test_msmtp),
		cmocka_unit_test(test_smtplib_insists),
		cmocka_unit_test(test_swaks_insists),
		cmocka_unit_test(test_curl_insists),
		cmocka_unit_test(test_msmtp_insists),
	};

	alarm(120);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
