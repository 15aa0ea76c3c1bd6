# SPDX-License-Identifier: GPL-2.0-only
"""A direct sender gets no connection where there is no memory to watch it, and no sender can fill
the ring of events alone."""
import errno
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import REMOTE4, Host  # noqa: E402
from ktap import Skip, equal, true  # noqa: E402

ALICE, BOB, RELAY, EXEMPT = 20001, 20002, 38, 20003
BATCHES, BATCH = 60, 1000   # a batch fits into what one session can have unanswered

# Takes all recipients of a batch, then refuses them all in one go.
SINK = """
import socket
with socket.create_server(('', 465)) as listener:
    print('ready', flush=True)
    s, _ = listener.accept()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
f = s.makefile('rb')
s.sendall(b'220 sink\\r\\n')
for _ in 'EHLO', 'MAIL':
    f.readline()
    s.sendall(b'250 ok\\r\\n')
for batch in range(%d):
    for _ in range(%d):
        f.readline()
    s.sendall(b'550 no\\r\\n' * %d)
f.readline()
s.sendall(b'221 bye\\r\\n')
""" % (BATCHES, BATCH, BATCH)

FLOOD = """
import socket, sys
s = socket.create_connection((sys.argv[1], 465))
f = s.makefile('rb')
f.readline()
for line in b'EHLO u', b'MAIL FROM:<user@flood.test>':
    s.sendall(line + b'\\r\\n')
    f.readline()
for batch in range(%d):
    s.sendall(b''.join(b'RCPT TO:<r%%d.%%d@far.test>\\r\\n' %% (batch, n) for n in range(%d)))
    for _ in range(%d):
        f.readline()
s.sendall(b'QUIT\\r\\n')
print(f.readline().decode().strip(), flush=True)
""" % (BATCHES, BATCH, BATCH)


def test_a_socket_without_room_for_a_session():
    """A direct sender could go uncounted, so he gets none; a mail server's mail must flow."""
    with Host({"watch": {"relay_users": "list", "exempt_users": str(EXEMPT)}}) as host:
        host.start()
        try:
            host.sysctl("sender", "net.core.optmem_max", 2000)
        except RuntimeError as error:
            raise Skip(f"optmem_max is not one of the namespace's: {error}") from None
        result = scenes.good(host, ALICE, 1)
        equal((result["error"], result["at"]), (errno.ENOBUFS, "connect"), "a direct sender")
        equal(scenes.arrivals(host, ALICE), [], "connections that reached the server")
        for uid in (RELAY, EXEMPT):
            scenes.is_delivered(scenes.good(host, uid, 1))
        compare.stats_are(host, session_nomem=3, refused_connects=1, sessions=0)
        equal(compare.map_cells(host.counts(), compare.FIELDS), {}, "counts")
        host.sysctl("sender", "net.core.optmem_max", 131072)
        scenes.is_delivered(scenes.good(host, ALICE, 1))
        compare.stats_are(host, session_nomem=3, refused_connects=1, sessions=1)


def test_one_sender_does_not_fill_the_ring():
    """Beyond his share nothing is told, all is counted; his neighbour's mail is told by recipient."""
    with Host({"limit": {"mode": "observe"}, "watch": {"ring": "16m"}}) as host:
        host.start()
        sink = scenes.converse(host, SINK, netns="remote", cgroup=False)
        equal(sink.stdout.readline(), "ready\n", "the sink")
        retried = scenes.fresh("r451")
        equal(clients.send(host, BOB, "user@one.test", retried)["replies"][3][0], 451, "the first try")
        flood = scenes.converse(host, FLOOD, ALICE, REMOTE4)
        scenes.good(host, BOB, 5)
        equal(flood.stdout.readline(), "221 bye\n", "the end of the flood")
        scenes.good(host, BOB, 5)
        scenes.window_is(host, BOB, delivered=10, deferred=1)
        scenes.window_is(host, ALICE, failed=BATCHES * BATCH, timeout=30)
        stats = host.status()["stats"]
        true(stats["events_over"] > 0, "the flood stayed within its share: send more")
        equal(stats["ring_full"] - stats["events_over"], 0, "events lost for another reason")
        row = host.counts()[ALICE, "flood.test"]
        equal({f: row[f] for f in compare.FIELDS if row[f]}, {"failed": BATCHES * BATCH}, "the map")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
