// SPDX-License-Identifier: GPL-2.0-only
/*
 * delivery_report.c - the bounds of what a delivery report holds.
 */
#include "delivery_report.h"

#define END_OF(string) ((string)[sizeof(string) - 1])

int64_t delivery_report_age(int64_t seconds)
{
	if (seconds < 0)
		return 0;
	return seconds < REPORT_AGE_MAX_S ? seconds : REPORT_AGE_MAX_S;
}

void delivery_report_bound(struct delivery_report *report)
{
	submission_end_strings(&report->submission);
	END_OF(report->rcpt) = '\0';
	END_OF(report->id) = '\0';
	END_OF(report->host) = '\0';
	END_OF(report->tls) = '\0';
	END_OF(report->text) = '\0';
	if (report->age_s < 0 || report->age_s > REPORT_AGE_MAX_S)
		report->age_s = REPORT_AGE_UNKNOWN;
}
