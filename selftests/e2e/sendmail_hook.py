# SPDX-License-Identifier: GPL-2.0-only
"""`smtplimit hook sendmail` has real Sendmail check its files on a host whose name has no domain.
Sendmail waits a minute for that each time. A file that is broken before stays as it is."""
# SECONDS: 20
import contextlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import mta  # noqa: E402
from host import Host  # noqa: E402
from ktap import equal, true  # noqa: E402
from system import within  # noqa: E402

FILES = "etc/mail/sendmail.cf", "etc/mail/sendmail.mc"
SHORT_NAME = ["unshare", "--uts", "sh", "-c", 'hostname shortname && exec "$@"', "sh"]


@contextlib.contextmanager
def sendmail():
    """One that does not run."""
    with Host() as host:
        server = mta.Sendmail(host)
        server.configure()
        # As Debian's installer writes it where it was told no domain: for an unknown name it does not wait.
        server.tree.write("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 shortname\n")
        yield server


def files(server):
    return [server.tree.path(path).read_bytes() for path in FILES]


def hook(server, option):
    command = [*SHORT_NAME, server.host.binary, "-c", server.host.conf, "hook", "sendmail", "--root",
               server.tree.root, option]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)


def test_a_host_without_a_domain(server):
    """It asks twice to install, before and after; each time Sendmail would wait for 60 s."""
    before = files(server)

    def both():
        done = hook(server, "--install")
        equal(done.returncode, 0, f"exit of --install ({done.stderr})")
        true(files(server) != before, "nothing is installed")
        equal(hook(server, "--remove").returncode, 0, "exit of --remove")
    within(60, both)
    equal(files(server), before, "files after --remove")


def test_what_is_broken_before_is_left_alone(server):
    server.tree.write(FILES[0], server.tree.read(FILES[0]) + "Kbroken nosuchclass x\n")
    before = files(server)
    done = hook(server, "--install")
    equal(done.returncode, 1, "exit of --install")
    true("its configuration is broken as it is: " in done.stderr
         and done.stderr.endswith("map broken: class nosuchclass not available\n"), done.stderr)
    equal(files(server), before, "files")


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()), sendmail())
