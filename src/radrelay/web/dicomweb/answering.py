"""Bodies of WADO-RS answers: byte ranges, multipart streams, documents that carry a mark of their version."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable

from fastapi import Request
from starlette.responses import Response

from radrelay.dicom.multipart import Part, new_boundary, write_parts
from radrelay.web.dicomweb.negotiation import MULTIPART
from radrelay.web.streaming import as_long_as, in_pieces

SMALL = 4 << 10  # shorter bodies are not worth compressing


def ranged(request: Request, body: bytes, media: str, headers: dict[str, str] | None = None) -> Response:
    """Return a body whole, or the one byte range that is asked for (RFC 9110 14)."""
    headers = {"Accept-Ranges": "bytes", "Vary": "Accept", **(headers or {})}
    wanted = byte_range(request, len(body))
    if wanted is None:
        return Response(body, media_type=media, headers=headers)
    first, last = wanted
    if first > last:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{len(body)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Response(body[first : last + 1], 206, media_type=media, headers=headers)


def byte_range(request: Request, size: int, tag: str = "") -> tuple[int, int] | None:
    """Return the first and last byte asked for, first > last if there are none such; none for the whole.

    A list of ranges, and one that hangs on another version (`If-Range`) than `tag`, is answered by the whole.
    """
    unit, _, text = request.headers.get("range", "").strip().partition("=")
    if request.headers.get("if-range", tag) != tag:
        return None
    first, dash, last = text.strip().partition("-")
    if unit.strip().lower() != "bytes" or not dash or not all(_is_number(part) for part in (first, last) if part):
        return None
    if first:
        return int(first), min(int(last) if last else size - 1, size - 1) if int(first) < size else -1
    if not last:
        return None
    return (max(0, size - int(last)), size - 1) if int(last) and size else (1, 0)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def multipart(
    parts: Iterable[Part],
    media: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    require_still: Callable[[], None] | None = None,
) -> Response:
    """Return parts as a multipart/related body, written as they come, while `require_still` raises nothing."""
    boundary = new_boundary()
    content_type = f'{MULTIPART}; type="{media}"; boundary={boundary}'
    headers = {"Content-Type": content_type, "Vary": "Accept", **(headers or {})}
    pieces = write_parts(parts, boundary)
    return in_pieces(as_long_as(pieces, require_still) if require_still else pieces, status, headers)


def unchanged(request: Request, tag: str) -> Response | None:
    """Return 304 if the client has the version `tag` already (RFC 9110 13.1.2)."""
    known = {item.strip() for item in request.headers.get("if-none-match", "").split(",")}
    if tag in known or "*" in known:
        return Response(status_code=304, headers={"ETag": tag, "Vary": "Accept, Accept-Encoding"})
    return None


def compressed(request: Request, body: bytes, headers: dict[str, str]) -> bytes:
    """Return `body` as gzip if the client takes that, and say so in `headers`."""
    headers["Vary"] = "Accept, Accept-Encoding"
    if len(body) < SMALL or not takes_gzip(request):
        return body
    headers["Content-Encoding"] = "gzip"
    return gzip.compress(body, 1, mtime=0)


def takes_gzip(request: Request) -> bool:
    """Say whether the client takes a compressed body (RFC 9110 12.5.3)."""
    for piece in request.headers.get("accept-encoding", "").split(","):
        name, _, quality = piece.strip().partition(";")
        if name.strip().lower() == "gzip":
            return quality.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
