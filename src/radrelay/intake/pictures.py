"""A picture of an object that has landed and is in no index: for the person who looks into the quarantine."""

from __future__ import annotations

from radrelay.dicom.decode import decode_frame
from radrelay.dicom.encapsulated import frame_ranges, locate, reader_of
from radrelay.dicom.header import parse
from radrelay.dicom.pixels import NotViewable, PixelsTooLarge, describe
from radrelay.dicom.render import render
from radrelay.dicom.syntaxes import syntax_of
from radrelay.dicom.transcode import inflate
from radrelay.dicom.viewability import describe_viewability
from radrelay.intake.envelope import Envelope
from radrelay.storage.segments import RecordLocation, SegmentReader

LARGEST = 512 << 20
EDGE = 512


def picture_of(reader: SegmentReader, location: RecordLocation, envelope: Envelope) -> bytes:
    """Return the first frame as a JPEG of at most 512 pixels.

    Raises `NotViewable`, `BrokenPixels` or `Malformed`, which say why there is none, and `PixelsTooLarge`.
    """
    if envelope.kind != "object":
        raise NotViewable("Only DICOM objects are shown here.")
    if envelope.size > LARGEST:
        raise PixelsTooLarge(f"Objects of more than {LARGEST} bytes are not shown from the quarantine.")
    data_set, syntax = b"".join(reader.stream(location)), syntax_of(envelope.transfer_syntax)
    if syntax.deflated:
        data_set = inflate(data_set, LARGEST)
    header = parse(data_set, "1.2.840.10008.1.2.1" if syntax.deflated else syntax.uid)
    why = describe_viewability(envelope.sop_class_uid, syntax.uid, header)
    if why is not None:
        raise NotViewable(why)
    read = reader_of(data_set)
    place = locate(header, read)
    descriptor = describe(header, "1.2.840.10008.1.2.1" if syntax.deflated else syntax.uid, place.vr)
    first = frame_ranges(descriptor, place, read, len(data_set))[0]
    samples = decode_frame(descriptor, first.read(read), first.bit_offset)
    return render(header, samples, descriptor=descriptor, size=(EDGE, EDGE), quality=80)
