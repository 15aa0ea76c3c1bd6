# SPDX-License-Identifier: GPL-2.0-only
"""A programmable SMTP server for tests: byte exact, the addresses say what it answers (script.py), and
it keeps an account of its own of what was answered (tally.py).

Runs as a process inside the remote namespace. One line of JSON on standard input configures it:

    ports       listened on, on every address        tls_ports  the same, TLS from the first byte
    cert        PEM file with key and certificate: STARTTLS is offered
    tls_inside  true: what is said inside TLS counts; else such a session is opaque
    greeting_ms how long a client waits for the greeting, as on real networks
    special     {"ADDRESS" or "ADDRESS:PORT": {"greeting": act, "uid": N, "chop": true,
                "together": true, "tls_inside": false}}. chop: replies byte by byte; together: the
                replies to what came along in one piece leave in one piece (one record of TLS)
    mptcp       listen with IPPROTO_MPTCP

An IPv6 destination inside 2001:db8:1::/48 says by itself what the greeting is: 2001:db8:1:UID::CODE
(UID and CODE in hex as printed: 4e21 is uid 20001; 554, 421; d0: closed; d1: reset), since at the
greeting the client has not yet said who it is. Then each line `tally`, `sessions` or `reset` is
answered with one line of JSON. The server ends with its standard input.
"""
import asyncio
import fcntl
import ipaddress
import json
import re
import socket
import ssl
import struct
import sys
import termios
import time

import script
import tally

SCRIPTED = ipaddress.ip_network("2001:db8:1::/48")
MAX_LINE = 65536
EOD = b"\r\n.\r\n"


class Gone(Exception):
    """The session is over."""


def scripted_greeting(address):
    """(uid, Act) that an IPv6 destination stands for."""
    groups = ipaddress.ip_address(address).exploded.split(":")
    code = groups[7].lstrip("0") or "220"
    act = {"d0": "drop", "d1": "rst"}.get(code, code)
    return int(groups[3], 16) or None, script.parse_act(act)


def path_of(argument):
    """The address in MAIL FROM:<...> or RCPT TO:<...>, without a source route."""
    start = argument.find(b"<") + 1
    quoted = False
    for end in range(start, len(argument)):
        byte = argument[end:end + 1]
        if byte == b'"' and argument[end - 1:end] != b"\\":
            quoted = not quoted
        elif byte == b">" and not quoted:
            break
    path = argument[start:end].decode("utf-8", "surrogateescape")
    return path.partition(":")[2] if path.startswith("@") else path


