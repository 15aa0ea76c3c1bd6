# SPDX-License-Identifier: GPL-2.0-only
"""Mail through real Postfix is charged to who really sent it: the accounts' windows and totals
equal a tally of Postfix's own log. More than 5,000 recipients by every way of submission,
delivered, greylisted, refused, unroutable, over two MX hosts, plain and TLS, retried by the real
queue manager; and who pays for forged senders, forwards, bounces, automatic replies and address
probes."""
# SECONDS: 70
import json
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402
import postfix_tally  # noqa: E402
import scenes  # noqa: E402
import tally  # noqa: E402
from host import PYTHON  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, CAROL, DAVE  # noqa: E402
from system import wait_for  # noqa: E402

RELAY_MAIL = 8
DOMAINS = {"far.test": ["198.51.100.1", "198.51.100.2"], "tls.test": ["198.51.100.3", "198.51.100.4"],
           "nohost.test": ["192.0.2.1"]}
# Share of the recipients, what the remote answers, and their domain.
KINDS = [(50, "", "far.test"), (20, "", "tls.test"), (6, "r550.5.1.1", "far.test"),
         (5, "r550.5.1.1", "tls.test"), (8, "r451+451+250", "far.test"), (4, "r451+250", "tls.test"),
         (3, "r451+451+451+550", "far.test"), (2, "r451", "far.test"), (1, "", "nohost.test"),
         (1, "", "none.test")]
PLENTY = 5000
OUTCOMES = ("delivered", "deferred", "failed")

# Messages over one SMTP session each; prints the queue ids.
CLIENT = """
import json, re, smtplib, sys
job = json.loads(sys.stdin.read())
ids = []
for sender, rcpts in job["messages"]:
    with smtplib.SMTP("127.0.0.1", job["port"], local_hostname="client.test", timeout=60) as s:
        s.ehlo()
        if job["auth"]:
            s.login(job["auth"], "secret")
        s.mail(sender)
        for rcpt in rcpts:
            s.rcpt(rcpt)
        code, text = s.data("From: <%s>\\r\\nSubject: status=sent (250 ok)\\r\\n\\r\\nhello\\r\\n" % sender)
        ids += re.findall(rb"queued as (\\w+)", text)
print(json.dumps([i.decode() for i in ids]))
"""

# Lines as they are, one after the other's answer; prints the answers.
RAW = """
import json, socket, sys
answers = []
with socket.create_connection(("127.0.0.1", 25), 20) as s, s.makefile("rw", newline="") as f:
    for line in [""] + json.load(sys.stdin):
        if line:
            f.write(line + "\\r\\n")
            f.flush()
        while True:
            answer = f.readline()
            if answer[3:4] != "-":
                break
        answers.append(answer.strip())
print(json.dumps(answers))
"""

_random = random.Random(7)
_serial = iter(range(1, 10**6))


def recipients(count):
    """Fresh ones of all kinds."""
    kinds = _random.choices(KINDS, [kind[0] for kind in KINDS], k=count)
    return [f"{act}{'-' if act else ''}n{next(_serial)}@{domain}" for _, act, domain in kinds]


def over_smtp(server, uid, messages, auth=None):
    job = {"port": 587 if auth else 25, "auth": auth, "messages": messages}
    done = server.host.run_as(uid, [PYTHON, "-c", CLIENT], json.dumps(job))
    true(done.returncode == 0, f"the SMTP client: {done.stderr}")
    ids = json.loads(done.stdout)
    equal(len(ids), len(messages), "messages taken in")
    if not auth:
        server.loopback.update(dict.fromkeys(ids, mta.NAMES[uid]))


def expected(server):
    """{account: entries} of everything until now."""
    return postfix_tally.entries(server.log(), mta.DOMAINS, {0, RELAY_MAIL, server.uid},
                                 server.loopback)


def agrees(server):
    """Wait until the queue is empty and each account's window is that of the log: {account: mails}."""
    server.wait_queue_empty(60)
    want = {account: tally.mails([e for e in log if not e["own"]]) for account, log in expected(server).items()
            if account}

    def got():
        rows = {a["account"]: {name: a["window"][name] for name in OUTCOMES}
                for a in server.host.status()["accounts"]}
        return {name: row for name, row in rows.items() if any(row.values())}
    compare.settle(got, want, 20, "status against Postfix's log")
    return want


def who_pays(server, act):
    """{account: {outcome: mails}} of what act() causes."""
    before = agrees(server)
    act()
    more = {}
    for name, row in agrees(server).items():
        added = {key: n - before.get(name, {}).get(key, 0) for key, n in row.items()}
        more[name] = {key: n for key, n in added.items() if n}
    return {name: row for name, row in more.items() if row}


