# SPDX-License-Identifier: GPL-2.0-only
"""Real mail clients over every transport: in the clear, STARTTLS, TLS from the first byte. Each sends the
same mix of messages, over one connection where it can, and whatever becomes of them.

A client's program gets a job: {"to", "port", "ehlo", "transport", "messages": [[sender, [rcpt, ...]]]}.
"""
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from clients import MESSAGE, need
from host import LIB, PYTHON, REMOTE4, sh
from ktap import Skip
from mta_tree import Tree

PORTS = {"plain": 25, "starttls": 587, "implicit": 465}
PHPMAILER = Path("/usr/share/php/libphp-phpmailer/autoload.php")
NODEMAILER = Path("/usr/share/nodejs/nodemailer")


class Mix:
    """Messages with every outcome that the server can be asked for (script.py)."""

    def __init__(self, tag, domain="far.test"):
        self.messages = []      # (sender, recipients)
        self.outcomes = []      # what must become of each try: (sender, recipient, outcome)
        self.tag, self.domain = tag, domain

    def add(self, sender, *acts):
        """One message with a recipient for each act, of which DATA's and the dot's go for all."""
        whole = next((act for act in acts if act[:1] in ("d", "e")), None)
        rcpts = []
        for act in acts:
            name = f"n{len(self.outcomes)}.{self.tag}@{self.domain}"
            rcpts.append(f"{act}-{name}" if act else name)
            self.outcomes += [(sender, rcpts[-1], outcome) for outcome in outcomes(whole or act)]
        self.messages.append((sender, rcpts))
        return self


def outcomes(act):
    """Of the tries, one after the other, that an act is for."""
    words = {"": "delivered", "2": "delivered", "4": "deferred", "5": "failed"}
    return [words[reply[:1]] for reply in act[1:].split("+")]


def full_mix(tag):
    mix = Mix(tag)
    mix.add("user@one.test", "", "")
    mix.add("user@one.test", "r550.5.1.1", "", "r450.4.2.1")
    mix.add("user@two.test", "d451.4.3.0")
    mix.add("user@two.test", "e554.5.7.1", "")
    mix.add("user@one.test", "r550")
    mix.add("other@one.test", "e452.4.3.1")
    mix.add("user@two.test", "")
    return mix


def alone_mix(tag):
    """For clients that give a message up as a whole when one recipient is refused."""
    mix = Mix(tag)
    mix.add("user@one.test", "", "")
    for sender, act in (("user@one.test", "r550.5.1.1"), ("user@two.test", "r450.4.2.1"),
                        ("user@two.test", "d451.4.3.0"), ("user@two.test", "")):
        mix.add(sender, act)
    return mix.add("user@one.test", "e554.5.7.1", "")


@dataclass
class Client:
    """One that is run by a function send(host, uid, transport, messages), which returns what became of
    its processes. make(host): what has to be done once before."""
    name: str
    library: str
    send: Callable
    mix: Callable = full_mix
    make: Callable = lambda host: None
    named: bool = False     # its uid must have a name
    seen: bool = True       # else its TLS sessions are opaque


def job_of(uid, transport, messages, to=REMOTE4):
    return {"to": to, "port": PORTS[transport], "ehlo": f"u{uid}.test", "transport": transport,
            "messages": messages}


def run_job(host, uid, command, job):
    return [host.run_as(uid, command, json.dumps(job))]


def smtplib(host, uid, transport, messages):
    return run_job(host, uid, [PYTHON, LIB / "client_smtplib.py"], job_of(uid, transport, messages))


def aiosmtplib(host, uid, transport, messages):
    """Three connections at once in one event loop."""
    if not Path("/usr/lib/python3/dist-packages/aiosmtplib").exists():
        raise Skip("python3-aiosmtplib is not installed")
    jobs = [job_of(uid, transport, messages[n::3]) for n in range(3)]
    return run_job(host, uid, [PYTHON, LIB / "client_aiosmtplib.py"], jobs)


def phpmailer(host, uid, transport, messages):
    if not PHPMAILER.exists():
        raise Skip("libphp-phpmailer is not installed")
    return run_job(host, uid, [need("php"), LIB / "client_phpmailer.php"],
                   job_of(uid, transport, messages))


def nodemailer(host, uid, transport, messages):
    if not NODEMAILER.exists():
        raise Skip("node-nodemailer is not installed")
    return run_job(host, uid, [need("node"), LIB / "client_nodemailer.js"],
                   job_of(uid, transport, messages))


def swaks(host, uid, transport, messages, more=()):
    tls = {"plain": [], "starttls": ["--tls"], "implicit": ["--tls-on-connect"]}[transport]
    done = []
    for sender, rcpts in messages:
        done.append(host.run_as(uid, [
            need("swaks"), "--server", REMOTE4, "--port", PORTS[transport], "--ehlo", f"u{uid}.test",
            "--from", sender, "--to", ",".join(rcpts), "--timeout", "20", *tls, *more]))
    return done


def swaks_pipelining(host, uid, transport, messages):
    return swaks(host, uid, transport, messages, ["--pipeline"])


