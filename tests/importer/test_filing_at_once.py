"""Filing at the same moment as another import, a device or a deletion: one study is one patient's, and nothing is lost.

Each on both back ends, in threads that meet at the worst place: all have decided what to do before anything lands.
"""

from __future__ import annotations

import io
import threading
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa

from radrelay.archive.models import Instance, Study
from radrelay.dicom import phantoms
from radrelay.importer import filing_turn
from radrelay.importer.models import ImportObject
from radrelay.intake.files import FileLander
from radrelay.intake.models import Quarantined
from radrelay.intake.sources import get_source
from tests.backends import EMBEDDED, SERVERS
from tests.importer.going_wrong import SEEDS, attempt
from tests.importer.house import ImportHouse, open_house
from tests.importer.test_filing_beside_others import asked, ready
from tests.importer.test_imports import BORN_CT
from tests.importer.test_imports_going_wrong import default_source
from tests.importer.test_papers import PDF

SLICES = 4


@pytest.fixture(scope="module", params=[EMBEDDED, SERVERS])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImportHouse]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADRELAY_TEST_BACKEND", request.param)
        with open_house(tmp_path_factory.mktemp("house")) as found:
            yield found


@pytest.fixture
def images() -> dict[str, bytes]:
    made = phantoms.study("ct-head", seed=12 * next(SEEDS), slices=SLICES, size=32)
    return {str(number): one for number, one in enumerate(made)}


def uid_of(images: dict[str, bytes]) -> str:
    return str(pydicom.dcmread(io.BytesIO(images["0"])).StudyInstanceUID)


@contextmanager
def meeting(parties: int) -> Iterator[threading.Barrier]:
    """Have those who file wait for each other, and for whoever else is a party, before anything of them lands."""
    barrier, real = threading.Barrier(parties), filing_turn.FilingTurn._land

    def land(self: filing_turn.FilingTurn, *of: Any) -> Any:
        barrier.wait(60)
        return real(self, *of)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filing_turn.FilingTurn, "_land", land)
        yield barrier


@contextmanager
def before(step: str, act: Callable[[], object]) -> Iterator[None]:
    """Have another do something right before a step of a filing, and be through with it."""
    real = getattr(filing_turn.FilingTurn, step)

    def stepping(self: filing_turn.FilingTurn, *of: Any) -> Any:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(act).result(60)
        return real(self, *of)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filing_turn.FilingTurn, step, stepping)
        yield


def at_once(house: ImportHouse, *acts: Callable[[], object]) -> None:
    with house.indexing(), ThreadPoolExecutor(len(acts)) as pool:
        for one in [pool.submit(act) for act in acts]:
            one.result(120)


def study(house: ImportHouse, uid: str) -> Study:
    (found,) = [one for one in house.studies() if one.study_uid == uid]
    return found


def require_one_patient(house: ImportHouse, uid: str, count: int = SLICES) -> str:
    """Return whose a study is: all its objects name that patient, each is here once, and none is lacking."""
    found = study(house, uid)
    assert found.instance_count == count
    whole = house.root.http.get(f"/api/studies/{found.id}/archive.zip").content
    with closing(zipfile.ZipFile(io.BytesIO(whole))) as archive:
        files = [archive.read(one) for one in archive.namelist()]
    named = [
        pydicom.dcmread(io.BytesIO(one)).PatientID
        for one in files
        if one[128:132] == b"DICM" and b"1.2.840.10008.1.3.10" not in one[:400]
    ]
    assert named == [found.patient_id_value] * count
    return found.patient_id_value


def written_of(house: ImportHouse, case_id: str) -> set[str]:
    with house.site.database.read() as session:
        mine = sa.select(ImportObject.written).where(ImportObject.case_id == uuid.UUID(case_id))
        return set(session.scalars(mine)) - {""}


def digests(house: ImportHouse, uid: str) -> set[str]:
    with house.site.database.read() as session:
        of_it = sa.select(Instance.sha256).join(Study, Study.id == Instance.study_id).where(Study.study_uid == uid)
        return {one.hex() for one in session.scalars(of_it)}


def aside(house: ImportHouse, uid: str) -> int:
    with house.site.database.read() as session:
        return len(session.scalars(sa.select(Quarantined.id).where(Quarantined.study_uid == uid)).all())


