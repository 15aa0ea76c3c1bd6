# SPDX-License-Identifier: GPL-2.0-only
"""When probes come while a TLS session is under way, what they could not see is unknown, what
follows is exact, and nothing is misread. And: who is suspended is cut inside TLS as in plain text.

Which session a TLS object belongs to shows when the program reads: so the first command that is
written with probes in place is not seen yet, its reply is.
"""
# SECONDS: 60
import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
import tls_script  # noqa: E402
from host import PYTHON, REMOTE4  # noqa: E402
from ktap import equal, true  # noqa: E402
from tls_script import Client, Watch  # noqa: E402

SERVER = tls_script.SERVER
# What a misread body or reply would be counted for.
EVIL = ("MAIL FROM:<me@evil.test>", "RCPT TO:<you@evil.test>", "DATA", "x", "250 ok", "354 go on",
        "550 5.7.1 no", "QUIT", "RSET", "EHLO evil.test", "..", "BDAT 5 LAST")
ASKS = 65536 // 24      # that the ring of questions to the prober holds (headers/tls.h), each with its head
CONNECTS = """
import socket, sys
for _ in range(int(sys.argv[2])):
    socket.create_connection((sys.argv[1], 25), 20).close()
"""
_uids = iter(range(21000, 22000))


class Late:
    """A session whose probes come when come() says so. Then: what must be counted."""

    def __init__(self, host, kind, **where):
        self.host, self.uid, self.kind = host, next(_uids), kind
        self.watch, self.client = Watch(host), Client(host)
        self.stopped = contextlib.ExitStack()
        self.stopped.enter_context(tls_script.prober_stopped(host))
        with contextlib.ExitStack() as undo:
            undo.callback(self.stopped.close)
            self.session = self.client.open(self.uid, kind, probed=False, **where)
            undo.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped.close()

    def come(self):
        self.stopped.close()
        self.client.probed()

    def following(self, count=2):
        """Messages after the boundary: counted as the server does."""
        for n in range(count):
            self.session.message(f"me@next{n}.test", [scenes.fresh(act)[0] for act in ("", "r550", "r451")])
        self.session.quit()

    def check(self, unknown, **stats):
        """Of what went before only so many attempts are known to have been made."""
        expected = self.host.tally()
        if (self.uid, "before.test") in expected.cells:
            del expected.cells[self.uid, "before.test"]
        expected.bump(self.uid, "", "unknown", unknown)
        self.watch.counted(expected, self.uid)
        self.watch.stats_are(tls_sessions=1, **stats)
        equal([key for key in self.host.counts() if key[1] == "evil.test"], [], "misread")


def kinds_and_ports():
    return [(kind, port) for kind in tls_script.PROBED for port in (25, 465)]


def test_after_mail(host):
    for kind, port in kinds_and_ports():
        with Late(host, kind, port=port) as late:
            late.session.talk("MAIL FROM:<me@before.test>")
            late.come()
            for rcpt in scenes.fresh("", 2):
                late.session.talk(f"RCPT TO:<{rcpt}>")
            late.session.talk("DATA", 354)
            late.session.say("Subject: x", "", *EVIL, ".")
            late.session.expect(250)
            late.following()
            late.check(1, tls_late=1)


def test_in_the_middle_of_a_body(host):
    """How many recipients the message had nobody saw: one attempt is unknown."""
    for kind, port in kinds_and_ports():
        for body in (EVIL, EVIL[:1], ("250 ok",), ("RSET",), ("one line",)):
            with Late(host, kind, port=port) as late:
                late.session.talk("MAIL FROM:<me@before.test>")
                late.session.talk(f"RCPT TO:<{scenes.fresh()[0]}>")
                late.session.talk("DATA", 354)
                late.session.say("Subject: x", "", "first half")
                late.come()
                for line in body:
                    late.session.say(line)
                late.session.talk(".")
                late.following()
                late.check(1, tls_late=1)


def test_before_the_reply_to_the_last_dot(host):
    for kind in tls_script.PROBED:
        with Late(host, kind) as late:
            late.session.talk("MAIL FROM:<me@before.test>")
            late.session.talk(f"RCPT TO:<{scenes.fresh()[0]}>")
            late.session.talk("DATA", 354)
            late.session.say("hello", ".")
            late.come()
            late.session.expect(250)
            late.following()
            late.check(1, tls_late=1)


def test_before_mail(host):
    """Between EHLO and MAIL, whose reply says nothing of what it answers."""
    for kind, port in kinds_and_ports():
        with Late(host, kind, port=port) as late:
            late.come()
            late.session.message("me@before.test", scenes.fresh("", 3))
            late.following()
            late.check(3, tls_late=1)


def test_before_ehlo(host):
    """Said once more: what is known from there on is all that matters."""
    for kind, port in kinds_and_ports():
        with Late(host, kind, port=port) as late:
            late.come()
            late.session.talk(late.session.ehlo())
            late.following()
            late.check(0)


