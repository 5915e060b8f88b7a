"""Decoder processes: code streams from outside, decoded where a hang or a crash costs a process and not the role.

In: a frame descriptor and compressed bytes. Out: samples, or an error that says what the bytes did. Each process does
one thing at a time; at the deadline, or when it crashes, it is killed and another takes its place.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import structlog

from radrelay.dicom.decoder_protocol import (
    READY,
    Answer,
    Gone,
    Hung,
    Job,
    memory_file,
    put,
    read_some,
    receive,
    send,
    take,
)
from radrelay.dicom.elements import Buffer
from radrelay.dicom.pdf_pages import Pages, UnreadableDocument
from radrelay.dicom.pictures import MAX_FILE_BYTES, Picture, UnreadablePicture
from radrelay.dicom.pixels import (
    BrokenPixels,
    DecoderCrashed,
    DecoderKilled,
    DecodersBusy,
    DecodingTimedOut,
    FrameDescriptor,
    Pixels,
)
from radrelay.dicom.samples import Decoded

log = structlog.get_logger(__name__)

START_S = 60.0
WAIT_DEADLINES = 3
"""How many deadlines somebody waits for a decoder while all are at work."""
COUNTED_BYTES = 64 << 20
"""Frames that decode to more than this have a deadline that grows with them."""
ROOM_BYTES = 128 << 20
ROOM_TIMES = 16
"""Decoders hold samples as 32-bit words, twice, and their result: 16 times a frame of bytes."""
DOCUMENT_BYTES = 512 << 20
"""What a page of a document may take beside the document, and be as a picture."""
KEPT_BYTES = 64 << 20
KILLERS = 256
REFUSED_S = 600.0
"""How long bytes that ended a decoder are refused at once: it may have been the machine that held or ended it."""
STARTS = 3
"""How many decoders are tried that turn out to have ended before they had anything to do."""


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """What decoding may take: seconds a frame, processes (None: one a core), bytes of memory each."""

    deadline_s: float = 10.0
    processes: int | None = None
    memory_bytes: int = 4 << 30

    @property
    def size(self) -> int:
        """Return how many processes there are at most."""
        return self.processes or max(2, os.cpu_count() or 2)


class DecoderPool:
    """Decodes in processes that are started when they are needed. Thread-safe.

    `codecs` names a module whose `codecs` the processes use beside ours: for tests with decoders that misbehave.
    """

    def __init__(self, limits: DecoderLimits = DecoderLimits(), codecs: str = "") -> None:
        self.limits = limits
        self._codecs = codecs
        self._free = threading.Condition()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._killers: OrderedDict[bytes, tuple[DecoderKilled, float]] = OrderedDict()
        self._closed = False

    def decode(self, descriptor: FrameDescriptor, data: Buffer, *, masked: bool = True) -> Decoded:
        """Return what `codecs.decode_here` gives; raises `DecodingTimedOut`, `DecoderCrashed`, `DecodersBusy` too."""
        return self._frame("frame", descriptor, data, masked=masked, levels=0)

    def reduce(self, descriptor: FrameDescriptor, data: Buffer, levels: int) -> Decoded:
        """Return what `codecs.reduce_here` gives, with the same errors."""
        return self._frame("reduced", descriptor, data, masked=True, levels=levels)

    def pictures(self, data: Buffer) -> list[Picture]:
        """Return what `pictures.read_pictures` gives; raises `UnreadablePicture` or `DecodersBusy`."""
        work = Job("pictures", 0, self.limits.memory_bytes, 0)
        try:
            _, found = self._run(work, data, 2 * MAX_FILE_BYTES, COUNTED_BYTES, "picture")
            return msgspec.msgpack.decode(found.data, type=list[Picture])
        except BrokenPixels as error:
            raise UnreadablePicture(error.message) from error
        except msgspec.MsgspecError as error:
            raise UnreadablePicture from error

    def pages(self, data: Buffer) -> Pages:
        """Return what `pdf_pages.list_pages` gives; raises `UnreadableDocument` or `DecodersBusy`."""
        try:
            return msgspec.msgpack.decode(self._document("pages", data), type=Pages)
        except msgspec.MsgspecError as error:
            raise UnreadableDocument from error

    def page(self, data: Buffer, number: int, width: int) -> bytes:
        """Return what `pdf_pages.draw_page` gives, with the same errors."""
        return self._document("page", data, number, width)

    def page_text(self, data: Buffer, number: int) -> str:
        """Return what `pdf_pages.text_of_page` gives, with the same errors."""
        return self._document("page-text", data, number).decode("utf-8", "replace")

    def _document(
        self, kind: Literal["pages", "page", "page-text"], data: Buffer, number: int = 0, width: int = 0
    ) -> bytes:
        work = Job(kind, 0, min(self.limits.memory_bytes, DOCUMENT_BYTES + 4 * len(data)), 0, page=number, width=width)
        try:
            return self._run(work, data, DOCUMENT_BYTES, COUNTED_BYTES, "document")[1].tobytes()
        except DecoderKilled:
            raise  # its words say what happened
        except BrokenPixels as error:
            raise UnreadableDocument(error.message) from error

    def warm(self) -> None:
        """Start a process ahead of its first use."""
        with self._free:
            if not self._idle and not self._busy:
                self._idle.append(self._started())

    def processes(self) -> list[int]:
        """Return the process ids of the decoders."""
        with self._free:
            return [process.pid for process in (*self._idle, *self._busy)]

    def close(self) -> None:
        """End all processes; who still waits for one gets `DecodersBusy`."""
        with self._free:
            self._closed = True
            for process in self._idle:
                process.kill()
            for process in self._busy:
                process.interrupt()  # who waits for it lets go of it
            self._idle.clear()
            self._free.notify_all()

    def _frame(
        self,
        kind: Literal["frame", "reduced"],
        descriptor: FrameDescriptor,
        data: Buffer,
        *,
        masked: bool,
        levels: int,
    ) -> Decoded:
        size = descriptor.decoded_bytes
        room = min(self.limits.memory_bytes, ROOM_BYTES + len(data) + ROOM_TIMES * size)
        job = Job(kind, 0, room, 0, descriptor, masked, levels)
        name = f"{descriptor.syntax.name} frame ({descriptor.columns}×{descriptor.rows})"
        answer, samples = self._run(job, data, size, size, name)
        shape = answer.shape
        fits = samples.dtype == descriptor.dtype or kind == "reduced" or descriptor.kind != "integer"
        if not fits or (kind == "frame" and shape != descriptor.shape) or len(shape) != len(descriptor.shape):
            raise BrokenPixels(f"The frame decodes to {shape}; the header says {descriptor.shape}.")
        return Decoded(samples.reshape(shape), answer.photometric, answer.precision)

    def _run(self, job: Job, data: Buffer, most: int, size: int, name: str) -> tuple[Answer, Pixels]:
        seconds = self.limits.deadline_s * max(1.0, size / COUNTED_BYTES)
        job = msgspec.structs.replace(job, length=len(data), cpu_s=int(2 * seconds) + 5)
        self._refuse_killer(data)
        answer, samples = self._worked(job, data, seconds, most, name)
        if answer.fault == "unreadable-picture":
            raise UnreadablePicture(answer.message)
        if answer.fault == "unreadable-document":
            raise UnreadableDocument(answer.message)
        if answer.fault:
            raise BrokenPixels(answer.message)
        return answer, samples

    def _worked(self, job: Job, data: Buffer, seconds: float, most: int, name: str) -> tuple[Answer, Pixels]:
        """Have a process do the job; one that ended before it had the job says nothing of the bytes."""
        for _ in range(STARTS):
            process = self._take()
            try:
                done = process.work(job, data, seconds, most)
            except _Unready:
                self._give_back(process, broken=True)
                continue
            except Hung:
                fault: DecoderKilled = DecodingTimedOut(f"The {name} was not decoded within {seconds:g} s.")
                raise self._replace(process, data, fault) from None
            except Gone:
                raise self._replace(process, data, DecoderCrashed(f"The {name} made its decoder crash.")) from None
            except BaseException:
                self._give_back(process, broken=True)
                raise
            self._give_back(process)
            return done
        raise DecodersBusy("No decoder begins to work.")

    def _take(self) -> _Process:
        until = time.monotonic() + WAIT_DEADLINES * self.limits.deadline_s
        with self._free:
            while not self._closed:
                if self._idle or len(self._busy) < self.limits.size:
                    process = self._idle.pop() if self._idle else self._started()
                    self._busy.add(process)
                    return process
                if not self._free.wait(max(0.0, until - time.monotonic())):
                    break
        raise DecodersBusy

    def _give_back(self, process: _Process, *, broken: bool = False) -> None:
        with self._free:
            self._busy.discard(process)
            if broken or self._closed:
                process.kill()
            else:
                self._idle.append(process)
            if broken and not self._closed and not self._idle:
                with suppress(DecodersBusy):  # started now, so that the next frame need not wait for it
                    self._idle.append(self._started())
            self._free.notify()

    def _started(self) -> _Process:
        try:
            return _Process(self._codecs)
        except OSError as error:
            raise DecodersBusy(f"No decoder can be started: {error}") from error

    def _replace(self, process: _Process, data: Buffer, fault: DecoderKilled) -> DecoderKilled:
        closed = self._closed
        self._give_back(process, broken=True)
        if not closed:
            log.warning("decoder killed", code=fault.code, reason=fault.message)
            with self._free:
                self._killers[hashlib.sha256(data).digest()] = fault, time.monotonic() + REFUSED_S
                if len(self._killers) > KILLERS:
                    self._killers.popitem(last=False)
        return fault

    def _refuse_killer(self, data: Buffer) -> None:
        """Refuse at once what killed a decoder before: pages, and deliveries that are tried again, ask many times."""
        if not self._killers:
            return
        with self._free:
            fault, until = self._killers.get(hashlib.sha256(data).digest(), (None, 0.0))
        if fault is not None and time.monotonic() < until:
            raise type(fault)(fault.message)


class _Unready(Exception):
    """The process ended, or never began, before it had its job."""


class _Process:
    """One decoder process, with the pipes and the file in memory that lead to it."""

    def __init__(self, codecs: str) -> None:
        self._file = memory_file()
        command = [sys.executable, "-P", "-m", "radrelay.dicom.decoder_process", str(self._file)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- own interpreter and module
                [*command, codecs] if codecs else command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                pass_fds=(self._file,),
                env=_environment(),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._file)
            raise
        self._ready = False
        self._ended = False

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def work(self, job: Job, data: Buffer, seconds: float, most: int) -> tuple[Answer, Pixels]:
        """Do a job; raises `_Unready`, `Hung` or `Gone`, after which the process is of no more use."""
        assert self._process.stdin is not None  # noqa: S101 -- made with pipes
        assert self._process.stdout is not None  # noqa: S101
        jobs, answers = self._process.stdin.fileno(), self._process.stdout.fileno()
        try:
            if not self._ready and read_some(answers, 1, time.monotonic() + START_S) != READY:
                raise _Unready
            self._ready = True
            put(self._file, data)
            send(jobs, job)
        except (Hung, Gone) as error:
            raise _Unready from error
        try:
            answer = msgspec.msgpack.decode(receive(answers, time.monotonic() + seconds), type=Answer)
            samples = self._samples(answer, most)
        except (msgspec.MsgspecError, TypeError) as error:
            raise Gone from error
        if max(len(data), answer.length) > KEPT_BYTES:
            os.ftruncate(self._file, 0)
        return answer, samples

    def _samples(self, answer: Answer, most: int) -> Pixels:
        dtype = np.dtype(answer.dtype or "u1")
        if dtype.kind not in "uif" or not 0 <= answer.length <= most:
            raise Gone
        count = answer.length // dtype.itemsize
        shape = answer.shape or (answer.length,)
        if min(shape) < 0 or int(np.prod(shape, dtype=object)) != count:
            raise Gone
        samples = np.empty(count, dtype)
        take(self._file, samples)
        return samples

    def interrupt(self) -> None:
        """End the process, while another thread waits for it."""
        self._process.kill()

    def kill(self) -> None:
        """End the process at once, and let go of what leads to it."""
        if self._ended:
            return
        self._ended = True
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        os.close(self._file)


def _environment() -> dict[str, str]:
    """Return what a decoder needs to know of the environment: no password, no key."""
    kept = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


_lock = threading.Lock()
_limits = DecoderLimits()
_pool: DecoderPool | None = None


def install(limits: DecoderLimits) -> DecoderPool:
    """Set the limits of this process's pool, once, as a role begins; returns the pool."""
    return use(DecoderPool(limits))


def use(pool: DecoderPool) -> DecoderPool:
    """Make `pool` this process's pool, and end the one before."""
    global _pool
    with _lock:
        before, _pool = _pool, pool
    if before is not None:
        before.close()
    return pool


def pool() -> DecoderPool:
    """Return this process's pool."""
    global _pool  # noqa: PLW0603
    with _lock:
        if _pool is None:
            _pool = DecoderPool()
        return _pool


@atexit.register
def close() -> None:
    """End this process's decoders."""
    with _lock:
        ending = _pool
    if ending is not None:
        ending.close()
