/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim_text.c - the parts of exim.conf, which the build has made a string of.
 */
#include "hook_exim.h"

#include <stdlib.h>
#include <string.h>
#include "exim.conf.h"

static void write_line(const char *line, size_t size, const char *run, FILE *out)
{
	static const char mark[] = "@RUN@";
	const char *end = line + size, *at;

	while ((at = memmem(line, end - line, mark, strlen(mark)))) {
		fwrite(line, 1, at - line, out);
		fputs(run, out);
		line = at + strlen(mark);
	}
	fwrite(line, 1, end - line, out);
}

char *exim_text(const struct hook_context *context, const char *part)
{
	const struct hook_text conf = {(char *)exim_conf, sizeof(exim_conf) - 1};
	struct hook_block block = {0};
	char *made = NULL;
	size_t size, end;
	FILE *out = open_memstream(&made, &size);

	if (!out)
		return NULL;
	hook_block_find(&conf, part, EXIM_COMMENT, 0, &block);
	for (size_t at = block.begin; at < block.end; at = end) {
		end = hook_line_end(&conf, at);
		if (conf.text[at] != '#')
			write_line(conf.text + at, end - at, context->config->run, out);
	}
	if (fclose(out)) {
		free(made);
		return NULL;
	}
	return made;
}
