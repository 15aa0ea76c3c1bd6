# SPDX-License-Identifier: GPL-2.0-only
"""What is sent within TLS is charged to the session that it belongs to, however a program uses its
TLS library. Every session has a uid of its own here, so that what is charged to another one shows.
Counts equal the server's tally."""
# SECONDS: 70
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
import tls_script  # noqa: E402
from host import REMOTE4, REMOTE6  # noqa: E402
from ktap import equal, true  # noqa: E402
from tls_script import Client, Watch, round_robin  # noqa: E402

TOGETHER = "198.51.100.7"       # replies to what came along leave in one record
LATER = "198.51.100.8"          # the greeting does not come along with the end of the handshake
SERVER = {**tls_script.SERVER,
          "special": {TOGETHER: {"together": True}, LATER: {"greeting": "220w200"}}}
MIX = ("", "r550", "r451", "")
BODY = 3_000_000

_uids = iter(range(21000, 22000))


def uids(count):
    return [next(_uids) for _ in range(count)]


def mixed(tag, acts=MIX):
    """A sender of its own domain, and recipients with every outcome."""
    return f"me@{tag}.test", [scenes.fresh(act)[0] for act in acts]


def test_blocking_one_connection(host):
    watch, count = Watch(host), 0
    for kind, options in (("openssl", ()), ("openssl", ("ex",)), ("memory", ()), ("gnutls", ())):
        for where in ({}, {"port": 465}, {"to": REMOTE6, "port": 587}):
            [uid] = uids(1)
            client = Client(host, uid)
            session = client.open(uid, kind, options, **where)
            session.message(*mixed("first"))
            session.message(*mixed("second", ("e552", "")))
            session.quit()
            client.end()
            count += 1
            watch.exact(uid, tls_sessions=count)


def test_sessions_interleaved_in_one_thread(host):
    for kind in tls_script.PROBED:
        watch, client, own = Watch(host), Client(host), uids(6)
        sessions = [client.open(uid, kind, port=(25, 465)[n % 2]) for n, uid in enumerate(own)]
        for turn in range(2):
            round_robin(s.steps(*mixed(f"turn{turn}", MIX[n % 3:])) for n, s in enumerate(sessions))
        for session in sessions:
            session.quit()
        watch.exact(*own, tls_sessions=6)


def test_threads_with_their_own_sessions(host):
    watch, client, own = Watch(host), Client(host), uids(4)
    first = client.open(own[0])     # the probes are there
    commands, codes = {}, {}
    for thread, uid in enumerate(own, 1):
        commands[thread], codes[thread] = thread_script(thread, uid, tls_script.PROBED[thread % 3])
    for step in range(max(map(len, commands.values()))):
        for thread, script in commands.items():
            if step < len(script):
                client.start(script[step], thread)
    for thread, script in commands.items():
        got = [client.finish(command, thread) for command in script]
        replies = [a for a, c in zip(got, script) if c.startswith("reply")]
        equal(replies, codes[thread], f"replies of thread {thread}")
    first.quit()
    watch.exact(*own, tls_sessions=9)


def thread_script(thread, uid, kind):
    """Two sessions one after the other; (commands, replies)."""
    commands, codes = [], []

    def talk(line, *want):
        commands.append(f"say {thread + 50} {line}\\n")
        expect(*want)

    def expect(*want):
        commands.append(f"reply {thread + 50} {len(want)}")
        codes.append(list(map(str, want)))

    for turn in range(2):
        commands += [f"connect {thread + 50} {REMOTE4} 465 {uid}", f"begin {thread + 50} {kind}",
                     f"finish {thread + 50}"]
        expect(220)
        talk(f"EHLO u{uid}.test", 250)
        for n in range(3):
            talk(f"MAIL FROM:<me@t{turn}{n}.test>", 250)
            talk(f"RCPT TO:<{scenes.fresh('')[0]}>", 250)
            talk(f"RCPT TO:<{scenes.fresh('r550')[0]}>", 550)
            talk("DATA", 354)
            talk("Subject: x\\n\\nhello\\n.", 250)
        talk("QUIT", 221)
        commands.append(f"close {thread + 50}")
    return commands, codes


