# SPDX-License-Identifier: GPL-2.0-only
"""A mail server on this host can look up who connected to it, and finds the user that the client
itself tells, by every way there is to connect. It looks each caller up right behind accept()."""
import json
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
from caller_map import CallerMap  # noqa: E402
from host import LIB, PYTHON, SENDER4, SENDER6, Host  # noqa: E402
from ktap import Skip, equal, true  # noqa: E402
from system import wait_for  # noqa: E402

ALICE, BOB = 20001, 20002
SUBMISSION, UNWATCHED = 587, 2525
TO = "127.0.0.1"

# Connects as often as told and says where from. kind: tcp, fastopen, mptcp, mapped.
CLIENT = """
import json, socket, sys
job = json.loads(sys.stdin.readline())
ends = []
for _ in range(job['count']):
    to = ('::ffff:' if job['kind'] == 'mapped' else '') + job['to']
    s = socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET, socket.SOCK_STREAM,
                      socket.IPPROTO_MPTCP if job['kind'] == 'mptcp' else 0)
    if job.get('source'):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(tuple(job['source']))
    if job['kind'] == 'fastopen':
        s.sendto(b'EHLO early\\r\\n', socket.MSG_FASTOPEN, (to, job['port']))
    else:
        s.connect((to, job['port']))
    end = s.getsockname()
    ends.append([end[0].removeprefix('::ffff:'), end[1]])
    f = s.makefile('rb')
    f.readline()
    if job['kind'] == 'fastopen':
        f.readline()
    if job.get('hold'):
        print(json.dumps(ends[-1]), flush=True)
        for line in sys.stdin:
            s.sendall(line.encode())
            print(f.readline().decode().strip(), flush=True)
    s.close()
print(json.dumps(ends), flush=True)
"""

# A socket made by one user and connected by another.
HANDED_OVER = """
import os, socket, sys
s = socket.socket()
os.setresuid(int(sys.argv[1]), int(sys.argv[1]), int(sys.argv[1]))
s.connect(('127.0.0.1', 25))
print(s.getsockname()[1], flush=True)
s.makefile('rb').readline()
"""

# Nobody listens there: each leaves a note, and nothing else.
FLOOD = """
import socket
for n in range(50000):
    with socket.socket() as s:
        s.connect_ex(('127.0.%d.%d' % (n % 7, 1 + n % 11), 465))
print('done', flush=True)
"""


class LocalServer:
    """caller_map.py in a namespace of the host, and what it said so far."""

    def __init__(self, host, places, netns="sender"):
        command = [PYTHON, LIB / "caller_map.py", host.pin("smtpl_callers")]
        self.child = host.popen_as(0, command + [x for place in places for x in place], netns=netns,
                                   stdout=subprocess.PIPE, text=True)
        equal(self.child.stdout.readline(), "ready\n", "the local server")
        self.said = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.child.stdout:
            self.said.append(json.loads(line))

    def wait(self, at, ends, times=1):
        """What it said last about the connections from these ends, having spoken so often of each. An end can
        have been used again: then what it said last about each connection, of a server that speaks once."""
        count = Counter(tuple(end) for end in ends)

        def seen():
            about = {}
            for said in list(self.said):
                if said["at"] == at:
                    about.setdefault(tuple(said["client"]), []).append(said)
            return all(len(about.get(end, ())) >= times * count[end] for end in count) and about
        about = wait_for(seen, 20, f"the server to tell of {len(ends)} connections")
        return [said for end in count for said in about[end][-count[end]:]]


def start_client(host, uid, to=TO, port=25, kind="tcp", count=1, **more):
    child = scenes.converse(host, CLIENT, uid, netns=more.pop("netns", "sender"))
    child.stdin.write(json.dumps({"to": to, "port": port, "kind": kind, "count": count, **more}) + "\n")
    child.stdin.flush()
    return child


def call(host, uid, **more):
    """Connect; the client's own ends, of which the server has not told before."""
    host.local_server.said.clear()
    return scenes.read_json(start_client(host, uid, **more))


