# SPDX-License-Identifier: GPL-2.0-only
"""A real Exim is asked which files it reads and what is in force: included transports get the hook,
or are named where they are not to be changed. Beside that there are leftovers of another Exim, and
other event_actions."""
# SECONDS: 40
import contextlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import exim_scenes  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402
import mta_tree  # noqa: E402
from exim_scenes import hook  # noqa: E402
from host import Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

CONF = "etc/exim.conf"
PRE = "etc/exim.transports.pre.conf"
SMART = "{name}:\n  driver = smtp\n  hosts_override\n  hosts = mx1.far.test\n{more}\n"


@contextlib.contextmanager
def exim():
    """One that does not run."""
    with Host({"watch": {"relay_users": "Debian-exim"}}) as host:
        mta.Dns(host, exim_scenes.REMOTES)
        server = mta.Exim(host)
        server.configure()
        yield host, server


def check_line(host, server):
    done = server.tree.run(["smtplimit", "-c", host.conf, "check"])
    return next(r for r in done.stdout.splitlines() if "hook of exim" in r)


def reads_file(server, path, text):
    """An Exim that is built to read this file, as panels build theirs: Debian's, told so each time."""
    server.tree.write(path, text, 0o640, "root:Debian-exim")
    server.tree.write("usr/sbin/exim", f'#!/bin/sh\nexec /usr/sbin/exim4 -C /{path} "$@"\n', 0o755)


def whole(server, include=f".include_if_exists /{PRE}"):
    """What Debian's would be in one file, with an included file of transports, as panels have it."""
    server.configure()
    text = server.tree.read(server.config)
    return text.replace("\nbegin transports\n", f"\nbegin transports\n{include}\n", 1)


def snapshot(server, paths):
    return {path: (server.tree.path(path).read_bytes(), server.tree.path(path).stat().st_mode) for path in paths}


def test_stock_debian_without_a_warning():
    """Split and single: nothing is said of event_action, and Exim has it in force in every transport."""
    for split in (True, False):
        with exim() as (host, server):
            update = "etc/exim4/update-exim4.conf.conf"
            text = server.tree.read(update)
            server.tree.write(update, text.replace("config='true'", f"config='{str(split).lower()}'"))
            done = hook(host, server, "--install")
            equal((done.returncode, done.stderr), (0, ""), f"--install, split {split}")
            server.configure()
            true(check_line(host, server).startswith("yes "), check_line(host, server))


def ask_transports(server):
    """{transport: its event_action} of those that speak SMTP, as Exim has them in force."""
    found, name = {}, None
    for line in server.tree.run(["exim", "-bP", "transports"]).stdout.splitlines():
        if line.endswith(" transport:"):
            name, event = line.removesuffix(" transport:"), None
        elif line.startswith("event_action = "):
            event = line.removeprefix("event_action = ")
        elif line.startswith("hosts_max_try = "):       # of smtp alone
            found[name] = event
    return found


def test_an_included_transport_beside_leftovers():
    """DirectAdmin-like: the smart host's transport stands in an included file; /etc/exim4 is a leftover."""
    with exim() as (host, server):
        text = whole(server)
        reads_file(server, CONF, text)
        server.tree.write(PRE, SMART.format(name="smart", more="") + SMART.format(
            name="own", more='  event_action = "${if eq{$event_name}{msg:host:defer}{\\\n      ${run{/bin/true}}}}"'))
        before = snapshot(server, [CONF, PRE])
        leftover = server.tree.read("etc/exim4/exim4.conf.template")
        done = hook(host, server, "--install")
        equal((done.returncode, done.stderr), (0, ""), "--install")
        equal(server.tree.read("etc/exim4/exim4.conf.template"), leftover, "the leftover")
        events = ask_transports(server)
        true({"smart", "own", "remote_smtp"} <= events.keys(), f"transports: {events}")
        true(all(event.startswith("${acl{smtplimit_event}}") for event in events.values()), f"{events}")
        true("${run{/bin/true}}" in events["own"], events["own"])
        true(check_line(host, server).startswith("yes "), check_line(host, server))
        equal(hook(host, server, "--install").stdout, "exim: already installed\n", "second --install")
        equal(hook(host, server, "--remove").returncode, 0, "exit of --remove")
        equal(snapshot(server, [CONF, PRE]), before, "files after --remove")


