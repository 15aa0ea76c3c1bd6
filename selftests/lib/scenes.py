# SPDX-License-Identifier: GPL-2.0-only
"""What most tests do with a Host: users that send well or badly, and what to expect of their account."""
import calendar
import contextlib
import itertools
import json
import re
import sqlite3
import time

import clients
from compare import account_name
from host import Host
from ktap import equal, true
from system import wait_for

_serial = itertools.count(1)


@contextlib.contextmanager
def running(options=None, prepare=None, **more):
    """A Host whose daemon runs, and with which prepare() has done what all tests start from."""
    with Host(options, **more) as host:
        host.start()
        if prepare:
            prepare(host)
        yield host


def fresh(act="", count=1):
    """Recipients that nobody has written to, all answered by `act`."""
    return [f"{act}{'-' if act else ''}n{next(_serial)}@far.test" for _ in range(count)]


def mail(host, uid, acts, sender="user@one.test", **more):
    """One session with a message to one fresh recipient per act; the job's result."""
    rcpts = [fresh(act)[0] for act in acts]
    return clients.send(host, uid, sender, rcpts, **more)


def good(host, uid, count, **more):
    return mail(host, uid, [""] * count, **more)


def bad(host, uid, count, **more):
    return mail(host, uid, ["r550.5.1.1"] * count, **more)


def _part_is(part, host, uid, want, timeout):
    """Wait until a part of the account in status has these figures; the account."""
    name = uid if isinstance(uid, str) else account_name(uid)
    seen = {}

    def shown():
        account = host.account(name)
        seen["last"] = account and {key: account[part][key] for key in want}
        return account if seen["last"] == want else None
    try:
        return wait_for(shown, timeout)
    except TimeoutError:
        raise AssertionError(f"{part} of {name}: got {seen['last']}, want {want}") from None


def window_is(host, uid, delivered=0, deferred=0, failed=0, timeout=15):
    """Wait until the account's window shows exactly these mails; the account."""
    want = {"delivered": delivered, "deferred": deferred, "failed": failed}
    return _part_is("window", host, uid, want, timeout)


def total_is(host, uid, delivered=0, deferred=0, failed=0, timeout=15):
    """The same for its totals, in attempts."""
    want = {"delivered": delivered, "deferred": deferred, "failed": failed}
    return _part_is("total", host, uid, want, timeout)


def kernel_suspension(host, uid):
    """The suspension that the kernel enforces against a uid now, or None."""
    entry = host.map("smtpl_uids").get(uid)
    suspension = entry and entry["suspension"]
    now = time.clock_gettime(time.CLOCK_BOOTTIME) * 1e9
    return suspension if suspension and suspension["until_ns"] > now else None


def is_suspended(host, uid, timeout=15):
    """Wait for the suspension; the account in status."""
    name = account_name(uid)
    wait_for(lambda: kernel_suspension(host, uid), timeout, f"{name} to be suspended")
    return wait_for(lambda: (a := host.account(name)) and a["suspended"] and a, timeout,
                    f"status to show {name} as suspended")


def is_not_suspended(host, uid):
    name = account_name(uid)
    equal(kernel_suspension(host, uid), None, f"suspension of {name} in the kernel")
    account = host.account(name)
    true(not account or not account["suspended"], f"{name} is suspended in status")


def suspend(host, uid, failures=5, **more):
    """Have the rule suspend an account; its status."""
    bad(host, uid, failures, **more)
    return is_suspended(host, uid)


def timeless(text):
    """A refusal without how long it lasts, which must be what its time says, of this moment."""
    def check(match):
        left = iso(match[1]) - time.time()
        unit = {"minute": 60, "hour": 3600, "day": 86400}[match[3]]
        true(abs(int(match[2]) * unit - left) <= unit + 5, f"{match[0]}: it is {left:.0f} s")
        return match[1]
    return re.sub(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) \(in (\d+) (minute|hour|day)s?\)", check, text)


def refusal(account, domain="one.test", bad_=5, least=5, percent=100):
    """The text of DESIGN's section 5 for an account in status, as timeless() leaves it; by hand, if that is why."""
    if not account["reason"].startswith("deferred and failed mails "):
        told = f" {account['reason']}." if account["told"] else ""
        return (f"550 5.7.1 Domain {domain} is not allowed to send mail at present.{told} Message discarded. "
                f"Sending is possible again at {account['until']}.")
    return (f"550 5.7.1 Domain {domain} has exceeded the max defers and failures per hour "
            f"({bad_}/{least} ({percent}%)) allowed. Message discarded. Sending is possible again "
            f"at {account['until']}.")


def is_refused(result, text, peer=None):
    """A mailer's result: turned away at MAIL by the text, seeing the peer that it asked for."""
    equal(result["error"], None, f"errno (replies: {result['replies']})")
    refused = [timeless(t) for code, t in result["replies"] if code == 550]
    equal(refused, [text], "refusal")
    if peer:
        equal(result["peer"][0].removeprefix("::ffff:"), peer, "getpeername")


def delivered(result):
    codes = [code for code, _ in result["replies"]]
    return result["error"] is None and 354 in codes and codes[codes.index(354) + 1] == 250


def is_delivered(result):
    true(delivered(result), f"not delivered: {result}")


def heartbeat(host):
    """When the daemon last renewed its heartbeat, in seconds of boot time."""
    return host.map("smtpl_meta")[0]["heartbeat_ns"] / 1e9


def looked(host, times=1):
    """Wait until the daemon has begun and finished its look at what time changes, once a second."""
    for _ in range(times + 1):
        last = heartbeat(host)
        wait_for(lambda: heartbeat(host) != last, 10, "the daemon's heartbeat")


def database(host, write=False):
    """A connection to the state database, beside the daemon's."""
    file = host.dir / "state" / "state.db"
    return contextlib.closing(sqlite3.connect(f"file:{file}?mode={'rw' if write else 'ro'}", uri=True,
                                              timeout=20, isolation_level=None))


def saved(host, query, *arguments):
    """Rows of the state database."""
    with database(host) as db:
        return db.execute(query, arguments).fetchall()


def suspension_saved(host, uid):
    """(until_ns, reason) of an account's suspension in the state database, or None."""
    rows = saved(host, "SELECT until_ns, reason FROM suspensions WHERE kind = 1 AND uid = ?", uid)
    return rows[0] if rows else None


def iso(text):
    """Seconds of an ISO 8601 time in UTC."""
    true(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text), f"not ISO 8601 in UTC: {text}")
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def arrivals(host, uid=None, address=None):
    """Connections that the server accepted of a uid, or on one of its addresses."""
    return [s for s in host.sessions() if (uid is None or s["uid"] == uid)
            and (address is None or s["address"] == address)]


def converse(host, program, uid=0, *arguments, **more):
    """A Python program in the sender's namespace that speaks with the test line by line."""
    return host.popen_as(uid, ["/usr/bin/python3", "-uc", program, *arguments], text=True,
                         stdin=-1, stdout=-1, **more)


def read_json(child):
    line = child.stdout.readline()
    true(line, "the helper program ended without a word")
    return json.loads(line)
