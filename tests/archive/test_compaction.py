"""Compaction: what was received comes back byte for byte, whatever happens meanwhile."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import sqlalchemy as sa

from radrelay.archive import compaction, deletion, drafts, packing
from radrelay.archive.instances import InstanceRef, PackPlace
from radrelay.archive.models import Instance
from radrelay.archive.packing import Source, write_pack
from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import parse_preamble
from radrelay.storage.database import DatabaseUnavailable
from radrelay.storage.ids import new_id
from radrelay.storage.models import Erasure, Pack
from radrelay.storage.packs import KeyDestroyed, PackStore
from radrelay.storage.segments import RecordLocation
from tests.archive.house import WHEEL, House, data_set_of, house, made, slices, wheel_file

__all__ = ["house"]


def refs_of(files: list[Path]) -> tuple[list[InstanceRef], dict[uuid.UUID, bytes]]:
    """Return refs for files as if they had been indexed, and their data sets."""
    refs, contents = [], {}
    for number, path in enumerate(files):
        whole = path.read_bytes()
        try:
            head = parse_preamble(whole)
        except Malformed:
            continue
        data_set = whole[head.dataset_offset :]
        place: Any = None
        ref = InstanceRef(
            new_id(), uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), "1.2", "1.2.1", f"1.2.1.{number}",
            head.sop_class_uid, head.transfer_syntax_uid, number, 1, len(data_set), hashlib.sha256(data_set).digest(),
            path.name, place,
        )  # fmt: skip
        refs.append(ref)
        contents[ref.id] = data_set
    return refs, contents


def in_one_pack(house: House, files: list[Path]) -> None:
    refs, contents = refs_of(files)
    packs = house.site.parts.packs
    source = Source(lambda ref: contents[ref.id], lambda ref: iter([contents[ref.id]]))
    info, table = write_pack(packs, new_id(), refs, source, house.executor)
    parted = 0
    for number, ref in enumerate(refs):
        packed = replace(ref, place=PackPlace(info.ref, number))
        assert house.reader.data_set(packed) == contents[ref.id], ref.file_name
        assert b"".join(house.reader.stream(packed)) == contents[ref.id], ref.file_name
        entry = table.entries[number]
        parted += entry.recipe is not None
        if entry.frames or entry.frame_lengths:
            count = house.reader.frame_count(packed)
            frames = list(house.reader.frames(packed, range(1, count + 1)))
            if entry.recipe is None:
                assert all(frame.data in contents[ref.id] or len(entry.frames[0].pieces) > 1 for frame in frames)
            else:
                joined = b"".join(frame.as_received() for frame in frames)
                assert joined in contents[ref.id]
    assert parted > 0


def test_every_file_of_pydicom_comes_back_byte_for_byte(house: House) -> None:
    in_one_pack(house, sorted(WHEEL.glob("*.dcm")))


@pytest.mark.shared
def test_every_real_file_of_every_codec_comes_back_byte_for_byte(house: House, shared_data: Path) -> None:
    in_one_pack(house, [path for path in sorted((shared_data / "codecs").rglob("*")) if path.is_file()])


def test_a_series_moves_into_one_pack_and_its_records_are_given_up(house: House) -> None:
    files = slices(5)
    house.bring(files)
    assert house.landed() == 5
    assert house.compact() == 5
    assert (house.landed(), len(house.packs())) == (0, 1)
    assert house.contents() == {f"1.2.9.1.{n}": data_set_of(file) for n, file in enumerate(files, 1)}
    with house.site.database.read() as session:
        kinds = session.scalars(sa.select(Erasure.kind)).all()
    assert kinds == ["moved"] * 5  # nothing is left of the draft
    house.eraser().finish()
    assert len(house.contents()) == 5


def test_late_arrivals_get_a_pack_of_their_own_and_many_packs_become_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MERGED_PACKS", 3)
    files = slices(4)
    for number, file in enumerate(files):
        house.bring([file])
        house.compact()
        assert len(house.packs()) == (number + 1 if number < 3 else 1)
    assert house.contents() == {f"1.2.9.1.{n}": data_set_of(file) for n, file in enumerate(files, 1)}
    house.eraser().finish()
    assert len(house.contents()) == 4
    with house.site.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Pack)) == 1


def test_an_instance_deleted_while_its_pack_is_written_is_not_in_it(house: House) -> None:
    house.bring(slices(4))
    packs = DeletingPacks(house, house.refs()[1].id)
    compactor = house.compactor(packs=packs)
    assert compactor.compact_study(house.site.organisation_id, house.studies()[0]) == 3
    assert sorted(house.contents()) == ["1.2.9.1.1", "1.2.9.1.3", "1.2.9.1.4"]
    assert len(packs.written) == 2  # the first was refused
    with pytest.raises(KeyDestroyed):
        house.site.parts.keys.get(packs.written[0])
    assert [name for name, _, _ in house.site.parts.packs.names()] == [house.site.parts.packs.name_of(packs.written[1])]


class DeletingPacks:
    """A pack store in whose first pack's writing something is deleted."""

    def __init__(self, house: House, victim: uuid.UUID) -> None:
        self._house, self._victim = house, victim
        self.written: list[uuid.UUID] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._house.site.parts.packs, name)

    def create(self, pack_id: uuid.UUID, study_id: uuid.UUID) -> Any:
        if not self.written:
            with self._house.site.database.write() as session:
                deletion.delete_instance(session, self._victim, self._house.site.clock.now())
        self.written.append(pack_id)
        return self._house.site.parts.packs.create(pack_id, study_id)


