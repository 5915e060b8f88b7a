"""The summary as a PDF of one page (ISO 32000-1), and that as an Encapsulated PDF (PS3.3 A.45.1).

The page is the picture, and over it its texts unseen, so that they can be found and copied.
"""

from __future__ import annotations

import zlib

from radrelay.analysis.objects import header
from radrelay.analysis.objects.order import Order, Place
from radrelay.analysis.objects.sheet import Sheet
from radrelay.analysis.study import PerfusionStudy
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.dicom.writing import element, join, sequence

ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
PLACE = Place("document", 9401, "Perfusion summary (PDF)")
LONG_POINTS = 841.89  # A4 across
FAST = 6


def pdf_of(page: Sheet, title: str, language: str) -> bytes:
    """Return a page as a PDF."""
    scale = LONG_POINTS / page.width
    across, down = LONG_POINTS, page.height * scale
    drawn = [b"q %.3f 0 0 %.3f 0 0 cm /P Do Q BT 3 Tr" % (across, down)]
    for one in page.written:
        place = (one.size * scale, one.x * scale, (page.height - one.y) * scale)
        drawn.append(b"/F %.2f Tf 1 0 0 1 %.2f %.2f Tm (%s) Tj" % (*place, _escaped(one.text)))
    content = zlib.compress(b"\n".join([*drawn, b"ET"]))
    pixels = zlib.compress(page.pixels().tobytes(), FAST)
    size = f"/Width {page.width} /Height {page.height}".encode()
    named = f"/Type /Catalog /Pages 2 0 R /Lang ({language}) /ViewerPreferences << /DisplayDocTitle true >>"
    box = f"[0 0 {across:.2f} {down:.2f}]"
    return _file(
        [
            f"<< {named} >>".encode(),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Contents 4 0 R "
            "/Resources << /XObject << /P 5 0 R >> /Font << /F 6 0 R >> >> >>".encode(),
            b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
            b"<< /Type /XObject /Subtype /Image %s /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode "
            b"/Length %d >>\nstream\n%s\nendstream" % (size, len(pixels), pixels),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
            b"<< /Title <feff%s> >>" % title.encode("utf-16-be").hex().encode(),
        ]
    )


def _escaped(text: str) -> bytes:
    encoded = text.encode("cp1252", "replace")
    return encoded.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def _file(objects: list[bytes]) -> bytes:
    """Put numbered objects, the first the catalogue and the last the information, into a file (ISO 32000-1 7.5)."""
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    begin, count = len(out), len(places) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % count
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, count - 1, begin)
    return bytes(out)


def document_file(study: PerfusionStudy, order: Order, pdf: bytes, title: str) -> bytes:
    """Return a PDF as a DICOM file, with the images that it rests on."""
    made = header.local(study, order)
    found = header.about(study, order, PLACE, ENCAPSULATED_PDF, "DOC")
    found |= {
        0x0008002A: element(0x0008002A, "DT", f"{made:%Y%m%d%H%M%S}"),
        0x00080064: element(0x00080064, "CS", "WSD"),
        0x00280301: element(0x00280301, "CS", "YES"),
        0x0040A043: sequence(0x0040A043, []),
        0x00420010: element(0x00420010, "ST", title),
        0x00420011: element(0x00420011, "OB", pdf),
        0x00420012: element(0x00420012, "LO", "application/pdf"),
        0x00420015: element(0x00420015, "UL", len(pdf)),
    }
    return file_meta(ENCAPSULATED_PDF, PLACE.sop_uid(order), EXPLICIT_LE) + join(found)
