"""Imports from a link or files to the archive, on a real site and a real provider."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.access.models import Grant
from radrelay.archive.instances import InstanceRef
from radrelay.archive.reader import InstanceReader
from radrelay.dicom import phantoms
from radrelay.dicom.errors import Malformed
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.dicom.text_report import BASIC_TEXT_SR
from radrelay.hl7.models import WorklistItem
from radrelay.hl7.worklist.ordering import BLANK
from radrelay.importer import hosts
from radrelay.importer.waiting import today_at
from radrelay.intake.raw_files import RawFiles
from radrelay.storage.ids import new_id
from radrelay.web import import_differences
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_papers import PDF, picture
from tests.web.conftest import Login

BORN = "1978-12-24"
IMAGES = list(phantoms.study("ct-head", slices=3, size=32))
BORN_CT = "1957-03-14"
PATIENT = {"name": "Iwanowa^Maria", "birth_date": "19781224", "sex": "F"}


def zipped(files: Sequence[bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, one in enumerate(files):
            archive.writestr(f"IMG/{number}.dcm", one)
    return made.getvalue()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[ImportHouse]:
    with open_house(tmp_path) as found:
        yield found


def confirmed(house: ImportHouse, host: str) -> None:
    with house.site.database.write() as session:
        at = house.site.clock.now()
        hosts.decide(session, house.site.organisation_id, host, confirm=True, by="root", now=at)


def test_a_link_becomes_a_study_of_the_local_patient(house: ImportHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = house.begin(BORN)
    waits = house.turn(case_id)
    assert (waits["state"], waits["error"]["code"]) == ("failed", "portal-not-allowed")
    host = waits["error"]["facts"]["host"]
    decided = house.root.http.put("/api/portals", json={"host": host, "confirm": True}, headers=house.root.headers)
    assert (decided.json()["state"], decided.json()["failures"]) == ("confirmed", 0)
    found = house.turn(case_id)  # what waited for the host goes on by itself
    assert found["state"] == "open", found["error"]
    assert {one["level"] for one in found["findings"]} == {"passed"}, found["findings"]
    (person,) = found["persons"]
    assert (person["person"]["name"], person["studies"][0]["objects"]) == ("Иванова^Мария", 4)
    assert [one["code"] for one in person["findings"] if one["level"] != "passed"] == ["nobody-here"]
    house.choose(case_id, PATIENT)
    changes = {one["keyword"]: one["after"] for one in house.get(f"/{case_id}/people/0/differences")["differences"]}
    assert changes["PatientName"] == "Iwanowa^Maria"
    broken = Mock(side_effect=Malformed("broken"))
    with monkeypatch.context() as patched:  # what cannot be read is counted, and does not cost the rest
        patched.setattr(import_differences, "reconcile", broken)
        unread = house.get(f"/{case_id}/people/0/differences")
    assert (unread["differences"], unread["unwritable"]) == ([], 4)
    refused = house.post(f"/{case_id}/people/0/file", {}, expect=409)
    assert refused["code"] == "import-unconfirmed"
    house.confirm_all(case_id)
    filed = house.file(case_id)
    assert filed["state"] == "filed", filed["error"]
    (listed,) = house.get("")["imports"]
    assert listed["filed_under"] == [{"name": "Iwanowa^Maria", "patient_id": "4711"}]
    (study,) = house.studies()
    assert (study.patient_id_value, study.patient_issuer, study.accession_number) == ("4711", "KH", "")
    assert study.study_uid == person["studies"][0]["study_uid"]
    assert len(house.instances()) == 4


def test_what_was_filed_is_taken_back_and_filed_again(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        case_id = house.bring(
            {f"IMG/{number}": one for number, one in enumerate(IMAGES)} | {"Befund.pdf": PDF}, BORN_CT
        )
        found = house.turn(case_id)
        assert found["state"] == "open", found["error"]
        house.choose(case_id, {"name": "Müller^Jörg"})
        house.confirm_all(case_id)
        filed = house.file(case_id)
        assert filed["state"] == "filed", filed["error"]
        assert len(house.instances()) == len(IMAGES) + 1
        before = {one.sop_uid: one.sha256 for one in house.instances()}
        back = house.post(f"/{case_id}/people/0/take-back")
        assert (back["state"], house.instances(), house.studies()) == ("open", [], [])
        assert back["persons"][0]["chosen"] is None
        house.choose(case_id, {"name": "Müller^Jörg"})
        house.confirm_all(case_id)
        assert house.file(case_id)["state"] == "filed"
        assert {one.sop_uid: one.sha256 for one in house.instances()}.keys() == before.keys()


def test_once_what_came_is_erased_a_filing_is_taken_back_for_good(tmp_path: Path) -> None:
    with open_house(tmp_path, keep_raw_s=3600) as house:
        case_id = house.bring({f"IMG/{number}": one for number, one in enumerate(IMAGES)}, BORN_CT)
        house.turn(case_id)
        house.choose(case_id, {"name": "Müller^Jörg"})
        house.confirm_all(case_id)
        began = house.get(f"/{case_id}")["ends_at"]
        house.site.clock.advance(timedelta(minutes=50))
        assert house.file(case_id)["files_here"] is True
        house.site.clock.advance(timedelta(hours=1))
        assert RawFiles(house.site.database, house.site.clock).expire() == len(IMAGES)
        filed = house.get(f"/{case_id}")
        assert (filed["state"], filed["files_here"]) == ("filed", False)
        ends = datetime.fromisoformat(filed["ends_at"]) - datetime.fromisoformat(began)
        assert ends == timedelta(minutes=50), "as long as the study, which came later than the parcel"
        refused = house.post(f"/{case_id}/people/0/take-back", expect=404)
        assert (refused["code"], len(house.instances())) == ("raw-file-gone", len(IMAGES))
        back = house.post(f"/{case_id}/people/0/take-back", {"for_good": True})
        assert (back["state"], back["persons"], house.instances()) == ("over", [], [])


def test_once_all_is_filed_what_came_and_its_names_go_earlier_and_what_is_open_stays(tmp_path: Path) -> None:
    with open_house(tmp_path, keep_filed_s=3600) as house:
        another = next(iter(phantoms.study("mr-head", patient=PATIENTS[3], slices=1, size=16)))
        brought = ({"0.dcm": IMAGES[0]}, {"1.dcm": IMAGES[1]}, {"2.dcm": IMAGES[2], "other.dcm": another})
        whole, back, part = (house.bring(files, BORN_CT) for files in brought)
        for case_id in (whole, back, part):
            house.turn(case_id)
            house.confirm_all(case_id)
            house.choose(case_id, {"name": "Müller^Jörg"})
            house.confirm_all(case_id)
            house.file(case_id)
        house.post(f"/{back}/people/0/take-back")
        told = house.get(f"/{whole}")
        assert datetime.fromisoformat(told["files_until"]) == house.site.clock.now() + timedelta(hours=1)
        (study,) = told["persons"][0]["studies"]
        assert datetime.fromisoformat(study["expires_at"]) > datetime.fromisoformat(told["files_until"])
        open_until = datetime.fromisoformat(house.get(f"/{part}")["files_until"])
        assert open_until > house.site.clock.now() + timedelta(hours=2)
        house.site.clock.advance(timedelta(minutes=50))
        house.work.expire()
        assert [house.get(f"/{one}")["files_here"] for one in (whole, back, part)] == [True] * 3
        house.site.clock.advance(timedelta(minutes=11))
        house.work.expire()
        assert [house.get(f"/{one}")["files_here"] for one in (whole, back, part)] == [False, True, True]
        assert [house.get(f"/{one}")["state"] for one in (whole, back, part)] == ["filed", "open", "open"]
        assert house.get(f"/{whole}")["files_until"] is None
        assert house.get(f"/{whole}")["birth_date"] is None
        assert len(house.instances()) == 2


def test_importing_twice_files_nothing_more(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        for turn in range(2):
            case_id = house.bring({f"{number}.dcm": one for number, one in enumerate(IMAGES)}, BORN_CT)
            house.turn(case_id)
            house.choose(case_id, {"name": "Müller^Jörg"})
            house.confirm_all(case_id)
            filed = house.file(case_id)
            assert filed["state"] == "filed", filed["error"]
            becomes = filed["persons"][0]["studies"][0]["becomes"]
            assert becomes == ({"new": 3} if not turn else {"same-content": 3})
        assert len(house.instances()) == 3


def test_a_report_and_a_picture_that_are_here_already_are_told_so_and_not_filed_again(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        images = {f"{number}.dcm": one for number, one in enumerate(IMAGES)}
        here = [False, False, False]
        for turn in range(2):
            papers = {
                f"Befund {turn}.pdf": PDF,
                "Scan.png": picture((9, 9)),
                f"neu {turn}.pdf": PDF + b"%%EOF%d" % turn,
            }
            case_id = house.bring(images | papers, BORN_CT)
            found = house.turn(case_id)
            told = {one["file_name"]: one["here"] for one in found["persons"][0]["papers"]}
            assert told == dict(zip(papers, here, strict=True))
            house.choose(case_id, {"name": "Müller^Jörg"})
            house.confirm_all(case_id)
            filed = house.file(case_id)
            assert filed["state"] == "filed", filed["error"]
            assert [(one["filed"], one["here"]) for one in filed["persons"][0]["papers"]] == [
                (True, one) for one in here
            ]
            here = [True, True, False]
            assert len(house.instances()) == len(IMAGES) + 3 + turn


def test_what_is_here_is_read_once_however_often_an_import_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_house(tmp_path) as house:
        files = {f"{number}": one for number, one in enumerate(IMAGES)}
        before = house.bring(files, BORN_CT)
        house.turn(before)
        house.choose(before, {"name": "Müller^Jörg"})
        house.confirm_all(before)
        house.file(before)
        house.delete(before)  # what it noted of its objects goes with it
        again = house.bring(files, BORN_CT)
        house.turn(again)
        streams, stream = list[str](), InstanceReader.received_stream

        def counted(reader: InstanceReader, ref: InstanceRef, start: int = 0) -> Iterator[bytes]:
            streams.append(ref.sop_uid)
            return stream(reader, ref, start)

        monkeypatch.setattr(InstanceReader, "received_stream", counted)
        shown = [house.get(f"/{again}")["persons"] for _ in range(3)]
        assert len(streams) == len(set(streams))
        assert shown[0] == shown[1] == shown[2]
        assert shown[0][0]["studies"][0]["becomes"] == {"same-object": 3}


def test_a_study_of_another_patient_here_is_not_touched(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        files = {f"{number}.dcm": one for number, one in enumerate(IMAGES)}
        first = house.bring(files, BORN_CT)
        house.turn(first)
        house.choose(first, {"name": "Müller^Jörg"})
        house.confirm_all(first)
        house.file(first)
        again = house.bring(files, BORN_CT)
        house.turn(again)
        house.choose(again, {"name": "Müller^Jörg", "patient_id": "4712"})
        house.confirm_all(again)
        under = {"patient_id": "4711", "issuer": "KH"}  # as a page shows it that has not heard of the last choice
        refused = house.post(f"/{again}/people/0/file", {"under": under}, expect=409)
        assert refused["code"] == "import-chosen-otherwise"
        refused = house.post(f"/{again}/people/0/file", {"under": under | {"patient_id": "4712"}}, expect=409)
        assert (refused["code"], refused["finding"]) == ("import-stopped", "study-of-another")
        house.delete(again)
        assert house.get(f"/{again}")["state"] == "over"
        assert {one.patient_id_value for one in house.studies()} == {"4711"}


def test_a_wrong_birth_date_stops_and_is_corrected(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        case_id = house.bring({"a.zip": zipped(IMAGES)}, "1999-09-09")
        found = house.turn(case_id)
        assert [one["code"] for one in found["persons"][0]["findings"] if one["level"] == "stop"] == [
            "birth-date-differs"
        ]
        house.put(f"/{case_id}/birth-date", {"birth_date": BORN_CT})
        found = house.turn(case_id)
        assert not found["persons"][0]["stopped"]


def test_a_birth_date_that_was_mistyped_is_corrected_and_the_import_goes_on(house: ImportHouse) -> None:
    case_id = house.begin("1977-12-24")
    confirmed(house, house.turn(case_id)["error"]["facts"]["host"])
    house.post(f"/{case_id}/retry", expect=202)
    refused = house.turn(case_id)
    assert (refused["state"], refused["error"]["code"], refused["questions"]) == ("failed", "portal-answer-wrong", [])
    assert house.put(f"/{case_id}/birth-date", {"birth_date": BORN})["state"] == "failed"
    house.post(f"/{case_id}/retry", expect=202)
    assert house.turn(case_id)["state"] == "open"
    listed = house.get("")
    assert (listed["may"], [one["id"] for one in listed["imports"]]) == (True, [case_id])


def _token(ends: datetime) -> str:
    """Return a JSON Web Token as share links bear it."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": "study", "exp": int(ends.timestamp())})
    told = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts]
    return ".".join((*told, "c2lnbmF0dXJl"))


