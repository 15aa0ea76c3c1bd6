/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_exim_text.c - what the hook adds to an Exim configuration (4.94 or later).
 *
 * All of the logic is in ACLs of our own; what goes into ACLs, routers and transports of others
 * names them. Whatever a customer can choose (addresses, identities, replies) is handed over in
 * base64 and never part of a name, a path or a list.
 *
 * Variables of a message, kept by Exim in its spool: acl_m_smtplimit is who pays, as the daemon
 * said at submission. The others are of one process: acl_m_smtplimit_pid tells whose.
 */
#include "hook_exim.h"

/* clang-format off */
const char exim_text_main[] =
	"event_action = ${acl{smtplimit_event}}\n";

const char exim_text_not_smtp_option[] =
	"acl_not_smtp = smtplimit_not_smtp\n";

const char exim_text_rcpt[] =
	"  require\n"
	"    acl = smtplimit_rcpt\n";

const char exim_text_not_smtp[] =
	"  require\n"
	"    acl = smtplimit_not_smtp\n";

const char exim_text_transport[] =
	"  event_action = ${acl{smtplimit_event}}\n";

/* Asked at each delivery attempt: mail that was queued before the suspension fails, too. */
const char exim_text_router[] =
	"smtplimit:\n"
	"  driver = redirect\n"
	"  domains = ! +local_domains\n"
	"  no_verify\n"
	"  no_expn\n"
	"  allow_fail\n"
	"  data = ${acl{smtplimit_route}}\n";

/*
 * smtplimit_ask: once a process and message, at most every 5 minutes. An daemon that is dead or
 * hangs gives the empty string; then the file `suspended` says who may not send, until the time at
 * the end of its text. Whose mail it is can then be told only from what Exim itself knows: an
 * identity is read as by submission_identity_domain() and submission_is_host(); the sender's domain
 * counts for clients on this host alone.
 *
 * smtplimit_rcpt: Exim breaks replies into lines of 75 and would repeat a code of ours on each of
 * them;
 * 550 is its own, and so the lines put together are the text.
 *
 * smtplimit_route: notes which remote addresses came out of a redirection, since events do not know
 * it; by domain as well, since same_domain_copy_routing passes the other recipients of a domain by
 * the routers. Addresses of the message itself are routed first.
 *
 * smtplimit_event, smtplimit_tell: one line for each recipient whose fate this attempt decided.
 * msg:rcpt:defer and msg:defer come of the last host alone. When a transaction is deferred as a
 * whole, msg:defer names but its first recipient: the others of that domain that are still to be
 * delivered are in the message's spool file (its format is in Exim's specification). In failures
 * $host_address is that of an earlier delivery. Of a 452 to one recipient of several nothing is
 * told: Exim takes it for a limit and sends to the others in the next run. The first line that does
 * not get through silences its process.
 */
