"""Broken files and hostile archives by every door: the processes live, each is named, the neighbours are kept."""

from __future__ import annotations

import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA

from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import parse_preamble
from tests.system.installation import Installation, memory_mb, running, tool, until
from tests.system.samples import Sample, data_set_of, phantom_files
from tests.system.test_import_export import parcel_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

UID_TEXT = re.compile(r"[0-9][0-9.]{0,62}[0-9]")
ROLES = ("listen", "web", "work")
LIMITS_MB = {"listen": 150, "web": 600, "work": 600}
ARCHIVES = (
    "bad-crc.zip", "bomb-flat-1GiB.zip", "bomb-nested.zip", "empty.zip", "encrypted-flag.zip",
    "patient-cd-upload.zip", "truncated.zip", "two-patients-mixed.zip", "zipslip.zip",
)  # fmt: skip
WHOLE = ("patient-cd-upload.zip", "two-patients-mixed.zip")


@pytest.fixture(scope="module")
def radrelay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give an installation whose memory is the program's own, of which these tests know the limits."""
    with running(tmp_path_factory.mktemp("radrelay"), fresh=True) as made:
        yield made


@pytest.fixture(scope="module")
def pids(radrelay: Installation) -> dict[str, int]:
    """Note the processes at the start: none of them may die."""
    return {role: radrelay.pid(role) for role in ROLES}


@pytest.fixture(autouse=True)
def lives(radrelay: Installation, pids: dict[str, int]) -> object:
    """Look after each test that all processes still run and have not grown."""
    yield
    assert {role: radrelay.pid(role) for role in ROLES} == pids
    peaks = {role: memory_mb(pid, "VmHWM") for role, pid in pids.items()}
    assert {role: peak for role, peak in peaks.items() if peak > LIMITS_MB[role]} == {}
    return None


@pytest.fixture
def neighbours(tmp_path: Path, request: pytest.FixtureRequest) -> list[Sample]:
    """Give good objects to send beside the broken ones."""
    seed = 800 + sum(map(ord, request.node.name))
    return phantom_files(tmp_path / "good", "ct-head", seed=seed, slices=2)


def broken(shared_data: Path) -> list[Path]:
    return sorted(path for path in (shared_data / "broken").rglob("*") if path.is_file())


def archives(shared_data: Path) -> list[Path]:
    """Return the archives, which C-STORE and STOW-RS take for objects."""
    return sorted(path for path in (shared_data / "archives").rglob("*") if path.is_file())


def test_every_archive_of_the_collection_has_its_scenario(shared_data: Path) -> None:
    assert [path.name for path in archives(shared_data)] == sorted(ARCHIVES)


def all_there(radrelay: Installation, samples: list[Sample]) -> None:
    radrelay.wait_study(samples[0].study, len(samples))
    for item in samples:
        assert data_set_of(radrelay.object(item.study, item.series, item.sop)) == item.data_set


def test_broken_files_by_stow(radrelay: Installation, shared_data: Path, neighbours: list[Sample]) -> None:
    paths = [*broken(shared_data), *archives(shared_data)]
    codes: Counter[int] = Counter()
    with radrelay.http() as http:
        for path in paths:
            content = b"".join(
                b"--limit\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n"
                for part in (neighbours[0].path.read_bytes(), path.read_bytes(), neighbours[1].path.read_bytes())
            )
            headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=limit'}
            answer = http.post("/dicom-web/studies", content=content + b"--limit--\r\n", headers=headers)
            assert answer.status_code in (200, 202), f"{path.name}: {answer.status_code} {answer.text[:300]}"
            codes[answer.status_code] += 1
            document = answer.json()
            kept = {row["00081155"]["Value"][0] for row in document["00081199"]["Value"]}
            assert kept >= {item.sop for item in neighbours}
            for failed in document.get("00081198", {}).get("Value", []):
                assert failed["00081197"]["Value"][0] in (0xA700, 0xA900, 0xC000, 0x0110, 0x0122)
                assert failed["00000902"]["Value"][0]
    assert codes[202] >= 10
    all_there(radrelay, neighbours)


