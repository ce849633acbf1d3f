#!/usr/bin/python3
"""A receiver that knows the truth: it stamps when it had each request and when it answered, by the monotonic clock.

    truth.py PORTFILE STAMPS fixed:MS | lognormal:MS | bimodal:MS,MS | queue:MS

Each request is answered so much after it came; with `queue`, one after another, each taking so long (a single server). It came when the
kernel had its last byte, whose own stamp that is: that this program woke up later is the receiver's time, not the sender's. The stamps stand
in the headers of the answers (X-Received-Ns, X-Sent-Ns), and at the end (SIGTERM) in STAMPS: a line "delivery received sent" each.
One thread, one epoll, a timerfd: what it adds itself is some ten microseconds.
"""

import collections
import ctypes
import heapq
import math
import os
import random
import select
import signal
import socket
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
SO_TIMESTAMPNS = 35  # asm-generic/socket.h


class Timer:
    """A timerfd: epoll's own time-out knows milliseconds alone."""

    class Spec(ctypes.Structure):
        _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]

    def __init__(self):
        self.fd = LIBC.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK)
        assert self.fd >= 0

    def read(self):
        """It may have been set anew since it fired."""
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            pass

    def set(self, at_ns):
        spec = self.Spec(0, 0, at_ns // 10**9, at_ns % 10**9)
        assert LIBC.timerfd_settime(self.fd, 1, ctypes.byref(spec), None) == 0  # TFD_TIMER_ABSTIME


class WallClock:
    """Turns the kernel's stamps, which are of the wall clock, into the monotonic clock's. Both drift; looked at anew each time."""

    def __init__(self):
        self.offset = 0
        while not self.look():
            pass

    def look(self):
        """Nothing came between the three looks, or it is no good."""
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if after - before > 5000:
            return False
        self.offset = wall - (before + after) // 2
        return True

    def monotonic(self, stamp):
        self.look()
        return stamp - self.offset


def delays(text):
    """A function that gives the next delay in nanoseconds; whether there is one server alone."""
    kind, _, values = text.partition(":")
    numbers = [float(value) * 1e6 for value in values.split(",")]
    rng = random.Random(11)
    draw = {
        "fixed": lambda: numbers[0],
        "queue": lambda: numbers[0],
        "lognormal": lambda: numbers[0] * math.exp(0.5 * rng.gauss(0, 1)),
        "bimodal": lambda: numbers[rng.random() < 0.2],
    }[kind]
    return lambda: int(draw()), kind == "queue"


class Server:
    def __init__(self, delay, alone):
        self.delay, self.alone, self.free_at = delay, alone, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.timer = Timer()
        self.clock = WallClock()
        self.epoll = select.epoll()
        self.epoll.register(self.listener, select.EPOLLIN)
        self.epoll.register(self.timer.fd, select.EPOLLIN)
        self.open = {}
        self.read = collections.defaultdict(bytes)
        self.waiting, self.count, self.stamps = [], 0, []

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.open[connection.fileno()] = connection
            self.epoll.register(connection, select.EPOLLIN)

    def close(self, fd):
        self.epoll.unregister(fd)
        self.open.pop(fd).close()
        self.read.pop(fd, None)

    def take(self, fd):
        """What has come on a connection: a whole request, a part of one, or its end."""
        try:
            data, notes, _, _ = self.open[fd].recvmsg(65536, 64)
        except BlockingIOError:
            return
        except OSError:
            data, notes = b"", []
        now = time.monotonic_ns()
        for level, kind, value in notes:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, rest = struct.unpack("@ll", value)
                now = min(now, self.clock.monotonic(seconds * 10**9 + rest))
        if not data:
            self.close(fd)
            return
        whole = self.read[fd] + data
        head, found, body = whole.partition(b"\r\n\r\n")
        fields = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        if not found or len(body) < int(fields.get(b"content-length", 0)):
            self.read[fd] = whole
            return
        self.read[fd] = b""
        began = max(now, self.free_at) if self.alone else now
        self.free_at = began + self.delay()
        self.count += 1
        heapq.heappush(self.waiting, (self.free_at, self.count, fd, fields[b"x-8bit-delivery"].decode(), now))

    def answer(self):
        while self.waiting and self.waiting[0][0] <= time.monotonic_ns():
            _, _, fd, delivery, received = heapq.heappop(self.waiting)
            now = time.monotonic_ns()
            text = f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Received-Ns: {received}\r\nX-Sent-Ns: {now}\r\n\r\n"
            self.stamps.append((delivery, received, now))
            try:
                self.open[fd].send(text.encode())
            except (KeyError, OSError):
                pass

    def run(self):
        while True:
            self.answer()
            if self.waiting:
                self.timer.set(self.waiting[0][0])
            for fd, _ in self.epoll.poll():
                if fd == self.listener.fileno():
                    self.accept()
                elif fd == self.timer.fd:
                    self.timer.read()
                elif fd in self.open:
                    self.take(fd)
                self.answer()


class Ended(Exception):
    pass


def main(portfile, stamps, kind):
    def end(*_):
        raise Ended

    server = Server(*delays(kind))
    signal.signal(signal.SIGTERM, end)
    with open(portfile + ".new", "w", encoding="ascii") as file:
        file.write(str(server.listener.getsockname()[1]))
    os.rename(portfile + ".new", portfile)
    try:
        server.run()
    except Ended:
        pass
    with open(stamps, "w", encoding="ascii") as file:
        file.writelines(f"{delivery} {received} {sent}\n" for delivery, received, sent in server.stamps)


if __name__ == "__main__":
    main(*sys.argv[1:])
