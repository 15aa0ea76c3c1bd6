# SPDX-License-Identifier: GPL-2.0-only
"""An MPTCP subflow that joins an SMTP session is dropped and counted, so that the whole session
stays where it is read."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import compare  # noqa: E402
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import Host, SENDER4  # noqa: E402
from ktap import Skip, true  # noqa: E402

UID = 20001


def test_joined_subflows_carry_nothing():
    with Host({"limit": {"mode": "observe"}}, server={"mptcp": True}) as host:
        try:
            for netns in ("sender", "remote"):
                host.ip(netns, "mptcp", "limits", "set", "subflow", "2", "add_addr_accepted", "2")
            host.ip("sender", "mptcp", "endpoint", "add", SENDER4[1], "dev", "eth0", "subflow")
        except RuntimeError as error:
            raise Skip(f"no MPTCP path manager: {error}") from None
        host.start()
        for how in ("lockstep", "bytes"):
            scenes.mail(host, UID, ["r550", "r451", ""] * 20, socket="mptcp", how=how)
        compare.map_equals(host, host.tally())
        true(host.status()["stats"]["mptcp_joins"] > 0, "no subflow tried to join")


if __name__ == "__main__":
    ktap.main([test_joined_subflows_carry_nothing])
