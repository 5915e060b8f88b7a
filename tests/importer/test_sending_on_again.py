"""What was filed and not sent on, because its destination had gone, is sent on again: once, by who may."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay.access import Right, Target
from radrelay.access.models import Grant
from radrelay.archive.models import Holding
from radrelay.audit.models import AuditEvent
from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.importer.models import ImportCase, ImportConsent, ImportPerson
from radrelay.routing.models import Delivery
from tests.importer.going_wrong import SEEDS, being_filed, filing_of
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_imports_going_wrong import default_source
from tests.web.test_studies import grant_to

NUMBERS = count(1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


def destination(house: ImportHouse) -> str:
    node = {"name": f"PACS {next(NUMBERS)}", "ae_title": "PACS", "host": "127.0.0.1", "port": 9, "commitment": True}
    made = house.root.http.post("/api/destinations", json=node, headers=house.root.headers)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def not_sent(house: ImportHouse, *beside: bytes) -> tuple[str, str]:
    """Return an import that is filed and not sent on, and where it was to go."""
    case_id, gone = being_filed(house, *beside), destination(house)
    with house.site.database.write() as session:
        mine = sa.update(ImportPerson).where(ImportPerson.case_id == uuid.UUID(case_id))
        session.execute(mine.where(ImportPerson.state == "filing").values(destination_id=uuid.UUID(gone)))
    assert house.root.http.delete(f"/api/destinations/{gone}", headers=house.root.headers).status_code == 204
    found = house.turn(case_id)
    assert (found["state"], found["error"]["code"]) == ("filed", "import-not-sent-on")
    assert (found["persons"][0]["unsent"], found["persons"][0]["destination_id"]) == ("destination-not-found", gone)
    return case_id, gone


def sent(house: ImportHouse, to: str) -> list[tuple[str, str]]:
    with house.site.database.read() as session:
        asked = sa.select(Delivery).where(Delivery.destination_id == uuid.UUID(to))
        return [(one.state, one.requested_by) for one in session.scalars(asked)]


def send_on(house: ImportHouse, case_id: str, to: str, *, expect: int = 202) -> dict[str, Any]:
    return house.post(f"/{case_id}/people/0/send-on", {"destination_id": to}, expect=expect)


def test_what_did_not_go_goes_to_another_destination_once_and_by_whom_is_on_record(house: ImportHouse) -> None:
    case_id, gone = not_sent(house)
    assert send_on(house, case_id, gone, expect=404)["code"] == "destination-not-found"
    there, elsewhere = destination(house), destination(house)
    found = send_on(house, case_id, there)
    assert (found["state"], found["error"]) == ("filed", None)
    assert send_on(house, case_id, there)["persons"][0]["unsent"] == ""
    assert send_on(house, case_id, elsewhere, expect=409)["code"] == "import-moved-on"
    assert (sent(house, there), sent(house, elsewhere)) == ([("waiting", "root")], [])
    with house.site.database.read() as session:
        event = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1)).one()
        assert (event.action, event.actor_name) == ("study.forward", "root")
        assert (json.loads(event.detail)["by"], json.loads(event.detail)["destination"]) == ("import", there)
    house.delete(case_id)


def test_two_who_ask_at_once_send_it_once(house: ImportHouse) -> None:
    case_id, _ = not_sent(house)
    places = [destination(house)] * 4 + [destination(house)] * 4
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda to: asked(house, case_id, to), places))
    first, second = sent(house, places[0]), sent(house, places[-1])
    assert sorted([len(first), len(second)]) == [0, 1]
    assert sorted(codes) == [202] * 4 + [409] * 4
    house.delete(case_id)


def asked(house: ImportHouse, case_id: str, to: str) -> int:
    address = f"/api/imports/{case_id}/people/0/send-on"
    return house.root.http.post(address, json={"destination_id": to}, headers=house.root.headers).status_code


def test_of_two_studies_the_one_that_went_does_not_go_again(house: ImportHouse) -> None:
    more = phantoms.study("cr-chest", seed=next(SEEDS), patient=PATIENTS[0], slices=1, size=32)
    case_id, _ = not_sent(house, *more)
    there = destination(house)
    send_on(house, case_id, there)
    assert len(sent(house, there)) == 2
    with house.site.database.write() as session:  # as if the destination had not taken one of them
        first, second = session.scalars(sa.select(Delivery).where(Delivery.destination_id == uuid.UUID(there)))
        kept = second.id
        session.delete(first)
        mine = sa.update(ImportPerson).where(ImportPerson.case_id == uuid.UUID(case_id))
        session.execute(mine.values(unsent="project-differs"))
    send_on(house, case_id, there)
    with house.site.database.read() as session:
        assert session.get(Delivery, kept) is not None
    assert len(sent(house, there)) == 2
    house.delete(case_id)


def test_all_of_it_goes_though_the_import_names_nobody_any_more(house: ImportHouse) -> None:
    here = list(phantoms.study("cr-chest", seed=next(SEEDS), patient=PATIENTS[0], slices=1, size=32))
    assert house.turn(filing_of(house, here))["state"] == "filed"
    case_id, _ = not_sent(house, *here)
    with house.site.database.write() as session:
        session.get_one(ImportCase, uuid.UUID(case_id)).names_end_at = house.site.clock.now()
    house.work.expire()
    found = house.get(f"/{case_id}")
    assert (found["persons"][0]["chosen"], found["persons"][0]["unsent"]) == (None, "destination-not-found")
    there = destination(house)
    assert send_on(house, case_id, there)["error"] is None
    assert len(sent(house, there)) == 2, "what was here before as this patient's goes along, as at filing"
    house.delete(case_id)


def test_what_was_taken_back_meanwhile_does_not_go(house: ImportHouse) -> None:
    case_id, _ = not_sent(house)
    there = destination(house)
    house.post(f"/{case_id}/people/0/take-back")
    assert send_on(house, case_id, there, expect=409)["code"] == "import-moved-on"
    assert sent(house, there) == []
    house.delete(case_id)


def test_of_what_is_gone_here_nothing_goes(house: ImportHouse) -> None:
    case_id, _ = not_sent(house)
    there = destination(house)
    uids = [one["study_uid"] for one in house.get(f"/{case_id}")["persons"][0]["studies"]]
    for study in [one for one in house.studies() if one.study_uid in uids]:
        answer = house.root.http.delete(f"/api/studies/{study.id}", headers=house.root.headers)
        assert answer.status_code < 300, answer.text
    assert send_on(house, case_id, there, expect=409)["code"] == "import-nothing-to-send-on"
    assert house.get(f"/{case_id}")["persons"][0]["unsent"] == "destination-not-found"
    house.delete(case_id)


def test_after_a_patient_has_withdrawn_nothing_goes(house: ImportHouse) -> None:
    case_id, _ = not_sent(house)
    now, there = house.site.clock.now(), destination(house)
    with house.site.database.write() as session:
        session.add(
            ImportConsent(
                id=uuid.uuid4(), organisation_id=house.site.organisation_id, case_id=uuid.UUID(case_id),
                text_id=uuid.uuid4(), text_version=1, text_sha256="", language="de", given_at=now, withdrawn_at=now,
                proof="{}",
            )
        )  # fmt: skip
    assert send_on(house, case_id, there, expect=409)["code"] == "import-moved-on"
    assert sent(house, there) == []


def test_where_more_is_here_than_portals_brought_only_who_may_forward_sends_it_on(house: ImportHouse) -> None:
    case_id, _ = not_sent(house)
    there = destination(house)
    house.site.account("anna")
    anna = replace(house, root=house.site.login("anna"))
    with house.site.database.write() as session:
        portals = session.get_one(ImportCase, uuid.UUID(case_id)).source_id
        of_roles = sa.select(*Grant.__table__.columns).where(Grant.grantee_kind == "role")
        before = [dict(one) for one in session.execute(of_roles).mappings()]
        session.execute(sa.delete(Grant).where(Grant.grantee_kind == "role"))
        session.execute(sa.update(Holding).values(source_id=default_source(session, house.site.organisation_id)))
    assert send_on(anna, case_id, there, expect=404)["code"] == "import-unknown"
    grant_to(house.site, anna.root, Target("source", portals), Right.FETCH)
    assert send_on(anna, case_id, there, expect=403)["code"] == "import-forward-elsewhere"
    assert sent(house, there) == []
    with house.site.database.write() as session:
        session.execute(sa.insert(Grant), before)
    assert send_on(house, case_id, there)["error"] is None
    house.delete(case_id)
