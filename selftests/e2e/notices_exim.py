# SPDX-License-Identifier: GPL-2.0-only
"""Under no_new_privs, as the unit has it, a notice waits for the queue run of Exim's own daemon, which delivers
it to a mailbox of this host; none is frozen."""
# SECONDS: 30
import contextlib
import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
from desk import Desk  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta_tree import HOSTNAME  # noqa: E402
from system import wait_for  # noqa: E402

DOMAINS = {"far.test": ["198.51.100.1"]}
ADMIN, CONTACT = f"carol@{HOSTNAME}", "contact@far.test"


@contextlib.contextmanager
def exim():
    def prepare(server):
        host = server.host
        host.desk = Desk(host)
        host.desk.contact("alice", CONTACT)
        host.desk.sendmail_of(server)
        host.start = functools.partial(host.start, wrapper=["setpriv", "--no-new-privs"])
        host.write_conf({"notify": {"admin": ADMIN, "customer": "file",
                                    "customer_file": host.desk.dir / "contacts"}})
    with mta.hooked(mta.Exim, DOMAINS, prepare=prepare) as server:
        yield server


def test_a_suspension_reaches_a_mailbox_and_a_remote(server):
    host = server.host
    equal(host.cli("suspend", "alice").returncode, 0, "exit of suspend")
    wait_for(lambda: "alice is suspended from" in server.mailbox("carol"), 30, "the administrator's mail")
    wait_for(lambda: f"=> {CONTACT} " in server.log(), 30, "the customer's mail")
    server.wait_queue_empty()
    true("\nReturn-path: <>\n" in server.mailbox("carol"), f"the sender:\n{server.mailbox('carol')}")
    true("Frozen" not in server.log(), f"the log:\n{server.log()}")
    equal(sorted(host.desk.sendmail_calls()), [f"0 -i -f  -odq -- {ADMIN}", f"0 -i -f  -odq -- {CONTACT}"], "calls")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), exim())
