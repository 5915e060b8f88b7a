"""Filing while something else comes or goes: nobody is filed as another, and nothing counts as filed that is not."""

from __future__ import annotations

import hashlib
import io
import json
import time
import tracemalloc
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.app.importing import house as house_of_all
from radrelay.archive.models import Source
from radrelay.audit.models import AuditEvent
from radrelay.dicom import phantoms
from radrelay.dicom.encapsulate import StudyContext
from radrelay.dicom.part10 import parse_preamble
from radrelay.errors import Unavailable
from radrelay.hl7.models import WorklistItem
from radrelay.importer import cases, filing_turn
from radrelay.importer.filing import Filer, Under
from radrelay.importer.gathering import read_object
from radrelay.importer.models import ImportCase, ImportPaper
from radrelay.importer.papers import paper_files
from radrelay.importer.raw_parcel import StoredFile, _free
from radrelay.importer.reconciling import LocalPatient, Wanted
from radrelay.intake.models import Quarantined, RawFile
from radrelay.intake.sources import get_source
from radrelay.retrieve.ports import FoundStudy
from radrelay.routing.models import Delivery
from radrelay.settings import RetrieveSettings
from radrelay.storage.outbox import Event
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_candidates_in_archives import NODE, Pacs
from tests.importer.test_imports import BORN_CT, _ordered, zipped
from tests.importer.test_papers import PDF

WHO = {"name": "Müller^Jörg"}
Files = Mapping[str, bytes]


def images(seed: int, count: int = 3) -> list[bytes]:
    """Return images of a study of its own; the patient of each twelfth seed is the same."""
    return list(phantoms.study("ct-head", seed=12 * seed, slices=count, size=32))


def named(files: Sequence[bytes]) -> dict[str, bytes]:
    return {f"{number}": one for number, one in enumerate(files)}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with open_house(tmp_path_factory.mktemp("house")) as found:
        yield found


def ready(house: ImportHouse, files: Files, born: str | None = BORN_CT, **who: str) -> str:
    """Bring files and decide on them, as far as filing."""
    case_id = house.bring(dict(files), born)
    house.turn(case_id)
    house.choose(case_id, WHO | who)
    house.confirm_all(case_id)
    return case_id


def asked(house: ImportHouse, case_id: str, **more: object) -> None:
    house.post(f"/{case_id}/people/0/file", more, expect=202)


def attempt(house: ImportHouse, case_id: str) -> None:
    house.work.attempt(Event(uuid.uuid4(), cases.ATTEMPT, house.site.organisation_id, uuid.UUID(case_id), {}))


def becomes(found: Mapping[str, Any]) -> dict[str, int]:
    told: dict[str, int] = found["persons"][0]["studies"][0]["becomes"]
    return told


def held(house: ImportHouse, files: Sequence[bytes]) -> list[tuple[str, int]]:
    """Return whose studies are here of those that files are of, and of how many images."""
    uids = {read_object("", len(one), io.BytesIO(one)).study_uid for one in files}
    return [(one.patient_id_value, one.instance_count) for one in house.studies() if one.study_uid in uids]


def while_it_lands(house: ImportHouse, monkeypatch: pytest.MonkeyPatch, case_id: str) -> None:
    """Have another import filed to its end after somebody was decided on, and before anything of them lands."""
    real, done = filing_turn.FilingTurn._land, list[int]()

    def land(self: filing_turn.FilingTurn, *of: Any) -> Any:
        if not done:
            done.append(1)
            attempt(house, case_id)
        return real(self, *of)

    monkeypatch.setattr(filing_turn.FilingTurn, "_land", land)


@pytest.fixture
def destination(house: ImportHouse) -> Iterator[str]:
    node = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1", "port": 9, "commitment": True}
    made = house.root.http.post("/api/destinations", json=node, headers=house.root.headers)
    assert made.status_code == 201, made.text
    yield made.json()["id"]
    with house.site.database.write() as session:
        session.execute(sa.delete(Delivery))
    house.root.http.delete(f"/api/destinations/{made.json()['id']}", headers=house.root.headers)