def bulk(server):
    for _ in range(24):
        server.sendmail(ALICE, "alice@alice.test", recipients(50))
    for _ in range(10):
        server.php_mail(BOB, "bob@bob.test", ", ".join(recipients(20)))
    over_smtp(server, CAROL, [("carol@carol.test", recipients(50)) for _ in range(30)], auth="carol")
    over_smtp(server, DAVE, [("dave@dave.test", recipients(50)) for _ in range(36)])
    # What root sends is the domain's owner's; nobody's domain is an account of its own.
    server.sendmail(0, "cron@bob.test", recipients(50))
    for _ in range(6):
        server.sendmail(0, "list@unowned.test", recipients(50))


def test_thousands_of_recipients(server):
    bulk(server)
    want = agrees(server)
    equal(set(want), {"alice", "bob", "carol", "dave", "domain:unowned.test"}, "accounts")
    mails = {name: sum(row.values()) for name, row in want.items()}
    true(sum(mails.values()) >= PLENTY, f"too few recipients: {mails}")
    for name, row in want.items():
        true(min(row.values()) > 0, f"{name} has not all outcomes: {row}")
    ktap.diagnose(json.dumps(want))


def test_totals_in_attempts(server):
    """What the state database keeps of the feed, each retry counted."""
    want = {}
    for account, log in expected(server).items():
        row = want.setdefault(account, dict.fromkeys(OUTCOMES, 0))
        for entry in log:
            row[entry["outcome"]] += 1
    want.pop(None, None)

    def got():
        rows = scenes.saved(server.host, "SELECT kind, uid, domain, SUM(delivered), SUM(deferred), "
                            "SUM(failed) FROM told GROUP BY kind, uid, domain")
        return {compare.account_name(uid) if kind == 1 else f"domain:{domain}":
                dict(zip(OUTCOMES, counts)) for kind, uid, domain, *counts in rows if any(counts)}
    compare.settle(got, want, 30, "totals against Postfix's log")


def test_the_log_had_all_kinds(server):
    """So that the comparison means something."""
    log = server.log()
    for what in (r"mx2\.far\.test", r"mx2\.tls\.test", r"status=deferred \(host .*said: 451",
                 r"Network is unreachable", r"Host or domain name not found", r"status=expired",
                 r"sasl_username=carol", r"client=localhost\[127\.0\.0\.1\]:\d+", r"uid=20001 from"):
        true(re.search(what, log), f"the log has no {what}")
    remote = server.host.tally()
    true(remote.total()["opaque"] > 0, "no session was TLS")
    told = [e["recipient"] for entries in expected(server).values() for e in entries
            if e["outcome"] == "delivered" and e["recipient"].endswith("@far.test")]
    equal(sorted(told), sorted(e["recipient"] for e in remote.log if e["outcome"] == "delivered"),
          "what the remote has taken in the clear")


def test_forged_senders(server):
    rcpts = [recipients(1)[0] for _ in range(3)]
    rcpts = [f"n{next(_serial)}@far.test" for _ in rcpts]
    equal(who_pays(server, lambda: (
        server.sendmail(ALICE, "bob@bob.test", rcpts[:1]),
        over_smtp(server, ALICE, [("bob@bob.test", rcpts[1:2])]),
        over_smtp(server, BOB, [("bob@bob.test", rcpts[2:])], auth="alice"))),
        {"alice": {"delivered": 3}}, "alice in bob's name")


def test_forged_log_lines(server):
    """What customers write into the log is not taken for what Postfix says."""
    evil, plain = f"r550-n{next(_serial)}@far.test", f"n{next(_serial)}@far.test"
    told = "to=<z@far.test>, relay=h[1.1.1.1]:25, delay=0, delays=0/0/0/0, dsn=5.0.0, status=bounced (no)"
    lines = [f"EHLO x]: {'A' * 9}: {told}", 'MAIL FROM:<"a> to=<z>, dsn=5.0.0, status=bounced (no)"@bob.test>',
             "RCPT TO:<nobody-here@bob.test>", "RSET",
             'MAIL FROM:<"a>, size=1, nrcpt=1 (queue active) from=<"@bob.test>', f"RCPT TO:<{plain}>",
             "DATA", f"Message-Id: <x>, {told}\r\nSubject: {told}\r\n\r\nhello\r\n.", "QUIT"]
    answers = []

    def forge():
        server.sendmail(ALICE, "alice@alice.test", [evil],
                        text=f"Subject: x\nMessage-Id: <x>, {told}\nTo: {evil}\n\nhello\n")
        done = server.host.run_as(BOB, [PYTHON, "-c", RAW], json.dumps(lines))
        answers.extend(json.loads(done.stdout))
        server.loopback.update(dict.fromkeys(re.findall(r"queued as (\w+)", done.stdout), "bob"))
    equal(who_pays(server, forge), {"alice": {"failed": 1}, "bob": {"delivered": 1}}, "one message each")
    equal([a[:3] for a in answers], "220 250 250 550 250 250 250 354 250 221".split(), "answers")


