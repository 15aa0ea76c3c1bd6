# SPDX-License-Identifier: GPL-2.0-only
"""Real services that hand in or send other people's mail, beside a mail server (mta.py) in its tree:

    Spamd       SpamAssassin, which spamc(1) asks; a body with GTUBE is spam
    Dovecot     mailboxes, to which the mail server delivers by LMTP; sieve scripts redirect as vmail
    Mailman     Mailman 3, to which the mail server hands a list's mail by LMTP; it sends by SMTP as list
    Tunnel      stunnel, whose port on loopback leads to a smart host that speaks TLS alone

Each is made before the mail server is configured, and started when that runs.
"""
import host as host_
from system import wait_for

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def uid_of(host, name):
    return int(next(row.split(":")[2] for row in host.passwd["passwd"].splitlines()
                    if row.startswith(f"{name}:")))


class Part:
    """name: its tree below mta_tree.PACKAGES. port: where it listens on loopback."""
    name = port = command = None

    def __init__(self, server):
        self.server, self.host, self.tree = server, server.host, server.tree
        self.tree.unpack(self.name)
        self.process = None

    def start(self):
        self.out = self.host.dir / f"{self.name}.out"
        with open(self.out, "w", encoding="utf-8") as out:
            self.process = self.tree.popen(self.command, stdout=out, stderr=out)

    def wait_ready(self, timeout=120):
        try:
            wait_for(self.ready, timeout)
        except TimeoutError:
            raise RuntimeError(f"{self.name} does not listen:\n{self.log()}") from None

    def ready(self):
        """Whether it listens. Nothing of it has failed until now."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} has ended:\n{self.log()}")
        rows = host_.sh("nsenter", "--net=/run/netns/sender", "cat", "/proc/net/tcp")
        return f":{self.port:04X} 00000000:0000 0A " in rows

    def log(self):
        return self.out.read_text("utf-8", "backslashreplace")[-4000:]


class Spamd(Part):
    """With one rule and no network tests. client: the command that is given a message, and prints it as
    it has been marked."""
    name, port, user = "spamd", 783, "debian-spamd"
    rules = rf"""util_rb_tld test
body NIGHT_GTUBE /{GTUBE.replace("*", chr(92) + "*").replace(".", chr(92) + ".")}/
score NIGHT_GTUBE 1000
report_safe 0
add_header spam Flag _YESNOCAPS_
"""
    command = ["spamd", "--local", "--nouser-config", f"--username={user}", "--max-children=2",
               "--listen=127.0.0.1", "--syslog=stderr", "--configpath=/etc/night-rules",
               "--siteconfigpath=/etc/night-rules", "--cf=use_bayes 0"]

    def __init__(self, server):
        super().__init__(server)
        self.tree.write("etc/night-rules/night.pre", "loadplugin Mail::SpamAssassin::Plugin::Check\n")
        self.tree.write("etc/night-rules/night.cf", self.rules)


class Dovecot(Part):
    """Everybody has a mailbox. socket: where it listens; owner: who may deliver."""
    name = "dovecot"
    command = ["dovecot", "-F"]
    conf = """protocols = lmtp
