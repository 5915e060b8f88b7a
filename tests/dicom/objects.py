"""Objects for tests of pixels: real files opened, small ones made."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite

from radrelay.dicom import writing
from radrelay.dicom.decode import decode_frame
from radrelay.dicom.elements import Buffer, DataElements
from radrelay.dicom.encapsulated import FrameRanges, frame_ranges, locate, reader_of
from radrelay.dicom.part10 import file_meta, parse_preamble
from radrelay.dicom.pixels import FrameDescriptor, Pixels, describe
from radrelay.dicom.syntaxes import EXPLICIT_LE, syntax_of
from radrelay.dicom.transcode import inflate

CT = "1.2.840.10008.5.1.4.1.1.2"


def opened(path: Path | str) -> tuple[bytes, str]:
    """Return the data set of a file and its transfer syntax."""
    whole = Path(path).read_bytes()
    head = parse_preamble(whole)
    return whole[head.dataset_offset :], head.transfer_syntax_uid


def wheel_file(name: str) -> tuple[bytes, str]:
    """Return a file that comes in pydicom's wheel, as data set and transfer syntax."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), name
    return opened(path)


def described(data_set: Buffer, ts: str) -> tuple[FrameDescriptor, FrameRanges, bytes]:
    """Return descriptor, ranges and the (inflated) data set."""
    plain = inflate(data_set) if syntax_of(ts).deflated else bytes(data_set)
    elements = DataElements.of(plain, syntax_of(ts))
    read = reader_of(plain)
    location = locate(elements, read)
    descriptor = describe(elements, ts, location.vr)
    return descriptor, frame_ranges(descriptor, location, read, len(plain)), plain


def frames_of(data_set: Buffer, ts: str) -> list[Pixels]:
    """Decode all frames of a data set."""
    descriptor, ranges, plain = described(data_set, ts)
    read = reader_of(plain)
    return [decode_frame(descriptor, item.read(read), item.bit_offset) for item in ranges]


def stacked(data_set: Buffer, ts: str) -> Pixels:
    """Return all frames as pydicom's pixel_array shapes them."""
    frames = frames_of(data_set, ts)
    return np.stack(frames) if len(frames) > 1 else frames[0]


def through_pydicom(data_set: Buffer, ts: str) -> Dataset:
    """Read a data set with pydicom."""
    whole = file_meta(CT, "1.2.3", ts) + bytes(data_set)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(whole))


def reference(source: Path | str | Dataset) -> Pixels | None:
    """Return pydicom's pixels, or None when it has no decoder for them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = source if isinstance(source, Dataset) else pydicom.dcmread(source, force=True)
            return np.asarray(dataset.pixel_array)
        except (RuntimeError, NotImplementedError, AttributeError, ValueError, TypeError, KeyError):
            return None


def made(samples: Pixels, ts: str = EXPLICIT_LE, **more: Any) -> tuple[bytes, str]:
    """Write a small image with pydicom: samples of shape ([frames,] rows, columns[, samples]).

    `more` are keywords of the data set; `planar`, `frames` and `pixels` (bytes) shape the pixel data.
    """
    planar, frames = more.pop("planar", 0), more.pop("frames", 0)
    pixels: bytes | None = more.pop("pixels", None)
    shape = samples.shape[1:] if frames else samples.shape
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(ts)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, "1.2.3"
    dataset.PatientName = "Müller^Jürgen"
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.Rows, dataset.Columns = shape[:2]
    dataset.SamplesPerPixel = shape[2] if len(shape) == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if len(shape) == 3 else "MONOCHROME2"
    if len(shape) == 3:
        dataset.PlanarConfiguration = planar
    if frames:
        dataset.NumberOfFrames = frames
    dataset.BitsAllocated = dataset.BitsStored = samples.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 1 if samples.dtype.kind == "i" else 0
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    little = syntax_of(ts).little_endian
    ordered = np.moveaxis(samples, -1, -3) if planar else samples
    value = np.ascontiguousarray(ordered).astype(ordered.dtype.newbyteorder("<" if little else ">")).tobytes()
    value = pixels if pixels is not None else value
    dataset.PixelData = value + b"\0" * (len(value) & 1)
    wide = samples.dtype.itemsize > 1 or not syntax_of(ts).explicit
    dataset["PixelData"].VR = "OW" if wide else "OB"
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcmwrite(out, dataset, enforce_file_format=True)
    whole = out.getvalue()
    return whole[parse_preamble(whole).dataset_offset :], ts


def compressed(header: tuple[bytes, str], ts: str, value: bytes, before: bytes = b"") -> tuple[bytes, str]:
    """Return the data set of a native object with other, encapsulated pixel data; `before` goes in front of it."""
    data_set, _ = header
    elements = DataElements.of(data_set, syntax_of(EXPLICIT_LE))
    start = elements.places[0x7FE00010].start
    return data_set[:start] + before + writing.header(0x7FE00010, "OB", 0xFFFFFFFF) + value, ts


def item(content: bytes) -> bytes:
    """Return one fragment."""
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
