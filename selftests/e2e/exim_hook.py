# SPDX-License-Identifier: GPL-2.0-only
"""`smtplimit hook exim` edits every layout of a real Exim's configuration, which Exim then takes
and delivers with, and takes its lines out again to the byte. Exim delivers without a daemon, too,
and takes the plain file that the lines come from."""
# SECONDS: 70
import base64
import contextlib
import re
import shutil
import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import exim_scenes  # noqa: E402
import ktap  # noqa: E402
import mta  # noqa: E402
from exim_scenes import hook  # noqa: E402
from host import Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import wait_for  # noqa: E402

ETC = "etc/exim4"
PLAIN = Path(__file__).resolve().parents[2] / "user/hook/exim.conf"
PART = re.compile(r"^# BEGIN smtplimit (\S+)\n(.*?)^# END smtplimit \1\n", re.MULTILINE | re.DOTALL)
TRANSPORT = f"{ETC}/conf.d/transport/30_exim4-config_remote_smtp"


@contextlib.contextmanager
def exim(split=True, whole=False, tls=False):
    """An Exim that does not run yet. whole: with one file, as written by hand. tls: the remote has it."""
    special = {"198.51.100.5": {"greeting": "421"}}
    with Host(server={"tls": True, "special": special} if tls else None) as host:
        mta.Dns(host, exim_scenes.REMOTES)
        server = mta.Exim(host, split=split)
        server.configure()
        if whole:
            server.tree.write(f"{ETC}/exim4.conf", server.tree.read(server.config), 0o640,
                              "root:Debian-exim")
        yield host, server


def files(server):
    """{path: everything about the file} of the configuration."""
    found = {}
    for path in sorted(server.tree.path(ETC).rglob("*")):
        if path.is_file():
            stat = path.stat()
            found[str(path.relative_to(server.tree.root))] = (
                path.read_bytes(), stat.st_mode, stat.st_uid, stat.st_gid, stat.st_mtime_ns)
    return found


def without_times(snapshot):
    return {path: about[:4] for path, about in snapshot.items()}


def changed(before, after):
    return {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}


def check_line(host, server):
    done = server.tree.run(["smtplimit", "-c", host.conf, "check"])
    return [r for r in done.stdout.splitlines() if "hook of exim" in r]


def round_trip(split, whole, paths):
    """Install, twice; have it deliver; edit; remove."""
    with exim(split, whole) as (host, server):
        before = files(server)
        equal(hook(host, server, "--remove").stdout, "exim: not installed\n", "remove before install")
        true("not installed" in check_line(host, server)[0], "check before install")
        said = exim_scenes.installed(host, server)
        after = files(server)
        equal(changed(without_times(before), without_times(after)), paths, f"changed files ({said})")
        equal(hook(host, server, "--install").stdout, "exim: already installed\n", "second install")
        equal(files(server), after, "files after a second install")
        if not whole:
            true("update-exim4.conf" in check_line(host, server)[0], "check before it is built")
        server.configure()
        true(check_line(host, server)[0].startswith("yes "), f"check: {check_line(host, server)}")
        delivers_without_daemon(host, server)
        edited = f"{ETC}/passwd.client"
        server.tree.write(edited, "# edited\n", 0o640, "root:Debian-exim")
        equal(hook(host, server, "--remove").returncode, 0, "exit of remove")
        equal(changed(without_times(before), without_times(files(server))), {edited}, "not restored")
        server.configure()
        true("smtplimit" not in server.tree.read(server.config), "it is still in what Exim reads")


def delivers_without_daemon(host, server):
    server.start()
    equal(server.sendmail(mta.ALICE, "alice@alice.test", ["n1@far.test"]).returncode, 0, "sendmail")
    true(server.swaks(mta.BOB, "bob@bob.test", ["n2@one.test"], auth="bob").ok, "SMTP AUTH")
    true(server.swaks_from_remote("x@far.test", ["carol@carol.test"]).ok, "mail from outside")
    server.sendmail(mta.ALICE, "alice@alice.test", ["r550.5.1.1-n3@far.test"])
    wait_for(lambda: "r550.5.1.1-n3@far.test" in server.mailbox("alice"), 20, "the bounce")
    wait_for(lambda: "x@far.test" in server.mailbox("carol"), 20, "mail from outside")
    server.wait_queue_empty()
    delivered = {e["recipient"] for e in host.tally().log if e["outcome"] == "delivered"}
    equal(delivered, {"n1@far.test", "n2@one.test"}, "delivered")
    equal(server.tree.read("var/log/exim4/paniclog"), "", "panic log")
    server.stop()


def test_split():
    conf_d = f"{ETC}/conf.d"
    round_trip(True, False, {
        f"{conf_d}/main/99_smtplimit", f"{conf_d}/acl/01_smtplimit", f"{conf_d}/router/01_smtplimit",
        f"{conf_d}/acl/30_exim4-config_check_rcpt", TRANSPORT, f"{TRANSPORT}_smarthost"})


def test_template():
    round_trip(False, False, {f"{ETC}/exim4.conf.template"})


def test_written_by_hand():
    round_trip(True, True, {f"{ETC}/exim4.conf"})


def test_what_exim_does_not_take_is_put_back():
    with exim() as (host, server):
        server.tree.write(f"{ETC}/conf.d/main/50_wrong", "no_such_option = 1\n")
        before = files(server)
        done = hook(host, server, "--install")
        equal(done.returncode, 1, "exit of install")
        true("nothing is changed" in done.stderr and "no_such_option" in done.stderr, done.stderr)
        equal(without_times(files(server)), without_times(before), "files")