log_path = /dev/stderr
ssl = no
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail/%d/%n allow_all_users=yes
}}
service lmtp {{
  user = vmail
  unix_listener {socket} {{
    mode = 0600
    user = {owner}
  }}
}}
protocol lmtp {{
  mail_plugins = sieve
  postmaster_address = postmaster@sender.test
}}
plugin {{
  sieve = file:~/sieve.sieve
}}
"""

    def __init__(self, server, socket, owner):
        super().__init__(server)
        self.socket = socket
        self.tree.write("etc/dovecot/dovecot.conf", self.conf.format(socket=socket, owner=owner))
        self.tree.directory("var/vmail", "vmail:vmail", 0o755)
        self.tree.directory("var/lib/dovecot", "root:root", 0o755)

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"dovecot has ended:\n{self.log()}")
        return self.tree.path(self.socket).is_socket()

    def home(self, name):
        return f"var/vmail/{name}.test/{name}"

    def redirect_spam(self, name, to):
        """The mailbox keeps what is marked as spam and passes it on, too."""
        home = self.home(name)
        self.tree.write(f"{home}/sieve.sieve", 'require ["copy"];\n'
                        f'if header :contains "X-Spam-Flag" "YES" {{ redirect :copy "{to}"; }}\n')
        host_.sh("chown", "-R", "vmail:vmail", self.tree.path(home).parent)

    def mailbox(self, name):
        """The texts of the mails that are in it."""
        new = self.tree.path(f"{self.home(name)}/Maildir/new")
        files = sorted(new.iterdir()) if new.is_dir() else []
        return [file.read_text("utf-8", "backslashreplace") for file in files]


class Mailman(Part):
    """The core of Mailman 3 with the runners that take a post to its members."""
    name, port = "mailman3", 8024
    command = ["/usr/lib/mailman3/bin/master", "-C", "/etc/mailman3/mailman.cfg"]
    conf = """[mailman]
site_owner: postmaster@sender.test
layout: debian
[paths.debian]
bin_dir: /usr/lib/mailman3/bin
var_dir: /var/lib/mailman3
queue_dir: /var/lib/mailman3/queue
log_dir: /var/log/mailman3
lock_dir: /run/mailman3/lock
pid_file: /run/mailman3/master.pid
[mta]
incoming: mailman.mta.null.NullMTA
outgoing: mailman.mta.deliver.deliver
smtp_host: 127.0.0.1
smtp_port: 25
lmtp_host: 127.0.0.1
lmtp_port: 8024
"""
    idle = ("archive", "bounces", "command", "nntp", "rest", "retry", "task", "digest", "virgin")
    # Everything in one process: each start of Mailman's own command takes seconds.
    create = """
import sys
from mailman.core.initialize import initialize
initialize("/etc/mailman3/mailman.cfg")
from mailman.app.lifecycle import create_list
from mailman.database.transaction import transaction
from mailman.interfaces.action import Action
from mailman.interfaces.domain import IDomainManager
from mailman.interfaces.usermanager import IUserManager
from zope.component import getUtility
name, *members = sys.argv[1:]
with transaction():
    getUtility(IDomainManager).add(name.partition("@")[2])
    made = create_list(name, [name.replace("@", "-owner@")])
    made.send_welcome_message = False
    made.default_nonmember_action = Action.accept
    users = getUtility(IUserManager)
    for member in members:
        user = users.make_user(member)
        address = list(user.addresses)[0]
        made.subscribe(address)
"""

    def __init__(self, server):
        super().__init__(server)
        tree = self.tree
        tree.write("etc/mailman3/mailman.cfg", self.conf + "".join(
            f"[runner.{name}]\nstart: no\n" for name in self.idle))
        for path in ("var/lib/mailman3", "var/log/mailman3", "run/mailman3"):
            tree.directory(path, "list:list", 0o755)
        self.uid = uid_of(self.host, "list")

    def make_list(self, address, members):
        self.tree.run([host_.PYTHON, "-c", self.create, address, *members], self.uid, check=True)

    def start(self):
        self.out = self.host.dir / "mailman3.out"
        with open(self.out, "w", encoding="utf-8") as out:
            self.process = self.tree.popen(self.command, self.uid, stdout=out, stderr=out)

    def log(self):
        return super().log() + "".join(path.read_text("utf-8", "backslashreplace")[-2000:]
                                       for path in self.tree.path("var/log/mailman3").glob("*"))


class Tunnel(Part):
    """to: (address, port) of the smart host."""
    name, port = "stunnel4", 2465
    command = ["stunnel4", "/etc/stunnel/night.conf"]

    def __init__(self, server, to):
        super().__init__(server)
        self.tree.write("etc/stunnel/night.conf", f"""foreground = yes
pid =
setuid = stunnel4
setgid = stunnel4
[smarthost]
client = yes
accept = 127.0.0.1:{self.port}
connect = {to[0]}:{to[1]}
""")