def test_broken_files_by_upload(radrelay: Installation, shared_data: Path, neighbours: list[Sample]) -> None:
    paths = broken(shared_data)
    with radrelay.http() as http:
        number = http.post("/api/parcels", json={"name": "broken"}).json()["id"]
        for path in [*paths, *(item.path for item in neighbours)]:
            content = path.read_bytes()
            answer = http.put(f"/api/parcels/{number}/files", params={"name": path.name}, content=content)
            assert answer.status_code in (200, 400, 413), f"{path.name}: {answer.status_code} {answer.text[:300]}"
            if answer.status_code != 200:
                assert answer.json()["code"]
        assert http.post(f"/api/parcels/{number}/done").status_code == 202
    parcel = parcel_of(radrelay, "broken")
    counted = sum(parcel[name] for name in ("objects", "duplicates", "attachments", "quarantined"))
    refused = [finding for finding in parcel["findings"] if finding["code"] != "missing-on-disc"]
    assert counted + len(refused) == parcel["files"] == len(paths) + len(neighbours)
    assert all(finding["code"] and finding["text"] for finding in parcel["findings"])
    all_there(radrelay, neighbours)


def test_broken_files_by_import(
    radrelay: Installation, shared_data: Path, tmp_path: Path, neighbours: list[Sample]
) -> None:
    folder = tmp_path / "broken by import"
    shutil.copytree(shared_data / "broken", folder)
    shutil.copytree(tmp_path / "good", folder / "good")
    radrelay.command("import", str(folder))
    parcel = parcel_of(radrelay, folder.name)
    assert parcel["files"] == len(broken(shared_data)) + len(neighbours)
    all_there(radrelay, neighbours)


def announced(content: bytes) -> tuple[str, str, str, bytes]:
    """Return SOP class and instance, transfer syntax and data set as a sender that looks no deeper announces them."""
    try:
        head = parse_preamble(content)
    except Malformed:
        return CTImageStorage, "1.2.3", ExplicitVRLittleEndian, content
    sop_uid = head.sop_uid if UID_TEXT.fullmatch(head.sop_uid) else "1.2.3"
    sop_class = head.sop_class_uid if head.sop_class_uid.startswith("1.2.840.10008.5.1.4.1.1.") else CTImageStorage
    return sop_class, sop_uid, head.transfer_syntax_uid or ExplicitVRLittleEndian, content[head.dataset_offset :]


class Checkpoint(threading.Event):
    """Where pynetdicom's reactor stops when told to; says when it stands there.

    Its own sign, `_is_paused`, is up already before the reactor looks whether it is to stop: on a busy machine it may
    go on after that, and take an answer that somebody else waits for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        if not self.is_set():
            self.reached.set()
        return super().wait(timeout)


@contextmanager
def by_hand(association: Association) -> Iterator[None]:
    """Keep pynetdicom's reactor from taking what is received."""
    association._reactor_checkpoint = stop = Checkpoint()
    try:
        assert stop.reached.wait(60), "the reactor has ended"
        yield
    finally:
        stop.set()


def exchange(association: Association, sop_class: str, sop_uid: str, data_set: bytes) -> C_STORE | None:
    """Send one object, whatever its bytes, and return the answer; the association is in our hands."""
    context = next(found for found in association.accepted_contexts if found.abstract_syntax == sop_class)
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = UID(sop_class), UID(sop_uid)
    request.DataSet = BytesIO(data_set)
    association.dimse.send_msg(request, context.context_id or 1)
    if not data_set:  # announced, and then left out by pynetdicom: an empty fragment that is the last
        nothing = P_DATA()
        nothing.presentation_data_value_list = [[context.context_id or 1, b"\x02"]]  # type: ignore[list-item]  # it wants lists
        association.dul.send_pdu(nothing)
    _, answer = association.dimse.get_msg(block=True)
    return answer if isinstance(answer, C_STORE) else None