def test_a_transport_that_is_not_to_be_changed():
    """A package's or a panel's own file: install and check name it, and Exim's words are the last."""
    with exim() as (host, server):
        path = "usr/local/panel/transports"
        reads_file(server, CONF, whole(server, f".include /{path}"))
        server.tree.write(path, SMART.format(name="smart", more=""))
        before = snapshot(server, [path])
        done = hook(host, server, "--install")
        equal(done.returncode, 0, "exit of --install")
        true(f'no report will come of the transport "smart" in /{path}' in done.stderr, done.stderr)
        equal(snapshot(server, [path]), before, "the file")
        line = check_line(host, server)
        true(line.startswith("lower ") and f'"smart" in /{path}' in line, line)
        server.tree.write(path, SMART.format(name="smart", more="  event_action = ${acl{smtplimit_event}}"))
        equal(hook(host, server, "--install").stderr, "", "done by hand")
        true(check_line(host, server).startswith("yes "), check_line(host, server))


def test_what_is_broken_before_is_left_alone():
    with exim() as (host, server):
        reads_file(server, CONF, "no_such_option = 1\n" + whole(server))
        before = snapshot(server, [CONF])
        done = hook(host, server, "--install")
        equal(done.returncode, 1, "exit of --install")
        true('its configuration is broken as it is: ' in done.stderr and 'main option "no_such_option" unknown'
             in done.stderr, done.stderr)
        equal(snapshot(server, [CONF]), before, "the file")
        true("broken as it is" in check_line(host, server), check_line(host, server))


def test_a_hook_that_cannot_reach_its_socket():
    """By the mode of a directory, by relay_users, and by a run directory that the configuration has moved."""
    with exim() as (host, server):
        equal(hook(host, server, "--install").returncode, 0, "exit of --install")
        server.configure()
        host.start()
        true(check_line(host, server).startswith("yes "), check_line(host, server))
        run = host.dir / "run"
        mode = run.stat().st_mode
        run.chmod(0o700)
        line = check_line(host, server)
        true(f'"Debian-exim" cannot reach the socket {run}/exim: {run}: Permission denied' in line, line)
        run.chmod(mode)
        true(check_line(host, server).startswith("yes "), check_line(host, server))
        host.write_conf({"watch": {"relay_users": "mail"}})
        true('relay_users lacks "Debian-exim"' in check_line(host, server), check_line(host, server))
        host.write_conf({"watch": {"relay_users": "Debian-exim"}, "paths": {"run": host.dir / "moved"}})
        true("has another version of it" in check_line(host, server), check_line(host, server))


def test_mail_that_is_never_reported():
    """By a transport in a file that is not to be changed: the wire counts, for whom Exim asked about, though
    he writes his neighbour as the sender; outsiders' mail that a customer's alias passes on is nobody's."""
    owners = "".join(f"{domain}: {user}\n" for domain, user in mta_tree.DOMAINS.items())
    with Host({"watch": {"relay_users": "Debian-exim"}, "feed": {"postfix": "off"}}) as host:
        (host.dir / "owners").write_text(owners, encoding="ascii")
        host.write_conf({"accounts": {"source": "file", "file": host.dir / "owners"}})
        mta.Dns(host, exim_scenes.REMOTES)
        server = mta.Exim(host)
        path = "usr/local/panel/transports"
        server.tree.write("etc/aliases", "list: r550-forwarded@far.test\n")
        text = whole(server, f".include /{path}").replace(
            "\ndnslookup:\n", "\nsmarthost:\n  driver = manualroute\n  domains = far.test\n  transport = smart\n"
            "  route_list = * mx1.far.test\n\ndnslookup:\n", 1)
        server.tree.write("etc/exim4/exim4.conf", text, 0o640, "root:Debian-exim")
        server.tree.write(path, SMART.format(name="smart", more=f"  helo_data = {server.helo}"))
        host.start()
        equal(hook(host, server, "--install").returncode, 0, "exit of --install")
        server.start()
        server.sendmail(mta.CAROL, "carol@carol.test", ["reported@one.test"])
        wait_for(lambda: exim_scenes.windows(host).get("carol"), 20, "the first report")
        for n in range(3):
            server.sendmail(mta.ALICE, "bob@bob.test", [f"r550-{n}@far.test"])
        true(server.swaks_from_remote("dave@dave.test", ["list@bob.test"]).ok, "mail from outside")
        wait_for(lambda: sum(e["outcome"] == "failed" for e in host.tally().log) == 4, 30, "the refusals")
        wait_for(lambda: exim_scenes.windows(host).get("alice"), 90, "what alice pays")
        wait_for(lambda: not any(f["running"] for f in host.status()["feeds"]), 60, "the wire to count")
        equal({name: row["failed"] for name, row in exim_scenes.windows(host).items()},
              {"carol": 0, "alice": 3}, "failed mails")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
