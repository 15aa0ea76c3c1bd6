# SPDX-License-Identifier: GPL-2.0-only
"""Ways of sending that escape tools which watch less than every packet are counted exactly, and
refused while their user is suspended."""
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import REMOTE4, REMOTE6  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

FIRST_UID = 20001
BYSTANDER, OWNER = 20090, 20091

FORK = """
import os, socket, sys, time
s = socket.create_connection((sys.argv[1], 25))
f = s.makefile('rb')
def ask(line):
    s.sendall(line.encode() + b'\\r\\n')
    return reply()
def reply():
    while (line := f.readline())[3:4] == b'-': pass
    print(line.decode().strip(), flush=True)
    return int(line[:3] or 0)
reply()
# Each command comes from another process; the first is long dead at the end.
for line in ['EHLO u%d.test' % os.getuid(), 'MAIL FROM:<user@fork.test>',
             'RCPT TO:<r550.5.1.1-a@far.test>', 'RCPT TO:<b@far.test>', 'DATA', 'x\\r\\n.', 'QUIT']:
    if os.fork():
        os.wait()
        sys.exit(0)
    ask(line)
"""

URGENT = """
import os, socket, sys
s = socket.create_connection((sys.argv[1], 25))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
f = s.makefile('rb')
def reply():
    while f.readline()[3:4] == b'-': pass
reply()
for line in b'EHLO u%d.test' % os.getuid(), b'MAIL FROM:<user@one.test>':
    s.sendall(line + b'\\r\\n')
    reply()
s.sendall(b'RC')
s.send(b'!', socket.MSG_OOB)
s.sendall(b'PT TO:<r550-a@far.test>\\r\\n')
print('sent')
reply()
"""


def counted_and_refused(host, uid, send, text_shown=True):
    """send(rcpts) is some client of uid, which returns all that it was told: first two outcomes are
    counted, then the account is suspended and nothing arrives."""
    acts = ["r550.5.1.1", ""]
    send([scenes.fresh(act)[0] for act in acts])
    equal({o: host.tally().total(uid)[o] for o in ("failed", "delivered")},
          {"failed": 1, "delivered": 1}, "the server's tally")
    compare.map_equals(host, host.tally())
    account = scenes.suspend(host, uid, 4)
    arrived = len(scenes.arrivals(host, uid))
    told = scenes.timeless(str(send(scenes.fresh("", 1))))
    equal(len(scenes.arrivals(host, uid)), arrived, "connections that reached the server")
    text = scenes.refusal(account, domain="", bad_=5, percent=83).partition("Domain ")[2][1:]
    if text_shown:
        true(text in told, f"no refusal in: {told}")
    scenes.is_delivered(scenes.good(host, BYSTANDER, 1))


def by_mailer(host, uid, **more):
    return lambda rcpts: clients.send(host, uid, "user@one.test", rcpts, **more)


def test_one_byte_a_packet(host):
    counted_and_refused(host, FIRST_UID, by_mailer(host, FIRST_UID, how="bytes"))


def test_one_byte_a_packet_v6(host):
    uid = FIRST_UID + 1
    counted_and_refused(host, uid, by_mailer(host, uid, how="bytes", to=REMOTE6))


def test_v4_through_a_v6_socket(host):
    uid = FIRST_UID + 2
    counted_and_refused(host, uid, by_mailer(host, uid, socket="mapped"))


def test_tcp_fast_open(host):
    for netns in ("sender", "remote"):
        # client, server, both without a cookie: the data rides on the first SYN
        host.sysctl(netns, "net.ipv4.tcp_fastopen", 0x207)
    for uid, to in ((FIRST_UID + 3, REMOTE4), (FIRST_UID + 4, REMOTE6)):
        counted_and_refused(host, uid, by_mailer(host, uid, socket="fastopen", to=to),
                            text_shown=False)


def test_mptcp(host):
    uid = FIRST_UID + 5
    counted_and_refused(host, uid, by_mailer(host, uid, socket="mptcp"))


def test_io_uring(host):
    for uid, to in ((FIRST_UID + 6, REMOTE4), (FIRST_UID + 7, REMOTE6)):
        counted_and_refused(host, uid,
                            lambda rcpts, u=uid, t=to: clients.uring(host, u, "user@one.test", rcpts, t))


def test_a_new_process_for_every_command(host):
    uid = FIRST_UID + 8
    program = ["/usr/bin/python3", "-c", FORK, REMOTE4]
    done = host.run_as(uid, program)
    true("221" in done.stdout, f"the dialogue: {done.stdout}{done.stderr}")
    compare.map_equals(host, host.tally())
    equal(host.tally().total(uid)["failed"], 1, "failed")
    scenes.suspend(host, uid, 4)
    arrived = len(scenes.arrivals(host, uid))
    done = host.run_as(uid, program)
    true("550 5.7.1 Domain fork.test has exceeded" in done.stdout, f"no refusal: {done.stdout}")
    equal(len(scenes.arrivals(host, uid)), arrived, "connections that reached the server")


def test_setuid_wrapper(host):
    """A program with another user's s-bit still sends as who called it."""
    uid = FIRST_UID + 9
    wrapper = host.dir / "curl"
    shutil.copy("/usr/bin/curl", wrapper)
    shutil.chown(wrapper, OWNER, OWNER)
    wrapper.chmod(0o4755)

    def send(rcpts):
        command = [wrapper, "-sSv", f"smtp://{REMOTE4}/u{uid}.test", "--mail-from", "user@one.test",
                   "--mail-rcpt-allowfails", "--upload-file", "-"]
        for rcpt in rcpts:
            command += ["--mail-rcpt", rcpt]
        done = host.run_as(uid, command, "Subject: test\r\n\r\nhello\r\n")
        return done.stdout + done.stderr

    counted_and_refused(host, uid, send)
    scenes.is_delivered(scenes.good(host, OWNER, 1))
    equal(host.tally().total(OWNER)["connections"], 1, "connections of the program's owner")


def test_urgent_data(host):
    """A server reads "RC!PT" without the urgent byte, so that is not to get there."""
    uid = FIRST_UID + 13
    client = scenes.converse(host, URGENT, uid, REMOTE4)
    equal(client.stdout.readline(), "sent\n", "the client")
    wait_for(lambda: host.status()["stats"]["urgent_packets"] > 1, 10, "urgent data to be seen twice")
    heard = [s["bytes"] for s in scenes.arrivals(host, uid)]
    equal(heard, [len(f"EHLO u{uid}.test\r\nMAIL FROM:<user@one.test>\r\nRC")], "bytes that arrived")
    equal(host.tally().total(uid)["failed"], 0, "failed")


def test_replies_in_any_cut(host):
    """The server's replies byte by byte, in many lines, late."""
    for uid, how in enumerate(("lockstep", "pipeline", "bytes"), FIRST_UID + 10):
        scenes.mail(host, uid, ["r550.5.1.1x5", "r451w20", "", "r452w5x3"], to="198.51.100.50", how=how)
        total = host.tally().total(uid)
        equal({o: total[o] for o in ("failed", "deferred", "delivered")},
              {"failed": 1, "deferred": 2, "delivered": 1}, "the server's tally")
    compare.map_equals(host, host.tally())


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()),
              scenes.running(server={"special": {"198.51.100.50": {"chop": True}}}))
