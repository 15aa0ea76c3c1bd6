# SPDX-License-Identifier: GPL-2.0-only
"""`smtplimit hook postfix` takes what real Postfix takes: parameters that it only warns of, and pickups
and cleanups whose checks are off. What is broken stays as it is, and is said."""
# SECONDS: 40
import contextlib
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
import scenes  # noqa: E402
from host import Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB  # noqa: E402
from system import wait_for  # noqa: E402

DOMAINS = {"far.test": ["198.51.100.1"]}
MAIN, MASTER = "etc/postfix/main.cf", "etc/postfix/master.cf"
# As Debian's master.cf has it in a comment.
WARNED = "\nsubmissions inet n - y - - smtpd\n  -o smtpd_client_restrictions=$mua_client_restrictions\n"
UNCHECKED = "  -o content_filter=\n  -o receive_override_options=no_header_body_checks\n"
OWN_CHECKS = "  -o mime_header_checks=\n  -o nested_header_checks=\n  -o body_checks=\n  -o header_checks=\n"


@contextlib.contextmanager
def postfix():
    """One that does not run."""
    with Host({"watch": {"relay_users": "postfix mail"}}) as host:
        server = mta.Postfix(host)
        server.configure()
        yield server


def files(server):
    return server.tree.read(MAIN), server.tree.read(MASTER)


def round_trip(server):
    """In, in again, out: each to the byte; what it said at first."""
    before = files(server)
    said = server.hook("--install")
    equal(said.returncode, 0, f"exit of --install ({said.stderr})")
    after = files(server)
    equal(server.hook("--install").stdout, "postfix: already installed\n", "second --install")
    equal(files(server), after, "files after a second --install")
    equal(server.hook("--remove").returncode, 0, "exit of --remove")
    equal(files(server), before, "files after --remove")


def test_parameters_that_it_only_warns_of(server):
    main, master = files(server)
    server.tree.write(MAIN, main + "biff = yes\n")
    server.tree.write(MASTER, master + WARNED)
    warned = server.tree.run(["postconf", "-h", "mail_version"])
    true("overriding earlier entry" in warned.stderr, f"no warning: {warned.stderr}")
    warned = server.tree.run(["postconf", "-n"])
    true("undefined parameter: mua_client_restrictions" in warned.stderr, f"no warning: {warned.stderr}")
    round_trip(server)
    server.tree.write(MAIN, main)
    server.tree.write(MASTER, master)


def stays_with(server, path, text, words):
    server.tree.write(path, text)
    before = files(server)
    done = server.hook("--install")
    equal(done.returncode, 1, "exit of --install")
    true("nothing is changed: its configuration is broken as it is: " in done.stderr and words in done.stderr,
         done.stderr)
    equal(done.stderr.count("\n"), 1, f"lines said ({done.stderr})")
    equal(files(server), before, "files")


def test_what_is_broken_before_is_left_alone(server):
    main, master = files(server)
    stays_with(server, MAIN, main + "this is no setting\n", "missing '=' after attribute name")
    server.tree.write(MAIN, main)
    stays_with(server, MASTER, master + "short unix n\n", "bad field count")
    server.tree.write(MASTER, master)
    # postfix check says it into the log alone where nobody looks on.
    stays_with(server, MAIN, main + "mail_owner = nobody-such\n", "nobody-such")
    server.tree.write(MAIN, main)


def check_line(server):
    done = server.tree.run(["smtplimit", "-c", server.host.conf, "check"])
    return next(r for r in done.stdout.splitlines() if "hook of postfix" in r)


def unchrooted(line):
    """A service of master.cf that runs outside."""
    return re.sub(r"^(\S+\s+\S+\s+\S+\s+\S+\s+)y(\s)", r"\1n\2", line)


def with_pickup(server, options, cleanup=""):
    """The entries of pickup and cleanup of Debian's master.cf, with options."""
    text = server.tree.read(MASTER)
    for name, more in (("pickup", options), ("cleanup", cleanup)):
        line = next(r for r in text.splitlines() if r.startswith(f"{name} "))
        text = text.replace(line + "\n", f"{line}\n{more}")
    server.tree.write(MASTER, text)


