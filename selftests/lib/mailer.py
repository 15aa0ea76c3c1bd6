# SPDX-License-Identifier: GPL-2.0-only
"""An SMTP client for tests whose every byte and segment the test chooses.

Standard input: a JSON list of jobs. Standard output: a JSON list with, for each job, what happened:
{"peer": [address, port], "replies": [[code, text], ...], "error": errno or null, "at": stage}.

    to, port      destination          uid, ehlo     EHLO name (default u<uid>.test)
    messages      [{"sender", "rcpts": [...], "body", "rset": true, "prdr": true, "bdat": [sizes]}]
    how           lockstep (each command waits for its reply), pipeline (MAIL to DATA in one segment),
                  bytes (lockstep, one byte a segment)
    socket        tcp, mptcp, fastopen, mapped (IPv4 through an IPv6 socket)
    source, device  bound to                quit     false: close without QUIT
    hold          true: after EHLO print "open", wait for a line, then go on
    timeout       seconds without a byte, after which it gives up (20)
"""
import json
import os
import re
import socket
import sys

TIMEOUT = 20


class Closing(Exception):
    """421: the server is about to close, and nothing more is to be sent (RFC 5321, 3.8)."""


class Job:
    def __init__(self, job):
        self.job = job
        self.how = job.get("how", "lockstep")
        self.buffer = b""
        self.result = {"peer": None, "replies": [], "error": None, "at": "connect"}

    def open(self):
        job, kind = self.job, self.job.get("socket", "tcp")
        to = job["to"]
        if kind == "mapped":
            to = "::ffff:" + to
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        protocol = socket.IPPROTO_MPTCP if kind == "mptcp" else socket.IPPROTO_TCP
        self.sock = socket.socket(family, socket.SOCK_STREAM, protocol)
        self.sock.settimeout(job.get("timeout", TIMEOUT))
        if kind != "mptcp":
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if job.get("device"):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, job["device"].encode())
        if job.get("source"):
            self.sock.bind((job["source"], 0))
        self.ehlo = job.get("ehlo", f"u{job.get('uid', os.getuid())}.test")
        address = (to, job.get("port", 25))
        if kind == "fastopen":
            # RFC 5321 lets nobody speak before the greeting; spammers do.
            self.sock.settimeout(None)
            self.sock.sendto(f"EHLO {self.ehlo}\r\n".encode(), socket.MSG_FASTOPEN, address)
            self.sock.settimeout(job.get("timeout", TIMEOUT))
        else:
            self.sock.connect(address)
        self.result["peer"] = list(self.sock.getpeername()[:2])

    def send(self, data):
        if self.how != "bytes":
            return self.sock.sendall(data)
        for n in range(len(data)):
            self.sock.sendall(data[n:n + 1])

    def reply(self):
        while not (found := re.match(rb"(?:\d\d\d-[^\n]*\n)*(\d\d\d)(?: [^\n]*)?\n", self.buffer)):
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionResetError(104, "closed by the server")
            self.buffer += data
        self.buffer = self.buffer[found.end():]
        code, text = int(found[1]), found[0].decode("utf-8", "replace").strip()
        self.result["replies"].append([code, text])
        if code == 421 and self.how != "pipeline":
            raise Closing
        return code

    def ask(self, command):
        self.result["at"] = command.split(b" ")[0].decode()
        self.send(command + b"\r\n")
        return self.reply()

    def run(self):
        try:
            self.open()
            self.talk()
        except Closing:
            pass
        except OSError as error:
            self.result["error"] = error.errno or 110
        finally:
            if hasattr(self, "sock"):
                self.sock.close()
        return self.result

    def hold(self):
        print("open", flush=True)
        self.result["at"] = "hold"
        sys.stdin.readline()

    def talk(self):
        self.result["at"] = "greeting"
        code = self.reply()
        if code >= 400:
            return self.ask(b"QUIT")
        if self.job.get("socket") == "fastopen":
            code = self.reply()
        else:
            code = self.ask(b"EHLO " + self.ehlo.encode())
        if code >= 400:
            code = self.ask(b"HELO " + self.ehlo.encode())
        if code >= 400:
            return self.ask(b"QUIT")
        if self.job.get("hold"):
            self.hold()
        for message in self.job.get("messages", []):
            (self.pipelined if self.how == "pipeline" else self.message)(message)
        if self.job.get("quit", True):
            self.ask(b"QUIT")

    def mail(self, message):
        return f"MAIL FROM:<{message['sender']}>{' PRDR' if message.get('prdr') else ''}".encode()

    def message(self, message):
        if self.ask(self.mail(message)) >= 400:
            return
        taken = 0
        for rcpt in message["rcpts"]:
            taken += self.ask(f"RCPT TO:<{rcpt}>".encode()) < 400
        if message.get("rset") or not taken:
            self.ask(b"RSET")
        elif message.get("bdat"):
            self.bdat(message, taken)
        elif self.ask(b"DATA") == 354:
            self.body(message, taken)
        else:
            self.ask(b"RSET")

    def pipelined(self, message):
        lines = [self.mail(message)] + [f"RCPT TO:<{r}>".encode() for r in message["rcpts"]]
        lines.append(b"RSET" if message.get("rset") else b"DATA")
        self.result["at"] = "pipeline"
        self.send(b"".join(line + b"\r\n" for line in lines))
        codes = [self.reply() for _ in lines]
        if codes[-1] == 354:
            self.body(message, sum(code < 400 for code in codes[1:-1]))
        elif not message.get("rset"):
            self.ask(b"RSET")

    def body(self, message, taken):
        self.result["at"] = "body"
        text = message.get("body", "Subject: test\r\n\r\nhello\r\n")
        self.send(text.encode() + b".\r\n")
        self.after_data(message, taken)

    def after_data(self, message, taken):
        code = self.reply()
        if code == 421:
            raise Closing
        if code == 353 and message.get("prdr"):
            for _ in range(taken + 1):
                self.reply()

    def bdat(self, message, taken):
        sizes = message["bdat"]
        for number, size in enumerate(sizes, 1):
            last = b" LAST" if number == len(sizes) else b""
            # RFC 3030: nothing in a chunk is a command, whatever it looks like
            chunk = (b"\r\n.\r\nQUIT\r\n" * (size // 11 + 1))[:size]
            self.result["at"] = "BDAT"
            self.send(b"BDAT %d%s\r\n" % (size, last) + chunk)
            if last:
                self.after_data(message, taken)
            elif self.reply() >= 400:
                self.ask(b"RSET")
                return


def main():
    jobs = json.loads(sys.stdin.readline())
    print(json.dumps([Job(job).run() for job in jobs]), flush=True)


if __name__ == "__main__":
    main()
