"""Who may be meant: known as of now, whenever an import is opened, and told apart where they look alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.access import Right, Target
from radrelay.access.models import Grant
from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS, PhantomPatient
from radrelay.importer.models import ImportCase
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports import BORN_CT, IMAGES
from tests.importer.test_imports import _ordered as ordered
from tests.web.test_studies import grant_to

BORN = date.fromisoformat(BORN_CT)
FILES = {str(number): one for number, one in enumerate(IMAGES)}


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


def candidates(found: dict[str, Any]) -> list[str]:
    return [one["person"]["patient_id"] for one in found["persons"][0]["candidates"]]


def test_a_patient_who_came_to_be_known_since_stands_beside_it_once_it_is_opened(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = house.bring(FILES, BORN_CT), house.bring({"chest": next(phantoms.study("cr-chest", patient=PATIENTS[0]))}, BORN_CT)  # fmt: skip  # noqa: E501
    for case_id in (first, second):
        assert candidates(house.turn(case_id)) == []
    house.choose(first, {"name": "Müller^Jörg", "patient_id": "P1"})
    house.confirm_all(first)
    monkeypatch.setattr(
        "radrelay.app.importing.house.archived_candidates", lambda *_: pytest.fail("a PACS is asked")
    )  # fmt: skip
    assert house.file(first)["state"] == "filed"
    found = house.get(f"/{second}")
    assert candidates(found) == ["P1"]
    assert found["persons"][0]["chosen"] is None
    house.choose(second, {"name": "Müller^Jörg", "patient_id": "P1"})
    ordered(house, house.site.clock.now().date(), "P2", "Müller^Jörg", BORN)
    found = house.get(f"/{second}")
    assert (candidates(found), found["persons"][0]["chosen"]["patient_id"]) == (["P1", "P2"], "P1")
    changed = found["changed_at"]
    assert house.get(f"/{second}")["changed_at"] == changed  # nothing new, nothing told
    house.post(f"/{first}/people/0/take-back")
    assert candidates(house.get(f"/{second}")) == ["P2"]


def test_two_who_look_alike_are_told_apart_by_studies_that_one_may_see(house: ImportHouse) -> None:
    kinds: dict[str, phantoms.Kind] = {"P1": "ct-chest", "P2": "mr-head"}
    for patient_id, kind in kinds.items():
        patient = PhantomPatient("Müller^Jörg", patient_id, BORN, "M")
        files = {
            str(number): one for number, one in enumerate(phantoms.study(kind, patient=patient, slices=1, size=16))
        }
        case_id = house.bring(files, BORN_CT)
        house.turn(case_id)
        house.choose(case_id, {"name": "Müller^Jörg", "patient_id": patient_id, "sex": "M"})
        house.confirm_all(case_id)
        assert house.file(case_id)["state"] == "filed"
    case_id = house.bring(FILES, BORN_CT)
    house.turn(case_id)
    shown = house.get(f"/{case_id}")["persons"][0]["candidates"]
    assert [(one["person"]["patient_id"], one["twin"]) for one in shown] == [("P1", True), ("P2", True)]
    told = [[(study["modalities"], study["description"]) for study in one["studies"]] for one in shown]
    assert told == [[(["CT"], "CT Chest low dose")], [(["MR"], "MR Brain")]]
    house.site.account("anna")
    anna = replace(house, root=house.site.login("anna"))
    with house.site.database.write() as session:
        portals = session.scalars(sa.select(ImportCase.source_id)).first()
        session.execute(sa.delete(Grant).where(Grant.grantee_kind == "role"))
    assert portals is not None
    grant_to(house.site, anna.root, Target("source", portals), Right.FETCH)
    shown = anna.get(f"/{case_id}")["persons"][0]["candidates"]
    assert [(one["person"]["patient_id"], one["studies"]) for one in shown] == [("P1", []), ("P2", [])]


def test_an_id_that_was_typed_beside_who_fits_in_all_is_looked_at(house: ImportHouse) -> None:
    ordered(house, house.site.clock.now().date(), "77003", "Müller^Jörg", BORN, patient_sex="")
    case_id = house.bring(FILES, BORN_CT)
    (shown,) = house.turn(case_id)["persons"][0]["candidates"]
    assert (shown["person"]["patient_id"], shown["proposed"]) == ("77003", True)
    house.choose(case_id, {"name": "Müller^Jörg", "patient_id": "55555"})
    found = house.get(f"/{case_id}")["persons"][0]["findings"]
    (told,) = [one for one in found if one["code"] == "chosen-not-proposed"]
    facts = {"chosen": "55555", "proposed": "77003", "names": "Müller^Jörg", "born": BORN_CT}
    assert (told["level"], told["facts"]) == ("look", facts)
    others = [one["key"] for one in found if one["level"] == "look" and one is not told]
    house.post(f"/{case_id}/confirmations", {"number": 0, "keys": others})
    refused = house.post(f"/{case_id}/people/0/file", {}, expect=409)
    assert refused["code"] == "import-unconfirmed"
    house.choose(case_id, {"name": "Müller^Jörg", "patient_id": "77003"})
    left = [one["code"] for one in house.get(f"/{case_id}")["persons"][0]["findings"]]
    assert "chosen-not-proposed" not in left
