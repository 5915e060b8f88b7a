"""Acknowledgements (HL7 v2.5 2.9, 2.15.5, 2.15.8): what a message is answered, in its own encoding and version.

Original mode: one answer, AA, AE or AR. Enhanced mode (MSH-15 or MSH-16 is there): the accept acknowledgement CA, CE or
CR, and the application's AA, AE or AR, each if the sender asked for it: always (AL), on errors (ER), on success (SU),
never (NE). Where both are asked for, the accept acknowledgement comes first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from radrelay.hl7.errors import Answer, AnswerBroken, MessageRefused
from radrelay.hl7.message.charsets import decode
from radrelay.hl7.message.encoding import FORBIDDEN, STANDARD, Encoding, encoding_of
from radrelay.hl7.message.header import Header, header_of
from radrelay.hl7.message.model import Message, Segment, Written, segment_of
from radrelay.hl7.message.parsing import BLANK, MARK, PLAIN, Reading, parse, write_segments
from radrelay.hl7.message.times import write_time

Mode = Literal["auto", "original"]
ACCEPT = {"AA": "CA", "AE": "CE", "AR": "CR"}
POSITIVE = frozenset({"AA", "CA"})
LONGEST_TEXT = 250
EMPTY = Segment(("MSH", STANDARD.field, STANDARD.characters), STANDARD)
_VERSION = re.compile(r"2\.(\d)(?:\.\d+)?")
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\.(\d+))?(?:\.(\d+))?)?")


def minor_version(version: str) -> int | None:
    """Return the digit behind `2.`, None for what is no version of HL7 v2."""
    found = _VERSION.fullmatch(version)
    return int(found[1]) if found else None


def wanted(header: Header, answer: Answer, mode: Mode = "auto") -> list[str]:
    """Return the codes that a message is answered by, in order; none where its sender wants none."""
    if mode == "original" or not header.is_enhanced:
        return [answer]
    codes = []
    if _asked(header.accept_acknowledgement, answer):
        codes.append(ACCEPT[answer])
    if _asked(header.application_acknowledgement, answer):
        codes.append(answer)
    return codes


def _asked(condition: str, answer: Answer) -> bool:
    return condition in {"AL", "SU" if answer == "AA" else "ER"}


def acknowledge(
    raw: bytes, message: Message | None, error: MessageRefused | None, control_id: str, at: datetime,
    *, mode: Mode = "auto", reading: Reading = PLAIN,
) -> list[bytes]:  # fmt: skip
    """Return the answers to a message, each with a control id that begins with `control_id`.

    `message` is None where `raw` could not be parsed; what can be read of its header is answered then, all the same.
    """
    asked = message.header if message is not None else _rescued(raw, reading)
    header = header_of(Message((asked,)))
    codes = wanted(header, "AA" if error is None else error.answer, mode)
    return [
        write_segments(tuple(_answer(asked, header, code, error, f"{control_id}{'' if place == 0 else 'b'}", at)))
        for place, code in enumerate(codes)
    ]


def _rescued(raw: bytes, reading: Reading) -> Segment:
    """Return the header of what is no message, as far as it has one; else an empty one."""
    line = re.split(rb"[\r\n]", raw.lstrip(BLANK).removeprefix(MARK)[:4096], maxsplit=1)[0]
    text, codec = line.decode("iso8859_1"), "iso8859_1"
    if text[:3] != "MSH" or len(text) < 5 or text[3] in FORBIDDEN or not text[3].isascii():
        return EMPTY
    fields = text.split(text[3])
    try:
        encoding = encoding_of(text[3], fields[1], codec)
    except MessageRefused:
        if text[3] in STANDARD.characters:
            return EMPTY
        encoding = STANDARD._replace(field=text[3])
        fields[1] = encoding.characters
    try:
        declared = (fields[17] if len(fields) > 17 else "").partition(encoding.repetition or "\r")[0].strip()
        text, codec = decode(line, declared, reading.of(line.split(text[3].encode())), trust=reading.trust)
        fields = [fields[0], fields[1], *text.split(text[3])[2:]]
    except MessageRefused:
        fields[17:18] = [""]
    return Segment(("MSH", encoding.field, *fields[1:]), encoding._replace(codec=codec))


def _answer(
    asked: Segment, header: Header, code: str, error: MessageRefused | None, control_id: str, at: datetime
) -> list[Segment]:
    encoding = asked.encoding
    minor = minor_version(header.version)
    minor = 5 if minor is None else minor
    said: list[Written] = ["ACK"]
    if minor >= 3 and header.event:
        said = ["ACK", header.event, "ACK"] if minor >= 4 or header.version == "2.3.1" else ["ACK", header.event]
    head = segment_of("MSH", ["", "", "", "", write_time(at), "", said, control_id], encoding)  # type: ignore[list-item]
    fields = list(head.fields) + [""] * (19 - len(head.fields))
    fields[3:7] = [asked.raw(5), asked.raw(6), asked.raw(3), asked.raw(4)]
    fields[11], fields[12] = asked.raw(11) or "P", asked.raw(12) or "2.5"
    fields[18] = asked.raw(18)
    while not fields[-1]:
        fields.pop()
    text = "" if error is None or minor >= 7 else error.message[:LONGEST_TEXT]
    acknowledged = segment_of("MSA", [code, "", text], encoding)
    echoed = list(acknowledged.fields)
    echoed[2:3] = [asked.raw(10)]
    answered = [Segment(tuple(fields), encoding), Segment(tuple(echoed), encoding)]
    if error is not None:
        answered.append(_fault(error, encoding, old=minor < 5))
    return answered


def _fault(error: MessageRefused, encoding: Encoding, *, old: bool) -> Segment:
    """Return ERR as versions before 2.5 have it, or since."""
    found = _PLACE.fullmatch(error.at)
    number, text = error.condition
    if found is None:
        segment, sequence, field, component, part = "", "", "", "", ""
    else:
        segment, sequence, field, component, part = (one or "" for one in found.groups())
        sequence = sequence or "1"
    if old:
        return segment_of("ERR", [[segment, sequence, field, [number, text]]], encoding)
    place = [segment, sequence, field, "1" if component else "", component, part] if segment else ""
    message = error.message[:LONGEST_TEXT]
    return segment_of("ERR", ["", place, [number, text, "HL70357"], "E", "", "", "", message], encoding)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a receiver answered: the code, whose control id, and what it says of an error."""

    code: str
    control_id: str
    text: str

    @property
    def is_positive(self) -> bool:
        """Say whether the message was taken."""
        return self.code in POSITIVE

    @property
    def is_final(self) -> bool:
        """Say whether sending the same again would be answered the same: AE and CE, not AR and CR."""
        return self.code in ("AE", "CE")


def read_acknowledgement(raw: bytes, reading: Reading = PLAIN) -> Acknowledgement:
    """Return what an answer says; raises `AnswerBroken` for what is none."""
    try:
        message = parse(raw, reading)
    except MessageRefused as error:
        raise AnswerBroken(f"the answer cannot be read: {error.message}") from error
    told = message.first("MSA")
    if told is None or told.value(1) not in (*ACCEPT, *ACCEPT.values()):
        raise AnswerBroken("the answer has no MSA segment that says whether the message was taken")
    texts = [told.value(3)]
    for fault in message.every("ERR"):
        texts += [fault.value(8), fault.value(7), fault.value(3, 2), fault.value(1, 4, 2)]
    return Acknowledgement(told.value(1), told.value(2), next(filter(None, texts), ""))
