#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Mail over TLS for bench.py, at a steady rate until standard input ends:

    smtp_tls.py short RATE ADDRESS SMOKE    a process for each mail
    smtp_tls.py long RATE ADDRESS SMOKE     all by this one, a connection for each mail

Says `delivered` after the first, and at its end how many. Ends when one fails."""
import select
import smtplib
import ssl
import subprocess
import sys
import time

SENDER, RCPT = "a@sender.test", "250@remote.test"
MESSAGE = "Subject: bench\r\n\r\nhello\r\n"
NO_CHECK = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NO_CHECK.check_hostname, NO_CHECK.verify_mode = False, ssl.CERT_NONE


class Short:
    """Several run at a time: greetings take longer than the pause between two."""

    def __init__(self, address, smoke):
        self.command = [smoke, "client", "-s", address, "25", SENDER, RCPT]
        self.running, self.delivered = [], 0

    def deliver(self):
        self.running.append(subprocess.Popen(self.command, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL))
        self.reap()

    def reap(self):
        for child in self.running[:]:
            if child.poll() is None:
                continue
            self.running.remove(child)
            if child.returncode:
                raise RuntimeError(f"{self.command} ended with {child.returncode}")
            self.delivered += 1

    def finish(self):
        for child in self.running:
            child.wait()
        self.reap()


class Long:
    def __init__(self, address, _smoke):
        self.address, self.delivered = address, 0

    def deliver(self):
        with smtplib.SMTP(self.address, 25, "bench.test") as smtp:
            smtp.starttls(context=NO_CHECK)
            smtp.sendmail(SENDER, RCPT, MESSAGE)
        self.delivered += 1

    def finish(self):
        pass


def main():
    how, rate, address, smoke = sys.argv[1:]
    load = {"short": Short, "long": Long}[how](address, smoke)
    due, said = time.monotonic(), False
    while True:
        load.deliver()
        due += 1 / float(rate)
        if select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
            break
        if not said and load.delivered:
            print("delivered", flush=True)
            said = True
    load.finish()
    print(load.delivered)


if __name__ == "__main__":
    main()