def test_what_is_in_the_way_is_an_error():
    with exim() as (host, server):
        acl = f"{ETC}/conf.d/acl/30_exim4-config_check_rcpt"
        server.tree.write(acl, server.tree.read(acl).replace("\nacl_check_rcpt:\n", "\nacl_other:\n"))
        before = files(server)
        done = hook(host, server, "--install")
        equal(done.returncode, 1, "exit of install")
        true("does not name an ACL" in done.stderr and "by hand" in done.stderr, done.stderr)
        equal(files(server), before, "files")


def test_what_is_printed_is_taken():
    """By a person who puts it in by hand: all that --install adds is in it."""
    with exim() as (host, server):
        printed = hook(host, server).stdout
        exim_scenes.installed(host, server)
        for name in ("main/99_smtplimit", "acl/01_smtplimit", "router/01_smtplimit"):
            rows = server.tree.read(f"{ETC}/conf.d/{name}").splitlines()
            equal([r for r in rows if not r.startswith("#") and r not in printed.splitlines()], [],
                  f"lines of {name} that are not printed")


def test_the_plain_file_is_taken():
    """As it is, and not with a wrong word in any part that Exim reads when it starts."""
    def takes(text):
        server.tree.write(f"{ETC}/plain.conf", text, 0o640, "root:Debian-exim")
        return server.tree.run(["exim4", "-C", f"/{ETC}/plain.conf", "-bV"])
    with exim() as (_, server):
        text = PLAIN.read_text("utf-8")
        done = takes(text)
        equal(done.returncode, 0, f"exit of exim -bV ({done.stdout}{done.stderr})")
        parts = {name: lines for name, lines in PART.findall(text)}
        equal(len(parts), 7, "parts of the plain file")
        for name, lines in parts.items():
            done = takes(text.replace(lines, "smtplimit_wrong = 1\n" + lines))
            true(done.returncode != 0, f"Exim takes a wrong line in the part {name}")


def test_the_plain_file_is_what_is_printed():
    """Without comments, and with the run directory in it."""
    with exim() as (host, server):
        printed = re.split(r"^# .*:\n", hook(host, server).stdout, flags=re.MULTILINE)[1:]
        parts = [re.sub(r"^#.*\n", "", lines, flags=re.MULTILINE).replace("@RUN@", f"{host.dir}/run")
                 for _, lines in PART.findall(PLAIN.read_text("utf-8"))]
        equal("".join(printed), "\n".join(parts), "what is printed")


class Feed:
    """The socket `feed`, at which Exim writes its event lines: the words of each."""

    def __init__(self, path):
        self.rows = []
        path.parent.mkdir(exist_ok=True)
        path.parent.chmod(0o755)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        path.chmod(0o666)
        self.socket.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            client, _ = self.socket.accept()
            with client, client.makefile("r", encoding="ascii") as lines:
                for line in lines:
                    self.rows.append(dict(word.partition("=")[::2] for word in line.split()[1:]))

    def of(self, rcpt):
        """The first event of a recipient, once it is there."""
        return wait_for(lambda: next((r for r in self.rows if decoded(r["rcpt64"]) == rcpt), None), 20,
                        f"an event of {rcpt}")


def decoded(text):
    return base64.b64decode(text, validate=True).decode()


def test_a_server_that_is_gone_is_not_looked_for():
    """Uninstalled with the hook in its files: removing the hook then ends that somebody looks for it."""
    with exim() as (host, server):
        exim_scenes.installed(host, server)
        note = host.dir / "state" / "hooks"
        true("exim\t" in note.read_text("utf-8"), "the hook is not noted")
        for name in ("exim", "exim4"):
            server.tree.path(f"usr/sbin/{name}").unlink(missing_ok=True)
        shutil.rmtree(server.tree.path(ETC))
        done = server.hook("--remove")
        equal((done.returncode, done.stdout, done.stderr),
              (0, "exim: it is not on this host any more: its hook is not looked for\n", ""), "hook --remove")
        true("exim\t" not in note.read_text("utf-8"), "the hook is noted still")
        equal(server.hook("--remove").returncode, 1, "exit of removing what is not there")


def test_what_an_event_line_holds():
    """Of a delivery and of a deferral: host, port and TLS; of a failure: the name of the host alone."""
    with exim(tls=True) as (host, server):
        exim_scenes.installed(host, server)
        server.configure()
        feed = Feed(host.dir / "run" / "feed")
        server.start()
        server.sendmail(mta.ALICE, "alice@alice.test", ["n1@tls.test", "r451.4.7.1-n2@tls.test",
                                                        "r550.5.1.1x2-n3@tls.test"])
        server.sendmail(mta.ALICE, "alice@alice.test", ["n4@busy.test"])
        for rcpt, event, address, tls, text in (
                ("n1@tls.test", "msg:delivery", "198.51.100.4", "TLS1.3", "250 as asked"),
                ("r451.4.7.1-n2@tls.test", "msg:rcpt:defer", "198.51.100.4", "TLS1.3",
                 ": 451 4.7.1 as asked"),
                ("r550.5.1.1x2-n3@tls.test", "msg:fail:delivery", "", "",
                 r": 550-5.1.1 as asked\n550 5.1.1 as asked"),
                ("n4@busy.test", "msg:defer", "198.51.100.5", "", ": 421 as asked")):
            row = feed.of(rcpt)
            equal((row["event"], row["host"], row["hostport"], row["tls"]),
                  (event, address, "25" if address else "", tls), f"words of {rcpt}")
            equal(decoded(row["hostname64"]), f"mx1.{rcpt.partition('@')[2]}", f"host of {rcpt}")
            true(decoded(row["text64"]).endswith(text), f"text of {rcpt}: {decoded(row['text64'])}")
            true(re.fullmatch(r"\w{6}-\w{6}-\w\w", row["id"]), f"id {row['id']}")
            true(row["time"].isdigit(), f"time {row['time']}")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
