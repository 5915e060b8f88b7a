"""Portals that need a browser: a whole import through a real one, and what such a portal does not get at."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from structlog.testing import capture_logs

from radrelay.app.importing.work import open_importing
from radrelay.confinement.folders import prefix_of
from radrelay.dicom import phantoms
from radrelay.importer.browser.held import KIND
from radrelay.importer.models import ImportCase
from tests.browsers import CHROMIUM
from tests.importer.house import ImportHouse, open_house
from tests.importer.portal import portal
from tests.importer.script_portal import BORN, CODE, SMS, ScriptPortal, red_in
from tests.importer.test_imports import zipped

IMAGES = list(phantoms.study("ct-head", slices=3, size=32))


@contextmanager
def opened(folder: Path, **browser: object) -> Iterator[tuple[ImportHouse, ScriptPortal]]:
    with portal() as here:
        there = ScriptPortal(here, zipped(IMAGES))
        told = {"enabled": True, "program": CHROMIUM, **browser}
        recipes = there.recipe(folder / "recipes")
        with open_house(folder, recipes=str(recipes), hosts=(there.host,), browser=told) as house:
            try:
                yield house, there
            finally:
                house.work.close()


def asked(house: ImportHouse, case_id: str) -> str:
    """Have an import go on until somebody is asked; returns the question's id."""
    found = house.turn(case_id)
    assert found["state"] == "asking", found["error"]
    (question,) = found["questions"]
    return str(question["id"])


def picture(house: ImportHouse, case_id: str) -> bytes:
    answer = house.root.http.get(f"/api/imports/{case_id}/picture")
    assert (answer.status_code, answer.headers["content-type"], answer.headers["cache-control"]) == (
        200, "image/png", "no-store",
    )  # fmt: skip
    return answer.content


def test_a_portal_of_scripts_is_walked_with_the_person_and_its_parcel_is_checked(tmp_path: Path) -> None:
    with opened(tmp_path) as (house, there), capture_logs() as logs:
        case_id = house.begin(BORN, there.link)
        sms = asked(house, case_id)
        assert house.get(f"/{case_id}")["asks_until"] is not None
        assert picture(house, case_id).startswith(b"\x89PNG")
        house.post(f"/{case_id}/answers", {"answers": {sms: SMS}}, expect=202)
        captcha = asked(house, case_id)
        assert house.get(f"/{case_id}")["questions"][0]["form"] == "clicks"
        house.post(f"/{case_id}/answers", {"answers": {captcha: red_in(picture(house, case_id))}}, expect=202)
        found = house.turn(case_id)
        assert found["state"] == "open", found["error"]
        (person,) = found["persons"]
        assert (person["studies"][0]["objects"], found["connector"]) == (3, "recipe:scripts")
        assert there.at == "images"
        with house.site.database.read() as session:
            row = session.get(ImportCase, uuid.UUID(case_id))
            assert row is not None
            assert (row.picture, row.sealed, row.asks_until) == (None, None, None)
        assert [one for one in (SMS, CODE, "14.03.1957") if one in str(logs)] == []


def test_a_crash_begins_again_from_the_start_and_browsers_end_unanswered_and_with_their_import(tmp_path: Path) -> None:
    with opened(tmp_path) as (house, there):
        case_id = house.begin(BORN, there.link)
        sms = asked(house, case_id)
        house.work.close()
        assert browsers(house) == []
        house.work = open_importing(house.site.parts, house.site.services.reader, house.site.landing)
        house.post(f"/{case_id}/answers", {"answers": {sms: SMS}}, expect=202)
        mine = changed(house, case_id, machine="another")
        assert house.turn(case_id, turns=2)["state"] == "fetching"  # left to the machine whose browser waits
        changed(house, case_id, machine=mine)
        found = house.turn(case_id)
        assert (found["state"], found["error"]["code"]) == ("asking", "browser-begun-again")
        assert found["questions"][0]["id"] != sms
        assert house.work.expire() == 0
        changed(house, case_id, asks_until=house.site.clock.now())
        assert house.work.expire() == 1
        found = house.get(f"/{case_id}")
        assert (found["state"], found["error"]["code"], found["resumes"]) == (
            "failed",
            "browser-unanswered",
            "fetching",
        )
        assert house.root.http.get(f"/api/imports/{case_id}/picture").status_code == 409
        house.post(f"/{case_id}/retry", expect=202)
        asked(house, case_id)
        assert len(browsers(house)) == 1
        house.delete(case_id)
        until(lambda: browsers(house) == [])


def changed(house: ImportHouse, case_id: str, **values: object) -> object:
    """Change what stands of an import; returns the machine that stood there."""
    with house.site.database.write() as session:
        row = session.get(ImportCase, uuid.UUID(case_id))
        assert row is not None
        before = row.machine
        for name, value in values.items():
            setattr(row, name, value)
    return before


def browsers(house: ImportHouse) -> list[Path]:
    """Return the folders of the browsers of a house."""
    return list(Path("/dev/shm").glob(f"{prefix_of(house.site.settings.data_dir, KIND)}*"))


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)
