"""Objects without a usable identity: looked into, released with one, the received bytes kept beside."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pydicom
import pytest
import sqlalchemy as sa
from pydicom.data import get_testdata_file
from pydicom.uid import ImplicitVRLittleEndian

from radrelay.archive import deletion
from radrelay.archive.instances import InstanceRef, find_instances
from radrelay.archive.models import Holding, Study
from radrelay.archive.reader import InstanceReader
from radrelay.dicom.errors import NotWritable
from radrelay.dicom.part10 import parse_preamble
from radrelay.dicom.pixels import NotViewable
from radrelay.dicom.reidentify import Modification, reidentify
from radrelay.dicom.syntaxes import DEFLATED_LE
from radrelay.dicom.transcode import inflate
from radrelay.intake.errors import QuarantinedUnknown, ReleaseRefused
from radrelay.intake.identify import RELEASED, IdentifiedLanding
from radrelay.intake.models import Quarantined
from radrelay.intake.quarantine import Quarantine, QuarantinedView
from radrelay.storage.outbox import mark_taken, open_events
from tests.dicom.objects import wheel_file
from tests.intake.conftest import Site
from tests.intake.samples import ct_file

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def quarantine(site: Site) -> Quarantine:
    return Quarantine(site.database, site.reader, site.clock)


def file_with(sop: str = "", **values: Any) -> bytes:
    """Return the CT slice with other values; None takes an attribute out."""
    dataset = pydicom.dcmread(io.BytesIO(ct_file(sop)))
    for name, value in values.items():
        if value is None:
            delattr(dataset, name)
        elif isinstance(value, bytes):
            dataset[name] = pydicom.DataElement(dataset[name].tag, "UI", value.decode("latin-1"))
        else:
            setattr(dataset, name, value)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def waiting(quarantine: Quarantine, site: Site) -> QuarantinedView:
    (kept,) = quarantine.list(site.organisation_id)
    return kept


def release(quarantine: Quarantine, site: Site, into: str = "own", study_id: Any = None) -> QuarantinedView:
    """Release the only object that waits, and do what durable work and the index do then."""
    kept = waiting(quarantine, site)
    with site.database.write() as session:
        quarantine.release_as(session, site.organisation_id, kept.id, into, study_id)  # type: ignore[arg-type]
    work(site)
    return quarantine.get(site.organisation_id, kept.id)


def work(site: Site, *, twice: bool = False) -> None:
    with site.database.write() as session:
        events = open_events(session, [RELEASED])
        mark_taken(session, [event.id for event in events], site.clock.now())
    landing = IdentifiedLanding(site.database, site.reader, site.landing("work"), site.clock)
    for event in events * (2 if twice else 1):
        landing.land(event.subject_id)
    site.index()


def stored(site: Site) -> list[tuple[InstanceRef, pydicom.Dataset]]:
    reader = InstanceReader(site.database, site.clock, site.reader, None)  # type: ignore[arg-type]
    with site.database.read() as session:
        refs = find_instances(session, site.clock.now(), organisation_id=site.organisation_id)
    found = []
    for ref in refs:
        implicit = ref.transfer_syntax_uid == ImplicitVRLittleEndian
        data = pydicom.filereader.read_dataset(io.BytesIO(reader.data_set(ref)), implicit, True)
        found.append((ref, data))
    return found


@pytest.mark.parametrize(
    ("harm", "nonconforming"),
    [
        ({"StudyInstanceUID": None}, False),
        ({"StudyInstanceUID": ""}, False),
        ({"StudyInstanceUID": b"../../etc/passwd"}, True),
        ({"SeriesInstanceUID": None}, False),
        ({"StudyInstanceUID": None, "SeriesInstanceUID": ""}, False),
    ],
)
def test_object_without_usable_uids_is_released_with_ours(
    site: Site, quarantine: Quarantine, harm: dict[str, Any], nonconforming: bool
) -> None:
    file = file_with(**harm)
    parcel = site.take(("odd.dcm", file))
    kept = waiting(quarantine, site)
    assert (kept.code, kept.releasable, kept.identifiable) == ("no-identity", False, True)
    released = release(quarantine, site)
    ((ref, dataset),) = stored(site)
    assert released.instance_id == ref.id
    assert (released.new_study_uid, released.new_sop_uid) == (ref.study_uid, ref.sop_uid)
    for name in harm:
        assert dataset[name].value.startswith("2.25.")
    received = pydicom.dcmread(io.BytesIO(file))
    assert dataset.PixelData == received.PixelData
    assert dataset.PatientID == received.PatientID
    (item,) = dataset.OriginalAttributesSequence
    assert (item.ModifyingSystem, item.ReasonForTheAttributeModification) == ("Radrelay", "CORRECT")
    assert item.AttributeModificationDateTime == "20260301120000.000000+0000"
    (modified,) = item.ModifiedAttributesSequence
    if nonconforming:
        (odd,) = item.NonconformingModifiedAttributesSequence
        assert odd.SelectorAttribute == 0x0020000D
        assert odd.NonconformingDataElementValue.rstrip(b"\0") == b"../../etc/passwd"
    else:
        assert {element.keyword for element in modified} == set(harm)
    moved = site.parcels.get(site.organisation_id, parcel.id)
    assert (moved.objects, moved.quarantined, moved.files) == (1, 0, 1)


def test_slices_of_one_series_stay_together(site: Site, quarantine: Quarantine) -> None:
    for number in range(3):
        site.take((f"{number}.dcm", file_with(f"1.2.{number}", StudyInstanceUID=None)))
    for kept in quarantine.list(site.organisation_id):
        with site.database.write() as session:
            quarantine.release_as(session, site.organisation_id, kept.id, "own", None)
    work(site)
    assert len({ref.series_id for ref, _ in stored(site)}) == 1
    assert {ref.sop_uid for ref, _ in stored(site)} == {"1.2.0", "1.2.1", "1.2.2"}


def test_object_is_released_into_a_study_that_is_here(site: Site, quarantine: Quarantine) -> None:
    site.take(("a.dcm", file_with("1.2.1", PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 192")))
    study = one_study(site)
    site.take(
        (
            "b.dcm",
            file_with(
                "1.2.2", StudyInstanceUID=None, PatientID="other", PatientName="Roe^Jane", SpecificCharacterSet=""
            ),
        )
    )
    release(quarantine, site, "study", study.id)
    assert site.rows(Study) == 1
    dataset = next(data for ref, data in stored(site) if ref.sop_uid == "1.2.2")
    assert (dataset.StudyInstanceUID, dataset.PatientID) == (study.study_uid, study.patient_id_value)
    assert (str(dataset.PatientName), dataset.SpecificCharacterSet) == ("Müller^Jörg", "ISO_IR 192")
    (item,) = dataset.OriginalAttributesSequence
    assert item.ReasonForTheAttributeModification == "COERCE"
    (modified,) = item.ModifiedAttributesSequence
    assert (modified.PatientID, str(modified.PatientName)) == ("other", "Roe^Jane")


def test_object_is_released_as_a_new_study_of_a_patient_that_is_here(site: Site, quarantine: Quarantine) -> None:
    site.take(("a.dcm", ct_file("1.2.1")))
    study = one_study(site)
    site.take(("b.dcm", file_with("1.2.2", StudyInstanceUID=None, PatientID="other")))
    release(quarantine, site, "patient", study.id)
    with site.database.read() as session:
        assert len(set(session.scalars(sa.select(Study.patient_id)))) == 1
    assert site.rows(Study) == 2


def test_object_whose_uid_is_another_studys_is_released_with_a_new_one(site: Site, quarantine: Quarantine) -> None:
    site.take(("a.dcm", ct_file("1.2.1")))
    site.take(("b.dcm", file_with("1.2.1", StudyInstanceUID="1.9", SeriesInstanceUID="1.9.1", ImageComments="b")))
    assert waiting(quarantine, site).code == "instance-elsewhere"
    release(quarantine, site)
    assert {(ref.study_uid, ref.sop_uid.startswith("2.25.")) for ref, _ in stored(site)} >= {("1.9", True)}


def test_what_was_received_stays_byte_for_byte_until_its_instance_goes(site: Site, quarantine: Quarantine) -> None:
    file = file_with(StudyInstanceUID=None)
    site.take(("odd.dcm", file))
    before = b"".join(quarantine.content(site.organisation_id, waiting(quarantine, site).id))
    released = release(quarantine, site)
    assert file.endswith(before)
    site.clock.advance(timedelta(days=3))
    assert quarantine.expire() == 0
    assert b"".join(quarantine.content(site.organisation_id, released.id)) == before
    assert [row.id for row in quarantine.list(site.organisation_id, released=True)] == [released.id]
    assert quarantine.list(site.organisation_id) == []
    with site.database.write() as session:
        holdings = list(session.scalars(sa.select(Holding.id)))
        deletion.end_holdings(session, holdings, site.clock.now())
    assert quarantine.expire() == 1
    with pytest.raises(QuarantinedUnknown):
        quarantine.content(site.organisation_id, released.id)


def test_work_that_is_cut_off_and_done_again_adds_nothing(site: Site, quarantine: Quarantine) -> None:
    site.take(("odd.dcm", file_with(StudyInstanceUID=None)))
    kept = waiting(quarantine, site)
    with site.database.write() as session:
        quarantine.release_as(session, site.organisation_id, kept.id, "own", None)
    with pytest.raises(QuarantinedUnknown), site.database.write() as session:
        quarantine.release_as(session, site.organisation_id, kept.id, "own", None)
    work(site, twice=True)
    assert len(stored(site)) == 1
    assert site.rows(Quarantined) == 1


def test_cut_off_object_without_identity_is_refused_and_stays(site: Site, quarantine: Quarantine) -> None:
    site.take(("odd.dcm", file_with(StudyInstanceUID=None)[:-5000]))
    kept = waiting(quarantine, site)
    with pytest.raises(ReleaseRefused), site.database.write() as session:
        quarantine.release_as(session, site.organisation_id, kept.id, "own", None)
    assert quarantine.get(site.organisation_id, kept.id) == kept


def test_study_must_be_named_exactly_when_one_is_meant(site: Site, quarantine: Quarantine) -> None:
    site.take(("odd.dcm", file_with(StudyInstanceUID=None)))
    kept = waiting(quarantine, site)
    for into, study_id in (("study", None), ("patient", site.organisation_id)):
        with pytest.raises(ReleaseRefused), site.database.write() as session:
            quarantine.release_as(session, site.organisation_id, kept.id, into, study_id)  # type: ignore[arg-type]


def test_picture_is_shown_where_there_is_one_and_never_of_what_may_hold_a_virus(
    site: Site, quarantine: Quarantine
) -> None:
    site.take(("odd.dcm", file_with(StudyInstanceUID=None)))
    kept = waiting(quarantine, site)
    assert quarantine.picture(site.organisation_id, kept.id).startswith(b"\xff\xd8")
    with site.database.write() as session:
        session.execute(sa.update(Quarantined).values(code="infected"))
    with pytest.raises(NotViewable):
        quarantine.picture(site.organisation_id, kept.id)


CHANGE = Modification(datetime(2026, 3, 1, tzinfo=UTC), "Radrelay", "CT1", "COERCE")


@pytest.mark.parametrize(
    "name", ["MR_small_implicit.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "MR_small_RLE.dcm"]
)
def test_identity_is_written_into_every_encoding_and_earlier_changes_stay(name: str) -> None:
    data_set, ts = wheel_file(name)
    for number, value in enumerate(("1.2.3", "1.2.4")):
        data_set, ts = reidentify(data_set, ts, {0x0020000D: value}, CHANGE)
        plain = inflate(data_set) if ts == DEFLATED_LE else data_set
        found = pydicom.filereader.read_dataset(io.BytesIO(plain), ts == ImplicitVRLittleEndian, True)
        assert (found.StudyInstanceUID, len(found.OriginalAttributesSequence)) == (value, number + 1)
    before = pydicom.dcmread(str(get_testdata_file(name, download=False)))
    uids = [item.ModifiedAttributesSequence[0].StudyInstanceUID for item in found.OriginalAttributesSequence]
    assert uids == [before.StudyInstanceUID, "1.2.3"]
    assert found.PatientName == before.PatientName
    assert len(found.PixelData) == len(before.PixelData)


def test_an_object_whose_character_set_lacks_a_letter_becomes_utf8_in_all_its_texts() -> None:
    _, ts = wheel_file("CT_small.dcm")
    inner, own = pydicom.Dataset(), pydicom.Dataset()
    inner.CodeMeaning, own.CodeMeaning = "Schädel", "Кость"
    own.SpecificCharacterSet = "ISO_IR 144"
    latin = file_with(
        SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg", StudyDescription="Schädel",
        AnatomicRegionSequence=[inner, own],
    )  # fmt: skip
    data_set = latin[parse_preamble(latin).dataset_offset :]
    written, _ = reidentify(data_set, ts, {0x00100020: "Ä1"}, CHANGE)
    assert "Müller".encode("latin-1") in written, "what it has letters for it stays in"
    for number, name in enumerate(("山田^太郎", "Łoś^Ewa")):
        written, ts = reidentify(written if number else data_set, ts, {0x00100010: name}, CHANGE)
        found = pydicom.filereader.read_dataset(io.BytesIO(written), False, True)
        found.decode()
        assert (found.SpecificCharacterSet, found.PatientName, found.StudyDescription) == (
            "ISO_IR 192",
            name,
            "Schädel",
        )
        assert [one.CodeMeaning for one in found.AnatomicRegionSequence] == ["Schädel", "Кость"]
        said = [one.ModifiedAttributesSequence[0].PatientName for one in found.OriginalAttributesSequence]
        assert said == ["Müller^Jörg", "山田^太郎"][: number + 1]
    unknown = data_set.replace(b"ISO_IR 100", b"ISO_IR 999")
    with pytest.raises(NotWritable):
        reidentify(unknown, ts, {0x00100010: "山田^太郎"}, CHANGE)


def one_study(site: Site) -> Study:
    with site.database.read() as session:
        study = session.scalars(sa.select(Study)).one()
        session.expunge_all()
        return study


def test_an_object_whose_machine_was_away_for_longer_than_work_tries_is_let_in_once_it_is_back(
    site: Site, quarantine: Quarantine
) -> None:
    site.take(("odd.dcm", file_with(StudyInstanceUID=None)))
    kept = waiting(quarantine, site)
    with site.database.write() as session:
        quarantine.release_as(session, site.organisation_id, kept.id, "own", None)
        mark_taken(session, [event.id for event in open_events(session, [RELEASED])], site.clock.now())
    landing = IdentifiedLanding(site.database, site.reader, site.landing("work"), site.clock)
    assert landing.revive() == 0  # work is only just beginning
    site.clock.advance(timedelta(hours=1))
    assert landing.revive([kept.id]) == 0  # somebody still tries
    assert landing.revive() == 1
    work(site)
    assert quarantine.get(site.organisation_id, kept.id).instance_id is not None
    assert landing.revive() == 0
