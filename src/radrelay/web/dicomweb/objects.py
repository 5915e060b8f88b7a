"""Objects as DICOMweb hands them out: Part 10 files in a transfer syntax that the client accepts.

What is kept can be given as received at once; other syntaxes are made on threads, a few objects ahead of the network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import TypeVar

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.dicom import syntaxes
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.transcode import transcode
from radrelay.web.dicomweb.multipart import Part
from radrelay.web.dicomweb.negotiation import DICOM, NotAcceptable, Range

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 3
STREAMED = 32 << 20  # larger objects that need no change are streamed, not held


def choose_syntax(ranges: Sequence[Range], ref: InstanceRef) -> str:
    """Return the transfer syntax in which `ref` is given; raises `NotAcceptable`.

    What is stored is preferred where the client's best range allows it; where it names no syntax, Explicit VR Little
    Endian is meant (PS3.18 8.7.3.3).
    """
    stored = ref.transfer_syntax_uid
    for accepted in ranges:
        if not accepted.allows(DICOM):
            continue
        if accepted.allows(DICOM, stored):
            return stored
        if _is_video(stored):  # never transcoded: as it is, or not at all
            if accepted.syntax == "":
                return stored
        elif accepted.syntax in ("", *_WRITABLE):
            return accepted.syntax or syntaxes.EXPLICIT_LE
    raise NotAcceptable("none of the accepted media types and transfer syntaxes can be given")


def data_set(reader: InstanceReader, ref: InstanceRef, syntax: str) -> Iterable[bytes]:
    """Return the data set of `ref` in `syntax`, in pieces."""
    if syntax == ref.transfer_syntax_uid:
        return reader.stream(ref) if ref.size > STREAMED else (reader.data_set(ref),)
    return (transcode(reader.data_set(ref), ref.transfer_syntax_uid, syntax),)


def part_of(reader: InstanceReader, ref: InstanceRef, syntax: str) -> Part:
    """Return one object as a part of a multipart body."""
    meta = file_meta(ref.sop_class_uid, ref.sop_uid, syntax)
    headers = (("Content-Type", f"{DICOM}; transfer-syntax={syntax}"),)
    return Part(headers, _chain(meta, data_set(reader, ref, syntax)))


def parts_of(
    reader: InstanceReader, refs: Sequence[InstanceRef], ranges: Sequence[Range], executor: Executor
) -> Iterator[Part]:
    """Yield objects as parts, read and transcoded a few ahead."""
    chosen = [(ref, choose_syntax(ranges, ref)) for ref in refs]
    yield from ahead(executor, chosen, lambda pair: part_of(reader, pair[0], pair[1]))


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


def _is_video(syntax: str) -> bool:
    return syntaxes.syntax_of(syntax).codec == "video"


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
