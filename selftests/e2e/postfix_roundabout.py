# SPDX-License-Identifier: GPL-2.0-only
"""Mail that goes a roundabout way through Postfix is charged to who handed it in. The ways: a filter
that pipe(8) runs as a user of its own, one before the queue, services with a name of their own in
the log, and a tunnel to a smart host. The tally is what the test has sent."""
# SECONDS: 40
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402
import scenes  # noqa: E402
import tally  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, NAMES  # noqa: E402
from system import wait_for  # noqa: E402

FILTERED, PROXIED, NAMED, TUNNELLED = 2526, 2527, 2528, 2529
# spamc(1) as it is documented for Postfix. Where no spamd answers it hands the mail on as it is.
MASTER = """
2526 inet n - y - - smtpd
  -o content_filter=spamfilter:dummy
spamfilter unix - n n - - pipe
  flags=Rq user=spamd argv=/usr/bin/spamc -d 127.0.0.1 --connect-retries=1
  -e /usr/sbin/sendmail -i -f ${sender} -- ${recipient}
2527 inet n - y - - smtpd
  -o syslog_name=postfix-proxied
  -o smtpd_proxy_filter=127.0.0.1:10026
10026 inet n - y - - smtpd
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
  -o smtpd_sasl_auth_enable=no
2528 inet n - y - - smtpd
  -o syslog_name=postfix-submission
enforced-tls-smtp unix - - y - - smtp
  -o syslog_name=enforced-tls-smtp
2529 inet n - y - - smtpd
  -o content_filter=smtp:[127.0.0.1]:2465
"""
# In the network of the sender; the smart host is the remote's server.
STUNNEL = """
foreground = yes
setuid = stunnel4
setgid = stunnel4
pid =
[smarthost]
client = yes
accept = 127.0.0.1:2465
connect = 198.51.100.9:465
"""

_rows = {}


def sends(server, uid, port, good, bad, auth=True, sender=None):
    """One message a recipient, in bob's name where nothing else is said."""
    for rcpt in scenes.fresh(count=good) + scenes.fresh("r550.5.1.1", bad):
        sent = server.swaks(uid, sender or "bob@bob.test", [rcpt], auth=NAMES[uid] if auth else None,
                            port=port)
        true(sent.ok, f"not taken in:\n{sent.text}")


def charged(server, **more):
    """alice=(delivered, failed): as much more as that, and nothing to anybody else."""
    for name, counts in more.items():
        row = _rows.setdefault(name, {"delivered": 0, "failed": 0})
        for outcome, count in zip(row, counts):
            row[outcome] += count

    def got():
        return {a["account"]: {name: a["window"][name] for name in ("delivered", "failed")}
                for a in server.host.status()["accounts"]
                if a["window"]["delivered"] + a["window"]["failed"]}
    compare.settle(got, _rows, 30, "status against what was sent")


def test_filter_behind_the_queue(server):
    sends(server, ALICE, FILTERED, 3, 2)
    charged(server, alice=(3, 2))
    true("uid=30108 from=<bob@bob.test>" in server.log(), "nothing came from the filter")


def test_several_recipients_through_the_filter(server):
    rcpts = scenes.fresh(count=3) + scenes.fresh("r550.5.1.1", 2)
    true(server.swaks(ALICE, "bob@bob.test", rcpts, auth="alice", port=FILTERED).ok, "not taken in")
    charged(server, alice=(3, 2))


def test_message_id_of_a_neighbour(server):
    """bob gives his message alice's Message-ID, sender and recipient: each pays for one. By sendmail(1) he
    pays himself, though alice's came through the filter a moment ago."""
    header = ["--header", "Message-Id: <shared@alice.test>"]
    rcpt = scenes.fresh("r550.5.1.1", 1)
    for uid in (ALICE, BOB):
        true(server.swaks(uid, "alice@alice.test", rcpt, auth=NAMES[uid], port=FILTERED, more=header).ok,
             "not taken in")
    charged(server, alice=(0, 1), bob=(0, 1))
    rcpt = scenes.fresh()
    true(server.swaks(ALICE, "alice@alice.test", rcpt, auth="alice", port=FILTERED,
                      more=["--header", "Message-Id: <2@alice.test>"]).ok, "not taken in")
    equal(server.sendmail(BOB, "alice@alice.test", rcpt,
                          text="Message-Id: <2@alice.test>\nSubject: x\n\nhello\n").returncode, 0,
          "exit of sendmail")
    charged(server, alice=(1, 0), bob=(1, 0))


def test_filter_before_the_queue(server):
    sends(server, ALICE, PROXIED, 2, 2)
    charged(server, alice=(2, 2))
    # A script of bob's, without SMTP AUTH, that says who it would like to be.
    for rcpt in scenes.fresh("r550.5.1.1", 2):
        sent = server.swaks(BOB, "alice@alice.test", [rcpt], port=PROXIED,
                            more=["--ehlo", "x> sasl_username=<alice"])
        true(sent.ok, f"not taken in:\n{sent.text}")
    charged(server, bob=(0, 2))


def test_services_with_names_of_their_own(server):
    sends(server, ALICE, NAMED, 1, 1)
    rcpts = [rcpt.replace("far.test", "forced.test") for rcpt in scenes.fresh(count=1)
             + scenes.fresh("r550.5.1.1", 1)]
    for rcpt in rcpts:
        true(server.swaks(ALICE, "bob@bob.test", [rcpt], auth="alice", port=NAMED).ok, "not taken in")
    charged(server, alice=(2, 2))
    true("enforced-tls-smtp/smtp[" in server.log() and "postfix-submission/smtpd[" in server.log(),
         "the log does not have their names")


def test_tunnel_to_a_smart_host(server):
    """The smart host takes mail and refuses some; then the tunnel's other end is gone, which is nobody's
    failure. What is for a domain of this host is none of it."""
    sends(server, ALICE, TUNNELLED, 2, 0)
    charged(server, alice=(2, 0))
    sends(server, ALICE, TUNNELLED, 1, 3)
    charged(server, alice=(1, 3))
    true("relay=127.0.0.1[127.0.0.1]:2465" in server.log(), "the tunnel was not used")
    server.tree.terminate(server.tunnel)
    before = server.log().count("Connection refused")
    sends(server, ALICE, TUNNELLED, 2, 0)
    wait_for(lambda: server.log().count("Connection refused") > before, 20, "a deferral")
    charged(server, alice=(0, 0))


def make(host):
    server = mta.Postfix(host, {"transport_maps": "inline:{forced.test=enforced-tls-smtp:}"})
    tree = server.tree
    tree.add("spamc")
    tree.add("stunnel4")
    tree.write("etc/postfix/master.cf", tree.read("etc/postfix/master.cf") + MASTER)
    tree.write("etc/stunnel.conf", STUNNEL)
    server.tunnel = tree.popen(["stunnel4", "/etc/stunnel.conf"])
    return server


def prepare(server):
    """Who connects to a port that is not watched is not known."""
    server.host.write_conf({"watch": {"relay_users": "postfix mail spamd", "exempt_users": "stunnel4",
                                      "ports": f"25,465,587,{PROXIED}"}})


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), mta.hooked(
        make, {"far.test": ["198.51.100.1"], "forced.test": ["198.51.100.2"]},
        {"limit": {"min_failures": 1000000, **tally.ALONE}}, prepare=prepare, server={"tls": True}))
