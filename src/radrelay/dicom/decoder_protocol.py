"""What a role and its decoder processes say to one another.

Messages are msgpack behind a length of 4 bytes, over pipes; code streams and samples lie in a file in memory that
both hold open, which costs a copy less than a pipe. Nothing that a decoder sends is trusted: it may be taken over.
"""

from __future__ import annotations

import os
import select
import struct
import tempfile
import time
from typing import Literal

import msgspec
import numpy as np

from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import FrameDescriptor, Pixels

MAX_MESSAGE = 1 << 20
PIECE = 1 << 30  # what one system call moves at most, below Linux's limit of 2 GiB
READY = b"\x06"


class Job(msgspec.Struct, frozen=True):
    """What is to be done with the `length` bytes at the beginning of the file."""

    kind: Literal["frame", "reduced", "pictures", "pages", "page", "page-text"]
    length: int
    memory_bytes: int
    """What the process may take beside what it has (RLIMIT_AS)."""
    cpu_s: int
    """When the system ends it by itself, should nobody be left to do so (RLIMIT_CPU)."""
    descriptor: FrameDescriptor | None = None
    masked: bool = True
    levels: int = 0
    page: int = 0
    """Of a document, from 1."""
    width: int = 0
    """In pixels, of a page's picture."""


class Answer(msgspec.Struct, frozen=True):
    """What came of it: samples in the file, or why there are none."""

    fault: Literal["", "broken-pixels", "unreadable-picture", "unreadable-document"] = ""
    message: str = ""
    length: int = 0
    shape: tuple[int, ...] = ()
    dtype: str = ""
    photometric: str = ""
    precision: int = 64


class Hung(Exception):
    """The other side said nothing until the deadline."""


class Gone(Exception):
    """The other side has ended, or says what makes no sense."""


def memory_file() -> int:
    """Return a file without a name, in memory where the system has that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("radrelay-decoder", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())


def send(fd: int, message: Job | Answer) -> None:
    """Write a message; raises `Gone`."""
    body = msgspec.msgpack.encode(message)
    try:
        write_all(fd, struct.pack("<I", len(body)) + body)
    except OSError as error:
        raise Gone from error


def write_all(fd: int, data: Buffer) -> None:
    """Write all of `data` to a pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def receive(fd: int, deadline: float | None = None) -> bytes:
    """Read a message's body, until `deadline` on the monotonic clock; raises `Hung` or `Gone`."""
    (length,) = struct.unpack("<I", read_some(fd, 4, deadline))
    if length > MAX_MESSAGE:
        raise Gone
    return read_some(fd, length, deadline)


def read_some(fd: int, size: int, deadline: float | None) -> bytes:
    """Read exactly `size` bytes from a pipe; raises `Hung` or `Gone`."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    parts = b""
    while len(parts) < size:
        if deadline is not None and not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise Hung
        part = os.read(fd, size - len(parts))
        if not part:
            raise Gone
        parts += part
    return parts


def put(fd: int, data: Buffer) -> int:
    """Write `data` at the beginning of the file in memory; returns its length."""
    view = memoryview(data).cast("B")
    at = 0
    while at < len(view):
        at += os.pwrite(fd, view[at : at + PIECE], at)
    return at


def take(fd: int, into: Pixels) -> None:
    """Fill an array from the beginning of the file in memory; raises `Gone` when that is shorter."""
    view = into.reshape(-1).view(np.uint8).data
    at = 0
    while at < len(view):
        count = os.preadv(fd, [view[at : at + PIECE]], at)
        if not count:
            raise Gone
        at += count
