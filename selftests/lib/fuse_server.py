# SPDX-License-Identifier: GPL-2.0-only
"""A FUSE file system with one file, "f", whose READs are answered when the server is told to, and no
sooner. Arguments: MOUNTPOINT UID SECONDS [OPTION]; the connection is that user's. Words on stdout: "mounted", and
"read" for each READ; a line on stdin answers those that wait. It ends by itself after so many seconds, so
that nothing waits for ever.

The first open caches, the second is FOPEN_DIRECT_IO and keeps what is cached: mmap(2) of that one
waits, with the memory of the process locked, for a READ of the first to be answered."""
import ctypes
import errno
import os
import select
import signal
import struct
import sys

BLOCK = 4096
FILE_BYTES = 65536
# include/uapi/linux/fuse.h
LOOKUP, FORGET, GETATTR, OPEN, READ, RELEASE, FLUSH, INIT, OPENDIR, INTERRUPT, BATCH_FORGET = (
    1, 2, 3, 14, 15, 18, 25, 26, 27, 36, 42)
DIRECT_IO, KEEP_CACHE = 1, 2


class Server:
    def __init__(self, at, uid, *options):
        self.device = os.open("/dev/fuse", os.O_RDWR)
        self.opens = 0
        self.waiting = []
        data = ",".join([f"fd={self.device},rootmode=40000,user_id={uid},group_id={uid}", *options])
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"test", at.encode(), b"fuse.test", 0, data.encode()):
            raise OSError(ctypes.get_errno(), f"mount of FUSE on {at}")

    def answer(self, unique, data=b"", error=0):
        os.write(self.device, struct.pack("<IiQ", 16 + len(data), -error, unique) + data)

    @staticmethod
    def attributes(node):
        mode = 0o40755 if node == 1 else 0o100755
        return struct.pack("<QQQQQQIIIIIIIIII", node, FILE_BYTES, FILE_BYTES // 512, 0, 0, 0, 0, 0, 0,
                           mode, 1, 0, 0, 0, BLOCK, 0)

    def open(self, unique):
        self.opens += 1
        flags = DIRECT_IO | KEEP_CACHE if self.opens > 1 else 0
        self.answer(unique, struct.pack("<QII", self.opens, flags, 0))

    def serve(self):
        request = os.read(self.device, 1 << 20)
        _, what, unique, node = struct.unpack_from("<IIQQ", request)
        if what == INIT:
            self.answer(unique, struct.pack("<IIIIHHIIHHI28x", 7, 31, 131072, 0, 12, 10, 65536, 1, 16,
                                            0, 0))
        elif what == LOOKUP:
            self.answer(unique, struct.pack("<QQQQII", 2, 0, 9999, 9999, 0, 0) + self.attributes(2))
        elif what == GETATTR:
            self.answer(unique, struct.pack("<QII", 9999, 0, 0) + self.attributes(node))
        elif what in (OPEN, OPENDIR):
            self.open(unique)
        elif what == READ:
            self.waiting.append(unique)
            print("read", flush=True)
        elif what in (RELEASE, FLUSH):
            self.answer(unique)
        elif what not in (FORGET, INTERRUPT, BATCH_FORGET):
            self.answer(unique, error=errno.ENOSYS)

    def run(self):
        print("mounted", flush=True)
        while True:
            ready, _, _ = select.select([self.device, 0], [], [])
            if self.device in ready:
                self.serve()
            if 0 in ready and not os.read(0, 64):
                return
            if 0 in ready:
                for unique in self.waiting:
                    self.answer(unique, b"x" * BLOCK)
                self.waiting.clear()


signal.alarm(int(sys.argv[3]))
try:
    Server(sys.argv[1], int(sys.argv[2]), *sys.argv[4:]).run()
except OSError as error:
    if error.errno != errno.ENODEV:     # the connection was ended
        raise
