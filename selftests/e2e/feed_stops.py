# SPDX-License-Identifier: GPL-2.0-only
"""When a mail server stops reporting what becomes of its mail, what the kernel saw is charged
instead, and nothing is charged twice or not at all. `status` says so, and the reports count again
when they come back. Mail of a suspended account that leaves through a server without a hook is
counted as a bypass."""
# SECONDS: 180
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import exim_scenes  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402
import scenes  # noqa: E402
import tally  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB, NAMES  # noqa: E402
from system import wait_for  # noqa: E402

GRACE = 30
LENIENT = {"limit": {"min_failures": 1000, **tally.ALONE}}


def feed_of(host, name):
    rows = [f for f in host.status()["feeds"] if f["mta"] == name]
    return rows[0] if rows else None


def send(server, uid, good, bad):
    """One message a recipient, so that each is a delivery of its own."""
    sender = f"{NAMES[uid]}@{NAMES[uid]}.test"
    for rcpt in scenes.fresh(count=good) + scenes.fresh("r550.5.1.1", bad):
        equal(server.sendmail(uid, sender, [rcpt]).returncode, 0, f"exit of sendmail for {rcpt}")


def runs(host, name, told):
    """Wait until this many outcomes were told, and the feed runs."""
    def there():
        feed = feed_of(host, name)
        return feed and feed["running"] and sum(feed["told"].values()) == told
    wait_for(there, 20, f"{told} told outcomes: {feed_of(host, name)}")


def wire_agrees(host, name, told):
    """Exim's feed begins with the first telling: the wire of that one may have been read before."""
    first = 1 if name == "exim" else 0

    def there():
        feed = feed_of(host, name)
        return feed["agreed"] + feed["late"] == told and feed["late"] <= first
    wait_for(there, 20, "the wire to agree")


def stopped(host, name):
    wait_for(lambda: feed_of(host, name)["running"] is False, GRACE + 15, "the feed to be stopped")
    text = host.cli("status").stdout
    true("STOPPED" in text, f"status does not say so:\n{text}")


def window(host, uid, good, bad, timeout=20):
    scenes.window_is(host, NAMES[uid], delivered=good, failed=bad, timeout=timeout)
    scenes.total_is(host, NAMES[uid], delivered=good, failed=bad)


def stops_and_tells_again(host, server, name, silence, speak):
    send(server, ALICE, 1, 0)
    runs(host, name, 1)
    send(server, ALICE, 3, 2)
    runs(host, name, 6)
    window(host, ALICE, 4, 2)
    wire_agrees(host, name, 6)
    silence()
    send(server, ALICE, 1, 3)
    stopped(host, name)
    window(host, ALICE, 5, 5)
    send(server, BOB, 2, 1)     # charged at once
    window(host, BOB, 2, 1, timeout=10)
    speak()
    send(server, BOB, 1, 1)
    wait_for(lambda: feed_of(host, name)["running"], 20, "the feed to run again")
    window(host, BOB, 3, 2)
    window(host, ALICE, 5, 5)


def test_exim_stops_and_tells_again():
    with exim_scenes.running(LENIENT) as host:
        server = host.exim

        def silence():
            equal(exim_scenes.hook(host, server, "--remove").returncode, 0, "exit of hook --remove")
            server.configure()
            server.reload()

        def speak():
            exim_scenes.installed(host, server)
            server.configure()
            server.reload()
        stops_and_tells_again(host, server, "exim", silence, speak)


def test_log_stops_and_goes_on():
    """The reader lives, at the end of a file that nobody writes to any more."""
    with mta.hooked(mta.Postfix, exim_scenes.REMOTES, LENIENT) as server:
        def write_to(path):
            server.tree.run(["postconf", "-e", f"maillog_file={path}"])
            server.reload()

        def silence():
            server.tree.syslog.kill()
            server.tree.syslog.wait()
            server.tree.path("dev/log").unlink()
            write_to("/var/log/other.log")
        stops_and_tells_again(server.host, server, "postfix", silence,
                              lambda: write_to("/var/log/mail.log"))


def test_log_is_read_on_after_a_restart():
    """What the daemon missed is told by the log, and the wire's part of it is not charged."""
    with mta.hooked(mta.Postfix, exim_scenes.REMOTES, LENIENT) as server:
        host = server.host
        send(server, ALICE, 2, 1)
        runs(host, "postfix", 3)
        host.kill()
        send(server, ALICE, 2, 2)
        wait_for(lambda: server.log().count("status=bounced") == 3, 20, "Postfix to be done")
        server.wait_queue_empty()
        host.start()
        window(host, ALICE, 4, 3)
        send(server, ALICE, 0, 1)
        window(host, ALICE, 4, 4)


def test_bypass_is_counted():
    """Suspended by hand; Exim has no hook."""
    with exim_scenes.running() as host:
        server = host.exim
        equal(exim_scenes.hook(host, server, "--remove").returncode, 0, "exit of hook --remove")
        server.configure()
        server.reload()
        equal(host.cli("suspend", "alice").returncode, 0, "exit of suspend")
        send(server, ALICE, 3, 1)
        wait_for(lambda: host.account("alice")["bypass"] == 4, 20,
                 f"4 mails that left all the same: {host.account('alice')}")
        equal(host.account("bob") and host.account("bob")["bypass"], None, "a bypass of bob's")
        text = host.cli("status").stdout
        true("smtplimit hook" in text, f"status does not point at the hook:\n{text}")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
