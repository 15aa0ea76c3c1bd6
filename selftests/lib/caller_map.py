# SPDX-License-Identifier: GPL-2.0-only
"""The pinned map smtpl_callers through bpf(2): quick enough to ask right behind accept().

As a program: a server that listens at each given place and says who called, as JSON lines:
    caller_map.py PIN ADDRESS PORT [ADDRESS PORT ...]
    {"at": "accept" or "line", "client": [address, port], "server": [address, port], "exact": uid,
     "any": uid, "pid": pid, "syn_data": true}
It greets, then asks again for each line that it gets, and echoes that."""
import ctypes
import json
import os
import socket
import struct
import sys
import threading

SO_NETNS_COOKIE = 71
TCPI_OPT_SYN_DATA = 32
NOWHERE = bytes(20)


def netns_cookie():
    with socket.socket() as s:
        return struct.unpack("=Q", s.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0]


def endpoint(end):
    address, port = end[0], end[1]
    if ":" not in address:
        address = "::ffff:" + address
    return struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, address), port)


def key_of(cookie, client, server=None):
    return struct.pack("=Q", cookie) + endpoint(client) + (endpoint(server) if server else NOWHERE)


class CallerMap:
    def __init__(self, pin):
        self.libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
        self.fd = self.libbpf.bpf_obj_get(str(pin).encode())
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), f"{pin}: {os.strerror(ctypes.get_errno())}")

    def lookup(self, cookie, client, server=None):
        """(uid, pid, time_ns), or None."""
        value = ctypes.create_string_buffer(16)
        if self.libbpf.bpf_map_lookup_elem(self.fd, key_of(cookie, client, server), value):
            return None
        return struct.unpack("=IIQ", value.raw)

    def forget(self, cookie, client, server=None):
        self.libbpf.bpf_map_delete_elem(self.fd, key_of(cookie, client, server))

    def keys(self):
        """All of them, as bytes."""
        found, key = [], None
        room = ctypes.create_string_buffer(48)
        while self.libbpf.bpf_map_get_next_key(self.fd, key, room) == 0:
            key = room.raw
            found.append(key)
        return found


class Server:
    def __init__(self, pin):
        self.map = CallerMap(pin)
        self.cookie = netns_cookie()
        self.lock = threading.Lock()

    def say(self, at, sock, client):
        server = sock.getsockname()[:2]
        exact = self.map.lookup(self.cookie, client, server)
        last = self.map.lookup(self.cookie, client)
        said = {"at": at, "client": client, "server": server, "exact": exact and exact[0],
                "any": last and last[0], "pid": exact and exact[1]}
        if sock.proto != socket.IPPROTO_MPTCP:
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
            said["syn_data"] = bool(info[5] & TCPI_OPT_SYN_DATA)
        with self.lock:
            print(json.dumps(said), flush=True)

    def converse(self, sock, client):
        with sock, sock.makefile("rb") as lines:
            try:
                sock.sendall(b"220 hello\r\n")
                for line in lines:
                    self.say("line", sock, client)
                    sock.sendall(line)
            except ConnectionError:
                pass

    def listen(self, address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        protocol = socket.IPPROTO_MPTCP if os.path.exists("/proc/sys/net/mptcp") else 0
        sock = socket.socket(family, socket.SOCK_STREAM, protocol if port == 587 else 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if port != 587:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 128)
        sock.bind((address, port))
        sock.listen(128)
        return sock

    def serve(self, listener):
        while True:
            sock, client = listener.accept()
            client = client[0].removeprefix("::ffff:"), client[1]
            self.say("accept", sock, client)
            threading.Thread(target=self.converse, args=(sock, client), daemon=True).start()


def main():
    server = Server(sys.argv[1])
    places = list(zip(sys.argv[2::2], map(int, sys.argv[3::2])))
    threads = [threading.Thread(target=server.serve, args=[server.listen(*place)]) for place in places]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
