# SPDX-License-Identifier: GPL-2.0-only
"""Every mail client in the clear, with STARTTLS and with TLS from the first byte: what the kernel counts
for it is what the server tallied, recipient by recipient. A client that brings TLS without symbols is
opaque: counted for its account, never as outcomes. Prints the table of selftests/README.md."""
import contextlib
import itertools
from concurrent.futures import ThreadPoolExecutor

import compare
import ktap
import probe_scenes
from clients_tls import CLIENTS, OPAQUE, PORTS
from host import Host
from ktap import equal, true
from mta_tree import USERS, add_users

FIELDS = compare.FIELDS + ("opaque",)
AT_ONCE = 4     # clients run beside each other; more might not be scheduled within the greeting's delay
GREETING_MS = 500


class Case:
    """A client on a transport, with a uid of its own."""

    def __init__(self, client, transport, uid):
        self.client, self.transport, self.uid = client, transport, uid
        self.mix = client.mix(uid)
        self.problem = None
        self.text = ""

    def __str__(self):
        return f"{self.client.name}, {self.transport}"

    def run(self, host):
        if self.problem:
            return
        try:
            done = self.client.send(host, self.uid, self.transport, self.mix.messages)
            self.text = "".join(d.stdout + d.stderr for d in done)[-3000:]
        except Exception as problem:    # told where the case is judged
            self.problem = problem

    def opaque(self):
        return self.transport != "plain" and not self.client.seen


def cases(host):
    """All that shall be sent, each by a user of its own."""
    uids, names = itertools.count(21000), iter(USERS.values())
    made = []
    for client in CLIENTS:
        of_client = [Case(client, transport, next(names if client.named else uids))
                     for transport in PORTS]
        try:
            client.make(host)
        except Exception as problem:
            for case in of_client:
                case.problem = problem
        made += of_client
    return made


@contextlib.contextmanager
def sent(mode):
    """A Host with which all clients have sent their mail, and the kernel has counted it."""
    server = {"tls": True, "tls_inside": True, "greeting_ms": GREETING_MS,
              "special": {OPAQUE: {"greeting": "220w100", "tls_inside": False}}}
    options = {"limit": {"min_failures": 1000000, **compare.tally.ALONE}, "watch": {"tls": mode}}
    with Host(options, server=server) as host:
        if mode == "library":
            probe_scenes.hide_libraries(host)
        add_users(host)
        host.cases = cases(host)
        host.start()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda case: case.run(host), host.cases))
        host.seen = host.tally()
        with contextlib.suppress(AssertionError):
            compare.map_equals(host, host.seen, FIELDS)
        host.counted = host.counts()
        yield host


def rows_of(uid, cells):
    return {domain: {f: row[f] for f in FIELDS if row[f]} for (owner, domain), row in cells.items()
            if owner == uid and any(row[f] for f in FIELDS)}


def told(host, case):
    """What the server was asked to do became of the recipients."""
    if case.opaque():
        equal([e for e in host.seen.log if e["uid"] == case.uid], [], f"{case}: tallied in spite of TLS")
        true(host.seen.total(case.uid)["opaque"] > 0, f"{case}: no session\n{case.text}")
        return
    got = sorted((e["sender"], e["recipient"], e["outcome"]) for e in host.seen.log
                 if e["uid"] == case.uid)
    equal(got, sorted(case.mix.outcomes), f"{case}: the server's tally\n{case.text}\n")


def judge(host, case):
    """The kernel counted what the server did."""
    lines = compare.differences(rows_of(case.uid, host.counted), rows_of(case.uid, host.seen.cells))
    true(not lines, f"{case}:\n" + "\n".join(lines))


def check(host, client):
    """All of a client's transports are looked at before the first wrong one is told."""
    problems = []
    for case in host.cases:
        if case.client is not client:
            continue
        try:
            if case.problem:
                raise case.problem
            told(host, case)
            judge(host, case)
        except AssertionError as problem:
            problems.append(str(problem))
    true(not problems, "\n".join(problems))


def checking(client):
    def test(host):
        check(host, client)
    test.__name__ = client.name
    return test


def word(host, case):
    """What the table says of a case."""
    got, want = rows_of(case.uid, host.counted), rows_of(case.uid, host.seen.cells)
    if not got:
        return "-"
    if got.keys() == {""} and got[""].get("opaque") == got[""]["connections"]:
        return "opaque"
    return "exact" if got == want else "wrong"


def test_table(host):
    ktap.diagnose(f"{'client':26}{'TLS library':24}" + "".join(f"{t:10}" for t in PORTS))
    for client in CLIENTS:
        words = [word(host, case) for case in host.cases if case.client is client]
        ktap.diagnose(f"{client.name:26}{client.library:24}" + "".join(f"{w:10}" for w in words))
    diagnose_tls(host)
    true(host.counted, "nothing was counted")


def diagnose_tls(host):
    """What to look at when sessions were not seen."""
    status = host.status()
    ktap.diagnose({name: n for name, n in status["stats"].items() if n and name.startswith("tls_")})
    ktap.diagnose({name: n for name, n in status["tls"].items() if n and name != "libraries"})


def test_sessions_in_the_statistics(host):
    """Each TLS session is one of them: read, or not."""
    mine = {case.uid: case for case in host.cases if case.transport != "plain"}
    opaque = [mine[s["uid"]].opaque() for s in host.sessions() if s["uid"] in mine]

    def got():
        stats = host.status()["stats"]
        return {name: stats[f"tls_{name}"] for name in ("sessions", "opaque", "unbound")}
    want = {"sessions": opaque.count(False), "opaque": opaque.count(True), "unbound": 0}
    compare.settle(got, want, 10, "statistics")


def test_status(host):
    compare.status_equals(host, host.seen, fields=FIELDS)


def main(mode):
    ktap.main([checking(client) for client in CLIENTS] + ktap.tests(globals()), sent(mode))
