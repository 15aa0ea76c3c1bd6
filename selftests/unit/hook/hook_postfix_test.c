/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_postfix_test.c - our lines get into main.cf and master.cf once, and out again to the byte,
 * whatever the files contain.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "hook/hook.h"
#include "hook/postfix_cf.h"

#define MASTER                                                                                     \
	"pickup    unix  n       -       y       60      1       pickup\n"                         \
	"cleanup   unix  n       -       y       -       0       cleanup\n"
#define BEGIN(name) "# BEGIN smtplimit " name " (smtplimit hook postfix --remove takes this out)\n"
#define END(name)   "# END smtplimit " name "\n"
#define POLICY                                                                                     \
	"check_policy_service { unix:private/smtplimit-policy, timeout=2s, "                       \
	"default_action=DUNNO }"
#define TRANSPORT "socketmap:unix:private/smtplimit-map:transport"
#define SPAWNS                                                                                     \
	"smtplimit-policy unix - n n - 0 spawn user=mail\n"                                        \
	"  argv=/usr/sbin/smtplimit answer policy\n"                                               \
	"smtplimit-map unix - n n - 0 spawn user=mail\n"                                           \
	"  argv=/usr/sbin/smtplimit answer socketmap\n"
#define LIMITS "smtplimit-policy_time_limit = 3600s\nsmtplimit-map_time_limit = 3600s\n"

static char root[] = "/tmp/hook_postfix_test-XXXXXX";
static struct config config;
static struct hook_context context = {
	.config = &config, .root = root, .binary = "/usr/sbin/smtplimit"};