def store(radrelay: Installation, content: bytes, neighbour: Sample) -> tuple[int, str]:
    """Send a data set as it is, and a good one behind it; return status and comment, -1 if there was no answer."""
    sop_class, sop_uid, syntax, data_set = announced(content)
    ae = AE("BROKEN")
    ae.dimse_timeout = 60
    ae.add_requested_context(sop_class, [syntax if UID_TEXT.fullmatch(syntax) else ExplicitVRLittleEndian])
    ae.add_requested_context(MRImageStorage, neighbour.transfer_syntax)
    association = ae.associate("127.0.0.1", radrelay.dicom_port)
    assert association.is_established
    with by_hand(association):
        told = exchange(association, sop_class, sop_uid, data_set)
        if told is None or told.Status is None:
            return -1, "no answer"
        kept = exchange(association, MRImageStorage, neighbour.sop, neighbour.data_set)
    assert kept is not None
    assert kept.Status == 0, "the good one behind it"
    association.release()
    return int(told.Status), str(told.ErrorComment)


def test_broken_files_by_c_store(
    radrelay: Installation, shared_data: Path, tmp_path: Path, neighbours: list[Sample]
) -> None:
    """Data sets are sent as they are, by a sender that does not look at them; each is answered, with the reason."""
    paths = [*broken(shared_data), *archives(shared_data)]
    behind = phantom_files(tmp_path / "behind", "mr-head", seed=811, slices=1)[:1]
    found = {path.name: store(radrelay, path.read_bytes(), behind[0]) for path in paths}
    strange = {name: told for name, told in found.items() if told[0] not in (0, 0x0110) and told[0] < 0xA700}
    assert strange == {}
    assert {name: told for name, told in found.items() if told[0] and not told[1]} == {}
    assert len({status for status, _ in found.values()}) >= 3
    assert all(found[name][0] >= 0xA900 for name in ARCHIVES)
    tool("storescu", "localhost", radrelay.dicom_port, *[item.path for item in neighbours])
    all_there(radrelay, neighbours)
    all_there(radrelay, behind)


@pytest.mark.parametrize("name", ARCHIVES)
def test_hostile_archive_by_upload_and_import(
    radrelay: Installation, shared_data: Path, tmp_path: Path, neighbours: list[Sample], name: str
) -> None:
    archive = shared_data / "archives" / "made" / name
    with radrelay.http() as http:
        number = http.post("/api/parcels", json={"name": f"up {name}"}).json()["id"]
        for path in (archive, *(item.path for item in neighbours)):
            answer = http.put(f"/api/parcels/{number}/files", params={"name": path.name}, content=path.read_bytes())
            assert answer.status_code < 500, answer.text
        assert http.post(f"/api/parcels/{number}/done").status_code == 202
    folder = tmp_path / f"in {name}"
    folder.mkdir()
    shutil.copy(archive, folder)
    radrelay.command("import", str(folder), check=False)
    for parcel in (parcel_of(radrelay, f"up {name}"), parcel_of(radrelay, folder.name)):
        assert all(finding["code"] and finding["text"] for finding in parcel["findings"])
        assert name == "empty.zip" or parcel["findings"] or parcel["objects"] + parcel["duplicates"] > 0
        if name in WHOLE:
            assert parcel["objects"] + parcel["duplicates"] + parcel["quarantined"] > len(neighbours)
        if "bomb" in name:
            assert any("bomb" in f["code"] or "limit" in f["code"] or "max_" in f["text"] for f in parcel["findings"])
    all_there(radrelay, neighbours)
    outside = [path for path in radrelay.folder.rglob("*") if "passwd" in path.name or "evil" in path.name.lower()]
    assert outside == []


def test_what_is_kept_aside_can_be_looked_into_and_deleted(radrelay: Installation, tmp_path: Path) -> None:
    whole = phantom_files(tmp_path / "whole", "ct-head", seed=81, slices=1)[0]
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(whole.path.read_bytes()[:900])
    radrelay.command("import", str(cut), check=False)
    found = until(
        lambda: [
            row
            for row in radrelay.get("/api/quarantine", limit=500)["quarantined"]
            if row["file_name"].endswith("cut.dcm")
        ],
        "the cut file in the quarantine",
    )
    assert found[0]["code"] == "malformed"
    with radrelay.http() as http:
        assert http.get(f"/api/quarantine/{found[0]['id']}/header").status_code == 200
        assert http.delete(f"/api/quarantine/{found[0]['id']}").status_code == 204
        assert http.get(f"/api/quarantine/{found[0]['id']}/header").status_code == 404
