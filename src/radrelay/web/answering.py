"""Answers of JSON that are made of our own rows: written as they are, without being checked on the way out.

What they look like is described by each route's response model; a test holds every answer against it.
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/json"


def encoded(value: object) -> bytes:
    """Return plain values, moments, dates and UUIDs as JSON (RFC 8259; RFC 3339 for moments)."""
    return msgspec.json.encode(value)


def json_answer(value: object) -> Response:
    """Return an answer of what `encoded` takes, or of a document that was encoded before."""
    return Response(value if isinstance(value, bytes) else encoded(value), media_type=MEDIA_TYPE)
