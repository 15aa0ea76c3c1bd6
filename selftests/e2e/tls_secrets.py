# SPDX-License-Identifier: GPL-2.0-only
"""No password and nothing of a message reaches userspace, in plain text or inside TLS: planted
secrets are searched for in everything that can be read. They are in AUTH, headers and bodies, in
the middle of a session and after it; pieces of them are searched for. Addresses and reply texts
must be found, or the search is none."""
# SECONDS: 130
import base64
import itertools
import os
import secrets
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import reach  # noqa: E402
import scenes  # noqa: E402
import tls_script  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402
from tls_script import Client, Watch  # noqa: E402

SERVER = tls_script.SERVER
OPTIONS = {"limit": {"mode": "observe"}}
PIECE = 8           # so much of a secret in one place is a leak
TRANSPORTS = [(None, 25)] + [(kind, port) for kind in tls_script.PROBED for port in (25, 465)]
_uids = itertools.count(21000)


class Secrets:
    """Strings that nobody may ever see again."""

    def __init__(self):
        self.all = []

    def new(self, size=24):
        text = secrets.token_hex(size // 2)
        self.all.append(text)
        return text

    def encoded(self, text):
        """In base64, as AUTH has it."""
        line = base64.b64encode(text.encode()).decode()
        self.all.append(line.rstrip("="))
        return line

    def pieces(self):
        return {text[i:i + PIECE].lower().encode() for text in self.all
                for i in range(0, len(text) - PIECE + 1, PIECE)}

    def leaks(self, places):
        """Where something of them is."""
        return sorted(f"{place}: {piece}" for place, piece in reach.search(places, self.pieces()))


PLANTED = Secrets()


def nothing_leaks(host, session=None):
    """What is kept of a session in clear is not asked for: its packets are on the wire for all to see."""
    pids = [session.client.pid] if session and session.object else []
    equal(PLANTED.leaks(reach.everything(host, *pids)), [], "secrets found")


def auth(session, mechanism):
    """Up to before the last line of AUTH, which is returned."""
    user, password = PLANTED.new(), PLANTED.new()
    if mechanism == "PLAIN":
        return f"AUTH PLAIN {PLANTED.encoded(chr(0).join(('', user, password)))}"
    session.talk(f"AUTH {mechanism}", 334)
    session.talk(PLANTED.encoded(user), 334)
    digest = f"{user} {secrets.token_hex(16)}" if mechanism == "CRAM-MD5" else password
    return PLANTED.encoded(digest)


def body_lines():
    """Headers, long lines, what looks like commands and replies."""
    secret = [PLANTED.new() for _ in range(10)]
    return [f"Subject: {secret[0]}", "X-Long: " + "x" * 1500 + secret[1] + "x" * 1500 + secret[2], "",
            secret[3], f"MAIL FROM:<{secret[4]}@{secret[5]}.test>", f"RCPT TO:<{secret[6]}@far.test>",
            "DATA", f"250 {secret[7]}", f"550 5.1.1 {secret[8]}", f"..{secret[9]}"]


def opened(host, kind, port, options=()):
    uid = next(_uids)
    client = Client(host)
    if kind:
        return client.open(uid, kind, options, port=port)
    session = client.session(uid, port=port)
    session.expect(220)
    session.talk(session.ehlo())
    return session


def message_but_end(session, control, acts=("r550", "")):
    """Up to the middle of the last line of the body: what completes it is returned."""
    session.talk(f"MAIL FROM:<me@{control}.test>")
    for act in acts:
        [rcpt] = scenes.fresh(act)
        session.talk(f"RCPT TO:<{rcpt.replace('@', f'.{control}@')}>", tls_script.code_of(rcpt))
    session.talk("DATA", 354)
    for line in body_lines():
        session.say(line)
    last = PLANTED.new(40)
    session.do("say", last[:20])
    return last[20:]


def whole_session(host, kind, port, mechanism, control, options=()):
    session = opened(host, kind, port, options)
    line = auth(session, mechanism)
    session.do("say", line[:-6])        # the line is not whole, and everything is searched
    nothing_leaks(host, session)
    session.talk(line[-6:], 235)
    rest = message_but_end(session, control)
    nothing_leaks(host, session)
    session.talk(rest + "\\n.")
    session.quit()
    session.client.end()


def test_nothing_of_a_session(host):
    for n, (kind, port) in enumerate(TRANSPORTS):
        mechanism = ("PLAIN", "LOGIN", "CRAM-MD5")[n % 3]
        whole_session(host, kind, port, mechanism, host.control)
    nothing_leaks(host)


def test_nothing_of_lines_in_pieces(host):
    for kind in tls_script.PROBED:
        whole_session(host, kind, 465, "LOGIN", host.control, ("piece 7", "chunk 3"))
    nothing_leaks(host)


def stop_prober(host, number):
    os.kill(tls_script.prober(host), number)


def test_nothing_of_a_session_seen_from_the_middle_on(host):
    """The probes come between two lines of AUTH, and in the middle of a body."""
    for kind, part in itertools.product(tls_script.PROBED, ("auth", "body")):
        client = Client(host)
        stop_prober(host, signal.SIGSTOP)
        try:
            session = client.open(next(_uids), kind, probed=False)
            line = auth(session, "LOGIN")
            if part == "body":
                session.talk(line, 235)
                rest = message_but_end(session, host.control)
        finally:
            stop_prober(host, signal.SIGCONT)
        client.probed()
        if part == "auth":
            session.talk(line, 235)
            nothing_leaks(host, session)
            rest = message_but_end(session, host.control)
        for text in body_lines():
            session.say(rest + text)
            rest = ""
        nothing_leaks(host, session)
        session.talk(".")
        session.quit()
    nothing_leaks(host)


def test_nothing_of_a_session_out_of_step(host):
    """More commands at once than can be paired with their replies."""
    for kind, port in TRANSPORTS[:4]:
        watch = Watch(host)
        session = opened(host, kind, port)
        session.say(*["NOOP"] * 2000)
        for _ in range(20):
            session.expect(*[250] * 100)
        line = auth(session, "LOGIN")
        session.talk(line, 235)
        rest = message_but_end(session, host.control)
        nothing_leaks(host, session)
        session.talk(rest + "\\n.")
        session.quit()
        unknown = sum(row.get("unknown", 0) for row in watch.cells(session.uid).values())
        true(unknown > 0, "the session is in step")
    nothing_leaks(host)


def test_the_search_finds_what_is_there(host):
    """Addresses, domains and the texts of replies, in each place where they belong."""
    wait_for(lambda: host.control.encode() in b"".join(reach.files(host).values()), 15,
             "the database to be written")
    places = reach.everything(host)
    for where, text in (("map smtpl_counts", host.control), ("map smtpl_events", host.control),
                        ("map smtpl_events", "as asked"), ("state/", host.control),
                        ("memory of smtplimit", host.control), ("output of -j status", host.control)):
        found = [p for p, content in places.items() if p.startswith(where) and text.encode() in content]
        true(found, f"{text} is not in {where}")


def test_the_search_finds_a_secret(host):
    """A secret where an address may be is one that everybody sees: in a session under way, and later."""
    shown = Secrets()
    session = opened(host, "openssl", 25)
    session.talk(f"MAIL FROM:<me@{shown.new()}.test>")
    session.talk(f"RCPT TO:<{shown.new()}@far.test>")
    leaks = shown.leaks(reach.everything(host, session.client.pid))
    for place in ("map smtpl_events", "map smtpl_tls:"):
        true([leak for leak in leaks if leak.startswith(place)], f"nothing in {place}: {leaks}")
    session.talk("DATA", 354)
    session.talk(".")
    session.quit()


def prepare(host):
    host.control = secrets.token_hex(10)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running(OPTIONS, prepare, server=SERVER))
