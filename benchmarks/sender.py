"""A DICOM sender that does not stall: it shows the receiver's speed, not its own.

One process for each association; objects are made or read, and their messages laid out, before the clock starts.
TCP_NODELAY lets each object leave at once, TCP_QUICKACK before each read frees a receiver whose response waits for
an acknowledgement. Usable as a module (`send`) or by hand::

    python benchmarks/sender.py 127.0.0.1 11112 --size 526000 --count 1000 --associations 4
    python benchmarks/sender.py 127.0.0.1 11112 --files /data/ct
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import statistics
import struct
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
QUICKACK = getattr(socket, "TCP_QUICKACK", None)
FRAGMENT_BYTES = 131072


@dataclass(frozen=True, slots=True)
class Load:
    """What one association sends: files, what `make` yields, or `count` generated objects of about `size` bytes.

    Files are sent under UIDs that a `stamp` other than 0 makes new; `interval_s` is the least time between objects.
    """

    files: tuple[Path, ...] = ()
    count: int = 0
    size: int = 0
    seed: int = 0
    stamp: int = 0
    interval_s: float = 0.0
    make: Callable[[], Iterable[SentObject]] | None = None

    def objects(self) -> list[SentObject]:
        """Return what is to be sent."""
        if self.make is not None:
            return list(self.make())
        if self.files:
            return [restamped(read_file(path), self.stamp) for path in self.files]
        return list(generate(self))


@dataclass(frozen=True, slots=True)
class SentObject:
    """UIDs and data set of one object."""

    sop_class: str
    sop_uid: str
    transfer_syntax: str
    data_set: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """One run: wall seconds from the common start, and each object's seconds from send to response."""

    objects: int
    bytes: int
    seconds: float
    failures: int
    latencies: tuple[float, ...]
    ended_at: float = 0.0  # as time.perf_counter() counts

    @property
    def objects_per_s(self) -> float:
        return self.objects / self.seconds

    def percentile_ms(self, percent: int) -> float:
        if len(self.latencies) < 2:
            return 1000 * sum(self.latencies)
        return 1000 * statistics.quantiles(self.latencies, n=100)[percent - 1]


def send(host: str, port: int, called_ae: str, loads: Sequence[Load]) -> Result:
    """Send every load on an association of its own, started together; raises `RuntimeError` when one fails."""
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(len(loads) + 1)
    results: Queue[tuple[list[float], int, int] | str] = context.Queue()
    processes = [
        context.Process(target=_association, args=(host, port, called_ae, load, barrier, results), daemon=True)
        for load in loads
    ]
    for process in processes:
        process.start()
    try:
        barrier.wait(timeout=600)
        began = time.perf_counter()
        parts = [results.get(timeout=600) for _ in processes]
        ended_at = time.perf_counter()
    finally:
        for process in processes:
            process.join(timeout=5)
            process.kill()
    failed = [part for part in parts if isinstance(part, str)]
    if failed:
        raise RuntimeError(failed[0])
    done = [part for part in parts if not isinstance(part, str)]
    latencies = tuple(latency for part in done for latency in part[0])
    size, failures = sum(part[2] for part in done), sum(part[1] for part in done)
    return Result(len(latencies), size, ended_at - began, failures, latencies, ended_at)


def read_file(path: Path) -> SentObject:
    """Return the object of a Part-10 file, its data set untouched."""
    data = path.read_bytes()
    position, meta = 132, dict[int, str]()
    while struct.unpack_from("<H", data, position)[0] == 2:
        element, vr = struct.unpack_from("<2xH2s", data, position)
        head, form = (12, "<8xI") if vr in (b"OB", b"UN") else (8, "<6xH")
        length = struct.unpack_from(form, data, position)[0]
        meta[element] = data[position + head : position + head + length].rstrip(b"\0 ").decode("latin_1")
        position += head + length
    return SentObject(meta[2], meta[3], meta[16], data[position:])


