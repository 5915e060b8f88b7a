"""What a DICOMweb client accepts, and what it gets (PS3.18 8.7).

An `Accept` header (or the query parameter `accept`) is a list of media ranges with quality values; for DICOM ones
the parameters `type` and `transfer-syntax` count. The best of what can be given is chosen by quality, then by the
order in which the client names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from radrelay.dicom import syntaxes
from radrelay.errors import RadrelayError

ANY = "*"
DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
OCTETS = "application/octet-stream"
MULTIPART = "multipart/related"

FRAME_MEDIA = {
    syntaxes.JPEG_BASELINE: "image/jpeg",
    syntaxes.JPEG_EXTENDED: "image/jpeg",
    syntaxes.JPEG_LOSSLESS: "image/jpeg",
    syntaxes.JPEG_LOSSLESS_SV1: "image/jpeg",
    syntaxes.JPEG_LS_LOSSLESS: "image/jls",
    syntaxes.JPEG_LS_NEAR: "image/jls",
    syntaxes.J2K_LOSSLESS: "image/jp2",
    syntaxes.J2K: "image/jp2",
    syntaxes.HTJ2K_LOSSLESS: "image/jphc",
    syntaxes.HTJ2K_LOSSLESS_RPCL: "image/jphc",
    syntaxes.HTJ2K: "image/jphc",
    syntaxes.RLE_LOSSLESS: "image/dicom-rle",
}
"""Media types of compressed frames (PS3.18 table 8.7.3-5)."""

DEFAULT_SYNTAX = {
    "image/jpeg": syntaxes.JPEG_LOSSLESS_SV1,
    "image/jls": syntaxes.JPEG_LS_LOSSLESS,
    "image/jp2": syntaxes.J2K_LOSSLESS,
    "image/jphc": syntaxes.HTJ2K_LOSSLESS,
    "image/dicom-rle": syntaxes.RLE_LOSSLESS,
    OCTETS: syntaxes.EXPLICIT_LE,
    DICOM: syntaxes.EXPLICIT_LE,
}
"""What a media type means without a transfer syntax (the same table)."""


class NotAcceptable(RadrelayError):
    """Nothing that can be given is among what the client accepts."""

    code = "not-acceptable"
    http_status = 406


@dataclass(frozen=True, slots=True)
class Range:
    """One media range. `media` is the inner type of multipart/related; `syntax` its transfer syntax, `*` any."""

    media: str
    multipart: bool
    syntax: str
    quality: float

    def allows(self, media: str, syntax: str = "") -> bool:
        """Say whether this range takes `media`, in `syntax` where that matters."""
        wanted = self.media in (ANY, "*/*", media) or (self.media.endswith("/*") and media.startswith(self.media[:-1]))
        if not wanted:
            return False
        if not syntax or self.syntax == ANY:
            return True
        return syntax == (self.syntax or DEFAULT_SYNTAX.get(media, syntax))


def parse_accept(header: str) -> list[Range]:
    """Return the ranges of an `Accept` header, best first; an empty header accepts anything.

    Parts that cannot be read are left out; if none can, `NotAcceptable` is raised.
    """
    if not header.strip():
        return [Range("*/*", False, "", 1.0)]
    found = [parsed for part in _split(header, ",") if (parsed := _range(part)) is not None]
    if not found:
        raise NotAcceptable("the Accept header cannot be read")
    return sorted((r for r in found if r.quality > 0), key=lambda r: -r.quality)


def wants_json(ranges: Sequence[Range]) -> bool:
    """Say whether DICOM JSON may be given."""
    return any(r.allows(DICOM_JSON) or r.allows("application/json") for r in ranges)


def _range(text: str) -> Range | None:
    media, *parameters = (piece.strip() for piece in _split(text, ";"))
    media = media.lower()
    if "/" not in media:
        return None
    named = {}
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        named[name.strip().lower()] = value.strip().strip('"')
    try:
        quality = min(1.0, max(0.0, float(named.get("q", "1"))))
    except ValueError:
        return None
    if media == MULTIPART:
        return Range(named.get("type", "*/*").lower(), True, named.get("transfer-syntax", ""), quality)
    return Range(media, False, named.get("transfer-syntax", ""), quality)


def _split(text: str, separator: str) -> list[str]:
    """Split at `separator` outside quotes."""
    parts: list[str] = []
    current: list[str] = []
    quoted = False
    for character in text:
        if character == '"':
            quoted = not quoted
        if character == separator and not quoted:
            parts.append("".join(current))
            current = []
        else:
            current.append(character)
    parts.append("".join(current))
    return [part for part in parts if part.strip()]
