# SPDX-License-Identifier: GPL-2.0-only
"""A Host with a running smtplimit, and a real Exim that smtplimit's hook is installed in."""
import contextlib
import subprocess

import mta
from host import Host
from ktap import equal, true
from mta_tree import DOMAINS as CUSTOMERS

REMOTES = {"far.test": ["198.51.100.1", "198.51.100.2"], "one.test": ["198.51.100.3"],
           "tls.test": ["198.51.100.4"]}


def hook(host, server, *more):
    """smtplimit hook exim, for the tree of the server."""
    command = [host.binary, "-c", host.conf, "hook", "exim", "--root", server.tree.root, *more]
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          check=False, cwd="/")


def installed(host, server):
    """Install it, build the configuration anew; what it said."""
    done = hook(host, server, "--install")
    equal(done.returncode, 0, f"exit of hook --install ({done.stderr})")
    return done.stdout


@contextlib.contextmanager
def running(options=None, prepare=None, **more):
    """The daemon and the server run; yields host with host.exim. prepare(server): what to change in
    its tree before it starts."""
    owners = "".join(f"{domain}: {user}\n" for domain, user in CUSTOMERS.items())
    options = {"watch": {"relay_users": "Debian-exim"}, "feed": {"postfix": "off"}, **(options or {})}
    with Host(options, **more) as host:
        (host.dir / "owners").write_text(owners, encoding="ascii")
        host.write_conf({"accounts": {"source": "file", "file": host.dir / "owners"}})
        mta.Dns(host, REMOTES)
        host.exim = server = mta.Exim(host)
        host.start()
        if prepare:
            prepare(server)
        installed(host, server)
        server.configure()
        server.start()
        yield host
        true("smtplimit" not in server.tree.read("var/log/exim4/paniclog"), "the hook made Exim panic:\n"
             + server.tree.read("var/log/exim4/paniclog"))