def test_what_ends_first_stands_first_and_nothing_is_told_that_nobody_knows(tmp_path: Path) -> None:
    with open_house(tmp_path, keep_raw_s=30 * 3600) as house:
        now = house.site.clock.now()
        silent = house.begin(BORN)
        soon = house.begin(BORN, f"https://portal.example/studies/1?token={_token(now + timedelta(hours=5))}")
        later = house.begin(BORN, f"https://portal.example/studies/2?token={_token(now + timedelta(hours=60))}")
        broken = house.begin(BORN, "https://portal.example/studies/3?token=aaaaaaaa.bm90LWpzb24.cccccccc")
        brought = house.bring({"1.dcm": IMAGES[0]}, BORN_CT)
        house.turn(brought)
        told = house.get("?order=ending")["imports"]
        assert [one["id"] for one in told][:3] == [soon, brought, later]
        assert [one["ending"]["what"] for one in told] == ["link", "files", "link", "import", "import"]
        assert datetime.fromisoformat(told[0]["ending"]["at"]) == (now + timedelta(hours=5)).replace(microsecond=0)
        assert {one["id"] for one in told[3:]} == {silent, broken}
        assert [one["id"] for one in house.get("?order=ending&within_h=48")["imports"]] == [soon, brought]
        assert [one["id"] for one in house.get("?within_h=24")["imports"]] == [soon]
        pages = [house.get(f"?order=ending&after={one['id']}")["imports"] for one in told]
        assert [len(page) for page in pages] == [4, 3, 2, 1, 0], "each page goes on after the one before"
        house.delete(soon)
        assert [one["id"] for one in house.get("?within_h=48")["imports"]] == [brought]
        assert house.get(f"/{soon}")["ending"] is None