def restamped(one: SentObject, stamp: int) -> SentObject:
    """Return an object with study, series and SOP instance UID made new by `stamp` in their last four digits."""
    if not stamp:
        return one
    data, head = one.data_set, one.data_set[:8192]
    uids = {one.sop_uid.encode()}
    for tag in (b"\x20\x00\x0d\x00UI", b"\x20\x00\x0e\x00UI"):
        at = head.index(tag) + 8
        uids.add(head[at : at + struct.unpack_from("<H", head, at - 2)[0]].rstrip(b"\0"))
    for uid in uids:
        head = head.replace(uid, uid[:-4] + b"%04d" % stamp)
    return SentObject(one.sop_class, f"{one.sop_uid[:-4]}{stamp:04d}", one.transfer_syntax, head + data[8192:])


def generate(load: Load) -> Iterator[SentObject]:
    """Yield CT slices (MR below 100 kB) of one study and series with pixel data of about `load.size` bytes."""
    sop_class, modality = (MR, "MR") if load.size < 100_000 else (CT, "CT")
    study, series = (f"2.25.{uuid.uuid4().int}" for _ in range(2))
    side = 512 if load.size >= 512 * 512 * 2 else 128
    rows = max(2, load.size // (2 * side))
    noise = bytes(range(256)) * (2 * side * rows // 256 + 1)
    for number in range(load.count):
        sop_uid = f"2.25.{uuid.uuid4().int}"
        elements = [
            (0x00080005, b"CS", b"ISO_IR 100"),
            (0x00080016, b"UI", sop_class.encode()),
            (0x00080018, b"UI", sop_uid.encode()),
            (0x00080020, b"DA", b"20260102"),
            (0x00080030, b"TM", b"101112"),
            (0x00080050, b"SH", b"A%d" % load.seed),
            (0x00080060, b"CS", modality.encode()),
            (0x00080070, b"LO", b"PHANTOM"),
            (0x00081030, b"LO", b"Thorax"),
            (0x00100010, b"PN", b"Bench^%d" % load.seed),
            (0x00100020, b"LO", b"BENCH%d" % load.seed),
            (0x00100030, b"DA", b"19700101"),
            (0x00100040, b"CS", b"O"),
            (0x0020000D, b"UI", study.encode()),
            (0x0020000E, b"UI", series.encode()),
            (0x00200010, b"SH", b"1"),
            (0x00200011, b"IS", b"1"),
            (0x00200013, b"IS", b"%d" % (number + 1)),
            (0x00200032, b"DS", b"0\\0\\%d" % number),
            (0x00200037, b"DS", b"1\\0\\0\\0\\1\\0"),
            (0x00280002, b"US", struct.pack("<H", 1)),
            (0x00280004, b"CS", b"MONOCHROME2"),
            (0x00280010, b"US", struct.pack("<H", rows)),
            (0x00280011, b"US", struct.pack("<H", side)),
            (0x00280100, b"US", struct.pack("<H", 16)),
            (0x00280101, b"US", struct.pack("<H", 16)),
            (0x00280102, b"US", struct.pack("<H", 15)),
            (0x00280103, b"US", struct.pack("<H", 1)),
        ]
        head = b"".join(_element(*element) for element in elements)
        start = number % 256
        pixels = noise[start : start + 2 * side * rows]
        yield SentObject(sop_class, sop_uid, EXPLICIT_LITTLE, head + _pixel_data(pixels))


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    if len(value) & 1:
        value += b"\0" if vr == b"UI" else b" "
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def _pixel_data(pixels: bytes) -> bytes:
    return struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels)) + pixels


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


