"""Pages of a PDF as pictures and texts (ISO 32000), by PDFium; only in decoder processes, since PDFs are hostile.

In: the bytes of a document. Out: the pages' sizes; a page as PNG or JPEG; its text. Sizes, pixels and texts are
bounded. PDFium is loaded where it is first needed, and built without scripting.
"""

from __future__ import annotations

import io
import math
from typing import Any

import msgspec

from radrelay.errors import Invalid

MOST_PAGES = 5000
MOST_PIXELS = 24_000_000
MOST_TEXT = 200_000
LARGE_PNG = 1 << 20
QUALITY = 90


class UnreadableDocument(Invalid):
    """This document cannot be shown: it is damaged, locked with a password, or no PDF."""

    code = "unreadable-document"


class Page(msgspec.Struct, frozen=True):
    """A page's size in points (1/72 inch)."""

    width: float
    height: float


class Pages(msgspec.Struct, frozen=True):
    """A document's pages; `shortened` says that it has more."""

    pages: list[Page]
    shortened: bool


def list_pages(data: bytes) -> Pages:
    """Return a document's pages; raises `UnreadableDocument`."""
    with _opened(data) as document:
        count = min(len(document), MOST_PAGES)
        sizes = [document.get_page_size(index) for index in range(count)]
        found = [Page(*(side if math.isfinite(side) and side > 0 else 1.0 for side in size)) for size in sizes]
        return Pages(found, len(document) > count)


def draw_page(data: bytes, number: int, width: int) -> bytes:
    """Return page `number` (from 1) as a picture about `width` pixels wide; raises `UnreadableDocument`."""
    with _opened(data) as document:
        page = _page(document, number)
        across, down = page.get_size()
        scale = min(width / max(across, 1.0), math.sqrt(MOST_PIXELS / max(across * down, 1.0)))
        picture = page.render(scale=scale, may_draw_forms=True).to_pil().convert("RGB")
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=4)
    if out.tell() > LARGE_PNG:  # a scan or a photograph
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue()


def text_of_page(data: bytes, number: int) -> str:
    """Return the text of page `number` as far as the document has it; raises `UnreadableDocument`."""
    with _opened(data) as document:
        text = _page(document, number).get_textpage()
        found: str = text.get_text_range(0, min(text.count_chars(), MOST_TEXT))
        return found.replace("\r\n", "\n").replace("\x00", "")


def _page(document: Any, number: int) -> Any:
    from pypdfium2 import PdfiumError  # noqa: PLC0415 - loaded in decoder processes alone

    if not 1 <= number <= min(len(document), MOST_PAGES):
        raise UnreadableDocument("The document has no such page.")
    try:
        return document[number - 1]
    except PdfiumError as error:
        raise UnreadableDocument("This page of the document is damaged.") from error


def _opened(data: bytes) -> Any:
    from pypdfium2 import PdfDocument, PdfiumError  # noqa: PLC0415 - loaded in decoder processes alone

    try:
        document = PdfDocument(data)
        document.init_forms()
    except PdfiumError as error:
        locked = "password" in str(error).lower()
        raise UnreadableDocument("The document is locked with a password." if locked else "It is no PDF.") from error
    return document
