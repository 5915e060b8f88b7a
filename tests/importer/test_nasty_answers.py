"""What portals, people and files may say, however nasty: a result that can be kept and told, or one of our errors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radrelay.importer.connectors.dlx_answers import items_of
from radrelay.importer.connectors.fhir import Context, led_to_by
from radrelay.importer.connectors.led_to import StudyThere
from radrelay.importer.json_read import count_of, read_json
from tests.fuzz import fuzz_importer as readers

HALF = "\\ud800"
DEEP = "[" * 900 + "]" * 900
DIGITS = "9" * 4400
ENDPOINT = (
    '{"resourceType": "Endpoint", "id": "e", "connectionType": {"code": "dicom-wado-rs"}, "address": "https://[::"}'
)
STUDY = (
    '{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "ImagingStudy", "description": "%s", '
    '"numberOfInstances": %s, "endpoint": [{"reference": "%s"}], '
    '"identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2"}]}}, {"resource": ' + ENDPOINT + "}]}"
)
ENTRY = '{"log": {"entries": [{"request": {"method": "GET", "url": "https://portal.example/p/AB12CD", "headers": []}, '
NASTY = [
    ("questions", f'{{"tfaQuestion": [{{"questionId": "{HALF}", "question": "{HALF}", "questionType": {DEEP}}}]}}'),
    ("list", f'[{{"id": "{HALF}", "description": "{HALF}"}}]'),
    ("list", f'[{{"id": "1", "modalities": [{DEEP}], "date": {DEEP}, "patientsName": {DEEP}}}]'),
    ("list", f'[{{"id": "1", "fileCount": {"9" * 4299}}}, {{"id": "2", "fileCount": 9e307}}]'),
    ("list", f'[{{"id": "1", "fileCount": {DIGITS}}}]'),
    ("list", f'{{"dataItem": {"[" * 100_000}'),
    ("health_link", '{"files": [{"contentType": "application/fhir+json", "location": "https://[::"}]}'),
    ("health_link", f'{{"files": [{{"contentType": {DEEP}, "embedded": "{HALF}"}}]}}'),
    ("document", STUDY % (HALF, DIGITS[:4299], "Endpoint/e")),
    ("document", STUDY % ("", "1", "//[x")),
    ("document", '{"resourceType": "Binary", "contentType": "application/pdf", "data": "é=="}'),
    ("document", '{"resourceType": "DiagnosticReport", "presentedForm": {"contentType": "image/png", "url": "//["}}'),
    ("document", f'{{"resourceType": "Bundle", "total": {"9" * 4299}, "link": {DEEP}}}'),
    ("matches", '[{"0020000D": {"Value": 7}, "00100010": {"Value": "x"}}]'),
    ("page", f'<a class="x" href="{"x" * 9000}">'),
    ("page", f'{{"files": {DEEP}}}'),
    ("recipe_file", f"recipe = {DIGITS}"),
    ("recipe_file", "recipe = 1\n" + "".join(f"k{number} = 1\n" for number in range(2000))),
    ("recording", ENTRY + '"response": {"status": 200, "cookies": ["s"], "content": {}}}]}}'),
    ("recording", ENTRY + '"response": {"status": Infinity, "headers": [{"value": "x"}], "content": {}}}]}}'),
    ("recording", ENTRY + f'"response": {{"status": 200, "content": {{"text": "{HALF}", "mimeType": {DEEP}}}}}}}]}}}}'),
    ("address", f"https://[::/ shlink:/{'A' * 9000} MEBKM:URL:x\\"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "said"), NASTY, ids=[f"{what}-{at}" for at, (what, _) in enumerate(NASTY)])
def test_what_was_found_by_fuzzing_ends_well(what: str, said: str) -> None:
    getattr(readers, f"read_{what}")(said.encode())


@given(st.integers(0, len(readers.TARGETS) - 1), st.binary(max_size=300))
def test_any_bytes_end_well(target: int, data: bytes) -> None:
    readers.one_input(bytes([target]) + data)


def test_texts_are_kept_as_far_as_they_can_be() -> None:
    assert read_json(b'{"a": "x\\ud800y", "b": "\\ud83d\\ude00"}') == {"a": "x?y", "b": "\U0001f600"}
    assert read_json(b"[1.50, 7]", numbers=str) == ["1.50", "7"]
    assert [count_of(one) for one in (10, 10.0, 0, -1, True, 1.5, float("inf"), 10**400, "7")] == [
        10, 10, 0, None, None, None, None, None, None,
    ]  # fmt: skip
    for body in (b"\xff\xfe\x00", b'"\xed\xa0\x80"', b"[" * 100_000, b""):
        with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
            read_json(body)


def test_a_count_of_thousands_of_digits_is_none() -> None:
    items = items_of(readers.reply(f'[{{"id": "1", "fileCount": {"9" * 4299}}}, {{"id": "2"}}]'.encode()))
    assert [one.files for one in items] == [None, None]


def test_a_study_that_is_named_thousands_of_times_comes_from_all_its_places_at_once() -> None:
    many = 3000
    entries = [
        *({"resource": {
            "resourceType": "ImagingStudy", "identifier": [{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}],
            "endpoint": [{"reference": f"Endpoint/{number % (many // 2)}"}],
        }} for number in range(many)),
        *({"resource": {
            "resourceType": "Endpoint", "id": str(number), "connectionType": {"code": "dicom-wado-rs"},
            "address": f"https://pacs.example/{number}",
        }} for number in range(many // 2)),
    ]  # fmt: skip
    bundle = json.loads(json.dumps({"resourceType": "Bundle", "entry": entries}))
    (study,) = led_to_by(bundle, Context("portal.example"))
    assert isinstance(study, StudyThere)
    assert [one.base for one in study.places] == [f"https://pacs.example/{number}" for number in range(many // 2)]
