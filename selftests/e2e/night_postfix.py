# SPDX-License-Identifier: GPL-2.0-only
"""A night of 20 customers on Postfix with a content filter, Mailman, sieve and a smart host behind a
tunnel: the three bad ones are suspended. Nobody else is, each account is charged as the remote hosts
tell it, and all inbound mail is in its mailbox."""
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

MAILBOXES = "private/dovecot-lmtp"
# As SpamAssassin's documentation has it. What comes by SMTP goes through the filter, which hands it in again.
FILTER = """spamassassin unix - n n - 4 pipe
  flags=Rq user=debian-spamd argv=/usr/bin/spamc -e /usr/sbin/sendmail -oi -f ${sender} ${recipient}
"""


def make(host):
    server = mta.Postfix(host, {
        "mydestination": f"{mta_tree.HOSTNAME}, localhost",
        "virtual_mailbox_domains": " ".join(mta_tree.DOMAINS),
        "virtual_transport": f"lmtp:unix:{MAILBOXES}",
        "relay_domains": "backup.test",
        "relayhost": f"[127.0.0.1]:{night_parts.Tunnel.port}",
        "transport_maps": "regexp:/etc/postfix/transport"})
    tree = server.tree
    local, domain = night.LIST.split("@")
    tree.write("etc/postfix/transport", rf"/^{local}(-[a-z]+)?@{re.escape(domain)}$/ lmtp:[127.0.0.1]:8024"
               "\n" + "".join(rf"/@{re.escape(name)}$/ smtp:" + "\n" for name in night.DIRECT))
    master = tree.read("etc/postfix/master.cf")
    master = re.sub(r"(?m)^((?:smtp|submission) +inet .* smtpd)$", r"\1\n  -o content_filter=spamassassin",
                    master)
    tree.write("etc/postfix/master.cf", master + FILTER)
    server.parts = (night_parts.Spamd(server), night_parts.Dovecot(
        server, f"/var/spool/postfix/{MAILBOXES}", server.user), night_parts.Mailman(server),
        night_parts.Tunnel(server, night.SMART_HOST))
    return server


if __name__ == "__main__":
    ktap.main(night.TESTS, night.running(make))