static const char *file(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/etc/postfix/%s", root, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(file(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static const char *get(const char *name)
{
	static char text[16384];
	FILE *f = fopen(file(name), "r");

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static int setup(void **state)
{
	char path[256];

	(void)state;
	config_defaults(&config);
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/etc", root);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/etc/postfix", root);
	return mkdir(path, 0755);
}

static int teardown(void **state)
{
	char path[256];

	(void)state;
	unlink(file("main.cf"));
	unlink(file("master.cf"));
	snprintf(path, sizeof(path), "%s/etc/postfix", root);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/etc", root);
	rmdir(path);
	return rmdir(root);
}

/* Returns how many files changed. */
static size_t carry_out(int (*make)(const struct hook_context *context_, struct hook_plan *plan_,
				    char *error_, size_t error_size))
{
	struct hook_mta mta = hook_postfix;
	struct hook_plan plan = {0};
	char error[512] = "";
	size_t count;

	mta.syntax = NULL;
	assert_int_equal(make(&context, &plan, error, sizeof(error)), 0);
	assert_string_equal(error, "");
	count = plan.count;
	assert_int_equal(hook_plan_carry_out(&mta, &context, &plan, error, sizeof(error)), 0);
	hook_plan_free(&plan);
	return count;
}

static void says(const char *want, int status)
{
	char line[512];

	assert_int_equal(hook_postfix.check(&context, line, sizeof(line)), status);
	assert_string_equal(line, want);
}

/* Install twice, check, remove twice. */
static void becomes(const char *main_cf, const char *main_new, const char *master,
		    const char *master_new)
{
	put("main.cf", main_cf);
	put("master.cf", master);
	assert_true(carry_out(hook_postfix.install) > 0);
	assert_string_equal(get("main.cf"), main_new);
	assert_string_equal(get("master.cf"), master_new);
	assert_int_equal(carry_out(hook_postfix.install), 0);
	says("postfix: installed", 0);
	assert_true(carry_out(hook_postfix.remove) > 0);
	assert_string_equal(get("main.cf"), main_cf);
	assert_string_equal(get("master.cf"), master);
	assert_int_equal(carry_out(hook_postfix.remove), 0);
}

static void refuses(const char *main_cf, const char *master, const char *want)
{
	struct hook_plan plan = {0};
	char error[512];

	put("main.cf", main_cf);
	put("master.cf", master);
	assert_int_equal(hook_postfix.install(&context, &plan, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, want);
	assert_int_equal(plan.count, 0);
}

/* Files stand here line by line: */
/* clang-format off */
#define CLEANUP(header, others)                                                                    \
	"smtplimit-cleanup unix n - y - 0 cleanup\n"                                               \
	"  -o { header_checks = socketmap:unix:private/smtplimit-map:pickup/$myhostname" header    \
	" }\n"                                                                                     \
	"  -o { mime_header_checks = " others " }\n"                                               \
	"  -o { nested_header_checks = " others " }\n"
#define MASTER_NEW(header, others)                                                                 \
	"pickup    unix  n       -       y       60      1       pickup\n"                         \
	BEGIN("pickup") "  -o cleanup_service_name=smtplimit-cleanup\n" END("pickup")              \
	"cleanup   unix  n       -       y       -       0       cleanup\n"                        \
	BEGIN("services") SPAWNS CLEANUP(header, others) END("services")
#define SETTINGS BEGIN("settings") "smtpd_data_restrictions = " POLICY "\n"                        \
	"sender_dependent_default_transport_maps = " TRANSPORT "\n"                                \
	"smtpd_client_port_logging = yes\n" LIMITS END("settings")

static void test_plain_files(void **state)
{
	(void)state;
	becomes("myhostname = mail.test\n", "myhostname = mail.test\n" SETTINGS, MASTER,
		MASTER_NEW("", ""));
	becomes("", SETTINGS, MASTER, MASTER_NEW("", ""));
	/* Neither a comment nor a longer name is the setting. */
	becomes("#smtpd_data_restrictions = x\nsmtpd_data_restrictions_x = y\n",
		"#smtpd_data_restrictions = x\nsmtpd_data_restrictions_x = y\n" SETTINGS, MASTER,
		MASTER_NEW("", ""));
}

static void test_settings_that_are_there(void **state)
{
	(void)state;
	becomes("a = b\n"
		"smtpd_data_restrictions = permit\n"
		"smtpd_data_restrictions=\n"
		"# why\n"
		"    reject_unauth_pipelining,\n"
		"\n"
		"    permit\n"
		"# c is next\n"
		"c = d\n"
		"smtpd_client_port_logging = no\n",
		"a = b\n"
		"smtpd_data_restrictions = permit\n"
		BEGIN("smtpd_data_restrictions")
		"#was: smtpd_data_restrictions=\n"
		"#was: # why\n"
		"#was:     reject_unauth_pipelining,\n"
		"#was: \n"
		"#was:     permit\n"
		"smtpd_data_restrictions = " POLICY ", reject_unauth_pipelining,    permit\n"
		END("smtpd_data_restrictions")
		"# c is next\n"
		"c = d\n"
		BEGIN("smtpd_client_port_logging")
		"#was: smtpd_client_port_logging = no\n"
		"smtpd_client_port_logging = yes\n"
		END("smtpd_client_port_logging")
		BEGIN("settings")
		"sender_dependent_default_transport_maps = " TRANSPORT "\n"
		LIMITS END("settings"), MASTER, MASTER_NEW("", ""));
}

static void test_a_last_line_without_its_end(void **state)
{
	static const char rest[] = "sender_dependent_default_transport_maps = hash:/x\n"
				   "smtpd_data_restrictions = permit";
	char torn[512];

	(void)state;
	becomes(rest,
		BEGIN("sender_dependent_default_transport_maps")
		"#was: sender_dependent_default_transport_maps = hash:/x\n"
		"sender_dependent_default_transport_maps = " TRANSPORT ", hash:/x\n"
		END("sender_dependent_default_transport_maps")
		BEGIN("smtpd_data_restrictions")
		"#was> smtpd_data_restrictions = permit\n"
		"smtpd_data_restrictions = " POLICY ", permit\n" END("smtpd_data_restrictions")
		BEGIN("settings") "smtpd_client_port_logging = yes\n" LIMITS END("settings"),
		MASTER, MASTER_NEW("", ""));
	/* pickup's own entry goes over two lines. */
	put("main.cf", "");
	snprintf(torn, sizeof(torn), "cleanup unix n - n - 0 cleanup\n"
				     "pickup unix n - n 60 1 pickup\n\t-o a=b");
	put("master.cf", torn);
	assert_int_equal(carry_out(hook_postfix.install), 2);
	assert_non_null(strstr(get("master.cf"),
			       "\n\t-o a=b\n" BEGIN("pickup")
			       "  -o cleanup_service_name=smtplimit-cleanup\n"
			       "# END smtplimit pickup"));
	assert_non_null(strstr(get("master.cf"), "smtplimit-cleanup unix n - n - 0 cleanup\n"));
	assert_int_equal(carry_out(hook_postfix.install), 0);
	assert_int_equal(carry_out(hook_postfix.remove), 2);
	assert_string_equal(get("master.cf"), torn);
}

static void test_header_checks_are_kept(void **state)
{
	static const char both[] = "header_checks = regexp:/etc/h, pcre:/etc/p\n"
				   "mime_header_checks = $header_checks\n";

	(void)state;
	becomes("header_checks = regexp:/etc/h, pcre:/etc/p\n",
		"header_checks = regexp:/etc/h, pcre:/etc/p\n" SETTINGS, MASTER,
		MASTER_NEW(", regexp:/etc/h, pcre:/etc/p", "regexp:/etc/h, pcre:/etc/p"));
	put("main.cf", both);
	put("master.cf", "pickup unix n - n 60 1 pickup -o cleanup_service_name=pre-cleanup\n"
			 "cleanup unix n - y - 0 cleanup\n"
			 "pre-cleanup unix n - n - 5 cleanup\n  -o virtual_alias_maps=\n");
	assert_int_equal(carry_out(hook_postfix.install), 2);
	assert_non_null(strstr(get("master.cf"),
			       "smtplimit-cleanup unix n - n - 5 cleanup  -o virtual_alias_maps=\n"
			       "  -o { header_checks = "
			       "socketmap:unix:private/smtplimit-map:pickup/$myhostname, "
			       "regexp:/etc/h, pcre:/etc/p }\n"
			       "  -o { mime_header_checks = regexp:/etc/h, pcre:/etc/p }\n"));
	/* main.cf was changed meanwhile. */
	assert_int_equal(carry_out(hook_postfix.install), 0);
	put("main.cf", "");
	says("postfix: not installed: /etc/postfix/master.cf lacks it, or not as it is now: "
	     "smtplimit hook postfix --install", -ESRCH);
}

#define MASTER_OF(options) "pickup unix n - y 60 1 pickup" options "\ncleanup unix n - y - 0 cleanup\n"
/* As with content filters: pickup gets headers checked, by our table alone. */
#define UNCHECKED(pickup_options, others, pickup_block)                                            \
	"pickup unix n - y 60 1 pickup" pickup_options "\n"                                        \
	BEGIN("pickup") pickup_block "  -o cleanup_service_name=smtplimit-cleanup\n" END("pickup") \
	"cleanup unix n - y - 0 cleanup\n"                                                         \
	BEGIN("services") SPAWNS "smtplimit-cleanup unix n - y - 0 cleanup\n"                      \
	"  -o { header_checks = socketmap:unix:private/smtplimit-map:pickup/$myhostname }\n"       \
	"  -o { mime_header_checks = }\n  -o { nested_header_checks = }\n" others                  \
	END("services")

static void test_pickup_whose_headers_are_not_checked(void **state)
{
	static const char amavis[] = " -o content_filter="
				     " -o receive_override_options=no_header_body_checks";
	static const char braces[] = " -o { receive_override_options = no_address_mappings, no_header_body_checks }";
	char old[512];

	(void)state;
	snprintf(old, sizeof(old), MASTER_OF("%s"), amavis);
	becomes("header_checks = regexp:/etc/h\n", "header_checks = regexp:/etc/h\n" SETTINGS, old,
		UNCHECKED(" -o content_filter= -o receive_override_options=no_header_body_checks",
			  "  -o { body_checks = }\n", "  -o receive_override_options=,\n"));
	snprintf(old, sizeof(old), MASTER_OF("%s"), braces);
	becomes("", SETTINGS, old,
		UNCHECKED(" -o { receive_override_options = no_address_mappings, no_header_body_checks }",
			  "  -o { body_checks = }\n",
			  "  -o receive_override_options=,no_address_mappings\n"));
	becomes("receive_override_options = no_header_body_checks\n",
		"receive_override_options = no_header_body_checks\n" SETTINGS,
		MASTER_OF(""), UNCHECKED("", "  -o { body_checks = }\n", "  -o receive_override_options=,\n"));
}

/* As with content filters, too: the options of the service count, not main.cf. */
static void test_cleanup_with_checks_of_its_own(void **state)
{
	static const char master[] =
		"pickup unix n - y 60 1 pickup\n -o { cleanup_service_name = pre }\n"
		"cleanup unix n - y - 0 cleanup\n"
		"pre unix n - y - 0 cleanup -o header_checks= -o { mime_header_checks = "
		"regexp:/x, $header_checks }\n";

	(void)state;
	put("main.cf", "header_checks = regexp:/etc/h\n");
	put("master.cf", master);
	assert_int_equal(carry_out(hook_postfix.install), 2);
	assert_non_null(strstr(get("master.cf"),
			       "\n  -o { header_checks = "
			       "socketmap:unix:private/smtplimit-map:pickup/$myhostname }\n"
			       "  -o { mime_header_checks = regexp:/x,  }\n"
			       "  -o { nested_header_checks =  }\n"));
	assert_int_equal(carry_out(hook_postfix.install), 0);
	assert_int_equal(carry_out(hook_postfix.remove), 2);
	assert_string_equal(get("master.cf"), master);
}

/* It takes nothing from sendmail(1). */
static void test_without_pickup(void **state)
{
	(void)state;
	becomes("", SETTINGS, "#pickup unix n - y 60 1 pickup\ncleanup unix n - y - 0 cleanup\n",
		"#pickup unix n - y 60 1 pickup\ncleanup unix n - y - 0 cleanup\n"
		BEGIN("services") SPAWNS END("services"));
}

static void test_put_in_by_hand(void **state)
{
	(void)state;
	put("main.cf", "smtpd_data_restrictions = permit, " POLICY "\n"
		       "sender_dependent_default_transport_maps = " TRANSPORT "\n"
		       "smtpd_client_port_logging = yes\n" LIMITS);
	put("master.cf", "pickup unix n - n 60 1 pickup\n"
			 " -o cleanup_service_name=smtplimit-cleanup\n"
			 SPAWNS CLEANUP("", ""));
	says("postfix: installed", 0);
	put("main.cf", "");
	put("master.cf", MASTER);
	says("postfix: not installed: /etc/postfix/master.cf lacks it, or not as it is now: "
	     "smtplimit hook postfix --install", -ESRCH);
	unlink(file("main.cf"));
	says("postfix: not on this host", 1);
}

/* postconf -P writes pickup's entry behind the comments within it, with our option in it. */
static void test_pickup_written_anew(void **state)
{
	static const char anew[] = BEGIN("pickup") END("pickup")
		"pickup     unix  n       -       y       60      1       pickup\n"
		"    -o cleanup_service_name=smtplimit-cleanup\n"
		"    -o syslog_name=postfix/local\n"
		"cleanup   unix  n       -       y       -       0       cleanup\n"
		BEGIN("services") SPAWNS CLEANUP("", "") END("services");
	static const char without[] =
		"pickup     unix  n       -       y       60      1       pickup\n"
		"    -o syslog_name=postfix/local\n"
		"cleanup   unix  n       -       y       -       0       cleanup\n";

	(void)state;
	put("main.cf", "");
	put("master.cf", anew);
	assert_int_equal(carry_out(hook_postfix.install), 2);
	assert_non_null(strstr(get("master.cf"), "\n" CLEANUP("", "")));
	assert_non_null(strstr(get("master.cf"), BEGIN("pickup")
			       "  -o cleanup_service_name=smtplimit-cleanup\n" END("pickup")));
	assert_int_equal(carry_out(hook_postfix.install), 0);
	assert_int_equal(carry_out(hook_postfix.remove), 2);
	assert_string_equal(get("master.cf"), without);
	put("master.cf", anew);
	assert_int_equal(carry_out(hook_postfix.remove), 1);
	assert_string_equal(get("master.cf"), without);
	put("master.cf", BEGIN("pickup") END("pickup")
	    "pickup unix n - y 60 1 pickup\n"
	    "    -o receive_override_options=no_header_body_checks\n"
	    "    -o receive_override_options=,no_address_mappings\n"
	    "    -o cleanup_service_name=smtplimit-cleanup\n");
	assert_int_equal(carry_out(hook_postfix.remove), 1);
	assert_string_equal(get("master.cf"),
			    "pickup unix n - y 60 1 pickup\n"
			    "    -o receive_override_options=no_header_body_checks\n");
}

/* postconf -e changes a setting where it stands: in our block. */
static void test_edits_in_our_block_stay(void **state)
{
	char text[4096];
	char *at;

	(void)state;
	put("main.cf", "smtpd_data_restrictions = permit\na = b\n");
	put("master.cf", MASTER);
	assert_int_equal(carry_out(hook_postfix.install), 2);
	snprintf(text, sizeof(text), "%s", get("main.cf"));
	at = strstr(text, POLICY ", permit\n");
	assert_non_null(at);
	memcpy(at + strlen(POLICY), ", reject", 8);
	at = strstr(text, TRANSPORT "\n");
	assert_non_null(at);
	memmove(at + strlen(TRANSPORT) + 8, at + strlen(TRANSPORT),
		strlen(at + strlen(TRANSPORT)) + 1);
	memcpy(at + strlen(TRANSPORT), ", hash:x", 8);
	put("main.cf", text);
	assert_int_equal(carry_out(hook_postfix.install), 1);
	assert_non_null(strstr(get("main.cf"), "\nsmtpd_data_restrictions = " POLICY ", reject\n"));
	assert_non_null(strstr(get("main.cf"), "_maps = " TRANSPORT ", hash:x\n"));
	assert_int_equal(carry_out(hook_postfix.install), 0);
	assert_int_equal(carry_out(hook_postfix.remove), 2);
	assert_string_equal(get("main.cf"), "smtpd_data_restrictions = reject\na = b\n"
			    "sender_dependent_default_transport_maps = hash:x\n");
}

static void test_what_cannot_be_done(void **state)
{
	(void)state;
	refuses("", "pickup unix n - y 60 1 pickup\n",
		"/etc/postfix/master.cf: has no service \"cleanup\", which pickup hands mail to");
	context.config_file = "/etc/my file";
	refuses("", MASTER, "\"/etc/my file\" cannot stand in a mail server's configuration: "
			    "want a whole path of letters, digits and /._+-");
	context.config_file = NULL;
	config.relays.count = 1;
	refuses("", MASTER, "[watch] relay_users lacks \"mail\", as whom Postfix will ask: want it "
			    "there");
	config_defaults(&config);
}

/* An editor has taken the newline at the end of the file: that of a block with kept lines. */
static void test_a_block_without_its_end(void **state)
{
	static const char torn[] = "a = b\n" BEGIN("x") "#was: k = v\nk = ours, v\n";
	char *bytes = strdup(torn);
	struct hook_text text;

	(void)state;
	assert_non_null(bytes);
	bytes = realloc(bytes, sizeof(torn) + 64);
	strncat(bytes, END("x"), 63);
	bytes[strlen(bytes) - 1] = '\0';
	text = (struct hook_text){bytes, strlen(bytes)};
	assert_int_equal(hook_restore(&text, "#"), 0);
	assert_string_equal(text.text, "a = b\nk = v\n");
	assert_int_equal(text.size, strlen("a = b\nk = v\n"));
	assert_int_equal(hook_text_splice(&text, text.size + 1, text.size + 1, "", 0), -EINVAL);
	hook_text_free(&text);
}

static void test_lines(void **state)
{
	char bytes[] = " lost\n# c\na = b\n\n  c\n#d\n\t\n e\nf";
	struct hook_text text = {bytes, sizeof(bytes) - 1};
	struct postfix_line line;
	size_t at = 0;
	char *joined;

	(void)state;
	assert_true(postfix_line_next(&text, &at, &line));
	joined = postfix_line_joined(&text, &line);
	assert_string_equal(joined, "a = b  c e");
	free(joined);
	assert_true(postfix_line_next(&text, &at, &line));
	assert_string_equal(bytes + line.begin, "f");
	assert_int_equal(line.end, text.size);
	assert_false(postfix_line_next(&text, &at, &line));
}

/* clang-format on */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_files),
		cmocka_unit_test(test_settings_that_are_there),
		cmocka_unit_test(test_a_last_line_without_its_end),
		cmocka_unit_test(test_header_checks_are_kept),
		cmocka_unit_test(test_pickup_whose_headers_are_not_checked),
		cmocka_unit_test(test_cleanup_with_checks_of_its_own),
		cmocka_unit_test(test_without_pickup),
		cmocka_unit_test(test_put_in_by_hand),
		cmocka_unit_test(test_pickup_written_anew),
		cmocka_unit_test(test_edits_in_our_block_stay),
		cmocka_unit_test(test_what_cannot_be_done),
		cmocka_unit_test(test_a_block_without_its_end),
		cmocka_unit_test(test_lines),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