def test_without_pickup(server):
    text = server.tree.read(MASTER)
    line = next(r for r in text.splitlines() if r.startswith("pickup "))
    server.tree.write(MASTER, text.replace(line, "#" + line))
    round_trip(server)


def test_a_hook_that_cannot_reach_its_socket(server):
    """A socket outside of the queue directory, a directory's mode, a program that its user cannot run."""
    host = server.host
    main = server.tree.read(MAIN)
    server.install_hook()
    true(check_line(server).startswith("yes "), check_line(server))
    policy = f"check_policy_service unix:{host.dir}/run/policy"
    server.tree.write(MAIN, server.tree.read(MAIN) + f"smtpd_end_of_data_restrictions = {policy}\n")
    true('"smtp" runs in Postfix\'s queue directory and cannot reach unix:' in check_line(server),
         check_line(server))
    master = server.tree.read(MASTER)
    server.tree.write(MASTER, "".join(f"{unchrooted(line)}\n" for line in master.splitlines()))
    true("queue directory" not in check_line(server), check_line(server))
    server.tree.write(MASTER, master)
    server.hook("--remove")
    server.tree.write(MAIN, main)
    server.install_hook()
    (host.dir / "run").mkdir(mode=0o700)
    equal(check_line(server), f'lower    hook of postfix: cannot ask: the user "mail" cannot reach the socket '
          f"{host.dir}/run/policy: {host.dir}/run: Permission denied", "a directory that mail cannot pass")
    (host.dir / "run").chmod(0o755)
    true(check_line(server).startswith("yes "), check_line(server))
    server.tree.path("usr/sbin/smtplimit").chmod(0o700)
    true('"mail" cannot run /usr/sbin/smtplimit: ' in check_line(server), check_line(server))


def refuses_and_does_not_check(server):
    """alice's mail by sendmail(1) bounces, bob's leaves with the header that main.cf's checks would not have."""
    host = server.host
    equal(host.cli("suspend", "alice", "--for", "30m").returncode, 0, "exit of suspend")
    listed = host.dir / "run" / "suspended"
    wait_for(lambda: "alice: " in listed.read_text("utf-8"), 10, "alice in the file")
    hers, his = scenes.fresh()[0], scenes.fresh()[0]
    text = "From: <{0}>\nTo: x\nX-Never: x\nSubject: t\n\nX-Never: x\n"
    server.sendmail(ALICE, "alice@alice.test", [hers], text=text.format("alice@alice.test"))
    server.sendmail(BOB, "bob@bob.test", [his], text=text.format("bob@bob.test"))
    wait_for(lambda: hers in server.mailbox("alice"), 20, "the bounce")
    true("has exceeded the max defers" in server.mailbox("alice")
         or "is not allowed to send" in server.mailbox("alice"), server.mailbox("alice"))
    server.wait_queue_empty()
    came = [e["recipient"] for e in host.tally().log if e["outcome"] == "delivered"]
    equal(came, [his], "delivered")


def checked(options, cleanup=""):
    def prepare(server):
        configure = server.configure

        def configure_and_edit():
            configure()
            with_pickup(server, options, cleanup)
            server.before = files(server)
        server.configure = configure_and_edit
        server.settings["header_checks"] = "regexp:/etc/postfix/never"
        server.settings["body_checks"] = "regexp:/etc/postfix/never"
        server.tree.write("etc/postfix/never", "/^X-Never:/ REJECT never\n")
    with mta.hooked(mta.Postfix, DOMAINS, prepare=prepare) as server:
        equal(server.hook("--install").stdout, "postfix: already installed\n", "second --install")
        refuses_and_does_not_check(server)
        equal(server.hook("--remove").returncode, 0, "exit of --remove")
        equal(files(server), server.before, "files after --remove")


def test_pickup_whose_headers_are_not_checked():
    """amavisd-new's documented entry."""
    checked(UNCHECKED)


def test_cleanup_with_checks_of_its_own():
    checked("", OWN_CHECKS)


if __name__ == "__main__":
    ktap.main([test_parameters_that_it_only_warns_of, test_what_is_broken_before_is_left_alone,
               test_without_pickup, test_a_hook_that_cannot_reach_its_socket], postfix(),
              [test_pickup_whose_headers_are_not_checked, test_cleanup_with_checks_of_its_own])