def are_callers(said, uid, what):
    wrong = [s for s in said if (s["exact"], s["any"]) != (uid, uid)]
    equal(wrong[:3], [], f"{what}: {len(wrong)} of {len(said)} looked up wrongly, some")


def is_caller(host, uid, what, **more):
    ends = call(host, uid, **more)
    said = host.local_server.wait("accept", ends)
    are_callers(said, uid, what)
    return said


def speak(client, line="NOOP"):
    client.stdin.write(line + "\n")
    client.stdin.flush()
    return client.stdout.readline().strip()


def test_v4_v6_and_mapped(host):
    for to, kind in ((TO, "tcp"), (TO, "mapped"), ("::1", "tcp"), ("127.9.8.7", "tcp")):
        is_caller(host, ALICE, f"{kind} to {to}", to=to, kind=kind)
        is_caller(host, BOB, f"{kind} to {to}", to=to, kind=kind)


def test_the_hosts_own_addresses(host):
    for to in (*SENDER4, *SENDER6):
        is_caller(host, ALICE, to, to=to)


def test_from_one_of_its_addresses_to_another(host):
    is_caller(host, BOB, "a bound source", to=SENDER4[0], source=[SENDER4[1], 0])


def test_mptcp(host):
    if not Path("/proc/sys/net/mptcp").exists():
        raise Skip("no MPTCP")
    is_caller(host, ALICE, "MPTCP", kind="mptcp", port=SUBMISSION)


def test_fast_open(host):
    """The data rides on the SYN: the server can accept before the client's handshake is done."""
    host.sysctl("sender", "net.ipv4.tcp_fastopen", 0x207)
    for to in (TO, "::1"):
        said = is_caller(host, ALICE, f"fast open to {to}", to=to, kind="fastopen", count=200)
        equal({s["syn_data"] for s in said}, {True}, "data on the SYN")


def test_two_thousand_connections_at_once(host):
    """From an address each, so that no client gets an end that another has used."""
    host.local_server.said.clear()
    clients = {uid: start_client(host, uid, count=500, source=[f"127.0.2.{number}", 0])
               for number, uid in enumerate(range(ALICE, ALICE + 4), 1)}
    for uid, client in clients.items():
        said = host.local_server.wait("accept", scenes.read_json(client))
        equal(len(said), 500, "connections")
        are_callers(said, uid, "all at once")


def test_who_connects_counts_and_not_who_made_the_socket(host):
    host.local_server.said.clear()
    child = host.popen_as(0, [PYTHON, "-uc", HANDED_OVER, str(BOB)], stdout=subprocess.PIPE, text=True)
    said = host.local_server.wait("accept", [(TO, int(child.stdout.readline()))])
    are_callers(said, BOB, "a socket that root made")
    equal(said[0]["pid"], child.pid, "pid")


def test_unwatched_ports_are_not_noted(host):
    before = set(host.caller_map.keys())
    ends = call(host, ALICE, port=UNWATCHED)
    equal([s["exact"] for s in host.local_server.wait("accept", ends)], [None], "an unwatched port")
    equal(set(host.caller_map.keys()), before, "the map")


def test_the_same_end_to_two_servers(host):
    """Exact by both ends; by the client's alone it is who spoke last."""
    source = [TO, 30001]
    alice = start_client(host, ALICE, source=source, hold=True)
    scenes.read_json(alice)
    bob = start_client(host, BOB, source=source, port=SUBMISSION, hold=True)
    scenes.read_json(bob)
    turns = ((alice, ALICE), (bob, BOB), (alice, ALICE), (alice, ALICE), (bob, BOB))
    for times, (client, uid) in enumerate(turns, 1):
        speak(client)
        are_callers(host.local_server.wait("line", [source], times), uid, "who spoke last")


def test_another_network_namespace_is_another_host(host):
    host.add_netns("jail")
    jail = LocalServer(host, [(TO, 25)], netns="jail")
    source = [TO, 30002]
    inside = start_client(host, BOB, source=source, hold=True, netns="jail")
    scenes.read_json(inside)
    outside = start_client(host, ALICE, source=source, hold=True)
    scenes.read_json(outside)
    speak(inside)
    speak(outside)
    for at in ("accept", "line"):
        are_callers(jail.wait(at, [source]), BOB, "inside")
        are_callers(host.local_server.wait(at, [source]), ALICE, "outside")


