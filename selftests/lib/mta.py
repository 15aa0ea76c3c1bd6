# SPDX-License-Identifier: GPL-2.0-only
"""Real mail servers for tests, each in a tree of its own (mta_tree.py): Exim, Postfix, OpenSMTPD,
Sendmail, with the configuration that their Debian packages would have made and short schedules.

    with Host({"watch": {"relay_users": "Debian-exim"}}) as host:
        Dns(host, {"far.test": ["198.51.100.1", "198.51.100.2"]})
        server = Exim(host)             before host.start(): makes the users that both know
        host.start()
        server.configure()
        server.start()
        server.sendmail(ALICE, "alice@alice.test", ["bob@far.test"])
        server.swaks(ALICE, "alice@alice.test", ["bob@far.test"], auth="alice")
        wait_for(lambda: not server.queue(), ...)

Domains of the remote are whatever Dns() was told; its server (server.py) answers as the recipients'
names say. Mail for NAME@mail.sender.test, and for users of alice.test etc., is local: mailbox(NAME).
SMTP AUTH knows every customer by name, with the password "secret".
"""
import contextlib
import itertools
import re
import shutil
import subprocess
import sys

import clients
import postfix_tally
from host import PYTHON, Host
from mta_tree import DOMAINS, HOSTNAME, Dns, Tree, USERS, program
from system import wait_for

__all__ = ["ALICE", "BOB", "CAROL", "DAVE", "Dns", "Exim", "Opensmtpd", "Postfix", "SECRET", "SERVERS",
           "Sendmail", "hooked"]
ALICE, BOB, CAROL, DAVE = USERS.values()
NAMES = {uid: name for name, uid in USERS.items()}
SECRET = "secret"
LOCAL_DOMAINS = [HOSTNAME, "localhost", *DOMAINS]

LISTENING = """
import socket, sys, time
end = time.monotonic() + 30
while True:
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as s:
            sys.exit(0 if s.recv(3) == b"220" else "no greeting")
    except OSError as error:
        if time.monotonic() > end:
            sys.exit(str(error))
    time.sleep(0.02)
"""

_marks = itertools.count(1)

MESSAGE = "From: <{sender}>\nTo: {to}\nSubject: test\n\nhello\n"

PHP_MAIL = "exit(mail($argv[1], 'test', 'hello', 'From: ' . $argv[2], $argv[3]) ? 0 : 1);"


