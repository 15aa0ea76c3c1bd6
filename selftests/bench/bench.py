#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measures smtplimit: what it costs a packet, a mail and a session, and how fast a verdict lands.

    sudo selftests/bench/bench.py [--pairs N] [--runs N] [NAME...]

Without a NAME all of these; each prints lines of `name value unit`, lines with # explain:

    other       packets that are no mail, one-byte ping-pong and bulk on port 9999: BPF time a
                packet, and that of an empty program: the difference is smtplimit's (aim: < 30 ns)
    smtp        packets of mail, small mails and mails of 1 MiB: BPF time a packet and, all hooks
                together, a mail (the hook of socket states sees the whole machine)
    pingpong    round trips a second of TCP that is no mail, with the daemon / without (aim: 0.99)
    small       small mails a second, with / without; one at a time, a connection each
    parallel    the same by 10 clients at once
    reused      the same, all mails of a client in one connection (aim for small mails: 0.97)
    large       mails of 1 MiB, with / without (aim: 0.99)
    verdict     from the 550 that crosses the line leaving the remote host to the first connect that
                is refused, and to the cut of the session that was open (aim: below 1 ms)
    session     kernel memory of an open session
    core        outcomes a second, and memory of an account (core.c)
    policy      look-ups a second of mail servers on one CPU (policy.c; aim: 10000)
    tls         HTTPS requests a second on the library that mail uses, while mail goes out over TLS
                by short-lived or by one long-lived process, and the web server's CPU time for a
                request: with / without (aim: 0.99); tls = process, library and off
    probes      BPF time of a probe, CPU time of a call of the library with its two probes, from
                connect() to the probes in a process, processes probed and freed a second

All of it runs in network namespaces of its own, over a veth pair. With and without alternate in
pairs, and the median of the pairs' ratios counts: a busy machine slows both. Ratios are of the time
by the clock and, steadier on a busy machine, of the CPU time of sender, receiver and daemon. Without
means unloaded: no program of this daemon is left. Sender, receiver and daemon share one CPU (not in
verdict): the daemon gets none for free. In tls the web server has a CPU of its own, where there are
two: it is the server's time that counts.
"""
import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import https  # noqa: E402
import load  # noqa: E402
import probes  # noqa: E402
import runstats  # noqa: E402
from host import BUILD, PYTHON, REMOTE4, TREE, Host, bpftool, sh  # noqa: E402
from ktap import EXIT_SKIP, Skip  # noqa: E402

PACKETS = ("smtpl_egress", "smtpl_ingress")
EMPTY = ("empty_egress", "empty_ingress")
CPUS = os.sched_getaffinity(0)
FAILURES = 5
FIRST_VERDICT_UID = 30000
SMALL = ("-s", 10)
REUSED = ("-s", 10, "-d")
MAILS_A_SECOND = 8       # over TLS; one user's processes get probes at up to 10 a second
HTTPS_SECONDS = 3
LARGE = ("-s", 2, "-d", "-l", 1 << 20)


def show(name, value, unit):
    print(name, f"{value:.4g}" if value < 1000 else f"{value:.0f}", unit, flush=True)


def explain(text):
    print(f"# {text}", flush=True)


# BPF time a packet

def attach_empty(host):
    """The empty programs beside the daemon's, for as long as the cgroup lives: {name: id}"""
    directory = host.bpffs / "empty"
    bpftool("prog", "loadall", load.BENCH / "empty.bpf.o", directory)
    ids = {}
    for name, hook in zip(EMPTY, ("cgroup_inet_egress", "cgroup_inet_ingress")):
        bpftool("cgroup", "attach", host.cgroup, hook, "pinned", directory / name, "multi")
        found = re.match(r"\d+", bpftool("prog", "show", "pinned", directory / name))
        ids[name] = int(found[0])
    return ids


def spent(host, ids, work, *arguments):
    """What a piece of work cost in these programs; a first, short one warms up."""
    work(host, *arguments)
    before = runstats.read(ids)
    work(host, *arguments)
    return runstats.read(ids) - before


def figure_other(host, _options):
    host.start()
    ids = {**runstats.pinned_programs(host), **attach_empty(host)}
    with runstats.enabled():
        for name, work, amount in (("pingpong", load.pingpong, 50000), ("bulk", load.bulk, 4096)):
            stats = spent(host, ids, work, amount)
            show(f"other_{name}_ns", stats.ns(*PACKETS), "ns/packet")
            show(f"other_{name}_empty_ns", stats.ns(*EMPTY), "ns/packet")
            show(f"other_{name}_net_ns", stats.ns(*PACKETS) - stats.ns(*EMPTY), "ns/packet")