class Connection:
    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.buffer = bytearray()
        self.sender = ""
        self.prdr = False
        self.in_mail = False
        self.recipients = []    # accepted: (address, directives)
        self.sender_script = {}
        address, port = writer.get_extra_info("sockname")[:2]
        self.address, self.port = address.removeprefix("::ffff:"), port
        special = server.special_of(self.address, port)
        self.greeting = special.get("greeting") or \
            script.Act(220, wait_ms=server.config.get("greeting_ms", 0))
        self.chop = special.get("chop", False)
        self.together = special.get("together", False)
        self.held = b""         # replies that wait for those to what came along
        inside = special.get("tls_inside", server.config.get("tls_inside", False))
        self.opaque = server.tls and not inside
        self.blind = self.opaque and self.tls_on()
        self.session = tally.Session(tally.Tally() if self.blind else server.tally,
                                     special.get("uid"), self.address)
        self.record = {"address": self.address, "port": port, "uid": special.get("uid"),
                       "peer": writer.get_extra_info("peername")[:2], "bytes": 0,
                       "opened": time.clock_gettime(time.CLOCK_BOOTTIME), "last": None}
        self.commands = {b"EHLO": self.ehlo, b"HELO": self.ehlo, b"MAIL": self.mail,
                         b"RCPT": self.rcpt, b"DATA": self.data, b"BDAT": self.bdat,
                         b"RSET": self.rset, b"QUIT": self.quit, b"STARTTLS": self.starttls,
                         b"AUTH": self.auth}

    # bytes in

    async def fill(self):
        data = await self.reader.read(65536)
        if not data:
            self.session.closed()
            raise Gone
        self.record["bytes"] += len(data)
        self.record["last"] = time.clock_gettime(time.CLOCK_BOOTTIME)
        self.buffer += data

    async def line(self):
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > MAX_LINE:
                raise Gone
            await self.fill()
        found = bytes(self.buffer[:end + 1])
        del self.buffer[:end + 1]
        return found.rstrip(b"\r\n")

    async def body(self, early):
        """Read up to the end of data; True when the reply `early` was sent before it came."""
        self.buffer[:0] = b"\r\n"    # the line end of the DATA command is part of the mark
        sent = False
        while (end := self.buffer.find(EOD)) < 0:
            if early and not sent and len(self.buffer) > 2:
                self.session.end_reply(early.code)
                await self.send(early)
                sent = True
            del self.buffer[:-(len(EOD) - 1)]
            await self.fill()
        del self.buffer[:end + len(EOD)]
        return sent

    # replies out

    async def send(self, act, text="as asked"):
        if act.wait_ms:
            await asyncio.sleep(act.wait_ms / 1000)
        await self.send_bytes(act.reply(text))
        if act.code == 421:
            raise Gone

    async def send_bytes(self, data):
        data = self.held + data
        self.held = data if self.together and b"\n" in self.buffer else b""
        if self.held:
            return
        if not self.chop:
            self.writer.write(data)
            return await self.writer.drain()
        for byte in data:
            self.writer.write(bytes([byte]))
            await self.writer.drain()
            await asyncio.sleep(0)

    def swallow(self):
        """The commands that came along with the one that ends the session were sent, too."""
        for line in bytes(self.buffer).split(b"\n")[:-1]:
            if line[:4].upper() == b"RCPT":
                self.session.rcpt(path_of(line))

    async def answer(self, act, note, *arguments):
        """Tell the tally by note(code, ...), then send the reply, or end the session."""
        if act.action in ("drop", "rst"):
            self.swallow()
            self.session.lost()
            if act.action == "rst":
                await self.reset_connection()
            raise Gone
        if act.code == 421:
            self.swallow()
        note(act.code, *arguments)
        await self.send(act)
        if act.action == "bye":
            self.session.closed()
            await self.reset_connection()
            raise Gone

    async def reset_connection(self):
        sock = self.writer.get_extra_info("socket")
        # A reset takes back what the peer has not got, yet the tally has these replies as given.
        for _ in range(1000):
            if not struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]:
                break
            await asyncio.sleep(0.001)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    # commands

    async def run(self):
        if self.session.uid is not None:
            self.session.identify(self.session.uid)
        await self.answer(self.greeting, self.session.greeting)
        while True:
            line = await self.line()
            verb, _, argument = line.partition(b" ")
            command = self.commands.get(verb.upper())
            if self.greeting.code >= 400 and command != self.quit:
                await self.send_bytes(b"503 5.5.1 refused\r\n")
            elif command:
                await command(verb.upper(), argument)
            else:
                await self.send_bytes(b"250 ok\r\n" if verb.upper() == b"NOOP" else b"500 what\r\n")

    async def ehlo(self, verb, argument):
        name = argument.decode("ascii", "replace").strip()
        uid = re.search(r"(?:^|\.)u(\d+)(?:\.|$)", name)
        if uid:
            self.identify(int(uid[1]))
        act = self.server.memory.act("h", name, script.of_ehlo(name))
        if act and not (act.ehlo_only and verb == b"HELO"):
            return await self.answer(act, self.session.ehlo)
        self.session.ehlo(250)
        offers = ["PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "PRDR", "SIZE 0"]
        if self.server.tls and not self.tls_on():
            offers.insert(0, "STARTTLS")
        lines = ["server.test"] + (offers if verb == b"EHLO" else [])
        text = "".join(f"250{'-' if n < len(lines) else ' '}{t}\r\n" for n, t in enumerate(lines, 1))
        await self.send_bytes(text.encode())

    def identify(self, uid):
        if self.blind and not self.session.known:
            self.server.tally.bump(uid, "", "connections")
            self.server.tally.bump(uid, "", "opaque")
        self.session.identify(uid)
        self.record["uid"] = uid

    def tls_on(self):
        return self.writer.get_extra_info("ssl_object") is not None

    async def mail(self, _verb, argument):
        self.sender = path_of(argument)
        self.prdr = b"PRDR" in argument.upper().rpartition(b">")[2]
        self.recipients = []
        self.sender_script = script.of_address(self.sender)
        self.session.mail(self.sender)
        act = self.server.memory.act("m", self.sender, self.sender_script) or script.Act(250)
        self.in_mail = act.code < 300
        await self.answer(act, self.session.mail_reply)

    async def rcpt(self, _verb, argument):
        if not self.in_mail:
            return await self.send_bytes(b"503 5.5.1 MAIL first\r\n")
        address = path_of(argument)
        stages = script.of_address(address)
        self.session.rcpt(address)
        act = self.server.memory.act("r", address, stages) or script.Act(250)
        if act.code < 300:
            self.recipients.append((address, stages))
        await self.answer(act, self.session.rcpt_reply, act.enhanced)

    def stage_act(self, stage):
        """The first accepted recipient (or the sender) that has a directive for this stage."""
        for address, stages in self.recipients + [(self.sender, self.sender_script)]:
            act = self.server.memory.act(stage, address, stages)
            if act:
                return act
        return None

    async def data(self, _verb, _argument):
        if not self.recipients:
            return await self.send_bytes(b"503 5.5.1 RCPT first\r\n")
        act = self.stage_act("d")
        if act:
            self.in_mail = False
            return await self.answer(act, self.session.data_reply)
        await self.send_bytes(b"354 go on\r\n")
        act = self.stage_act("e") or script.Act(250)
        if not await self.body(act if act.action == "early" else None):
            self.session.data_end()
            await self.end(act)
        self.in_mail = False

    async def end(self, act):
        if not self.prdr or act.action or act.code == 421:
            return await self.answer(act, self.session.end_reply)
        await self.send_bytes(b"353 each for itself\r\n")
        for address, stages in self.recipients:
            own = self.server.memory.act("p", address, stages) or script.Act(250)
            await self.answer(own, self.session.prdr_reply)
        await self.answer(act, self.session.end_reply)

    async def bdat(self, _verb, argument):
        words = argument.split()
        size, last = int(words[0]), words[1:2] == [b"LAST"]
        while len(self.buffer) < size:
            await self.fill()
        del self.buffer[:size]
        if not self.in_mail or not self.recipients:
            return await self.send_bytes(b"503 5.5.1 RCPT first\r\n")
        act = self.stage_act("e" if last else "d")
        if not last and not act:
            return await self.send_bytes(b"250 chunk taken\r\n")
        self.in_mail = False
        if not last:
            return await self.answer(act, self.session.data_reply)
        self.session.data_end()
        await self.end(act or script.Act(250))

    async def rset(self, _verb, _argument):
        self.in_mail = False
        self.session.reset()
        await self.send_bytes(b"250 forgotten\r\n")

    async def quit(self, _verb, _argument):
        self.session.closed()
        await self.send_bytes(b"221 bye\r\n")
        raise Gone

    async def starttls(self, _verb, _argument):
        if not self.server.tls or self.tls_on():
            return await self.send_bytes(b"502 5.5.1 not here\r\n")
        await self.send_bytes(b"220 go on\r\n")
        self.session.forget()
        if self.opaque:     # what comes now is not to be counted
            self.session.opaque()
            self.session = tally.Session(tally.Tally(), self.session.uid)
        self.buffer.clear()
        await self.writer.start_tls(self.server.tls)

    async def auth(self, _verb, argument):
        if len(argument.split()) < 2:
            await self.send_bytes(b"334 VXNlcm5hbWU6\r\n")
            await self.line()
            await self.send_bytes(b"334 UGFzc3dvcmQ6\r\n")
            await self.line()
        await self.send_bytes(b"235 2.7.0 welcome\r\n")


class Server:
    def __init__(self, config):
        self.config = config
        self.memory = script.Memory()
        self.tally = tally.Tally()
        self.sessions = []
        self.open = set()  # connections being served
        self.bound = []     # the ports that are listened on
        self.special = {key: dict(value, greeting=script.parse_act(value["greeting"]))
                        if "greeting" in value else value
                        for key, value in config.get("special", {}).items()}
        self.tls = None
        if config.get("cert"):
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(config["cert"])

    def special_of(self, address, port):
        found = self.special.get(f"{address}:{port}") or self.special.get(address)
        if found is None and ":" in address and ipaddress.ip_address(address) in SCRIPTED:
            uid, greeting = scripted_greeting(address)
            found = {"uid": uid, "greeting": greeting}
        return found or {}

    async def serve(self, reader, writer):
        connection = Connection(self, reader, writer)
        self.open.add(connection)
        self.sessions.append(connection.record)
        try:
            await connection.run()
        except Gone:
            pass
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            connection.session.closed()
        finally:
            self.open.discard(connection)
            writer.close()

    def listener(self, port):
        kind = getattr(socket, "IPPROTO_MPTCP", 262) if self.config.get("mptcp") else \
            socket.IPPROTO_TCP
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if not self.config.get("mptcp"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 64)
        sock.bind(("::", port))
        return sock

    async def listen(self):
        for port in self.config["ports"]:
            sock = self.listener(port)
            self.bound.append(sock.getsockname()[1])
            await asyncio.start_server(self.serve, sock=sock, backlog=1024)
        for port in self.config.get("tls_ports", []):
            await asyncio.start_server(self.serve, sock=self.listener(port), ssl=self.tls)

    def command(self, word):
        if word == "tally":
            return self.tally.to_json()
        if word == "sessions":
            return self.sessions
        if word == "reset":
            self.tally = tally.Tally()
            self.sessions = []
            return {}
        return {"error": f"no such command: {word}"}

    async def talk(self):
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader(limit=1 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        print(json.dumps({"ready": True}), flush=True)
        while line := await lines.readline():
            print(json.dumps(self.command(line.decode().strip())), flush=True)


async def main():
    server = Server(json.loads(sys.stdin.readline()))
    await server.listen()
    await server.talk()


if __name__ == "__main__":
    asyncio.run(main())
