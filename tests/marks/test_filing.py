"""Marks filed in their study: once, as they are, after they have rested, and never against a deletion."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import highdicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from radrelay.access import Principal, system_principal
from radrelay.app.rows import dump_rows, load_rows
from radrelay.archive import deletion, holdings
from radrelay.archive.errors import StudyNotFound
from radrelay.archive.instances import find_instances
from radrelay.archive.models import Holding, Instance, Study, Tombstone
from radrelay.archive.reader import InstanceReader
from radrelay.audit.models import AuditEvent
from radrelay.dicom.part10 import file_meta
from radrelay.intake.models import Quarantined
from radrelay.marks import filing, gathering, jobs
from radrelay.marks.filing import MarkFilings
from radrelay.marks.jobs import MarksWork
from radrelay.marks.models import MarkedStudy, MarkFiling
from radrelay.marks.objects.report_reading import read_report
from radrelay.settings import MarksSettings
from radrelay.storage.models import OutboxEvent
from radrelay.storage.outbox import open_events
from tests.marks.marking import Shelf, complaints, delete, file, length, listed, opened, put, shelf, two_series
from tests.web.conftest import Login, WebSite
from tests.web.test_studies import anna

__all__ = ["anna"]


@pytest.fixture
def study(site: WebSite, anna: Login) -> Shelf:
    return two_series(site, anna)


def objects(site: WebSite, *modalities: str) -> list[Dataset]:
    """Return the objects of the site's study that were made of marks, by their number."""
    reader = InstanceReader(site.database, site.clock, site.parts.segments, site.parts.packs)
    with site.database.read() as session:
        refs = find_instances(session, site.clock.now(), organisation_id=site.organisation_id)
    found = [
        opened(file_meta(ref.sop_class_uid, ref.sop_uid, ref.transfer_syntax_uid) + reader.data_set(ref))
        for ref in refs
        if ref.sop_uid.startswith("2.25.")
    ]
    mine = [data for data in found if data.Modality in (modalities or ("SR", "PR", "KO"))]
    return sorted(mine, key=lambda data: int(data.InstanceNumber))


def studies(site: WebSite) -> list[Study]:
    with site.database.read() as session:
        return list(session.scalars(sa.select(Study)))


def by_system(site: WebSite) -> Principal:
    return system_principal(site.organisation_id)


def work(site: WebSite, file_after_s: int = 900) -> MarksWork:
    settings = MarksSettings(file_after_s=file_after_s)
    return MarksWork(site.database, site.clock, settings, site.services.filings)


def test_marks_become_valid_objects_of_their_study(site: WebSite, anna: Login, study: Shelf, tmp_path: Path) -> None:
    mark = uuid.uuid4()
    kept = put(anna, study.study, mark, length(study.instances[0], text="Rundherd")).json()
    put(anna, study.study, uuid.uuid4(), length(study.instances[1]))
    put(anna, study.study, uuid.uuid4(), length(study.instances[1], kind="key", points=[], values=[]))
    filed = file(anna, study.study)
    assert sorted(one["kind"] for one in filed) == ["key-objects", "presentation", "presentation", "report"]
    site.index()
    made = objects(site)
    assert {data.SOPInstanceUID for data in made} == {one["sop_uid"] for one in filed}
    for data in made:
        assert (data.PatientID, data.PatientName, data.Manufacturer) == ("P1", "Müller^Änne", "Radrelay")
    (report,) = objects(site, "SR")
    (found,) = [one for one in read_report(report) if one.id == mark]
    assert [list(point) for point in found.points] == kept["points"]
    assert [(v.name, v.value, v.unit) for v in found.values] == [("length", 33.333333333333336, "mm")]
    assert (found.text, found.author.name) == ("Rundherd", "anna")
    with site.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Quarantined)) == 0
    detail = anna.http.get(f"/api/studies/{study.study}").json()
    assert sorted(one["modality"] for one in detail["series"]) == ["CT", "KO", "MR", "PR", "SR"]
    states = {data.ReferencedSeriesSequence[0].SeriesInstanceUID: data for data in objects(site, "PR")}
    assert len(states) == 2
    assert any(data.RescaleIntercept == -1024 for data in states.values()), "the CT's own"


