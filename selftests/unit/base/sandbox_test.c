/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox_test.c - what a process may still do after sandbox_enter() and sandbox_daemon(): a child
 * goes in, tries, and reports by the way it ends. Tests that need root are skipped without it.
 */
#include "sandbox_fixture.h"

static void try_listed(pid_t parent)
{
	char c;

	enter(parent);
	CHECK(read(STDERR_FILENO, &c, 0) <= 0);
}

static void try_socket(pid_t parent)
{
	enter(parent);
	socket(AF_INET, SOCK_STREAM, 0);
}

static void try_fork(pid_t parent)
{
	enter(parent);
	fork();
}

static void try_exec(pid_t parent)
{
	char *const none[] = {NULL};

	enter(parent);
	execve("/bin/true", none, none);
}

static void try_kill(pid_t parent)
{
	enter(parent);
	kill(parent, 0);
}

static void try_open(pid_t parent)
{
	static const int reading[] = {SCMP_SYS(read)};
	struct sandbox sandbox = looking_sandbox(parent, NULL, 0);

	sandbox.syscalls = reading;
	sandbox.syscalls_count = 1;
	CHECK(sandbox_enter(&sandbox) == 0);
	open("/etc/passwd", O_RDONLY);
}

/* The 32-bit entry has numbers of its own: 4 is write there, stat here. */
static void call_other_abi(pid_t parent)
{
	(void)parent;
#ifdef __x86_64__
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(4L), "b"(2L), "c"(0L), "d"(0L)
			 : "memory");
#else
	raise(SIGSEGV);
#endif
}

static void try_other_abi(pid_t parent)
{
	enter(parent);
	call_other_abi(0);
}

static void test_listed_call_works(void **state)
{
	(void)state;
	assert_holds(try_listed);
}

/* A process that reads files keeps its root directory; it reads the files of its group. */
static void enter_reading(pid_t parent)
{
	static const int reading[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(getresgid)};
	struct sandbox sandbox = looking_sandbox(parent, NULL, 0);

	sandbox.syscalls = reading;
	sandbox.syscalls_count = COUNT(reading);
	sandbox.reads_files = true;
	sandbox.group = "mail";
	CHECK(sandbox_enter(&sandbox) == 0);
}

static void read_files(pid_t parent)
{
	const struct group *gr = getgrnam("mail");
	gid_t expected = gr ? gr->gr_gid : 65534;
	gid_t r, e, s;

	enter_reading(parent);
	CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
	CHECK(open("/etc", O_RDONLY | O_DIRECTORY) >= 0);
	CHECK(open("/etc/shadow", O_RDONLY) < 0);
	CHECK(getresgid(&r, &e, &s) == 0 && r == expected && e == expected && s == expected);
}

static void try_write(pid_t parent)
{
	enter_reading(parent);
	open("/dev/null", O_WRONLY);
}

static void try_create(pid_t parent)
{
	enter_reading(parent);
	open("/tmp/smtplimit-sandbox-test", O_RDONLY | O_CREAT, 0600);
}