class Mta:
    """What the servers have in common. uid: whom the kernel sees delivering."""
    name = user = None
    removed = ()
    run_queue_command = None
    submission_port = 587
    has_auth = True

    def __init__(self, host):
        self.host = host
        self.tree = Tree(host, self.name, self.removed)
        self.uid = int(next(row.split(":")[2] for row in host.passwd["passwd"].splitlines()
                            if row.startswith(f"{self.user}:")))
        self.helo = f"u{self.uid}.sender.test"
        self.process = None

    # life

    def start(self):
        with open(self.host.dir / f"{self.name}.out", "a", encoding="utf-8") as out:
            self.process = self.tree.popen(self.daemon_command(), stdout=out, stderr=out)
        self.wait_listening()

    def wait_listening(self, port=25):
        done = self.host.run_as(None, [PYTHON, "-c", LISTENING, port], cgroup=False)
        if done.returncode:
            print(f"# {self.name}: {done.stderr.strip()}\n{self.output()}", file=sys.stderr)
            raise RuntimeError(f"{self.name} does not listen on port {port}: {done.stderr.strip()}\n"
                               f"{self.output()}\n{self.log()}")

    def stop(self):
        self.tree.terminate(self.process)

    def reload(self):
        """Have the running server read its configuration anew; by default, another one."""
        self.stop()
        self.start()

    def output(self):
        path = self.host.dir / f"{self.name}.out"
        return path.read_text("utf-8", "backslashreplace") if path.exists() else ""

    # smtplimit's hook

    def hook(self, *options):
        """`smtplimit hook` for this server: a CompletedProcess."""
        command = [self.tree.path("usr/sbin/smtplimit"), "-c", self.host.conf, "hook", self.name,
                   "--root", self.tree.root, *options]
        return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              check=False)

    def install_hook(self):
        done = self.hook("--install")
        if done.returncode:
            raise RuntimeError(f"hook {self.name} --install: {done.stdout}{done.stderr}")

    def diagnosis(self):
        """What to print when a test fails."""
        return (f"-- {self.name}:\n{self.output()[-4000:]}\n-- its log:\n{self.log()[-8000:]}\n"
                f"-- smtplimit:\n{self.host.log()[-4000:] if self.host.log_path else ''}")

    # mail in

    def sendmail(self, uid, sender, rcpts, more=(), text=None):
        """One message through sendmail(1)."""
        text = text or MESSAGE.format(sender=sender, to=", ".join(rcpts))
        command = ["/usr/sbin/sendmail", "-i", *more, "-f", sender, "--", *rcpts]
        return self.tree.run(command, uid=uid, stdin=text)

    def php_mail(self, uid, sender, rcpt):
        """One message through PHP's mail(), which runs sendmail(1)."""
        program("php")
        command = ["php", "-d", "sendmail_path=/usr/sbin/sendmail -t -i", "-r", PHP_MAIL, "--", rcpt,
                   sender, f"-f{sender}"]
        return self.tree.run(command, uid=uid)

    def swaks(self, uid, sender, rcpts, auth=None, port=None, to="127.0.0.1", more=()):
        """One message over loopback SMTP; with auth=NAME as that customer on the submission port."""
        options = ["--ehlo", "client.test", *more]
        if auth:
            options += ["--auth", "PLAIN", "--auth-user", auth, "--auth-password", SECRET]
        port = port or (self.submission_port if auth else 25)
        return clients.swaks(self.host, uid, sender, rcpts, to=to, port=port, more=options)

    def swaks_from_remote(self, sender, rcpts, more=()):
        """One message that another host brings in."""
        command = [program("swaks"), "--server", "203.0.113.2", "--ehlo", "elsewhere.test", "--from",
                   sender, "--to", ",".join(rcpts), "--timeout", "20", *more]
        return clients._sent(self.host.run_as(None, command, netns="remote", cgroup=False))

    # state

    def queue(self):
        """What waits: one entry a message."""
        done = self.tree.run(self.queue_command)
        return self.queue_entry.findall(done.stdout)

    def wait_queue_empty(self, timeout=30):
        wait_for(lambda: not self.queue(), timeout, f"{self.name}'s queue to be empty")

    def drain(self, timeout=30):
        """Wait until the queue is empty; run it meanwhile, as not everybody's own schedule is short."""
        def empty():
            if self.run_queue_command:
                self.tree.run(self.run_queue_command)
            return not self.queue()
        wait_for(empty, timeout, f"{self.name}'s queue to be empty")

    def log(self):
        return self.tree.read(self.log_path)

    def mailbox(self, name):
        return self.tree.read(f"var/mail/{name}")

    log_path = "var/log/mail.log"


def make_sasldb(tree):
    """Cyrus SASL's own file of passwords."""
    program("saslpasswd2")
    for name in USERS:
        tree.run(["saslpasswd2", "-p", "-c", "-u", HOSTNAME, name], stdin=SECRET, check=True)
    tree.own("etc/sasldb2", "root:root", 0o600)