def test_unchanged_marks_filed_twice_make_nothing_new(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0]))
    assert len(file(anna, study.study)) == 2
    site.clock.advance(timedelta(hours=1))
    assert file(anna, study.study) == []
    site.index()
    assert file(anna, study.study) == []
    assert len(objects(site)) == 2


def test_changed_marks_make_a_report_that_names_the_one_before(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    file(anna, study.study)
    put(anna, study.study, mark, length(study.instances[0], 1, text="grown"))
    file(anna, study.study)
    site.index()
    first, second = objects(site, "SR")
    assert "PredecessorDocumentsSequence" not in first
    named = second.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.SeriesInstanceUID == first.SeriesInstanceUID == second.SeriesInstanceUID
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.SOPInstanceUID
    assert [one.text for one in read_report(second)] == ["grown"]


def test_marks_taken_back_leave_a_report_that_says_so_and_no_empty_presentation_state(
    site: WebSite, anna: Login, study: Shelf
) -> None:
    mark, other = uuid.uuid4(), uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    put(anna, study.study, other, length(study.instances[1]))
    file(anna, study.study)
    site.index()
    first = {data.ReferencedSeriesSequence[0].SeriesInstanceUID: data.SOPInstanceUID for data in objects(site, "PR")}
    delete(anna, study.study, mark, 1)
    assert [one["kind"] for one in file(anna, study.study)] == ["report"]
    (kept,) = objects(site, "PR")
    assert kept.SOPInstanceUID == first.pop(kept.ReferencedSeriesSequence[0].SeriesInstanceUID), "of the other series"
    (gone,) = first.values()
    with site.database.read() as session:
        record = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "marks.withdraw")).one()
        assert session.scalars(sa.select(Tombstone.reason)).all() == ["withdrawn"]
    assert json.loads(record.detail) == {"objects": [gone], "held": False}
    hold(site, study)
    delete(anna, study.study, other, 1)
    assert [one["kind"] for one in file(anna, study.study)] == ["report"]
    assert file(anna, study.study) == []
    site.index()
    assert read_report(objects(site, "SR")[-1]) == []
    assert [data.SOPInstanceUID for data in objects(site, "PR")] == [kept.SOPInstanceUID], "a hold keeps every object"
    assert drawings(anna, study) == [], "what was taken back is not offered"
    with site.database.write() as session:
        holdings.release(session, study.study, site.clock.now())
    work(site).sweep()
    assert objects(site, "PR") == []
    put(anna, study.study, mark, length(study.instances[0], 2))
    again = {one["kind"]: one["sop_uid"] for one in file(anna, study.study)}
    site.index()
    assert [data.SOPInstanceUID for data in objects(site, "PR")] == [again["presentation"]] != [gone]


def key(study: Shelf, instance: int = 0) -> dict[str, Any]:
    return length(study.instances[instance], kind="key", points=[], values=[])


def test_key_objects_go_with_the_last_key_image_and_come_anew(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, key(study))
    (first,) = file(anna, study.study)
    site.index()
    assert len(objects(site, "KO")) == 1
    delete(anna, study.study, mark, 1)
    assert file(anna, study.study) == []
    assert objects(site, "KO") == []
    with site.database.read() as session:
        record = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "marks.withdraw")).one()
        tombstone = session.scalars(sa.select(Tombstone)).one()
    assert (record.subject_id, record.actor_name, first["sop_uid"] in str(record.detail)) == (
        str(study.study), "anna", True,
    )  # fmt: skip
    assert (tombstone.kind, tombstone.reason) == ("instance", "withdrawn")
    put(anna, study.study, mark, {**key(study), "revision": 2})
    (again,) = file(anna, study.study)
    site.index()
    assert again["sop_uid"] != first["sop_uid"]
    assert [data.SOPInstanceUID for data in objects(site, "KO")] == [again["sop_uid"]]