class Connection:
    """The sender's end of an association."""

    def __init__(self, host: str, port: int, called_ae: str, pairs: Sequence[tuple[str, str]]) -> None:
        self.contexts = {pair: 2 * index + 1 for index, pair in enumerate(pairs)}
        self.sock = socket.create_connection((host, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = _item(0x10, b"1.2.840.10008.3.1.1.1")
        for (sop_class, syntax), number in self.contexts.items():
            value = bytes([number, 0, 0, 0]) + _item(0x30, sop_class.encode()) + _item(0x40, syntax.encode())
            body += _item(0x20, value)
        body += _item(0x50, _item(0x51, struct.pack(">I", 16384)) + _item(0x52, b"2.25.2"))
        titles = called_ae.encode().ljust(16) + b"BENCH".ljust(16) + bytes(32)
        self.sock.sendall(struct.pack(">BxIHxx", 1, 68 + len(body), 1) + titles + body)
        kind, answer = self.read()
        if kind != 2:
            raise RuntimeError(f"association refused by PDU type {kind}: {answer.hex(' ')}")
        self.fragment_bytes = self._negotiated(answer)
        self._values: list[tuple[int, bytes]] = []

    def _negotiated(self, answer: bytes) -> int:
        position, longest = 68, FRAGMENT_BYTES
        while position < len(answer):
            kind, length = struct.unpack_from(">BxH", answer, position)
            value = answer[position + 4 : position + 4 + length]
            position += 4 + length
            if kind == 0x21 and value[2]:
                raise RuntimeError("a presentation context was refused")
            if kind == 0x50 and value[0] == 0x51:
                longest = struct.unpack_from(">I", value, 4)[0] or FRAGMENT_BYTES
        return min(longest, FRAGMENT_BYTES) - 6

    def read(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._exactly(6))
        return kind, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if QUICKACK is not None:
                self.sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
            part = self.sock.recv(count - len(data))
            if not part:
                raise RuntimeError("the receiver closed the connection")
            data += part
        return data

    def message(self, number: int, one: SentObject) -> bytes:
        """Return a C-STORE-RQ with its data set as it goes over the wire."""
        context = self.contexts[one.sop_class, one.transfer_syntax]
        command = (
            _command_element(0x0002, one.sop_class.encode())
            + _command_element(0x0100, b"\1\0")
            + _command_element(0x0110, struct.pack("<H", number % 65535 + 1))
            + _command_element(0x0700, b"\0\0")
            + _command_element(0x0800, b"\0\0")
            + _command_element(0x1000, one.sop_uid.encode())
        )
        command = _command_element(0x0000, struct.pack("<I", len(command))) + command
        wire = [_fragment_head(len(command), context, 3), command]
        data, step = one.data_set, self.fragment_bytes
        for start in range(0, len(data), step):
            part = data[start : start + step]
            wire += [_fragment_head(len(part), context, 2 if start + step >= len(data) else 0), part]
        return b"".join(wire)

    def ask(self, sop_class: str, syntax: str, number: int, identifier: bytes) -> None:
        """Send a C-FIND-RQ with its identifier."""
        context = self.contexts[sop_class, syntax]
        command = (
            _command_element(0x0002, sop_class.encode())
            + _command_element(0x0100, b"\x20\0")
            + _command_element(0x0110, struct.pack("<H", number % 65535 + 1))
            + _command_element(0x0700, b"\0\0")
            + _command_element(0x0800, b"\1\0")
        )
        command = _command_element(0x0000, struct.pack("<I", len(command))) + command
        head, tail = _fragment_head(len(command), context, 3), _fragment_head(len(identifier), context, 2)
        self.sock.sendall(head + command + tail + identifier)

    def response(self) -> tuple[int, bytes]:
        """Return the status and the data set, if any, of the next response."""
        command, data = self._message_of(1), b""
        at = command.rfind(b"\0\0\x00\x09\2\0\0\0")
        kind = command.rfind(b"\0\0\x00\x08\2\0\0\0")
        if command[kind + 8 : kind + 10] != b"\1\1":
            data = self._message_of(0)
        return int.from_bytes(command[at + 8 : at + 10], "little"), data

    def _message_of(self, kind: int) -> bytes:
        """Return the fragments of one command (`kind` 1) or data set (0), put together."""
        found = b""
        while True:
            while not self._values:
                type_, body = self.read()
                if type_ != 4:
                    raise RuntimeError(f"the receiver answered by PDU type {type_}")
                self._values = _presentation_values(body)
            control, part = self._values.pop(0)
            if control & 1 != kind:
                raise RuntimeError("the receiver mixed command and data")
            found += part
            if control & 2:
                return found

    def release(self) -> None:
        self.sock.sendall(struct.pack(">BxI4x", 5, 4))
        self.read()
        self.sock.close()


def _presentation_values(body: bytes) -> list[tuple[int, bytes]]:
    """Return control header and fragment of each presentation data value of a P-DATA-TF (PS3.8 9.3.5)."""
    found, at = [], 0
    while at < len(body):
        (length,) = struct.unpack_from(">I", body, at)
        found.append((body[at + 5], body[at + 6 : at + 4 + length]))
        at += 4 + length
    return found


def _command_element(element: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) & 1)
    return struct.pack("<HHI", 0, element, len(value)) + value


def _fragment_head(length: int, context: int, flags: int) -> bytes:
    return struct.pack(">BxIIBB", 4, length + 6, length + 2, context, flags)


def _association(
    host: str,
    port: int,
    called_ae: str,
    load: Load,
    barrier: Barrier,
    results: Queue[tuple[list[float], int, int] | str],
) -> None:
    try:
        objects = load.objects()
        pairs = sorted({(one.sop_class, one.transfer_syntax) for one in objects})
        connection = Connection(host, port, called_ae, pairs)
        wires = [connection.message(number, one) for number, one in enumerate(objects)]
        total = sum(len(one.data_set) for one in objects)
        del objects
    except (OSError, RuntimeError) as error:
        barrier.abort()
        results.put(str(error))
        return
    barrier.wait(timeout=600)
    latencies, failures = [], 0
    try:
        for wire in wires:
            began = time.perf_counter()
            connection.sock.sendall(wire)
            _, answer = connection.read()
            latencies.append(time.perf_counter() - began)
            at = answer.rfind(b"\0\0\x00\x09\2\0\0\0")
            failures += answer[at + 8 : at + 10] != b"\0\0"
            if load.interval_s:
                time.sleep(max(0.0, load.interval_s - (time.perf_counter() - began)))
    except (OSError, RuntimeError) as error:
        results.put(str(error))
        return
    results.put((latencies, failures, total))
    connection.release()


def split(files: Sequence[Path], associations: int) -> list[Load]:
    """Share files among associations."""
    return [Load(files=tuple(files[index::associations])) for index in range(associations)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--called", default="RADRELAY")
    parser.add_argument("--files", type=Path, help="folder whose *.dcm files are sent instead of generated objects")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--size", type=int, default=526_000, help="bytes of one generated object's pixels")
    parser.add_argument("--associations", type=int, default=1)
    arguments = parser.parse_args()
    number = arguments.associations
    if arguments.files:
        loads = split(sorted(arguments.files.rglob("*.dcm"))[: arguments.count], number)
    else:
        share = arguments.count // number
        loads = [Load(count=share, size=arguments.size, seed=os.getpid() + index) for index in range(number)]
    result = send(arguments.host, arguments.port, arguments.called, loads)
    sys.stdout.write(
        f"{result.objects} objects, {result.bytes / 1e6:.0f} MB in {result.seconds:.2f} s: "
        f"{result.objects_per_s:.0f}/s, {result.bytes / 1e6 / result.seconds:.0f} MB/s, "
        f"p50 {result.percentile_ms(50):.2f} ms, p95 {result.percentile_ms(95):.2f} ms, {result.failures} failures\n"
    )


if __name__ == "__main__":
    main()
