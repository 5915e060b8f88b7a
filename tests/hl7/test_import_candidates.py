"""Who somebody in a parcel may be, as messages, orders and images of the house tell of patients."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from radrelay.app.importing import candidates
from radrelay.app.importing.authorities import authority_of
from radrelay.app.importing.candidates import held_candidates, import_orders
from radrelay.app.importing.holders import holders_of
from radrelay.importer.arrived import Person
from radrelay.importer.holding import of_holders
from radrelay.importer.matching import match
from radrelay.importer.parting import ArrivedPerson
from radrelay.importer.reconciling import Authority, LocalPatient
from tests.hl7.hospital import ISSUER, Hospital, hospital
from tests.hl7.samples import adt, merge
from tests.hl7.test_worklist import order

BORN = date(1980, 2, 29)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    folder: Path = tmp_path_factory.mktemp("candidates")
    with hospital(folder, coerce=["merges"]) as opened:
        opened.tell(
            adt(control_id="1"), order(), order("NW", "2"), order("CA", "2", status="CA", at="20260301090000"),
            adt(control_id="2", patient_id="99", name="Schulze^Anna"),
            adt(control_id="3", patient_id="77", name="Huber^Xaver"),
            adt(control_id="4", patient_id="88", name="Müller^Anna", born="19700101"),
        )  # fmt: skip
        opened.scan()
        yield opened


def somebody(name: str, patient_id: str = "", born: date | None = BORN) -> ArrivedPerson:
    person = Person(name, patient_id, "ELSEWHERE", born, "F")
    return ArrivedPerson(person, (person,), ())


def found(there: Hospital, arrived: ArrivedPerson, organisation: uuid.UUID | None = None) -> set[tuple[str, str]]:
    with there.database.read() as session:
        told = held_candidates(session, organisation or there.org, arrived, arrived.person.birth_date)
    assert not told.silent
    return {(one.origin, one.person.patient_id) for one in told.found}


@pytest.mark.parametrize("name", ["Müller^Anna", "MUELLER^ANNA", "Anna^Muller"])
def test_each_place_tells_of_a_patient_however_the_name_is_written(there: Hospital, name: str) -> None:
    assert {("hl7", "4711"), ("worklist", "4711")} <= found(there, somebody(name))


def test_who_may_have_married_is_shown_and_who_is_somebody_else_is_not(there: Hospital) -> None:
    ids = {one for _, one in found(there, somebody("Müller^Anna"))}
    assert "99" in ids
    assert not ids & {"77", "88"}


def test_an_id_finds_its_patient_whatever_the_name(there: Hospital) -> None:
    assert ("hl7", "77") in found(there, somebody("Müller^Anna", "77"))


def test_nobody_of_another_organisation_is_told_of(there: Hospital) -> None:
    assert not found(there, somebody("Müller^Anna", "4711"), uuid.uuid4())
    with there.database.read() as session:
        assert not import_orders(session, uuid.uuid4(), "4711", ISSUER)


def test_whose_an_id_is_here_is_told_by_each_place_that_knows(there: Hospital) -> None:
    with there.database.read() as session:
        told = {(one.told.origin, one.told.person.name, one.told.person.issuer) for one in holders_of(
            session, there.org, "4711", "",
        )}  # fmt: skip
        assert not holders_of(session, uuid.uuid4(), "4711", "")
    assert {(origin, issuer) for origin, _, issuer in told} >= {("hl7", ISSUER), ("worklist", ISSUER)}


def test_a_family_name_that_differs_is_no_other_person_where_the_birth_date_is_the_same(there: Hospital) -> None:
    def codes(name: str, born: str, patient_id: str) -> list[str]:
        arrived = somebody(name, born=None)
        with there.database.read() as session:
            holders = holders_of(session, there.org, patient_id, "")
        return [
            one.code
            for one in of_holders(LocalPatient(name, patient_id, ISSUER, birth_date=born), arrived, None, holders)
        ]

    assert codes("Müller^Anna", "19800229", "99") == ["id-told-otherwise"]
    assert codes("Müller^Anna", "", "99") == codes("Müller^Anna", "19800301", "99") == ["id-of-another"]
    assert codes("Schulze^Anna", "", "99") == codes("Müller^Anna", "", "1000") == []


def test_who_issued_ids_and_numbers_is_told_with_them(there: Hospital) -> None:
    told = order("NW", "5", patient="4720", name="Bauer^Eva").replace(b"4720^^^HOSPITAL^PI", b"4720^^^RIS&1.2.3&ISO^PI")
    there.tell(
        adt(control_id="20", patient_id="4721", issuer="KIS&urn:x&URI"),
        told.replace(b"FI5|", b"A5^FILLER^1.2.9^ISO|"),
    )
    with there.database.read() as session:

        def of(patient_id: str, issuer: str) -> Authority:
            return authority_of(session, there.org, patient_id, issuer, "")

        assert of("4721", "KIS") == of("9999", "KIS") == Authority("urn:x", "URI", "KIS")
        assert of("4720", "RIS") == Authority("1.2.3", "ISO", "RIS")
        assert of("9999", "RIS") == of("4711", "ELSEWHERE") == Authority()
        (found,) = import_orders(session, there.org, "4720", "RIS").values()
    assert (found.accession, found.accession_authority) == ("A5", Authority("1.2.9", "ISO", "FILLER"))


def test_orders_of_the_patient_that_stand_may_take_the_import(there: Hospital) -> None:
    with there.database.read() as session:
        orders = import_orders(session, there.org, "4711", ISSUER)
        assert not import_orders(session, there.org, "4711", "ELSEWHERE")
    assert [one.accession for one in orders.values()] == ["A1"]


def test_places_that_agree_lead_to_a_proposal(there: Hospital) -> None:
    arrived = somebody("Huber^Xaver")
    with there.database.read() as session:
        told = held_candidates(session, there.org, arrived, BORN).found
    proposed = match(arrived, BORN, told).proposed
    assert proposed is not None
    assert (proposed.person.issuer, proposed.person.patient_id) == (ISSUER, "77")


def test_a_place_with_more_than_is_looked_at_is_named(there: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MOST_LOOKED_AT", 1)
    with there.database.read() as session:
        assert "hl7" in held_candidates(session, there.org, somebody("Müller^Anna"), BORN).silent


def test_an_id_that_was_merged_away_is_no_candidate(tmp_path: Path) -> None:
    with hospital(tmp_path, coerce=["merges"]) as opened:
        opened.tell(adt(control_id="1"), adt(control_id="2", patient_id="4712"), merge("3", "4711", "4712"))
        assert len([one for one in found(opened, somebody("Müller^Anna")) if one[0] == "hl7"]) == 1
        with opened.database.read() as session:
            gone = holders_of(session, opened.org, "4712", "")
    for name, codes in (("Müller^Anna", ["id-merged"]), ("Huber^Vera", ["id-of-another", "id-merged"])):
        told = of_holders(LocalPatient(name, "4712", ISSUER), somebody(name), BORN, gone)
        assert [one.code for one in told] == codes