def big_body(session, sender, stalled):
    """More than fits between the two: by DATA, or by BDAT while the server looks away."""
    if not stalled:
        session.talk(f"MAIL FROM:<{sender}>")
        session.talk(f"RCPT TO:<{scenes.fresh()[0]}>")
        session.talk("DATA", 354)
        session.do("fill", BODY, "\\n.\\n")
        return session.expect(250)
    session.say(f"MAIL FROM:<{sender}>", f"RCPT TO:<{scenes.fresh('r250w1000')[0]}>",
                f"BDAT {BODY} LAST")
    session.do("fill", BODY, "")
    return session.expect(250, 250, 250)


def test_non_blocking_and_tried_again(host):
    host.sysctl("remote", "net.ipv4.tcp_rmem", "4096 4096 4096")    # the window stays small
    ways = [("openssl", ()), ("openssl", ("partial",)), ("openssl", ("moving",)),
            ("openssl", ("ex", "partial", "moving")), ("gnutls", ()), ("gnutls", ("null",))]
    for kind, options in ways:
        watch, client, own = Watch(host), Client(host), uids(2)
        for uid, stalled in zip(own, (False, True)):
            session = client.session(uid)
            client.probed()
            session.greet()
            session.set("sndbuf 4608", "nonblock")
            session.tls(kind, options)
            session.hello()
            big_body(session, "me@big.test", stalled)
            session.message(*mixed("behind"))
            reads, writes = map(int, session.do("tries"))
            true(reads > 0 and (writes > 0 or not stalled),
                 f"{kind} {options}: {reads} {writes} tries repeated")
            session.quit()
        watch.exact(*own, tls_sessions=2)


def test_replies_from_what_was_read_before(host):
    for kind in tls_script.PROBED:
        for chunk in (1, 7, 4096):
            watch, client, own = Watch(host), Client(host), uids(2)
            sessions = [client.open(uid, kind, (f"chunk {chunk}",), to=TOGETHER, port=465)
                        for uid in own]
            for turn in range(2):
                for session in sessions:
                    session.pipeline(*mixed(f"turn{turn}"), end="RSET")
            for session in sessions:
                session.quit()
            watch.exact(*own, tls_sessions=2)


def test_commands_in_pieces(host):
    for kind, options in (("openssl", ()), ("openssl", ("ex",)), ("gnutls", ())):
        watch, client, [uid] = Watch(host), Client(host), uids(1)
        session = client.open(uid, kind, (*options, "piece 5"))
        session.message(*mixed("pieces"))
        session.pipeline(*mixed("pieces"))
        session.quit()
        watch.exact(uid, tls_sessions=1)


def test_objects_at_the_same_address(host):
    """Freed and made anew: for the same kind of session, for one that is no SMTP, and back. The
    sockets of before are still open."""
    for kind in ("openssl", "memory"):
        watch, client, own = Watch(host), Client(host), uids(3)
        first = client.open(own[0], kind)
        first.message(*mixed("a"))
        first.talk("MAIL FROM:<me@begun.test>")
        first.talk("RCPT TO:<never@far.test>")
        first.do("free")
        for uid, port in ((own[1], 25), (0, 443), (own[2], 465)):
            session = client.session(uid, port=port)
            session.greet()
            session.tls(kind, at=first.object)
            equal(session.object, first.object, "address of the next object")
            session.hello()
            session.message(*mixed(f"p{port}"))
            session.talk("MAIL FROM:<me@begun.test>")
            session.do("free")
        client.end()
        true(host.tally().cells.get((None, "p443.test")), "the other server heard nothing")
        watch.exact(*own, tls_sessions=3)


def test_memory_bios_beside_other_tls(host):
    """An event loop: connections to another server, whose plaintext looks the same."""
    watch, client, own = Watch(host), Client(host), uids(4)
    sessions = []
    for n, uid in enumerate(own):
        sessions.append(client.open(uid, "memory", port=(25, 465)[n % 2]))
        sessions.append(client.open(0, "memory", port=443))
    for turn in range(2):
        round_robin(s.steps(*mixed(f"m{turn}", MIX[n % 3:])) for n, s in enumerate(sessions))
    for session in sessions:
        session.quit()
    equal(list(watch.cells(0)), [], "counted for who spoke to the other server")
    watch.exact(*own, tls_sessions=4)