def test_between_two_messages(host):
    for kind, port in kinds_and_ports():
        with Late(host, kind, port=port) as late:
            late.session.message("me@before.test", scenes.fresh("", 2))
            late.come()
            late.session.message("me@before.test", scenes.fresh("", 3))
            late.following()
            late.check(3, tls_late=1)


def test_before_reset(host):
    for kind in tls_script.PROBED:
        with Late(host, kind) as late:
            late.session.talk("MAIL FROM:<me@before.test>")
            late.session.talk(f"RCPT TO:<{scenes.fresh()[0]}>")
            late.come()
            late.session.talk("RSET")
            late.following()
            late.check(1, tls_late=1)


def test_never_again_in_step(host):
    """The session ends with the message that was under way."""
    for kind in tls_script.PROBED:
        with Late(host, kind) as late:
            late.session.talk("MAIL FROM:<me@before.test>")
            late.come()
            late.session.talk(f"RCPT TO:<{scenes.fresh('r550')[0]}>", 550)
            late.session.talk(f"RCPT TO:<{scenes.fresh()[0]}>")
            late.session.talk("DATA", 354)
            late.session.say("hello", ".")
            late.session.expect(250)
            late.session.quit()
            late.check(1, tls_late=1)


def test_process_that_is_not_probed_at_all(host):
    """Over before the probes could come: opaque."""
    with Late(host, "openssl") as late:
        late.session.message("me@before.test", scenes.fresh())
        late.session.quit()
        expected = host.tally()
        del expected.cells[late.uid, "before.test"]
        expected.bump(late.uid, "", "opaque")
        late.watch.counted(expected, late.uid)
        late.watch.stats_are(tls_opaque=1)


def test_suspended_is_cut_inside_tls(host):
    """By the failures in its own sessions: others of the same uid are cut, those of another go on."""
    for kind in tls_script.PROBED:
        client, bad, good = Client(host), next(_uids), next(_uids)
        cut = [client.open(bad, kind, port=port) for port in (25, 465)]
        other = client.open(good, kind)
        for session in (*cut, other):
            session.talk("MAIL FROM:<me@one.test>")
        failing = client.open(bad, kind)
        fail(failing)
        account = scenes.is_suspended(host, bad)
        for session in cut:
            equal(session.do("hangup"), ["reset"], "end of the connection")
            equal(session.reply(), ["error"], "what the program reads")
        arrived = [s["bytes"] for s in scenes.arrivals(host, bad)]
        other.talk(f"RCPT TO:<{scenes.fresh()[0]}>")
        other.quit()
        scenes.is_not_suspended(host, good)
        equal([s["bytes"] for s in scenes.arrivals(host, bad)], arrived, "bytes that still arrived")
        refused(host, bad, account)


def fail(session):
    session.talk("MAIL FROM:<me@one.test>")
    for rcpt in scenes.fresh("r550", 5):
        session.talk(f"RCPT TO:<{rcpt}>", 550)


def refused(host, uid, account):
    """New connections get the text, in clear before STARTTLS can be."""
    sent = clients.curl(host, uid, "me@one.test", scenes.fresh(), more=("--ssl-reqd", "--insecure"))
    true("550 5.7.1 Domain" in sent.text and account["until"] in sent.text, f"no text: {sent.text}")


def test_by_hand_in_a_late_session(host):
    with Late(host, "openssl") as late:
        late.session.talk("MAIL FROM:<me@before.test>")
        late.come()
        late.session.talk(f"RCPT TO:<{scenes.fresh()[0]}>")
        equal(host.cli("suspend", f"uid:{late.uid}").returncode, 0, "exit of suspend")
        equal(late.session.do("hangup"), ["reset"], "end of the connection")


def test_questions_that_find_no_room(host):
    watch = Watch(host)
    with tls_script.prober_stopped(host):
        done = host.run_as(next(_uids), [PYTHON, "-c", CONNECTS, REMOTE4, str(ASKS + 100)])
        equal((done.returncode, done.stderr), (0, ""), "exit of the client")
        watch.stats_are(tls_unasked=100)


def test_switched_off_with_a_session_open(host):
    """Nobody reads the rest of it: what was counted stays, and the session is opaque."""
    watch, client, uid = Watch(host), Client(host), next(_uids)
    session = client.open(uid)
    session.message("me@seen.test", scenes.fresh(""))
    watch.counted(host.tally(), uid)
    expected = host.tally()
    host.stop()
    host.write_conf({"watch": {"tls": "off"}})
    host.start()
    session.message("me@unseen.test", scenes.fresh())
    session.quit()
    expected.bump(uid, "", "opaque")
    watch.counted(expected, uid)
    host.stop()
    host.write_conf({"watch": {"tls": "process"}})
    host.start()


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running(server=SERVER))
