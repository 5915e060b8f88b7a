"""Hosts of their own on one machine: network namespaces (iproute2), and a line between two that can be made bad.

The line is a pair of TAP devices with a thread between: it is cut, delays, loses, and is the firewall before the host
at its first end, which passes nothing but what belongs to TCP connections that this host has begun, and
what is for ports that are let in.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
FRAME_BYTES = 65536
ARP, IPV4, TCP, SYN, ACK = 0x0806, 0x0800, 6, 0x02, 0x10
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*words: object) -> None:
    """Run iproute2's `ip`."""
    subprocess.run(["ip", *(str(word) for word in words)], check=True, capture_output=True)


class Host:
    """A network namespace."""

    def __init__(self, name: str) -> None:
        self.name = f"rr{os.getpid()}{name}"
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")

    def close(self) -> None:
        ip("netns", "del", self.name)

    def address(self, device: str, address: str, gateway: str = "") -> None:
        """Give a device an address (with its prefix), and perhaps the way to everywhere else."""
        ip("-n", self.name, "addr", "add", address, "dev", device)
        ip("-n", self.name, "link", "set", device, "up")
        if gateway:
            ip("-n", self.name, "route", "add", "default", "via", gateway)

    def run(self, work: Callable[[], T]) -> T:
        """Do something in a thread that lives on this host; processes that it starts live there, too."""
        answer: list[T] = []
        trouble: list[BaseException] = []

        def inside() -> None:
            try:
                with Path(f"/run/netns/{self.name}").open("rb") as namespace:
                    if _libc.setns(namespace.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                answer.append(work())
            except BaseException as error:
                trouble.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if trouble:
            raise trouble[0]
        return answer[0]


def cable(one: Host, other: Host, devices: tuple[str, str]) -> None:
    """Join two hosts by a good line (veth)."""
    ip("link", "add", devices[0], "netns", one.name, "type", "veth", "peer", "name", devices[1], "netns", other.name)


class Wire:
    """A line whose first end is a host that nothing may reach of itself."""

    def __init__(self, inner: Host, outer: Host, device: str) -> None:
        self._ends = [_tap(f"{device}i", inner), _tap(f"{device}o", outer)]
        self.devices = (f"{device}i", f"{device}o")
        self.cut = False
        self.delay_s = 0.0
        self.loss = 0.0
        self.refused = 0
        self.lets_in: set[int] = set()
        """TCP ports of the first host that the firewall lets the other begin connections to."""
        self._chance = random.Random(1)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        for end in self._ends:
            os.close(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        under_way: list[tuple[float, int, int, bytes]] = []
        count = 0
        while not self._ending.is_set():
            wait = 0.1 if not under_way else max(0.0, min(0.1, under_way[0][0] - time.monotonic()))
            readable, _, _ = select.select(self._ends, (), (), wait)
            for end in readable:
                to = 1 - self._ends.index(end)
                for frame in _frames(end):
                    if self._passes(frame, inwards=to == 0):
                        count += 1
                        heapq.heappush(under_way, (time.monotonic() + self.delay_s, count, to, frame))
            now = time.monotonic()
            while under_way and under_way[0][0] <= now:
                _, _, to, frame = heapq.heappop(under_way)
                if not self.cut:
                    with suppress(OSError):  # the device is not up yet, or full
                        os.write(self._ends[to], frame)

    def _passes(self, frame: bytes, *, inwards: bool) -> bool:
        if self.cut or self._chance.random() < self.loss:
            return False
        if inwards and _begins(frame) and _port_of(frame) not in self.lets_in:
            self.refused += 1
            return False
        return True


def _begins(frame: bytes) -> bool:
    """Say whether a frame is anything else than a part of a TCP connection that the other side has begun."""
    kind = struct.unpack_from(">H", frame, 12)[0]
    if kind == ARP:
        return False
    if kind != IPV4 or frame[23] != TCP:
        return True
    flags = frame[14 + (frame[14] & 15) * 4 + 13]
    return bool(flags & SYN) and not flags & ACK


def _port_of(frame: bytes) -> int | None:
    """Return the TCP port that a frame is for, None where it is for none."""
    if struct.unpack_from(">H", frame, 12)[0] != IPV4 or frame[23] != TCP:
        return None
    port: int = struct.unpack_from(">H", frame, 14 + (frame[14] & 15) * 4 + 2)[0]
    return port


def _frames(end: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(end, FRAME_BYTES)
        except BlockingIOError:
            return


def _tap(device: str, host: Host) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TAP | IFF_NO_PI))
    ip("link", "set", device, "netns", host.name)
    return end


@contextmanager
def three_hosts() -> Iterator[tuple[Host, Host, Host, Wire]]:
    """Give site (10.91.1.2), DMZ (10.91.1.1, 10.91.2.1), outside (10.91.2.2), and the line between site and DMZ."""
    site, dmz, outside = Host("s"), Host("d"), Host("o")
    try:
        number = os.getpid() % 100_000
        with Wire(site, dmz, f"rw{number}") as wire:
            site.address(wire.devices[0], "10.91.1.2/24", gateway="10.91.1.1")
            dmz.address(wire.devices[1], "10.91.1.1/24")
            cable(dmz, outside, (f"rv{number}d", f"rv{number}o"))
            dmz.address(f"rv{number}d", "10.91.2.1/24")
            outside.address(f"rv{number}o", "10.91.2.2/24", gateway="10.91.2.1")
            subprocess.run(
                ["ip", "netns", "exec", dmz.name, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], check=True
            )
            yield site, dmz, outside, wire
    finally:
        for host in (site, dmz, outside):
            host.close()