def crosswise(sessions, lines, code):
    """Each says its line, then all sockets are read, then the objects get what was read."""
    for session, line in zip(sessions, lines):
        if line:
            session.say(line)
    for session in sessions:
        session.do("pull")
    for session in sessions:
        session.expect(code)


def read_before_fed(host, ports, since):
    """Sockets are read first, all of them, and their objects fed then; from the handshake on, or from
    the first plaintext on."""
    watch, client, own = Watch(host), Client(host), uids(len(ports))
    sessions = [client.session(uid, LATER, port) for uid, port in zip(own, ports)]
    client.probed()
    for session in sessions:
        session.greet()
        session.set("tls12")
        session.begin("memory")
        if since == "plaintext":
            session.do("finish")
    if since == "handshake":
        for session in sessions:
            session.do("pull")
        for session in sessions:
            session.do("finish")
    if sessions[0].implicit:
        crosswise(sessions, [None] * len(sessions), 220)
    crosswise(sessions, [s.ehlo() for s in sessions], 250)
    for n, session in enumerate(sessions):
        session.message(*mixed(f"own{n}", MIX[n:]))
    for line, code in (("MAIL FROM:<me@cross.test>", 250), ("RCPT TO:<x@far.test>", 250),
                       ("DATA", 354)):
        crosswise(sessions, [line] * len(sessions), code)
    for session in sessions:
        session.say("hello", ".")
        session.expect(250)
        session.quit()
    return watch, own


def none_charged_to_another(host, watch, own):
    """Each session is exact, or unbound and opaque, or late: then its attempts are unknown."""
    states = []
    for uid in own:
        scenes.wait_for(lambda uid=uid: state_of(host, watch, uid), 10, f"uid {uid} to be settled")
        states.append(state_of(host, watch, uid))
    ktap.diagnose(f"sockets read before their objects are fed: {states}")
    return states


def state_of(host, watch, uid):
    got = watch.cells(uid)
    want = tls_script.nonzero({k: v for k, v in host.tally().cells.items() if k[0] == uid})
    if got == want:
        return "exact"
    if got == {(uid, ""): {"connections": 1, "opaque": 1}}:
        return "unbound"
    late = {f for row in got.values() for f in row} == {"connections", "unknown"}
    return "unknown" if late else None


def test_memory_bios_read_before_fed(host):
    for ports in ((25, 25), (465, 465), (25, 25, 25)):
        for since in ("handshake", "plaintext"):
            watch, own = read_before_fed(host, ports, since)
            none_charged_to_another(host, watch, own)


def test_memory_bios_read_before_fed_beside_other_tls(host):
    for ports in ((443, 465), (465, 443)):
        for since in ("handshake", "plaintext"):
            watch, own = read_before_fed(host, ports, since)
            smtp = [uid for uid, port in zip(own, ports) if port != 443]
            none_charged_to_another(host, watch, smtp)
            equal(watch.cells(*set(own) - set(smtp)), {}, "counted for who spoke to another server")


def test_the_child_speaks_tls(host):
    for kind in tls_script.PROBED:
        watch, client, own = Watch(host), Client(host), uids(2)
        own_session = client.open(own[1], kind)
        session = client.session(own[0])
        child = client.fork()
        session.greet()
        session.tls(kind)       # its reads say who is to get probes
        client.probed(child)
        session.hello()
        session.message(*mixed("child"))
        session.quit()
        client.exit()
        session.close()
        own_session.message(*mixed("parent"))
        own_session.quit()
        watch.exact(*own, tls_sessions=2)


def test_the_child_goes_on_with_the_session(host):
    for kind in tls_script.PROBED:
        watch, client, own = Watch(host), Client(host), uids(2)
        session, other = [client.open(uid, kind) for uid in own]
        session.message(*mixed("parent"))
        child = client.fork()
        client.probed(child)
        session.message(*mixed("child"))
        session.quit()
        client.exit()
        other.message(*mixed("other"))
        other.quit()
        session.close()
        watch.exact(*own, tls_sessions=2)


