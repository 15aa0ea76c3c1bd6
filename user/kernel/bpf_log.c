// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_log.c - see bpf_log.h.
 */
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bpf_log.h"

static char last[512];

__attribute__((format(printf, 2, 0))) static int keep_message(enum libbpf_print_level level,
							      const char *format, va_list args)
{
	char line[512];

	if (getenv("SMTPLIMIT_DEBUG_LIBBPF"))
		return vfprintf(stderr, format, args);
	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = 0;
	if (strstr(line, "BPF program load failed") || !last[0])
		snprintf(last, sizeof(last), "%s", line);
	return 0;
}

void bpf_log_start(void)
{
	libbpf_set_print(keep_message);
	last[0] = 0;
}

const char *bpf_log_last(void)
{
	return last[0] ? last : "no reason given";
}
