# SPDX-License-Identifier: GPL-2.0-only
"""TLS is seen under load: fifty sessions in one event loop, twenty short processes a second, and
whoever sends behind a customer with files that take long to look into. And in a process that any
forbidden system call would kill."""
# ALONE: it counts what is seen of processes that begin and end by the clock
import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import probe_scenes  # noqa: E402
import scenes  # noqa: E402
import tls_script  # noqa: E402
from host import LIB, PYTHON, REMOTE4, REMOTE6, Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from probe_scenes import Held, is_idle, probed  # noqa: E402
from system import wait_for, within  # noqa: E402
from tls_script import Client, Watch  # noqa: E402

OPTIONS = {"limit": {"mode": "observe"}}
LOOP, STRICT = 21000, 21100
CUSTOMERS = 21200, 8    # the first; probes are put into so many processes of one of them a second
A_SECOND, SECONDS = 20, 6
COUNT = A_SECOND * SECONDS
LATE_S = 0.05
SLOW = ("SSL_read", "SSL_read_ex", "SSL_write", "SSL_write_ex", "SSL_write_ex2", "gnutls_record_recv",
        "gnutls_record_recv_seq", "gnutls_record_send", "gnutls_record_send2",
        "gnutls_record_send_range", "gnutls_record_uncork")
_numbers = itertools.count()
LOADS = """
import ctypes, glob, os
libraries = [ctypes.CDLL(name) for name in glob.glob(os.environ["LD_LIBRARY_PATH"] + "/*.so")]
"""


def server(greeting_ms):
    return {**tls_script.SERVER, "greeting_ms": greeting_ms}


def loop(host, uid, sessions, messages, to):
    done = host.run_as(uid, [PYTHON, LIB / "event_loop.py", to, uid, sessions, messages])
    equal((done.returncode, done.stderr), (0, ""), "exit of the event loop")


def nothing_stays(host):
    """Probes of processes that have ended are gone."""
    def left():
        """Those on a file that only senders of mail map are for all, and stay."""
        return [p.name for p in host.pin("").glob("link_tls_[0-9]*")]
    wait_for(lambda: not left(), 20, "the probes to be taken away")
    wait_for(lambda: not host.map("smtpl_tls_pids"), 20, "the processes to be forgotten")
    wait_for(lambda: not host.map("smtpl_tls_state")[0]["processes"], 20, "processes with probes: 0")


def test_fifty_sessions_in_an_event_loop(host):
    for n, to in enumerate((REMOTE4, REMOTE6)):
        watch = Watch(host)
        loop(host, LOOP + 10 * n, 50, 4, to)
        watch.exact(LOOP + 10 * n, tls_sessions=50)
    nothing_stays(host)


def short_life(uid, kind):
    """What a process does that lives for one message."""
    lines = [f"connect 0 {REMOTE4} 587", "reply 0", "say 0 EHLO clear.test\\n", "reply 0",
             "say 0 STARTTLS\\n", "reply 0", f"begin 0 {kind}", "finish 0"]
    for command in (f"EHLO u{uid}.test", "MAIL FROM:<me@short.test>", f"RCPT TO:<{scenes.fresh()[0]}>",
                    "DATA", "hello\\n.", "QUIT"):
        lines += [f"say 0 {command}\\n", "reply 0"]
    return "\n".join(lines) + "\n"


def deliver(host, customers):
    """So many a second, begun by the clock; how many it were, and how late the latest was begun. Each must
    have been taken by the server."""
    children, late_s = [], 0
    begun = time.monotonic()
    for n in range(COUNT):
        time.sleep(max(0, begun + n / A_SECOND - time.monotonic()))
        late_s = max(late_s, time.monotonic() - begun - n / A_SECOND)
        uid = customers[n % len(customers)]
        child = host.popen_as(uid, [tls_script.program()], text=True, stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL)
        child.stdin.write(short_life(uid, tls_script.PROBED[n % 3]))
        child.stdin.close()
        children.append(child)
    rate = (COUNT - 1) / (time.monotonic() - begun)
    equal([child.wait(60) for child in children], [0] * COUNT, "exit of the clients")
    equal(host.tally().total()["delivered"], COUNT, "the server's tally")
    ktap.diagnose(f"{COUNT} deliveries, {rate:.1f} a second, the latest begun {late_s * 1000:.0f} ms late")
    return rate, late_s