def test_changed_key_images_leave_one_selection(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), key(study))
    file(anna, study.study)
    site.index()
    put(anna, study.study, uuid.uuid4(), key(study, 1))
    (second,) = file(anna, study.study)
    assert work(site).sweep() == 0
    assert len(objects(site, "KO")) == 1, "the first stays until the second stands in its place"
    site.index()
    assert work(site).sweep() == 0
    assert [data.SOPInstanceUID for data in objects(site, "KO")] == [second["sop_uid"]]
    with site.database.read() as session:
        record = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "marks.withdraw")).one()
    assert (record.actor_kind, record.subject_id) == ("system", str(study.study))
    put(anna, study.study, uuid.uuid4(), key(study))
    (third,) = file(anna, study.study)
    site.index()
    assert file(anna, study.study) == []
    assert [data.SOPInstanceUID for data in objects(site, "KO")] == [third["sop_uid"]], "filing withdraws as well"


def test_key_objects_whose_successor_is_not_taken_stay(
    site: WebSite, anna: Login, study: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(anna, study.study, uuid.uuid4(), key(study))
    (first,) = file(anna, study.study)
    site.index()
    with monkeypatch.context() as patch:
        whole = filing.made
        patch.setattr(filing, "made", lambda sheet: whole(sheet).replace(b"2.25.", b"2.26."))
        put(anna, study.study, uuid.uuid4(), key(study, 1))
        file(anna, study.study)
        patch.setattr(filing, "made", lambda _: b"no object at all")
        put(anna, study.study, uuid.uuid4(), key(study))
        assert file(anna, study.study) == [], "what was not taken is not said to be filed"
    site.index()
    assert work(site).sweep() == 0
    assert file(anna, study.study) == []
    assert first["sop_uid"] in {data.SOPInstanceUID for data in objects(site, "KO")}
    put(anna, study.study, uuid.uuid4(), key(study, 1))
    (last,) = file(anna, study.study)
    site.index()
    work(site).sweep()
    assert [data.SOPInstanceUID for data in objects(site, "KO")] == [last["sop_uid"]]


def test_key_objects_withdrawn_before_they_appeared_do_not_stay(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, key(study))
    file(anna, study.study)
    delete(anna, study.study, mark, 1)
    file(anna, study.study)  # the first has landed, and is not in the index yet
    site.index()
    work(site).sweep()
    assert objects(site, "KO") == []


def drawings(login: Login, study: Shelf) -> list[Any]:
    found: list[Any] = login.http.get(f"/api/studies/{study.study}/drawings").json()["drawings"]
    return found


def hold(site: WebSite, study: Shelf, until: timedelta | None = None) -> None:
    with site.database.write() as session:
        now = site.clock.now()
        holdings.hold(session, study.study, now + until if until else None, "a trial", now)


def test_key_objects_of_a_held_study_stay_until_it_is_released(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, key(study))
    (first,) = file(anna, study.study)
    site.index()
    hold(site, study)
    delete(anna, study.study, mark, 1)
    assert file(anna, study.study) == []
    work(site).sweep()
    assert [data.SOPInstanceUID for data in objects(site, "KO")] == [first["sop_uid"]], "a hold keeps every object"
    assert drawings(anna, study) == [], "what was taken back is not offered"
    with site.database.read() as session:
        record = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "marks.withdraw")).one()
        assert session.scalars(sa.select(Tombstone)).all() == []
    assert json.loads(record.detail)["held"] is True
    put(anna, study.study, mark, {**key(study), "revision": 2})
    (again,) = file(anna, study.study)
    site.index()
    work(site).sweep()
    assert {data.SOPInstanceUID for data in objects(site, "KO")} == {first["sop_uid"], again["sop_uid"]}
    with site.database.write() as session:
        holdings.release(session, study.study, site.clock.now())
    work(site).sweep()
    assert [data.SOPInstanceUID for data in objects(site, "KO")] == [again["sop_uid"]]


