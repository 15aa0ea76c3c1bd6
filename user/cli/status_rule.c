// SPDX-License-Identifier: GPL-2.0-only
/*
 * status_rule.c - the rule in force, and that of an account with a section of its own. The daemon
 * shows the general one in the maps; sections are as the files have them now.
 */
#include "base/clock.h"
#include "status.h"

struct verdict_rule status_rule(const struct smtpl_meta *meta, const struct config *config)
{
	struct verdict_rule rule = config->rule;

	if (!meta->schema)
		return rule;
	rule.window_s = meta->window_s;
	rule.suspend_s = meta->suspend_s;
	rule.percent = meta->percent;
	rule.min_failures = meta->min_failures;
	return rule;
}

static bool rules_equal(const struct verdict_rule *a, const struct verdict_rule *b)
{
	return a->window_s == b->window_s && a->suspend_s == b->suspend_s &&
	       a->percent == b->percent && a->min_failures == b->min_failures;
}

void status_meta(struct status *s, const struct smtpl_meta *meta)
{
	const struct config *c = s->config;

	if (!meta->schema)
		return;
	s->loaded = true;
	s->meta = *meta;
	s->rule = status_rule(meta, c);
	s->mode = meta->observe ? VERDICT_OBSERVE : VERDICT_ENFORCE;
	s->file_differs =
		!c->paths_only && (s->mode != c->rule.mode || !rules_equal(&s->rule, &c->rule));
}

void status_account_rule(const struct status *s, struct status_account *a)
{
	const struct config_account *found = config_account_find(s->config, &a->id);

	a->rule = s->rule;
	a->rule.mode = s->mode;
	if (!found || found->section->until_s <= s->wall_ns / NS_PER_S)
		return;
	a->section = found->section;
	config_section_apply(a->section, &a->rule);
}

bool status_judges(const struct status_account *a)
{
	return a->role == SMTPL_ROLE_DIRECT && (a->id.kind == ACCOUNT_DOMAIN || a->id.uid != 0);
}

bool status_observes(const struct status_account *a)
{
	return status_judges(a) && a->rule.mode == VERDICT_OBSERVE;
}
