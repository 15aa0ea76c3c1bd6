# SPDX-License-Identifier: GPL-2.0-only
"""A router between the tun0 of two network namespaces, for a test of packets out of order: of each
direction some packets wait until later ones have passed, some pass twice.

usage: reorder.py NETNS NETNS       prints `ready`, then runs until it is killed
"""
import fcntl
import os
import random
import select
import struct
import sys
import time

import system

TUNSETIFF = 0x400454ca
IFF_TUN_NO_PI = 0x1001
HOLD, TWICE = 0.05, 0.02        # shares of all packets
WAIT_SECONDS = 0.01             # the longest that a packet waits for another to overtake it
OVERTAKE_MOST = 4


def open_tun(netns):
    system.setns(netns, system.CLONE_NEWNET)
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN_NO_PI))
    return tun


class Way:
    """One direction: the packets that wait, each with when at the latest and behind how many."""

    def __init__(self, to, seed):
        self.to = to
        self.random = random.Random(seed)
        self.waiting = []

    def send(self, packet):
        try:
            os.write(self.to, packet)
        except OSError:
            pass        # the device is gone or down: lost

    def take(self, packet, now):
        if self.random.random() < HOLD:
            self.waiting.append([now + WAIT_SECONDS, self.random.randint(1, OVERTAKE_MOST), packet])
            return
        self.send(packet)
        if self.random.random() < TWICE:
            self.send(packet)
        for entry in self.waiting:
            entry[1] -= 1

    def release(self, now):
        for entry in [e for e in self.waiting if e[0] <= now or e[1] <= 0]:
            self.waiting.remove(entry)
            self.send(entry[2])


def main(netns):
    system.die_with_parent()
    tuns = [open_tun(path) for path in netns]
    ways = {tuns[0]: Way(tuns[1], 1), tuns[1]: Way(tuns[0], 2)}
    print("ready", flush=True)
    while True:
        held = any(way.waiting for way in ways.values())
        readable = select.select(tuns, [], [], WAIT_SECONDS if held else None)[0]
        now = time.monotonic()
        for tun in readable:
            ways[tun].take(os.read(tun, 65536), now)
        for way in ways.values():
            way.release(now)


if __name__ == "__main__":
    main(sys.argv[1:])