def test_objects_replaced_under_a_hold_go_when_it_lapses(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    put(anna, study.study, uuid.uuid4(), key(study))
    file(anna, study.study)
    site.index()
    hold(site, study, until=timedelta(hours=1))
    put(anna, study.study, mark, length(study.instances[0], 1, text="grown"))
    put(anna, study.study, uuid.uuid4(), key(study, 1))
    newer = {one["sop_uid"] for one in file(anna, study.study) if one["kind"] != "report"}
    site.index()
    for after, count in ((timedelta(minutes=30), 4), (timedelta(hours=1), 2)):
        site.clock.advance(after)
        work(site).sweep()
        assert len(objects(site, "KO", "PR")) == count
    assert {data.SOPInstanceUID for data in objects(site, "KO", "PR")} == newer


def test_changed_marks_leave_one_presentation_state_of_a_series(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    put(anna, study.study, uuid.uuid4(), length(study.instances[1]))
    file(anna, study.study)
    site.index()
    kept = {data.SOPInstanceUID for data in objects(site, "PR")}
    put(anna, study.study, mark, length(study.instances[0], 1, text="grown"))
    (newer,) = [one["sop_uid"] for one in file(anna, study.study) if one["kind"] == "presentation"]
    work(site).sweep()
    assert {data.SOPInstanceUID for data in objects(site, "PR")} == kept, "until the newer one stands in its place"
    site.index()
    work(site).sweep()
    left = {data.SOPInstanceUID for data in objects(site, "PR")}
    assert (newer in left, len(left), len(left & kept)) == (True, 2, 1), "the other series' stays"
    assert len(objects(site, "SR")) == 2, "reports name the ones before"
    assert drawings(anna, study) == []
    assert file(anna, study.study) == []


def test_a_label_put_elsewhere_makes_a_new_presentation_and_no_new_report(
    site: WebSite, anna: Login, study: Shelf
) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    file(anna, study.study)
    put(anna, study.study, mark, length(study.instances[0], 1, label=[30.5, -7.0]))
    assert [one["kind"] for one in file(anna, study.study)] == ["presentation"]
    site.index()
    (text,) = objects(site, "PR")[1].GraphicAnnotationSequence[0].TextObjectSequence
    assert list(text.AnchorPoint) == [41.0, 13.25]


def test_a_crash_between_writing_down_and_landing_loses_and_doubles_nothing(
    site: WebSite, anna: Login, study: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))

    def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MarkFilings, "_note_landed", crash)
        with pytest.raises(KeyboardInterrupt):  # the report has landed, and nobody knows
            site.services.filings.file(study.study, by_system(site))
        patch.setattr(filing, "made", crash)
        with pytest.raises(KeyboardInterrupt):
            site.services.filings.file(study.study, by_system(site))
    put(anna, study.study, mark, length(study.instances[0], 1, text="meanwhile"))
    site.clock.advance(timedelta(minutes=5))
    assert len(file(anna, study.study)) == 4
    site.index()
    first, second = objects(site, "SR")
    assert [one.text for one in read_report(first)] == [""]
    assert [one.text for one in read_report(second)] == ["meanwhile"]
    assert len(objects(site)) == 4
    with site.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Quarantined)) == 0
        assert session.scalars(sa.select(MarkFiling.sheet)).all() == [None] * 4


def test_a_study_deleted_while_its_marks_are_filed_does_not_come_back(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0]))
    assert file(anna, study.study)
    with site.database.write() as session:  # after the object has landed, before it is indexed
        deletion.delete_study(session, study.study, site.clock.now())
    site.index()
    assert studies(site) == []
    with site.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Instance)) == 0
        assert session.scalar(sa.select(sa.func.count()).select_from(Quarantined)) == 0
    with pytest.raises(StudyNotFound):
        site.services.filings.file(study.study, by_system(site))


