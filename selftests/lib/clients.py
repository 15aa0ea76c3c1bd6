# SPDX-License-Identifier: GPL-2.0-only
"""Real mail clients as a test's users run them: each function sends one message and returns a Sent."""
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from host import BUILD, LIB, PYTHON, sh
from ktap import Skip

MESSAGE = "From: <{sender}>\r\nTo: <{rcpt}>\r\nSubject: test\r\n\r\nhello\r\n"


@dataclass
class Sent:
    ok: bool
    text: str                   # everything that the client said
    codes: list = field(default_factory=list)


def need(program):
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if not found:
        raise Skip(f"{program} is not installed")
    return found


def _sent(done):
    text = done.stdout + done.stderr
    codes = [int(c) for c in re.findall(r"\b([2-5]\d\d)[ -]", text)]
    return Sent(done.returncode == 0, text, codes)


def jobs(host, uid, jobs_, **options):
    """Run mailer.py's jobs as a uid; the results."""
    done = host.run_as(uid, [PYTHON, LIB / "mailer.py"], json.dumps(jobs_) + "\n", **options)
    if done.returncode:
        raise RuntimeError(f"mailer: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def start_jobs(host, uid, jobs_, **options):
    """The same in the background; collect with finish_jobs."""
    child = host.popen_as(uid, [PYTHON, LIB / "mailer.py"], text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, **options)
    child.stdin.write(json.dumps(jobs_) + "\n")
    child.stdin.flush()
    return child


def finish_jobs(child, timeout=120):
    out, _ = child.communicate(timeout=timeout)
    return json.loads(out.splitlines()[-1])


def send(host, uid, sender, rcpts, to="203.0.113.1", how="lockstep", **more):
    """One message by mailer.py; its result."""
    job = {"to": to, "uid": uid, "how": how, "messages": [{"sender": sender, "rcpts": rcpts}], **more}
    return jobs(host, uid, [job])[0]


SMTPLIB = """
import smtplib, sys
to, port, ehlo, sender, *rcpts = sys.argv[1:]
try:
    with smtplib.SMTP(to, int(port), local_hostname=ehlo, timeout=20) as s:
        refused = s.sendmail(sender, rcpts, "Subject: test\\r\\n\\r\\nhello\\r\\n")
    for code, text in refused.values():
        print(code, text.decode())
except smtplib.SMTPRecipientsRefused as e:
    sys.exit("".join("%d %s\\n" % (c, t.decode()) for c, t in e.recipients.values()))
except smtplib.SMTPResponseException as e:
    sys.exit("%d %s" % (e.smtp_code, e.smtp_error.decode()))
except OSError as e:
    sys.exit("%s %s" % (type(e).__name__, e.errno))
"""


def smtplib(host, uid, sender, rcpts, to="203.0.113.1", port=25):
    return _sent(host.run_as(uid, [PYTHON, "-c", SMTPLIB, to, port, f"u{uid}.test", sender, *rcpts]))


def swaks(host, uid, sender, rcpts, to="203.0.113.1", port=25, pipeline=False, more=()):
    command = [need("swaks"), "--server", to, "--port", port, "--ehlo", f"u{uid}.test", "--from",
               sender, "--to", ",".join(rcpts), "--timeout", "20", *more]
    return _sent(host.run_as(uid, command + (["--pipeline"] if pipeline else [])))


def curl(host, uid, sender, rcpts, to="203.0.113.1", port=25, more=()):
    at = f"[{to}]" if ":" in to else to
    command = ["/usr/bin/curl", "-sSv", "--crlf", f"smtp://{at}:{port}/u{uid}.test", "--mail-from",
               sender, "--mail-rcpt-allowfails", "--upload-file", "-", "--max-time", "20", *more]
    for rcpt in rcpts:
        command += ["--mail-rcpt", rcpt]
    return _sent(host.run_as(uid, command, MESSAGE.format(sender=sender, rcpt=rcpts[0])))


PHPMAILER = """
require '/usr/share/php/libphp-phpmailer/autoload.php';
[$_, $to, $port, $ehlo, $sender] = $argv;
$m = new PHPMailer\\PHPMailer\\PHPMailer(false);
$m->isSMTP(); $m->Host = $to; $m->Port = (int)$port; $m->Helo = $ehlo; $m->SMTPAutoTLS = false;
$m->Timeout = 20; $m->SMTPDebug = 2; $m->Debugoutput = 'echo';
$m::$validator = fn($a) => true;
$m->setFrom($sender); $m->Subject = 'test'; $m->Body = 'hello';
foreach (array_slice($argv, 5) as $rcpt) $m->addAddress($rcpt);
exit($m->send() ? 0 : 1);
"""


def phpmailer(host, uid, sender, rcpts, to="203.0.113.1", port=25):
    if not Path("/usr/share/php/libphp-phpmailer/autoload.php").exists():
        raise Skip("libphp-phpmailer is not installed")
    at = f"[{to}]" if ":" in to else to
    return _sent(host.run_as(uid, [need("php"), "-r", PHPMAILER, "--", at, port, f"u{uid}.test",
                                   sender, *rcpts]))


PHP_SOCKET = """
[$_, $to, $port, $ehlo, $sender] = $argv;
$s = @stream_socket_client("tcp://$to:$port", $errno, $error, 20);
if (!$s) { fwrite(STDERR, "connect $errno $error\\n"); exit(1); }
stream_set_timeout($s, 20);
function reply($s) {
    do { $line = fgets($s); if ($line === false) { echo "lost\\n"; exit(1); } echo $line; }
    while (substr($line, 3, 1) == '-');
    return (int)$line;
}
function ask($s, $command) { fwrite($s, "$command\\r\\n"); return reply($s); }
if (reply($s) >= 400) { ask($s, 'QUIT'); exit(1); }
if (ask($s, "EHLO $ehlo") >= 400 || ask($s, "MAIL FROM:<$sender>") >= 400) { ask($s, 'QUIT'); exit(1); }
$taken = 0;
foreach (array_slice($argv, 5) as $rcpt) $taken += ask($s, "RCPT TO:<$rcpt>") < 400;
$bad = !$taken || ask($s, 'DATA') >= 400 || ask($s, "Subject: test\\r\\n\\r\\nhello\\r\\n.") >= 400;
ask($s, 'QUIT');
exit($bad ? 1 : 0);
"""


def php_socket(host, uid, sender, rcpts, to="203.0.113.1", port=25):
    at = f"[{to}]" if ":" in to else to
    return _sent(host.run_as(uid, [need("php"), "-r", PHP_SOCKET, "--", at, port, f"u{uid}.test",
                                   sender, *rcpts]))


def smtp_source(host, uid, sender, rcpt, to="203.0.113.1", port=25, messages=1, sessions=1, rcpts=1,
                more=()):
    """Postfix's load generator: with rcpts > 1 the recipients are 1<rcpt>, 2<rcpt>, ..."""
    at = f"[{to}]:{port}"
    command = [need("smtp-source"), "-M", f"u{uid}.test", "-f", sender, "-t", rcpt, "-m", messages,
               "-s", sessions, "-r", rcpts, *more, at]
    return _sent(host.run_as(uid, command))


def uring_program():
    """Compile the io_uring client once. Tests run beside each other: it is there as a whole or not."""
    program = BUILD / "selftests" / "uring_client"
    source = LIB / "uring_client.c"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        if not Path("/usr/include/liburing.h").exists():
            raise Skip("liburing-dev is not installed")
        os.makedirs(program.parent, exist_ok=True)
        made = program.with_name(f"{program.name}.{os.getpid()}")
        sh("cc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O2", "-o", made,
           source, "-luring")
        made.rename(program)
    return program


def uring(host, uid, sender, rcpts, to="203.0.113.1", port=25):
    """Exit status 77: the kernel has no io_uring for us."""
    done = host.run_as(uid, [uring_program(), to, port, f"u{uid}.test", sender, *rcpts])
    if done.returncode == 77:
        raise Skip("io_uring: " + done.stderr.strip())
    return _sent(done)
