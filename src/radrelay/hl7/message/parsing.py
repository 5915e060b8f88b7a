"""Bytes to messages and back: segments that end in CR, LF or both, batches, two messages in one frame.

A segment ends with CR (HL7 v2.5 2.3); where a message has none, with LF. A line feed inside of a message with CRs is
part of a field's text, unless what follows it begins a segment. Every input ends in a `Message` or in an error of
`radrelay.hl7.errors`, in time that grows with its length alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from radrelay.hl7.errors import HeaderBroken, HeaderMissing, SegmentBroken
from radrelay.hl7.message.charsets import decode
from radrelay.hl7.message.encoding import FORBIDDEN, Encoding, encoding_of
from radrelay.hl7.message.model import HEADERS, Message, Segment

BLANK = b" \t\r\n\0"
MARK = b"\xef\xbb\xbf"
MOST_SEGMENTS = 200_000
MOST_FIELDS = 4_096
SHORTEST = len("MSH|^~\\&")
NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
CONTINUED = ("OBX", "NTE")
CHARACTER_SET = 17  # the place of MSH-18 in a header that is split by its separator
_STARTS = re.compile(rb"(?:^|(?<=[\r\n]))(?=MSH[^A-Za-z0-9\s\0])")
_BATCH = re.compile(rb"(?:^|(?<=[\r\n]))(FHS|BHS)[^A-Za-z0-9\s\0]")


@dataclass(frozen=True, slots=True)
class Reading:
    """How messages are read: `character_set` where MSH-18 says nothing, or (not `trust`) in its place.

    `senders` are the character sets of single senders, by the application that MSH-3 names.
    """

    character_set: str = ""
    trust: bool = True
    senders: Mapping[str, str] = field(default_factory=dict)

    def of(self, header: list[bytes]) -> str:
        """Return the character set of a header's sender."""
        if not self.senders or len(header) < 3:
            return self.character_set
        sender = header[2].partition(header[1][:1] or b"^")[0].decode("iso8859_1").strip()
        return self.senders.get(sender, self.character_set)


PLAIN = Reading()


def parse(raw: bytes, reading: Reading = PLAIN) -> Message:
    """Return the message that `raw` is; raises an error of `radrelay.hl7.errors.MessageRefused`."""
    raw = raw.lstrip(BLANK)
    marked = raw.startswith(MARK)
    raw = raw.removeprefix(MARK).strip(BLANK)
    if raw[:3] != b"MSH":
        raise HeaderMissing
    if len(raw) < SHORTEST - 3 or not raw[3:4].isascii() or raw[3:4].decode() in FORBIDDEN:
        raise HeaderBroken
    end = _first_end(raw)
    header = raw[:end].split(raw[3:4])
    declared = header[CHARACTER_SET].decode("ascii", "replace") if len(header) > CHARACTER_SET else ""
    first = declared.partition(header[1][1:2].decode("ascii", "replace") or "~")[0].strip()
    text, codec = decode(raw, first or ("UTF-8" if marked else ""), reading.of(header), trust=reading.trust)
    return Message(tuple(_segments(text, codec)))


def write(message: Message) -> bytes:
    """Return the bytes of a message in its own encoding; characters that are not in its set become `?`."""
    return write_segments(message.segments)


def write_segments(segments: tuple[Segment, ...]) -> bytes:
    """Return the bytes of segments, each ended by CR."""
    lines = [_line(segment) for segment in segments]
    return ("\r".join(lines) + "\r").encode(segments[0].encoding.codec, "replace")


def _line(segment: Segment) -> str:
    fields, mark = segment.fields, segment.encoding.field
    if fields[0] in HEADERS:
        return fields[0] + mark + mark.join(fields[2:])
    return mark.join(fields)


def _first_end(raw: bytes) -> int:
    """Return where the header ends, as `_lines` will part it from what follows."""
    if b"\r" not in raw:
        end = raw.find(b"\n")
        return end if end >= 0 else len(raw)
    found = re.search(rb"\r|\n(?=\n*[A-Z][A-Z0-9]{2}" + re.escape(raw[3:4]) + b")", raw)
    return found.start() if found else len(raw)


