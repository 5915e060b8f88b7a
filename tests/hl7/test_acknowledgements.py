"""What messages are answered: codes by mode, in the sender's delimiters, version and character set, errors by place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from radrelay.hl7.errors import AnswerBroken, FieldMissing, MessageRefused, TypeUnsupported
from radrelay.hl7.message import acknowledge, parse, read_acknowledgement
from tests.hl7.samples import adt, msa

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def answered(raw: bytes, error: MessageRefused | None = None, mode: str = "auto") -> list[bytes]:
    return acknowledge(raw, parse(raw), error, "X1", AT, mode="original" if mode == "original" else "auto")


def test_original_mode_is_answered_once_and_names_the_message() -> None:
    (answer,) = answered(adt(control_id="A\\S\\7"))
    assert answer == (
        b"MSH|^~\\&|RIS|RAD|KIS|ADT|20260301120000+0000||ACK^A01^ACK|X1|P|2.5\rMSA|AA|A\\S\\7\r"
    )  # the control ID as it came


@pytest.mark.parametrize(
    ("modes", "good", "bad"),
    [
        ("|", ["AA"], ["AE"]), ("AL|NE", ["CA"], ["CE"]), ("NE|AL", ["AA"], ["AE"]), ("NE|NE", [], []),
        ("AL|AL", ["CA", "AA"], ["CE", "AE"]), ("ER|", [], ["CE"]), ("SU|ER", ["CA"], ["AE"]), ("|AL", ["AA"], ["AE"]),
    ],
)  # fmt: skip
def test_enhanced_mode_is_answered_as_it_asks(modes: str, good: list[str], bad: list[str]) -> None:
    raw = adt(modes=modes)
    assert [msa(one)[1] for one in answered(raw)] == good
    assert [msa(one)[1] for one in answered(raw, FieldMissing("no ID", "PID-3.1"))] == bad
    assert [msa(one)[1] for one in answered(raw, mode="original")] == ["AA"]


def test_errors_are_told_as_the_version_has_them() -> None:
    error = FieldMissing("the message names no patient ID", "PID-3.1")
    (new,) = answered(adt(version="2.5.1"), error)
    assert b"\rERR||PID^1^3^1^1|101^Required field missing^HL70357|E||||the message names no patient ID\r" in new
    assert msa(new)[1:] == ["AE", "1", "the message names no patient ID"]
    (old,) = answered(adt(version="2.3"), error)
    assert b"\rERR|PID^1^3^101&Required field missing\r" in old
    assert b"||ACK^A01|X1|P|2.3\r" in old
    (newest,) = answered(adt(version="2.8"), error)
    assert msa(newest)[1:] == ["AE", "1"]
    (refused,) = answered(adt(version="2.4"), TypeUnsupported("SIU^S12 is not taken here", "MSH-9.1"))
    assert msa(refused)[1] == "AR"
    assert b"ERR|MSH^1^9^200&Unsupported message type\r" in refused


def test_answer_is_in_the_senders_delimiters_and_character_set() -> None:
    raw = "MSH*:;!%*Übung*X*RIS*Y*2026**ADT:A01*7*T*2.5******8859/15\rPID*1\r".encode("iso8859_15")
    (answer,) = acknowledge(raw, parse(raw), FieldMissing("a*b", "PID-3"), "X1", AT)
    head, told, error = answer.decode("iso8859_15").split("\r")[:3]
    assert head == "MSH*:;!%*RIS*Y*Übung*X*20260301120000+0000**ACK:A01:ACK*X1*T*2.5******8859/15"
    assert told == "MSA*AE*7*a!F!b"
    assert error.startswith("ERR**PID:1:3*101:Required field missing:HL70357*E")


@pytest.mark.parametrize(
    ("raw", "head"),
    [
        (b"", b"MSH|^~\\&|||||"), (b"\xff\xfe\x00", b"MSH|^~\\&|||||"), (b"MSH|^^|KIS", b"MSH|^~\\&|||KIS||"),
        (b"MSH|^~\\&|KIS|A|RIS|B|||ADT^A01|9|P|2.3||||||8859/77\rPID|\xfc", b"MSH|^~\\&|RIS|B|KIS|A|"),
        (b"MSH|^~\\&|KIS|A|RIS|B|||ADT^A01|9|P|2.3|||||\rnonsense", b"MSH|^~\\&|RIS|B|KIS|A|"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_answered_with_what_its_header_says(raw: bytes, head: bytes) -> None:
    with pytest.raises(MessageRefused) as refused:
        parse(raw)
    (answer,) = acknowledge(raw, None, refused.value, "X1", AT)
    assert answer.startswith(head)
    assert msa(answer)[1] in ("AE", "AR")
    assert msa(answer)[2] == ("9" if b"|9|" in raw else "")
    assert b"\rERR|" in answer
    parse(answer)


def test_answers_are_read_with_what_they_say_of_errors() -> None:
    (answer,) = answered(adt(control_id="77"), FieldMissing("no ID", "PID-3"))
    read = read_acknowledgement(answer)
    assert (read.code, read.control_id, read.text, read.is_positive, read.is_final) == (
        "AE",
        "77",
        "no ID",
        False,
        True,
    )
    assert read_acknowledgement(b"MSH|^~\\&|X\rMSA|CA|77").is_positive
    old = read_acknowledgement(b"MSH|^~\\&|X\rMSA|AR|77\rERR|PID^1^3^101&Required field missing")
    assert (old.text, old.is_final) == ("Required field missing", False)
    for broken in (b"", b"MSH|^~\\&|X", b"MSH|^~\\&|X\rMSA|OK|77", b"HTTP/1.1 400"):
        with pytest.raises(AnswerBroken):
            read_acknowledgement(broken)
