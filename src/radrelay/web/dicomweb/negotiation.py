"""What a DICOMweb client accepts, and what it gets (PS3.18 8.7).

An `Accept` header (or the query parameter `accept`) is a list of media ranges with quality values; for DICOM ones
the parameters `type` and `transfer-syntax` count. The best of what can be given is chosen by quality, then by how
exactly a range names it, then by the order in which the client does. What a client refuses (quality 0) it never gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request

from radrelay.dicom import syntaxes
from radrelay.errors import RadrelayError

ANY = "*"
DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
OCTETS = "application/octet-stream"
MULTIPART = "multipart/related"
ZIP = "application/zip"

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
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.110": "image/jxl",
    "1.2.840.10008.1.2.4.111": "image/jxl",
    "1.2.840.10008.1.2.4.112": "image/jxl",
}
"""Media types of compressed frames (PS3.18 table 8.7.3-5)."""

DEFAULT_SYNTAX = {
    "image/jpeg": syntaxes.JPEG_LOSSLESS_SV1,
    "image/jls": syntaxes.JPEG_LS_LOSSLESS,
    "image/jp2": syntaxes.J2K_LOSSLESS,
    "image/jphc": syntaxes.HTJ2K_LOSSLESS,
    "image/dicom-rle": syntaxes.RLE_LOSSLESS,
    "image/jpx": "1.2.840.10008.1.2.4.92",
    "image/jxl": "1.2.840.10008.1.2.4.110",
    OCTETS: syntaxes.EXPLICIT_LE,
    DICOM: syntaxes.EXPLICIT_LE,
}
"""What a media type means without a transfer syntax (the same table)."""


_UTF_8 = ("utf-8", "utf8", "iso_ir 192", "*")


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
        if not self.names(media):
            return False
        if not syntax or self.syntax == ANY:
            return True
        return syntax == (self.syntax or DEFAULT_SYNTAX.get(media, syntax))

    def names(self, media: str) -> bool:
        """Say whether this range covers `media`, whatever its transfer syntax."""
        return self.media in ("*/*", media) or (self.media.endswith("/*") and media.startswith(self.media[:-1]))

    @property
    def exactness(self) -> int:
        """Return 2 for one media type, 1 for all of a kind, 0 for anything."""
        return 0 if self.media == "*/*" else 1 if self.media.endswith("/*") else 2


def accepted(request: Request) -> list[Range]:
    """Return what the client accepts: the query parameter `accept` wins over the header (PS3.18 8.3.3.1).

    Text is given in UTF-8 alone: a query parameter `charset` that excludes it raises `NotAcceptable`.
    """
    charset = request.query_params.get("charset", "")
    if charset and not any(piece.split(";")[0].strip().lower() in _UTF_8 for piece in charset.split(",")):
        raise NotAcceptable("text is given in UTF-8 alone")
    return parse_accept(request.query_params.get("accept") or request.headers.get("accept", ""))


def parse_accept(header: str) -> list[Range]:
    """Return the ranges of an `Accept` header, best first; an empty header accepts anything.

    Parts that cannot be read are left out; if none can, `NotAcceptable` is raised.
    """
    if not header.strip():
        return [Range("*/*", False, "", 1.0)]
    found = [parsed for part in _split(header, ",") if (parsed := _range(part)) is not None]
    if not found:
        raise NotAcceptable("the Accept header cannot be read")
    refused = {range_.media for range_ in found if range_.quality == 0}
    kept = [range_ for range_ in found if range_.quality > 0 and range_.media not in refused]
    return sorted(kept, key=lambda range_: (-range_.quality, -range_.exactness))


def best_media(ranges: Sequence[Range], offered: Sequence[str]) -> str | None:
    """Return the one of `offered`, the preferred first, that the client likes best; none if it takes none."""
    return next((media for range_ in ranges for media in offered if range_.names(media)), None)


def wants_xml(ranges: Sequence[Range]) -> bool:
    """Say whether the client likes the Native DICOM Model in XML better than DICOM JSON; raises `NotAcceptable`."""
    chosen = best_media(ranges, (DICOM_JSON, "application/json", DICOM_XML))
    if chosen is None:
        raise NotAcceptable(f"{DICOM_JSON} or {DICOM_XML} can be given")
    return chosen == DICOM_XML


def _range(text: str) -> Range | None:
    media, *parameters = [piece.strip() for piece in _split(text, ";")] or [""]
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
