"""Land a file as sent: told by its bytes, a DICOM file as an object, a ZIP to be unpacked, the rest as listed.

Preamble and file meta information stay outside; the data set lands as it came. A file that is not kept becomes a
finding of its parcel, and the caller reads the same code and text.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

from radrelay.dicom.disc_directory import MAX_BYTES
from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import FileHead, parse_preamble
from radrelay.errors import RadrelayError
from radrelay.intake import file_kinds
from radrelay.intake.discs import note_directory
from radrelay.intake.envelope import Origin
from radrelay.intake.file_kinds import FileKind, Kind
from radrelay.intake.object_writer import FileFacts, Fragment, Landed, ObjectWriter

if TYPE_CHECKING:
    from radrelay.intake.landing import Landing

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
HEAD_BYTES = 64 << 10
NAME_LIMIT = 1024

Outcome = Literal["object", "quarantine", "archive", "attachment", "directory", "skipped", "raw"]


@dataclass(frozen=True, slots=True)
class LandedFile:
    """What became of a file: `code` and `text` say why it was skipped or goes to the quarantine."""

    outcome: Outcome
    name: str
    size: int
    media_type: str
    landed: Landed | None = None
    code: str = ""
    text: str = ""


OpenArchive = Callable[[str, Iterator[Fragment]], int]


class FileLander:
    """Lands one origin's files one after another; for one thread."""

    def __init__(self, landing: Landing, origin: Origin, open_archive: OpenArchive | None = None) -> None:
        """`open_archive` is handed each ZIP's name and bytes and returns how many; without it ZIPs land for later."""
        self._landing = landing
        self._origin = origin
        self._open_archive = open_archive
        self._writer = ObjectWriter(landing, origin, "keep")

    def land(
        self, name: str, chunks: Iterable[Fragment], *, item_id: uuid.UUID | None = None, wait: bool = True
    ) -> LandedFile:
        """Land the file `name`, whose bytes `chunks` gives; durable on return if `wait`.

        Raises `OutOfResources` and its kin when there is no room, and whatever `chunks` raises; then nothing is kept.
        """
        name = clean_text(name)[:NAME_LIMIT]
        stream = _Counted(chunks)
        if self._origin.raw:
            return self._land_raw(name, stream, item_id, wait=wait)
        prefix = stream.peek(file_kinds.PREFIX_BYTES)
        kind = file_kinds.sniff(name, prefix)
        if kind.kind in (Kind.DICOM, Kind.MAYBE_DICOM):
            return self._land_dicom(name, stream, kind, item_id, wait=wait)
        if kind.kind is Kind.DIRECTORY:
            return self._land_directory(name, stream, item_id)
        if kind.kind is Kind.SKIPPED:
            return self._skip(name, stream.drain(), kind, item_id)
        if kind.kind is Kind.ARCHIVE and self._open_archive is not None:
            return LandedFile("archive", name, self._open_archive(name, iter(stream)), kind.media_type)
        return self._land_as_is(name, stream, kind, item_id, wait=wait)

    def _land_raw(self, name: str, stream: _Counted, item_id: uuid.UUID | None, *, wait: bool) -> LandedFile:
        """Land a file that is kept as it came, whatever it is."""
        media_type = file_kinds.sniff(name, stream.peek(file_kinds.PREFIX_BYTES)).media_type
        self._writer.begin("", "", "")
        self._fill(stream)
        landed = self._writer.finish_as("raw", FileFacts(name, stream.count, media_type, item_id), wait=wait)
        return LandedFile("raw", name, stream.count, media_type, landed)

    def _land_as_is(
        self, name: str, stream: _Counted, kind: FileKind, item_id: uuid.UUID | None, *, wait: bool
    ) -> LandedFile:
        what: Literal["archive", "attachment"] = "archive" if kind.kind is Kind.ARCHIVE else "attachment"
        self._writer.begin("", "", "")
        self._fill(stream)
        file = FileFacts(name, stream.count, kind.media_type, item_id)
        landed = self._writer.finish_as(what, file, wait=wait)
        return LandedFile(what, name, stream.count, kind.media_type, landed)

    def _land_dicom(
        self, name: str, stream: _Counted, kind: FileKind, item_id: uuid.UUID | None, *, wait: bool
    ) -> LandedFile:
        head, flaw = _file_head(stream.peek(HEAD_BYTES))
        if head is None and kind.kind is Kind.MAYBE_DICOM:
            return self._skip(name, stream.drain(), file_kinds.UNKNOWN, item_id)
        if head is not None and head.sop_class_uid == MEDIA_STORAGE_DIRECTORY:
            return self._land_directory(name, stream, item_id)
        self._writer.begin(*_announced(head))
        self._fill(stream, head.dataset_offset if head else 0)
        file = FileFacts(name, stream.count, kind.media_type, item_id)
        try:
            landed = self._writer.finish(file, keep_flawed=kind.kind is Kind.DICOM, flaw=flaw, wait=wait)
        except Malformed as error:
            return self._skip(
                name, stream.count, FileKind(Kind.SKIPPED, kind.media_type, error.code, error.message), item_id
            )
        if landed.flaw:
            return LandedFile("quarantine", name, stream.count, kind.media_type, landed, landed.code, landed.flaw)
        return LandedFile("object", name, stream.count, kind.media_type, landed)

    def _land_directory(self, name: str, stream: _Counted, item_id: uuid.UUID | None) -> LandedFile:
        """Note what a disc's directory names, so that the parcel's end can tell what is missing."""
        beginning = stream.peek(MAX_BYTES)
        size = stream.drain()
        in_pieces = self._origin.kind == "folder"  # a watched folder's disc comes as it is copied, parcel by parcel
        if size == len(beginning) and self._origin.parcel_id is not None and not in_pieces:
            note_directory(self._landing, self._origin, name, beginning, item_id)
        return self._skip(name, size, file_kinds.DIRECTORY, item_id)

    def _fill(self, stream: _Counted, skip: int = 0) -> None:
        try:
            for chunk in stream:
                if skip:
                    self._writer.write(memoryview(chunk)[skip:])
                    skip = max(0, skip - len(chunk))
                else:
                    self._writer.write(chunk)
                self._writer.raise_failure()
        except BaseException:
            self._writer.abort()
            raise

    def _skip(self, name: str, size: int, kind: FileKind, item_id: uuid.UUID | None) -> LandedFile:
        self._landing.note(self._origin, FileFacts(name, size, kind.media_type, item_id), kind.code, kind.text)
        outcome: Outcome = "directory" if kind.kind is Kind.DIRECTORY else "skipped"
        return LandedFile(outcome, name, size, kind.media_type, None, kind.code, kind.text)

    def refuse(
        self, name: str, error: RadrelayError, item_id: uuid.UUID | None = None, size: int | None = None
    ) -> None:
        """Record that the file `name` was refused by `error`."""
        self._landing.note(
            self._origin, FileFacts(clean_text(name)[:NAME_LIMIT], size, "", item_id), error.code, error.message
        )


def _file_head(prefix: bytes) -> tuple[FileHead | None, str]:
    try:
        return parse_preamble(prefix), ""
    except Malformed as error:
        return None, error.message


def _announced(head: FileHead | None) -> tuple[str, str, str]:
    return (head.sop_class_uid, head.sop_uid, head.transfer_syntax_uid) if head else ("", "", "")


class _Counted:
    """Counts the bytes of a stream of pieces, and lets its beginning be looked at."""

    def __init__(self, chunks: Iterable[Fragment]) -> None:
        self._chunks = iter(chunks)
        self._ahead: list[Fragment] = []
        self.count = 0

    def peek(self, size: int) -> bytes:
        have = sum(map(len, self._ahead))
        while have < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._ahead.append(bytes(chunk))
            have += len(chunk)
        return b"".join(self._ahead)[:size]

    def __iter__(self) -> Iterator[Fragment]:
        ahead, self._ahead = self._ahead, []
        for chunk in chain(ahead, self._chunks):
            self.count += len(chunk)
            yield chunk

    def drain(self) -> int:
        for _ in self:
            pass
        return self.count


_CONTROL = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return `text` without control characters, direction overrides and halves of surrogate pairs."""
    return _CONTROL.sub("\ufffd", text)
