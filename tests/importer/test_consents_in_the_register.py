"""The data protection officer sees which consents were given on the patients' page, and which were withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from radrelay.identity import organisations
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_brought import BORN, Patient, confirm, published, switch


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        published(found)
        with found.site.database.write() as session:
            organisations.change(session, found.site.organisation_id, name="Clinic")
        switch(found, is_open=True)
        confirm(found, found.portal.base.removeprefix("http://"))
        found.site.account("dora", "dpo")
        yield found


def register(house: ImportHouse) -> list[dict[str, Any]]:
    answer = house.site.login("dora").http.get("/api/privacy/transfers")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["by_patients"])


def test_a_consent_of_the_page_and_its_withdrawal_stand_in_the_register_and_name_nobody(house: ImportHouse) -> None:
    assert register(house) == []
    patient = Patient(house)
    patient.enter()
    patient.turn()
    (one,) = register(house)
    assert (one["text_version"], one["language"], one["kept"], one["withdrawn_at"]) == (1, "de", True, None)
    assert (one["erased"], one["decision"]) == (None, "")
    case_id = patient.case_id
    names = [*house.get(f"/{case_id}")["people"], {"host": house.portal.base.removeprefix("http://"), "born": BORN}]
    patient.withdraw()
    (one,) = register(house)
    assert (one["withdrawn_at"] is not None, one["kept"], one["erased"]["files"] > 0) == (True, False, True)
    told = repr(one)
    assert [value for name in names for value in name.values() if value and value in told and len(str(value)) > 1] == []
    assert case_id not in told


def test_what_staff_decided_after_a_withdrawal_stands_there(house: ImportHouse) -> None:
    patient = Patient(house)
    patient.enter()
    assert patient.filed()["state"] == "filed"
    patient.withdraw()
    (one,) = register(house)
    assert (one["kept"], one["decision"]) == (True, "")
    house.post(f"/{patient.case_id}/after-withdrawal", {"keep": True, "why": "it was reported on"})
    (one,) = register(house)
    assert (one["kept"], one["decision"], one["decided_by"], one["decided_why"]) == (
        False, "kept", "root", "it was reported on",
    )  # fmt: skip
