"""A portal that packs its downloads anew when it is asked again: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import hashlib
import io
import uuid
from collections.abc import Iterator, Mapping
from datetime import timedelta

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.dicom import phantoms
from radrelay.importer import cases
from radrelay.importer.connectors.ports import Item, Lead, Question
from radrelay.importer.downloading import Downloaded, Sink, Tell
from radrelay.importer.errors import PortalUnreachable
from radrelay.importer.models import ImportCase
from radrelay.importer.secret import Secret
from radrelay.intake.models import RawFile
from tests.importer.going_wrong import SEEDS, attempt, codes
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_filing_beside_others import packed_at
from tests.importer.test_imports import BORN_CT
from tests.importer.test_papers import PDF

LEAD = Lead("dlx", "portal.example", Secret("token"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


class Portal:
    """Hands out two things, and breaks off at the second the first time; each time it packs the first anew."""

    def __init__(self, things: list[tuple[Item, Mapping[str, bytes]]], *more: Mapping[str, bytes]) -> None:
        self.things, self.more, self.turns = things, list(more), 0

    def ask(self) -> tuple[Question, ...]:
        self.turns += 1
        return ()

    def answer(self, answers: Mapping[str, str]) -> None: ...

    def items(self) -> tuple[Item, ...]:
        return tuple(item for item, _ in self.things)

    def download(self, item: Item, sink: Sink, tell: Tell) -> Downloaded:
        number = [one.id for one, _ in self.things].index(item.id)
        if number and self.turns == 1:
            raise PortalUnreachable(host="portal.example", reason="it broke off")
        files = self.things[number][1]
        if not number and self.turns > 1 and self.more:
            files = self.more[0]
        content = packed_at(2 * self.turns, files)
        sink.begin()
        sink.write(content)
        tell(len(content), len(content))
        sha256 = hashlib.sha256(content).hexdigest()
        return Downloaded(len(content), sha256, "zip", f"{item.id}.zip", length_known=True, resumed=0)


def study(count: int) -> tuple[str, dict[str, bytes]]:
    made = list(phantoms.study("ct-head", seed=12 * next(SEEDS), slices=count, size=32))
    uid = str(pydicom.dcmread(io.BytesIO(made[0])).StudyInstanceUID)
    return uid, {f"{number}.dcm": one for number, one in enumerate(made)}


def fetched(house: ImportHouse, monkeypatch: pytest.MonkeyPatch, portal: Portal) -> str:
    parts = house.work._parts._replace(follow=lambda _, __: [(LEAD, lambda: portal)])
    monkeypatch.setattr(house.work, "_parts", parts)
    case_id = house.begin(BORN_CT)
    with house.indexing():
        attempt(house, case_id)
    house.site.clock.advance(timedelta(minutes=1))
    assert house.turn(case_id)["state"] == "open"
    return case_id


def raw_files(house: ImportHouse, case_id: str) -> list[str]:
    with house.site.database.read() as session:
        parcel = session.get_one(ImportCase, uuid.UUID(case_id)).parcel_id
        return sorted(session.scalars(sa.select(RawFile.file_name).where(RawFile.parcel_id == parcel)))


def test_a_download_that_comes_twice_in_other_bytes_counts_once(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, first), (two, second) = study(3), study(2)
    first |= {"report.pdf": PDF, "INDEX.HTM": b"<html></html>"}
    portal = Portal([(Item("a", study_uid=one, files=5), first), (Item("b", study_uid=two, files=2), second)])
    case_id = fetched(house, monkeypatch, portal)
    assert (portal.turns, raw_files(house, case_id)) == (2, ["a.zip", "a.zip", "b.zip"])
    found = house.get(f"/{case_id}")
    told = [(row["code"], row["facts"]["arrived"]) for row in found["findings"] if row["facts"].get("by") == "list"]
    assert told == [("complete", 5), ("complete", 2)]
    house.delete(case_id)


def test_what_the_first_packing_alone_held_is_not_lost_and_what_lacks_in_the_last_is_told(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one, first), (two, second) = study(3), study(2)
    first |= {"report.pdf": PDF}
    fewer = {"0.dcm": first["0.dcm"], "report.pdf": PDF}
    portal = Portal([(Item("a", study_uid=one, files=4), first), (Item("b", study_uid=two, files=2), second)], fewer)
    case_id = fetched(house, monkeypatch, portal)
    assert "fewer-than-promised" in codes(house.get(f"/{case_id}"), "look")
    house.choose(case_id, {"name": "Müller^Jörg"})
    house.confirm_all(case_id)
    assert house.file(case_id)["state"] == cases.FILED
    counts = {row.study_uid: row.instance_count for row in house.studies()}
    assert (counts[one], counts[two]) == (4, 2)
    house.delete(case_id)
