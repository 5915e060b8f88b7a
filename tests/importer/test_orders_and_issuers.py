"""Orders that are one study's, IDs of the house that a source belongs to, and how often the database is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.app.importing.holders import holders_of
from radrelay.app.importing.house import own_issuer
from radrelay.archive.models import Source
from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.hl7.models import Hl7Patient
from radrelay.importer.arrived import Person
from radrelay.importer.waiting import Scheduled, waiting_for
from radrelay.intake.sources import PORTAL, add_source, default_spec
from radrelay.storage.ids import new_id
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports import BORN_CT, IMAGES
from tests.importer.test_imports import _ordered as ordered

BORN = date.fromisoformat(BORN_CT)
FILES = {str(number): one for number, one in enumerate(IMAGES)}
CHEST = next(phantoms.study("cr-chest", patient=PATIENTS[0]))
JOERG = {"name": "Müller^Jörg", "patient_id": "4711", "issuer": "KH"}


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


@contextmanager
def statements(house: ImportHouse) -> Iterator[list[str]]:
    asked: list[str] = []

    def note(_connection: object, _cursor: object, sql: str, *_more: object) -> None:
        asked.append(sql)

    engine = house.site.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    yield asked
    sa.event.remove(engine, "before_cursor_execute", note)


def with_order(house: ImportHouse, case_id: str, accession: str) -> dict[str, Any]:
    body = {"patient": JOERG, "order": {"accession": accession}}
    person: dict[str, Any] = house.put(f"/{case_id}/people/0/patient", body)["persons"][0]
    return {one["code"]: (one["level"], one["facts"]) for one in person["findings"]}


def test_an_order_for_several_studies_or_with_a_number_that_is_taken_is_looked_at(house: ImportHouse) -> None:
    now = house.site.clock.now().date()
    ordered(house, now, "4711", "Müller^Jörg", BORN, patient_issuer="KH", accession_number="A1", patient_sex="")
    first = house.bring({"chest": CHEST}, BORN_CT)
    house.turn(first)
    assert "order-of-several-studies" not in with_order(house, first, "A1")
    second = house.bring({**FILES, "chest": CHEST}, BORN_CT)
    house.turn(second)
    told = with_order(house, second, "A1")
    assert told["order-of-several-studies"] == ("look", {"order": "A1", "studies": 2})
    assert "order-taken" not in told
    house.confirm_all(first)
    assert house.file(first)["state"] == "filed"
    third = house.bring(FILES, BORN_CT)
    house.turn(third)
    assert with_order(house, third, "A1")["order-taken"] == ("look", {"order": "A1", "studies": 1})


def test_ids_that_name_no_issuer_are_those_of_the_house_whose_source_an_import_comes_by(house: ImportHouse) -> None:
    case_id = house.bring(FILES, BORN_CT)
    house.turn(case_id)
    site = house.site
    with site.database.write() as session:
        mine = session.scalars(sa.select(Source.id).where(Source.kind == PORTAL)).one()
        session.execute(sa.update(Source).where(Source.id == mine).values(issuer_of_patient_id="SOUTH"))
        spec = replace(default_spec("A first one", PORTAL, site.settings), issuer_of_patient_id="NORTH")
        other = add_source(session, site.organisation_id, spec, site.clock.now()).id
        assert [own_issuer(session, site.organisation_id, one) for one in (mine, other)] == ["SOUTH", "NORTH"]
    chosen = house.choose(case_id, {**JOERG, "issuer": ""})["persons"][0]["chosen"]
    assert chosen["issuer"] == "SOUTH"


def test_todays_list_asks_no_more_often_for_many_imports_than_for_one(house: ImportHouse) -> None:
    patients = [Scheduled((Person("Müller^Jörg", "4711", "KH", BORN, "M"),), ())]
    counts = []
    for _ in range(2):
        house.turn(house.bring(FILES, BORN_CT))
        with statements(house) as asked, house.site.database.read() as session:
            assert waiting_for(session, house.site.organisation_id, None, patients)[0]
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_the_list_of_imports_asks_no_more_often_for_many_than_for_one(house: ImportHouse) -> None:
    counts = []
    for _ in range(3):
        house.turn(house.bring(FILES, BORN_CT))
        house.get("")
        with statements(house) as asked:
            house.get("")
        counts.append(len(asked))
    assert counts[0] == counts[1] == counts[2]


def test_whom_merged_ids_lead_to_is_asked_for_at_once(house: ImportHouse) -> None:
    organisation_id, counts = house.site.organisation_id, list[int]()
    for number in range(6):
        with house.site.database.write() as session:
            session.add(patient(house, f"I{number}", "4711", f"N{number}"))
            session.add(patient(house, f"I{number}", f"N{number}", ""))
        with statements(house) as asked, house.site.database.read() as session:
            found = holders_of(session, organisation_id, "4711", "")
        counts.append(len(asked))
        assert [one.into for one in found] == [f"N{at} (I{at})" for at in range(number + 1)]
        assert found[number].about == ((f"I{number}", "4711"), (f"I{number}", f"N{number}"))
    assert counts[0] == counts[-1]


def patient(house: ImportHouse, issuer: str, patient_id: str, into: str) -> Hl7Patient:
    now = house.site.clock.now()
    text = dict.fromkeys((one.name for one in Hl7Patient.__table__.columns if isinstance(one.type, sa.String)), "")
    return Hl7Patient(**{
        **text, "id": new_id(), "organisation_id": house.site.organisation_id, "issuer": issuer,
        "patient_id": patient_id, "name": "Meier^Max", "into_patient_id": into, "into_issuer": issuer if into else "",
        "message_id": new_id(), "changed_at": now,
    })  # fmt: skip


def test_a_patient_is_filed_with_the_name_as_hl7_writes_it_and_not_as_an_archive_does(house: ImportHouse) -> None:
    first = house.bring({"chest": CHEST}, BORN_CT)
    house.turn(first)
    house.choose(first, JOERG | {"name": "Mueller^Joerg", "sex": "M"})
    house.confirm_all(first)
    assert house.file(first)["state"] == "filed"
    row = patient(house, "KH", "4711", "")
    row.name, row.birth_date, row.sex = "Müller^Jörg", BORN, "M"
    with house.site.database.write() as session:
        session.add(row)
    second = house.bring(FILES, BORN_CT)
    (candidate,) = house.turn(second)["persons"][0]["candidates"]
    assert (candidate["origins"], candidate["proposed"]) == (["archive", "hl7"], True)
    house.choose(second, {name: candidate["person"][name] for name in ("name", "patient_id", "issuer", "sex")})
    house.confirm_all(second)
    assert house.file(second)["state"] == "filed"
    assert {(one.patient_name, one.instance_count) for one in house.studies()} == {
        ("Mueller^Joerg", 1), ("Müller^Jörg", len(IMAGES)),
    }  # fmt: skip