def deliveries(host, judge):
    """judge(Watch, uids): of these deliveries. Where some were begun late all is done again, twice at most: the
    machine may have stood still."""
    first, each = CUSTOMERS
    for turn in range(3):
        host.ask_server("reset")
        watch, customers = Watch(host), range(first + turn * each, first + (turn + 1) * each)
        rate, late_s = deliver(host, customers)
        try:
            true(rate > A_SECOND * 0.8, "this machine cannot begin processes so fast")
            return judge(watch, customers)
        except (AssertionError, TimeoutError):
            if turn == 2 or late_s < LATE_S:
                raise


def test_short_processes_and_a_greeting_after_100_ms(host):
    def judge(watch, customers):
        ktap.diagnose(f"greeting after 100 ms: {json.dumps(watch.added())}")
        watch.exact(*customers, tls_sessions=COUNT)
    deliveries(host, judge)
    nothing_stays(host)


def test_a_strict_filter_of_system_calls(host):
    """Loaded when the probes are there; they are hit under it. The same for each library."""
    for n, kind in enumerate(tls_script.PROBED):
        watch, client, uid = Watch(host), Client(host), STRICT + n
        session = client.open(uid, kind)
        client.ask("seccomp")
        for turn in range(3):
            session.message(f"me@strict{turn}.test", [scenes.fresh(act)[0] for act in ("", "r550")])
        session.talk("QUIT", 221)
        client.end()
        equal(client.child.returncode, 0, "exit of the client")
        watch.exact(uid, tls_sessions=1)


def test_the_filter_is_strict(host):
    """Any other call kills: so what was counted was counted by no call of the program's."""
    client = Client(host)
    session = client.open(STRICT + 10)
    client.ask("seccomp")
    client.start(f"close {session.number}")
    true(client.child.wait(20) < 0, "the client lives")


def test_short_processes_and_no_wait():
    """How many are seen is what it is; who is not seen is opaque, or late, and never counted wrong."""
    with Host(OPTIONS, server=server(0)) as host:
        host.start()
        deliveries(host, accounted_for)
        nothing_stays(host)


def accounted_for(watch, customers):
    def total(*fields):
        return sum(row.get(field, 0) for row in watch.cells(*customers).values() for field in fields)
    wait_for(lambda: total("delivered", "unknown", "opaque") == COUNT, 10, f"all {COUNT} to be accounted for")
    equal(total("connections"), COUNT, "connections")
    equal(total("deferred", "failed"), 0, "outcomes that were none")
    seen = total("delivered")
    ktap.diagnose(f"no wait for the greeting: {seen} of {COUNT} seen ({100 * seen / COUNT:.0f} %); "
                  f"{json.dumps(watch.added())}")


def slow_libraries(host, count):
    """Directory of files that take long to look into: a lot of code, all of it functions of TLS."""
    where = host.dir / f"slow{next(_numbers)}"
    where.mkdir(mode=0o755)
    parts = [f"part{n}" for n in range(7)]
    jumps = "".join(f"jne {part}\n" for part in parts)
    (where / "slow.s").write_text("".join(
        [f".globl {name}\n.type {name},@function\n{name}: {jumps} .skip 65000, 0x90\nret\n"
         f".size {name}, .-{name}\n" for name in SLOW] +
        [f"{part}: .cfi_startproc\n.skip 65000, 0x90\njmp {part}\n.cfi_endproc\n"
         for part in parts]))
    subprocess.run(["gcc", "-shared", "-nostdlib", "-o", where / "0.so", where / "slow.s"],
                   check=True)
    for n in range(1, count):
        shutil.copy(where / "0.so", where / f"{n}.so")
    return where


def test_files_that_take_long():
    """One customer's do not keep the others waiting."""
    def slow():
        where = slow_libraries(host, 15)
        stack.enter_context(Held(host, text=LOADS + probe_scenes.PLAIN, library=where))

    def other():
        with Held(host, "tls") as client:
            probed(host, client.pid)
    with probe_scenes.fixture("multi") as host, contextlib.ExitStack() as stack:
        slow()
        within(4, other, between=slow)
        stack.close()
        is_idle(host)


if __name__ == "__main__":
    alone = [test_short_processes_and_no_wait, test_files_that_take_long]
    ktap.main([f for f in ktap.tests(globals()) if f not in alone],
              scenes.running(OPTIONS, server=server(100)), alone)
