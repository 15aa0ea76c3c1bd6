# SPDX-License-Identifier: GPL-2.0-only
"""A sender who uses ever more domains is kept within a bound and still judged; the process that
speaks with senders has no rights, and shares no memory to write to."""
import contextlib
import os
import re
import signal
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import clients  # noqa: E402
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import TREE, bpftool  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

ALICE, RELAY = 20001, 38
RELAYED = {"watch": {"relay_users": "list"}}
RESPONDER = "smtpl-responder"


def limit(name):
    """A number of headers/limits.h."""
    text = (TREE / "headers" / "limits.h").read_text(encoding="ascii")
    word = re.search(rf"^#define {name}\s+(.*)$", text, re.MULTILINE)[1]
    if word.isdigit():
        return int(word)
    of, by = re.fullmatch(r"\((\w+) / (\d+)\)", word).groups()
    return limit(of) // int(by)


def pretend_domains(host, uid, count):
    """Let the kernel believe that a uid has this many domains in smtpl_counts."""
    row = {**host.counts()[uid, ""], "domains": count}
    key = struct.pack("=I", uid).ljust(4 + limit("SMTPL_DOMAIN_SIZE"), b"\0")
    value = struct.pack(f"={len(row)}Q", *row.values())
    bpftool("map", "update", "pinned", host.pin("smtpl_counts"), "key", "hex", *key.hex(" ").split(),
            "value", "hex", *value.hex(" ").split())
    equal(host.counts()[uid, ""], row, "the entry of the uid")


def test_domains_of_a_relay_are_bounded():
    with running(RELAYED) as host:
        most = limit("SMTPL_DOMAINS_PER_RELAY")
        true(most <= limit("SMTPL_COUNTS_MAX") // 2, f"one relay may fill the map: {most}")
        scenes.good(host, RELAY, 1, sender="a@known.test")
        pretend_domains(host, RELAY, most - 1)
        scenes.bad(host, RELAY, 2, sender="a@last.test")
        scenes.bad(host, RELAY, 3, sender="a@over.test")
        scenes.bad(host, RELAY, 1, sender="a@known.test")
        tally = host.tally()
        tally.cells[RELAY, ""]["failed"] += tally.cells.pop((RELAY, "over.test"))["failed"]
        compare.map_equals(host, tally)
        equal(host.counts()[RELAY, ""]["domains"], most, "domains of the relay")
        compare.stats_are(host, domains_over=3, counts_full=0)
        scenes.suspend(host, ALICE, sender="a@over.test")
        compare.stats_are(host, domains_over=3, counts_full=0)
        scenes.window_is(host, "domain:last.test", failed=2)
        scenes.window_is(host, "domain:known.test", delivered=1, failed=1)


def many_domains(host, uid, names, act):
    """One mail of each domain."""
    messages = [{"sender": f"user@{name}.test", "rcpts": scenes.fresh(act)} for name in names]
    clients.jobs(host, uid, [{"to": "203.0.113.1", "uid": uid, "how": "pipeline",
                              "messages": messages}])


def test_direct_sender_with_many_domains_is_judged_over_all():
    most, over = limit("SMTPL_DOMAINS_PER_UID"), 8
    half = (most + over) // 2
    with running() as host:
        names = [f"d{n}" for n in range(2 * half)]
        many_domains(host, ALICE, names[:half], "")
        many_domains(host, ALICE, names[half:-1], "r550")
        scenes.window_is(host, ALICE, delivered=half, failed=half - 1)
        scenes.looked(host)
        scenes.is_not_suspended(host, ALICE)
        equal(host.counts()[ALICE, ""]["domains"], most, "domains")
        equal(host.counts()[ALICE, ""]["failed"], over - 1, "failed without a domain of its own")
        compare.stats_are(host, domains_over=over - 1, counts_full=0)
        many_domains(host, ALICE, names[-1:], "r550")
        scenes.is_suspended(host, ALICE)
        equal(scenes.kernel_suspension(host, ALICE)["bad"], half, "failures at the verdict")


def responder(host):
    """The pid of the daemon's child that speaks with senders, or None."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            text = status.read_text(encoding="utf-8", errors="replace")
            if (text.startswith(f"Name:\t{RESPONDER}\n")
                    and f"\nPPid:\t{host.daemon.pid}\n" in text and "\nState:\tZ" not in text):
                return int(status.parent.name)
    return None


def has_nothing(pid):
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="ascii").splitlines()
    true(len(maps) > 10, f"not the maps of a process: {maps}")
    equal([m for m in maps if m.split()[1][1] == "w" and m.split()[1][3] == "s"], [],
          "writable shared mappings")
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    sets = dict(re.findall(r"^(Cap\w+):\t(\w+)$", status, re.MULTILINE))
    equal(sets, dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16),
          "capabilities")


def test_responder_has_nothing():
    """Neither the first one nor the one that follows when it died."""
    with running() as host:
        daemon = Path(f"/proc/{host.daemon.pid}/maps").read_text(encoding="ascii")
        true("rw-s" in daemon, "the daemon itself shares nothing: nothing is tested here")
        scenes.suspend(host, ALICE)
        first = responder(host)
        has_nothing(first)
        os.kill(first, signal.SIGKILL)
        second = wait_for(lambda: (pid := responder(host)) not in (None, first) and pid, 20,
                          "the next responder")
        wait_for(lambda: not scenes.good(host, ALICE, 1)["error"], 10, "its text")
        has_nothing(second)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
