"""From DICOM JSON metadata and bulk data to a data set in Explicit VR Little Endian (PS3.18 10.5.2, F.2)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from email.message import Message
from typing import Any

from radrelay.dicom import syntaxes
from radrelay.errors import Invalid
from radrelay.web.dicomweb.negotiation import DEFAULT_SYNTAX, OCTETS

PIXEL_DATA = "7FE00010"


class BadMetadata(Invalid):
    """The metadata cannot be made into a data set."""

    code = "bad-metadata"


def compose(metadata: Mapping[str, Any], bulk: Mapping[str, tuple[str, bytes]]) -> tuple[bytes, str, tuple[str, str]]:
    """Return the data set, its transfer syntax, and its SOP class and instance UIDs.

    `bulk` holds (content type, bytes) by Content-Location. Pixel data whose type names a compressed syntax becomes one
    fragment of it. Raises `BadMetadata`, naming what is missing.
    """
    from pydicom.dataset import Dataset  # noqa: PLC0415 -- slow to import, and this form of STOW-RS is rare
    from pydicom.encaps import encapsulate  # noqa: PLC0415
    from pydicom.filewriter import write_dataset  # noqa: PLC0415

    syntax = _pixel_syntax(metadata, bulk)

    def bulk_value(tag: str, vr: str, uri: str) -> bytes:
        del vr
        if uri not in bulk:
            raise BadMetadata(f"({tag[:4]},{tag[4:]}): no part has the Content-Location {uri}")
        return bulk[uri][1]

    kept = {tag: value for tag, value in metadata.items() if not tag.startswith("0002")}
    try:
        data_set = Dataset.from_json(kept, bulk_value)
        if syntax != syntaxes.EXPLICIT_LE:
            data_set.PixelData = encapsulate([data_set.PixelData])
            data_set["PixelData"].is_undefined_length = True
        out = io.BytesIO()
        stream: Any = _writable(out)
        write_dataset(stream, data_set)
        return out.getvalue(), syntax, (str(data_set.get("SOPClassUID", "")), str(data_set.get("SOPInstanceUID", "")))
    except BadMetadata:
        raise
    except Exception as error:  # why: pydicom raises whatever its converters meet in hostile JSON
        raise BadMetadata(f"the metadata cannot be made into a data set: {type(error).__name__}: {error}") from error


def _writable(out: io.BytesIO) -> Any:
    from pydicom.filebase import DicomIO  # noqa: PLC0415 -- pydicom's own wrapper, needed here alone

    stream = DicomIO(out)
    stream.is_little_endian = True
    stream.is_implicit_VR = False
    return stream


def _pixel_syntax(metadata: Mapping[str, Any], bulk: Mapping[str, tuple[str, bytes]]) -> str:
    pixel = metadata.get(PIXEL_DATA)
    uri = pixel.get("BulkDataURI") if isinstance(pixel, Mapping) else None
    if not isinstance(uri, str) or uri not in bulk:
        return syntaxes.EXPLICIT_LE
    message = Message()
    message["content-type"] = bulk[uri][0] or OCTETS
    named = message.get_param("transfer-syntax")
    if isinstance(named, str) and named:
        return named
    return DEFAULT_SYNTAX.get(message.get_content_type(), syntaxes.EXPLICIT_LE)
