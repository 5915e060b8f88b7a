"""Fuzz target of everything that reads bytes from an HL7 sender or receiver; for atheris, or by hand with files to try.

python tests/fuzz/fuzz_hl7.py CORPUS_DIR -max_total_time=600
"""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime

from radrelay.hl7 import parse, shipped, write
from radrelay.hl7.errors import AnswerBroken, MappingInvalid
from radrelay.hl7.mapping import read_mapping
from radrelay.hl7.message import Reading, acknowledge, read_acknowledgement, unpack
from radrelay.hl7.mllp import Frames, framed
from radrelay.hl7.trying import understood

AT = datetime(2026, 3, 1, tzinfo=UTC)
HEAD = b"MSH|^~\\&|KIS|ADT|RIS|RAD|20260301||"


def read_message(data: bytes) -> None:
    for raw in unpack(data).messages[:10]:
        message, _, refusal = understood(raw, shipped(), Reading())
        for answer in acknowledge(raw, message, refusal, "1", AT):
            parse(answer)
        if message is not None:
            again = parse(write(message), Reading(message.encoding.codec, trust=False))
            assert [one.fields for one in again.segments] == [one.fields for one in message.segments]


def read_body(data: bytes) -> None:
    read_message(HEAD + data)


def read_answer(data: bytes) -> None:
    with suppress(AnswerBroken):
        read_acknowledgement(data)


def read_frames(data: bytes) -> None:
    frames = Frames(256)
    for begin in range(0, len(data), 7):
        frames.feed(data[begin : begin + 7])
    frames.broken_off()
    assert all(one.ended or one.too_large for one in Frames(256).feed(framed(data.replace(b"\x0b", b""))))


def read_site(data: bytes) -> None:
    with suppress(MappingInvalid):
        read_mapping(data.decode("utf-8", "replace"), shipped())


TARGETS = (read_message, read_body, read_answer, read_frames, read_site)


def one_input(data: bytes) -> None:
    """Read the bytes after the first, which chooses the parser."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def main() -> None:
    import atheris  # noqa: PLC0415 - only a fuzzing run needs it

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
