"""Pictures that hang or crash their decoder: the client is told so, and the others are shown."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pydicom
import pytest

from radrelay.app.stored import StoredItem
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.dicom.decoder_pool import DecoderPool
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.pixels import DecodingTimedOut
from radrelay.dicom.syntaxes import EXPLICIT_LE
from tests.archive.house import wheel_file
from tests.dicom.harmful import DEADLINE_S, harmful_file, hostile_pool
from tests.dicom.hostile_codecs import CRASHES, HANGS
from tests.web.dicomweb.conftest import Dicomweb, parts_of, settle

pytestmark = pytest.mark.filterwarnings("ignore")
OCTETS = 'multipart/related; type="application/octet-stream"'


@pytest.fixture(autouse=True)
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[DecoderPool]:
    with hostile_pool(monkeypatch) as pool:
        yield pool


@pytest.mark.parametrize(("harm", "code"), [(HANGS, "decoding-timed-out"), (CRASHES, "decoder-crashed")])
def test_every_way_to_a_picture_says_what_happened_and_where(dicomweb: Dicomweb, harm: bytes, code: str) -> None:
    assert dicomweb.store(harmful_file(harm)).status_code == 200
    (path,) = dicomweb.instances()
    ref = _ref(dicomweb)
    rendered = dicomweb.get(f"{path}/rendered", "image/jpeg")
    assert (rendered.status_code, rendered.json()["code"]) == (400, code)
    assert (rendered.json()["instance_id"], rendered.json()["frame"]) == (str(ref.id), 1)
    assert "JPEG-LS Lossless frame (64×64)" in rendered.json()["detail"]
    for way, accept in ((f"{path}/thumbnail", "image/jpeg"), (f"{path}/frames/1", OCTETS)):
        answer = dicomweb.get(way, accept)
        assert (answer.status_code, answer.json()["code"]) == (400, code), way
    assert dicomweb.get(path, 'multipart/related; type="application/dicom"; transfer-syntax=*').status_code == 200


def test_ten_frames_that_hang_cost_one_deadline(dicomweb: Dicomweb) -> None:
    dicomweb.store(harmful_file(HANGS, frames=10))
    (path,) = dicomweb.instances()
    began = time.monotonic()
    assert parts_of(dicomweb.get(f"{path}/rendered", 'multipart/related; type="image/jpeg"')).bodies == []
    assert time.monotonic() - began < 3 * DEADLINE_S


def test_a_study_with_one_harmful_series_still_has_a_thumbnail(dicomweb: Dicomweb) -> None:
    study = pydicom.dcmread(io.BytesIO(harmful_file(HANGS)))
    sound = pydicom.dcmread(io.BytesIO(wheel_file("CT_small.dcm")))
    for name in ("StudyInstanceUID", "PatientID", "PatientName", "PatientBirthDate"):
        setattr(sound, name, study.get(name, ""))
    dicomweb.store(harmful_file(HANGS), _bytes(sound))
    answer = dicomweb.get(f"/studies/{study.StudyInstanceUID}/thumbnail", "image/jpeg")
    assert answer.status_code == 200, answer.text


def test_compaction_keeps_it_as_received_and_a_peer_is_told(dicomweb: Dicomweb, hostile: DecoderPool) -> None:
    whole = harmful_file(HANGS)
    dicomweb.store(whole)
    dicomweb.compact()
    assert hostile.processes() == []
    ref = _ref(dicomweb)
    reader = dicomweb.site.services.reader
    assert reader.data_set(ref) == whole[parse_preamble(whole).dataset_offset :]
    with pytest.raises(DecodingTimedOut, match=r"^Frame 1: ") as told:
        StoredItem(ref, reader).open([EXPLICIT_LE])
    assert told.value.dimse_status == 0xC000
    assert StoredItem(ref, reader).open([EXPLICIT_LE, ref.transfer_syntax_uid])[0] == ref.transfer_syntax_uid


def test_viewing_what_was_packed_here_starts_no_decoder(dicomweb: Dicomweb, hostile: DecoderPool) -> None:
    settle(dicomweb, "packed", ["CT_small.dcm"])
    (path,) = dicomweb.instances()
    for way in ("rendered", "thumbnail"):
        assert dicomweb.get(f"{path}/{way}", "image/jpeg").status_code == 200
    assert dicomweb.get(f"{path}/frames/1", OCTETS).status_code == 200
    assert hostile.processes() == []


def _ref(dicomweb: Dicomweb) -> InstanceRef:
    site = dicomweb.site
    with site.database.read() as session:
        (ref,) = find_instances(session, site.clock.now(), organisation_id=site.organisation_id)
    return ref


def _bytes(dataset: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()