def test_forwards_and_bounces(server):
    """From outside through an alias, and what Postfix itself says to the sender: nobody's."""
    equal(who_pays(server, lambda: (
        true(server.swaks_from_remote("x@far.test", [f"fwd@{mta.HOSTNAME}"]).ok, "not taken in"),
        true(server.swaks_from_remote("x@far.test", ["virtual@alice.test"]).ok, "not taken in"),
        true(server.swaks_from_remote("x@far.test", [f"nobody-here@{mta.HOSTNAME}"]).ok or True, ""),
        server.wait_queue_empty())), {}, "mail from outside that goes out again")
    forwarded = [e["recipient"] for e in expected(server).get(None, [])]
    true({"dest1@far.test", "r550-dest2@far.test"} <= set(forwarded), f"not forwarded: {forwarded}")
    equal(who_pays(server, lambda: server.sendmail(ALICE, "alice@alice.test", ["virtual@alice.test"])),
          {"alice": {"failed": 1}}, "alice's own mail to such an address")


def test_automatic_replies(server):
    """With the null sender nobody pays; with her own address it is her program that sends."""
    equal(who_pays(server, lambda: server.sendmail(ALICE, "<>", [f"n{next(_serial)}@far.test"])), {},
          "a reply with the null sender")
    server.tree.write("home/bob/.forward", '|"/usr/sbin/sendmail -f bob@bob.test n-auto@far.test"\n',
                      owner=f"{BOB}:{BOB}")
    equal(who_pays(server, lambda: (server.swaks_from_remote("x@far.test", ["bob@bob.test"]),
                                    wait_for(lambda: "to=<n-auto@far.test>" in server.log(), 10,
                                             "the reply"))),
          {"bob": {"delivered": 1}}, "a reply in bob's name")


def test_address_probes(server):
    """reject_unverified_recipient: Postfix asks the remote, which is no mail."""
    before = server.log().count("status=deliverable") + server.log().count("status=undeliverable")
    rcpts = [f"r550-n{next(_serial)}@probe.test", f"n{next(_serial)}@probe.test"]

    def probe():
        for rcpt in rcpts:
            server.swaks(ALICE, "alice@alice.test", [rcpt], more=["--quit-after", "RCPT"])
    equal(who_pays(server, probe), {}, "probes")
    log = server.log()
    equal(log.count("status=deliverable") + log.count("status=undeliverable") - before, 2, "probes")


def test_the_wire_agrees(server):
    """Nothing came late, and nothing was lost."""
    agrees(server)
    stats = server.host.status()["stats"]
    equal(stats["sessions_desync"], 0, "desynchronised sessions")
    ktap.diagnose(json.dumps(stats))


def make(host):
    server = mta.Postfix(host, {
        "maximal_queue_lifetime": "12s", "bounce_queue_lifetime": "12s",
        "smtp_tls_policy_maps": "texthash:/etc/postfix/tls_policy",
        "virtual_alias_maps": "texthash:/etc/postfix/virtual",
        "smtpd_recipient_restrictions": "check_recipient_access texthash:/etc/postfix/probed",
        "address_verify_poll_count": "10", "address_verify_poll_delay": "1s",
        "address_verify_map": "", "smtpd_recipient_limit": "1000"})
    tree = server.tree
    tree.write("etc/postfix/tls_policy", "tls.test encrypt\n")
    tree.write("etc/postfix/virtual", "virtual@alice.test r550-dest2@far.test\n")
    tree.write("etc/postfix/probed", "probe.test reject_unverified_recipient\n")
    tree.write("etc/aliases", "postmaster: root\nfwd: dest1@far.test\n")
    server.loopback = {}
    return server


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), mta.hooked(
        make, {**DOMAINS, "probe.test": ["198.51.100.5"]},
        {"limit": {"min_failures": 1000000, **tally.ALONE}}, server={"tls": True}))