def make_message(host):
    (host.dir / "message").write_text(MESSAGE.format(sender="x@x.test", rcpt="y@y.test"), "ascii")


def curl(host, uid, transport, messages):
    """One process, which uses its connection again."""
    scheme = "smtps" if transport == "implicit" else "smtp"
    command = ["/usr/bin/curl", "-sSv"]
    for number, (sender, rcpts) in enumerate(messages):
        command += ["--next"] if number else []
        command += ["--crlf", f"{scheme}://{REMOTE4}:{PORTS[transport]}/u{uid}.test", "--insecure",
                    "--mail-from", sender, "--mail-rcpt-allowfails", "--upload-file", host.dir / "message"]
        command += ["--ssl-reqd"] if transport == "starttls" else []
        for rcpt in rcpts:
            command += ["--mail-rcpt", rcpt]
    return [host.run_as(uid, command)]


def msmtp(host, uid, transport, messages):
    tls = {"plain": ["--tls=off"], "starttls": ["--tls=on", "--tls-starttls=on"],
           "implicit": ["--tls=on", "--tls-starttls=off"]}[transport]
    return [host.run_as(uid, [
        need("msmtp"), "--file=/dev/null", f"--host={REMOTE4}", f"--port={PORTS[transport]}",
        f"--domain=u{uid}.test", f"--from={sender}", "--tls-certcheck=off", "--timeout=20", *tls, "--",
        *rcpts], MESSAGE.format(sender=sender, rcpt=rcpts[0])) for sender, rcpts in messages]


def s_nail(host, uid, transport, messages):
    scheme = "smtps" if transport == "implicit" else "smtp"
    settings = ["v15-compat", f"mta={scheme}://x@{REMOTE4}:{PORTS[transport]}", "smtp-auth=none",
                f"hostname=u{uid}.test", "tls-verify=ignore"]
    settings += ["smtp-use-starttls"] if transport == "starttls" else []
    options = [word for setting in settings for word in ("-S", setting)]
    return [host.run_as(uid, [need("s-nail"), "-:/", "-v", "-s", "test", *options, "-r", sender,
                              *rcpts], "hello\n") for sender, rcpts in messages]


def make_openssl(kind, *options):
    """A function that compiles the client that has OpenSSL in its own executable."""
    def make(host):
        if not Path("/usr/include/openssl/ssl.h").exists():
            raise Skip("libssl-dev is not installed")
        sh("cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-s", *options, "-o",
           host.dir / kind, LIB / "client_openssl.c", "-l:libssl.a", "-l:libcrypto.a")
    return make


def openssl_inside(host, uid, transport, messages, kind="exported", to=REMOTE4):
    lines = "".join(" ".join([sender, *rcpts]) + "\n" for sender, rcpts in messages)
    return [host.run_as(uid, [host.dir / kind, to, PORTS[transport], f"u{uid}.test", transport], lines)]


OPAQUE = "198.51.100.9"     # what is said there inside TLS nobody tallies


def openssl_stripped(host, uid, transport, messages):
    return openssl_inside(host, uid, transport, messages, "stripped", OPAQUE)


def good_mix(tag):
    """For clients that try again until all is delivered."""
    return Mix(tag).add("user@one.test", "", "").add("user@two.test", "")


TREE = "prometheus-alertmanager"
_alertmanager = threading.Lock()    # it has a port of its own


def make_tree(host):
    """A container: PID and mount namespaces, an overlay as its root, and in it what is not installed."""
    if not hasattr(host, "tree"):
        host.tree = Tree(host, TREE)


def alertmanager(host, uid, transport, messages):
    home = f"/home/{uid}"
    host.tree.directory(home, f"{uid}:{uid}", 0o755)
    with _alertmanager:
        return run_job(host.tree, uid, [PYTHON, LIB / "client_alertmanager.py", f"/usr/bin/{TREE}", home],
                       job_of(uid, transport, messages, OPAQUE))


def smtplib_in_tree(host, uid, transport, messages):
    return smtplib(host.tree, uid, transport, messages)


CLIENTS = [
    Client("Python smtplib", "OpenSSL", smtplib),
    Client("Python, in a container", "OpenSSL", smtplib_in_tree, make=make_tree),
    Client("aiosmtplib", "OpenSSL, event loop", aiosmtplib),
    Client("swaks", "OpenSSL, Net::SSLeay", swaks),
    Client("swaks, PIPELINING", "OpenSSL, Net::SSLeay", swaks_pipelining),
    Client("PHPMailer", "OpenSSL", phpmailer),
    Client("curl", "OpenSSL", curl, make=make_message),
    Client("msmtp", "GnuTLS", msmtp, alone_mix),
    Client("s-nail", "OpenSSL", s_nail, alone_mix, named=True),
    Client("nodemailer", "OpenSSL", nodemailer),
    Client("executable with OpenSSL", "its own, exported", openssl_inside,
           make=make_openssl("exported", "-rdynamic")),
    Client("static, stripped", "its own, no symbols", openssl_stripped,
           make=make_openssl("stripped"), seen=False),
    Client("Alertmanager", "Go", alertmanager, good_mix, make_tree, seen=False),
]