class Exim(Mta):
    """Debian's split configuration. Own parts go into conf.d by tree.write() before configure()."""
    name, user = "exim", "Debian-exim"
    queue_command = ["exim4", "-bp"]
    queue_entry = re.compile(r"^ *\S+ +\S+ (\S+-\S+-\S+) <", re.MULTILINE)
    run_queue_command = ["exim4", "-qff"]
    log_path = "var/log/exim4/mainlog"
    config = "/var/lib/exim4/config.autogenerated"
    auth = """test_plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = "${{if and {{{{eq{{$auth3}}{{{secret}}}}}{{inlist{{$auth2}}{{{users}}}}}}}}}"
  server_set_id = $auth2
  server_prompts = :
  server_advertise_condition = true
"""

    def __init__(self, host, split=True):
        super().__init__(host)
        self.split = split
        tree = self.tree
        for path, group, mode in (("var/log/exim4", "adm", 0o2750), ("run/exim4", self.user, 0o750),
                                  *((f"var/spool/exim4{sub}", self.user, 0o750)
                                    for sub in ("", "/db", "/input", "/msglog"))):
            tree.directory(path, f"{self.user}:{group}", mode)
        tree.directory("var/lib/exim4", "root:root", 0o755)
        tree.write("etc/exim4/passwd.client", "", 0o640, f"root:{self.user}")
        tree.write("etc/exim4/update-exim4.conf.conf", f"""dc_eximconfig_configtype='internet'
dc_other_hostnames='{":".join(LOCAL_DOMAINS[1:])}'
dc_local_interfaces=''
dc_relay_nets='127.0.0.0/8'
dc_use_split_config='{"true" if split else "false"}'
dc_localdelivery='mail_spool'
CFILEMODE='644'
""")
        tree.write("etc/exim4/" + ("conf.d/main/000_test" if split else "exim4.conf.localmacros"), f"""MAIN_HARDCODE_PRIMARY_HOSTNAME = {HOSTNAME}
REMOTE_SMTP_HELO_DATA = {self.helo}
""")
        auth = self.auth.format(secret=SECRET, users=":".join(USERS))
        if split:
            tree.write("etc/exim4/conf.d/auth/90_test", auth)
            tree.write("etc/exim4/conf.d/retry/00_test", "* * F,1h,1s\n")
        else:
            template = tree.read("etc/exim4/exim4.conf.template")
            template = template.replace("begin authenticators\n", "begin authenticators\n\n" + auth)
            template = template.replace("begin retry\n", "begin retry\n\n* * F,1h,1s\n")
            tree.write("etc/exim4/exim4.conf.template", template)

    def configure(self):
        self.tree.run(["update-exim4.conf"], check=True)

    def daemon_command(self):
        return ["exim4", "-bdf", "-q1s", "-oX", "25:587", "-oP", "/run/exim4/exim.pid"]


