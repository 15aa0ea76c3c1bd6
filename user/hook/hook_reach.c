/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_reach.c - can a mail server's user get at what the hook needs? It is tried as that user:
 * modes of directories, capabilities and access lists all count.
 */
#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "config/config_value.h"

/* The first directory of a path that the user cannot pass, or the path itself; "" for none. */
static void find_wall(const char *path, int mode, char wall[PATH_MAX])
{
	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(wall, PATH_MAX, "%.*s", (int)(slash - path), path);
		if (access(wall, X_OK))
			return;
	}
	snprintf(wall, PATH_MAX, "%s", access(path, mode) ? path : "");
}

static int try_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	err = fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return err;
}

/* As the user: what is in the way, on `out`. Without a daemon there is no socket, and perhaps no
 * run directory, which is not the hook's fault. */
static void look(const struct hook_context *context, const char *user, const char *name,
		 const char *binary, FILE *out)
{
	char path[2 * PATH_MAX], wall[PATH_MAX];
	const char *files[] = {binary, binary ? context->config_file : NULL};
	int err;

	for (size_t i = 0; i < 2; i++) {
		if (!files[i])
			continue;
		find_wall(files[i], i ? R_OK : X_OK, wall);
		if (wall[0]) {
			fprintf(out, "the user \"%s\" cannot %s %s: %s: %s", user,
				i ? "read" : "run", files[i], wall, strerror(errno));
			return;
		}
	}
	snprintf(path, sizeof(path), "%s/%s", context->config->run, name);
	err = try_connect(path);
	if (!err || err == -ECONNREFUSED)
		return;
	find_wall(path, W_OK, wall);
	if (err == -ENOENT && errno == ENOENT)
		return;
	fprintf(out, "the user \"%s\" cannot reach the socket %s: %s: %s", user, path,
		wall[0] ? wall : path, strerror(-err));
}

static void __attribute__((noreturn))
run_child(const struct hook_context *context, const struct passwd *user, const char *name,
	  const char *binary, int fd)
{
	FILE *out = fdopen(fd, "w");

	if (!out || setgroups(1, &user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid))
		_exit(1);
	look(context, user->pw_name, name, binary, out);
	_exit(fclose(out) ? 1 : 0);
}

/* What the child says, until it ends. */
static int ask_child(pid_t pid, int fd, char *why, size_t size)
{
	size_t length = 0;
	ssize_t n;
	int status;

	while (length + 1 < size && (n = read(fd, why + length, size - 1 - length)) > 0)
		length += (size_t)n;
	why[length] = '\0';
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return length ? -EACCES : 0;
	return 0;
}

int hook_reach(const struct hook_context *context, const char *user, const char *name,
	       const char *binary, char *why, size_t size)
{
	const struct passwd *entry = getpwnam(user);
	int fd[2], err;
	pid_t pid;

	/* Of a root of its own nobody here knows what its users may do. */
	if (context->root[0] || !entry || geteuid() != 0)
		return 0;
	if (!config_uids_has(&context->config->relays, entry->pw_uid)) {
		snprintf(why, size,
			 "[watch] relay_users lacks \"%s\", as whom it asks: want it there", user);
		return -EACCES;
	}
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == 0)
		run_child(context, entry, name, binary, fd[1]);
	close(fd[1]);
	err = pid > 0 ? ask_child(pid, fd[0], why, size) : 0;
	close(fd[0]);
	return err;
}

int hook_reach_root(const struct hook_context *context, char *why, size_t size)
{
	const char *run = context->config->run;
	struct stat here, there;

	if (!context->root[0] || stat(run, &here))
		return 0;
	if (!hook_stat(context, run, &there) && here.st_dev == there.st_dev &&
	    here.st_ino == there.st_ino)
		return 0;
	snprintf(
		why, size,
		"%s%s is not the run directory %s: the server cannot ask until it is mounted there "
		"(mount --bind)",
		context->root, run, run);
	return -EXDEV;
}
