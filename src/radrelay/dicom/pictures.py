"""Picture files as pages of samples: what a referrer, a camera or a scanner sends.

In: a JPEG, PNG, TIFF, BMP or HEIC file. Out: its pages as grey or RGB samples, upright; a baseline JPEG keeps its
coded picture, without the camera's notes (place, owner).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
import pi_heif
from PIL import (
    BmpImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
)

from radrelay.dicom.codestreams import CodeStream, read_jpeg
from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import MAX_FRAME_BYTES, BrokenPixels, Pixels
from radrelay.errors import Invalid

MAX_PAGES = 2000
MAX_FILE_BYTES = 1 << 30
"""Samples of all pages together."""
_FORMATS = tuple(
    plugin.format
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
    )
)
_ORIENTATION = 0x0112
_KEPT_MARKERS = frozenset({0xE0, 0xE2, 0xEE})


class UnreadablePicture(Invalid):
    """The file is no picture that can be read."""

    code = "unreadable-picture"


@dataclass(frozen=True, slots=True)
class Picture:
    """One page: `samples_le` little endian, or `jpeg` when the coded picture is kept."""

    rows: int
    columns: int
    samples: int
    bits: int
    photometric: str
    samples_le: bytes = b""
    jpeg: bytes | None = None


def read_pictures(data: Buffer) -> list[Picture]:
    """Return the pages of a picture file.

    Raises
    ------
    UnreadablePicture
        When the format is none of ours, the file is damaged, or a page is larger than a frame may be.
    """
    plain = bytes(data)
    try:
        with _open(plain) as image:
            pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
            if pages > MAX_PAGES:
                raise UnreadablePicture(f"The file has {pages} pages; the limit is {MAX_PAGES}.")
            kept = _kept_jpeg(plain, image) if image.format in ("JPEG", "MPO") else None
            if kept is not None:
                return [kept]
            return _pages(image, pages)
    except UnidentifiedImageError as fault:
        raise UnreadablePicture("The file is no JPEG, PNG, TIFF, BMP or HEIC picture.") from fault
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError, EOFError, struct.error) as fault:
        raise UnreadablePicture(f"The picture cannot be read: {fault}") from fault


def _pages(image: Image.Image, count: int) -> list[Picture]:
    pages: list[Picture] = []
    room = MAX_FILE_BYTES
    for number in range(count):
        page = _page(image, number, count)
        room -= len(page.samples_le)
        if room < 0:
            raise UnreadablePicture(f"The pages take more than {MAX_FILE_BYTES} bytes together.")
        pages.append(page)
    return pages


def _open(plain: bytes) -> Image.Image:
    if plain[4:8] != b"ftyp":
        return Image.open(io.BytesIO(plain), formats=_FORMATS)
    heif = pi_heif.open_heif(io.BytesIO(plain), convert_hdr_to_8bit=True)
    _check_size(*heif.size)
    image: Image.Image = heif.to_pillow()
    return image


def _check_size(width: int, height: int) -> None:
    if width * height * 4 > MAX_FRAME_BYTES or not 1 <= min(width, height) <= max(width, height) <= 65535:
        raise UnreadablePicture(f"A page of {width}×{height} is larger than a frame may be.")


def _page(image: Image.Image, number: int, pages: int) -> Picture:
    if pages > 1:
        image.seek(number)
    _check_size(*image.size)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16"):
        return _words(np.asarray(upright))
    grey = upright.mode in ("1", "L", "I", "F") or upright.mode == "LA"
    if upright.mode in ("I", "F"):
        return _words(np.clip(np.asarray(upright), 0, 65535))
    samples = np.asarray(_on_white(upright, "L" if grey else "RGB"))
    depth = 1 if grey else 3
    photometric = "MONOCHROME2" if grey else "RGB"
    return Picture(samples.shape[0], samples.shape[1], depth, 8, photometric, samples.tobytes())


def _words(samples: Pixels) -> Picture:
    words = samples.astype("<u2")
    return Picture(words.shape[0], words.shape[1], 1, 16, "MONOCHROME2", words.tobytes())


def _on_white(image: Image.Image, mode: str) -> Image.Image:
    """Lay a picture with transparency on white paper."""
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image.convert(mode)
    seen = image.convert("RGBA")
    paper = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(paper, seen).convert(mode)


def _kept_jpeg(plain: bytes, image: Image.Image) -> Picture | None:
    """Return the coded picture of an upright baseline JPEG of grey or YCbCr samples, else None."""
    try:
        stream = read_jpeg(plain)
    except BrokenPixels:
        return None
    upright = image.getexif().get(_ORIENTATION, 1) in (0, 1)
    if stream.start_of_frame != 0xC0 or stream.components not in (1, 3) or not upright:
        return None
    image.load()  # a damaged picture is found now, not when somebody wants to see it
    if stream.components == 1:
        photometric = "MONOCHROME2"
    elif stream.adobe_transform == 0 or stream.component_ids == b"RGB":
        photometric = "RGB"
    else:
        photometric = "YBR_FULL_422"  # whatever the stream's own subsampling is (PS3.5 8.2.1)
    return _as_received(plain, stream, photometric)


def _as_received(plain: bytes, stream: CodeStream, photometric: str) -> Picture:
    return Picture(stream.rows, stream.columns, stream.components, 8, photometric, jpeg=_without_notes(plain))


def _without_notes(plain: bytes) -> bytes:
    """Return a JPEG without application segments that describe camera, place and owner, and without comments."""
    parts = [b"\xff\xd8"]
    at = 2
    while at + 4 <= len(plain) and plain[at] == 0xFF and plain[at + 1] != 0xDA:
        marker = plain[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        after = at + 2 + struct.unpack_from(">H", plain, at + 2)[0]
        note = marker == 0xFE or (0xE0 <= marker <= 0xEF and marker not in _KEPT_MARKERS)
        if not note:
            parts.append(plain[at:after])
        at = after
    end = plain.find(b"\xff\xd9", at)
    parts.append(plain[at : end + 2] if end >= 0 else plain[at:])
    return b"".join(parts)
