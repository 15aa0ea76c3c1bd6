# SPDX-License-Identifier: GPL-2.0-only
"""smtplimit's figures against the test server's tally, cell by cell."""
import pwd

import tally
from ktap import equal
from system import wait_for

FIELDS = ("connections",) + tally.OUTCOMES


def account_name(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid:{uid}"


def map_cells(counts, fields):
    """The map's rows without what is zero."""
    rows = {key: {f: row[f] for f in fields if row[f]} for key, row in counts.items()}
    return {key: row for key, row in rows.items() if row}


def differences(got, want):
    """One line for each key that differs."""
    lines = []
    for key in sorted(got.keys() | want.keys(), key=str):
        if got.get(key) != want.get(key):
            lines.append(f"{key}: got {got.get(key)}, want {want.get(key)}")
    return lines


def settle(got, want, timeout, what):
    """Wait until got() equals want, and say cell by cell what doesn't."""
    try:
        wait_for(lambda: got() == want, timeout)
    except TimeoutError:
        lines = differences(got(), want)
        if lines:
            raise AssertionError(f"{what}:\n" + "\n".join(lines[:60])) from None


def map_equals(host, expected, fields=FIELDS, timeout=10):
    """The pinned map holds the tally in every cell."""
    want = {key: {f: row[f] for f in fields if row[f]} for key, row in expected.cells.items()}
    want = {key: row for key, row in want.items() if row}
    settle(lambda: map_cells(host.counts(), fields), want, timeout, "smtpl_counts")


def status_equals(host, expected, window=True, fields=FIELDS, timeout=10):
    """`status -j` has the same totals, and in its windows the mails of the tally's log."""
    uids = {uid for uid, _ in expected.cells}
    want = {}
    for uid in uids:
        row = {f: expected.total(uid)[f] for f in fields}
        if window:
            row["window"] = tally.mails([e for e in expected.log if e["uid"] == uid])
        want[account_name(uid)] = row

    def got():
        rows = {}
        for account in host.status()["accounts"]:
            row = {f: account["total"][f] for f in fields}
            if window:
                row["window"] = {k: account["window"][k] for k in want_window}
            # Suspended by hand, or refused: an account without an attempt is not in the tally.
            if account["account"] in want or any(account["total"][f] for f in fields):
                rows[account["account"]] = row
        return rows

    want_window = ("delivered", "deferred", "failed")
    settle(got, want, timeout, "status")


def stats_are(host, **want):
    """Named counters in `status -j`."""
    stats = host.status()["stats"]
    equal({name: stats[name] for name in want}, want, "stats")