@pytest.mark.parametrize("met", [True, False])
def test_a_study_that_two_file_at_once_under_two_patients_becomes_one_s_and_the_other_is_told(
    house: ImportHouse, images: dict[str, bytes], *, met: bool
) -> None:
    both = {number: ready(house, images, BORN_CT, patient_id=number) for number in ("A1", "B2")}
    for case_id in both.values():
        asked(house, case_id)
    with meeting(2 if met else 1):
        at_once(house, *(lambda one=case_id: attempt(house, one) for case_id in both.values()))
    uid = uid_of(images)
    winner = require_one_patient(house, uid)
    (loser,) = both.keys() - {winner}
    first, second = house.get(f"/{both[winner]}"), house.get(f"/{both[loser]}")
    assert (first["state"], second["state"]) == ("filed", "open")
    assert second["error"]["code"] in {"import-put-aside", "import-stopped"}
    assert second["persons"][0]["stopped"]
    assert (written_of(house, both[winner]), written_of(house, both[loser])) == (digests(house, uid), set())
    assert aside(house, uid) == 0
    house.delete(both[loser])
    house.work.expire()
    assert require_one_patient(house, uid) == winner
    assert (house.post(f"/{both[winner]}/people/0/take-back")["gone"], digests(house, uid)) == (SLICES, set())
    house.delete(both[winner])


def test_a_study_that_two_file_at_once_under_one_patient_is_here_once(
    house: ImportHouse, images: dict[str, bytes]
) -> None:
    both = [ready(house, images, BORN_CT, patient_id="A1") for _ in range(2)]
    for case_id in both:
        asked(house, case_id)
    with meeting(2):
        at_once(house, *(lambda one=case_id: attempt(house, one) for case_id in both))
    assert require_one_patient(house, uid_of(images)) == "A1"
    left = [one for one in both if house.get(f"/{one}")["state"] == "open"]
    for case_id in left:  # who came second is told, and counts on what is here from then on
        house.confirm_all(case_id)
        assert house.file(case_id)["state"] == "filed"
    assert require_one_patient(house, uid_of(images)) == "A1"
    assert aside(house, uid_of(images)) == 0
    for case_id in both:
        house.post(f"/{case_id}/people/0/take-back")
    assert digests(house, uid_of(images)) == set()
    for case_id in both:
        house.delete(case_id)


@pytest.mark.parametrize("from_the_start", [True, False])
def test_a_device_that_sends_the_study_meanwhile_and_an_import_do_not_mix(
    house: ImportHouse, images: dict[str, bytes], *, from_the_start: bool
) -> None:
    case_id, uid = ready(house, images, BORN_CT, patient_id="A1"), uid_of(images)
    asked(house, case_id)
    with house.site.database.read() as session:
        source = default_source(session, house.site.organisation_id)
        origin = get_source(session, house.site.organisation_id, source).origin()

    with meeting(1 if from_the_start else 2) as barrier:  # at once from the beginning, or from what was decided on

        def send() -> None:
            if not from_the_start:
                barrier.wait(60)
            lander = FileLander(house.site.landing, origin)
            for name, one in images.items():
                lander.land(name, [one])

        at_once(house, lambda: attempt(house, case_id), send)
    house.site.index()
    whose = require_one_patient(house, uid)
    found = house.get(f"/{case_id}")
    if whose == "A1":
        assert (found["state"], written_of(house, case_id)) == ("filed", digests(house, uid))
    else:
        assert (found["state"], found["persons"][0]["stopped"], written_of(house, case_id)) == ("open", True, set())
    house.delete(case_id)
    house.work.expire()
    assert require_one_patient(house, uid) == whose


@pytest.mark.parametrize("step", ["_decide", "_land", "_note"])
def test_what_is_taken_back_while_another_files_it_too_is_the_other_s(
    house: ImportHouse, images: dict[str, bytes], step: str
) -> None:
    images["report.pdf"] = PDF
    first, second = (ready(house, images, BORN_CT, patient_id="A1") for _ in range(2))
    assert house.file(first)["state"] == "filed"
    asked(house, second)
    with before(step, lambda: house.post(f"/{first}/people/0/take-back")):
        at_once(house, lambda: attempt(house, second))
    assert house.get(f"/{second}")["state"] == "filed"
    assert require_one_patient(house, uid_of(images), SLICES + 1) == "A1"
    assert (house.post(f"/{second}/people/0/take-back")["gone"], digests(house, uid_of(images))) == (SLICES + 1, set())
    for case_id in (first, second):
        house.delete(case_id)


def test_what_was_filed_under_a_wrong_patient_is_taken_back_though_another_is_to_file_it_under_the_right_one(
    house: ImportHouse, images: dict[str, bytes]
) -> None:
    first, second = (ready(house, images, BORN_CT, patient_id=number) for number in ("A1", "B2"))
    asked(house, second)  # while nothing is here yet
    assert house.file(first)["state"] == "filed"
    gone: list[object] = []
    with before("_decide", lambda: gone.append(house.post(f"/{first}/people/0/take-back")["gone"])):
        at_once(house, lambda: attempt(house, second))
    assert (gone, house.get(f"/{second}")["state"]) == ([SLICES], "filed")
    assert require_one_patient(house, uid_of(images)) == "B2"
    for case_id in (first, second):
        house.delete(case_id)