def _ordered(house: ImportHouse, day: date, patient_id: str, name: str, born: date | None, **said: object) -> None:
    now = house.site.clock.now()
    told = {"patient_sex": "F", "modality": "CT", "state": "scheduled", "organisation_id": house.site.organisation_id}
    row = WorklistItem(**{
        **BLANK, "id": new_id(), "patient_id": patient_id, "patient_name": name, "patient_birth_date": born,
        "scheduled_date": day, "scheduled_time": time(9, 30), "message_id": new_id(), "said_at": now,
        "created_at": now, "changed_at": now, **told, **said,
    })  # fmt: skip
    with house.site.database.write() as session:
        session.add(row)


def _today(house: ImportHouse, login: Login | None = None) -> dict[str, Any]:
    answer = (login or house.root).http.get("/api/worklist/today")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_todays_patients_are_told_for_whom_images_are_waiting_and_never_by_a_name_alone(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        day, born = today_at(house.site.clock.now(), None), date.fromisoformat(BORN_CT)
        case_id = house.bring({f"{number}.dcm": one for number, one in enumerate(IMAGES)}, BORN_CT)
        named = house.turn(case_id)["persons"][0]["person"]
        name, sex = named["name"], {"patient_sex": named["sex"]}
        assert _today(house)["patients"] == []
        _ordered(house, day, "1", name, date(1990, 1, 1), **sex)
        _ordered(house, day, "3", "Schmidt^Ute", born, **sex)
        _ordered(house, day, "4", name, born, **sex, state="cancelled")
        _ordered(house, day + timedelta(days=1), "5", name, born, **sex)
        told = _today(house)["patients"]
        assert [(one["person"]["patient_id"], one["waiting"]) for one in told] == [("1", []), ("3", [])]
        _ordered(house, day, "6", name, born, **sex, accession_number="A6", procedure_text="CT Thorax")
        first, *others = _today(house)["patients"]
        assert (first["person"]["patient_id"], first["steps"][0]["procedure"]) == ("6", "CT Thorax")
        assert first["waiting"] == [{"id": case_id, "number": 0, "objects": 3, "sure": True, "known": False, "also": 0}]
        _ordered(house, day, "2", name, None, **sex)
        first, *others = _today(house)["patients"]
        assert (first["person"]["patient_id"], first["waiting"][0]["sure"]) == ("6", False)  # or patient 2
        assert not any(one["waiting"] for one in others)
        house.post(f"/{case_id}/check", expect=202)
        house.turn(case_id)
        assert [one["known"] for one in _today(house)["patients"][0]["waiting"]] == [True]
        files = {f"{number}.dcm": one for number, one in enumerate(IMAGES)}
        again = [house.bring(dict(list(files.items())[:few]), BORN_CT) for few in (3, 2)]
        for one in again:
            house.turn(one)
        ((waits,),) = (one["waiting"] for one in _today(house)["patients"] if one["waiting"])
        assert (waits["objects"], waits["also"]) == (3, 2), "the same parcel, in part or whole, is one"
        who = {"name": name, "patient_id": "6", "issuer": "", "birth_date": "19570314"}
        house.choose(again[1], who)
        house.confirm_all(again[1])
        assert house.file(again[1])["state"] == "filed"
        ((waits,),) = (one["waiting"] for one in _today(house)["patients"] if one["waiting"])
        assert (waits["objects"], waits["also"]) == (1, 1), "what is here does not wait"
        house.delete(again[0])
        house.choose(case_id, who)
        house.confirm_all(case_id)
        more = house.bring(files, BORN_CT)
        house.turn(more)
        assert house.file(case_id)["state"] == "filed"
        assert not any(one["waiting"] for one in _today(house)["patients"]), "all of it is here"
        house.choose(more, {"name": "Schmidt^Ute", "patient_id": "3", "issuer": "", "birth_date": "19570314"})
        assert [one["person"]["patient_id"] for one in _today(house)["patients"] if one["waiting"]] == ["3"]
        house.site.account("guest", "guest")
        assert _today(house, house.site.login("guest"))["patients"] == []
        with house.site.database.write() as session:
            session.execute(sa.delete(Grant))
        assert _today(house) == {"day": day.isoformat(), "may": False, "patients": []}


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-03-28T22:59:59", 28), ("2026-03-28T23:00:00", 29), ("2026-03-29T21:59:59", 29),
        ("2026-03-29T22:00:00", 30), ("2026-10-24T21:59:59", 24), ("2026-10-24T22:00:00", 25),
        ("2026-10-25T22:59:59", 25), ("2026-10-25T23:00:00", 26),
    ],
)  # fmt: skip
def test_a_day_begins_at_midnight_of_the_site_also_where_the_clock_is_put_on_or_back(moment: str, day: int) -> None:
    assert today_at(datetime.fromisoformat(f"{moment}+00:00"), ZoneInfo("Europe/Berlin")).day == day


