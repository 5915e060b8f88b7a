"""Films: the stream that a video object's fragments make up (PS3.5 8.2.5 to 8.2.8), in ranges as players ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastapi import Request
from starlette.responses import Response

from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.web.dicomweb.answering import byte_range
from radrelay.web.dicomweb.negotiation import OCTETS, NotAcceptable, Range
from radrelay.web.streaming import in_pieces

PIECE = 1 << 20


def answer(request: Request, reader: InstanceReader, ref: InstanceRef, ranges: Sequence[Range]) -> Response:
    """Return the film, or the range of it that is asked for; raises `NotAcceptable`."""
    size = reader.film_bytes(ref)
    media = media_type(reader.film(ref, 0, 16))
    if not any(range_.names(media) or range_.names(OCTETS) for range_ in ranges if not range_.multipart):
        raise NotAcceptable(f"this film is {media}")
    return as_kept(request, reader, ref, size, media, {"Vary": "Accept"})


def as_kept(
    request: Request,
    reader: InstanceReader,
    ref: InstanceRef,
    size: int,
    media: str,
    more: dict[str, str] | None = None,
) -> Response:
    """Return the film of `size` bytes, or the range that is asked for, read a piece at a time (RFC 9110 14)."""
    headers = {"Accept-Ranges": "bytes", **(more or {})}
    wanted = byte_range(request, size)
    first, last = wanted or (0, size - 1)
    if first > last:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Length"] = str(last + 1 - first)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    pieces = pieces_of(reader, ref, first, last)
    return in_pieces(pieces, 206 if wanted is not None else 200, headers, media)


def media_type(begin: bytes) -> str:
    """Return the media type that a film's first bytes tell."""
    if begin[4:8] == b"ftyp":
        return "video/mp4"
    if begin[:4] in (b"\0\0\1\xba", b"\0\0\1\xb3"):
        return "video/mpeg"
    if begin[:1] == b"\x47":
        return "video/mp2t"
    return OCTETS


def pieces_of(reader: InstanceReader, ref: InstanceRef, first: int, last: int) -> Iterator[bytes]:
    """Yield a film's bytes from `first` to `last`, both counted from 0, a piece at a time."""
    for start in range(first, last + 1, PIECE):
        yield reader.film(ref, start, min(PIECE, last + 1 - start))
