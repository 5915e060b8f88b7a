"""PDFs drawn in decoder processes: what they show, and what damaged, locked and hostile ones cost."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from radrelay.dicom.decoder_pool import DecoderLimits, DecoderPool
from radrelay.dicom.header import parse
from radrelay.dicom.pdf_pages import MOST_PIXELS, UnreadableDocument
from radrelay.dicom.pixels import DecoderKilled
from tests.collection import COLLECTION
from tests.dicom.objects import opened


def pdf(*contents: str, size: tuple[float, float] = (595, 842)) -> bytes:
    """Write a PDF with a page of each content stream."""
    count = len(contents)
    pages = " ".join(f"{4 + 2 * n} 0 R" for n in range(count))
    bodies = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{pages}] /Count {count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, content in enumerate(contents):
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] /Contents {5 + 2 * n} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        bodies.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out = b"%PDF-1.7\n"
    places = []
    for n, body in enumerate(bodies, 1):
        places.append(len(out))
        out += f"{n} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    trailer = f"trailer << /Size {len(bodies) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF"
    return out + f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


HELLO = "BT /F1 40 Tf 60 700 Td (Guten Tag) Tj ET"
BLACK = "0 0 0 rg 0 0 297.5 842 re f"


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    started = DecoderPool(DecoderLimits(processes=1))
    yield started
    started.close()


def test_pages_have_sizes_pictures_and_texts(pool: DecoderPool) -> None:
    data = pdf(BLACK, HELLO)
    found = pool.pages(data)
    assert [(page.width, page.height) for page in found.pages] == [(595, 842), (595, 842)]
    picture = Image.open(io.BytesIO(pool.page(data, 1, 500)))
    assert (picture.format, picture.size) == ("PNG", (500, 708))
    assert [picture.getpixel((x, 300)) for x in (100, 400)] == [(0, 0, 0), (255, 255, 255)]
    assert pool.page_text(data, 2).strip() == "Guten Tag"
    assert pool.page_text(data, 1) == ""


def test_a_page_that_is_not_there_is_said(pool: DecoderPool) -> None:
    for number in (0, 2, 4999):
        with pytest.raises(UnreadableDocument, match="no such page"):
            pool.page(pdf(HELLO), number, 100)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7\n", b"\0" * 5000, pdf(HELLO)[:60]])
def test_what_is_no_pdf_is_said(pool: DecoderPool, data: bytes) -> None:
    with pytest.raises(UnreadableDocument):
        pool.pages(data)


def test_a_damaged_pdf_shows_what_is_left(pool: DecoderPool) -> None:
    data = pdf(HELLO, BLACK)
    lost_table = data.replace(b"startxref\n", b"startxref\n9")
    assert len(pool.pages(lost_table).pages) == 2


def test_an_enormous_page_is_drawn_within_bounds(pool: DecoderPool) -> None:
    picture = Image.open(io.BytesIO(pool.page(pdf(BLACK, size=(14400, 14400)), 1, 4096)))
    assert picture.size == (4096, 4096)
    tall = Image.open(io.BytesIO(pool.page(pdf(BLACK, size=(10, 14400)), 1, 4096)))
    assert tall.size[0] * tall.size[1] <= MOST_PIXELS * 1.01


def test_a_pdf_that_hangs_its_reader_costs_a_process_and_is_refused_next_time() -> None:
    pool = DecoderPool(DecoderLimits(deadline_s=2.0, processes=1))
    try:
        endless = pdf("0 0 m " + "1 1 l 300 700 l 0 5 l " * 400_000 + " S " + HELLO)
        for _ in range(2):
            with pytest.raises(DecoderKilled):
                pool.page(endless, 1, 4096)
        assert pool.page_text(pdf(HELLO), 1).strip() == "Guten Tag"
    finally:
        pool.close()


@pytest.mark.shared
def test_a_real_document_is_drawn(pool: DecoderPool) -> None:
    header = parse(*opened(COLLECTION / "misc" / "orthanc-tests" / "sample-pdf.dcm"))
    data = header.raw(0x00420011)
    assert pool.pages(data).pages
    assert Image.open(io.BytesIO(pool.page(data, 1, 800))).size[0] == 800
