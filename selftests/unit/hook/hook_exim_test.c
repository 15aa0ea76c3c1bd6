/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim_test.c - the hook of Exim finds its places in configurations of several kinds, and its
 * error names what to do by hand where it does not.
 */
#include "hook_fixture.h"
#include "hook/hook_exim.h"

static const char whole[] = "domainlist local_domains = @\n"
			    "ACL_RCPT = \\\n"
			    "# in between\n"
			    "  my_rcpt\n"
			    "acl_smtp_rcpt = ACL_RCPT\n"
			    "# all that follows\n"
			    "begin acl\n"
			    "\n"
			    "my_rcpt:\n"
			    "  accept hosts = :\n"
			    "other:\n"
			    "  accept\n"
			    "begin routers\n"
			    "r:\n"
			    "  driver = dnslookup\n"
			    "  transport = remote\n"
			    "begin transports\n"
			    "remote:\n"
			    "  driver = smtp\n"
			    "local:\n"
			    "  driver = smtp\n"
			    "  protocol = lmtp\n"
			    "file:\n"
			    "  driver = appendfile\n"
			    "begin retry\n"
			    "*  *  F,2h,15m";

static int plan_exim(bool install, struct hook_plan *plan, char *error, size_t error_size)
{
	return install ? hook_exim.install(&context, plan, error, error_size) :
			 hook_exim.remove(&context, plan, error, error_size);
}

/* Plan and carry out without a check by Exim itself. Returns how many files changed. */
static int change_exim(bool install)
{
	struct hook_plan plan = {0};
	char error[512] = "";
	int count;

	if (plan_exim(install, &plan, error, sizeof(error)))
		fail_msg("%s", error);
	count = plan.count;
	if (carry_out(&plan, error, sizeof(error)))
		fail_msg("%s", error);
	return count;
}

static void assert_error(const char *text, const char *wanted)
{
	struct hook_plan plan = {0};
	char error[512] = "";

	write_file("/etc/exim/exim.conf", text, 0644);
	assert_true(plan_exim(true, &plan, error, sizeof(error)) < 0);
	if (!strstr(error, wanted))
		fail_msg("\"%s\" lacks \"%s\"", error, wanted);
	assert_non_null(strstr(error, "smtplimit hook exim"));
	hook_plan_free(&plan);
}

static char *replaced(const char *text, const char *what, const char *with)
{
	const char *at = strstr(text, what);
	char *made;

	assert_non_null(at);
	assert_true(asprintf(&made, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what)) >
		    0);
	return made;
}

#define MARK(name) "# BEGIN smtplimit " name " (smtplimit hook exim --remove takes this out)\n"

static void test_one_file(void **state)
{
	struct hook_text text;

	(void)state;
	write_file("/etc/exim/exim.conf", whole, 0644);
	assert_int_equal(change_exim(true), 1);
	assert_int_equal(hook_read(&context, "/etc/exim/exim.conf", &text), 0);
	assert_non_null(strstr(text.text, "# all that follows\n" MARK("main") "event_action = "));
	assert_non_null(strstr(text.text, MARK("not-smtp") "acl_not_smtp = smtplimit_not_smtp\n"));
	assert_non_null(strstr(text.text, "begin acl\n" MARK("acl") "smtplimit_origin:\n"));
	assert_non_null(strstr(text.text, "\nmy_rcpt:\n" MARK("rcpt-my_rcpt") "  require\n"));
	assert_non_null(strstr(text.text, "begin routers\n" MARK("router") "smtplimit:\n"));
	assert_non_null(strstr(text.text, "remote:\n" MARK("transport-remote")));
	assert_null(strstr(text.text, "transport-local"));
	assert_null(strstr(text.text, "transport-file"));
	assert_null(strstr(text.text, "rcpt-other"));
	assert_null(strstr(text.text, "@RUN@"));
	assert_non_null(strstr(text.text, "{/run/smtplimit/exim}"));
	hook_text_free(&text);
	assert_int_equal(change_exim(true), 0);
	assert_int_equal(change_exim(false), 1);
	assert_file("/etc/exim/exim.conf", whole);
	assert_int_equal(change_exim(false), 0);
}

/* They are without the comments and marker lines of exim.conf. */
static void test_parts_of_the_plain_file(void **state)
{
	static const char *const parts[] = {"main",	"not-smtp-option", "acl",      "rcpt",
					    "not-smtp", "router",	   "transport"};
	char *text;

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		text = exim_text(&context, parts[i]);
		assert_non_null(text);
		assert_true(text[0] && text[strlen(text) - 1] == '\n');
		assert_null(strstr(text, "#"));
		free(text);
	}
	text = exim_text(&context, "not-smtp");
	assert_string_equal(text, "  require\n    acl = smtplimit_not_smtp\n");
	free(text);
	text = exim_text(&context, "not");
	assert_string_equal(text, "");
	free(text);
}