def test_whoever_is_filed_second_under_the_same_numbers_is_not_filed_and_sends_nobody_on(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    files = images(1)
    one, two = (ready(house, named(files), patient_id=number) for number in ("A1", "B2"))
    asked(house, one)
    asked(house, two, destination_id=destination)
    while_it_lands(house, monkeypatch, one)
    with house.indexing():
        attempt(house, two)
    assert (house.get(f"/{one}")["state"], held(house, files)) == ("filed", [("A1", 3)])
    second = house.get(f"/{two}")
    assert (second["state"], second["error"]["code"]) == ("open", "import-put-aside")
    assert becomes(second) == {"study-of-another": 3}
    assert second["persons"][0]["stopped"]
    with house.site.database.read() as session:
        assert session.scalars(sa.select(Delivery.id)).all() == []
        assert session.scalars(sa.select(Quarantined.id)).all() == [], "made out to nobody who is chosen any more"
    house.choose(two, WHO | {"patient_id": "A1"})
    house.confirm_all(two)
    assert (house.file(two)["state"], held(house, files)) == ("filed", [("A1", 3)])
    house.delete(two)


def test_of_two_studies_one_of_which_is_anothers_by_now_the_other_is_filed_and_sent_on(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    taken, free = images(2), images(3, 2)
    one = ready(house, named(taken), patient_id="A1")
    two = ready(house, named([*taken, *free]), patient_id="B2")
    asked(house, one)
    asked(house, two, destination_id=destination)
    while_it_lands(house, monkeypatch, one)
    with house.indexing():
        attempt(house, two)
    second = house.get(f"/{two}")
    assert (second["state"], held(house, taken), held(house, free)) == ("filed", [("A1", 3)], [("B2", 2)])
    assert {key: n for study in second["persons"][0]["studies"] for key, n in study["becomes"].items()} == {
        "put-aside": 3, "new": 2,
    }  # fmt: skip
    with house.site.database.read() as session:
        sent = session.scalars(sa.select(Delivery.study_id)).all()
    assert [one.patient_id_value for one in house.studies() if one.id in sent] == ["B2"]
    house.post(f"/{two}/people/0/take-back")
    assert (held(house, taken), held(house, free)) == ([("A1", 3)], [])
    house.delete(two)


def test_what_came_and_is_gone_when_it_is_filed_stops_all_of_it(house: ImportHouse) -> None:
    files = images(4)
    case_id = ready(house, {"a.zip": zipped(files[:2]), "b.zip": zipped(files[2:])})
    with house.site.database.write() as session:
        session.execute(sa.delete(RawFile).where(RawFile.file_name == "a.zip"))
    found = house.file(case_id)
    assert (found["state"], found["error"]["code"], held(house, files)) == ("failed", "raw-file-gone", [])
    house.delete(case_id)


def test_a_file_that_comes_after_the_check_leaves_the_paths_of_the_others(house: ImportHouse) -> None:
    files = images(5)
    case_id = ready(house, {"a.zip": zipped(files[:2])})
    other = house.bring({"b.zip": zipped(files[2:])})
    house.turn(other)
    with house.site.database.write() as session:
        here, there = (session.get_one(ImportCase, uuid.UUID(one)).parcel_id for one in (case_id, other))
        session.execute(sa.update(RawFile).where(RawFile.parcel_id == there).values(parcel_id=here))
    assert (house.file(case_id)["state"], held(house, files)) == ("filed", [("4711", 2)])


def test_a_path_that_leads_to_another_object_by_now_files_nobody(house: ImportHouse) -> None:
    ours, theirs = images(6, 1), list(phantoms.study("ct-head", seed=1, slices=1, size=32))
    case_id = ready(house, {"a": ours[0]})
    other = house.bring({"a": theirs[0]})
    house.turn(other)
    with house.site.database.write() as session:
        here, there = (session.get_one(ImportCase, uuid.UUID(one)).parcel_id for one in (case_id, other))
        session.execute(sa.delete(RawFile).where(RawFile.parcel_id == here))
        session.execute(sa.update(RawFile).where(RawFile.parcel_id == there).values(parcel_id=here))
    found = house.file(case_id)
    assert (found["state"], found["error"]["code"]) == ("failed", "import-file-changed")
    assert (held(house, ours), held(house, theirs)) == ([], [])
    house.delete(case_id)


def test_a_report_that_comes_with_images_already_here_joins_them_and_a_third_time_changes_nothing(
    house: ImportHouse,
) -> None:
    files = images(7)
    assert house.file(ready(house, named(files)))["state"] == "filed"
    with_report = {**named(files), "report.pdf": PDF}
    second = ready(house, with_report)
    found = house.file(second)
    assert (found["state"], becomes(found), held(house, files)) == ("filed", {"same-content": 3}, [("4711", 4)])
    assert [(one["filed"], one["why"]) for one in found["persons"][0]["papers"]] == [(True, "")]
    house.site.clock.advance(timedelta(seconds=1))
    third = ready(house, with_report)
    found = house.file(third)
    assert (found["state"], [one["filed"] for one in found["persons"][0]["papers"]]) == ("filed", [True])
    house.post(f"/{third}/people/0/take-back")
    assert held(house, files) == [("4711", 4)], "what was here before stays"
    house.post(f"/{second}/people/0/take-back")
    assert held(house, files) == [("4711", 3)]


def test_what_another_import_counts_on_stays_when_a_filing_is_taken_back_and_goes_with_that_one(
    house: ImportHouse,
) -> None:
    files = images(9)
    with_report = {**named(files), "report.pdf": PDF}
    first, second = ready(house, with_report), ready(house, with_report)
    for case_id in (first, second):
        assert house.file(case_id)["state"] == "filed"
    back = house.post(f"/{first}/people/0/take-back")
    assert (back["state"], back["gone"], back["stay"], held(house, files)) == ("open", 0, 4, [("4711", 4)])
    back = house.post(f"/{second}/people/0/take-back")
    assert (back["gone"], back["stay"], held(house, files)) == (4, 0, [])
    with house.site.database.read() as session:
        told = sa.select(AuditEvent.detail).where(AuditEvent.action == "import.take-back")
        last = session.scalars(told.order_by(AuditEvent.id.desc()).limit(2)).all()
    assert [json.loads(one).get("stay") for one in last] == [None, 4]


def test_a_report_that_an_earlier_turn_landed_is_the_import_s_own_though_a_clock_was_behind(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = images(10, 1)
    case_id = ready(house, {**named(files), "report.pdf": PDF})
    real, turns = filing_turn.FilingTurn._indexed, list[int]()

    def indexed(self: filing_turn.FilingTurn, *of: Any) -> Any:
        found = real(self, *of)
        turns.append(1)
        if len(turns) == 1:
            raise Unavailable("it broke off")
        return found

    monkeypatch.setattr(filing_turn.FilingTurn, "_indexed", indexed)
    asked(house, case_id)
    house.site.clock.advance(timedelta(seconds=-5))
    with house.indexing():
        attempt(house, case_id)
        attempt(house, case_id)
    house.site.clock.advance(timedelta(seconds=5))
    assert (house.get(f"/{case_id}")["state"], len(turns)) == ("filed", 2)
    assert (house.post(f"/{case_id}/people/0/take-back")["gone"], held(house, files)) == (2, [])


def test_a_report_that_comes_twice_in_other_packages_or_under_another_name_is_filed_once(house: ImportHouse) -> None:
    files = images(11, 1)
    packed = [packed_at(second, {"0": files[0], "report.pdf": PDF}) for second in (2, 4)]
    case_id = str(house.post("", {"birth_date": BORN_CT, "basis": "consent"}, expect=201)["id"])
    for one in packed:
        house.put_file(case_id, "a.zip", one)
    house.post(f"/{case_id}/done", expect=202)
    house.turn(case_id)
    house.choose(case_id, WHO)
    house.confirm_all(case_id)
    found = house.file(case_id)
    papers = [(one["file_name"], one["kind"], one["filed"]) for one in found["persons"][0]["papers"]]
    assert papers == [("a.zip/report (2).pdf", "document", True), ("a.zip/report.pdf", "document", True)]
    assert (found["state"], held(house, files)) == ("filed", [("4711", 2)])
    assert house.file(ready(house, {**named(files), "renamed.pdf": PDF}))["state"] == "filed"
    with house.site.database.read() as session:
        assert session.scalars(sa.select(Quarantined.id)).all() == []
    assert held(house, files) == [("4711", 2)]


def packed_at(second: int, files: Files) -> bytes:
    """Return files packed at a moment of its own."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 1, 1, second)), content)
    return made.getvalue()


def test_a_paper_that_nothing_can_be_made_of_says_why_it_stays(house: ImportHouse) -> None:
    broken = b"\x89PNG\r\n\x1a\n" + bytes(64)
    case_id = ready(house, {**named(images(8, 1)), "picture.png": broken})
    found = house.file(case_id)
    assert (found["state"], [one["why"] for one in found["persons"][0]["papers"]]) == ("filed", ["unusable"])
    house.post(f"/{case_id}/people/0/take-back")
    with house.site.database.read() as session:
        assert session.scalars(sa.select(ImportPaper.why).where(ImportPaper.file_name == "picture.png")).all() == [""]


def test_a_large_report_is_filed_piece_by_piece(house: ImportHouse) -> None:
    pieces = [PDF.ljust(1 << 20), *[bytes(1 << 20)] * 23, b"%"]
    size = sum(map(len, pieces))
    with house.site.database.read() as session:
        case = session.scalars(sa.select(ImportCase)).first()
        assert case is not None
        origin = get_source(session, case.organisation_id, case.source_id).origin()
    under = Under(Wanted(LocalPatient("A", "1"), None), "here", house.site.clock.now())
    filer = Filer(house.site.landing, origin, under, lambda _: False)
    filer.contexts["1.2.3"] = StudyContext("1.2.3", "A", "1")
    tracemalloc.start()
    try:
        made = filer.paper("report 7.pdf", StoredFile("report 7.pdf", size, lambda: iter(pieces)), "1.2.3")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    filer.close()
    (whole,) = paper_files("report 7.pdf", b"".join(pieces), filer.contexts["1.2.3"])
    head = parse_preamble(whole[:4096])
    assert made.written == {head.sop_uid: hashlib.sha256(whole[head.dataset_offset :]).hexdigest()}


def unwritable(file: bytes) -> bytes:
    """Return an image of letters that nobody knows: no name beyond ASCII can be written into it."""
    made = pydicom.dcmread(io.BytesIO(file))
    made.SpecificCharacterSet = "ISO_IR 100"
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue().replace(b"ISO_IR 100", b"ISO_IR 999")


def test_an_image_that_cannot_be_written_is_told_before_anything_is_filed(house: ImportHouse) -> None:
    files = list(phantoms.study("ct-head", seed=11, slices=3, size=32))
    files[1] = unwritable(files[1])
    case_id = ready(house, named(files), "1938-08-08", name="Schüster^Theodor", patient_id="4720")
    found = house.file(case_id)
    assert (found["state"], found["error"]["code"], held(house, files)) == ("open", "import-unconfirmed", [])
    (told,) = [one for one in found["persons"][0]["findings"] if one["code"] == "not-writable"]
    assert (told["level"], told["facts"], told["confirmed_by"]) == ("look", {"objects": 1, "names": "1"}, "")
    house.confirm_all(case_id)
    found = house.file(case_id)
    assert (found["state"], becomes(found), held(house, files)) == (
        "filed", {"new": 2, "not-writable": 1}, [("4720", 2)],
    )  # fmt: skip
    assert "not-writable" in [one["code"] for one in found["persons"][0]["findings"]]
    house.post(f"/{case_id}/people/0/take-back")
    house.choose(case_id, {"name": "Schuster^Theodor", "patient_id": "4720"})
    house.confirm_all(case_id)
    assert (house.file(case_id)["state"], held(house, files)) == ("filed", [("4720", 3)])


def test_where_no_image_can_be_written_nobody_is_filed(house: ImportHouse) -> None:
    files = [unwritable(one) for one in phantoms.study("ct-head", seed=23, slices=2, size=32)]
    case_id = ready(house, named(files), "1938-08-08", name="Schüster^Theodor", patient_id="4720")
    found = house.file(case_id)
    assert (found["state"], found["error"]["code"], held(house, files)) == ("open", "import-stopped", [])
    assert [one["code"] for one in found["persons"][0]["findings"] if one["level"] == "stop"] == ["not-writable"]
    house.choose(case_id, {"name": "Schuster^Theodor", "patient_id": "4720"})
    house.confirm_all(case_id)
    assert (house.file(case_id)["state"], held(house, files)) == ("filed", [("4720", 2)])


def codes(found: Mapping[str, Any], level: str) -> list[str]:
    return [one["code"] for one in found["persons"][0]["findings"] if one["level"] == level]


def test_nobody_is_filed_under_the_id_of_somebody_else_here(house: ImportHouse) -> None:
    others = list(phantoms.study("cr-chest", seed=9, slices=1, size=32))
    first = house.bring(named(others), None)
    anna = house.turn(first)["persons"][0]["person"]
    house.choose(first, {"name": anna["name"], "patient_id": "4790", "sex": anna["sex"]})
    house.confirm_all(first)
    assert house.file(first)["state"] == "filed"
    case_id = ready(house, named(images(31)), patient_id="4790", name="Müller^Jörg")
    (stop,) = [one for one in house.get(f"/{case_id}")["persons"][0]["findings"] if one["level"] == "stop"]
    born = anna["birth_date"].replace("-", "")
    told = {"chosen": "4790", "names": anna["name"], "born": born, "places": "archive"}
    assert (stop["code"], stop["facts"]) == ("id-of-another", told)
    house.post(f"/{case_id}/confirmations", {"number": 0, "keys": [stop["key"]]}, expect=409)
    refused = house.post(f"/{case_id}/people/0/file", {}, expect=409)
    assert (refused["code"], refused["finding"]) == ("import-stopped", "id-of-another")
    elsewhere = house.choose(case_id, {**WHO, "patient_id": "4790", "issuer": "ANOTHER"})
    assert codes(elsewhere, "stop") == []
    unsaid = house.choose(case_id, {**WHO, "patient_id": "4790", "issuer": ""})
    assert ("id-perhaps-of-another" in codes(unsaid, "look"), codes(unsaid, "stop")) == (True, [])
    new = house.choose(case_id, {**WHO, "patient_id": "4791"})
    assert codes(new, "stop") == []
    house.delete(case_id)


def test_who_gets_an_id_here_while_it_is_filed_stops_it(house: ImportHouse) -> None:
    case_id = ready(house, named(images(32)), patient_id="4795")
    asked(house, case_id)
    _ordered(house, house.site.clock.now().date(), "4795", "Schulze^Anna", None, patient_issuer="KH")
    found = house.turn(case_id)
    assert (found["state"], found["error"]["code"], codes(found, "stop")) == (
        "open",
        "import-stopped",
        ["id-of-another"],
    )
    house.delete(case_id)


def test_nobody_is_filed_under_the_id_of_somebody_whom_a_pacs_knows(
    house: ImportHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = house.site.services.importing
    pacs = Pacs((FoundStudy("1.2", "4798", "", "Maier^Eva", "19610102", "F"),))
    monkeypatch.setattr(here, "_archives", pacs)
    monkeypatch.setattr(here, "_retrieve", RetrieveSettings())
    monkeypatch.setattr(house_of_all, "archives_of", lambda *_: [NODE])
    case_id = ready(house, named(images(36, 1)), patient_id="4798", issuer="")
    (stop,) = [one for one in house.get(f"/{case_id}")["persons"][0]["findings"] if one["level"] == "stop"]
    assert (stop["code"], stop["facts"]["names"], stop["facts"]["places"]) == ("id-of-another", "Maier^Eva", "pacs")
    house.choose(case_id, {**WHO, "patient_id": "4798", "issuer": ""})
    assert len(pacs.asked) == 1, "of the same ID it is not asked again"
    pacs.down = True
    found = house.choose(case_id, {**WHO, "patient_id": "4797"})
    assert (codes(found, "stop"), "id-not-asked" in codes(found, "look")) == ([], True)
    house.delete(case_id)


def test_only_an_order_of_the_chosen_patient_takes_a_study(house: ImportHouse) -> None:
    day, said = house.site.clock.now().date(), {"patient_issuer": "KH", "patient_sex": "M"}
    issued = {"patient_authority": '["KH", "1.2.3", "iso"]', "accession_authority": '["RIS", "", ""]'}
    _ordered(house, day, "4750", "Müller^Jörg", None, accession_number="MINE", procedure_text="CT", **said, **issued)
    _ordered(house, day, "4751", "Schulze^Jörg", None, accession_number="OTHERS", **said)
    case_id = ready(house, named(images(33)), patient_id="4750")
    patient = {**WHO, "patient_id": "4750", "issuer": "KH"}

    def choose(accession: str, expect: int) -> dict[str, Any]:
        order = {"accession": accession}
        return house.put(f"/{case_id}/people/0/patient", {"patient": patient, "order": order}, expect=expect)

    assert choose("OTHERS", 409)["code"] == choose("NOBODYS", 409)["code"] == "import-order-unknown"
    chosen = choose("MINE", 200)["persons"][0]
    assert (chosen["order"]["procedure"], chosen["stopped"]) == ("CT", False)
    changes = house.get(f"/{case_id}/people/0/differences")["differences"]
    assert {(one["keyword"], one["after"]) for one in changes} >= {
        ("UniversalEntityID", "1.2.3"), ("UniversalEntityIDType", "ISO"), ("LocalNamespaceEntityID", "RIS"),
    }  # fmt: skip
    house.confirm_all(case_id)
    asked(house, case_id)
    with house.site.database.write() as session:  # it is cancelled while it is filed
        session.execute(
            sa.update(WorklistItem).where(WorklistItem.accession_number == "MINE").values(state="cancelled")
        )
    found = house.turn(case_id)
    assert (found["error"]["code"], codes(found, "stop")) == ("import-stopped", ["order-of-another"])
    house.choose(case_id, {**WHO, "patient_id": "4750"})
    house.confirm_all(case_id)
    assert house.file(case_id)["state"] == "filed"


def test_an_id_that_names_no_issuer_is_one_of_the_house(house: ImportHouse) -> None:
    files, issuer = images(34), sa.update(Source).where(Source.kind == "portal")
    assert house.file(ready(house, named(files[:1]), patient_id="4760", issuer=""))["state"] == "filed"
    with house.site.database.write() as session:
        session.execute(issuer.values(issuer_of_patient_id="KH"))
    _ordered(house, house.site.clock.now().date(), "4760", "Müller^Jörg", None, accession_number="OWN", patient_sex="M")
    try:
        case_id = ready(house, named(files), patient_id="4760", issuer="")
        person = house.get(f"/{case_id}")["persons"][0]
        assert (person["chosen"]["issuer"], codes({"persons": [person]}, "stop")) == ("KH", [])
        candidates = {(one["person"]["patient_id"], one["person"]["issuer"]) for one in person["candidates"]}
        assert ("4760", "KH") in candidates
        assert [one["accession"] for one in house.get(f"/{case_id}/people/0/orders")["orders"]] == ["OWN"]
        found = house.file(case_id)
        assert (found["state"], becomes(found), held(house, files)) == (
            "filed",
            {"same-content": 1, "new": 2},
            [("4760", 3)],
        )
    finally:
        with house.site.database.write() as session:
            session.execute(issuer.values(issuer_of_patient_id=""))


def test_who_looks_at_imports_orders_and_changes_is_on_record(house: ImportHouse) -> None:
    _ordered(house, house.site.clock.now().date(), "4770", "Müller^Jörg", None, accession_number="L", patient_sex="M",
             patient_issuer="KH")  # fmt: skip
    case_id = ready(house, named(images(35, 1)), patient_id="4770")

    def recorded() -> list[tuple[str, bool]]:
        with house.site.database.read() as session:
            asked = sa.select(AuditEvent.action, AuditEvent.patient_ref).where(AuditEvent.action.startswith("import."))
            return sorted((one.action, one.patient_ref is not None) for one in session.execute(asked))

    house.root = house.site.login("root")  # seen is noted once per login
    before = Counter(recorded())
    for _ in range(2):
        house.get("")
        house.get(f"/{case_id}/people/0/orders")
        house.get(f"/{case_id}/people/0/differences")
    told = Counter(recorded()) - before
    assert told == {("import.list", False): 1, ("import.view", True): 2}
    house.delete(case_id)


def test_names_of_many_files_alike_take_no_longer_each() -> None:
    began, taken = time.perf_counter(), dict[str, int]()
    told = [_free("a/1", taken) for _ in range(20_000)]
    assert (told[:3], len(set(told))) == (["a/1", "a/1 (2)", "a/1 (3)"], 20_000)
    assert _free("a/1 (2)", taken) == "a/1 (2) (2)"
    assert time.perf_counter() - began < 5
