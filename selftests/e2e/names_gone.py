# SPDX-License-Identifier: GPL-2.0-only
"""A user who is deleted in exempt_users, relay_users or a section is a warning at the start and at a
reload, and an exempt domain is nobody's."""
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
from ktap import equal, true  # noqa: E402
from scenes import running  # noqa: E402
from system import wait_for  # noqa: E402

GAMES, MAN, RELAY = 5, 6, 20099
GONE = 'exempt_users: no such user, passed over: "gonecust"'
RELAY_GONE = ('relay_users: no such user, passed over, and the default relay users are taken in its '
              'place: "goneserver"')
OPTIONS = {"watch": {"relay_users": f"{RELAY}, goneserver", "exempt_users": "gonecust, man"},
           "account gonetoo": {"percent": 70},
           "accounts": {"source": "none"}}


def problems(host):
    done = host.cli("status")
    equal((done.returncode, done.stderr), (0, ""), "exit of status")
    return re.findall(r"^problem: (.*)$", done.stdout, re.M)


def says(host, warning):
    """In the log, in status and in check."""
    true(warning in host.log(), f"not in the log: {warning}")
    true([p for p in problems(host) if warning in p], f"not in status: {warning}: {problems(host)}")
    true(re.search(rf"^lower +configuration: .*{re.escape(warning)}", host.cli("check").stdout, re.M),
         f"not in check: {warning}")


def reload(host):
    before = host.log().count("settings read again")
    host.daemon.send_signal(signal.SIGHUP)
    wait_for(lambda: host.log().count("settings read again") > before, 10, "the reload")


def test_start_with_names_that_are_gone():
    with running(OPTIONS) as host:
        for warning in (GONE, RELAY_GONE, '[account] "gonetoo": no such user'):
            says(host, warning)
        scenes.bad(host, MAN, 6)
        scenes.bad(host, GAMES, 5)
        scenes.is_suspended(host, GAMES)
        scenes.is_not_suspended(host, MAN)
        host.write_conf({"watch": {"relay_users": RELAY, "exempt_users": "man"}})
        reload(host)
        equal([p for p in problems(host) if "exempt_users" in p or "relay_users" in p], [], "problems")
        host.write_conf({"watch": {"exempt_users": "man, gonecust"}})
        reload(host)
        says(host, GONE)
        host.conf.write_text(host.conf.read_text(encoding="ascii").replace(
            "source = none", f"source = file\nfile = {host.dir}/nowhere"), encoding="ascii")
        true(f'owners of domains: [accounts] file: "{host.dir}/nowhere": No such file'
             in host.cli("check").stdout, "check of a missing file of owners")


def test_exempt_domain():
    with running(OPTIONS) as host:
        scenes.bad(host, RELAY, 5, sender="x@free.test")
        wait_for(lambda: host.suspended("domain:free.test"), 15, "the suspension of the domain")
        host.write_conf({"watch": {"exempt_users": "domain:Free.Test."}})
        reload(host)
        true(not host.suspended("domain:free.test"), "suspended though exempt")
        scenes.bad(host, RELAY, 6, sender="x@free.test")
        scenes.bad(host, RELAY, 6, sender="x@other.test")
        wait_for(lambda: host.suspended("domain:other.test"), 15, "the suspension of another")
        account = host.account("domain:free.test")
        equal((account["suspended"], account["role"], account["headroom"]), (False, "exempt", None), account)
        equal(account["total"]["failed"], 11, "attempts, which are counted all the same")
        done = host.cli("suspend", "domain:free.test")
        equal(done.returncode, 1, "exit of suspend")
        true("exempt_users is never refused" in done.stderr, done.stderr)
        for command in ("suspend", "release", "status"):
            equal(len(host.cli(command, "domain:other.test").stderr), 0, command)


def test_relay_domain_is_an_error():
    with running(OPTIONS) as host:
        host.write_conf({"watch": {"relay_users": "domain:free.test"}})
        done = host.cli("config")
        equal(done.returncode, 1, "exit of config")
        true("is a domain, and relays are users: want it in exempt_users" in done.stderr, done.stderr)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
