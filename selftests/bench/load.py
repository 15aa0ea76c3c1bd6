# SPDX-License-Identifier: GPL-2.0-only
"""The traffic that bench.py measures with: mail from Postfix's smtp-source to smtp-sink, and TCP
that is no mail. Each function runs one piece of it to its end and returns the Cost."""
import resource
import subprocess
import time
from dataclasses import dataclass

import system
from clients import need
from host import BUILD, REMOTE4, sh

UID = 20001
PORT_ECHO, PORT_SINK = 9999, 9998
BENCH = BUILD / "bench"


@dataclass
class Cost:
    wall_s: float
    cpu_s: float    # of sender, servers and daemon, their network interrupts with them


def processes(host):
    """The servers, the daemon and what it started."""
    pids = [server.pid for server in host.bench_servers]
    if host.daemon and host.daemon.poll() is None:
        pids += system.family(host.daemon.pid)
    return pids


def process_ns(pid):
    """0 for one that has ended: the guard forks for a moment, again and again."""
    return int((system.proc_text(f"{pid}/schedstat") or "0").split()[0])


def cpu_s(host):
    """CPU time so far, of the senders that have ended as well."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    alive = sum(process_ns(pid) for pid in processes(host))
    return ended.ru_utime + ended.ru_stime + alive / 1e9


def start_servers(host):
    """smtp-sink on port 25 of the remote, and traffic.c's two servers."""
    # A connection a mail: not to run out of ports, nor of room for them.
    for name, value in (("tcp_tw_reuse", 1), ("ip_local_port_range", "1024 65535")):
        host.sysctl("sender", f"net.ipv4.{name}", value)
    remote = {"netns": "remote", "cgroup": False}
    host.bench_servers = [host.popen_as(
        None, [need("smtp-sink"), "-u", "nobody", f"{REMOTE4}:25", "1000"], **remote)]
    for kind, port in (("echo", PORT_ECHO), ("sink", PORT_SINK)):
        server = host.popen_as(None, [BENCH / "traffic", kind, REMOTE4, port], text=True,
                               stdout=subprocess.PIPE, **remote)
        host.bench_servers.append(server)
        if server.stdout.readline() != "ready\n":
            raise RuntimeError(f"traffic {kind} did not start")
    system.wait_for(lambda: "0.0.0.0:*" in sh("nsenter", "--net=/run/netns/remote", "ss", "-Hltn",
                                              "sport = :25"), 10, "smtp-sink to listen")


def run(host, command):
    cpu, start = cpu_s(host), time.monotonic()
    done = host.run_as(UID, command)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
    return Cost(time.monotonic() - start, cpu_s(host) - cpu)


def mails(host, count, *options):
    return run(host, [need("smtp-source"), "-M", "sender.test", "-f", "a@sender.test", "-t",
                      "b@remote.test", "-m", count, *options, f"[{REMOTE4}]:25"])


def pingpong(host, count):
    return run(host, [BENCH / "traffic", "pingpong", REMOTE4, PORT_ECHO, count])


def bulk(host, mib):
    return run(host, [BENCH / "traffic", "bulk", REMOTE4, PORT_SINK, mib])
