"""Holdings end, people delete, keys go, bytes go; and all of it again after a kill."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from radrelay.archive import deletion, holdings
from radrelay.archive.erasing import Eraser
from radrelay.archive.errors import InstanceNotFound, SeriesNotFound, StudyNotFound
from radrelay.archive.models import (
    Attachment,
    Holding,
    Instance,
    InstanceHolding,
    Modality,
    Patient,
    Series,
    ShortToken,
    Study,
    Tombstone,
)
from radrelay.archive.query import StudyQuery
from radrelay.archive.retention import Retention, replay
from radrelay.archive.search import find_studies
from radrelay.archive.tables import INSTANCE
from radrelay.clock import FixedClock
from radrelay.errors import Unavailable
from radrelay.settings import RetentionSettings
from radrelay.storage.ids import new_id
from radrelay.storage.keystore import LedgerEntry
from radrelay.storage.models import Erasure, LandingRecord, Pack
from radrelay.storage.segments import RecordLocation
from tests.archive.arriving import START, Door

HOUR = timedelta(hours=1)


class Killed(Exception):
    """The process was killed here."""


class Stores:
    """Key store, landing segments and packs that note what is done to them, in order; may be killed at a step."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []
        self.ledger: list[LedgerEntry] = []
        self.failing: set[str] = set()
        self.kill_at: int | None = None

    def _step(self, name: str, subject: object) -> None:
        if name in self.failing:
            raise Unavailable
        if self.kill_at is not None and len(self.done) >= self.kill_at:
            raise Killed
        self.done.append((name, subject))

    def append_ledger(self, entries: Sequence[LedgerEntry]) -> None:
        self._step("ledger", [entry.subject_id for entry in entries])
        self.ledger.extend(entries)

    def destroy(self, key_ids: Sequence[uuid.UUID]) -> None:
        self._step("destroy", list(key_ids))

    def known(self, key_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
        return set()

    def erase_many(self, locations: Sequence[RecordLocation]) -> None:
        self._step("erase", [location.record_id for location in locations])

    def delete(self, name: str) -> None:
        self._step("free", name)

    @property
    def node(self) -> str:
        return ""

    def steps(self) -> list[str]:
        return [name for name, _ in self.done]


class House:
    """A door with retention behind it."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.clock = FixedClock(START)
        self.stores = Stores()
        self.rewritten: list[uuid.UUID] = []
        self.eraser = Eraser(door.database, self.clock, self.stores, self.stores, self.stores, self._rewrite)
        settings = RetentionSettings.model_validate({"clock_jump_s": 6 * 3600})
        self.retention = Retention(door.database, self.clock, settings, self.eraser)
        self.retention.expire()

    def _rewrite(self, pack_id: uuid.UUID, instance_ids: Sequence[uuid.UUID]) -> None:
        self.rewritten.append(pack_id)
        [first] = {i.series_id for i in self.door.rows(Instance) if i.id in set(instance_ids)}
        new = self.pack(list(instance_ids), first)
        assert new != pack_id

    def pass_time(self, span: timedelta) -> None:
        """Let time pass as a running server sees it."""
        end = self.clock.now() + span
        while self.clock.now() < end:
            self.clock.advance(min(5 * HOUR, end - self.clock.now()))
            self.retention.expire()

    def pack(self, instance_ids: list[uuid.UUID], series_id: uuid.UUID) -> uuid.UUID:
        """Put instances into one pack, as compaction does."""
        pack_id = new_id()
        with self.door.database.write() as session:
            first = session.get_one(Instance, instance_ids[0])
            session.add(
                Pack(
                    id=pack_id,
                    organisation_id=first.organisation_id,
                    series_id=series_id,
                    study_id=first.study_id,
                    holding_id=first.holding_id,
                    generation=1,
                    name=f"ab/{pack_id.hex}",
                    plain_bytes=1,
                    stored_bytes=1,
                    toc_offset=0,
                    toc_length=0,
                    created_at=self.clock.now(),
                )
            )
            session.execute(
                sa.update(INSTANCE)
                .where(INSTANCE.c.id.in_(instance_ids))
                .values(pack_id=pack_id, pack_entry=0, record_id=None)
            )
        return pack_id

    def delete(self, function: Callable[..., None], subject: uuid.UUID) -> None:
        with self.door.database.write() as session:
            function(session, subject, self.clock.now())

    def visible(self) -> list[str]:
        with self.door.database.read() as session:
            page = find_studies(session, self.door.organisation_id, StudyQuery(), sa.true(), self.clock.now())
        return [study.study_uid for study in page.studies]

    def nothing_left(self) -> bool:
        models = (Patient, Study, Series, Instance, Holding, InstanceHolding, Modality, ShortToken, Attachment, Pack)
        return not any(self.door.rows(model) for model in models) and not self.door.rows(LandingRecord)


@pytest.fixture
def house(door: Door) -> House:
    return House(door)


def test_a_study_is_hidden_at_its_time_and_gone_after_the_next_look(house: House) -> None:
    house.door.bring_all(house.door.slices(3))
    house.pass_time(47 * HOUR)
    assert house.visible() == ["1.2.3"]
    house.clock.advance(HOUR + timedelta(seconds=1))
    assert house.visible() == []
    expired = house.retention.expire()
    assert (expired.holdings, expired.finished.erased, expired.finished.waiting) == (1, 3, 0)
    assert house.nothing_left()
    assert house.stores.steps() == ["ledger", "erase", "destroy"]  # the keys of the records' copies in backups
    assert [(entry.kind, entry.reason) for entry in house.stores.ledger] == [("holding", "expired")]


def test_what_another_source_holds_lives_until_that_one_ends(house: House) -> None:
    house.door.bring_all(house.door.slices(3))
    other = house.door.other(retention_s=96 * 3600)
    other.bring_all(other.slices(2))
    house.pass_time(49 * HOUR)
    assert house.door.study().instance_count == 2
    assert [instance.holding_id for instance in house.door.rows(Instance)] == [house.door.rows(Holding)[0].id] * 2
    assert house.door.study().expires_at == START + 96 * HOUR + timedelta(milliseconds=2)
    assert not house.door.rows(InstanceHolding)
    house.pass_time(48 * HOUR)
    assert house.nothing_left()


def test_a_pack_with_no_survivor_loses_its_key_before_its_bytes(house: House) -> None:
    verdicts = house.door.bring_all(house.door.slices(3))
    pack_id = house.pack([v.instance_id for v in verdicts if v.instance_id], house.door.rows(Series)[0].id)
    for record in house.door.rows(LandingRecord):
        with house.door.database.write() as session:
            deletion.discard_records(session, house.door.organisation_id, [record.id], START)
    house.pass_time(49 * HOUR)
    assert house.nothing_left()
    assert house.stores.steps()[-3:] == ["ledger", "destroy", "free"]
    assert ("destroy", [pack_id]) in house.stores.done


def test_a_pack_that_survives_whole_changes_hands(house: House) -> None:
    verdicts = house.door.bring_all(house.door.slices(3))
    pack_id = house.pack([v.instance_id for v in verdicts if v.instance_id], house.door.rows(Series)[0].id)
    other = house.door.other(retention_s=None)
    other.bring_all(other.slices(3))
    house.pass_time(49 * HOUR)
    [pack] = house.door.rows(Pack)
    assert (pack.id, pack.holding_id) == (pack_id, house.door.rows(Holding)[0].id)
    assert ("destroy", [pack_id]) not in house.stores.done
    assert not house.rewritten


def test_a_mixed_pack_is_rewritten_before_its_key_is_destroyed(house: House) -> None:
    verdicts = house.door.bring_all(house.door.slices(3))
    pack_id = house.pack([v.instance_id for v in verdicts if v.instance_id], house.door.rows(Series)[0].id)
    other = house.door.other(retention_s=None)
    other.bring_all(other.slices(1))
    house.pass_time(49 * HOUR)
    assert house.rewritten == [pack_id]
    [pack] = house.door.rows(Pack)
    [instance] = house.door.rows(Instance)
    assert instance.pack_id == pack.id != pack_id
    assert ("destroy", [pack_id]) in house.stores.done
    assert ("free", f"ab/{pack_id.hex}") in house.stores.done


@pytest.mark.parametrize("kill_at", range(6))
def test_a_kill_between_any_two_steps_is_made_good_by_the_next_start(house: House, kill_at: int) -> None:
    verdicts = house.door.bring_all(house.door.slices(4))
    ids = [v.instance_id for v in verdicts if v.instance_id]
    house.pack(ids[:2], house.door.rows(Series)[0].id)
    house.delete(deletion.delete_study, house.door.study().id)
    assert house.visible() == []
    house.stores.kill_at = kill_at
    try:
        house.eraser.finish()
    except Killed:
        house.stores.kill_at = None
        house.eraser.finish()
    steps = house.stores.steps()
    assert steps[0] == "ledger"
    assert steps.index("ledger") < steps.index("destroy") < steps.index("free")
    assert all(erasure.done_at for erasure in house.door.rows(Erasure))
    assert all(tombstone.ledgered_at for tombstone in house.door.rows(Tombstone))


def test_a_store_that_does_not_answer_is_tried_again(house: House) -> None:
    verdicts = house.door.bring_all(house.door.slices(2))
    house.pack([v.instance_id for v in verdicts if v.instance_id], house.door.rows(Series)[0].id)
    house.delete(deletion.delete_study, house.door.study().id)
    house.stores.failing = {"free"}
    assert house.eraser.finish().waiting == 1
    assert "destroy" in house.stores.steps()
    house.stores.failing = set()
    assert house.eraser.finish().waiting == 0


def test_a_deleted_series_takes_its_study_along_only_when_it_was_the_last(house: House) -> None:
    door = house.door
    door.bring_all([*door.slices(2), *door.slices(3, series_uid="1.2.3.2", modality="SR")])
    [report] = door.rows(Series, series_uid="1.2.3.2")
    house.delete(deletion.delete_series, report.id)
    study = door.study()
    assert (study.series_count, study.instance_count, study.modalities) == (1, 2, "CT")
    assert [row.modality for row in door.rows(Modality)] == ["CT"]
    house.delete(deletion.delete_series, door.rows(Series)[0].id)
    house.eraser.finish()
    assert house.nothing_left()


def test_a_deleted_instance_goes_in_all_its_versions(house: House) -> None:
    door = house.door
    door.source = replace(door.source, duplicate_policy="supersede")
    door.bring()
    verdict = door.bring(content="b")
    door.bring(sop_uid="1.2.3.1.2")
    assert verdict.instance_id is not None
    house.delete(deletion.delete_instance, verdict.instance_id)
    assert [instance.sop_uid for instance in door.rows(Instance)] == ["1.2.3.1.2"]
    assert len(door.rows(Erasure)) == 2


def test_an_older_version_stands_in_when_the_newer_ones_holding_ends(house: House) -> None:
    door = house.door
    door.source = replace(door.source, retention_s=None)
    door.bring()
    passing = door.other(retention_s=3600, duplicate_policy="supersede")
    passing.bring(content="b")
    house.pass_time(2 * HOUR)
    [instance] = door.rows(Instance)
    assert (instance.version, instance.current) == (1, True)
    assert door.study().instance_count == 1


def test_deleting_what_is_not_there_says_so(house: House) -> None:
    for function, error in (
        (deletion.delete_study, StudyNotFound),
        (deletion.delete_series, SeriesNotFound),
        (deletion.delete_instance, InstanceNotFound),
    ):
        with pytest.raises(error):
            house.delete(function, new_id())


def test_a_patient_stays_while_another_study_does(house: House) -> None:
    door = house.door
    door.bring()
    door.bring(study_uid="1.9", series_uid="1.9.1", sop_uid="1.9.1.1")
    house.delete(deletion.delete_study, door.study().id)
    assert len(door.rows(Patient)) == 1
    house.delete(deletion.delete_study, door.study("1.9").id)
    assert not door.rows(Patient)


def test_a_hold_lasts_up_to_the_ceiling_and_not_beyond(house: House) -> None:
    door = house.door
    door.source = replace(door.source, max_age_s=72 * 3600)
    door.bring()
    with door.database.write() as session:
        times = holdings.hold(session, door.study().id, None, "second opinion", START)
    assert (times.expires_at, times.held) == (START + 72 * HOUR, True)
    house.pass_time(71 * HOUR)
    assert house.visible() == ["1.2.3"]
    house.pass_time(HOUR + timedelta(seconds=1))
    assert house.nothing_left()


def test_a_hold_counts_for_later_sources_too_and_is_released(house: House) -> None:
    door = house.door
    door.bring()
    with door.database.write() as session:
        holdings.hold(session, door.study().id, START + 100 * HOUR, "", START)
    assert door.study().expires_at == START + 100 * HOUR
    other = door.other()
    other.bring(START + HOUR, sop_uid="1.2.3.1.2")
    assert {holding.ends_at for holding in door.rows(Holding)} == {START + 100 * HOUR}
    with door.database.write() as session:
        times = holdings.release(session, door.study().id, START + HOUR)
    assert (times.expires_at, times.held) == (START + 49 * HOUR, False)


def test_a_study_that_is_over_cannot_be_held(house: House) -> None:
    house.door.bring()
    study_id = house.door.study().id
    with pytest.raises(StudyNotFound), house.door.database.write() as session:
        holdings.hold(session, study_id, None, "", START + 50 * HOUR)


def test_a_clock_that_jumps_ahead_destroys_nothing_until_confirmed(house: House) -> None:
    house.door.bring()
    house.clock.advance(timedelta(days=365))
    assert house.retention.expire().suspended
    assert house.retention.suspended_at() == START + timedelta(days=365)
    assert len(house.door.rows(Instance)) == 1
    assert house.stores.done == []
    house.clock.advance(timedelta(days=-365) + HOUR)  # the clock is set right
    assert not house.retention.expire().suspended
    assert house.visible() == ["1.2.3"]
    house.clock.advance(timedelta(days=365))
    assert house.retention.expire().suspended
    house.retention.confirm_clock()
    assert not house.retention.expire().suspended
    assert house.nothing_left()


def test_attachments_end_with_their_holding_or_by_their_own_time(house: House) -> None:
    door = house.door
    door.bring()
    [holding] = door.rows(Holding)
    with door.database.write() as session:
        for owner, ends_at in ((holding.id, holding.ends_at), (None, START + HOUR)):
            record = new_id()
            columns = {"owner": "web", "segment": 1, "epoch": 1, "offset": 0, "length": 5}
            session.add(LandingRecord(id=record, organisation_id=door.organisation_id, **columns))
            session.add(_attachment(door, record, owner, ends_at))
    house.pass_time(2 * HOUR)
    assert [attachment.holding_id for attachment in door.rows(Attachment)] == [holding.id]
    house.pass_time(47 * HOUR)
    assert house.nothing_left()


def _attachment(door: Door, record: uuid.UUID, holding: uuid.UUID | None, ends_at: datetime | None) -> Attachment:
    return Attachment(
        organisation_id=door.organisation_id,
        study_id=door.study().id if holding else None,
        holding_id=holding,
        file_name="letter.pdf",
        file_size=5,
        file_type="application/pdf",
        sha256=bytes(32),
        received_at=START,
        ends_at=ends_at,
        record_id=record,
    )


def test_a_restored_backup_repeats_every_deletion(house: House) -> None:
    door = house.door
    door.bring_all(door.slices(2))
    door.bring(study_uid="1.9", series_uid="1.9.1", sop_uid="1.9.1.1")
    [series] = door.rows(Series, series_uid="1.9.1")
    [holding] = door.rows(Holding, study_id=door.study().id)
    ledger = [
        LedgerEntry(START, door.organisation_id, "holding", holding.id, "expired"),
        LedgerEntry(START, door.organisation_id, "series", series.id, "deleted"),
        LedgerEntry(START, door.organisation_id, "study", new_id(), "deleted"),
        LedgerEntry(START, door.organisation_id, "quarantine", new_id(), "deleted"),
    ]
    seen: list[uuid.UUID] = []
    further = {"quarantine": lambda session, subject, at: seen.append(subject)}
    assert replay(door.database, ledger, START, further) == 3
    assert seen == [ledger[3].subject_id]
    assert replay(door.database, ledger[:3], START) == 0
    house.eraser.finish()
    assert house.nothing_left()
