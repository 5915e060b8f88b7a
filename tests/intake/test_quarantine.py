"""The quarantine: looked into, released, deleted, expired."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from radrelay.archive.models import Instance
from radrelay.intake.errors import QuarantinedUnknown, ReleaseRefused
from radrelay.intake.quarantine import Quarantine
from radrelay.storage.ids import new_id
from radrelay.storage.models import Erasure
from tests.intake.conftest import Site
from tests.intake.samples import ct_file


@pytest.fixture
def quarantine(site: Site) -> Quarantine:
    return Quarantine(site.database, site.reader, site.clock)


def test_an_object_of_another_patient_can_be_taken_into_its_study(site: Site, quarantine: Quarantine) -> None:
    parcel = site.take(("a.dcm", ct_file("1.2.1")), ("b.dcm", ct_file("1.2.2", patient_id="other")))
    assert (parcel.objects, parcel.quarantined) == (1, 1)
    kept = quarantine.list(site.organisation_id)[0]
    assert (kept.code, kept.patient_id_value, kept.file_name, kept.releasable) == (
        "patient-mismatch",
        "other",
        "b.dcm",
        True,
    )
    with site.database.write() as session:
        released = quarantine.release(session, site.organisation_id, kept.id)
    assert released.study_id is not None
    assert site.rows(Instance) == 2
    moved = site.parcels.get(site.organisation_id, parcel.id)
    assert (moved.objects, moved.quarantined) == (2, 0)


def test_other_content_becomes_a_further_version(site: Site, quarantine: Quarantine) -> None:
    site.take(("a.dcm", ct_file("1.2.1")), ("b.dcm", ct_file("1.2.1", note="corrected")))
    kept = quarantine.list(site.organisation_id)[0]
    with site.database.write() as session:
        quarantine.release(session, site.organisation_id, kept.id)
    with site.database.read() as session:
        assert sorted(session.scalars(sa.select(Instance.version))) == [1, 2]


def test_its_header_is_shown_as_text(site: Site, quarantine: Quarantine) -> None:
    site.take(("a.dcm", ct_file("1.2.1")), ("b.dcm", ct_file("1.2.2", patient_id="other")))
    text = quarantine.header_text(site.organisation_id, quarantine.list(site.organisation_id)[0].id)
    assert "(0010,0020) LO PatientID: other" in text
    assert "(0008,0018) UI SOPInstanceUID: 1.2.2" in text


def test_a_malformed_file_can_be_looked_into_and_got_back_but_not_released(site: Site, quarantine: Quarantine) -> None:
    file = ct_file("1.2.1")[:-5000]
    parcel = site.take(("cut.dcm", file))
    assert parcel.quarantined == 1
    kept = quarantine.list(site.organisation_id)[0]
    assert kept.code == "malformed"
    assert not kept.releasable
    assert "PatientName" in quarantine.header_text(site.organisation_id, kept.id)
    assert file.endswith(b"".join(quarantine.content(site.organisation_id, kept.id)))
    with pytest.raises(ReleaseRefused), site.database.write() as session:
        quarantine.release(session, site.organisation_id, kept.id)
    assert quarantine.get(site.organisation_id, kept.id) == kept


def test_a_deleted_one_is_gone_and_its_bytes_are_asked_to_be_erased(site: Site, quarantine: Quarantine) -> None:
    site.take(("cut.dcm", ct_file("1.2.1")[:-5000]))
    kept = quarantine.list(site.organisation_id)[0]
    with site.database.write() as session:
        quarantine.delete(session, site.organisation_id, kept.id)
    assert site.rows(Erasure) == 1
    for call in (quarantine.get, quarantine.header_text, quarantine.content):
        with pytest.raises(QuarantinedUnknown):
            call(site.organisation_id, kept.id)


def test_after_its_time_it_goes_by_itself(site: Site, quarantine: Quarantine) -> None:
    site.take(("cut.dcm", ct_file("1.2.1")[:-5000]))
    assert quarantine.expire() == 0
    site.clock.advance(timedelta(seconds=site.settings.retention.quarantine_s + 1))
    assert quarantine.expire() == 1
    assert quarantine.list(site.organisation_id) == []


def test_another_organisation_sees_nothing_of_it(site: Site, quarantine: Quarantine) -> None:
    site.take(("cut.dcm", ct_file("1.2.1")[:-5000]))
    kept = quarantine.list(site.organisation_id)[0]
    assert quarantine.list(new_id()) == []
    with pytest.raises(QuarantinedUnknown):
        quarantine.get(new_id(), kept.id)


def test_what_could_not_be_read_can_be_released_once_it_can(
    site: Site, quarantine: Quarantine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RecursionError

    with monkeypatch.context() as patch:
        patch.setattr("radrelay.intake.examine.read_attributes", broken)
        patch.setattr("radrelay.intake.releasing.read_attributes", broken)
        site.take(("a.dcm", ct_file("1.2.1")))
        kept = quarantine.list(site.organisation_id)[0]
        assert kept.code == "not-read"
        with pytest.raises(ReleaseRefused), site.database.write() as session:
            quarantine.release(session, site.organisation_id, kept.id)
    with site.database.write() as session:
        quarantine.release(session, site.organisation_id, kept.id)
    assert site.rows(Instance) == 1
