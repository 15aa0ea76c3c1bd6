# SPDX-License-Identifier: GPL-2.0-only
"""Mail by aiosmtplib: several connections at once in one event loop, on one thread. Standard input: a
JSON list of jobs (clients_tls.py), one for each connection."""
import asyncio
import json
import sys

import aiosmtplib

TEXT = "Subject: test\r\n\r\nhello\r\n"


async def connection(job):
    async with aiosmtplib.SMTP(
            hostname=job["to"], port=job["port"], local_hostname=job["ehlo"], timeout=20,
            use_tls=job["transport"] == "implicit", start_tls=job["transport"] == "starttls",
            validate_certs=False) as smtp:
        for sender, rcpts in job["messages"]:
            try:
                await smtp.sendmail(sender, rcpts, TEXT)
            except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError) as refused:
                print(refused)


async def main():
    await asyncio.gather(*(connection(job) for job in json.load(sys.stdin)))


if __name__ == "__main__":
    asyncio.run(main())
