/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_file.c - read and replace the files of a plan below a root that may stand for /.
 */
#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_MAX (16u << 20)

/* Links in the path, also absolute ones, are followed as the server in that root follows them. */
static int open_below(const struct hook_context *context, const char *path, int flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int root, fd, err;

	if (!context->root[0]) {
		fd = open(path, flags | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	root = open(context->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	err = -errno;
	close(root);
	return fd < 0 ? err : fd;
}

int hook_stat(const struct hook_context *context, const char *path, struct stat *st)
{
	int fd = open_below(context, path, O_PATH);
	int err = fd < 0 ? fd : fstat(fd, st) ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

bool hook_exists(const struct hook_context *context, const char *path)
{
	struct stat st;

	return hook_stat(context, path, &st) == 0;
}

static int read_whole(int fd, struct hook_text *text)
{
	struct hook_text got = {malloc(FILE_MAX + 1), 0};
	ssize_t n = 1;

	while (got.text && n > 0 && got.size <= FILE_MAX) {
		n = read(fd, got.text + got.size, FILE_MAX + 1 - got.size);
		got.size += n > 0 ? (size_t)n : 0;
	}
	if (!got.text || n < 0 || got.size > FILE_MAX) {
		int err = !got.text ? -ENOMEM : n < 0 ? -errno : -EFBIG;

		free(got.text);
		return err;
	}
	got.text[got.size] = '\0';
	text->text = realloc(got.text, got.size + 1);
	if (!text->text)
		text->text = got.text;
	text->size = got.size;
	return 0;
}

int hook_read(const struct hook_context *context, const char *path, struct hook_text *text)
{
	int fd = open_below(context, path, O_RDONLY);
	int err;

	*text = (struct hook_text){0};
	if (fd < 0)
		return fd;
	err = read_whole(fd, text);
	close(fd);
	return err;
}

/* The path without links and with the root in it; malloc'ed. NULL with errno. */
static char *real_of(const struct hook_context *context, const char *path)
{
	int fd = open_below(context, path, O_PATH);
	char link[64], real[PATH_MAX];
	ssize_t n;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, real, sizeof(real));
	close(fd);
	if (n < 0 || n == sizeof(real)) {
		errno = n < 0 ? errno : ENAMETOOLONG;
		return NULL;
	}
	return strndup(real, n);
}

char *hook_real_path(const struct hook_context *context, const char *path)
{
	return context->root[0] ? real_of(context, path) : strdup(path);
}

/* As real_of(), of a file that does not exist yet. */
static char *real_of_new(const struct hook_context *context, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = strndup(path, slash > path ? slash - path : 1);
	char *real = directory ? real_of(context, directory) : NULL;
	char *whole = NULL;

	if (real && asprintf(&whole, "%s%s", strcmp(real, "/") ? real : "", slash) < 0)
		whole = NULL;
	free(directory);
	free(real);
	return whole;
}

static int locate(const struct hook_context *context, struct hook_edit *edit)
{
	struct stat st;

	if (edit->old.text) {
		edit->real = real_of(context, edit->path);
		if (!edit->real || stat(edit->real, &st))
			return -errno;
		edit->mode = st.st_mode & 07777;
		edit->uid = st.st_uid;
		edit->gid = st.st_gid;
		return 0;
	}
	edit->mode = 0644;
	edit->uid = geteuid();
	edit->gid = getegid();
	edit->real = real_of_new(context, edit->path);
	return edit->real ? 0 : -errno;
}

static int write_all(int fd, const struct hook_text *text)
{
	size_t done = 0;

	while (done < text->size) {
		ssize_t n = write(fd, text->text + done, text->size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The mode is set last, because chown() clears set-uid bits. */
static int finish(int fd, const struct hook_edit *edit)
{
	if (fchown(fd, edit->uid, edit->gid) || fchmod(fd, edit->mode) || fsync(fd))
		return -errno;
	return 0;
}

static int replace(const struct hook_edit *edit, const struct hook_text *text)
{
	char *temporary = NULL;
	int fd, err;

	if (!text->text)
		return unlink(edit->real) ? -errno : 0;
	/* No server takes a file of this name in conf.d for a part of its configuration. */
	if (asprintf(&temporary, "%s.smtplimit~XXXXXX", edit->real) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
	} else {
		err = write_all(fd, text);
		err = err ? err : finish(fd, edit);
		close(fd);
		if (!err && rename(temporary, edit->real))
			err = -errno;
		if (err)
			unlink(temporary);
	}
	free(temporary);
	return err;
}

/* Is the file as it was read? Who edits it at the same time must not lose that edit. wanted->text
 * NULL: the file must not exist. */
static int is_still(const struct hook_context *context, const char *path,
		    const struct hook_text *wanted)
{
	struct hook_text now;
	int err = hook_read(context, path, &now);

	if (err == -ENOENT)
		return wanted->text ? -ESTALE : 0;
	if (err)
		return err;
	if (!wanted->text || now.size != wanted->size || memcmp(now.text, wanted->text, now.size))
		err = -ESTALE;
	hook_text_free(&now);
	return err;
}

static int carry_out(const struct hook_context *context, struct hook_edit *edit, char *error,
		     size_t error_size)
{
	int err = is_still(context, edit->path, &edit->old);

	err = err ? err : locate(context, edit);
	err = err ? err : replace(edit, &edit->new);
	if (err == -ESTALE)
		snprintf(error, error_size, "%s: changed meanwhile, try again", edit->path);
	else if (err)
		snprintf(error, error_size, "%s: cannot be replaced: %s", edit->path,
			 strerror(-err));
	edit->done = !err;
	return err;
}

/* A file that cannot be put back is named in `error`, behind the reason for putting it back. */
static void put_back(const struct hook_context *context, struct hook_plan *plan, char *error,
		     size_t error_size)
{
	for (size_t i = plan->count; i-- > 0;) {
		struct hook_edit *edit = &plan->edit[i];
		int err = edit->done ? is_still(context, edit->path, &edit->new) : 0;
		size_t length = strlen(error);

		if (!err && edit->done)
			err = replace(edit, &edit->old);
		if (err && length < error_size)
			snprintf(error + length, error_size - length,
				 "; %s could not be put back: %s", edit->path,
				 err == -ESTALE ? "changed meanwhile" : strerror(-err));
		edit->done = false;
	}
}

/* -EINVAL: with its words. A server whose program cannot be run is not known to refuse anything. */
static int check_syntax(const struct hook_mta *mta, const struct hook_context *context,
			const char *what, char *error, size_t error_size)
{
	char words[4096] = "";
	int err = mta->syntax ? mta->syntax(context, words, sizeof(words)) : 0;

	if (err)
		snprintf(error, error_size, "%s: %s",
			 err == -EINVAL ? what : "its configuration cannot be checked", words);
	return err;
}

int hook_check_before(const struct hook_mta *mta, const struct hook_context *context, char *error,
		      size_t error_size)
{
	return check_syntax(mta, context, "its configuration is broken as it is", error,
			    error_size);
}

int hook_plan_carry_out(const struct hook_mta *mta, const struct hook_context *context,
			struct hook_plan *plan, char *error, size_t error_size)
{
	int err = 0;
	size_t i;

	for (i = 0; i < plan->count && !err; i++)
		err = carry_out(context, &plan->edit[i], error, error_size);
	if (!err && plan->count)
		err = check_syntax(mta, context, "it does not take the changed configuration",
				   error, error_size);
	if (err)
		put_back(context, plan, error, error_size);
	for (i = 0; i < plan->count; i++) {
		free(plan->edit[i].real);
		plan->edit[i].real = NULL;
	}
	return err;
}

void hook_find_binary(struct hook_context *context, char binary[PATH_MAX])
{
	static const char *const places[] = {"/usr/local/sbin/smtplimit", "/usr/sbin/smtplimit"};
	size_t root = strlen(context->root);
	ssize_t length = readlink("/proc/self/exe", binary, PATH_MAX - 1);

	binary[length > 0 ? length : 0] = '\0';
	context->binary = binary;
	if (root && strncmp(binary, context->root, root) == 0 && binary[root] == '/') {
		context->binary += root;
		return;
	}
	if (!root || hook_exists(context, binary))
		return;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (hook_exists(context, places[i]))
			context->binary = places[i];
}
