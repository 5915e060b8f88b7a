"""What a file is, by its first bytes: portals call study ZIPs application/pdf, and web pages application/zip."""

from __future__ import annotations

from typing import Literal

from radrelay.dicom.part10 import looks_like_dicom
from radrelay.intake.file_kinds import is_pdf

Content = Literal["zip", "dicom", "pdf", "jpeg", "png", "tiff", "gif", "page", "json", "xml", "text", "unknown"]

HEAD = 4096
PARCELS: frozenset[Content] = frozenset({"zip", "dicom", "pdf", "jpeg", "png", "tiff", "gif", "xml", "text"})
_STARTS: tuple[tuple[bytes, Content], ...] = (
    (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"PK\x07\x08", "zip"), (b"%PDF-", "pdf"),
    (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG\r\n\x1a\n", "png"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"GIF8", "gif"),
)  # fmt: skip
_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title", b"<meta")


def content_of(head: bytes) -> Content:
    """Return what a file is that begins with `head` (some KiB of it)."""
    is_object = head[128:132] == b"DICM"
    for start, kind in _STARTS:
        if head.startswith(start) and not (
            is_object and kind == "tiff"
        ):  # an object may be a TIFF as well (PS3.10 7.1)
            return kind
    if is_object:
        return "dicom"
    if is_pdf(head) and not looks_like_dicom(head):
        return "pdf"
    told = _told(head)
    if told is not None:
        return told
    return "dicom" if looks_like_dicom(head) else "unknown"


def _told(head: bytes) -> Content | None:
    """Return what a text is, none for what is no text."""
    if b"\0" in head.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff"):
        return None
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    while start.startswith(b"<!--"):
        start = start.partition(b"-->")[2].lstrip()
    if start.startswith(_PAGE) or (start.startswith(b"<?xml") and b"<html" in start):
        return "page"
    if start.startswith((b"{", b"[")):
        return "json"
    if start.startswith(b"<"):
        return "xml"
    for encoding in ("utf-8", "cp1252"):
        try:
            text = head.decode(encoding, errors="strict" if encoding != "utf-8" else "ignore")
        except UnicodeDecodeError:
            continue
        printable = sum(c.isprintable() or c in "\t\r\n\f" for c in text)
        return "text" if text and printable == len(text) else None
    return None