def test_a_series_deleted_while_its_marks_are_filed_is_not_written_of(
    site: WebSite, anna: Login, study: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0], text="of the one"))
    put(anna, study.study, uuid.uuid4(), length(study.instances[1], text="of the other"))
    look = gathering.look

    def deleting(*given: Any) -> None:
        look(*given)
        with site.database.write() as session:
            if session.get(Instance, study.instances[0]) is not None:
                deletion.delete_series(session, study.series[0], site.clock.now())

    monkeypatch.setattr(filing, "look", deleting)
    assert len(site.services.filings.file(study.study, by_system(site))) == 2
    site.index()
    (report,) = objects(site, "SR")
    assert [one.text for one in read_report(report)] == ["of the other"]


def test_filing_neither_prolongs_a_study_nor_makes_it_new(site: WebSite, anna: Login, study: Shelf) -> None:
    def times() -> list[tuple[Any, ...]]:
        with site.database.read() as session:
            holdings = session.execute(sa.select(Holding.ends_at, Holding.expires_at, Holding.last_received_at)).all()
        rows = studies(site)
        return [*map(tuple, holdings), *((s.expires_at, s.last_received_at, s.state) for s in rows)]

    with site.database.write() as session:
        session.execute(sa.update(Study).values(state="complete", quiet_at=None))
        session.execute(sa.delete(OutboxEvent))
    before = times()
    site.clock.advance(timedelta(hours=20))
    login = site.login("anna")
    put(login, study.study, uuid.uuid4(), length(study.instances[0]))
    file(login, study.study)
    site.index()
    assert times() == before
    assert studies(site)[0].instance_count == 4
    with site.database.read() as session:
        events = open_events(session, ["study.completed"])
    assert [event.subject_id for event in events] == [study.study], "it is packed, and pages hear of it"


def test_marks_are_filed_once_they_have_rested(site: WebSite, anna: Login, study: Shelf) -> None:
    marks = work(site)

    def due() -> int:
        with site.database.write() as session:
            return marks.emit_due(session) if marks.any_due(session) else 0

    mark = uuid.uuid4()
    assert due() == 0
    put(anna, study.study, mark, length(study.instances[0]))
    site.clock.advance(timedelta(seconds=800))
    put(anna, study.study, mark, length(study.instances[0], 1, text="still at it"))
    site.clock.advance(timedelta(seconds=800))
    assert due() == 0
    site.clock.advance(timedelta(seconds=101))
    assert due() == 1
    assert due() == 0, "handed over once"
    with site.database.read() as session:
        (event,) = open_events(session, [jobs.FILE])
    marks.attempt(event)
    marks.attempt(event)
    site.index()
    assert len(objects(site)) == 2
    site.clock.advance(timedelta(hours=1))
    assert due() == 0, "what was filed is no mark of its own"
    with site.database.read() as session:
        record = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "marks.file")).one()
    assert (record.actor_kind, record.subject_id) == ("system", str(study.study))


def test_filing_by_itself_can_be_switched_off(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0]))
    site.clock.advance(timedelta(days=1))
    off = work(site, 0)
    with site.database.write() as session:
        assert (off.any_due(session), off.emit_due(session)) == (False, 0)


def test_filing_that_gave_up_is_taken_up_again(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0]))
    marks = work(site, 1)
    site.clock.advance(timedelta(seconds=2))
    with site.database.write() as session:
        assert marks.emit_due(session) == 1
    assert marks.sweep({study.study}) == 0, "somebody is at it"
    assert (marks.sweep(), marks.sweep()) == (0, 1)
    with site.database.write() as session:
        assert marks.emit_due(session) == 1
    site.services.filings.file(study.study, by_system(site))
    assert (marks.sweep(), marks.sweep()) == (0, 0)


def test_deleted_marks_are_forgotten_after_days(site: WebSite, anna: Login, study: Shelf) -> None:
    mark = uuid.uuid4()
    put(anna, study.study, mark, length(study.instances[0]))
    delete(anna, study.study, mark, 1)
    site.clock.advance(timedelta(days=8))
    work(site).sweep()
    with site.database.read() as session:
        assert session.scalars(sa.select(MarkFiling.id)).all() == []
        assert session.scalar(sa.select(sa.func.count()).select_from(MarkedStudy)) == 1
        assert session.execute(sa.text("SELECT count(*) FROM mark")).scalar() == 0


