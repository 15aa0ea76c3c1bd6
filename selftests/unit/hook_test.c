/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_test.c - blocks go in and out without a byte of difference, plans are carried out as a whole or
 * not at all, and the hook of Exim finds its places in configurations of several kinds.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hook.h"

static char root[64];
static struct config config = {.run = "/run/smtplimit"};
static struct hook_context context = {.config = &config, .root = root, .binary = "/bin/true"};
static int syntax_answer;
static int syntax_calls;

static int syntax(const struct hook_context *c, char *error, size_t error_size)
{
	(void)c;
	syntax_calls++;
	snprintf(error, error_size, "%s", syntax_answer ? "line 3: no such thing" : "");
	return syntax_answer;
}

static const struct hook_mta mta = {.name = "test", .syntax = syntax};

static int make_root(void **state)
{
	(void)state;
	strcpy(root, "/tmp/hook_test.XXXXXX");
	syntax_answer = syntax_calls = 0;
	context.directory = NULL;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static const char *path_of(const char *path)
{
	static char whole[256];

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	return whole;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd;

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		char directory[128];

		snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
		mkdir(path_of(directory), 0755);
	}
	fd = open(path_of(path), O_WRONLY | O_CREAT | O_TRUNC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_file(const char *path, const char *text)
{
	struct hook_text got;
	int err = hook_read(&context, path, &got);

	if (!text) {
		assert_int_equal(err, -ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_string_equal(got.text, text);
	hook_text_free(&got);
}

static struct hook_text text_of(const char *text)
{
	return (struct hook_text){strdup(text), strlen(text)};
}

/* Blocks */

static void test_block_is_taken_out_exactly(void **state)
{
	static const struct {
		const char *text;
		size_t at;
	} cases[] = {{"", 0}, {"a\n", 0}, {"a\n", 2}, {"a\nb\n", 2}, {"a", 1}, {"a\nb", 3}, {"\n", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hook_text text = text_of(cases[i].text);

		assert_int_equal(hook_block_put(&text, "x", "m", "#", "one\ntwo\n", cases[i].at), 0);
		assert_true(hook_block_present(&text, "x", "#"));
		assert_non_null(strstr(text.text, "# BEGIN smtplimit x (smtplimit hook m --remove "
						  "takes this out)\none\ntwo\n# END smtplimit x"));
		assert_true(hook_block_remove(&text, "x", "#"));
		assert_string_equal(text.text, cases[i].text);
		assert_int_equal(text.size, strlen(cases[i].text));
		assert_false(hook_block_remove(&text, "x", "#"));
		hook_text_free(&text);
	}
}

static void test_block_is_replaced_where_it_is(void **state)
{
	struct hook_text text = text_of("a\nb\n");

	(void)state;
	assert_int_equal(hook_block_put(&text, "x", "m", "dnl", "old", 2), 0);
	assert_int_equal(hook_block_put(&text, "x", "m", "dnl", "new\n", 0), 0);
	assert_string_equal(text.text, "a\ndnl BEGIN smtplimit x (smtplimit hook m --remove takes this "
				       "out)\nnew\ndnl END smtplimit x\nb\n");
	hook_text_free(&text);
}

static void test_names_of_blocks_are_whole(void **state)
{
	struct hook_text text = text_of("");

	(void)state;
	assert_int_equal(hook_block_put(&text, "rcpt", "m", "#", "one", 0), 0);
	assert_int_equal(hook_block_put(&text, "rcpt-a", "m", "#", "two", 0), 0);
	assert_false(hook_block_present(&text, "rcp", "#"));
	assert_false(hook_block_present(&text, "rcpt", "dnl"));
	assert_true(hook_block_remove(&text, "rcpt", "#"));
	assert_true(hook_block_present(&text, "rcpt-a", "#"));
	assert_int_equal(hook_block_remove_all(&text, "#"), 1);
	assert_string_equal(text.text, "");
	hook_text_free(&text);
}

static void test_block_without_its_end_stays(void **state)
{
	static const char torn[] = "# BEGIN smtplimit x (...)\nmine\n";
	struct hook_text text = text_of(torn);

	(void)state;
	assert_false(hook_block_remove(&text, "x", "#"));
	assert_int_equal(hook_block_remove_all(&text, "#"), 0);
	assert_string_equal(text.text, torn);
	hook_text_free(&text);
}

/* Plans */

static void add(struct hook_plan *plan, const char *path, const char *before, const char *after)
{
	struct hook_text old = {0}, changed = {0};

	if (before)
		old = text_of(before);
	if (after)
		changed = text_of(after);
	assert_int_equal(hook_plan_add(plan, path, &old, &changed), 0);
	assert_null(old.text);
	assert_null(changed.text);
}

static int carry_out(struct hook_plan *plan, char *error, size_t error_size)
{
	int err = hook_plan_carry_out(&mta, &context, plan, error, error_size);

	hook_plan_free(plan);
	return err;
}

static void test_plan_is_carried_out(void **state)
{
	struct hook_plan plan = {0};
	char error[256];
	struct stat st;

	(void)state;
	write_file("/etc/a", "old", 0640);
	write_file("/etc/gone", "gone", 0600);
	add(&plan, "/etc/same", "same", "same");
	assert_int_equal(plan.count, 0);
	add(&plan, "/etc/a", "old", "new");
	add(&plan, "/etc/b", NULL, "made");
	add(&plan, "/etc/gone", "gone", NULL);
	assert_int_equal(carry_out(&plan, error, sizeof(error)), 0);
	assert_int_equal(syntax_calls, 1);
	assert_file("/etc/a", "new");
	assert_file("/etc/b", "made");
	assert_file("/etc/gone", NULL);
	assert_int_equal(stat(path_of("/etc/a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void test_plan_is_put_back(void **state)
{
	struct hook_plan plan = {0};
	char error[256];
	struct stat st;

	(void)state;
	write_file("/etc/a", "old", 0604);
	write_file("/etc/gone", "gone", 0600);
	add(&plan, "/etc/a", "old", "new");
	add(&plan, "/etc/b", NULL, "made");
	add(&plan, "/etc/gone", "gone", NULL);
	syntax_answer = -EINVAL;
	assert_int_equal(carry_out(&plan, error, sizeof(error)), -EINVAL);
	assert_string_equal(error, "line 3: no such thing");
	assert_file("/etc/a", "old");
	assert_file("/etc/b", NULL);
	assert_file("/etc/gone", "gone");
	assert_int_equal(stat(path_of("/etc/a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0604);
	assert_int_equal(stat(path_of("/etc/gone"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_changed_meanwhile(void **state)
{
	struct hook_plan plan = {0};
	char error[256];

	(void)state;
	write_file("/etc/a", "old", 0644);
	write_file("/etc/b", "edited", 0644);
	add(&plan, "/etc/a", "old", "new");
	add(&plan, "/etc/b", "read", "new");
	assert_int_equal(carry_out(&plan, error, sizeof(error)), -ESTALE);
	assert_non_null(strstr(error, "/etc/b: changed meanwhile"));
	assert_file("/etc/a", "old");
	assert_file("/etc/b", "edited");
	assert_int_equal(syntax_calls, 0);
}

/* An absolute link below the root is one of the root. */
static void test_links_are_followed_below_the_root(void **state)
{
	struct hook_plan plan = {0};
	char error[256];
	struct stat st;

	(void)state;
	write_file("/opt/a", "old", 0644);
	write_file("/etc/x", "", 0644);
	assert_int_equal(symlink("/opt/a", path_of("/etc/a")), 0);
	add(&plan, "/etc/a", "old", "new");
	assert_int_equal(carry_out(&plan, error, sizeof(error)), 0);
	assert_file("/opt/a", "new");
	assert_int_equal(lstat(path_of("/etc/a"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void test_run(void **state)
{
	static const char *const echo[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
	static const char *const missing[] = {"no-such-program", NULL};
	struct hook_context here = {.root = ""};
	char output[6];

	(void)state;
	assert_int_equal(hook_run(&here, echo, output, sizeof(output)), 3);
	assert_string_equal(output, "out\ne");
	assert_int_equal(hook_run(&here, missing, output, sizeof(output)), -ENOENT);
}

/* Exim */

static const char whole[] =
	"domainlist local_domains = @\n"
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

/* Plan and carry out without a check by Exim itself. How many files changed. */
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
	assert_true(asprintf(&made, "%.*s%s%s", (int)(at - text), text, with,
			     at + strlen(what)) > 0);
	return made;
}

#define MARK(name) "# BEGIN smtplimit " name " (smtplimit hook exim --remove takes this out)\n"

static void test_exim_one_file(void **state)
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
	assert_non_null(strstr(text.text, "remote:\n  driver = smtp\n" MARK("transport-remote")));
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

/* What others change between install and remove stays. */
static void test_exim_edited_meanwhile(void **state)
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

static void test_exim_not_as_expected(void **state)
{
	static const struct {
		const char *what, *with, *wanted;
	} cases[] = {
		{"begin acl\n", "", "begin acl"},
		{"begin transports\n", "", "begin transports"},
		{"local_domains", "locals", "no domainlist local_domains"},
		{"  driver = smtp\n", "", "driver = smtp"},
		{"  my_rcpt\n", "  ${if eq{1}{1}{a}{b}}\n", "require acl = smtplimit_rcpt"},
		{"  driver = smtp\n", "  driver = smtp\n  event_action = x\n",
		 "event_action of the transport \"remote\" is in use"},
		{"ACL_RCPT =", "event_action = ${run{x}}\nACL_RCPT =", "main section is in use"},
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

/* What a person has put in as the errors say. */
static void test_exim_done_by_hand(void **state)
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

static void test_exim_debian_split(void **state)
{
	static const char rcpt[] = "acl_check_rcpt:\n  accept\n";
	static const char mine[] = "mine:\n  accept\n";
	static const char smtp[] = "remote_smtp:\n  driver = smtp\n";

	(void)state;
	write_file("/etc/exim4/update-exim4.conf.conf", "dc_use_split_config='true'\n", 0644);
	write_file("/etc/exim4/conf.d/main/01_x",
		   ".ifndef RCPT\nRCPT = acl_check_rcpt\n.endif\nacl_smtp_rcpt = RCPT\n"
		   "domainlist local_domains = X\n", 0644);
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
	/* Another layout is used now: what is in this one is taken out all the same. */
	write_file("/etc/exim4/exim4.conf", whole, 0644);
	assert_int_equal(change_exim(false), 6);
	assert_file("/etc/exim4/conf.d/main/99_smtplimit", NULL);
	assert_file("/etc/exim4/conf.d/acl/01_smtplimit", NULL);
	assert_file("/etc/exim4/conf.d/router/01_smtplimit", NULL);
	assert_file("/etc/exim4/conf.d/acl/30_rcpt", rcpt);
	assert_file("/etc/exim4/conf.d/acl/40_mine.rul", mine);
	assert_file("/etc/exim4/conf.d/transport/30_smtp", smtp);
}

static void test_exim_is_not_there(void **state)
{
	struct hook_plan plan = {0};
	char error[512] = "";

	(void)state;
	assert_int_equal(plan_exim(true, &plan, error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "--dir DIR"));
	assert_int_equal(hook_exim.check(&context, error, sizeof(error)), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block_is_taken_out_exactly),
		cmocka_unit_test(test_block_is_replaced_where_it_is),
		cmocka_unit_test(test_names_of_blocks_are_whole),
		cmocka_unit_test(test_block_without_its_end_stays),
		TEST(test_plan_is_carried_out),
		TEST(test_plan_is_put_back),
		TEST(test_changed_meanwhile),
		TEST(test_links_are_followed_below_the_root),
		cmocka_unit_test(test_run),
		TEST(test_exim_one_file),
		TEST(test_exim_edited_meanwhile),
		TEST(test_exim_not_as_expected),
		TEST(test_exim_done_by_hand),
		TEST(test_exim_debian_split),
		TEST(test_exim_is_not_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
