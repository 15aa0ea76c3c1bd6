# SPDX-License-Identifier: GPL-2.0-only
"""Suspensions and releases reach the administrator's command, mailbox and signed webhook, and the
customer's mailbox. The mail goes out by Postfix's sendmail with a null sender and as root, whom nobody
charges."""
# SECONDS: 60
import contextlib
import email
import email.policy
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
from desk import Desk, lines, of  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta_tree import HOSTNAME  # noqa: E402
from system import wait_for  # noqa: E402

NOBODY = 65534
DOMAINS = {"far.test": ["198.51.100.1"]}
ADMIN, CONTACT = f"carol@{HOSTNAME}", f"bob@{HOSTNAME}"

def mails(server, name):
    """Those in a mailbox, the last one last."""
    text = "\n" + server.mailbox(name)
    return [email.message_from_string(part.partition("\n")[2], policy=email.policy.default)
            for part in text.split("\nFrom ")[1:]]


def mail_comes(server, name, words):
    """Wait for a mail whose subject has these words."""
    def found():
        return [m for m in mails(server, name) if words in (m["Subject"] or "")]
    return wait_for(found, 30, f"mail \"{words}\" for {name}:\n{server.mailbox(name)[-3000:]}")[0]


@contextlib.contextmanager
def postfix():
    """Its sendmail(1) stands in the place of the machine's own, as far as this test sees."""
    def prepare(server):
        host = server.host
        host.desk = Desk(host)
        host.desk.contact("alice", CONTACT)
        host.desk.sendmail_of(server)
        host.write_conf({"notify": {**host.desk.settings(), "admin": ADMIN, "customer": "file",
                                    "customer_file": host.desk.dir / "contacts"}})
    with mta.hooked(mta.Postfix, DOMAINS, prepare=prepare) as server:
        yield server


def test_a_suspension_by_hand_reaches_everybody(server):
    host, desk = server.host, server.host.desk
    done = host.cli("suspend", "alice", "--for", "30m", "--reason", "spam\x1b[31m from a form")
    equal(done.returncode, 0, f"exit of suspend ({done.stderr})")
    notice = desk.comes("alice", "suspended")
    equal((notice["by_hand"], notice["simulated"]), (True, False), "by hand, simulated")
    equal(notice["until"] - notice["since"], 1800, "length")
    true("\x1b" not in json.dumps(notice, ensure_ascii=False), "a control byte came through")
    fact = next(f for f in lines(desk.ran) if f["input"] == notice)
    equal((fact["env"]["SMTPLIMIT_KIND"], fact["env"]["SMTPLIMIT_ACCOUNT"]), ("suspended", "alice"), "facts")
    equal(fact["env"]["SMTPLIMIT_UNTIL"], str(notice["until"]), "until")
    equal((fact["uid"], set(fact["groups"]) - {NOBODY}, int(fact["CapBnd"], 16), fact["NoNewPrivs"]),
          (NOBODY, set(), 0, "1"), "privileges of the command")


def test_the_mails_are_as_mails_of_programs_should_be(server):
    admin = mail_comes(server, "carol", "alice is suspended from sending mail until")
    customer = mail_comes(server, "bob", "is stopped until")
    for mail, to in ((admin, ADMIN), (customer, CONTACT)):
        equal(mail["To"], to, "To")
        equal(mail["Return-Path"] or "<>", "<>", "the sender")
        equal(mail["Auto-Submitted"], "auto-generated", "Auto-Submitted")
        true(mail["Message-ID"] and mail["Date"] and mail["From"], f"header: {mail.items()}")
    true("spam" in admin.get_content(), f"no reason for the administrator:\n{admin.get_content()}")
    true("spam" not in customer.get_content(), f"the reason is for the administrator alone:\n{customer.get_content()}")
    for mail in (admin, customer):
        for words in ("The two usual causes", "a script or a password".capitalize()):
            true(words in mail.get_content(), f"\"{words}\" is not in:\n{mail.get_content()}")
    equal(sorted(set(server.host.desk.sendmail_calls())), sorted([f"0 -i -f  -oem -- {ADMIN}", f"0 -i -f  -oem -- {CONTACT}"]), "calls of sendmail")


def test_nobody_is_charged_for_notices(server):
    accounts = {a["account"] for a in server.host.status()["accounts"]}
    true(not accounts & {"root", "nobody", f"domain:{HOSTNAME}"}, f"accounts: {accounts}")


def test_a_release_reaches_everybody(server):
    equal(server.host.cli("release", "alice").returncode, 0, "exit of release")
    server.host.desk.comes("alice", "released")
    mail_comes(server, "carol", "alice was released")
    mail_comes(server, "bob", "can be sent again")


def test_a_second_suspension_within_the_hour_is_kept_back(server):
    host, desk = server.host, server.host.desk
    equal(host.cli("suspend", "alice").returncode, 0, "exit of suspend")
    equal(host.cli("suspend", "bob", "--for", "2h").returncode, 0, "exit of suspend")
    desk.comes("bob", "suspended")
    equal(len(of(desk.hooked(), "alice", "suspended")), 1, "notices of alice")
    for name in ("alice", "bob"):
        equal(host.cli("release", name).returncode, 0, "exit of release")


def test_a_template_of_the_administrator(server):
    """One that cannot be used is named in the log, and the default text is sent."""
    host = server.host
    directory = host.conf.with_suffix(".d")
    directory.mkdir(exist_ok=True)
    (directory / "suspended.txt").write_text("Subject: Übel: {account}\n\nBis {until}, {length}.\n", "utf-8")
    (directory / "released.txt").write_text("Subject: free\n\n{account}\n{acount}\n", "utf-8")
    host.daemon.send_signal(1)
    wait_for(lambda: "settings read again" in host.log(), 10, "the reload")
    true("released.txt:4: no placeholder has the name \"acount\"; the default text is used" in host.log(),
         f"the log:\n{host.log()[-2000:]}")
    equal(host.cli("suspend", "carol", "--for", "3h").returncode, 0, "exit of suspend")
    mail = mail_comes(server, "carol", "Übel: carol")
    true("3 hours." in mail.get_content(), f"the text:\n{mail.get_content()}")
    equal(host.cli("release", "carol").returncode, 0, "exit of release")
    mail_comes(server, "carol", "carol was released")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), postfix())
