# SPDX-License-Identifier: GPL-2.0-only
"""A panel writes a real Exim's configuration anew: the daemon says at once that the hook is gone,
and what smtplimit-hook.path starts puts it back. A suspended account is then refused again."""
# SECONDS: 100
import contextlib
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
import scenes  # noqa: E402
from desk import Desk, of  # noqa: E402
from host import TREE  # noqa: E402
from ktap import equal, true  # noqa: E402
from mta import ALICE, BOB  # noqa: E402
from system import wait_for  # noqa: E402

DOMAINS = {"far.test": ["198.51.100.1"]}
TEMPLATE = "etc/exim4/exim4.conf.template"
UNITS = TREE / "scripts"
MISSING = re.compile(r"smtplimit: exim: the hook is missing: \S+exim4.conf.template lacks it: suspended accounts can send")
BACK = "exim: the hook is there again"


def setting(unit, name):
    """A setting of a unit file that is there once."""
    found = re.findall(rf"^{name}=(.*)$", (UNITS / unit).read_text("utf-8"), re.MULTILINE)
    equal(len(found), 1, f"lines {name}= of {unit}")
    return found[0]


def repair(server):
    """ExecStart= of the service, in the server's PID namespace, in which its pid file holds good."""
    words = setting("smtplimit-hook.service", "ExecStart").split()
    equal(words[0], "smtplimit", "the program")
    command = ["nsenter", "--target", server.tree.init_pid, "--pid", "--uts", server.host.binary,
               "-c", server.host.conf, *words[1:]]
    return server.host.run_as(None, command, cgroup=False)


class PathUnit:
    """What systemd does by smtplimit-hook.path: while the file is there, one run of the service after the other."""

    def __init__(self, server):
        path = Path(setting("smtplimit-hook.path", "PathExists"))
        equal(str(path.parent), "/run/smtplimit", "the run directory in the unit")
        self.server, self.path, self.runs = server, server.host.dir / "run" / path.name, []

    def look(self):
        if self.path.exists():
            self.runs.append(repair(self.server))


class Panel:
    """It has its own idea of the configuration, and makes Exim use it."""

    def __init__(self, server):
        self.server, self.text = server, server.tree.read(TEMPLATE)

    def rebuild(self, text=None, reload=True):
        self.server.tree.write(TEMPLATE, text or self.text)
        if reload:
            self.server.tree.run(["update-exim4.conf"], check=True)
            self.server.tree.run(["service", "exim4", "reload"], check=True)


def hooked(server):
    return "BEGIN smtplimit" in server.tree.read(TEMPLATE)


def problems(server):
    return [p for p in server.host.status()["problems"] if "the hook" in p]


def count(server, words):
    return len(re.findall(words, server.host.log()))


def told(server):
    return of(server.host.desk.hooked(), None, "hook_missing")


def bypass(server):
    account = server.host.account("alice")
    return account["bypass"] if account else 0


@contextlib.contextmanager
def running():
    def prepare(server):
        server.panel = None
        server.host.desk = Desk(server.host)
        server.host.write_conf({"notify": server.host.desk.settings()})
        configure = server.configure

        def configure_twice():
            configure()
            if not server.panel:
                server.panel = Panel(server)
        server.configure = configure_twice
        install = server.install_hook

        def install_and_build():
            install()
            configure()
        server.install_hook = install_and_build
    with mta.hooked(lambda host: mta.Exim(host, split=False), DOMAINS, prepare=prepare) as server:
        server.tree.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
        server.host.cleanups.append(lambda: subprocess.run(["umount", server.tree.path("proc")], check=True))
        server.sendmail(0, "root@marker.test", scenes.fresh())
        wait_for(lambda: server.host.status()["feeds"], 20, "Exim's feed")
        equal(server.host.cli("suspend", "alice", "--for", "2h").returncode, 0, "exit of suspend")
        yield server


def sends(server, way, rcpt):
    if way == "sendmail":
        return server.sendmail(ALICE, "alice@alice.test", [rcpt]).returncode == 0
    return server.swaks(ALICE, "alice@alice.test", [rcpt], auth="alice" if way == "auth" else None).ok


def all_refused(server, each):
    """Of so many mails by each way exactly all are refused, and the remote hears of none."""
    rcpts = scenes.fresh(count=3 * each)
    took = [sends(server, way, rcpts.pop()) for _ in range(each) for way in ("sendmail", "loopback", "auth")]
    equal((len(took), sum(took)), (3 * each, 0), "mails of a suspended account, and those that were taken")


def test_nothing_is_said_of_a_hook_that_is_there(server):
    scenes.looked(server.host, 3)
    equal((problems(server), count(server, "hook"), told(server)), ([], 0, []), "problems, lines, notices")
    all_refused(server, 1)
    done = repair(server)
    equal((done.returncode, done.stdout), (0, "every hook that was installed is in place\n"), "repair")


def test_a_hook_that_a_panel_overwrites_is_said_at_once(server):
    """In the log, in status, by one notice; and that its mail passes."""
    server.panel.rebuild()
    wait_for(lambda: MISSING.search(server.host.log()), 10, f"the line of the log:\n{server.host.log()}")
    true(any("exim: the hook is missing" in p for p in problems(server)), f"problems: {problems(server)}")
    notice = server.host.desk.comes(None, "hook_missing")
    true("exim: the hook is missing" in notice["text"], f"text of the notice: {notice}")
    rcpt = scenes.fresh()[0]
    true(sends(server, "sendmail", rcpt), "without a hook a suspended account's mail is refused")
    # Exim reports nothing without a hook: the daemon takes that for sure after half a minute.
    wait_for(lambda: bypass(server) == 1, 60, "the bypass")
    wait_for(lambda: "alice is suspended, and a mail server" in server.host.log(), 10, "the line of the bypass")


