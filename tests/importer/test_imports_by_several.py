"""Two people look at the same import: who did what is told by name, nothing is decided on what one no longer sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports import IMAGES
from tests.web.conftest import Login

JOERG = {"name": "Müller^Jörg", "patient_id": "4711", "issuer": "KH"}
JOERGEN = {"name": "Müller^Jürg", "patient_id": "4712", "issuer": "KH"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        found.site.account("weber", "admin")
        yield found


@pytest.fixture
def weber(house: ImportHouse) -> Login:
    return house.site.login("weber")


@pytest.fixture
def case_id(house: ImportHouse) -> Iterator[str]:
    made = house.bring({str(number): one for number, one in enumerate(IMAGES)}, None)
    house.turn(made)
    yield made
    if house.get(f"/{made}")["state"] != "over":
        house.delete(made)


def chosen_by(weber: Login, case_id: str, patient: dict[str, str]) -> None:
    body = {"patient": patient}
    put = weber.http.put(f"/api/imports/{case_id}/people/0/patient", json=body, headers=weber.headers)
    assert put.status_code == 200, put.text


def acts(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    return [(one["what"], one["by"], one["mine"]) for one in found["acts"]]


def looks(found: dict[str, Any]) -> dict[str, str | None]:
    return {one["code"]: one["confirmed_at"] for one in found["persons"][0]["findings"] if one["level"] == "look"}


def key_of(found: dict[str, Any], code: str) -> str:
    (key,) = [one["key"] for one in found["persons"][0]["findings"] if one["code"] == code]
    return str(key)


def test_what_a_colleague_chose_and_did_is_told_by_name(house: ImportHouse, weber: Login, case_id: str) -> None:
    assert house.get(f"/{case_id}")["acts"] == []
    house.choose(case_id, JOERG)
    chosen_by(weber, case_id, JOERGEN)
    house.choose(case_id, JOERGEN)
    told = [("choose", "root", True), ("choose", "weber", False), ("order", "root", True)]
    assert acts(house.get(f"/{case_id}")) == told
    asked = weber.http.post(f"/api/imports/{case_id}/check", headers=weber.headers)
    assert asked.status_code == 202, asked.text
    assert acts(house.turn(case_id))[-1] == ("check", "weber", False)
    house.choose(case_id, JOERG)
    house.confirm_all(case_id)
    assert acts(house.file(case_id))[-1] == ("file", "root", True)
    back = weber.http.post(f"/api/imports/{case_id}/people/0/take-back", headers=weber.headers)
    assert back.status_code == 200, back.text
    assert acts(house.get(f"/{case_id}"))[-1] == ("take-back", "weber", False)
    assert weber.http.delete(f"/api/imports/{case_id}", headers=weber.headers).status_code == 204
    over = house.get(f"/{case_id}")
    assert (over["state"], acts(over)[-1]) == ("over", ("give-up", "weber", False))
    assert [one["turn"] for one in over["acts"]] == list(range(1, len(over["acts"]) + 1))


def test_nobody_overwrites_or_ticks_what_they_no_longer_see(house: ImportHouse, weber: Login, case_id: str) -> None:
    seen = house.choose(case_id, JOERG)
    keys, under = [key_of(seen, "birth-date-not-entered")], {"patient_id": "4711", "issuer": "KH"}
    ticked = {"number": 0, "keys": keys, "under": under}
    chosen_by(weber, case_id, JOERGEN)
    refused = house.post(f"/{case_id}/confirmations", ticked, expect=409)
    assert refused["code"] == "import-chosen-otherwise"
    for shown in (None, under):
        body = {"patient": JOERG, "instead_of": shown}
        assert house.put(f"/{case_id}/people/0/patient", body, expect=409)["code"] == "import-chosen-otherwise"
    body = {"patient": JOERG, "instead_of": {"patient_id": "4712", "issuer": "KH"}}
    assert house.put(f"/{case_id}/people/0/patient", body)["persons"][0]["chosen"]["patient_id"] == "4711"


def test_of_another_patient_only_what_came_stays_ticked(house: ImportHouse, weber: Login, case_id: str) -> None:
    house.choose(case_id, JOERGEN)
    ticked = house.confirm_all(case_id)
    assert {"birth-date-not-entered", "name-compatible"} <= looks(ticked).keys()
    assert all(looks(ticked).values())
    chosen_by(weber, case_id, JOERGEN)  # the same once more, as for another order
    assert all(looks(house.get(f"/{case_id}")).values())
    chosen_by(weber, case_id, {**JOERGEN, "name": "Müller^Jörk", "patient_id": "4713"})
    after = looks(house.get(f"/{case_id}"))
    assert (after["birth-date-not-entered"] is None, after["name-compatible"]) == (False, None)


def test_nobody_files_under_an_order_that_they_do_not_see(house: ImportHouse, case_id: str) -> None:
    house.choose(case_id, JOERG)
    house.confirm_all(case_id)
    seen = {"order": {"accession": "A1"}}
    assert house.post(f"/{case_id}/people/0/file", seen, expect=409)["code"] == "import-chosen-otherwise"
    assert house.file(case_id, order=None)["state"] == "filed"
    house.post(f"/{case_id}/people/0/take-back")
