"""Messages parsed and written: in every delimiter, ending, character set; no input ends in anything but our errors."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.hl7.errors import (
    CharactersBroken,
    CharactersUnknown,
    HeaderBroken,
    HeaderMissing,
    MessageRefused,
    SegmentBroken,
)
from radrelay.hl7.message import (
    NULL,
    PLAIN,
    STANDARD,
    Encoding,
    Field,
    Message,
    Reading,
    dicom_name,
    parse,
    parse_date,
    parse_time,
    segment_of,
    unpack,
    write,
)
from radrelay.hl7.message.charsets import codec_of
from radrelay.hl7.message.datatypes import person_name
from radrelay.hl7.message.escapes import escape, unescape
from radrelay.hl7.message.model import Segment, picked
from tests.hl7.samples import adt, order

HEAD = b"MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\r"
ENCODINGS = [
    STANDARD,
    Encoding("|", "^", "~", "\\", "&", "#"),
    Encoding("*", ":", ";", "!", "%"),
    Encoding("|", "^", "~", "", ""),
    Encoding("$", "@", "+", "\\", "_", codec="iso8859_15"),
]
TEXTS = st.text('|^~\\&#*:;!%$@+_ \r\n"aäß0\t\x7f', max_size=12)
SEGMENTS = ("PID", "PV1", "OBX", "NTE", "ZDS", "Z9A")


@st.composite
def messages(draw: st.DrawFn) -> Message:
    encoding = draw(st.sampled_from(ENCODINGS))._replace(codec="utf_8")
    words = TEXTS.map(lambda text: text.strip())
    component = words | st.lists(words, max_size=3)
    repeated = st.lists(st.lists(words, max_size=2), max_size=3).map(Field.of)
    field = words | st.lists(component, max_size=3) | repeated
    head = segment_of("MSH", ["KIS", *[""] * 14, "UTF-8"], encoding)
    fields = st.lists(field, min_size=1, max_size=4)
    more = draw(st.lists(st.tuples(st.sampled_from(SEGMENTS), fields), max_size=3))
    segments = [segment_of(name, [*given, "end"], encoding) for name, given in more]
    return Message((head, *segments))


@given(messages())
def test_what_is_written_is_read_again(message: Message) -> None:
    assert parse(write(message), Reading("UTF-8", trust=False)) == message


@given(TEXTS, st.sampled_from([one for one in ENCODINGS if one.escape]))
def test_text_survives_being_escaped(text: str, encoding: Encoding) -> None:
    escaped = escape(text, encoding)
    assert not {encoding.field, encoding.component, encoding.repetition, "\r", "\n"} & set(escaped)
    assert unescape(escaped, encoding) == text


@given(st.binary(max_size=400) | st.binary(max_size=200).map(lambda rest: HEAD + rest))
def test_no_bytes_end_in_anything_but_our_errors(raw: bytes) -> None:
    for one in unpack(raw).messages:
        try:
            message = parse(one)
        except MessageRefused:
            continue
        for segment in message.segments:
            for field in range(len(segment.fields) + 1):
                segment.value(field)
        again = parse(write(message), Reading(message.encoding.codec, trust=False))
        assert [one.fields for one in again.segments] == [one.fields for one in message.segments]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\r", "\r\n\r\n"])
def test_segments_end_as_senders_end_them(end: str) -> None:
    raw = adt().replace(b"\r", end.encode())
    assert parse(raw) == parse(adt())
    assert [one.name for one in parse(raw).segments] == ["MSH", "EVN", "PID", "PV1"]


@pytest.mark.parametrize("before", [b"", b"\r\n", b" \t\0", b"\xef\xbb\xbf", b"\n\xef\xbb\xbf"])
def test_blanks_and_a_byte_order_mark_before_the_message_do_not_matter(before: bytes) -> None:
    message = parse(before + adt(charset="UNICODE UTF-8", name="Müller^Änne"))
    pid = message.first("PID")
    assert pid is not None
    assert pid.value(5) == "Müller"


def test_places_are_counted_as_hl7_counts_them() -> None:
    message = parse(b'MSH|^~\\&|KIS\rPID|1||4711^^^A&1.2.3&ISO^PI~0815^^^B||M\\T\\M^\\F\\||""|x^y&z\rZXX|1')
    pid = message.first("PID")
    assert pid is not None
    assert (message.header.value(1), message.header.value(2), message.header.value(3)) == ("|", "^~\\&", "KIS")
    assert (pid.value(3), pid.value(3, 4), pid.value(3, 4, 2), pid.value(3, 5)) == ("4711", "A", "1.2.3", "PI")
    assert pid.repetitions(3)[1] == "0815^^^B"
    assert (pid.value(5), pid.value(5, 2), pid.value(8, 2, 2), pid.value(8, 9), pid.value(99)) == (
        "M&M",
        "|",
        "z",
        "",
        "",
    )
    assert pid.is_null(7)
    assert pid.value(7) == ""
    assert not pid.is_null(6)
    assert pid.raw(7) == NULL
    assert [one.name for one in message.segments] == ["MSH", "PID", "ZXX"]


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("a\\.br\\b\\.sp 2\\c", "a\nb\n\nc"),
        ("\\H\\wichtig\\N\\", "wichtig"),
        ("\\X4D\\\\XFC\\ller", "Müller"),
        ("\\.in+5\\eingerückt", "eingerückt"),
        ("\\\\server\\share\\x", "\\\\server\\share\\x"),
        ("C:\\E\\temp", "C:\\temp"),
        ("\\", "\\"),
        ("halb\\F", "halb\\F"),
        ("\\XZZ\\ \\Q\\", "\\XZZ\\ \\Q\\"),
        ("\\.sp 999\\x", "\n" * 80 + "x"),
    ],
)
def test_escape_sequences_mean_what_they_say(escaped: str, text: str) -> None:
    assert unescape(escaped, STANDARD._replace(codec="iso8859_1")) == text


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("8859/1", "iso8859_1"), ("8859/15", "iso8859_15"), ("ISO 8859-15", "iso8859_15"), ("ISO8859/2", "iso8859_2"),
        ("UNICODE UTF-8", "utf_8"), ("utf8", "utf_8"), ("ASCII", "ascii"), ("ISO IR87", "iso2022_jp"),
        ("ISO_IR 100", "iso8859_1"), ("windows-1252", "cp1252"), ("GB 18030-2000", "gb18030"), ("BIG-5", "big5"),
        ("8859/12", None), ("8859/99", None), ("EBCDIC", None), ("", None),
    ],
)  # fmt: skip
def test_character_sets_are_known_by_the_names_that_senders_use(declared: str, codec: str | None) -> None:
    assert codec_of(declared) == codec


def names(raw: bytes, reading: Reading = PLAIN) -> str:
    pid = parse(raw, reading).first("PID")
    assert pid is not None
    return pid.value(5)


def test_character_set_comes_from_the_header_else_from_the_port_else_from_the_bytes() -> None:
    euro = adt(name="Pr€is^A", charset="UNICODE UTF-8")
    assert names(euro) == "Pr€is"
    latin9 = euro.replace(b"UNICODE UTF-8", b"8859/15").replace("€".encode(), b"\xa4")
    assert names(latin9) == "Pr€is"
    silent = adt()
    assert names(silent) == "Müller"
    assert names(silent.decode("latin-1").encode()) == "Müller"
    assert names(silent.replace(b"\xfc", b"\xfe"), Reading("8859/5")) == "Mўller"
    wrong = adt(charset="8859/1").decode("latin-1").encode()
    assert names(wrong) == "MÃ¼ller"
    assert names(wrong, Reading("UNICODE UTF-8", trust=False)) == "Müller"
    assert names(silent, Reading("UTF-8", senders={"KIS": "8859/1"})) == "Müller"


def test_bytes_that_are_not_in_the_declared_character_set_are_refused() -> None:
    with pytest.raises(CharactersBroken):
        parse(adt(charset="UNICODE UTF-8").replace("ü".encode(), b"\xfc"))
    with pytest.raises(CharactersBroken):
        parse(adt(), Reading("UTF-8"))
    with pytest.raises(CharactersUnknown):
        parse(adt(charset="8859/77"))


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", HeaderMissing), (b"PID|1||4711", HeaderMissing), (b"GET / HTTP/1.1", HeaderMissing),
        (b"MSH", HeaderBroken), (b"MSH\r|^~\\&|X", HeaderBroken),
        (b"MSH\xff^~\\&\xffX", HeaderBroken), (b"MSH|", HeaderBroken), (b"MSH||^~\\&|", HeaderBroken),
        (b"MSH|^^\\&|KIS", HeaderBroken), (b"MSHA^~\\&AKIS", HeaderBroken), (b"MSH|^~\\&#!|KIS", HeaderBroken),
        (HEAD + b"PID|1\rnot a segment|x", SegmentBroken), (HEAD + b"pid|1", SegmentBroken),
        (HEAD + b"PID|1\rMSHX|", SegmentBroken),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_by_its_reason(raw: bytes, error: type[MessageRefused]) -> None:
    with pytest.raises(error):
        parse(raw)


def test_line_breaks_in_a_report_stay_in_the_report() -> None:
    wrapped = HEAD + b"PID|1\rOBX|1|ED|X||^application^pdf^Base64^AAAA\rBBBB\rCC==||||||F\rOBX|2|TX|Y||a\nb|x\r\nNTE|1"
    message = parse(wrapped)
    first, second = message.every("OBX")
    assert first.raw(5).endswith("AAAA\nBBBB\nCC==")
    assert first.value(11) == "F"
    assert second.value(5) == "a\nb"
    assert [one.name for one in message.segments] == ["MSH", "PID", "OBX", "OBX", "NTE"]


def test_line_break_in_a_header_hides_no_character_set() -> None:
    raw = adt(charset="UNICODE UTF-8").replace(b"|RAD|", b"|R\nAD|")
    assert names(raw) == "Müller"
    with pytest.raises(SegmentBroken):
        parse(HEAD + b"NTE\r|1||text")


def test_two_messages_in_one_frame_are_two_and_a_batch_is_its_messages() -> None:
    both = unpack(adt(control_id="1") + adt(control_id="2"))
    assert [parse(one).header.value(10) for one in both.messages] == ["1", "2"]
    assert not both.batched
    batch = b"FHS|^~\\&|X\rBHS|^~\\&|X\r" + adt(control_id="1") + order("2") + b"\rBTS|2\rFTS|1\r"
    found = unpack(batch)
    assert found.batched
    assert [parse(one).header.value(10) for one in found.messages] == ["1", "2"]
    assert [one.name for one in parse(found.messages[1]).segments][-1] == "IPC"


def test_names_become_dicom_names_by_their_representation() -> None:
    raw = ["Yamada^Tarou^^^^^L^A", "山田^太郎^^^^^L^I", "やまだ^たろう^^^^^L^P"]
    given = [person_name(one, STANDARD) for one in raw]
    assert dicom_name(given) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    german = ["Vogel^^^^^^M^A", "von Groß&von&Groß^Änne^M^jun.^Dr.^MD^L^A", "Kessler^^^^Frau^^D"]
    assert dicom_name([person_name(one, STANDARD) for one in german]) == "von Groß^Änne^M^Dr.^jun. MD"
    assert dicom_name([person_name("A\\S\\B=C^D", STANDARD)]) == "A B C^D"
    assert dicom_name([]) == ""


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("19800229", "1980-02-29"), ("198002292330+0200", "1980-02-29"), ("20190411101633.655-0500", "2019-04-11"),
        ("198002", None), ("1980", None), ("19800230", None), ("29.02.1980", None), ("", None), ("1980022912x", None),
    ],
)  # fmt: skip
def test_birth_date_is_the_day_that_was_written(text: str, day: str | None) -> None:
    found = parse_date(text)
    assert (None if found is None else found.isoformat()) == day


def test_times_have_their_zone() -> None:
    at = parse_time("20260301120000.1234+0215")
    assert at is not None
    assert at.isoformat() == "2026-03-01T12:00:00.123400+02:15"
    assert parse_time("20260301") is not None
    assert parse_time("2026082011223344") is None
    assert parse_time("20260301120000+9999") is None


def test_empty_places_cost_nothing_and_break_nothing() -> None:
    segment = Segment(("PID", "", "~", "^^", "&"), STANDARD)
    assert [segment.value(place) for place in range(1, 6)] == ["", "", "", "", ""]
    assert segment.repetitions(2) == ["", ""]
    assert picked("", STANDARD, 3, 3) == ""


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"OBX|1|TX|||a\r" + b"x\r" * 1_000_000,
        HEAD + b"PID|" + b"\\" * 1_000_000,
        HEAD + b"PID|" + b"~^&" * 700_000,
        HEAD + b"OBX|1|ED|X||^a^b^Base64^" + b"QUJD" * 1_000_000,
        HEAD + b"\nZ" * 1_000_000,
        b"MSH" * 700_000,
        HEAD * 20_000,
    ],
    ids=["lines", "backslashes", "delimiters", "base64", "feeds", "heads", "messages"],
)
def test_time_grows_with_the_length_alone(raw: bytes) -> None:
    began = time.process_time()
    for one in unpack(raw).messages[:3]:
        try:
            message = parse(one)
        except MessageRefused:
            continue
        for segment in message.segments[:5]:
            segment.value(1)
            segment.value(5, 5)
    assert time.process_time() - began < 4
