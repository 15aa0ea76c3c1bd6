# SPDX-License-Identifier: GPL-2.0-only
"""An event loop with many SMTP sessions over TLS at once (asyncio: memory BIOs). Arguments: ADDRESS UID
SESSIONS MESSAGES. All sessions are open before the first one sends, and until the last one has."""
import asyncio
import ssl
import sys


def context():
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


class Session:
    def __init__(self, number, to, uid, tls):
        self.number, self.to, self.uid, self.tls = number, to, uid, tls

    async def reply(self):
        while True:
            line = await self.reader.readline()
            if not line:
                raise EOFError("the server is gone")
            if line[3:4] != b"-":
                return int(line[:3])

    async def ask(self, line):
        self.writer.write(line.encode() + b"\r\n")
        return await self.reply()

    async def open(self):
        """Every other one turns to TLS by STARTTLS."""
        implicit = self.number % 2
        self.reader, self.writer = await asyncio.open_connection(
            self.to, 465 if implicit else 587, ssl=self.tls if implicit else None)
        await self.reply()
        if not implicit:
            await self.ask("EHLO clear.test")
            await self.ask("STARTTLS")
            await self.writer.start_tls(self.tls)
        await self.ask(f"EHLO u{self.uid}.test")

    async def message(self, n):
        await self.ask(f"MAIL FROM:<me@s{self.number}.test>")
        acts = ("", "r550-", "r451-")[:1 + (self.number + n) % 3]
        for act in acts:
            await self.ask(f"RCPT TO:<{act}n{n}.{self.number}@far.test>")
        await self.ask("DATA")
        self.writer.write(b"Subject: load\r\n\r\n" + b"x" * 5000 + b"\r\n")
        if await self.ask(".") != 250:
            raise RuntimeError("not taken")

    async def close(self):
        await self.ask("QUIT")
        self.writer.close()
        await self.writer.wait_closed()


async def main(to, uid, sessions, messages):
    tls = context()
    made = [Session(n, to, uid, tls) for n in range(sessions)]
    await asyncio.gather(*[s.open() for s in made])
    for n in range(messages):
        await asyncio.gather(*[s.message(n) for s in made])
    await asyncio.gather(*[s.close() for s in made])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:])))