def test_deleting_one_of_a_pack_moves_its_neighbours_under_a_new_key(house: House) -> None:
    files = slices(3)
    house.bring(files)
    house.compact()
    house.eraser().finish()
    (old,) = house.packs()
    with house.site.database.write() as session:
        deletion.delete_instance(session, house.refs()[1].id, house.site.clock.now())
    done = house.eraser().finish()
    assert done.waiting == 0
    (new,) = house.packs()
    assert new != old
    with pytest.raises(KeyDestroyed):
        house.site.parts.keys.get(old)
    assert house.contents() == {f"1.2.9.1.{n}": data_set_of(files[n - 1]) for n in (1, 3)}
    assert len(list(house.site.parts.packs.names())) == 1


class Killed(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", ["before writing", "while writing", "before adoption"])
def test_a_kill_between_the_steps_loses_nothing_and_leaves_no_key(
    house: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    files = slices(3)
    house.bring(files)
    begun: list[uuid.UUID] = []

    def die(*_: object, **__: object) -> Any:
        raise Killed

    create = PackStore.create

    def noted(store: PackStore, pack_id: uuid.UUID, study_id: uuid.UUID) -> Any:
        writer = create(store, pack_id, study_id)
        begun.append(pack_id)
        if step == "while writing":
            monkeypatch.setattr(type(writer), "abort", lambda _: None)  # a killed process tidies nothing up
        return writer

    monkeypatch.setattr(PackStore, "create", noted)
    if step == "before writing":
        monkeypatch.setattr(compaction, "write_pack", die)
    elif step == "while writing":
        monkeypatch.setattr(packing, "_write", die)
    else:
        monkeypatch.setattr(compaction.Compactor, "_adopt", die)
    with pytest.raises(Killed):
        house.compact()
    monkeypatch.undo()
    expected = {f"1.2.9.1.{n}": data_set_of(file) for n, file in enumerate(files, 1)}
    assert house.contents() == expected
    house.site.clock.advance(timedelta(minutes=11))
    assert house.compact() == 3
    house.eraser().finish()
    assert house.contents() == expected
    for pack_id in begun:
        with pytest.raises(KeyDestroyed):
            house.site.parts.keys.get(pack_id)
    assert len(list(house.site.parts.packs.names())) == 1


def test_a_pack_whose_draft_was_abandoned_meanwhile_is_not_adopted(house: House) -> None:
    house.bring(slices(2))
    packs = SlowPacks(house)
    assert house.compactor(packs=packs).compact_study(house.site.organisation_id, house.studies()[0]) == 2
    assert len(packs.written) == 2
    house.eraser().finish()
    assert len(house.contents()) == 2


class SlowPacks(DeletingPacks):
    """A pack store whose first pack takes so long that others take its writer for dead."""

    def __init__(self, house: House) -> None:
        super().__init__(house, uuid.uuid4())

    def create(self, pack_id: uuid.UUID, study_id: uuid.UUID) -> Any:
        if not self.written:
            self._house.site.clock.advance(timedelta(minutes=11))
            assert self._house.compactor().abandon_drafts() == 1
        self.written.append(pack_id)
        return self._house.site.parts.packs.create(pack_id, study_id)


def test_a_pack_that_takes_very_long_is_adopted_while_its_writer_lives(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "TOUCH_S", 0.02)
    house.bring(slices(2))
    packs = LongPacks(house)
    assert house.compactor(packs=packs).compact_study(house.site.organisation_id, house.studies()[0]) == 2
    assert len(packs.written) == 1
    house.eraser().finish()
    assert len(house.contents()) == 2
    assert not [thread for thread in threading.enumerate() if thread.name == "draft"]


class LongPacks(DeletingPacks):
    """A pack store whose pack takes half an hour while others look for dead writers."""

    def __init__(self, house: House) -> None:
        super().__init__(house, uuid.uuid4())

    def create(self, pack_id: uuid.UUID, study_id: uuid.UUID) -> Any:
        self.written.append(pack_id)
        for _ in range(5):
            self._house.site.clock.advance(timedelta(minutes=9))
            self._wait_touched(pack_id)
            assert self._house.compactor().abandon_drafts() == 0
        return self._house.site.parts.packs.create(pack_id, study_id)

    def _wait_touched(self, pack_id: uuid.UUID) -> None:
        for _ in range(500):
            with self._house.site.database.read() as session:
                touched = session.scalar(sa.select(Erasure.requested_at).where(Erasure.id == pack_id))
            if touched == self._house.site.clock.now():
                return
            time.sleep(0.02)
        raise AssertionError("the draft was not touched")


def test_a_database_that_is_away_for_a_while_costs_a_living_writer_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "TOUCH_S", 0.01)
    house.bring(slices(2))
    writing = house.site.database.write
    refused: list[int] = []

    def away() -> Any:
        if threading.current_thread().name == "draft" and len(refused) < 3:
            refused.append(1)
            raise DatabaseUnavailable
        return writing()

    monkeypatch.setattr(house.site.database, "write", away)
    packs = LongPacks(house)
    assert house.compactor(packs=packs).compact_study(house.site.organisation_id, house.studies()[0]) == 2
    assert len(packs.written) == 1
    assert len(refused) == 3


def test_a_damaged_object_is_left_where_it_lies_and_its_neighbours_move(house: House) -> None:
    house.bring(slices(3))
    with house.site.database.write() as session:
        session.execute(sa.update(Instance).where(Instance.number == 2).values(sha256=bytes(32)))
    assert house.compact() == 2
    assert (house.landed(), len(house.packs())) == (1, 1)


def test_many_damaged_objects_do_not_keep_their_neighbours_from_moving(house: House) -> None:
    house.bring(slices(compaction.TRIES + 3))
    with house.site.database.write() as session:
        session.execute(sa.update(Instance).where(Instance.number > 2).values(sha256=bytes(32)))
    assert house.compact() == 2
    assert (house.landed(), len(house.packs())) == (compaction.TRIES + 1, 1)


def test_an_object_whose_bytes_are_gone_does_not_hinder_its_neighbours(house: House) -> None:
    house.bring(slices(3))
    place = house.refs()[1].place
    assert isinstance(place, RecordLocation)
    house.site.parts.segments.erase(place)
    assert house.compact() == 2
    assert (house.landed(), len(house.packs())) == (1, 1)


def test_memory_is_bounded_by_bytes_ahead_not_by_count(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    refs, contents = refs_of([WHEEL / "CT_small.dcm"] * 12)
    size = len(next(iter(contents.values())))
    monkeypatch.setattr(packing, "AHEAD_BYTES", 2 * size)
    held = Held(contents)
    ahead: list[int] = []
    write = packing._write

    def noted(*args: Any) -> Any:
        ahead.append(len(held.order) - len(ahead))
        return write(*args)

    monkeypatch.setattr(packing, "_write", noted)
    with ThreadPoolExecutor(8) as executor:
        write_pack(house.site.parts.packs, new_id(), refs, Source(held.whole, held.pieces), executor)
    assert len(ahead) == 12
    assert max(ahead) <= 2


class Held:
    """Gives data sets and notes their order."""

    def __init__(self, contents: dict[uuid.UUID, bytes]) -> None:
        self.contents = contents
        self.order: list[uuid.UUID] = []

    def whole(self, ref: InstanceRef) -> bytes:
        self.order.append(ref.id)
        return self.contents[ref.id]

    def pieces(self, ref: InstanceRef) -> Iterator[bytes]:
        yield self.contents[ref.id]


def test_frames_that_are_too_many_to_be_listed_are_read_from_their_pack(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)  # too small to be encoded
    changes = {"NumberOfFrames": 3, "Rows": 2, "Columns": 2, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    house.bring([made("CT_small.dcm", **changes, PixelRepresentation=0, PixelData=frames.tobytes())])
    monkeypatch.setattr(packing, "MOST_PLACES", 2)
    assert house.compact() == 1
    (ref,) = house.refs()
    assert isinstance(ref.place, PackPlace)
    assert house.reader.table(ref.place.ref).entries[0].frames == ()
    assert house.reader.frame_count(ref) == 3
    assert [frame.data for frame in house.reader.frames(ref, [3, 1])] == [frames[2].tobytes(), frames[0].tobytes()]


def test_what_is_too_large_to_hold_is_copied_as_received(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "IN_MEMORY", 1000)
    house.bring([wheel_file("CT_small.dcm")])
    assert house.compact() == 1
    assert list(house.contents().values()) == [data_set_of(wheel_file("CT_small.dcm"))]
    (ref,) = house.refs()
    frame = house.reader.frame(ref, 1)
    assert frame.data == pydicom.dcmread(WHEEL / "CT_small.dcm").PixelData
    assert b'"00280010"' in house.site.services.metadata.array([ref])
