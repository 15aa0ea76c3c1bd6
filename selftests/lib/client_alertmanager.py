# SPDX-License-Identifier: GPL-2.0-only
"""Mail by Prometheus' Alertmanager, whose SMTP and TLS are Go's own. Arguments: PROGRAM DIRECTORY; a job
(clients_tls.py) on stdin. Each message is an alert. Ends when all were taken by the server."""
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

program, directory = sys.argv[1], Path(sys.argv[2])
job = json.load(sys.stdin)
messages = job["messages"]
url = "http://127.0.0.1:9093"


def config():
    """JSON is YAML."""
    return {
        "global": {"smtp_smarthost": f"{job['to']}:{job['port']}", "smtp_hello": job["ehlo"],
                   "smtp_from": "nobody@one.test", "smtp_require_tls": job["transport"] == "starttls"},
        "route": {"receiver": "0", "group_by": ["number"], "group_wait": "1ms",
                  "routes": [{"receiver": str(n), "matchers": [f'number="{n}"']}
                             for n in range(len(messages))]},
        "receivers": [{"name": str(n), "email_configs": [
            {"from": sender, "to": ", ".join(rcpts), "tls_config": {"insecure_skip_verify": True}}]}
            for n, (sender, rcpts) in enumerate(messages)],
    }


def ask(path, data=None):
    request = urllib.request.Request(url + path, json.dumps(data).encode() if data else None,
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def ready():
    try:
        return ask("/-/ready")
    except OSError:
        return None


def notified():
    """Tries that are done with: (all, failed)."""
    counts = {}
    for line in ask("/metrics").splitlines():
        name, _, value = line.rpartition(" ")
        if 'integration="email"' in name:
            counts[name.partition("{")[0]] = int(float(value))
    return (counts.get("alertmanager_notification_requests_total"),
            counts.get("alertmanager_notification_requests_failed_total"))


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end or child.poll() is not None:
            sys.exit(f"client_alertmanager: not within 30 s, exit {child.poll()}, {condition.__name__}")
        time.sleep(0.05)


def all_sent():
    return notified() == (len(messages), 0)


(directory / "config").write_text(json.dumps(config()))
child = subprocess.Popen([program, f"--config.file={directory}/config", f"--storage.path={directory}",
                          "--web.listen-address=127.0.0.1:9093", "--cluster.listen-address="],
                         stderr=subprocess.STDOUT)
try:
    until(ready)
    ask("/api/v2/alerts", [{"labels": {"number": str(n)}} for n in range(len(messages))])
    until(all_sent)
finally:
    child.terminate()
    child.wait()