def test_a_plain_text_comes_along_as_a_report_of_the_study_and_a_discs_own_ones_do_not(tmp_path: Path) -> None:
    with open_house(tmp_path) as house:
        images = {f"DICOM/{number}": one for number, one in enumerate(IMAGES)}
        texts = {
            "Befund.txt": "Größe: 4 cm".encode("cp1252"), "README.TXT": b"Viewer",
            "другое.txt": "Привет".encode("cp1251"),
        }  # fmt: skip
        case_id = house.bring(images | texts | {"view.exe": b"MZ"}, BORN_CT)
        found = house.turn(case_id)
        told = {one["file_name"]: (one["kind"], one["study_uid"] != "") for one in found["persons"][0]["papers"]}
        assert told == {"Befund.txt": ("text", True)}
        (left,) = [one["facts"]["left"] for one in found["findings"] if one["code"] == "not-taken-over"]
        assert left == "другое.txt", "nobody says in which character set it is"
        house.choose(case_id, {"name": "Müller^Jörg", "patient_id": "P1"})
        house.confirm_all(case_id)
        assert house.file(case_id)["state"] == "filed"
        (study,) = house.studies()
        told_all = house.root.http.get(f"/dicom-web/studies/{study.study_uid}/metadata").json()
        (report,) = [one for one in told_all if one["00080016"]["Value"] == [BASIC_TEXT_SR]]
        content = pydicom.Dataset.from_json(report)
        assert content.ContentSequence[0].TextValue == "Größe: 4 cm"
        assert (str(content.PatientName), content.PatientID) == ("Müller^Jörg", "P1")
        house.post(f"/{case_id}/people/0/take-back")
        assert house.instances() == []


