"""What tests of imports that go wrong share: a site with mail, filings that are stopped at an object."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from radrelay.dicom import phantoms
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.errors import RadrelayError
from radrelay.importer import cases
from radrelay.importer.dlx.provider import Key
from radrelay.importer.filing import Filer
from radrelay.importer.models import (
    ImportCase,
    ImportObject,
)
from radrelay.importer.raw_parcel import StoredFile
from radrelay.storage.outbox import Event
from tests.importer.house import ImportHouse, open_house
from tests.importer.provider import TOKEN
from tests.importer.test_imports import confirmed

BIRTH = Key(TOKEN, {"PAT_BIRTH_DATE": "19781224"})
SEEDS = count(50)


def packed(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


@contextmanager
def site_with_mail(folder: Path) -> Iterator[ImportHouse]:
    """Open a site whose portal is confirmed, and which sends reports by mail."""
    mail: dict[str, object] = {"host": "mail.clinic.example", "sender": "radrelay@clinic.example"}
    with open_house(folder, mail=mail, service_address="fetching@clinic.example") as found:
        confirmed(found, found.portal.base.partition("//")[2])
        yield found


def codes(found: dict[str, Any], level: str) -> list[str]:
    every = [*found["findings"], *(one for person in found["persons"] for one in person["findings"])]
    return sorted(one["code"] for one in every if one["level"] == level)


def being_filed(house: ImportHouse, *beside: bytes) -> str:
    """Return an import of three objects of a study of its own, and more, whose filing has been asked for."""
    return filing_of(
        house, [*phantoms.study("ct-head", seed=next(SEEDS), patient=PATIENTS[0], slices=3, size=32), *beside]
    )


def filing_of(house: ImportHouse, made: list[bytes]) -> str:
    """Return an import of these objects, those of one person of which have been asked to be filed."""
    born = str(PATIENTS[0].birth_date)
    case_id = house.bring({f"{number}": one for number, one in enumerate(made)}, born)
    ask_to_file(house, case_id, house.turn(case_id)["persons"], born)
    return case_id


def ask_to_file(
    house: ImportHouse, case_id: str, people: list[dict[str, Any]], born: str, patient_id: str = "4711"
) -> None:
    number = next(one["number"] for one in people if one["person"]["birth_date"] == born)
    house.choose(case_id, {"name": "Müller^Jörg", "patient_id": patient_id}, number)
    house.confirm_all(case_id, number)
    house.post(f"/{case_id}/people/{number}/file", {}, expect=202)


def at_object(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Have something happen before the object of that number is filed."""
    real, seen = Filer.file, count()

    def file(self: Filer, row: ImportObject, stored: StoredFile) -> None:
        if next(seen) == number:
            act()
        real(self, row, stored)

    monkeypatch.setattr(Filer, "file", file)


def attempt(house: ImportHouse, case_id: str) -> None:
    house.work.attempt(Event(uuid.uuid4(), cases.ATTEMPT, house.site.organisation_id, uuid.UUID(case_id), {}))


def break_off() -> None:
    raise RadrelayError("it broke off")


def set_end(house: ImportHouse, case_id: str, ago: timedelta) -> None:
    with house.site.database.write() as session:
        session.get_one(ImportCase, uuid.UUID(case_id)).ends_at = house.site.clock.now() - ago