def test_the_service_puts_it_back(server):
    done = repair(server)
    equal(done.returncode, 0, f"exit of repair ({done.stderr})")
    true(hooked(server) and done.stdout.endswith("exim: reloaded\n"), f"repair: {done.stdout}{done.stderr}")
    all_refused(server, 1)
    wait_for(lambda: BACK in server.host.log(), 10, "the line of the log")
    equal(problems(server), [], "problems")
    wait_for(lambda: not (server.host.dir / "run" / "hook-missing").exists(), 10, "nothing to be asked for")
    equal((count(server, MISSING), len(told(server))), (1, 1), "lines and notices")


# A few mails a second until the file is there; a line "STATUS RECIPIENT" for each.
LOAD = """
n=0
while [ ! -e {stop} ]; do
	n=$((n + 1)); rcpt={name}$n@far.test
	{send} >/dev/null 2>&1
	echo $? $rcpt; sleep 0.2
done
"""
SENDMAIL = "printf 'Subject: load\\n\\nhello\\n' | /usr/sbin/sendmail -i -f {0}@{0}.test -- $rcpt"
SWAKS = "swaks --server 127.0.0.1 --ehlo client.test --from {0}@{0}.test --to $rcpt"


class Load:
    def __init__(self, server, uid, name, send):
        self.out = server.host.dir / f"load-{name}"
        self.stop = server.host.dir / "stop-load"
        text = LOAD.format(stop=self.stop, name=name, send=send)
        with open(self.out, "w", encoding="ascii") as out:
            self.process = server.tree.popen(["sh", "-c", text], uid, stdout=out)

    def ended(self):
        """(taken, refused): the recipients of both."""
        self.stop.touch()
        equal(self.process.wait(60), 0, "exit of the load")
        rows = [line.split() for line in self.out.read_text("ascii").splitlines()]
        return {r for status, r in rows if status == "0"}, {r for status, r in rows if status != "0"}


def test_under_load_it_comes_back_by_itself(server):
    """Each mail of hers is refused, or the remote has it; then exactly all are refused, and other people's none."""
    unit = PathUnit(server)
    loads = [Load(server, ALICE, "byhand", SENDMAIL.format("alice")), Load(server, ALICE, "bysmtp", SWAKS.format("alice"))]
    good = Load(server, BOB, "good", SENDMAIL.format("bob"))

    def back(number):
        unit.look()
        return count(server, MISSING) == number and count(server, BACK) == number
    server.panel.rebuild()
    wait_for(lambda: back(2), 60, "the hook to be back")
    runs = len(unit.runs)
    all_refused(server, 3)
    scenes.looked(server.host, 3)
    unit.look()
    equal(len(unit.runs), runs, "runs of the service, with those for what it wrote itself")
    true(all(r.returncode == 0 for r in unit.runs) and runs == 1, f"runs: {unit.runs}")
    results = [load.ended() for load in loads]
    taken, refused = (set.union(*(r[i] for r in results)) for i in (0, 1))
    good_taken, good_refused = good.ended()
    server.wait_queue_empty()
    arrived = {e["recipient"] for e in server.host.tally().log if e["outcome"] == "delivered"}
    equal((len(refused & arrived), len(good_refused), len(good_taken - arrived)), (0, 0, 0),
          "refused and delivered; refused of other people's; not delivered of these")
    true(refused and good_taken, "there was no load")
    print(f"# {len(refused)} refused, {len(taken)} taken while the hook was gone, {len(good_taken)} of bob's")


def test_what_the_server_does_not_take_is_left_as_the_panel_wrote_it(server):
    """The hook's files are put back; when the panel has mended its own fault the hook comes back."""
    broken = "no_such_option = 1\n" + server.panel.text
    server.panel.rebuild(broken, reload=False)
    wait_for(lambda: count(server, MISSING) == 3, 20, "the line of the log")
    done = repair(server)
    equal(done.returncode, 1, "exit of repair")
    true("no_such_option" in done.stderr and "nothing is changed" in done.stderr, f"repair: {done.stderr}")
    equal(server.tree.read(TEMPLATE), broken, "the file")
    server.panel.rebuild()
    true(any("exim: the hook is missing" in p for p in problems(server)), "it is forgotten")
    equal(repair(server).returncode, 0, "exit of repair")
    all_refused(server, 1)


def test_a_removal_is_no_loss(server):
    lines = count(server, MISSING)
    wait_for(lambda: count(server, BACK) == lines, 10, "the hook to be back")
    equal(server.hook("--remove").returncode, 0, "exit of hook --remove")
    equal(server.tree.read(TEMPLATE), server.panel.text, "the file")
    scenes.looked(server.host, 3)
    equal((problems(server), count(server, MISSING)), ([], lines), "problems, lines")
    equal(repair(server).stdout, "every hook that was installed is in place\n", "repair")
    true(not hooked(server), "it was installed again")


def test_systemd_takes_the_units(server):
    names = ["smtplimit-hook.path", "smtplimit-hook.service", "smtplimit.service"]
    for name in names:
        server.tree.write(f"etc/systemd/system/{name}", (UNITS / name).read_text("utf-8"))
    done = server.tree.run(["systemd-analyze", "verify", "--man=no", *names])
    equal((done.returncode, done.stdout + done.stderr), (0, ""), "systemd-analyze verify")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), running())
