# SPDX-License-Identifier: GPL-2.0-only
"""The pin directory is used by one daemon at a time, and only if nobody but root can write to it.
Who else could write to it could have put maps there."""
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import ktap  # noqa: E402
import scenes  # noqa: E402
from host import Host  # noqa: E402
from ktap import equal, true  # noqa: E402

UID = 20001


def does_not_start(host, conf, why):
    done = host.cli("run", conf=conf, timeout=30)
    equal(done.returncode, 1, f"exit of run ({done.stderr.strip()})")
    true(why in done.stderr, f"{why!r} is not said: {done.stderr}")


def test_two_daemons_with_the_same_pins():
    """Each with a run directory of its own: the lock of the pins is what keeps them apart."""
    with Host() as host:
        host.start()
        other = host.dir / "other.conf"
        text = host.conf.read_text(encoding="ascii")
        for name in ("state", "run"):
            text = text.replace(f"{name} = {host.dir / name}\n", f"{name} = {host.dir / name}2\n")
        other.write_text(text, encoding="ascii")
        does_not_start(host, other, f'another smtplimit uses "{host.bpffs}/smtplimit"')
        scenes.is_delivered(scenes.good(host, UID, 1))
        scenes.window_is(host, UID, delivered=1)
        equal(host.cli("unload", conf=other).returncode, 1, "exit of unload by the other")
        scenes.is_delivered(scenes.good(host, UID, 1))
        scenes.window_is(host, UID, delivered=2)
        host.kill()
        host.conf = other
        host.start()
        scenes.is_delivered(scenes.good(host, UID, 1))
        scenes.total_is(host, UID, delivered=3)


def test_directories_that_others_can_write_to():
    with Host() as host:
        top = host.bpffs / "smtplimit"
        for path in (top, top / "v1"):
            top.mkdir(mode=0o700, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
            for spoil in (lambda p: p.chmod(0o777), lambda p: p.chmod(0o720),
                          lambda p: os.chown(p, UID, UID)):
                spoil(path)
                does_not_start(host, host.conf, f'"{path}" must be a directory of root')
                path.chmod(0o700)
                os.chown(path, 0, 0)
        shutil.rmtree(top)
        top.symlink_to(host.dir)
        does_not_start(host, host.conf, f'"{top}" must be a directory of root')
        top.unlink()
        host.start()


def test_a_start_that_attaches_nothing_is_not_loaded():
    """Else status would say that counting goes on. A later start finds nothing in its way, and when it dies and
    the next one fails, what it attached goes on."""
    with Host() as host:
        good = host.conf.read_text(encoding="ascii")
        bad = host.dir / "bad.conf"
        bad.write_text(good.replace(f"cgroup = {host.cgroup}\n", f"cgroup = {host.cgroup}/none\n"),
                       encoding="ascii")
        does_not_start(host, bad, f'cgroup "{host.cgroup}/none": No such file or directory')
        equal(host.status()["loaded"], False, "loaded after a start that failed")
        true("smtplimit is not loaded on this host" in host.cli("status").stdout, "status")
        host.start()
        scenes.is_delivered(scenes.good(host, UID, 1))
        scenes.window_is(host, UID, delivered=1)
        host.kill()
        does_not_start(host, bad, f'cgroup "{host.cgroup}/none": No such file or directory')
        equal(host.status()["loaded"], True, "loaded by an earlier start")
        scenes.is_delivered(scenes.good(host, UID, 1))
        scenes.total_is(host, UID, delivered=2)


if __name__ == "__main__":
    ktap.main(ktap.tests(globals()))