/* What others change between install and remove stays. */
static void test_edited_meanwhile(void **state)
{
	struct hook_text text;
	char *edited, *wanted;

	(void)state;
	write_file("/etc/exim/exim.conf", whole, 0644);
	assert_int_equal(change_exim(true), 1);
	assert_int_equal(hook_read(&context, "/etc/exim/exim.conf", &text), 0);
	edited = replaced(text.text, "  accept hosts = :\n", "  accept hosts = 127.0.0.1\n\n");
	wanted = replaced(whole, "  accept hosts = :\n", "  accept hosts = 127.0.0.1\n\n");
	write_file("/etc/exim/exim.conf", edited, 0644);
	assert_int_equal(change_exim(true), 0);
	assert_int_equal(change_exim(false), 1);
	assert_file("/etc/exim/exim.conf", wanted);
	hook_text_free(&text);
	free(edited);
	free(wanted);
}

/* The hook is in every branch. */
static void test_branches(void **state)
{
	static const char acls[] =
		".ifdef X\nmy_rcpt:\n  accept\n.else\nmy_rcpt:\n  deny\n.endif\n";
	static const char remotes[] = ".ifdef X\nremote:\n  driver = smtp\n.else\n"
				      "remote:\n  hosts = a\n  driver = smtp\n.endif\n"
				      "either:\n.ifdef X\n  driver = smtp\n.else\n"
				      "  hosts = b\n  driver = smtp\n.endif\n";
	char *some = replaced(whole, "my_rcpt:\n  accept hosts = :\n", acls);
	char *text = replaced(some, "remote:\n  driver = smtp\n", remotes);
	struct hook_text got;

	(void)state;
	write_file("/etc/exim/exim.conf", text, 0644);
	assert_int_equal(change_exim(true), 1);
	assert_int_equal(hook_read(&context, "/etc/exim/exim.conf", &got), 0);
	assert_non_null(strstr(got.text, ".ifdef X\nmy_rcpt:\n" MARK("rcpt-my_rcpt")));
	assert_non_null(strstr(got.text, ".else\nmy_rcpt:\n" MARK("rcpt-my_rcpt-2")));
	assert_non_null(strstr(got.text, ".ifdef X\nremote:\n" MARK("transport-remote")));
	assert_non_null(strstr(got.text, ".else\nremote:\n" MARK("transport-remote-2")));
	assert_non_null(strstr(got.text, "\neither:\n" MARK("transport-either")));
	hook_text_free(&got);
	assert_int_equal(change_exim(true), 0);
	assert_int_equal(change_exim(false), 1);
	assert_file("/etc/exim/exim.conf", text);
	free(some);
	free(text);
}

