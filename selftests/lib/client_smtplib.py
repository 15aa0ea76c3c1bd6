# SPDX-License-Identifier: GPL-2.0-only
"""Mail by Python's smtplib, all messages over one connection. Standard input: the job in JSON
(clients_tls.py)."""
import json
import smtplib
import ssl
import sys

TEXT = "Subject: test\r\n\r\nhello\r\n"


def main():
    job = json.load(sys.stdin)
    context = ssl._create_unverified_context()
    where = {"host": job["to"], "port": job["port"], "local_hostname": job["ehlo"], "timeout": 20}
    implicit = job["transport"] == "implicit"
    with smtplib.SMTP_SSL(**where, context=context) if implicit else smtplib.SMTP(**where) as smtp:
        if job["transport"] == "starttls":
            smtp.starttls(context=context)
        for sender, rcpts in job["messages"]:
            try:
                smtp.sendmail(sender, rcpts, TEXT)
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as refused:
                print(refused)


if __name__ == "__main__":
    main()
