"""Objects as DICOMweb hands them out: Part 10 files in a transfer syntax that the client accepts.

What is kept can be given as received at once; other syntaxes are made on threads, a few objects ahead of the network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TypeVar

import structlog

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceGone, InstanceReader
from radrelay.dicom import syntaxes
from radrelay.dicom.decode import can_decode
from radrelay.dicom.enclose import TARGETS
from radrelay.dicom.encode import NotTranscodable
from radrelay.dicom.errors import Malformed
from radrelay.dicom.multipart import Part
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.pixels import BrokenPixels, NotViewable, PixelsTooLarge
from radrelay.dicom.transcode import transcode
from radrelay.web.dicomweb.negotiation import ANY, DICOM, NotAcceptable, Range

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 3
STREAMED = 32 << 20  # larger objects that need no change are streamed, not held
TRANSCODED_LIMIT = 512 << 20  # larger ones are given as they were received
UNFIT = (NotTranscodable, BrokenPixels, NotViewable, PixelsTooLarge, Malformed)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The transfer syntax for one object; `implied` when the client named none, so that the stored one may do."""

    syntax: str
    implied: bool = False


def choose_syntax(ranges: Sequence[Range], ref: InstanceRef) -> Chosen:
    """Return the transfer syntax in which `ref` is given; raises `NotAcceptable`.

    What is stored is preferred where the client's best range allows it; where it names no syntax, Explicit VR Little
    Endian is meant (PS3.18 8.7.3.3), except for what has no uncompressed form here, such as video.
    """
    stored = ref.transfer_syntax_uid
    for range_ in ranges:
        if not range_.names(DICOM):
            continue
        if range_.syntax in (ANY, stored):
            return Chosen(stored)
        if range_.syntax == "":
            fits = can_decode(syntaxes.syntax_of(stored)) and ref.size <= TRANSCODED_LIMIT
            return Chosen(syntaxes.EXPLICIT_LE if fits else stored, implied=True)
        if range_.syntax in _WRITABLE and can_decode(syntaxes.syntax_of(stored)) and ref.size <= TRANSCODED_LIMIT:
            return Chosen(range_.syntax)
    raise NotAcceptable("none of the accepted media types and transfer syntaxes can be given")


def choose_all(ranges: Sequence[Range], refs: Sequence[InstanceRef]) -> list[tuple[InstanceRef, Chosen]]:
    """Return how each of `refs` is given, those left out that cannot be; raises `NotAcceptable` if none can."""
    found: list[tuple[InstanceRef, Chosen]] = []
    for ref in refs:
        try:
            found.append((ref, choose_syntax(ranges, ref)))
        except NotAcceptable:
            if ref is refs[-1] and not found:
                raise
    return found


def part_of(reader: InstanceReader, ref: InstanceRef, chosen: Chosen) -> Part:
    """Return one object as a part of a multipart body.

    Raises what transcoding raises when the client demanded a syntax; else the object is given as it is stored.
    """
    syntax = chosen.syntax
    content: Sequence[bytes] | None = None
    if syntax != ref.transfer_syntax_uid:
        try:
            content = (_in_syntax(reader, ref, syntax),)
        except UNFIT as error:
            if not chosen.implied:
                raise
            log.info("given as stored", instance=str(ref.id), reason=error.code)
            syntax = ref.transfer_syntax_uid
    meta = file_meta(ref.sop_class_uid, ref.sop_uid, syntax)
    headers = (("Content-Type", f"{DICOM}; transfer-syntax={syntax}"),)
    if content is None:
        if ref.size > STREAMED:
            return Part(headers, _chain(meta, reader.stream(ref)))
        content = reader.pieces(ref)
    return Part(headers, (meta, *content))


def _in_syntax(reader: InstanceReader, ref: InstanceRef, syntax: str) -> bytes:
    kept = reader.enclosed(ref) if syntax in TARGETS else None
    return kept if kept is not None else transcode(reader.data_set(ref), ref.transfer_syntax_uid, syntax)


def parts_of(
    reader: InstanceReader, chosen: Sequence[tuple[InstanceRef, Chosen]], executor: Executor
) -> Iterator[Part]:
    """Yield objects as parts, read and transcoded a few ahead; what was deleted meanwhile is left out."""

    def work(pair: tuple[InstanceRef, Chosen]) -> Part | None:
        try:
            return part_of(reader, *pair)
        except InstanceGone:
            return None

    yield from (part for part in ahead(executor, chosen, work) if part is not None)


def ahead(
    executor: Executor, items: Iterable[Item], work: Callable[[Item], Result], depth: int = AHEAD
) -> Iterator[Result]:
    """Yield `work(item)` in order, worked out on `executor` up to `depth` items early."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(work, item))
            if len(waiting) > depth:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


_WRITABLE = (
    syntaxes.EXPLICIT_LE,
    syntaxes.IMPLICIT_LE,
    syntaxes.DEFLATED_LE,
    syntaxes.JPEG_LS_LOSSLESS,
    syntaxes.J2K_LOSSLESS,
    syntaxes.HTJ2K_LOSSLESS,
    syntaxes.HTJ2K_LOSSLESS_RPCL,
    syntaxes.RLE_LOSSLESS,
)


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