def figure_smtp(host, _options):
    host.start()
    ids = {**runstats.pinned_programs(host), **attach_empty(host)}
    with runstats.enabled():
        for name, count, options in (("small", 3000, SMALL), ("reused", 10000, REUSED),
                                     ("large", 200, LARGE)):
            stats = spent(host, ids, load.mails, count, *options)
            show(f"smtp_{name}_ns", stats.ns(*PACKETS), "ns/packet")
            show(f"smtp_{name}_egress_ns", stats.ns(PACKETS[0]), "ns/packet")
            show(f"smtp_{name}_ingress_ns", stats.ns(PACKETS[1]), "ns/packet")
            show(f"smtp_{name}_empty_ns", stats.ns(*EMPTY), "ns/packet")
            show(f"smtp_{name}_packets", stats.runs(*PACKETS) / count, "packets/mail")
            for hook in EMPTY:
                del stats.of[hook]
            show(f"smtp_{name}_mail_ns", stats.whole_ns() / count, "ns/mail")


# throughput with and without

def cost(host, loaded, work, arguments):
    """Of a piece of work, with the daemon or without any trace of it."""
    if not loaded:
        return work(host, *arguments)
    host.start()
    try:
        return work(host, *arguments)
    finally:
        host.stop()
        host.cli("unload")


def ratios(name, unit, without, with_daemon):
    """The median of the pairs; as other work only ever adds time, the best of each as well."""
    pairs = [a / b for a, b in zip(without, with_daemon)]
    low, median, high = statistics.quantiles(pairs, n=4)
    explain(f"{name}: {len(pairs)} pairs, quartiles {low:.3f} and {high:.3f}; best of each "
            f"{min(without):.3f} s without, {min(with_daemon):.3f} s with: "
            f"{min(without) / min(with_daemon):.3f}")
    show(name, median, unit)


def compare(name, host, options, work, *arguments):
    """Speed with the daemon / without it, by the clock and by CPU time."""
    costs = {True: [], False: []}
    for loaded in (True, False):
        cost(host, loaded, work, arguments)
    for pair in range(options.pairs):
        for loaded in (True, False) if pair % 2 else (False, True):
            costs[loaded].append(cost(host, loaded, work, arguments))
    for suffix, field in (("", "wall_s"), ("_cpu", "cpu_s")):
        ratios(f"{name}{suffix}_ratio", "with/without", *([getattr(c, field) for c in costs[loaded]]
                                                         for loaded in (False, True)))


def figure_pingpong(host, options):
    compare("pingpong", host, options, load.pingpong, 25000)


def figure_small(host, options):
    compare("small", host, options, load.mails, 1500)


def figure_parallel(host, options):
    compare("parallel", host, options, load.mails, 2000, *SMALL)


def figure_reused(host, options):
    compare("reused", host, options, load.mails, 8000, *REUSED)


def figure_large(host, options):
    compare("large", host, options, load.mails, 100, *LARGE)


# the rest

def verdict_once(host, uid):
    command = [load.BENCH / "verdict", "/run/netns/remote", "198.51.100.25", uid, FAILURES]
    done = host.run_as(None, command)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return [int(ns) / 1000 for ns in done.stdout.split()]


def figure_verdict(host, options):
    host.write_conf({"limit": {"min_failures": FAILURES}})
    host.start()
    runs = [verdict_once(host, FIRST_VERDICT_UID + n) for n in range(options.runs)]
    for name, times in zip(("verdict", "verdict_cut"), zip(*runs)):
        show(f"{name}_us", statistics.median(times), "us")
        show(f"{name}_p90_us", statistics.quantiles(times, n=10)[-1], "us")
    explain(f"median and 90th percentile of {options.runs} runs")


def option_memory(host):
    """Bytes of memory that the kernel accounts to options and storage of the socket to port 25."""
    shown = sh("nsenter", "--net=/run/netns/sender", "ss", "-Htnm", "dport = :25")
    found = re.findall(r"skmem:\([^)]*\bo(\d+)", shown)
    if len(found) != 1:
        raise RuntimeError(f"not one socket to port 25: {shown}")
    return int(found[0])


