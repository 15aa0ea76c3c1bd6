# SPDX-License-Identifier: GPL-2.0-only
"""What the probes on TLS libraries cost, for bench.py: a run of them, a call of the library, the
time until they are in a process, and how many processes a second get them and are rid of them."""
import json
import os
import subprocess
import time

import https
import runstats
from clients import need
from host import PYTHON, REMOTE4
from ktap import Skip
from load import UID
from system import wait_for

WAYS = {"multi": "uprobe_multi", "perf": "perf_uprobe"}
ROUNDS = 5000
NOBODY = 65534
RATE, SECONDS = 40, 5       # short processes, more than get probes
# Connects, tells when; then TLS, and as many NOOPs as a line says, and what CPU time they took.
CLIENT = """
import smtplib, ssl, sys, time
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
began = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
smtp = smtplib.SMTP(sys.argv[1], 25, "bench.test")
print(began, flush=True)
for line in sys.stdin:
    if not isinstance(smtp.sock, ssl.SSLSocket):
        smtp.starttls(context=context)
    began = time.process_time_ns()
    for _ in range(int(line)):
        smtp.noop()
    print(time.process_time_ns() - began, flush=True)
"""


def start(host, way):
    """The daemon, made to attach this way."""
    host.write_conf({"watch": {"tls": "process"}})
    os.environ["SMTPLIMIT_TLS_WAY"] = way
    try:
        host.start()
    finally:
        del os.environ["SMTPLIMIT_TLS_WAY"]
    got = host.status()["tls"]["way"]
    if got != WAYS[way]:
        stop(host)
        raise Skip(f"probes by {WAYS[way]} cannot be had: {got}")


def stop(host):
    host.stop()
    host.cli("unload")


class Client:
    """A process in an SMTP session that is not yet under TLS."""

    def __init__(self, host):
        self.host = host
        self.child = host.popen_as(UID, [PYTHON, "-c", CLIENT, REMOTE4], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.began_ns = int(self.child.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait()

    def probed_ns(self):
        """When the probes were in it."""
        def entry():
            value = self.host.map("smtpl_tls_pids").get(self.child.pid)
            return value and value["files"] and value["since_ns"]
        return wait_for(entry, 30, "probes in a process")

    def noops(self, count):
        self.child.stdin.write(f"{count}\n")
        self.child.stdin.flush()
        return int(self.child.stdout.readline())


def attach_ms(host):
    with Client(host) as client:
        return (client.probed_ns() - client.began_ns) / 1e6


def spent(host):
    """Of the programs that run for a probed process: their statistics, and {name: id}."""
    with Client(host) as client:
        client.probed_ns()
        client.noops(100)
        ids = {name: number for name, number in runstats.pinned_programs(host).items()
               if "tls" in name}
        before = runstats.read(ids)
        client.noops(ROUNDS)
        return runstats.read(ids) - before, ids


def call_us(host, mode):
    """CPU time of the client for a call of the library: a NOOP writes once and reads once."""
    host.write_conf({"watch": {"tls": mode}})
    host.start()
    try:
        with Client(host) as client:
            if mode != "off":
                client.probed_ns()
            client.noops(100)
            return min(client.noops(ROUNDS) for _ in range(5)) / (2 * ROUNDS) / 1000
    finally:
        stop(host)


def in_kernel(program):
    """Is anything attached? What has no pin any more may still be being taken out. bpftool says
    `error` of a link that goes while it looks."""
    command = [need("bpftool"), "-j", "link", "show"]
    links = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    return any("error" in link or link["prog_id"] == program for link in links)


def rates(host, users, program):
    """Short processes of so many users: {what: figure}. Not all of them get probes."""
    before, began = host.status()["tls"], time.monotonic()
    loads = [https.start_smtp(host, "short", RATE / users, UID + n) for n in range(users)]
    time.sleep(SECONDS)
    delivered = sum(https.stop_smtp(child) for child in loads)
    took_s = time.monotonic() - began
    after, began = host.status()["tls"], time.monotonic()
    wait_for(lambda: not in_kernel(program), 300, "all probes to be taken out")
    figures = {f"{name}_per_s": (after[name] - before[name]) / took_s
               for name in ("probed", "skipped", "failed")}
    return {"mails_per_s": delivered / took_s, **figures, "taken_out_s": time.monotonic() - began}


def map_library(host):
    """A process that sends no mail, and is no mail server's: so that the daemon does not attach to the
    library for all, which it does by itself where only senders map it."""
    host.popen_as(NOBODY, [PYTHON, "-c", "import ssl, sys; sys.stdin.read()"], stdin=subprocess.PIPE)
