"""Answers of JSON that are made of our own rows: written as they are, without being checked on the way out.

What they look like is described by each route's response model; a test holds every answer against it.
"""

from __future__ import annotations

import gzip

import msgspec
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/json"
PACKED_FROM_BYTES = 2 << 10


def encoded(value: object) -> bytes:
    """Return plain values, moments, dates and UUIDs as JSON (RFC 8259; RFC 3339 for moments)."""
    return msgspec.json.encode(value)


def json_answer(value: object) -> Response:
    """Return an answer of what `encoded` takes, or of a document that was encoded before."""
    return Response(value if isinstance(value, bytes) else encoded(value), media_type=MEDIA_TYPE)


def packed(
    request: Request, body: bytes, media_type: str = MEDIA_TYPE, headers: dict[str, str] | None = None
) -> Response:
    """Return an answer that a slow link waits for: compressed where the client takes that."""
    said = {**(headers or {}), "Vary": "Accept-Encoding"}
    if len(body) < PACKED_FROM_BYTES or "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(body, media_type=media_type, headers=said)
    return Response(gzip.compress(body, 4), media_type=media_type, headers=said | {"Content-Encoding": "gzip"})