def test_the_descriptor_is_passed(host):
    for kind in tls_script.PROBED:
        watch, giver, taker, [uid] = Watch(host), Client(host), Client(host), uids(1)
        session, path = giver.session(uid), tls_script.passing_path(host)
        taker.start(f"take 0 {path}")
        scenes.wait_for(path.exists, 10, "the socket between the two")
        session.do("give", path)
        taker.finish("take")
        session.close()
        session.client, session.number = taker, 0
        session.greet()
        session.tls(kind)
        taker.probed()
        session.hello()
        session.message(*mixed("passed"))
        session.quit()
        watch.exact(uid, tls_sessions=1)


def test_gnutls_corked(host):
    for options in ((), ("waits",), ("nonblock", "sndbuf 4608")):
        watch, client, [uid] = Watch(host), Client(host), uids(1)
        session = client.open(uid, "gnutls", options)
        for n in range(2):
            session.do("cork")
            session.say("MAIL FROM:<me@cork.test>")
            session.say("RCPT TO:<a@far.test>", "RCPT TO:<r550-b@far.test>")
            session.say("DATA")
            session.do("uncork")
            session.expect(250, 250, 550, 354)
            session.do("cork")
            session.do("fill", 200_000 * n, "\\n.\\n")
            session.say("NOOP")
            session.do("uncork")
            session.expect(250, 250)
        session.quit()
        watch.exact(uid, tls_sessions=1)


def test_many_messages_in_a_session(host):
    for kind in tls_script.PROBED:
        watch, client, [uid] = Watch(host), Client(host), uids(1)
        session = client.open(uid, kind)
        for n in range(5):
            session.message(*mixed(f"n{n}"))
            session.talk("RSET")
            session.talk(f"MAIL FROM:<me@n{n}.test>")   # a callout
            session.talk(f"RCPT TO:<{scenes.fresh()[0]}>")
            session.talk("RSET")
            session.message("", scenes.fresh())         # the null sender
        session.quit()
        watch.exact(uid, tls_sessions=1)


def test_reset_behind_the_last_reply(host):
    """What the program reads counts; what it leaves unread nobody knows."""
    for kind in tls_script.PROBED:
        watch, client, own = Watch(host), Client(host), uids(2)
        for uid in own:
            session = client.open(uid, kind)
            session.message(*mixed("whole"))
            session.talk("MAIL FROM:<me@last.test>")
            session.talk(f"RCPT TO:<{scenes.fresh('ebye250')[0]}>")
            session.talk("DATA", 354)
            session.say("hello", ".")
            equal(session.do("hangup"), ["reset"], "end")
            if uid == own[0]:
                session.expect(250)
            session.close()
        expected = host.tally()
        equal(expected.cells[own[1], "last.test"]["delivered"], 1, "delivered, as the server sees it")
        expected.bump(own[1], "last.test", "delivered", -1)
        expected.bump(own[1], "last.test", "unknown")
        watch.counted(expected, *own)
        watch.stats_are(tls_sessions=2)


def test_lost_connections(host):
    """Before the final dot: deferred; behind it: unknown."""
    for kind in tls_script.PROBED:
        for act, codes in (("rdrop", ()), ("rrst", ()), ("edrop", (250, 354)), ("erst", (250, 354))):
            watch, client, [uid] = Watch(host), Client(host), uids(1)
            session = client.open(uid, kind)
            session.talk("MAIL FROM:<me@lost.test>")
            session.say(f"RCPT TO:<{scenes.fresh(act)[0]}>")
            if codes:
                session.expect(250)
                session.talk("DATA", 354)
                session.say("hello", ".")
            true(session.reply()[0] in ("end", "error"), "the connection is still there")
            session.close()
            cells = host.tally().cells[uid, "lost.test"]
            equal(cells["unknown" if codes else "deferred"], 1, "the server's tally")
            watch.exact(uid, tls_sessions=1)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), scenes.running({"limit": {"mode": "observe"}}, server=SERVER))
