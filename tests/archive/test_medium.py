"""A medium's length is known before it is sent, any part of it is the same bytes, and its metadata hold any name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest
from lxml import etree

from radrelay.archive import medium as media
from radrelay.archive.medium import Medium, MediumChanged, Part
from radrelay.archive.xdm_metadata import Document, Person, metadata
from radrelay.importer.arrived import Person as Arrived
from radrelay.importer.xdm import read_xdm

MADE = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def part(name: str, content: bytes, says: int | None = None) -> Part:
    return Part(name, len(content) if says is None else says, lambda: (content[:3], content[3:]))


def whole(medium: Medium, executor: ThreadPoolExecutor, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(map(bytes, medium.stream(executor, start, end)))


@pytest.mark.parametrize("read_whole", [16 << 20, 8])
def test_every_part_of_a_medium_is_the_same_whatever_was_read_before(
    executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, read_whole: int
) -> None:
    monkeypatch.setattr(media, "READ_WHOLE", read_whole)
    parts = [part(f"DICOM/Ä{number}", bytes([number]) * (number * 7)) for number in range(6)]
    content = whole(Medium(parts, MADE, "first"), executor)
    with zipfile.ZipFile(io.BytesIO(content)) as disc:
        assert disc.testzip() is None
        assert [disc.read(one.name) for one in parts] == [b"".join(one.content()) for one in parts]
    for start in range(0, len(content), 13):
        anew = Medium(parts, MADE, f"tag {read_whole} {start}")  # whose checksums nobody knows
        assert (anew.size, whole(anew, executor, start)) == (len(content), content[start:])
        assert whole(anew, executor, start, start + 20) == content[start : start + 20]


@pytest.mark.parametrize("says", [3, 11])
def test_what_has_another_length_by_now_breaks_off(executor: ThreadPoolExecutor, says: int) -> None:
    medium = Medium([part("a", b"0123456789", says)], MADE, f"changed {says}")
    with pytest.raises(MediumChanged):
        whole(medium, executor)
    with pytest.raises(MediumChanged):
        whole(medium, executor, medium.size - 1)


def test_metadata_hold_any_name_and_are_read_back() -> None:
    person = Person("Мюллер&<\"'^Анна\x07|~^^Dr.=Muller^Anna", "4711&^", "Klinik <A>", date(1970, 2, 3), "F")
    long = "D/" + "x" * 300 + ".PDF"
    made = metadata([Document("R1.PDF", "application/pdf", "Befund <&\x00>", 45, "ab12", "1.2", person),
                     Document(long, "application/pdf", "", 1, "00")], MADE, "name")  # fmt: skip
    tree = etree.fromstring(made, etree.XMLParser(resolve_entities=False))
    spaces = {"rim": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
    uids = tree.xpath("//rim:ExternalIdentifier/@value", namespaces=spaces)
    assert len(set(uids)) == len(uids) == 5, "each document and the set: its own; and the patient"
    ids = tree.xpath("//@id")
    assert len(set(ids)) == len(ids)
    assert {*tree.xpath("//@classifiedObject"), *tree.xpath("//@registryObject"), *tree.xpath("//@sourceObject"),
            *tree.xpath("//@targetObject")} <= set(ids)  # fmt: skip
    first, second = read_xdm(made)
    assert second.path == long
    assert (first.path, first.title, first.size, first.sha1) == ("R1.PDF", "Befund <& >", 45, "ab12")
    assert first.person == Arrived("Мюллер <\"'^Анна^^Dr.", "4711", "Klinik <A>", date(1970, 2, 3), "F")