class Postfix(Mta):
    """Debian's master.cf, which chroots most services; settings: those of main.cf, to be changed before
    configure(). What it would try again while smtp(8) has it open waits for minutes: so its queue is not
    flushed, and the backoff, in whole seconds, is more than one."""
    name, user = "postfix", "postfix"
    removed = ("etc/postfix", "var/spool/postfix", "var/lib/postfix")
    queue_command = ["postqueue", "-j"]
    queue_entry = re.compile(r'"queue_id": "(\w+)"')

    def __init__(self, host, settings=None):
        super().__init__(host)
        tree = self.tree
        tree.directory("var/lib/postfix", "postfix:postfix", 0o755)
        tree.directory("var/spool/postfix", "root:root", 0o755)
        for name in ("postdrop", "postqueue"):
            tree.own(f"usr/sbin/{name}", "root:postdrop", 0o2555)
        tree.write("etc/postfix/master.cf", tree.read("usr/share/postfix/master.cf.dist")
                   + "submission inet n - y - - smtpd\n  -o syslog_name=postfix/submission\n")
        tree.write("etc/postfix/dynamicmaps.cf", "")
        self.settings = {
            "compatibility_level": "3.6", "mydomain": "sender.test", "myhostname": HOSTNAME,
            "mydestination": ", ".join(LOCAL_DOMAINS), "mynetworks": "127.0.0.0/8",
            "smtp_helo_name": self.helo, "inet_protocols": "ipv4", "inet_interfaces": "all",
            "alias_maps": "hash:/etc/aliases", "alias_database": "hash:/etc/aliases",
            "smtpd_relay_restrictions":
                "permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
            "smtpd_sasl_auth_enable": "yes", "maillog_file": "/var/log/mail.log",
            "queue_run_delay": "1s", "minimal_backoff_time": "2s", "maximal_backoff_time": "3s",
            "smtp_connect_timeout": "5s", "biff": "no", "mailbox_size_limit": "0", **(settings or {})}
        self._make_sasl()

    def _make_sasl(self):
        """Cyrus SASL with passwords of its own, where the chrooted smtpd(8) finds them."""
        tree = self.tree
        tree.write("etc/postfix/sasl/smtpd.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                   "mech_list: PLAIN LOGIN\n")
        make_sasldb(tree)
        tree.directory("var/spool/postfix/etc", "root:root", 0o755)
        shutil.copy(tree.path("etc/sasldb2"), tree.path("var/spool/postfix/etc/sasldb2"))
        tree.own("var/spool/postfix/etc/sasldb2", "root:postfix", 0o640)

    def configure(self):
        self.tree.write("etc/postfix/main.cf",
                        "".join(f"{name} = {value}\n" for name, value in self.settings.items()))
        self.tree.run(["newaliases"], check=True)
        # What Debian's unit runs first: fills the chroot.
        self.tree.run(["/usr/lib/postfix/configure-instance.sh", "-"], check=True)

    def daemon_command(self):
        return ["postfix", "start-fg"]

    def stop(self):
        self.tree.run(["postfix", "stop"], check=True)
        super().stop()

    def wait_queue_empty(self, timeout=30):
        """The list of the queue misses a message that goes from one queue to another meanwhile: so no message
        of the log may wait, either. The log is written by a process of its own, in the order in which it is
        sent lines."""
        def empty():
            if self.queue():
                return False
            mark = f"mark-{next(_marks)}"
            self.tree.run(["postlog", "-t", "mark", mark], check=True)
            wait_for(lambda: mark in self.log(), 10, "Postfix's log to be written")
            return not postfix_tally.waiting(self.log())
        wait_for(empty, timeout, "Postfix's queue to be empty")


class Opensmtpd(Mta):
    """Its own schedule of retries cannot be shortened: drain(). It offers AUTH inside TLS alone, and
    Debian 12's, made for another OpenSSL, fails in every TLS handshake: there is no SMTP AUTH."""
    name, user = "opensmtpd", "opensmtpd"
    queue_command = ["smtpctl", "show", "queue"]
    queue_entry = re.compile(r"^([0-9a-f]{16})\|", re.MULTILINE)
    run_queue_command = ["smtpctl", "schedule", "all"]
    has_auth = False

    def __init__(self, host):
        super().__init__(host)
        tree = self.tree
        tree.directory("var/lib/opensmtpd/empty", "root:root", 0o755)
        tree.directory("var/spool/smtpd", "root:root", 0o711)
        for name, owner, mode in (("offline", "root:opensmtpq", 0o770),
                                  ("purge", "opensmtpq:root", 0o700), ("queue", "opensmtpq:root", 0o700)):
            tree.directory(f"var/spool/smtpd/{name}", owner, mode)
        tree.own("usr/sbin/smtpctl", "root:opensmtpq", 0o2755)
        tree.own("usr/libexec/opensmtpd/mail.local", "root:mail", 0o2755)
        self.listen = ""        # options of the listeners, as `filter NAME`
        self.before = ""        # lines before them

    def configure(self):
        lines = f"""table aliases file:/etc/aliases
table locals {{ {", ".join(f'"{name}"' for name in LOCAL_DOMAINS)} }}
{self.before}
listen on socket {self.listen}
listen on 0.0.0.0 port 25 hostname {HOSTNAME} {self.listen}
action "local" mbox alias <aliases>
action "relay" relay helo "{self.helo}"
match from any for domain <locals> action "local"
match from local for any action "relay"
"""
        self.tree.write("etc/smtpd.conf", lines)
        self.tree.run(["smtpd", "-n"], check=True)

    def daemon_command(self):
        return ["smtpd", "-d"]

    def log(self):
        return self.output()


class Sendmail(Mta):
    """Debian's sendmail.mc without what keeps clients waiting. mc: lines to add."""
    name, user = "sendmail", "root"
    queue_command = ["sh", "-c", "sendmail -bp; sendmail -bp -Ac"]
    queue_entry = re.compile(r"^(\w{14})[*X-]? +\d+ ", re.MULTILINE)
    run_queue_command = ["sh", "-c", "sendmail -q; sendmail -q -Ac"]
    left_out = re.compile(r".*(greet_pause|ratecontrol|conncontrol|CONNECTION_RATE|/m4/dialup|"
                          r"/m4/provider|DAEMON_OPTIONS).*\n")

    def __init__(self, host):
        super().__init__(host)
        tree = self.tree
        program("m4")
        for path, owner, mode in (
                ("usr/libexec/sendmail/sendmail", "root:smmsp", 0o2755),
                ("var/spool/mqueue", "root:smmta", 0o2750),
                ("var/spool/mqueue-client", "smmsp:smmsp", 0o2770),
                ("var/lib/sendmail", "root:root", 0o755), ("run/sendmail", "root:smmta", 0o2755),
                ("run/sendmail/mta", "root:smmta", 0o2755), ("run/sendmail/stampdir", "root:smmsp", 0o2775),
                ("run/sendmail/msp", "smmsp:smmsp", 0o2775)):
            (tree.own if path.startswith("usr") else tree.directory)(path, owner, mode)
        for name in ("sbin/sendmail", "sbin/sendmail-mta", "sbin/sendmail-msp", "lib/sendmail",
                     "bin/mailq", "bin/newaliases"):
            tree.path(f"usr/{name}").unlink(missing_ok=True)
            tree.path(f"usr/{name}").symlink_to("/usr/libexec/sendmail/sendmail")
        # Debian's, sensible-mda, wants procmail, and mail.local a setgid program to lock with.
        tree.write("usr/sbin/deliver", '#!/bin/sh\nexec cat >>"/var/mail/$1"\n', 0o755)
        tree.directory("var/mail", "root:mail", 0o1777)
        tree.directory("var/lib/sendmail/host_status", "root:root", 0o755)
        tree.write("etc/mail/local-host-names", "\n".join(LOCAL_DOMAINS) + "\n")
        tree.write("etc/mail/relay-domains", "127.0.0.1\n")
        tree.write("etc/mail/access", "Connect:localhost RELAY\n")
        tree.write("etc/mail/aliases", "postmaster: root\n")
        tree.write("etc/sasl2/Sendmail.conf", "pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
                   "mech_list: PLAIN LOGIN\n")
        make_sasldb(tree)
        self.mc = ""

    def configure(self):
        tree = self.tree
        text = self.left_out.sub("", tree.read("usr/share/sendmail/cf/debian/sendmail.mc"))
        own = f"""DAEMON_OPTIONS(`Family=inet, Name=MTA-v4, Port=smtp')dnl
DAEMON_OPTIONS(`Family=inet, Name=MSP-v4, Port=submission, M=E')dnl
define(`confDOMAIN_NAME', `{HOSTNAME}')dnl
define(`confHELO_NAME', `{self.helo}')dnl
define(`confAUTH_MECHANISMS', `PLAIN LOGIN')dnl
TRUST_AUTH_MECH(`PLAIN LOGIN')dnl
define(`confTO_CONNECT', `5s')dnl
define(`confTO_IDENT', `0')dnl
define(`LOCAL_MAILER_PATH', `/usr/sbin/deliver')dnl
define(`LOCAL_MAILER_ARGS', `deliver $u')dnl
define(`LOCAL_MAILER_FLAGS', `S')dnl
{self.mc}
MAILER_DEFINITIONS
"""
        tree.write("etc/mail/sendmail.mc", text.replace("MAILER_DEFINITIONS\n", own, 1))
        tree.write("etc/mail/submit.mc", tree.read("usr/share/sendmail/cf/debian/submit.mc"))
        for name in ("sendmail", "submit"):
            tree.run(["sh", "-c", f"m4 /etc/mail/{name}.mc > /etc/mail/{name}.cf"], check=True)
        tree.run(["sh", "-c", "makemap hash /etc/mail/access < /etc/mail/access"], check=True)
        tree.run(["newaliases"], check=True)

    def daemon_command(self):
        return ["/usr/sbin/sendmail-mta", "-bD", "-q1s"]


SERVERS = [Exim, Postfix, Opensmtpd, Sendmail]


@contextlib.contextmanager
def hooked(make, domains, options=None, prepare=None, **more):
    """A server with smtplimit's hook, and the daemon, which knows who owns the customers' domains.
    prepare(server) is called before its configuration is made. Not without the server's log when
    something goes wrong."""
    with Host(options, **more) as host:
        dns = Dns(host, domains)
        server = make(host)
        server.dns = dns
        owners = host.dir / "owners"
        owners.write_text("".join(f"{domain}: {user}\n" for domain, user in DOMAINS.items()), "ascii")
        host.write_conf({"watch": {"relay_users": f"{server.user} mail"},
                         "accounts": {"source": "file", "file": owners},
                         "feed": {"postfix": server.tree.path(server.log_path)
                                  if server.name == "postfix" else "off"}})
        if prepare:
            prepare(server)
        server.configure()
        server.install_hook()
        try:
            host.start()
            server.start()
            if server.name == "postfix":
                # With its first lines. A mail whose wire is read before them would be charged twice.
                wait_for(lambda: any(f["running"] for f in host.status()["feeds"]), 20, "Postfix's feed to run")
            yield server
        except BaseException:
            print(server.diagnosis(), file=sys.stderr)
            raise
