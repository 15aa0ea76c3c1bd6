# SPDX-License-Identifier: GPL-2.0-only
"""A suspended user gets the text that says why, or an error at once where there can be no text; his
open sessions are cut, and nobody else notices."""
import errno
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import REMOTE4, REMOTE6, SENDER4, SENDER6  # noqa: E402
from ktap import equal, true  # noqa: E402

MALLORY, BOB, LATE, PASSER, RECEIVER = 20001, 20002, 20003, 20004, 20005
RELAY = 38      # `list`: a system user made a relay by the configuration

# Prints "open" after EHLO, then what the next recv says; asked to, it sends a mail.
READER = """
import json, socket, sys, time
s = socket.create_connection((sys.argv[1], 25))
f = s.makefile('rb')
f.readline()
s.sendall(b'EHLO u%s.test\\r\\n' % sys.argv[2].encode())
while f.readline()[3:4] == b'-': pass
print('"open"')
try:
    line = s.recv(100)
    print(json.dumps([0, line.decode()]))
except OSError as e:
    print(json.dumps([e.errno, time.clock_gettime(time.CLOCK_BOOTTIME)]))
"""

# As root: one child becomes uid A and connects, the other becomes uid B and gets the descriptor.
PASSING = """
import array, json, os, socket, sys
to, a, b = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
if os.fork() == 0:
    os.setresuid(a, a, a)
    s = socket.create_connection((to, 25))
    s.recv(1000)
    s.sendall(b'EHLO u%d.test\\r\\n' % a)
    s.recv(1000)
    socket.send_fds(near, [b'x'], [s.fileno()])
    os._exit(0)
os.wait()
os.setresuid(b, b, b)
s = socket.socket(fileno=socket.recv_fds(far, 1, 1)[1][0])
s.settimeout(5)
print('"open"')
for line in sys.stdin:
    try:
        s.sendall(line.strip().encode() + b'\\r\\n')
        print(json.dumps([0, s.recv(1000).decode()]))
    except OSError as e:
        print(json.dumps([e.errno or 110, '']))
"""


def prepare(host):
    scenes.good(host, BOB, 1)
    host.mallory = scenes.suspend(host, MALLORY)
    host.text = scenes.refusal(host.mallory)


def refused_silently(host, uid, error=errno.ECONNREFUSED, **more):
    equal(scenes.good(host, uid, 1, **more)["error"], error, f"errno of connect {more}")


def test_text_over_v4_v6_and_mapped(host):
    arrived = len(scenes.arrivals(host, MALLORY))
    for more in ({"to": REMOTE4}, {"to": REMOTE6}, {"to": REMOTE4, "socket": "mapped"},
                 {"to": "198.51.100.9"}, {"to": "2001:db8:1::9"}, {"to": REMOTE4, "port": 587}):
        for how in ("lockstep", "pipeline", "bytes"):
            result = scenes.good(host, MALLORY, 1, how=how, **more)
            equal([c for c, t in result["replies"] if scenes.timeless(t) == host.text][:1], [550], f"{more} {how}")
            equal(result["peer"][0].removeprefix("::ffff:"), more["to"], "getpeername")
            equal(result["peer"][1], more.get("port", 25), "getpeername's port")
        scenes.is_delivered(scenes.good(host, BOB, 1, **more))
    equal(len(scenes.arrivals(host, MALLORY)), arrived, "connections that reached the server")


def test_text_names_the_domain_of_the_mail(host):
    result = scenes.good(host, MALLORY, 1, sender="x@Other.Test")
    scenes.is_refused(result, scenes.refusal(host.mallory, "other.test"))


def test_real_clients_show_the_text(host):
    rcpts = ["bob@far.test"]
    for name in ("smtplib", "swaks", "curl", "phpmailer", "php_socket", "uring"):
        sent = getattr(clients, name)(host, MALLORY, "user@one.test", rcpts)
        true(host.text in scenes.timeless(sent.text), f"{name} does not show the text: {sent.text}")
        true(not sent.ok, f"{name} takes the refusal for success")
        sent = getattr(clients, name)(host, BOB, "user@one.test", rcpts)
        true(sent.ok, f"{name} as another user: {sent.text}")


def test_bound_source_address(host):
    for to, source in ((REMOTE4, SENDER4[1]), (REMOTE6, SENDER6[1])):
        scenes.is_refused(scenes.good(host, MALLORY, 1, to=to, source=source), host.text, to)
        scenes.is_delivered(scenes.good(host, BOB, 1, to=to, source=source))