def test_a_person_decides_whether_what_lies_in_a_viewers_folder_is_filed(house: ImportHouse) -> None:
    images = {f"DICOM/{number}": one for number, one in enumerate(IMAGES)}
    sizes = {"VIEWER/open.png": (16, 16), "VIEWER/1.png": (99, 80), "VIEWER/2.png": (98, 80), "Wunde.png": (9, 9)}
    pictures = {path: picture(size) for path, size in sizes.items()}
    case_id = house.bring({**images, **pictures, "VIEWER/view.exe": b"MZ"}, BORN_CT)
    found = house.turn(case_id)

    def fates(case: dict[str, Any]) -> dict[str, tuple[str, bool]]:
        return {one["file_name"]: (one["why"], one["filed"]) for one in case["persons"][0]["papers"]}

    doubtful = ("perhaps-viewers", False)
    assert fates(found) == {"VIEWER/1.png": doubtful, "VIEWER/2.png": doubtful, "Wunde.png": ("", False)}
    assert {one["code"] for one in found["findings"]} >= {"perhaps-viewers", "viewer-files"}
    told = {"files": ["VIEWER/1.png", "VIEWER/2.png", "Wunde.png"], "filed": False}
    left = house.put(f"/{case_id}/people/0/papers", told)
    out = ("left-out", False)
    assert fates(left) == {"VIEWER/1.png": out, "VIEWER/2.png": out, "Wunde.png": out}
    house.put(f"/{case_id}/people/0/papers", {"files": ["VIEWER/2.png", "Wunde.png"], "filed": True})
    house.choose(case_id, {"name": "Müller^Jörg"})
    house.confirm_all(case_id)
    filed = house.file(case_id)
    assert filed["state"] == "filed", filed["error"]
    assert fates(filed) == {"VIEWER/1.png": ("left-out", False), "VIEWER/2.png": ("", True), "Wunde.png": ("", True)}
    assert len(house.instances()) == len(IMAGES) + 2
    house.put(f"/{case_id}/people/0/papers", told, expect=409)
    back = house.post(f"/{case_id}/people/0/take-back")
    assert fates(back)["VIEWER/1.png"] == out, "what was left out is not filed by itself the next time"