def figure_session(host, _options):
    host.start()
    hold = [PYTHON, "-c", "import socket, sys; s = socket.create_connection((sys.argv[1], 25)); "
            "print(s.recv(3).decode(), flush=True); sys.stdin.read()", REMOTE4]
    client = host.popen_as(load.UID, hold, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if client.stdout.readline() != "220\n":
        raise RuntimeError("no session")
    show("session_bytes", option_memory(host), "bytes/session")
    client.communicate()


# TLS

def set_tls(host, mode):
    host.write_conf({"watch": {"tls": mode}})


def figure_tls(host, options):
    https.start_web(host, max(CPUS))
    for mode, how in (("process", "short"), ("process", "long"), ("library", "long"),
                      ("off", "long")):
        set_tls(host, mode)
        for kind, keep in (("kept", True), ("fresh", False)):
            compare(f"tls_{mode}_{how}_{kind}", host, options, https.requests, HTTPS_SECONDS, keep,
                    how, MAILS_A_SECOND)
        explain(f"tls_{mode}_{how}: of {host.mails['sent']} mails sent so far with the daemon "
                f"{host.mails['seen']} were in TLS sessions that it saw, {host.mails['late']} late")


def figure_way(host, options, way):
    probes.start(host, way)
    with runstats.enabled():
        stats, ids = probes.spent(host)
    for hook in stats.of:
        show(f"probes_{way}_{hook.removeprefix('smtpl_')}_ns", stats.ns(hook), "ns/run")
    times = [probes.attach_ms(host) for _ in range(options.runs)]
    show(f"probes_{way}_attach_ms", statistics.median(times), "ms")
    show(f"probes_{way}_attach_p90_ms", statistics.quantiles(times, n=10)[-1], "ms")
    for users in (1, 8):
        for name, value in probes.rates(host, users, ids["smtpl_tls_probe"]).items():
            show(f"probes_{way}_{users}_users_{name}", value, "1/s" if "_per_" in name else "s")
    probes.stop(host)


def figure_probes(host, options):
    probes.map_library(host)
    for way in probes.WAYS:
        try:
            figure_way(host, options, way)
        except Skip as why:
            explain(str(why))
    with_probes, without = (probes.call_us(host, mode) for mode in ("process", "off"))
    show("probes_call_us", with_probes - without, "us/call")
    explain(f"CPU time of the client for a call: {without:.1f} us without, {with_probes:.1f} with")


def run_alone(name):
    program = load.BENCH / name
    if not program.exists():
        raise Skip(f"{name}.c is not built")
    sys.stdout.write(sh(program))


def figure_core(_host, _options):
    run_alone("core")


def figure_policy(_host, _options):
    run_alone("policy")


FIGURES = {name.removeprefix("figure_"): function for name, function in list(globals().items())
           if name.startswith("figure_")}


def measure(name, options):
    """Each figure in a host of its own: no account, port or program of another one."""
    if name in ("core", "policy"):
        return FIGURES[name](None, options)
    # One CPU for all of it: the daemon gets none for free, and no idle CPU has to be woken. But
    # verdict.c tries without a pause, while the daemon is to judge.
    alone = {max(CPUS)}
    os.sched_setaffinity(0, {"verdict": CPUS, "tls": CPUS - alone or CPUS}.get(name, alone))
    # The tests' own server is on another port: another one has 25, verdict.c another address.
    with Host(server={"ports": [2525]}) as host:
        (https.start if name in ("tls", "probes") else load.start_servers)(host)
        return FIGURES[name](host, options)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, usage=argparse.SUPPRESS,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15, help="pairs with and without (15)")
    parser.add_argument("--runs", type=int, default=40, help="runs of verdict (40)")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    options = parser.parse_args()
    for name in options.names:
        if name not in FIGURES:
            parser.error(f"no such figure: '{name}' (there are {', '.join(FIGURES)})")
    if options.pairs < 2 or options.runs < 2:
        parser.error("a median needs at least two values")
    return options


def main():
    options = parse_options()
    # A signal unwinds: nothing may stay behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: sys.exit(128 + n))
    explain(f"kernel {os.uname().release}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    sh("make", "-s", "-C", TREE / "selftests", "bench", f"O={BUILD}")
    status = 0
    for name in options.names or FIGURES:
        try:
            measure(name, options)
        except Skip as why:
            explain(f"{name}: skipped: {why}")
            status = EXIT_SKIP
    return status


if __name__ == "__main__":
    sys.exit(main())
