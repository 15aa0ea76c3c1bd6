# SPDX-License-Identifier: GPL-2.0-only
"""What TLS costs those who do not speak SMTP: a web server on the host, visited from the remote
side, while mail goes out over TLS.

All of it uses copies of the TLS libraries: the host's processes those that are bind-mounted over
the machine's own (in the mount namespace of this process, and the prober's with it), the remote
side others. The probes of a run are in no other process of the machine.
"""
import glob
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import system
from clients import need
from host import PYTHON, REMOTE4, SENDER4, sh
from load import BENCH, UID, Cost

MS_BIND = 4096
REQUESTS = 1000         # figures are of so many
GREETING_MS = 100       # as over a real network
SMTP = Path(__file__).with_name("smtp_tls.py")
PAGE_BYTES = 10000
# Where the daemon's prober looks for libraries, and those of the remote side.
LIBRARIES = ("/usr/lib/*/libssl*.so*", "/usr/lib/*/libgnutls*.so*",
             "/usr/local/lib/libssl*.so*", "/usr/local/lib/libgnutls*.so*")
CONF = """
daemon off; master_process off; pid {dir}/pid; error_log stderr; user root;
events {{ }}
http {{
    access_log off; keepalive_requests 1000000000; root {dir};
    client_body_temp_path {dir}/1; proxy_temp_path {dir}/2; fastcgi_temp_path {dir}/3;
    uwsgi_temp_path {dir}/4; scgi_temp_path {dir}/5;
    server {{ listen {address}:443 ssl; ssl_certificate {pem}; ssl_certificate_key {pem}; }}
}}
"""


def private_libraries(host):
    """The machine's own are left alone. The environment of the remote side."""
    near, far = host.dir / "near", host.dir / "far"
    for directory in (near, far):
        directory.mkdir()
    for real in sorted({os.path.realpath(p) for pattern in LIBRARIES for p in glob.glob(pattern)}):
        copy = near / Path(real).name
        shutil.copy2(real, copy)
        system.mount(str(copy), real, None, MS_BIND)
        host.cleanups.append(lambda real=real: system.umount(real))
        shutil.copy2(real, far)
    return {**os.environ, "LD_LIBRARY_PATH": str(far)}


def start(host):
    """The remote's mail server, with STARTTLS."""
    host.far = private_libraries(host)
    host.mails = Counter()
    host.pem = host.make_certificate()
    log = host.dir / "smtp_smoke.log"
    command = [BENCH / "smtp_smoke", "server", "-c", host.pem, "-g", GREETING_MS, 25]
    with open(log, "wb") as out:
        host.popen_as(None, command, netns="remote", cgroup=False, env=host.far, stdout=out)
    system.wait_for(lambda: b"listening" in log.read_bytes(), 10, "smtp_smoke to listen")


def start_web(host, cpu):
    directory = host.dir / "web"
    directory.mkdir()
    (directory / "page").write_bytes(b"x" * PAGE_BYTES)
    conf = directory / "conf"
    conf.write_text(CONF.format(dir=directory, pem=host.pem, address=SENDER4[0]), encoding="ascii")
    host.web = host.popen_as(None, [need("nginx"), "-c", conf])
    os.sched_setaffinity(host.web.pid, {cpu})
    system.wait_for(lambda: sh("nsenter", "--net=/run/netns/sender", "ss", "-Hltn", "sport = :443"),
                    10, "nginx to listen")


def cpu_s(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def start_smtp(host, how, rate, uid=UID):
    """Mail over TLS, `rate` a second, by `how` ("short" or "long") processes."""
    child = host.popen_as(uid, [PYTHON, SMTP, how, rate, REMOTE4, BENCH / "smtp_smoke"], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if child.stdout.readline() != "delivered\n":
        raise RuntimeError("no mail goes out over TLS")
    return child


def stop_smtp(child):
    """How many mails it delivered."""
    said = child.communicate()[0].split()
    if child.returncode or not said:
        raise RuntimeError("a mail was not delivered over TLS")
    return int(said[-1])


def visit(host, seconds, keep):
    """Cost of REQUESTS requests: by the clock, and of the server's CPU."""
    fresh = [] if keep else ["-H", "Connection: close"]
    cpu = cpu_s(host.web.pid)
    done = host.run_as(None, [need("wrk"), "-t1", "-c4", f"-d{seconds}", *fresh,
                              f"https://{SENDER4[0]}/page"],
                       netns="remote", cgroup=False, env=host.far)
    cpu = cpu_s(host.web.pid) - cpu
    count = re.search(r"(\d+) requests in ", done.stdout)
    rate = re.search(r"Requests/sec: +([\d.]+)", done.stdout)
    if done.returncode or not rate or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"wrk: {done.stdout} {done.stderr}")
    return Cost(REQUESTS / float(rate[1]), REQUESTS * cpu / int(count[1]))


def requests(host, seconds, keep, how, rate):
    """Visits, while mail goes out over TLS."""
    smtp = start_smtp(host, how, rate)
    try:
        cost = visit(host, seconds, keep)
    finally:
        delivered = stop_smtp(smtp)
    if host.daemon and host.daemon.poll() is None:
        stats = host.status()["stats"]
        host.mails.update(sent=delivered, seen=stats["tls_sessions"], late=stats["tls_late"])
    return cost