def test_what_two_sources_hold_is_written_apart(site: WebSite, anna: Login, study: Shelf) -> None:
    with site.database.write() as session:  # the MR series as if another source had brought it
        own = session.scalars(sa.select(Holding)).one()
        other = Holding(
            organisation_id=own.organisation_id, study_id=own.study_id, received_at=own.received_at,
            patient_id=own.patient_id,
            source_id=session.scalar(sa.text("SELECT id FROM source WHERE kind = 'dicom'").columns(id=Holding.id.type)),
            last_received_at=own.last_received_at, ends_at=site.clock.now() + timedelta(hours=1),
        )  # fmt: skip
        session.add(other)
        session.flush()
        session.execute(sa.update(Instance).where(Instance.id == study.instances[1]).values(holding_id=other.id))
    put(anna, study.study, uuid.uuid4(), length(study.instances[0], text="ours"))
    put(anna, study.study, uuid.uuid4(), length(study.instances[1], text="theirs"))
    file(anna, study.study)
    site.index()
    assert sorted(one.text for data in objects(site, "SR") for one in read_report(data)) == ["ours", "theirs"]
    assert [len(read_report(data)) for data in objects(site, "SR")] == [1, 1]
    site.clock.advance(timedelta(hours=2))
    with site.database.write() as session:
        deletion.end_holdings(session, [other.id], site.clock.now())
    (left,) = objects(site, "SR")
    assert [one.text for one in read_report(left)] == ["ours"]


def test_what_was_filed_is_not_shown_as_another_systems_drawing(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0]))
    file(anna, study.study)
    site.index()
    assert len(objects(site)) == 2
    assert anna.http.get(f"/api/studies/{study.study}/drawings").json()["drawings"] == []


def test_marks_and_what_was_filed_of_them_come_back_with_a_backup(site: WebSite, anna: Login, study: Shelf) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0], text="kept"))
    file(anna, study.study)
    site.index()
    rows = bytearray()
    dump_rows(site.database, rows.extend)
    before = listed(anna, study.study)["marks"]
    put(anna, study.study, uuid.uuid4(), length(study.instances[0], text="later"))
    load_rows(site.database, iter([bytes(rows)]), site.clock.now())
    anna = site.login("anna")
    assert listed(anna, study.study)["marks"] == before
    assert file(anna, study.study) == [], "nothing has changed since it was filed"


def test_downloads_are_the_same_marks_without_filing_them(
    site: WebSite, anna: Login, study: Shelf, tmp_path: Path
) -> None:
    put(anna, study.study, uuid.uuid4(), length(study.instances[0], text="Ωδή"))
    address = f"/api/studies/{study.study}/marks"
    report = anna.http.get(f"{address}/report.dcm")
    assert report.headers["content-type"] == "application/dicom"
    assert complaints(report.content, tmp_path) == []
    assert [one.text for one in read_report(opened(report.content))] == ["Ωδή"]
    assert isinstance(highdicom.sr.ComprehensiveSR.from_dataset(opened(report.content)), highdicom.sr.ComprehensiveSR)
    state = anna.http.get(f"{address}/presentation.dcm", params={"series": str(study.series[0])})
    assert complaints(state.content, tmp_path) == []
    empty = anna.http.get(f"{address}/presentation.dcm", params={"series": str(study.series[1])})
    assert (empty.status_code, empty.json()["code"]) == (404, "no-marks")
    assert anna.http.get(f"{address}/key-objects.dcm").json()["code"] == "no-marks"
    put(anna, study.study, uuid.uuid4(), length(study.instances[0], kind="key", points=[], values=[]))
    keys = anna.http.get(f"{address}/key-objects.dcm")
    assert complaints(keys.content, tmp_path) == []
    site.index()
    assert objects(site) == []
    assert len(listed(anna, study.study)["marks"]) == 2
    assert shelf(site).study == study.study