def _segments(text: str, codec: str) -> Iterator[Segment]:
    mark = text[3]
    lines = _lines(text, mark)
    header = lines[0].split(mark)
    encoding = encoding_of(mark, header[1], codec)
    yield Segment(("MSH", mark, *header[1:]), encoding)
    if len(lines) > MOST_SEGMENTS:
        raise SegmentBroken(f"more than {MOST_SEGMENTS:,} segments")
    for number, pieces in _whole(lines, mark):
        fields = tuple("\n".join(pieces).split(mark, MOST_FIELDS))
        if len(fields) > MOST_FIELDS:
            raise SegmentBroken(f"line {number} has more than {MOST_FIELDS:,} fields", str(number))
        if fields[0] in HEADERS:
            raise SegmentBroken(f"line {number} is another header", str(number))
        yield Segment(fields, encoding)


def _whole(lines: list[str], mark: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of each segment behind the header, and the number of the first.

    A line that begins with no segment's name goes on with the text or document before it: senders exist that do not
    escape line breaks in reports, nor those of base64. Behind any other segment nobody can tell what it belongs to.
    """
    begun: tuple[int, list[str]] | None = None
    for number, line in enumerate(lines[1:], 2):
        name = line[:3]
        if NAME.fullmatch(name) and line[3:4] == mark:
            if begun is not None:
                yield begun
            begun = number, [line]
        elif begun is not None and begun[1][0][:3] in CONTINUED and begun[1][0][3:4] == mark:
            begun[1].append(line)
        elif NAME.fullmatch(line.strip()):
            if begun is not None:
                yield begun
            begun = number, [line.strip()]
        else:
            raise SegmentBroken(f"line {number} does not begin with the name of a segment", str(number))
    if begun is not None:
        yield begun


def _lines(text: str, mark: str) -> list[str]:
    """Part the text into lines, blank ones left out."""
    if "\n" not in text:
        return [line for line in text.split("\r") if line]
    if "\r" not in text:
        return [line for line in text.split("\n") if line]
    begins = re.compile(rf"\n+(?=[A-Z][A-Z0-9]{{2}}{re.escape(mark)})")
    lines: list[str] = []
    for piece in text.split("\r"):
        line = piece.strip("\n")
        if line:
            lines += begins.split(line) if "\n" in line else [line]
    return lines


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one frame held: the bytes of its messages, and whether they came as a batch (HL7 v2.5 2.10.3)."""

    messages: tuple[bytes, ...]
    batched: bool


def unpack(frame: bytes) -> Parcel:
    """Part a frame into messages; what does not begin with one is one piece, which `parse` refuses."""
    frame = frame.strip(BLANK).removeprefix(MARK)
    if frame.startswith(b"MSH") and frame.find(b"\rMSH") < 0 and frame.find(b"\nMSH") < 0:
        return Parcel((frame,), batched=False)
    batched = _BATCH.match(frame) is not None
    starts = [found.start() for found in _STARTS.finditer(frame)]
    if not starts or (starts[0] and not batched):
        return Parcel((frame,), batched=False)
    pieces = [frame[start:end] for start, end in zip(starts, [*starts[1:], len(frame)], strict=True)]
    if batched:
        pieces = [_without_ends(piece) for piece in pieces]
    return Parcel(tuple(piece.strip(BLANK) for piece in pieces), batched=batched)


def _without_ends(piece: bytes) -> bytes:
    """Take away the batch's own segments behind a message: BTS, FTS, and the next BHS."""
    lines = re.split(rb"(?<=[\r\n])", piece)
    while lines and (not lines[-1].strip(BLANK) or lines[-1][:3] in (b"BTS", b"FTS", b"BHS", b"FHS")):
        lines.pop()
    return b"".join(lines)


def batch_of(messages: list[bytes], encoding: Encoding) -> bytes:
    """Return messages as a batch of their own."""
    head = f"BHS{encoding.field}{encoding.characters}\r".encode("ascii")
    return head + b"".join(messages) + f"BTS{encoding.field}{len(messages)}\r".encode("ascii")
