"""Segments made ready ahead of need, by a thread of the landing's owner.

A segment is zero-filled once (blocks that are only reserved cost a journal write at each sync) and recycled:
what the workers have freed lies as `free-*.seg` in the owner's directory. The next segment is whole, synced and
named before the current one is full, so that going over to it costs nothing. An owner that does not come again
keeps no stock, and has the next one made only when it has filled one: most imports end in their first.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from radrelay.errors import OutOfResources, RadrelayError
from radrelay.storage.file_layer import FileLayer
from radrelay.storage.keys import Keyring
from radrelay.storage.landing_format import PAGE, new_epoch, new_segment_page, segment_context, segment_name

SPARE_SEGMENTS = 2
MAKING = "next.making"
RETRY_S = 1.0
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class WritableSegment:
    """A segment being appended to; `end` is where the next record goes."""

    number: int
    epoch: int
    handle: int
    size: int
    cipher: AESGCM
    end: int = PAGE


class SegmentSupply:
    """Hands out fresh segments. `take` from one thread at a time."""

    def __init__(
        self, directory: Path, keyring: Keyring, files: FileLayer, size: int, first_number: int, *, stocks: bool = True
    ) -> None:
        self._directory = directory
        self._stocks = stocks
        self._keyring = keyring
        self._files = files
        self._size = size
        self._number = first_number
        self._gate = threading.Condition()
        self._ready: WritableSegment | None = None
        self._failure: OSError | RadrelayError | None = None
        self._wanted = True
        self._begun = 0  # segments begun: from the second on, spare ones are kept too
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="segment-supply", daemon=True)
        self._thread.start()

    def take(self) -> WritableSegment:
        """Return the next segment, waiting for it if need be; raises `OutOfResources` if it cannot be made."""
        with self._gate:
            self._wanted = True
            self._gate.notify_all()
            while self._ready is None:
                if self._failure is not None:
                    raise OutOfResources(f"no landing segment can be made: {self._failure}") from self._failure
                if self._closing:
                    raise OutOfResources("the landing is closed")
                self._gate.wait()
            segment, self._ready = self._ready, None
            self._wanted = False
            return segment

    def want_next(self) -> None:
        """Let the next segment be made; an owner that goes through segments gets spare ones too."""
        with self._gate:
            self._begun += 1
            self._wanted = self._stocks or self._begun > 1
            self._gate.notify_all()

    def close(self) -> None:
        """Stop; what was made ready goes back to the free ones."""
        with self._gate:
            self._closing = True
            self._gate.notify_all()
        self._thread.join()
        if self._ready is not None:
            self._files.close(self._ready.handle)
            name = self._directory / segment_name(self._ready.number)
            self._files.rename(name, name.with_name(f"free-{self._ready.number:010d}.seg"))
            self._ready = None

    def _run(self) -> None:
        while True:
            with self._gate:
                while not self._closing and not self._missing():
                    self._gate.wait()
                if self._closing:
                    return
                spare = self._ready is not None
            try:
                if spare:
                    self._make_spare()
                    continue
                segment, failure = self._make(), None
            except (OSError, RadrelayError) as error:  # of the disk, or of a keyring that is being put back
                segment, failure = None, error
                log.error("landing.no_segment", error=str(error))
            with self._gate:
                self._ready, self._failure = self._ready or segment, failure
                self._gate.notify_all()
                if failure is not None:
                    self._gate.wait(RETRY_S)

    def _missing(self) -> bool:
        if self._ready is None:
            return self._wanted
        return self._stocks and self._begun > 1 and len(self._free()) < SPARE_SEGMENTS

    def _free(self) -> list[Path]:
        return sorted(self._directory.glob("free-*.seg"))

    def _make(self) -> WritableSegment:
        making = self._directory / MAKING
        self._files.unlink(making)
        handle = self._claim_free(making)
        if handle is None:
            handle = self._files.open(making, create=True)
            self._files.zero_fill(handle, 0, self._size)
        number, epoch, key = self._number, new_epoch(), secrets.token_bytes(32)
        self._number += 1
        with self._keyring.wrapping() as wrap:
            wrapped = wrap(key, segment_context(number, epoch))
            self._files.pwrite(handle, new_segment_page(number, epoch, self._size, wrapped), 0)
            self._files.fdatasync(handle)
            self._files.rename(making, self._directory / segment_name(number))
            self._files.fsync_dir(self._directory)
        return WritableSegment(number, epoch, handle, self._size, AESGCM(key))

    def _claim_free(self, making: Path) -> int | None:
        for free in self._free():
            if free.stat().st_size != self._size:  # made under another setting
                self._files.unlink(free)
                continue
            self._files.rename(free, making)
            return self._files.open(making)
        return None

    def _make_spare(self) -> None:
        making = self._directory / "spare.making"
        self._files.unlink(making)
        handle = self._files.open(making, create=True)
        try:
            self._files.zero_fill(handle, 0, self._size)
            self._files.fdatasync(handle)
        finally:
            self._files.close(handle)
        number, self._number = self._number, self._number + 1
        self._files.rename(making, self._directory / f"free-{number:010d}.seg")
