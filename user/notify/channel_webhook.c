// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel_webhook.c - smtpl-webhook: POSTs an event's JSON, with libcurl. The library is loaded by
 * this process alone: it brings thirty others, which would double the time that every `smtplimit`
 * takes to start, and mail servers start one for a message.
 */
#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include "base/child.h"
#include "base/sandbox.h"
#include "channel.h"
#include "signature.h"

#define LIBRARY	     "libcurl-gnutls.so.4"
#define TIME_MS	     10000L
#define CONNECT_MS   5000L
#define REPLY_BYTES  (64 * 1024)
#define FILES	     64
#define MEMORY_BYTES (1ull << 30)

static struct {
	__typeof__(&curl_global_init) global_init;
	__typeof__(&curl_easy_init) easy_init;
	__typeof__(&curl_easy_setopt) easy_setopt;
	__typeof__(&curl_easy_perform) easy_perform;
	__typeof__(&curl_easy_getinfo) easy_getinfo;
	__typeof__(&curl_easy_cleanup) easy_cleanup;
	__typeof__(&curl_slist_append) slist_append;
	__typeof__(&curl_slist_free_all) slist_free_all;
} lib;

static int load_library(void)
{
	const struct {
		const char *name;
		void **function;
	} wanted[] = {
		{"curl_global_init", (void **)&lib.global_init},
		{"curl_easy_init", (void **)&lib.easy_init},
		{"curl_easy_setopt", (void **)&lib.easy_setopt},
		{"curl_easy_perform", (void **)&lib.easy_perform},
		{"curl_easy_getinfo", (void **)&lib.easy_getinfo},
		{"curl_easy_cleanup", (void **)&lib.easy_cleanup},
		{"curl_slist_append", (void **)&lib.slist_append},
		{"curl_slist_free_all", (void **)&lib.slist_free_all},
	};
	void *handle = dlopen(LIBRARY, RTLD_NOW);

	if (!handle)
		return -ELIBACC;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		*wanted[i].function = dlsym(handle, wanted[i].name);
		if (!*wanted[i].function)
			return -ELIBACC;
	}
	return lib.global_init(CURL_GLOBAL_DEFAULT) ? -ENOMEM : 0;
}

/* The reply is not looked at, and a long one ends the transfer. */
static size_t drop_reply(char *bytes, size_t size, size_t count, void *arg)
{
	size_t *got = arg;

	(void)bytes;
	*got += size * count;
	return *got <= REPLY_BYTES ? size * count : 0;
}

static void set_protocols(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	lib.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	lib.easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static struct curl_slist *make_headers(const char *secret, const char *body, size_t size)
{
	char signature[SIGNATURE_SIZE], line[SIGNATURE_SIZE + 32];
	struct curl_slist *list = lib.slist_append(NULL, "Content-Type: application/json");

	lib.slist_append(list, "Expect:");
	if (secret[0]) {
		signature_make(secret, body, size, signature);
		snprintf(line, sizeof(line), "X-Smtplimit-Signature: %s", signature);
		lib.slist_append(list, line);
	}
	return list;
}

static void judge(CURL *curl, CURLcode code, const char *error, struct channel_result *result)
{
	long status = 0;

	if (code) {
		snprintf(result->how, sizeof(result->how), "%s", error[0] ? error : "failed");
		result->err = -EIO;
		return;
	}
	lib.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	result->err = status >= 200 && status < 300 ? 0 : -EPROTO;
	if (result->err)
		snprintf(result->how, sizeof(result->how), "the reply is %ld", status);
}

static void work(const struct channel_job *job, const char *first, const char *second,
		 const char *body, struct channel_result *result)
{
	char error[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers;
	size_t got = 0;
	CURL *curl;

	curl = job->head.work == CHANNEL_POST ? lib.easy_init() : NULL;
	if (!curl)
		return;
	headers = make_headers(second, body, job->head.body_size);
	set_protocols(curl);
	lib.easy_setopt(curl, CURLOPT_URL, first);
	lib.easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	lib.easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)job->head.body_size);
	lib.easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	lib.easy_setopt(curl, CURLOPT_USERAGENT, "smtplimit/" SMTPLIMIT_VERSION);
	lib.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	lib.easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIME_MS);
	lib.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	lib.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	lib.easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
	lib.easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_reply);
	lib.easy_setopt(curl, CURLOPT_WRITEDATA, &got);
	judge(curl, lib.easy_perform(curl), error, result);
	lib.easy_cleanup(curl);
	lib.slist_free_all(headers);
}

/* Names are looked up by modules of the C library that the host chooses, so that no list of allowed
 * system calls would hold. Those that nothing of it needs are refused. */
static int refuse_syscalls(void)
{
	static const int refused[] = {
		SCMP_SYS(execve),
		SCMP_SYS(execveat),
		SCMP_SYS(ptrace),
		SCMP_SYS(process_vm_readv),
		SCMP_SYS(process_vm_writev),
		SCMP_SYS(bpf),
		SCMP_SYS(perf_event_open),
		SCMP_SYS(userfaultfd),
		SCMP_SYS(mount),
		SCMP_SYS(unshare),
		SCMP_SYS(setns),
		SCMP_SYS(keyctl),
		SCMP_SYS(add_key),
		SCMP_SYS(io_uring_setup),
		SCMP_SYS(kill),
		SCMP_SYS(pidfd_send_signal),
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err = filter ? 0 : -ENOMEM;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && !err; i++)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

static int set_limits(void)
{
	const struct rlimit files = {FILES, FILES}, memory = {MEMORY_BYTES, MEMORY_BYTES};

	return setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_AS, &memory) ? -errno : 0;
}

int channel_webhook_main(void *arg, int fd, pid_t parent)
{
	int err = sandbox_unprivileged("smtpl-webhook", "nobody", parent, &fd, 1);

	(void)arg;
	if (!err)
		err = set_limits();
	if (!err)
		err = load_library();
	if (!err)
		err = refuse_syscalls();
	if (!child_locked_in(fd, err))
		return 1;
	channel_serve(fd, work);
	return 0;
}
