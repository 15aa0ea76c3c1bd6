# SPDX-License-Identifier: GPL-2.0-only
"""Whoever asks for a domain that a customer has forged is told who sent it, by release, suspend and
status."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
from compare import account_name  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402

ALICE, RELAY, FORGED = 20001, 20099, "paypa1.test"
OPTIONS = {"watch": {"relay_users": RELAY}, "accounts": {"source": "none"}}


def test_forged_domain():
    with running(OPTIONS) as host:
        scenes.bad(host, RELAY, 1, sender=f"x@{FORGED}")    # a row of the domain's own
        scenes.window_is(host, f"domain:{FORGED}", failed=1)
        scenes.suspend(host, ALICE, sender=f"security@{FORGED}")
        alice = account_name(ALICE)
        sent = f"mail from it was sent by {alice}, who is suspended"
        for name in (FORGED, f"x@{FORGED.upper()}."):
            for command in ("release", "suspend"):
                done = host.cli(command, name)
                equal((done.returncode, done.stdout, len(done.stderr.splitlines())), (1, "", 1), f"{done}")
                true(sent in done.stderr, f"{command} {name}: {done.stderr}")
        done = host.cli("release", f"domain:{FORGED}")
        equal((done.returncode, done.stdout), (0, f"domain:{FORGED} is not suspended; {sent}\n"), "release")
        text = host.cli("status", FORGED).stdout
        true(f"\nsent by:    {alice}\n" in text, f"status: {text}")
        equal(host.cli("history", alice).stdout.splitlines()[0].split(), ["ACCOUNT", "SUSPENDED"], "history")
        scenes.is_suspended(host, ALICE)
        equal(host.cli("release", alice).stdout, f"{alice} may send again\n", "release of who sent it")
        equal(host.cli("history", f"domain:{FORGED}").stdout, f"no suspension of domain:{FORGED} is known\n",
              "history of the domain")


def test_suspended_again():
    with running(OPTIONS) as host:
        alice = account_name(ALICE)
        true(host.cli("suspend", alice, "--for", "10m").stdout.startswith(f"{alice} is suspended until "), "first")
        first = host.account(alice)["until"]
        done = host.cli("suspend", alice, "--for", "1h30m")
        now = host.account(alice)["until"]
        equal(done.stdout, f"{alice} was suspended until {first}, now until {now}: by hand\n", "again")
        equal(scenes.iso(now) - scenes.iso(host.account(alice)["since"]) in (5400, 5401), True, "1h30m")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
