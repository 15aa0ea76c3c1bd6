// SPDX-License-Identifier: GPL-2.0-only
/*
 * template_default.c - the texts that are sent where the administrator has none of his own.
 */
#include "template.h"

#define CAUSES                                                                                     \
	"The two usual causes:\n\n"                                                                \
	"  1. A list of addresses that is old or was bought: many of them no longer exist.\n"      \
	"     Remove every address that failed before sending again.\n"                            \
	"  2. A script or a password in the wrong hands: somebody else sends through the\n"        \
	"     account. Look for files that nobody knows and for forms without protection,\n"       \
	"     bring the web software up to date, and change the passwords of its mailboxes.\n"

#define REPLIES                                                                                    \
	"What the receiving servers replied:\n\n{replies}\n"                                       \
	"The last recipients that failed:\n\n{recipients}\n"

static const struct template administrator[TEMPLATES] = {
	[NOTICE_NEARLY_THERE] =
		{
			"[{host}] {observed}{account} is close to a suspension of its mail",
			"{simulated}The account {account} ({domain}) on {host} is close to a suspension; failures "
			"until\nthen: {headroom}. {why}\n\n{repeated}" REPLIES CAUSES
			"\nWhat to do: `smtplimit status {account}` shows the account as it is now. Tell the "
			"customer, or stop\nthe sending at its source.\n",
		},
	[NOTICE_SUSPENDED] =
		{
			"[{host}] {observed}{account} is suspended from sending mail until {until}",
			"{simulated}The account {account} ({domain}) on {host} cannot send mail until {until} "
			"(for {length}).\n{why}\n\n{repeated}" REPLIES CAUSES
			"\nWhat to do: find the cause before the suspension ends, else the account is suspended "
			"again.\n`smtplimit status {account}` shows the account as it is now, `smtplimit release "
			"{account}`\nlets it send at once.\n",
		},
	[NOTICE_ENDED] =
		{
			"[{host}] {account} may send mail again",
			"{simulated}The suspension of {account} ({domain}) on {host} is over; the account may "
			"send mail again.\n\n{repeated}",
		},
	[NOTICE_RELEASED] =
		{
			"[{host}] {account} was released and may send mail again",
			"{simulated}The suspension of {account} ({domain}) on {host} was ended by hand; the "
			"account may send mail\nagain.\n\n{repeated}",
		},
	[NOTICE_BYPASS] =
		{
			"[{host}] mail of {account} still passes, though it is suspended",
			"{simulated}The account {account} ({domain}) on {host} is suspended until {until}, but "
			"mail of it still\nleaves this server: {text}\n\n{repeated}"
			"What to do: `smtplimit status` lists what is not in force, and `smtplimit hook MTA "
			"--install` puts\nthe questions into the mail server's configuration.\n",
		},
	[NOTICE_HOOK_MISSING] =
		{
			"[{host}] a mail server does not ask smtplimit",
			"A mail server on {host} does not ask whose mail it may take: {text}\n\n{repeated}"
			"Suspended accounts can send through it. What to do: `smtplimit status` shows what is "
			"missing,\n`smtplimit hook MTA --install` puts it back.\n",
		},
	[NOTICE_RECEIVER_TROUBLE] =
		{
			"[{host}] mail to {remote} fails for {accounts_bad} of {accounts_tried} accounts",
			"Mail from {host} to {remote} fails for {accounts_bad} of the {accounts_tried} accounts "
			"that tried:\n\n  {text}\n\n{repeated}"
			"These failures are not charged to the accounts. What to do: look whether {remote} has "
			"trouble of its\nown, or has something against this server.\n",
		},
	[NOTICE_SERVER_LISTED] =
		{
			"[{host}] {remote} refuses this server",
			"{remote} refuses mail from {host} because of the server's address, for {accounts_bad} of "
			"the\n{accounts_tried} accounts that tried:\n\n  {text}\n\n{repeated}"
			"These failures are not charged to the accounts. What to do: find out which account sent "
			"what\nbrought the address there, then ask for its removal at the place that the reply "
			"names.\n",
		},
	[NOTICE_LOSSES] =
		{
			"[{host}] smtplimit lost something",
			"smtplimit on {host} did not see, or could not decide, everything:\n\n  {text}\n\n"
			"{repeated}What to do: `smtplimit status` lists each loss, and smtplimit(8) says what it "
			"means.\n",
		},
	[TEMPLATE_DIGEST] =
		{
			"[{host}] {count} notices of smtplimit",
			"{count} events on {host} since {time}:\n\n{summary}\nThe first of them:\n\n{entries}\n"
			"What to do: `smtplimit status --suspended` lists who is suspended now. When many accounts "
			"are\nsuspended at once, look for one cause: the server's address on a block list, DNS, "
			"or a receiver\nwith trouble of its own.\n",
		},
};

#define ACT                                                                                        \
	"\nIf you did not send these messages, somebody else uses your account: please act at once.\n"
#define CUSTOMER_CAUSES CAUSES ACT

static const struct template customer[TEMPLATES] = {
	[NOTICE_NEARLY_THERE] =
		{
			"Your mail from {domain} is about to be stopped",
			"Hello,\n\nmany messages that your hosting account {account} ({domain}) sends cannot be "
			"delivered.\nFailures until it cannot send mail for a while: {headroom}.\n\n{why}\n\n" REPLIES
				CUSTOMER_CAUSES,
		},
	[NOTICE_SUSPENDED] =
		{
			"Your mail from {domain} is stopped until {until}",
			"Hello,\n\nyour hosting account {account} ({domain}) cannot send mail until {until}. Until "
			"then each\nmessage that it sends is returned at once. Mail to you arrives as always.\n\n"
			"{why}\n\n" REPLIES CUSTOMER_CAUSES,
		},
	[NOTICE_ENDED] =
		{
			"Mail from {domain} can be sent again",
			"Hello,\n\nyour hosting account {account} ({domain}) can send mail again. If the cause is "
			"still there, it\nwill be stopped once more.\n\n" CUSTOMER_CAUSES,
		},
	[NOTICE_RELEASED] =
		{
			"Mail from {domain} can be sent again",
			"Hello,\n\nyour hosting account {account} ({domain}) can send mail again.\n",
		},
};

const struct template *template_default(uint32_t kind, bool for_customer)
{
	return for_customer ? &customer[kind] : &administrator[kind];
}
