# SPDX-License-Identifier: GPL-2.0-only
"""Each mail server that tests use starts in its own tree, takes mail in by every way, delivers it
or bounces it, and leaves nothing behind. They are those of lib/mta.py. Needs no smtplimit."""
# SECONDS: 60
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
from host import Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

DOMAINS = {"far.test": ["198.51.100.1", "198.51.100.2"], "dead.test": ["198.51.100.3"]}


def runs(pid):
    """And is more than an entry that nobody has cleared away."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False


def works(make, both=True):
    """both: the second MX host is tried, too, when the first one puts a recipient off."""
    before = Path("/etc/passwd").read_text(encoding="utf-8")
    with Host() as host:
        mta.Dns(host, DOMAINS)
        server = make(host)
        server.configure()
        server.start()
        try:
            exchange(host, server, both)
        except BaseException:
            ktap.diagnose(server.output() + server.log()[-8000:])
            raise
        server.stop()
        init, base = server.tree.init_pid, server.tree.base
        true(runs(init), "the tree's first process does not run")
    wait_for(lambda: not runs(init), 10, "the tree's first process, and so all others, to end")
    true(not base.exists(), "the tree is left")
    equal(Path("/etc/passwd").read_text(encoding="utf-8"), before, "/etc/passwd")


def exchange(host, server, both):
    done = server.sendmail(mta.ALICE, "alice@alice.test", ["n1@far.test"])
    equal(done.returncode, 0, f"exit of sendmail ({done.stderr})")
    equal(server.php_mail(mta.ALICE, "alice@alice.test", "n2@far.test").returncode, 0, "PHP's mail()")
    true(server.swaks(mta.BOB, "bob@bob.test", ["n3@far.test"]).ok, "loopback SMTP")
    auth = {"auth": "bob"} if server.has_auth else {}
    true(server.swaks(mta.BOB, "bob@bob.test", ["n4@far.test"], **auth).ok, "SMTP AUTH")
    wrong = server.swaks(mta.BOB, "bob@bob.test", ["n5@far.test"], auth="nobody")
    true(not wrong.ok, f"an unknown user may send:\n{wrong.text}")
    true(not server.swaks_from_remote("x@far.test", ["n6@far.test"]).ok, "an open relay")
    true(server.swaks_from_remote("x@far.test", [f"carol@{mta.HOSTNAME}"]).ok, "mail from outside")
    # The first host says no twice, the second one once: greylisting.
    server.sendmail(mta.ALICE, "alice@alice.test", ["r451+451+250-n7@far.test"])
    server.sendmail(mta.ALICE, f"alice@{mta.HOSTNAME}", ["r550.5.1.1-n8@far.test"])
    wait_for(lambda: "x@far.test" in server.mailbox("carol"), 20, "mail from outside in the mailbox")
    wait_for(lambda: "r550.5.1.1-n8@far.test" in server.mailbox("alice"), 20, "the bounce")
    server.drain()
    server.wait_queue_empty()
    log = host.tally().log
    equal({e["uid"] for e in log}, {server.uid}, "uids that the remote was told")
    delivered = sorted(e["recipient"] for e in log if e["outcome"] == "delivered")
    equal(delivered, ["n1@far.test", "n2@far.test", "n3@far.test", "n4@far.test",
                      "r451+451+250-n7@far.test"], "delivered")
    hosts = {e["host"] for e in log if e["outcome"] == "deferred"}
    equal(hosts, {"198.51.100.1"} | ({"198.51.100.2"} if both else set()), "hosts that put it off")
    true(server.log(), "no log")


def test_exim():
    works(mta.Exim)


def test_exim_with_one_file():
    works(lambda host: mta.Exim(host, split=False))


def test_postfix():
    works(mta.Postfix)


def test_opensmtpd():
    works(mta.Opensmtpd, both=False)


def test_sendmail():
    works(mta.Sendmail)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
