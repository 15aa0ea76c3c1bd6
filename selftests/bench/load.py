# SPDX-License-Identifier: GPL-2.0-only
"""The traffic that bench.py measures with: mail from Postfix's smtp-source to smtp-sink, and TCP that
is no mail. Each function runs one piece of it to its end; its value is the seconds that took."""
import subprocess
import time

import system
from clients import need
from host import BUILD, REMOTE4, sh

UID = 20001
PORT_ECHO, PORT_SINK = 9999, 9998
BENCH = BUILD / "bench"


def start_servers(host):
    """smtp-sink on port 25 of the remote, and traffic.c's two servers."""
    # A connection a mail: not to run out of ports, nor of room for them.
    for name, value in (("tcp_tw_reuse", 1), ("ip_local_port_range", "1024 65535")):
        host.sysctl("sender", f"net.ipv4.{name}", value)
    remote = {"netns": "remote", "cgroup": False}
    host.popen_as(None, [need("smtp-sink"), "-u", "nobody", f"{REMOTE4}:25", "1000"], **remote)
    for kind, port in (("echo", PORT_ECHO), ("sink", PORT_SINK)):
        server = host.popen_as(None, [BENCH / "traffic", kind, REMOTE4, port], text=True,
                               stdout=subprocess.PIPE, **remote)
        if server.stdout.readline() != "ready\n":
            raise RuntimeError(f"traffic {kind} did not start")
    system.wait_for(lambda: "0.0.0.0:*" in sh("nsenter", "--net=/run/netns/remote", "ss", "-Hltn",
                                              "sport = :25"), 10, "smtp-sink to listen")


def run(host, command):
    start = time.monotonic()
    done = host.run_as(UID, command)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout, time.monotonic() - start


def mails(host, count, *options):
    command = [need("smtp-source"), "-M", "sender.test", "-f", "a@sender.test", "-t", "b@remote.test",
               "-m", count, *options, f"[{REMOTE4}]:25"]
    return run(host, command)[1]


def pingpong(host, count):
    return int(run(host, [BENCH / "traffic", "pingpong", REMOTE4, PORT_ECHO, count])[0]) / 1e9


def bulk(host, mib):
    return int(run(host, [BENCH / "traffic", "bulk", REMOTE4, PORT_SINK, mib])[0]) / 1e9
