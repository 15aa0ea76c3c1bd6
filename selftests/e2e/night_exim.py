# SPDX-License-Identifier: GPL-2.0-only
"""A night of 20 customers on Exim with a content filter, Mailman, sieve and a smart host behind a tunnel:
the three bad ones are suspended. Nobody else is, each account is charged as the remote hosts tell it,
and all inbound mail is in its mailbox."""
# SECONDS: 120
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
import mta_tree  # noqa: E402
import night  # noqa: E402
import night_parts  # noqa: E402

MAILBOXES = "/run/mailboxes"
# What comes by SMTP goes through the filter, which hands it in again, as Exim's FAQ has it. Then Mailman's
# router as its documentation has it, and the mailboxes.
ROUTERS = r"""
spamcheck_router:
  driver = accept
  condition = ${if and{{def:sender_host_address}{!eq{$received_protocol}{spam-scanned}}}}
  no_verify
  transport = spamcheck

mailman3_router:
  driver = accept
  require_files = /var/lib/mailman3/lists/${local_part}.${domain}
  local_part_suffix = -bounces : -bounces+* : -owner : -request
  local_part_suffix_optional
  transport = mailman3_transport

mailbox_router:
  driver = accept
  domains = %(mailboxes)s
  transport = mailbox_lmtp
"""
# stunnel ends both directions when one is ended, as Exim does behind the last command that it pipelines.
SMART_HOST = r"""
smart_host_router:
  driver = manualroute
  domains = ! +local_domains : ! %(direct)s
  route_list = * 127.0.0.1
  self = send
  transport = smart_host_smtp
"""
TRANSPORTS = r"""
spamcheck:
  driver = pipe
  command = /usr/sbin/exim4 -oMr spam-scanned -bS
  use_bsmtp
  batch_max = 100
  transport_filter = /usr/bin/spamc
  home_directory = /tmp
  current_directory = /tmp
  user = debian-spamd
  group = debian-spamd
  log_output
  return_fail_output

mailman3_transport:
  driver = smtp
  protocol = lmtp
  allow_localhost
  hosts = 127.0.0.1
  port = 8024
  rcpt_include_affixes

mailbox_lmtp:
  driver = lmtp
  socket = %(socket)s
  batch_max = 20
  user = Debian-exim

smart_host_smtp:
  driver = smtp
  port = %(port)s
  allow_localhost
  hosts_avoid_pipelining = *
  helo_data = REMOTE_SMTP_HELO_DATA
"""


class NightExim(mta.Exim):
    def install_hook(self):
        """It changes the files of which this makes the configuration."""
        super().install_hook()
        self.configure()


def make(host):
    server = NightExim(host)
    tree = server.tree
    text = tree.read("etc/exim4/update-exim4.conf.conf")
    text = re.sub(r"(?m)^dc_other_hostnames=.*",
                  f"dc_other_hostnames='localhost:{':'.join(mta_tree.DOMAINS)}'", text)
    tree.write("etc/exim4/update-exim4.conf.conf", text + "dc_relay_domains='backup.test'\n")
    tree.write("etc/exim4/conf.d/main/001_night", "MAIN_TRUSTED_USERS = debian-spamd\n")
    values = {"mailboxes": " : ".join(mta_tree.DOMAINS), "socket": MAILBOXES,
              "direct": " : ! ".join(night.DIRECT), "port": night_parts.Tunnel.port}
    tree.write("etc/exim4/conf.d/router/050_night", ROUTERS % values)
    tree.write("etc/exim4/conf.d/router/150_night", SMART_HOST % values)
    tree.write("etc/exim4/conf.d/transport/50_night", TRANSPORTS % values)
    server.parts = (night_parts.Spamd(server), night_parts.Dovecot(server, MAILBOXES, server.user),
                    night_parts.Mailman(server), night_parts.Tunnel(server, night.SMART_HOST))
    return server


if __name__ == "__main__":
    ktap.main(night.TESTS, night.running(make))