const char exim_text_acls[] =
	"smtplimit_origin:\n"
	"  accept\n"
	"    message = uid=${if def:sender_host_address{}{$originator_uid}} \\\n"
	"      addr=$sender_host_address \\\n"
	"      port=${if def:sender_host_address{$sender_host_port}} \\\n"
	"      to=$received_ip_address \\\n"
	"      toport=${if def:received_ip_address{$received_port}} \\\n"
	"      auth64=${if def:sender_host_authenticated{${base64:$authenticated_id}}} \\\n"
	"      sender64=${base64:$sender_address} \\\n"
	"      account=${if def:acl_m_smtplimit{$acl_m_smtplimit}}\n"
	"\n"
	"smtplimit_ask:\n"
	"  accept\n"
	"    condition = ${if and{{def:acl_m_smtplimit_pid}{eq{$acl_m_smtplimit_pid}{$pid}}\\\n"
	"      {>{$acl_m_smtplimit_time}{${eval10:$tod_epoch-300}}}}}\n"
	"  warn\n"
	"    set acl_m_smtplimit_pid = $pid\n"
	"    set acl_m_smtplimit_time = $tod_epoch\n"
	"    set acl_m_smtplimit_moved =\n"
	"    set acl_m_smtplimit_answer = \\\n"
	"      ${readsocket{@RUN@/exim}{${acl{smtplimit_origin}}\\n}{2s}{}{}}\n"
	"    set acl_m_smtplimit = ${if match{$acl_m_smtplimit_answer}\\\n"
	"      {\\N^(ok|refused) ((uid|domain):\\S+)\\N}{$2}\\\n"
	"      {${if def:acl_m_smtplimit{$acl_m_smtplimit}}}}\n"
	"    set acl_m_smtplimit_text = ${if match{$acl_m_smtplimit_answer}\\\n"
	"      {\\N^refused \\S+ (.*)$\\N}{$1}}\n"
	"  accept\n"
	"    condition = ${if or{{def:acl_m_smtplimit_answer}{!def:sender_address}\\\n"
	"      {!exists{@RUN@/suspended}}}}\n"
	"  warn\n"
	"    set acl_m_smtplimit_key = \\\n"
	"      ${if def:acl_m_smtplimit{${sg{$acl_m_smtplimit}{\\N^(uid|domain):\\N}{}}}\\\n"
	"      {${if and{{def:sender_host_authenticated}{def:authenticated_id}}\\\n"
	"      {${sg{$authenticated_id}{\\N(?s)^(?:.*@(?=[^@])|\\N\\\n"
	"        \\N[^@]*[%+](?=[^@%+]*\\.[^@%+]*$))|\\.$\\N}{}}}\\\n"
	"      {${if !def:sender_host_address{$originator_uid}\\\n"
	"      {${if match_ip{$sender_host_address}{<; 127.0.0.0/8 ; ::1 ; @[]}\\\n"
	"        {$sender_address_domain}}}}}}}}\n"
	"    set acl_m_smtplimit_user = ${if and{{!def:acl_m_smtplimit}\\\n"
	"      {def:sender_host_authenticated}{def:authenticated_id}\\\n"
	"      {match{$acl_m_smtplimit_key $primary_hostname}\\\n"
	"      {\\N(?i)^(?|(\\S+) \\1|([^.\\s]+)\\.\\S+ \\1|([^.\\s]+) \\1\\.\\S+)$\\N}}}\\\n"
	"      {${sg{$authenticated_id}{.${rxquote:$acl_m_smtplimit_key}\\N\\.?$\\N}{}}}}\n"
	"  warn\n"
	"    condition = ${if def:acl_m_smtplimit_key}\n"
	"    set acl_m_smtplimit_text = \\\n"
	"      ${lookup{$acl_m_smtplimit_key}lsearch{@RUN@/suspended}{$value}\\\n"
	"      {${if def:acl_m_smtplimit_user\\\n"
	"      {${lookup{$acl_m_smtplimit_user}lsearch{@RUN@/suspended}{$value}{}}}}}}\n"
	"    set acl_m_smtplimit_text = ${if match{$acl_m_smtplimit_text}\\\n"
	"      {\\N again at (\\d{4})-(\\d\\d)-(\\d\\d)T(\\d\\d):(\\d\\d):(\\d\\d)Z\\.$\\N}\\\n"
	"      {${if gt{$1$2$3$4$5$6Z}{$tod_zulu}{$acl_m_smtplimit_text}}}}\n"
	"  accept\n"
	"\n"
	"smtplimit_rcpt:\n"
	"  warn\n"
	"    acl = smtplimit_ask\n"
	"  deny\n"
	"    domains = ! +local_domains\n"
	"    condition = ${if def:acl_m_smtplimit_text}\n"
	"    message = ${sg{$acl_m_smtplimit_text}{\\N^550 \\N}{}}\n"
	"  accept\n"
	"\n"
	"smtplimit_not_smtp:\n"
	"  warn\n"
	"    acl = smtplimit_ask\n"
	"  deny\n"
	"    condition = ${if def:acl_m_smtplimit_text}\n"
	"    condition = ${if forany{<, $recipients}\\\n"
	"      {!match_domain{${domain:$item}}{+local_domains}}}\n"
	"    message = $acl_m_smtplimit_text\n"
	"  accept\n"
	"\n"
	"smtplimit_route:\n"
	"  warn\n"
	"    acl = smtplimit_ask\n"
	"    condition = ${if <{${strlen:$acl_m_smtplimit_moved}}{8000}}\n"
	"    set acl_m_smtplimit_moved = $acl_m_smtplimit_moved \\\n"
	"      ${if eqi{${quote_local_part:$local_part}@$domain}\\\n"
	"        {${quote_local_part:$original_local_part}@$original_domain}\\\n"
	"      {${extract{${md5:@${lc:$domain}}}{$acl_m_smtplimit_moved}{}\\\n"
	"        {${md5:@${lc:$domain}}=-}}}\\\n"
	"      {${md5:${lc:${quote_local_part:$local_part}@$domain}}=\"${base64:\\\n"
	"        ${quote_local_part:$original_local_part}@$original_domain}\" \\\n"
	"        ${md5:@${lc:$domain}}=\"${base64:\\\n"
	"        ${quote_local_part:$original_local_part}@$original_domain}\"}}\n"
	"  accept\n"
	"    condition = ${if def:acl_m_smtplimit_text}\n"
	"    message = :fail: $acl_m_smtplimit_text\n"
	"  accept\n"
	"\n"
	"smtplimit_event:\n"
	"  accept\n"
	"    condition = ${if or{\\\n"
	"      {!match{$event_name}\\\n"
	"        {\\N^msg:(delivery|fail:delivery|fail:internal|rcpt:defer|defer)$\\N}}\\\n"
	"      {match_domain{$domain}{+local_domains}}\\\n"
	"      {and{{def:host_address}{match_ip{$host_address}{<; 127.0.0.0/8 ; ::1 ; @[]}}}}\\\n"
	"      {and{{eq{$event_name}{msg:fail:internal}}\\\n"
	"        {match{$event_data}{\\N^(message removed|delivery cancelled|cancelled) \\N}}}}}}\n"
	"  warn\n"
	"    set acl_m_smtplimit_told = ${acl{smtplimit_tell}{${quote_local_part:$local_part}@$domain}}\n"
	"  accept\n"
	"    condition = ${if or{{!eq{$event_name}{msg:defer}}{<{$recipients_count}{2}}\\\n"
	"      {>{$recipients_count}{100}}}}\n"
	"  warn\n"
	"    set acl_m_smtplimit_spool = $spool_directory/${if def:queue_name{$queue_name/}}input/\n"
	"    set acl_m_smtplimit_spool = $acl_m_smtplimit_spool\\\n"
	"      ${if !exists{$acl_m_smtplimit_spool$message_exim_id-H}\\\n"
	"      {${substr_5_1:$message_exim_id}/}}$message_exim_id\n"
	"  accept\n"
	"    condition = ${if !exists{$acl_m_smtplimit_spool-H}}\n"
	"  warn\n"
	"    set acl_m_smtplimit_told = ${if match{${readfile{$acl_m_smtplimit_spool-H}}}\\\n"
	"      {\\N\\n(XX\\n|(?:[YN][YN] [^\\n]*\\n)+)\\d+\\n((?:[^\\n]+\\n)+)\\n\\N}\\\n"
	"      {${map{<\\n ${filter{<\\n $2}{and{{eqi{${domain:$item}}{$domain}}\\\n"
	"        {!eqi{$item}{${quote_local_part:$local_part}@$domain}}\\\n"
	"        {!match{\\n$1${if exists{$acl_m_smtplimit_spool-J}\\\n"
	"          {${readfile{$acl_m_smtplimit_spool-J}}}}}\\\n"
	"          {\\N(?i)\\n(?:[YN][YN] )?\\N${rxquote:$item}\\n}}}}}}\\\n"
	"        {${acl{smtplimit_tell}{$item}}}}}}\n"
	"  accept\n"
	"\n"
	"smtplimit_tell:\n"
	"  accept\n"
	"    condition = ${if or{{and{{def:acl_m_smtplimit_mute}{eq{$acl_m_smtplimit_mute}{$pid}}}}\\\n"
	"      {and{{eq{$event_name}{msg:defer}}{def:acl_m_smtplimit_deferred}\\\n"
	"      {match{$acl_m_smtplimit_deferred}{<${rxquote:$acl_arg1}>}}}}}}\n"
	"  warn\n"
	"    condition = ${if eq{$event_name}{msg:rcpt:defer}}\n"
	"    set acl_m_smtplimit_deferred = <$acl_arg1>\\\n"
	"      ${if def:acl_m_smtplimit_deferred{$acl_m_smtplimit_deferred}}\n"
	"  warn\n"
	"    set acl_m_smtplimit_mute = ${readsocket{@RUN@/feed}{\\\n"
	"      exim event=${if eq{$router_name}{smtplimit}{refused}{$event_name}} \\\n"
	"      id=$message_exim_id relay=$exim_uid proto=$received_protocol ${acl{smtplimit_origin}} \\\n"
	"      rcpt64=${base64:$acl_arg1} \\\n"
	"      orig64=${if def:acl_m_smtplimit_moved{\\\n"
	"        ${extract{${md5:${lc:$acl_arg1}}}{$acl_m_smtplimit_moved}\\\n"
	"        {$value}{${extract{${md5:@${lc:$domain}}}{$acl_m_smtplimit_moved}\\\n"
	"        {${if eq{$value}{-}{}{$value}}}}}}}} \\\n"
	"      errno=$event_defer_errno text64=${base64:${length_1024:$event_data}} \\\n"
	"      host=${if match{$event_name}{fail}{}{$host_address}} hostport=$host_port \\\n"
	"      transport=$transport_name router=$router_name time=$tod_epoch\\n}{2s}{}{$pid}}\n"
	"  accept\n";