def test_a_flood_pushes_out_nobody_who_speaks(host):
    """The map is bounded, and what was pushed out is there again with the next word. Which notes go is up to
    the kernel, so these are taken out by hand."""
    host.local_server.said.clear()
    alice = start_client(host, ALICE, hold=True)
    end = scenes.read_json(alice)
    said, = host.local_server.wait("accept", [end])
    noted = host.caller_map.lookup(host.cookie, end, said["server"])
    flood = scenes.converse(host, FLOOD, BOB)
    equal(flood.stdout.readline(), "done\n", "flood")
    notes = len(host.caller_map.keys())
    true(20000 < notes <= 32768, f"{notes} notes")
    for server in (said["server"], None):
        host.caller_map.forget(host.cookie, end, server)
    speak(alice)
    are_callers(host.local_server.wait("line", [end]), ALICE, "after the flood")
    equal(host.caller_map.lookup(host.cookie, end, said["server"]), noted, "the note, its time too")


def test_without_memory_it_is_who_made_the_socket(host):
    try:
        host.sysctl("sender", "net.core.optmem_max", 64)
    except RuntimeError as error:
        raise Skip(f"optmem_max is not one of the namespace's: {error}") from None
    lost = host.status()["stats"]["callers_lost"]
    said = is_caller(host, ALICE, "no memory")
    equal(said[0]["pid"], 0, "pid")
    equal(host.status()["stats"]["callers_lost"] - lost, 1, "callers_lost")
    host.sysctl("sender", "net.core.optmem_max", 131072)


def test_nothing_is_lost_or_refused(host):
    stats = host.status()["stats"]
    equal((stats["refused_connects"], stats["redirected_connects"]), (0, 0), "refused connects")
    equal(host.counts(), {}, "counts: local mail is not egress")


def test_connections_from_before_the_daemon():
    """They are known by their socket's creator, with their first words after the start."""
    with Host() as host:
        listener = scenes.converse(host, """
import socket
l = socket.create_server(('127.0.0.1', 25))
print('ready', flush=True)
s, _ = l.accept()
s.sendall(b'220 hello\\r\\n')
for line in s.makefile('rb'):
    s.sendall(line)
""")
        equal(listener.stdout.readline(), "ready\n", "the server")
        alice = start_client(host, ALICE, hold=True)
        end = scenes.read_json(alice)
        host.start()
        noted = CallerMap(host.pin("smtpl_callers"))
        cookie = cookie_of(host)
        equal(noted.lookup(cookie, end), None, "before it speaks")
        equal(speak(alice), "NOOP", "echo")
        equal(noted.lookup(cookie, end, (TO, 25))[:2], (ALICE, 0), "caller")


def test_with_local_mail_watched():
    with make({"watch": {"local": "yes"}}) as host:
        for to, kind in ((TO, "tcp"), ("::1", "tcp"), (SENDER4[0], "mapped")):
            is_caller(host, ALICE, f"{kind} to {to}", to=to, kind=kind)


def cookie_of(host):
    done = host.run_as(0, [PYTHON, "-c", f"import sys; sys.path.insert(0, {str(LIB)!r})\n"
                           "import caller_map; print(caller_map.netns_cookie())"])
    return int(done.stdout)


class make(Host):
    """A host with a mail server of its own."""

    def __enter__(self):
        super().__enter__()
        try:
            self.start()
            self.cookie = cookie_of(self)
            self.caller_map = CallerMap(self.pin("smtpl_callers"))
            self.local_server = LocalServer(self, [(address, port) for address in ("0.0.0.0", "::1", *SENDER6)
                                                   for port in (25, SUBMISSION, UNWATCHED)])
        except BaseException:
            self.close()
            raise
        return self


if __name__ == "__main__":
    functions = ktap.tests(globals())
    alone = [test_connections_from_before_the_daemon, test_with_local_mail_watched]
    ktap.main([f for f in functions if f not in alone], make(), alone)