/* Warnings go to a file meanwhile. */
static void install_and_note(const char *path, int files)
{
	int kept = dup(STDERR_FILENO), fd = open(path_of(path), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(kept >= 0 && fd >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(change_exim(true), files);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	close(kept);
	close(fd);
}

/* Panels keep parts of a section in files of their own; a macro may name them. */
static void test_includes(void **state)
{
	static const char pre[] = "smart:\n  driver = smtp\n  hosts = a\n";
	char *some = replaced(whole, "ACL_RCPT =", "DIR = /etc\n.include DIR/macros\nACL_RCPT =");
	char *text = replaced(some, "begin transports\n",
			      "begin transports\n.include_if_exists DIR/exim.transports.pre.conf\n"
			      ".include_if_exists /etc/none\n");
	struct hook_text got;

	(void)state;
	write_file("/etc/exim/exim.conf", text, 0644);
	write_file("/etc/macros", "acl_not_smtp = other\n", 0644);
	write_file("/etc/exim.transports.pre.conf", pre, 0644);
	install_and_note("/said", 2);
	assert_file("/said", "");
	assert_file("/etc/exim.transports.pre.conf",
		    "smart:\n" MARK("transport-smart") "  event_action = ${acl{smtplimit_event}}\n"
						       "# END smtplimit transport-smart\n"
						       "  driver = smtp\n  hosts = a\n");
	assert_int_equal(hook_read(&context, "/etc/exim/exim.conf", &got), 0);
	assert_non_null(strstr(got.text, "remote:\n" MARK("transport-remote")));
	assert_non_null(strstr(got.text, "other:\n" MARK("not-smtp-other")));
	hook_text_free(&got);
	assert_int_equal(change_exim(true), 0);
	assert_int_equal(change_exim(false), 2);
	assert_file("/etc/exim/exim.conf", text);
	assert_file("/etc/exim.transports.pre.conf", pre);
	free(some);
	free(text);
}

/* Of packages and panels, and what a customer could write: they are named, not changed. */
static void test_files_that_are_not_to_be_changed(void **state)
{
	static const char pre[] = "smart:\n  driver = smtp\n";
	static const char *const paths[] = {"/usr/local/panel/transports", "/etc/transports"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char *include, *text;
		struct hook_text said;

		assert_true(asprintf(&include, "begin transports\n.include %s\n", paths[i]) > 0);
		text = replaced(whole, "begin transports\n", include);
		write_file("/etc/exim/exim.conf", text, 0644);
		write_file(paths[i], pre, i ? 0666 : 0644);
		install_and_note("/said", 1);
		assert_int_equal(hook_read(&context, "/said", &said), 0);
		assert_non_null(strstr(said.text, "transport \"smart\" in "));
		assert_non_null(strstr(said.text, paths[i]));
		hook_text_free(&said);
		assert_file(paths[i], pre);
		assert_int_equal(change_exim(false), 1);
		assert_file("/etc/exim/exim.conf", text);
		free(include);
		free(text);
	}
	write_file("/etc/transports",
		   "smart:\n  driver = smtp\n  event_action = ${acl{smtplimit_event}}\n", 0666);
	install_and_note("/said", 1);
	assert_file("/said", "");
}

/* It is called behind ours. */
static void test_events_that_are_there(void **state)
{
	static const char old[] =
		"remote:\n  event_action = \"${run{x \\\n    y}}\"\n  driver = smtp\n";
	char *some = replaced(whole, "remote:\n  driver = smtp\n", old);
	char *text = replaced(some, "ACL_RCPT =", "event_action = ${run{z}}\nACL_RCPT =");
	struct hook_text got;

	(void)state;
	write_file("/etc/exim/exim.conf", text, 0644);
	assert_int_equal(change_exim(true), 1);
	assert_int_equal(hook_read(&context, "/etc/exim/exim.conf", &got), 0);
	assert_non_null(strstr(
		got.text,
		MARK("transport-remote") "#was:   event_action = \"${run{x \\\n#was:     y}}\"\n"
					 "  event_action = \"${acl{smtplimit_event}}${run{x y}}\"\n"));
	assert_non_null(strstr(got.text,
			       MARK("main") "#was: event_action = ${run{z}}\n"
					    "event_action = ${acl{smtplimit_event}}${run{z}}\n"));
	hook_text_free(&got);
	assert_int_equal(change_exim(true), 0);
	assert_int_equal(change_exim(false), 1);
	assert_file("/etc/exim/exim.conf", text);
	free(some);
	free(text);
}

/* What does not fit is an error: no transport is left without a hook. */
static void test_too_many_transports(void **state)
{
	char *many = NULL, *text;
	size_t size;
	FILE *out = open_memstream(&many, &size);

	(void)state;
	fputs("begin transports\n", out);
	for (int i = 0; i < 64; i++)
		fprintf(out, "t%d:\n  driver = smtp\n", i);
	fclose(out);
	text = replaced(whole, "begin transports\n", many);
	assert_error(text, "more ACLs, transports or macros than");
	free(text);
	free(many);
}

static void test_not_as_expected(void **state)
{
	static const struct {
		const char *what, *with, *wanted;
	} cases[] = {
		{"begin acl\n", "", "begin acl"},
		{"begin transports\n", "", "begin transports"},
		{"local_domains", "locals", "no domainlist local_domains"},
		{"  driver = smtp\n", "", "driver = smtp"},
		{"  my_rcpt\n", "  ${if eq{1}{1}{a}{b}}\n", "require acl = smtplimit_rcpt"},
		{"acl_smtp_rcpt = ACL_RCPT\n",
		 ".ifdef X\nacl_smtp_rcpt = ACL_RCPT\n.else\n"
		 "acl_smtp_rcpt = ${if eq{1}{1}{my_rcpt}{b}}\n.endif\n",
		 "require acl = smtplimit_rcpt"},
		{"ACL_RCPT =", "acl_not_smtp = /etc/acl\nACL_RCPT =",
		 "require acl = smtplimit_not_smtp"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = replaced(whole, cases[i].what, cases[i].with);

		if (i == 3) {
			char *both = replaced(text, "  driver = smtp\n", "");

			free(text);
			text = both;
		}
		assert_error(text, cases[i].wanted);
		free(text);
	}
}

/* A person has put in what the errors name. */
static void test_done_by_hand(void **state)
{
	char *text = replaced(whole, "  my_rcpt\n", "  ${if eq{1}{1}{my_rcpt}{b}}\n");
	char *done = replaced(text, "  accept hosts = :\n", "  require acl = smtplimit_rcpt\n");
	char *events = replaced(done, "  driver = smtp\n",
				"  driver = smtp\n  event_action = x${acl{smtplimit_event}}\n");
	struct hook_text got;

	(void)state;
	write_file("/etc/exim/exim.conf", events, 0644);
	assert_int_equal(change_exim(true), 1);
	assert_int_equal(hook_read(&context, "/etc/exim/exim.conf", &got), 0);
	assert_null(strstr(got.text, "smtplimit rcpt-"));
	assert_null(strstr(got.text, "smtplimit transport-"));
	hook_text_free(&got);
	assert_int_equal(change_exim(false), 1);
	assert_file("/etc/exim/exim.conf", events);
	free(text);
	free(done);
	free(events);
}

static void test_debian_split(void **state)
{
	static const char rcpt[] = "acl_check_rcpt:\n  accept\n";
	static const char mine[] = "mine:\n  accept\n";
	static const char smtp[] = "remote_smtp:\n  driver = smtp\n";

	(void)state;
	write_file("/etc/exim4/update-exim4.conf.conf", "dc_use_split_config='true'\n", 0644);
	write_file("/etc/exim4/conf.d/main/01_x",
		   ".ifndef RCPT\nRCPT = acl_check_rcpt\n.endif\nacl_smtp_rcpt = RCPT\n"
		   "domainlist local_domains = X\n",
		   0644);
	write_file("/etc/exim4/conf.d/main/00_local", "RCPT = mine\n", 0644);
	write_file("/etc/exim4/conf.d/acl/00_header", "begin acl\n", 0644);
	write_file("/etc/exim4/conf.d/acl/30_rcpt", rcpt, 0644);
	write_file("/etc/exim4/conf.d/acl/40_mine", "wrong", 0644);
	write_file("/etc/exim4/conf.d/acl/40_mine.rul", mine, 0644);
	write_file("/etc/exim4/conf.d/acl/50_other.dpkg-old", "x", 0644);
	write_file("/etc/exim4/conf.d/router/00_header", "begin routers\n", 0644);
	write_file("/etc/exim4/conf.d/transport/00_header", "begin transports\n", 0644);
	write_file("/etc/exim4/conf.d/transport/30_smtp", smtp, 0644);
	assert_int_equal(change_exim(true), 6);
	assert_true(hook_exists(&context, "/etc/exim4/conf.d/main/99_smtplimit"));
	assert_true(hook_exists(&context, "/etc/exim4/conf.d/acl/01_smtplimit"));
	assert_true(hook_exists(&context, "/etc/exim4/conf.d/router/01_smtplimit"));
	assert_file("/etc/exim4/conf.d/acl/40_mine", "wrong");
	assert_int_equal(change_exim(true), 0);
	/* Exim uses another layout now; this one is cleared, too. */
	write_file("/etc/exim4/exim4.conf", whole, 0644);
	assert_int_equal(change_exim(false), 6);
	assert_file("/etc/exim4/conf.d/main/99_smtplimit", NULL);
	assert_file("/etc/exim4/conf.d/acl/01_smtplimit", NULL);
	assert_file("/etc/exim4/conf.d/router/01_smtplimit", NULL);
	assert_file("/etc/exim4/conf.d/acl/30_rcpt", rcpt);
	assert_file("/etc/exim4/conf.d/acl/40_mine.rul", mine);
	assert_file("/etc/exim4/conf.d/transport/30_smtp", smtp);
}

static void test_is_not_there(void **state)
{
	struct hook_plan plan = {0};
	char error[512] = "";

	(void)state;
	assert_int_equal(plan_exim(true, &plan, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "--dir DIR"));
	assert_int_equal(hook_exim.check(&context, error, sizeof(error)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_file),
		TEST(test_parts_of_the_plain_file),
		TEST(test_edited_meanwhile),
		TEST(test_branches),
		TEST(test_includes),
		TEST(test_files_that_are_not_to_be_changed),
		TEST(test_events_that_are_there),
		TEST(test_too_many_transports),
		TEST(test_not_as_expected),
		TEST(test_done_by_hand),
		TEST(test_debian_split),
		TEST(test_is_not_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