def test_bound_device(host):
    for to in (REMOTE4, REMOTE6):
        refused_silently(host, MALLORY, to=to, device="eth0")
        scenes.is_delivered(scenes.good(host, BOB, 1, to=to, device="eth0"))


def test_port_465(host):
    refused_silently(host, MALLORY, port=465)
    # Nothing listens there: another user gets the same, but from the server.
    before = host.status()["stats"]["refused_connects"]
    equal(scenes.good(host, BOB, 1, port=465)["error"], errno.ECONNREFUSED, "errno of connect")
    equal(host.status()["stats"]["refused_connects"], before, "refused_connects")


def test_other_network_namespace(host):
    host.add_netns("own")
    host.ip("own", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1", "netns", "remote")
    host.ip("own", "addr", "add", "192.0.2.2/24", "dev", "eth0")
    host.ip("remote", "addr", "add", "192.0.2.1/24", "dev", "eth1")
    for netns, device in (("own", "eth0"), ("remote", "eth1")):
        host.ip(netns, "link", "set", device, "up")
    for uid, error in ((MALLORY, errno.ECONNREFUSED), (BOB, None)):
        job = {"to": "192.0.2.1", "uid": uid,
               "messages": [{"sender": "user@one.test", "rcpts": ["bob@far.test"]}]}
        result = clients.jobs(host, uid, [job], netns="own")[0]
        equal(result["error"], error, f"errno of uid {uid}")
    scenes.is_delivered(result)


def test_other_ports_are_left_alone(host):
    scenes.is_delivered(scenes.good(host, MALLORY, 1, port=2525))


def test_open_session_is_destroyed(host):
    """Within a second: of one of two, as the machine may stand still for so long."""
    for to, first in ((REMOTE4, LATE), (REMOTE6, LATE + 100)):
        took = []
        for uid in (first, first + 50):
            readers = [scenes.converse(host, READER, u, to, str(u)) for u in (uid, BOB)]
            equal([scenes.read_json(r) for r in readers], ["open", "open"], "sessions")
            scenes.suspend(host, uid)
            since = scenes.kernel_suspension(host, uid)["since_ns"] / 1e9
            error, when = scenes.read_json(readers[0])
            true(error in (errno.ECONNABORTED, errno.ECONNRESET), f"recv said {error}, {when}")
            took.append(when - since)
            equal(readers[1].poll(), None, "exit of another user's blocked recv")
            readers[1].kill()
        true(min(took) < 1, f"recv returned only {took} s after the verdict")


def test_passed_descriptor_is_cut(host):
    child = scenes.converse(host, PASSING, 0, REMOTE4, str(PASSER), str(RECEIVER))
    equal(scenes.read_json(child), "open", "session")
    child.stdin.write("NOOP\n")
    child.stdin.flush()
    equal(scenes.read_json(child), [0, "250 ok\r\n"], "before the suspension")
    own = scenes.arrivals(host, PASSER)[-1]
    scenes.suspend(host, PASSER)
    child.stdin.write("NOOP\n")
    child.stdin.flush()
    true(scenes.read_json(child)[0] != 0, "the passed descriptor still works")
    now = [s for s in scenes.arrivals(host, PASSER) if s["opened"] == own["opened"]]
    equal([s["bytes"] for s in now], [own["bytes"]], "bytes that reached the server")
    scenes.is_not_suspended(host, RECEIVER)
    scenes.is_delivered(scenes.good(host, RECEIVER, 1))


def test_root_and_relays_are_never_refused(host):
    for uid, name in ((0, "root"), (RELAY, "list")):
        scenes.bad(host, uid, 10, sender=f"x@{name}.test")
        done = host.cli("suspend", name)
        equal(done.returncode, 1, f"exit of suspend {name}")
        true(len(done.stderr.splitlines()) == 1, f"not one line: {done.stderr!r}")
        scenes.is_delivered(scenes.good(host, uid, 1, sender=f"x@{name}.test"))
    equal(host.cli("suspend", f"uid:{BOB + 50}").returncode, 0, "exit of suspend for a user")
    scenes.is_suspended(host, BOB + 50)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()),
              scenes.running({"watch": {"relay_users": "list"}}, prepare))
