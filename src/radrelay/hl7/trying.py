"""A pasted message tried against a mapping: what it would be answered, and what would be read from where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from radrelay.errors import Trouble
from radrelay.hl7.content import Content, read
from radrelay.hl7.errors import MessageRefused
from radrelay.hl7.mapping import Mapping
from radrelay.hl7.message import PLAIN, Message, Reading, acknowledge, parse, unpack
from radrelay.hl7.message.acknowledging import Mode

MOST_MESSAGES = 50


@dataclass(frozen=True, slots=True)
class Trial:
    """What would come of one message; `trouble` and `at` say why and where it would be refused."""

    message: Message | None
    content: Content | None
    trouble: Trouble | None
    at: str
    answers: tuple[str, ...]


def try_text(text: str, mapping: Mapping, at: datetime, mode: Mode = "auto") -> Sequence[Trial]:
    """Try what somebody pasted: one message, several, or a batch; nothing is kept."""
    reading = Reading("UTF-8", trust=False)  # what was pasted came as text, whatever its MSH-18 says
    return [_tried(raw, mapping, at, mode, reading) for raw in unpack(text.encode()).messages[:MOST_MESSAGES]]


def try_bytes(raw: bytes, mapping: Mapping, at: datetime, mode: Mode = "auto", reading: Reading = PLAIN) -> Trial:
    """Try one message as its sender sends it."""
    return _tried(raw, mapping, at, mode, reading)


def _tried(raw: bytes, mapping: Mapping, at: datetime, mode: Mode, reading: Reading) -> Trial:
    message, content, refusal = understood(raw, mapping, reading)
    answers = acknowledge(raw, message, refusal, "1", at, mode=mode, reading=reading)
    trouble = None if refusal is None else Trouble.of(refusal)
    codec = "utf_8" if message is None else message.encoding.codec
    told = tuple(one.decode(codec, "replace") for one in answers)
    return Trial(message, content, trouble, "" if refusal is None else refusal.at, told)


def understood(
    raw: bytes, mapping: Mapping, reading: Reading
) -> tuple[Message | None, Content | None, MessageRefused | None]:
    """Return a message and what it says, as far as it goes, and what it is refused by."""
    message = None
    try:
        message = parse(raw, reading)
        return message, read(message, mapping), None
    except MessageRefused as refusal:
        return message, None, refusal