static void test_files_are_read_and_no_more(void **state)
{
	static void (*const tries[])(pid_t) = {try_write, try_create};
	size_t i;
	int status;

	(void)state;
	need_root();
	assert_holds(read_files);
	for (i = 0; i < COUNT(tries); i++) {
		status = in_child(tries[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

static void test_other_call_kills(void **state)
{
	static void (*const tries[])(pid_t) = {try_open, try_socket, try_fork, try_exec, try_kill};
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < COUNT(tries); i++) {
		status = in_child(tries[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

/* A kernel without a second ABI (ia32_emulation=off) kills the caller, sandbox or not. */
static void test_other_abi_kills(void **state)
{
	int without, status;

	(void)state;
	signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on in the child */
	without = in_child(call_other_abi);
	status = in_child(try_other_abi);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), WIFSIGNALED(without) ? SIGSEGV : SIGSYS);
}

static void look_at_identity(pid_t parent)
{
	uid_t r, e, s;

	CHECK(setgroups(1, (const gid_t[]){0}) == 0);
	enter(parent);
	CHECK(getresuid(&r, &e, &s) == 0 && r == 65534 && e == 65534 && s == 65534);
	CHECK(getresgid(&r, &e, &s) == 0 && r == 65534 && e == 65534 && s == 65534);
	CHECK(getgroups(0, NULL) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void capabilities(uint64_t *permitted, uint64_t *effective)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	CHECK(syscall(SYS_capget, &head, data) == 0);
	*permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	*effective = data[0].effective | (uint64_t)data[1].effective << 32;
}

static uint64_t bounding_set(void)
{
	uint64_t set = 0;
	int cap;

	for (cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			set |= 1ull << cap;
	return set;
}

static void look_at_capabilities(pid_t parent)
{
	uint64_t permitted, effective;

	CHECK(bounding_set() != 0);
	enter(parent);
	capabilities(&permitted, &effective);
	CHECK(permitted == 0);
	CHECK(effective == 0);
	CHECK(bounding_set() == 0);
}

static void look_at_root_directory(pid_t parent)
{
	char entries[1024];
	struct stat st;
	int fd;

	CHECK(stat("/etc/passwd", &st) == 0);
	enter(parent);
	CHECK(fstatat(AT_FDCWD, "/etc/passwd", &st, 0) < 0);
	CHECK(fstatat(AT_FDCWD, "2", &st, 0) < 0);
	CHECK(mkdir("/new", 0700) < 0);
	CHECK(open("/new", O_CREAT | O_WRONLY, 0600) < 0);
	chdir("../../..");
	CHECK(fstatat(AT_FDCWD, "etc", &st, 0) < 0);
	fd = open("/", O_RDONLY | O_DIRECTORY);
	CHECK(fd < 0 || syscall(SYS_getdents64, fd, entries, sizeof(entries)) < 100);
}

static void look_at_descriptors(pid_t parent)
{
	int kept[] = {700, 50};
	struct sandbox sandbox = looking_sandbox(parent, kept, COUNT(kept));
	int fd;

	CHECK(dup2(STDERR_FILENO, 50) == 50);
	CHECK(dup2(STDERR_FILENO, 51) == 51);
	CHECK(dup2(STDERR_FILENO, 700) == 700);
	CHECK(dup2(STDERR_FILENO, 800) == 800);
	CHECK(sandbox_enter(&sandbox) == 0);
	for (fd = 0; fd < 1024; fd++)
		CHECK((fcntl(fd, F_GETFD) >= 0) == (fd == STDERR_FILENO || fd == 50 || fd == 700));
}

static void look_at_limits(pid_t parent)
{
	struct rlimit now;

	enter(parent);
	CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 64 && now.rlim_max == 64);
	CHECK(getrlimit(RLIMIT_NPROC, &now) == 0 && now.rlim_max == 0);
	CHECK(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_max == 0);
	CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
}

/* Also a name without a passwd entry must never leave a process as root. */
static void look_at_unknown_user(pid_t parent)
{
	struct sandbox sandbox = looking_sandbox(parent, NULL, 0);
	uid_t r, e, s;

	sandbox.user = "no-such-user";
	CHECK(sandbox_enter(&sandbox) == 0);
	CHECK(getresuid(&r, &e, &s) == 0 && r == 65534 && e == 65534 && s == 65534);
}

static void look_at_user_root(pid_t parent)
{
	struct sandbox sandbox = looking_sandbox(parent, NULL, 0);

	sandbox.user = "root";
	CHECK(sandbox_enter(&sandbox) == -EINVAL);
}

static void on_signal(int sig)
{
	(void)sig;
	_exit(3);
}

/* The daemon's handlers and blocked signals are not the child's. */
static void look_at_signals(pid_t parent)
{
	struct sigaction now;
	sigset_t all;

	signal(SIGALRM, on_signal);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	enter(parent);
	CHECK(sigaction(SIGALRM, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	CHECK(sigaction(SIGTERM, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
	CHECK(sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN);
}

static void look_at_dead_parent(pid_t parent)
{
	const struct sandbox sandbox = looking_sandbox(parent + 1, NULL, 0);

	CHECK(sandbox_enter(&sandbox) == -ESRCH);
}

static void test_rest_of_root(void **state)
{
	(void)state;
	need_root();
	assert_holds(look_at_identity);
	assert_holds(look_at_capabilities);
	assert_holds(look_at_root_directory);
	assert_holds(look_at_unknown_user);
	assert_holds(look_at_user_root);
}

static void test_rest_of_all(void **state)
{
	(void)state;
	assert_holds(look_at_descriptors);
	assert_holds(look_at_limits);
	assert_holds(look_at_signals);
	assert_holds(look_at_dead_parent);
}

/* parent -> middle -> child in the sandbox, which waits on a pipe for good. */
static void sandboxed_under(pid_t middle, int ready, int forever)
{
	const int fds[] = {ready, forever};
	const struct sandbox sandbox = looking_sandbox(middle, fds, COUNT(fds));
	char c = 0;

	CHECK(sandbox_enter(&sandbox) == 0);
	CHECK(write(ready, &c, 1) == 1);
	CHECK(read(forever, &c, 1) == 0);
}

static void test_dies_with_its_parent(void **state)
{
	struct pollfd end = {.events = POLLIN};
	int ready[2], forever[2];
	pid_t middle;
	char c;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(forever), 0);
	fflush(NULL);
	middle = fork();
	if (middle == 0) {
		middle = getpid();
		if (fork() == 0)
			sandboxed_under(middle, ready[1], forever[0]);
		close(ready[1]);
		pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	kill(middle, SIGKILL);
	waitpid(middle, NULL, 0);
	/* forever[1] is still open here: only death closes the child's end of `ready`. */
	end.fd = ready[0];
	assert_int_equal(poll(&end, 1, 10000), 1);
	assert_int_equal(read(ready[0], &c, 1), 0);
	close(ready[0]);
	close(forever[0]);
	close(forever[1]);
}

static void keep_some(pid_t parent)
{
	const unsigned int keep[] = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE};
	const unsigned int more[] = {CAP_NET_ADMIN, CAP_SYS_ADMIN};
	uint64_t permitted, effective;

	(void)parent;
	CHECK(unshare(CLONE_NEWUTS) == 0);
	CHECK(sandbox_daemon(keep, COUNT(keep)) == 0);
	capabilities(&permitted, &effective);
	CHECK(permitted == (1ull << CAP_NET_ADMIN | 1ull << CAP_NET_BIND_SERVICE));
	CHECK(effective == permitted);
	CHECK(unshare(CLONE_NEWUTS) < 0 && errno == EPERM);
	/* A capability that is gone is left out and does not come back; the rest is kept. */
	CHECK(sandbox_daemon(more, COUNT(more)) == 0);
	capabilities(&permitted, &effective);
	CHECK(permitted == 1ull << CAP_NET_ADMIN);
}

static void keep_for_children(pid_t parent)
{
	const unsigned int keep[] = {SANDBOX_CHILD_CAPS};

	CHECK(sandbox_daemon(keep, COUNT(keep)) == 0);
	CHECK(bounding_set() == (1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_SETPCAP |
				 1ull << CAP_SYS_CHROOT | 1ull << CAP_KILL));
	look_at_root_directory(parent);
	CHECK(bounding_set() == 0);
}

static void keep_nothing(pid_t parent)
{
	struct sandbox sandbox = looking_sandbox(parent, NULL, 0);

	CHECK(sandbox_daemon(NULL, 0) == 0);
	CHECK(sandbox_enter(&sandbox) == -EPERM);
}

static void test_daemon_keeps_a_list(void **state)
{
	(void)state;
	need_root();
	assert_holds(keep_some);
	assert_holds(keep_for_children);
	assert_holds(keep_nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listed_call_works),
		cmocka_unit_test(test_other_call_kills),
		cmocka_unit_test(test_other_abi_kills),
		cmocka_unit_test(test_files_are_read_and_no_more),
		cmocka_unit_test(test_rest_of_root),
		cmocka_unit_test(test_rest_of_all),
		cmocka_unit_test(test_dies_with_its_parent),
		cmocka_unit_test(test_daemon_keeps_a_list),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
