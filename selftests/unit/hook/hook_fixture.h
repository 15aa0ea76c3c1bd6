/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_fixture.h - each test has a root of its own, in which hooks read and replace files.
 */
#ifndef HOOK_FIXTURE_H
#define HOOK_FIXTURE_H

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

#include "hook/hook.h"

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

static int carry_out(struct hook_plan *plan, char *error, size_t error_size)
{
	int err = hook_plan_carry_out(&mta, &context, plan, error, error_size);

	hook_plan_free(plan);
	return err;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

#endif
