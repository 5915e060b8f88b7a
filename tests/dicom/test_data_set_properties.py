"""Properties of the parsers for any bytes: they answer or raise `Malformed`, and the walk agrees with the parser."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radrelay.dicom import phantoms
from radrelay.dicom.characters import character_set, encode
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import parse
from radrelay.dicom.index import index_attributes
from radrelay.dicom.names import fold, query_forms, search_forms
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.syntaxes import DEFLATED_LE, EXPLICIT_BE, EXPLICIT_LE, IMPLICIT_LE, JPEG_BASELINE
from radrelay.dicom.values import parse_date, parse_integer, parse_number, parse_time, trim_name
from radrelay.dicom.walk import survey
from radrelay.dicom.writing import element, sequence

SYNTAXES = st.sampled_from([EXPLICIT_LE, IMPLICIT_LE, EXPLICIT_BE, DEFLATED_LE, JPEG_BASELINE])
FILE = next(iter(phantoms.study("mr-head", slices=1, size=8)))
OFFSET = parse_preamble(FILE).dataset_offset
NESTED = sequence(
    0x00081115, [[element(0x00080018, "UI", "1.2"), sequence(0x00081199, [[element(0x00080100, "SH", "x")]])]]
)
UNDEFINED = (
    b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    + element(0x00081155, "UI", "1.2.3")
    + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
)
PIECES = [b"\xff\xff\xff\xff", b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0", UNDEFINED]
VALID = FILE[OFFSET : OFFSET + 400] + NESTED + UNDEFINED + FILE[OFFSET + 400 :]
TERMS = ["", "ISO_IR 100", "ISO 2022 IR 87", "ISO 2022 IR 149", "ISO_IR 192", "GB18030", "x"]
GOOD = NESTED + UNDEFINED + FILE[OFFSET:]


def look(data: bytes, syntax: str) -> None:
    try:
        found = survey(data, len(data), syntax, sop_class_uid="1.2", sop_uid="1.2.3")
    except Malformed:
        found = None
    try:
        header = parse(data, syntax)
    except Malformed:
        return
    attributes = index_attributes(header, syntax, sop_class_uid="1.2", sop_uid="1.2.3")
    json.dumps(header.to_json(str), allow_nan=False)
    for tag in header:
        header.text(tag), header.numbers(tag), header.integers(tag), header.person_name(tag), header.raw(tag)
    if found is not None:
        assert found.head_length <= len(data)
        assert (attributes.study_uid, attributes.series_uid) == (found.study_uid, found.series_uid)


@given(st.binary(max_size=400), SYNTAXES)
def test_any_bytes(data: bytes, syntax: str) -> None:
    look(data, syntax)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=300)
@given(st.data(), SYNTAXES)
def test_damaged_data_sets(draws: st.DataObject, syntax: str) -> None:
    data = bytearray(draws.draw(st.sampled_from([GOOD, VALID])))
    for _ in range(draws.draw(st.integers(1, 6))):
        at = draws.draw(st.integers(0, len(data) - 1))
        kind = draws.draw(st.sampled_from(["flip", "cut", "insert", "length"]))
        if kind == "flip":
            data[at] = draws.draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draws.draw(st.integers(1, 40))]
        elif kind == "insert":
            data[at:at] = draws.draw(st.sampled_from(PIECES))
        else:
            data[at : at + 4] = b"\xff\xff\xff\xff"
        if not data:
            break
    look(bytes(data), syntax)


@given(st.integers(0, len(GOOD)))
@settings(max_examples=300)
def test_cut_off_data_sets(length: int) -> None:
    look(GOOD[:length], EXPLICIT_LE)


@given(st.binary(max_size=300))
def test_any_file_prefix(prefix: bytes) -> None:
    for data in (prefix, bytes(128) + b"DICM" + prefix):
        try:
            head = parse_preamble(data)
        except Malformed:
            continue
        assert 0 <= head.dataset_offset <= len(data)


@given(
    st.binary(max_size=60),
    st.lists(st.sampled_from(TERMS), max_size=3),
)
def test_any_text_decodes(raw: bytes, terms: list[str]) -> None:
    charset = character_set("\\".join(terms).encode())
    charset.decode(raw).encode("utf-8")
    charset.decode(b"\x1b$B" + raw + b"\x1b(B" + raw, name=True).encode("utf-8")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_any_text_survives_our_own_encoding(text: str) -> None:
    assert character_set(b"ISO_IR 192").decode(encode(text)) == text


def test_folding_every_character_once_is_enough() -> None:
    letters = (chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)
    assert [letter for letter in letters if fold(fold(letter)) != fold(letter)] == []


@given(st.text(max_size=40))
def test_folding_is_idempotent(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert fold(text) in query_forms(text)
    assert all(form == form.strip() for form in search_forms(text))


@given(st.text(max_size=40))
def test_any_value_text(text: str) -> None:
    parse_date(text), parse_time(text), parse_integer(text), parse_number(text)
    assert trim_name(trim_name(text)) == trim_name(text)
