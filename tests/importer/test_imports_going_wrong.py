"""Parcels that go wrong, on one site: nothing is lost, nothing is filed by itself."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.access import Right, Target
from radrelay.access.models import Grant
from radrelay.archive.locking import lock_archive
from radrelay.archive.models import Holding, Source
from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.importer import brought, cases, checking
from radrelay.importer.dlx.provider import Key
from radrelay.importer.models import (
    ImportCase,
    ImportConsent,
)
from radrelay.intake.files import FileLander, LandedFile
from radrelay.intake.models import Quarantined, RawFile
from radrelay.routing.models import Delivery
from radrelay.storage.models import Erasure
from tests.importer.going_wrong import BIRTH, SEEDS, codes, packed, site_with_mail
from tests.importer.house import ImportHouse
from tests.importer.provider import TOKEN
from tests.importer.test_imports import BORN, BORN_CT, IMAGES
from tests.importer.test_papers import PDF
from tests.web.test_studies import grant_to


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with site_with_mail(tmp_path_factory.mktemp("house")) as found:
        yield found


def test_a_portal_asks_what_only_a_person_knows(house: ImportHouse) -> None:
    house.portal.become(keys=(Key(TOKEN, {"PAT_BIRTH_DATE": "19781224", "PASSWORD": "1234"}),))
    case_id = house.begin(BORN)
    asks = house.turn(case_id)
    assert (asks["state"], [one["kind"] for one in asks["questions"]]) == ("asking", ["birth-date", "password"])
    wrong = {one["id"]: "9999" for one in asks["questions"] if one["kind"] == "password"}
    house.post(f"/{case_id}/answers", {"answers": wrong}, expect=202)
    failed = house.turn(case_id)
    assert (failed["state"], failed["error"]["code"], failed["error"]["facts"]["left"]) == (
        "failed", "portal-answer-wrong", 4,
    )  # fmt: skip
    house.post(f"/{case_id}/retry", expect=202)
    assert house.turn(case_id)["state"] == "asking"  # the wrong answer is not sent again by itself
    house.post(f"/{case_id}/answers", {"answers": dict.fromkeys(wrong, "1234")}, expect=202)
    assert house.turn(case_id)["state"] == "open"
    house.delete(case_id)


def test_links_and_answers_stand_nowhere_in_the_clear(house: ImportHouse) -> None:
    house.portal.become(keys=(BIRTH,))
    case_id = house.begin(BORN)
    with house.site.database.read() as session:
        row = session.scalars(sa.select(ImportCase).where(ImportCase.state == "fetching")).one()
        told = repr({name: getattr(row, name) for name in ImportCase.__table__.columns.keys()})  # noqa: SIM118
    assert TOKEN not in told
    assert row.sealed is not None
    house.turn(case_id)
    with house.site.database.read() as session:
        assert session.get(ImportCase, row.id).sealed is None  # type: ignore[union-attr]
    house.delete(case_id)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("list-empty", "portal-nothing-listed"), ("page-for-zip", "portal-page-for-parcel"),
        ("other-file", "portal-wrong-content"), ("expired", "portal-link-expired"), ("jwt-missing", "portal-no-login"),
        ("foreign-base", "portal-not-allowed"),
    ],
)  # fmt: skip
def test_a_portal_s_failure_waits_for_a_person(house: ImportHouse, fault: str, code: str) -> None:
    house.portal.become(fault, keys=(BIRTH,) if fault != "expired" else (Key(TOKEN, BIRTH.answers, expired=True),))
    case_id = house.begin(BORN)
    failed = house.turn(case_id)
    assert (failed["state"], failed["error"]["code"]) == ("failed", code)
    assert house.studies() == []
    house.delete(case_id)


@pytest.mark.parametrize(
    ("fault", "found"), [("break-off", []), ("pdf-for-zip", []), ("missing-file", ["files-missing"]), ("bare-zip", [])]
)
def test_what_portals_do_in_the_wild_comes_whole(house: ImportHouse, fault: str, found: list[str]) -> None:
    house.portal.become(fault, keys=(BIRTH,))
    case_id = house.begin(BORN)
    checked = house.turn(case_id)
    assert checked["state"] == "open", checked["error"]
    assert [one for one in codes(checked, "look") if one not in ("nobody-here", "fewer-than-promised")] == found
    house.delete(case_id)


def test_a_list_that_names_somebody_else_stops(house: ImportHouse) -> None:
    house.portal.become("wrong-patient", keys=(BIRTH,))
    case_id = house.begin(BORN)
    checked = house.turn(case_id)
    assert "promised-of-another" in codes(checked, "stop")
    house.choose(case_id, {"name": "Iwanowa^Maria"})
    house.confirm_all(case_id)
    assert house.post(f"/{case_id}/people/0/file", {}, expect=409)["code"] == "import-stopped"
    house.delete(case_id)


def test_people_in_one_parcel_are_parted_and_filed_each_on_their_own(house: ImportHouse) -> None:
    other = list(phantoms.study("cr-chest", patient=PATIENTS[4], slices=1, size=32))
    files = {f"A/{number}": one for number, one in enumerate(IMAGES)} | {"B/1": other[0], "Befund.pdf": PDF}
    case_id = house.bring({"disc.zip": packed(files)}, BORN_CT)
    found = house.turn(case_id)
    assert len(found["persons"]) == 2
    assert {"several-people", "papers-of-nobody"} <= {one["code"] for one in found["findings"]}
    number = next(one["number"] for one in found["persons"] if one["person"]["birth_date"] == BORN_CT)
    stranger = found["persons"][1 - number]
    assert stranger["stopped"]  # the birth date that was entered is not theirs
    house.choose(case_id, {"name": "Müller^Jörg"}, number)
    house.confirm_all(case_id, number)
    filed = house.file(case_id, number)
    assert (filed["state"], [one["state"] for one in filed["persons"]].count("filed")) == ("open", 1)
    assert [one.patient_id_value for one in house.studies()] == ["4711"]
    house.post(f"/{case_id}/people/{number}/take-back")
    house.delete(case_id)


def test_a_choice_that_contradicts_the_images_stops(house: ImportHouse) -> None:
    case_id = house.bring({f"{number}": one for number, one in enumerate(IMAGES)}, BORN_CT)
    house.turn(case_id)
    house.choose(case_id, {"name": "Müller^Jörg", "birth_date": "19990101"})
    assert "chosen-contradicts" in codes(house.get(f"/{case_id}"), "stop")
    house.choose(case_id, {"name": "Schulze^Anna", "sex": "F"})
    assert "chosen-contradicts" in codes(house.get(f"/{case_id}"), "stop")
    house.choose(case_id, {"name": "Schulze^Jörg", "sex": "M"})
    found = house.get(f"/{case_id}")
    assert (codes(found, "stop"), "chosen-named-otherwise" in codes(found, "look")) == ([], True)
    house.delete(case_id)


def test_what_local_systems_hold_is_chosen_as_images_hold_it_and_what_none_holds_is_refused(house: ImportHouse) -> None:
    case_id = house.bring({f"{number}": one for number, one in enumerate(IMAGES)}, BORN_CT)
    house.turn(case_id)
    for field, value in (
        ("name", "Müller\\Jörg"),
        ("sex", "male"),
        ("birth_date", "19701301"),
        ("patient_id", "4\x00"),
    ):
        patient = {"name": "Müller^Jörg", "patient_id": "4716", field: value}
        refused = house.put(f"/{case_id}/people/0/patient", {"patient": patient}, expect=422)
        assert (refused["code"], refused["field"]) == ("import-value-unwritable", field)
    patient = {"name": "Müller^Jörg", "patient_id": "4" * 65}
    refused = house.put(f"/{case_id}/people/0/patient", {"patient": patient}, expect=422)
    assert (refused["code"], refused["field"], refused["most"]) == ("import-value-too-long", "patient_id", 64)
    held = {"name": " Müller^Jörg\t", "patient_id": "4716 ", "issuer": " KH", "birth_date": BORN_CT, "sex": "u"}
    chosen = house.choose(case_id, held)["persons"][0]["chosen"]
    assert chosen == {
        "name": "Müller^Jörg", "patient_id": "4716", "issuer": "KH", "birth_date": BORN_CT.replace("-", ""), "sex": "",
    }  # fmt: skip
    house.confirm_all(case_id)
    assert house.file(case_id)["state"] == "filed"
    house.post(f"/{case_id}/people/0/take-back")
    house.delete(case_id)


def test_broken_and_hostile_files_are_told_and_cost_no_neighbour(house: ImportHouse) -> None:
    files = {
        "../../etc/a": IMAGES[0], "b": IMAGES[1][:-500], "c.zip": packed({"inner/1": IMAGES[2]}),
        "run.exe": b"MZ" + bytes(3000), "Nullen.dcm": bytes(40 << 20),
    }  # fmt: skip
    case_id = house.bring({"a.zip": packed(files)}, BORN_CT)
    found = house.turn(case_id)
    (person,) = found["persons"]
    assert person["studies"][0]["objects"] == 2
    unreadable = [one["facts"] for one in found["findings"] if one["code"] == "unreadable"]
    assert [(one["files"], one["why"], one["names"]) for one in unreadable] == [
        (1, "malformed", "a.zip/b"), (1, "ratio-limit", "a.zip/Nullen.dcm"),
    ]  # fmt: skip
    house.delete(case_id)


def test_what_was_refused_while_it_was_brought_is_looked_at_and_nothing_at_all_is_not_checked(
    house: ImportHouse,
) -> None:
    case_id = str(house.post("", {"birth_date": BORN_CT, "basis": "consent"}, expect=201)["id"])
    assert house.post(f"/{case_id}/done", {"lacking": ["all.zip"]}, expect=409)["code"] == "import-nothing-brought"
    assert house.root.http.get("/api/parcels").json()["parcels"] == []  # nothing that arrives among the studies
    house.put_file(case_id, "1.dcm", IMAGES[0])
    house.post(f"/{case_id}/done", {"lacking": ["2.dcm", "3.dcm"]}, expect=202)
    found = house.turn(case_id)
    (lost,) = [one for one in found["findings"] if one["code"] == "files-not-brought"]
    assert (lost["level"], lost["facts"]) == ("look", {"files": 2, "lost": "2.dcm; 3.dcm"})
    house.delete(case_id)


def test_a_file_whose_upload_ends_after_all_was_said_to_be_here_is_refused_and_told(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = str(house.post("", {"birth_date": BORN_CT, "basis": "consent"}, expect=201)["id"])
    house.put_file(case_id, "1.dcm", IMAGES[0])
    on_its_way, go_on = threading.Event(), threading.Event()

    def late(before: Callable[[FileLander, str, Any], LandedFile]) -> Callable[[FileLander, str, Any], LandedFile]:
        def land(self: FileLander, name: str, pieces: Any) -> LandedFile:
            on_its_way.set()
            assert go_on.wait(20)
            return before(self, name, pieces)

        return land

    def put() -> str:
        put = house.root.http.put(
            f"/api/imports/{case_id}/files", params={"name": "2.dcm"}, content=IMAGES[1], headers=house.root.headers
        )
        return f"{put.status_code} {put.json()['code']}"

    monkeypatch.setattr(FileLander, "land", late(FileLander.land))
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(put)
        assert on_its_way.wait(20)
        house.post(f"/{case_id}/done", expect=202)
        assert house.turn(case_id)["state"] == "open"
        go_on.set()
        assert answer.result(20) == "409 import-file-late"
    house.site.index()
    house.work.expire()
    with house.site.database.read() as session:
        row = session.get_one(ImportCase, uuid.UUID(case_id))
        raw = session.scalars(sa.select(RawFile.file_name).where(RawFile.parcel_id == row.parcel_id)).all()
        assert (raw, row.refused, row.bytes_received) == (["1.dcm"], "", len(IMAGES[0]))
    house.choose(case_id, {"name": "Müller^Jörg"})
    assert house.post(f"/{case_id}/people/0/file", {}, expect=409)["code"] == "import-unconfirmed"
    (lost,) = [one for one in house.get(f"/{case_id}")["findings"] if one["code"] == "files-not-brought"]
    assert lost["facts"] == {"files": 1, "lost": "2.dcm"}
    house.delete(case_id)


def test_a_file_that_comes_while_all_of_them_are_looked_at_has_them_looked_at_once_more(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = house.bring({"1.dcm": IMAGES[0], "2.dcm": IMAGES[1]}, BORN_CT)
    looked = checking.check

    def check(*of: Any) -> Any:
        with house.site.database.write() as session:
            session.execute(sa.delete(RawFile).where(RawFile.file_name == "2.dcm"))
        return looked(*of)

    with monkeypatch.context() as patch:
        patch.setattr("radrelay.importer.jobs.check", check)
        found = house.turn(case_id, turns=1)
    assert (found["state"], found["persons"], found["error"]["code"]) == ("checking", [], "import-files-changed")
    with house.site.database.write() as session:
        session.get_one(ImportCase, uuid.UUID(case_id)).bytes_received = len(IMAGES[0])
    assert house.turn(case_id)["persons"][0]["studies"][0]["objects"] == 1
    house.delete(case_id)


def test_nothing_and_papers_alone_stop(house: ImportHouse) -> None:
    for files, code in (({"a.zip": packed({})}, "parcel-empty"), ({"a.pdf": PDF}, "papers-alone")):
        case_id = house.bring(files)
        found = house.turn(case_id)
        assert (found["state"], codes(found, "stop")) == ("open", [code])
        house.delete(case_id)


def test_what_was_filed_goes_on_to_a_destination(house: ImportHouse) -> None:
    node = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1", "port": 9, "commitment": True}
    made = house.root.http.post("/api/destinations", json=node, headers=house.root.headers)
    assert made.status_code == 201, made.text
    case_id = house.bring({f"{number}": one for number, one in enumerate(IMAGES)}, BORN_CT)
    house.turn(case_id)
    house.choose(case_id, {"name": "Müller^Jörg"})
    house.confirm_all(case_id)
    filed = house.file(case_id, 0, destination_id=made.json()["id"])
    assert filed["state"] == "filed", filed["error"]
    with house.site.database.read() as session:
        (delivery,) = session.scalars(sa.select(Delivery)).all()
        assert (str(delivery.destination_id), delivery.requested_by) == (made.json()["id"], "root")


def test_where_the_destination_is_gone_what_was_filed_stays_and_says_that_it_was_not_sent_on(
    house: ImportHouse,
) -> None:
    node = {"name": "PACS 3", "ae_title": "PACS", "host": "127.0.0.1", "port": 9}
    made = house.root.http.post("/api/destinations", json=node, headers=house.root.headers).json()["id"]
    case_id = house.bring({"0": IMAGES[0]}, BORN_CT)
    house.turn(case_id)
    house.choose(case_id, {"name": "Müller^Jörg"})
    house.confirm_all(case_id)
    house.post(f"/{case_id}/people/0/file", {"destination_id": made}, expect=202)
    assert house.root.http.delete(f"/api/destinations/{made}", headers=house.root.headers).status_code == 204
    filed = house.turn(case_id)
    assert (filed["state"], filed["error"]["code"]) == ("filed", "import-not-sent-on")
    assert "import-not-sent-on" in [one["error"]["code"] for one in house.get("")["imports"] if one["error"]]
    assert house.post(f"/{case_id}/people/0/take-back")["error"] is None
    house.delete(case_id)


def test_what_came_otherwise_is_sent_on_by_an_import_only_of_who_may_forward_it(house: ImportHouse) -> None:
    node = {"name": "PACS 2", "ae_title": "PACS", "host": "127.0.0.1", "port": 9}
    made = house.root.http.post("/api/destinations", json=node, headers=house.root.headers).json()["id"]
    first = house.bring({"0": IMAGES[0]}, BORN_CT)
    house.turn(first)
    house.choose(first, {"name": "Müller^Jörg"})
    house.confirm_all(first)
    assert house.file(first)["state"] == "filed"
    house.site.account("anna")
    anna = replace(house, root=house.site.login("anna"))
    with house.site.database.write() as session:
        portals = session.scalars(sa.select(ImportCase.source_id)).first()
        assert portals is not None
        of_roles = sa.select(*Grant.__table__.columns).where(Grant.grantee_kind == "role")
        before = [dict(one) for one in session.execute(of_roles).mappings()]
        session.execute(sa.delete(Grant).where(Grant.grantee_kind == "role"))
        session.execute(sa.update(Holding).values(source_id=default_source(session, house.site.organisation_id)))
    grant_to(house.site, anna.root, Target("source", portals), Right.FETCH)
    second = anna.bring({f"{number}": one for number, one in enumerate(IMAGES)}, BORN_CT)
    anna.turn(second)
    anna.choose(second, {"name": "Müller^Jörg"})
    anna.confirm_all(second)
    refused = anna.post(f"/{second}/people/0/file", {"destination_id": made}, expect=403)
    assert refused["code"] == "import-forward-elsewhere"
    assert anna.file(second)["state"] == "filed"
    with house.site.database.read() as session:
        assert session.scalars(sa.select(Delivery).where(Delivery.destination_id == uuid.UUID(made))).all() == []
    with house.site.database.write() as session:
        session.execute(sa.insert(Grant), before)


def default_source(session: Session, organisation_id: uuid.UUID) -> uuid.UUID:
    """Return a source that is not that of portals."""
    mine = sa.select(Source.id).where(Source.organisation_id == organisation_id, Source.kind != "portal")
    return session.scalars(mine).first() or pytest.fail("no other source")


def test_another_picture_under_a_known_number_goes_to_the_quarantine_and_the_rest_is_filed(house: ImportHouse) -> None:
    changed = IMAGES[0][:-2] + b"\x07\x07"
    more = list(phantoms.study("ct-head", slices=5, size=32))
    case_id = house.bring({"changed": changed, **{f"{number}": one for number, one in enumerate(more)}}, BORN_CT)
    house.turn(case_id)
    house.choose(case_id, {"name": "Müller^Jörg"})
    found = house.confirm_all(case_id)
    assert {"differs-in-parcel", "other-pixels"} <= set(codes(found, "look"))
    before = len(house.instances())
    filed = house.file(case_id)
    assert filed["state"] == "filed", filed["error"]
    becomes = {"same-content": 1, "other-pixels": 2, "new": 2, "differs-in-parcel": 1}
    assert (filed["persons"][0]["studies"][0]["becomes"], len(house.instances()) - before) == (becomes, 2)
    with house.site.database.read() as session:
        assert list(session.scalars(sa.select(Quarantined.code))) == ["other-content"] * 3
    back = house.post(f"/{case_id}/people/0/take-back")
    assert (back["gone"], len(house.instances()), aside(house)) == (2, before, [])
    house.choose(case_id, {"name": "Müller^Jörg"})
    house.confirm_all(case_id)
    assert house.file(case_id)["state"] == "filed"
    released, *others = aside(house)
    answer = house.root.http.post(
        f"/api/quarantine/{released}/release", json={"reason": "looked at"}, headers=house.root.headers
    )
    assert answer.status_code < 300, answer.text
    consent, now = uuid.uuid4(), house.site.clock.now()
    with house.site.database.write() as session:
        lock_archive(session)
        session.add(
            ImportConsent(
                id=consent, organisation_id=house.site.organisation_id, case_id=uuid.UUID(case_id),
                text_id=uuid.uuid4(), text_version=1, text_sha256="", language="de", given_at=now,
            )
        )  # fmt: skip
        session.flush()
        records = session.scalars(sa.select(Quarantined.record_id).where(Quarantined.id.in_(others))).all()
        brought.withdraw(session, session.get_one(ImportConsent, consent), now)
        proof = json.loads(session.get_one(ImportConsent, consent).proof)
    assert (proof["files"], {str(one) for one in records} <= set(proof["keys"])) == (6 + len(others), True)
    assert (aside(house), len(house.instances()) - before) == ([], 3)
    house.post(f"/{case_id}/after-withdrawal", {"keep": True, "why": "looked at"})
    assert len(house.instances()) - before == 3


def test_of_two_pictures_with_one_number_the_second_by_name_is_set_aside_in_whatever_order_they_came(
    house: ImportHouse,
) -> None:
    (picture,) = phantoms.study("ct-head", seed=next(SEEDS), patient=PATIENTS[0], slices=1, size=32)
    other, before = picture[:-2] + b"\x07\x07", {one.id for one in house.instances()}
    case_id = house.bring({"2": other, "1": picture, "3": picture, "4": other}, str(PATIENTS[0].birth_date))
    came = house.turn(case_id)
    counted = came["persons"][0]["studies"][0]["objects"], came["objects"]
    named = [one["facts"] for one in came["persons"][0]["findings"] if one["code"] == "named"]
    assert (counted, named) == ((1, 1), [{"studies": 1, "objects": 1}]), "one image, however often it came"
    house.choose(case_id, {"name": "Müller^Jörg"})
    house.confirm_all(case_id)
    filed = house.file(case_id)
    becomes = {"new": 1, "differs-in-parcel": 1, "twice-in-parcel": 2}
    assert (filed["state"], filed["persons"][0]["studies"][0]["becomes"]) == ("filed", becomes)
    (here,) = [one for one in house.instances() if one.id not in before]
    (kept,) = aside(house)
    shown = house.root.http.get(f"/api/quarantine/{kept}/content")
    assert shown.content[-2:] == other[-2:]
    house.delete(case_id)
    assert (aside(house), here.id in {one.id for one in house.instances()}) == ([], True)


def aside(house: ImportHouse) -> list[uuid.UUID]:
    """Return what is in the quarantine and nobody has released."""
    with house.site.database.read() as session:
        return list(session.scalars(sa.select(Quarantined.id).where(Quarantined.released_at.is_(None))))


def test_an_import_that_is_given_up_leaves_nothing(house: ImportHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def noted(name: str, act: Callable[..., None]) -> Callable[..., None]:
        def acted(*told: object) -> None:
            done.append(name)
            act(*told)

        return acted

    monkeypatch.setattr("radrelay.web.api.imports.lock_archive", noted("lock", lock_archive))
    monkeypatch.setattr("radrelay.importer.beginning.end", noted("end", cases.end))
    case_id = house.bring({f"{number}": one for number, one in enumerate(IMAGES)}, BORN_CT)
    house.turn(case_id)
    with house.site.database.read() as session:
        ids = set(session.scalars(sa.select(RawFile.id)))
        before = set(session.scalars(sa.select(Erasure.id)))
    house.delete(case_id)
    assert done == ["lock", "end"]  # others erase the same files
    with house.site.database.read() as session:
        going = set(session.scalars(sa.select(Erasure.id))) - before
        left = set(session.scalars(sa.select(RawFile.id)))
    assert len(going) == len(IMAGES)
    assert going == ids - left
    shown = house.get(f"/{case_id}")
    assert (shown["state"], shown["people"], shown["birth_date"]) == ("over", [], None)
