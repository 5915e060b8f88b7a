"""An object that comes again: the new copy goes once the old one is known to be whole, and else takes its place."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from radrelay import audit
from radrelay.archive import deletion
from radrelay.archive.instances import InstanceRef, PackPlace
from radrelay.archive.models import InstanceHolding
from radrelay.archive.reader import InstanceReader
from radrelay.archive.second_copies import SecondCopies
from radrelay.audit.models import AuditEvent
from radrelay.storage.keys import UnwrapFailed
from radrelay.storage.models import Erasure, LandingRecord, Pack
from radrelay.storage.neighbours import NodeAway
from radrelay.storage.objectstore import StoreUnavailable
from radrelay.storage.segments import RecordLocation, SegmentReader
from tests.archive.house import House, data_set_of, house, slices

__all__ = ["house"]

KEEP = timedelta(days=35)


def copies_of(house: House, reader: InstanceReader | None = None) -> SecondCopies:
    parts = house.site.parts
    fresh = InstanceReader(parts.database, parts.clock, parts.segments, parts.packs)
    return SecondCopies(parts.database, parts.clock, parts.segments, reader or fresh, KEEP)


def contents(files: list[bytes]) -> dict[str, bytes]:
    return {f"1.2.9.1.{number}": data_set_of(file) for number, file in enumerate(files, 1)}


def mended(house: House) -> list[tuple[str, str]]:
    with house.site.database.read() as session:
        events = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "instance.mend"))
        return [(event.actor_kind, event.subject_id) for event in events]


def waiting(house: House) -> list[str]:
    with house.site.database.read() as session:
        return list(session.scalars(sa.select(Erasure.kind).where(Erasure.done_at.is_(None))))


def count(house: House, model: Any) -> int:
    with house.site.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def place_of(house: House) -> Any:
    return house.refs()[0].place


def record_overwritten(house: House) -> None:
    place = place_of(house)
    owner = place.owner.rpartition("/")[2]
    path = house.site.settings.landing_dir / owner / f"seg-{place.segment:010d}.seg"
    with path.open("r+b") as file:
        file.seek(place.offset + place.length // 2)
        file.write(b"\xff" * 100)


def record_erased(house: House) -> None:
    house.site.parts.segments.erase(place_of(house))


def record_row_lost(house: House) -> None:
    with house.site.database.write() as session:
        session.execute(sa.delete(LandingRecord))


def pack_overwritten(house: House) -> None:
    [path] = [path for path in (house.site.settings.data_dir / "packs").rglob("*") if path.is_file()]
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    path.write_bytes(data)


def pack_gone(house: House) -> None:
    house.site.parts.packs.delete(place_of(house).ref.name)


def pack_s_key_gone(house: House) -> None:
    house.site.parts.keys.destroy([place_of(house).ref.pack_id])


@pytest.mark.parametrize("packed", [False, True])
def test_a_copy_of_what_is_whole_goes_and_nothing_changes(house: House, packed: bool) -> None:
    files = slices(3)
    house.bring(files)
    if packed:
        house.compact()
    before = [ref.place for ref in house.refs()]
    house.bring(files)
    assert copies_of(house).settle() == 3
    house.eraser().finish()
    assert [ref.place for ref in house.refs()] == before
    assert (house.contents(), waiting(house), mended(house)) == (contents(files), [], [])
    assert count(house, LandingRecord) == (0 if packed else 3)


@pytest.mark.parametrize("damage", [record_overwritten, record_erased, record_row_lost])
def test_a_copy_takes_the_place_of_a_landed_object_that_cannot_be_read(
    house: House, damage: Callable[[House], None]
) -> None:
    files = slices(1)
    house.bring(files)
    first = place_of(house)
    damage(house)
    house.bring(files)
    assert copies_of(house).settle() == 1
    assert house.contents() == contents(files)
    assert mended(house) == [("system", str(house.refs()[0].id))]
    house.eraser().finish()
    with house.site.database.read() as session:
        assert session.get(LandingRecord, first.record_id) is None
    assert house.compact() == 1
    house.eraser().finish()
    assert (house.contents(), house.landed(), waiting(house)) == (contents(files), 0, [])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(pack_overwritten, marks=pytest.mark.embedded(reason="a pack's file is written over")),
        pack_gone,
        pack_s_key_gone,
    ],
)
def test_copies_take_the_places_of_packed_objects_that_cannot_be_read(
    house: House, damage: Callable[[House], None]
) -> None:
    files = slices(1)
    house.bring(files)
    house.compact()
    damage(house)
    house.bring(files)
    assert copies_of(house).settle() == 1
    assert (house.landed(), count(house, Pack)) == (1, 0)
    house.eraser().finish()
    assert house.contents() == contents(files)
    assert house.compact() == 1
    house.eraser().finish()
    assert (house.contents(), house.landed(), waiting(house)) == (contents(files), 0, [])


def test_a_lost_pack_comes_back_object_by_object_and_is_given_up_with_its_last(house: House) -> None:
    files = slices(3)
    house.bring(files)
    house.compact()
    pack_gone(house)
    house.bring(files[:2])
    assert copies_of(house).settle() == 2
    house.eraser().finish()
    assert (house.landed(), count(house, Pack), waiting(house)) == (2, 1, [])
    house.bring(files)
    assert copies_of(house).settle() == 3
    house.eraser().finish()
    assert (house.contents(), house.landed(), count(house, Pack)) == (contents(files), 3, 0)
    assert len(mended(house)) == 3


class Faulty(InstanceReader):
    """Reads until it is told what stands in the way."""

    fault: Exception | None = None

    def stream(self, ref: InstanceRef) -> Iterator[bytes]:
        if self.fault is not None:
            raise self.fault
        return super().stream(ref)


def faulty(house: House, fault: Exception) -> Faulty:
    parts = house.site.parts
    reader = Faulty(parts.database, parts.clock, parts.segments, parts.packs)
    reader.fault = fault
    return reader


def test_a_copy_takes_the_place_of_what_lies_on_a_machine_that_is_away(house: House) -> None:
    files = slices(1)
    house.bring(files)
    first = place_of(house)
    house.bring(files)
    assert copies_of(house, faulty(house, NodeAway())).settle() == 1
    second = place_of(house)
    assert isinstance(second, RecordLocation)
    assert second.record_id != first.record_id
    assert waiting(house) == ["moved"]  # the machine erases its own once it is back; backups' copies stay readable
    assert house.contents() == contents(files)


def test_while_the_store_does_not_answer_both_copies_stay(house: House) -> None:
    files = slices(2)
    house.bring(files)
    house.compact()
    house.bring(files)
    reader = faulty(house, StoreUnavailable())
    copies = copies_of(house, reader)
    assert copies.settle() == 0
    assert waiting(house).count("duplicate") == 2
    house.eraser().finish()
    assert count(house, LandingRecord) == 2
    reader.fault = None
    assert copies.settle() == 2
    house.eraser().finish()
    assert (house.landed(), count(house, LandingRecord), house.contents()) == (0, 0, contents(files))


class Passing(SegmentReader):
    """Reads no second copy until what stands in the way has passed."""

    fault: Exception | None = None

    def stream(self, location: RecordLocation) -> Iterator[bytes]:
        if self.fault is not None:
            raise self.fault
        return super().stream(location)


def passing(house: House, fault: Exception) -> Passing:
    segments = Passing(house.site.settings.landing_dir, house.site.parts.keyring)
    segments.fault = fault
    return segments


TOO_MANY, UNREAD = OSError(errno.EMFILE, "too many open files"), OSError(errno.EIO, "input/output error")


@pytest.mark.parametrize("fault", [TOO_MANY, UNREAD, UnwrapFailed(), NodeAway()])
def test_a_second_copy_that_cannot_be_read_just_now_stays_beside_a_damaged_object(
    house: House, fault: Exception
) -> None:
    files = slices(1)
    house.bring(files)
    record_overwritten(house)
    house.bring(files)
    parts = house.site.parts
    segments = passing(house, fault)
    reader = InstanceReader(parts.database, parts.clock, parts.segments, parts.packs)
    copies = SecondCopies(parts.database, parts.clock, segments, reader, KEEP)
    assert copies.settle() == 0
    house.eraser().finish()
    assert (waiting(house), count(house, LandingRecord)) == (["duplicate"], 2)
    segments.fault = None
    assert copies.settle() == 1
    house.eraser().finish()
    assert (house.contents(), len(mended(house))) == (contents(files), 1)


def test_while_neither_copy_can_be_read_just_now_nothing_changes(house: House) -> None:
    files = slices(1)
    house.bring(files)
    first = place_of(house)
    house.bring(files)
    parts = house.site.parts
    reader, segments = faulty(house, UNREAD), passing(house, TOO_MANY)
    copies = SecondCopies(parts.database, parts.clock, segments, reader, KEEP)
    assert copies.settle() == 0
    assert (waiting(house), place_of(house), mended(house)) == (["duplicate"], first, [])
    reader.fault = None
    assert copies.settle() == 1
    house.eraser().finish()
    assert (place_of(house), house.contents(), count(house, LandingRecord)) == (first, contents(files), 1)


def test_of_two_senders_at_once_one_copy_takes_the_place_and_the_other_goes(house: House) -> None:
    files = slices(1)
    house.bring(files)
    record_overwritten(house)
    threads = [threading.Thread(target=house.bring, args=(files, source)) for source in ("stow", "upload")]
    index, house.site.index = house.site.index, lambda: 0  # type: ignore[method-assign]  # both land, then both are seen
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.site.index = index  # type: ignore[method-assign]
    assert house.site.index() == 2
    assert copies_of(house).settle() == 2
    house.eraser().finish()
    assert (house.contents(), len(mended(house))) == (contents(files), 1)
    assert (count(house, LandingRecord), count(house, InstanceHolding)) == (1, 1)


def test_two_machines_that_find_the_same_damage_put_one_copy_in_place(house: House) -> None:
    files = slices(1)
    house.bring(files)
    record_overwritten(house)
    house.bring(files)
    house.bring(files)
    other = copies_of(house)

    class Meanwhile(InstanceReader):
        """Lets the other machine decide while this one reads."""

        asked = 0

        def stream(self, ref: InstanceRef) -> Iterator[bytes]:
            Meanwhile.asked += 1
            try:
                yield from super().stream(ref)
            finally:
                if Meanwhile.asked == 1:
                    other.settle()

    parts = house.site.parts
    copies_of(house, Meanwhile(parts.database, parts.clock, parts.segments, parts.packs)).settle()
    copies_of(house).settle()
    house.eraser().finish()
    assert (house.contents(), len(mended(house)), count(house, LandingRecord)) == (contents(files), 1, 1)


def test_what_is_deleted_before_its_copy_is_looked_at_takes_the_copy_along(house: House) -> None:
    house.bring(slices(1))
    house.bring(slices(1))
    with house.site.database.write() as session:
        deletion.delete_study(session, house.studies()[0], house.site.clock.now())
    assert set(waiting(house)) == {"record"}
    assert copies_of(house).settle() == 0
    house.eraser().finish()
    assert (house.studies(), waiting(house), count(house, LandingRecord)) == ([], [], 0)


def test_a_copy_that_is_damaged_itself_takes_no_place(house: House) -> None:
    files = slices(1)
    house.bring(files)
    house.compact()
    pack_gone(house)
    house.bring(files)
    with house.site.database.read() as session:
        row = session.scalars(sa.select(LandingRecord).join(Erasure, Erasure.id == LandingRecord.id)).all()[-1]
        place = RecordLocation(row.id, row.owner, row.segment, row.epoch, row.offset, row.length)
    house.site.parts.segments.erase(place)
    copies_of(house).settle()
    assert isinstance(place_of(house), PackPlace)
    assert mended(house) == []


def test_backups_of_before_stay_readable(house: House) -> None:
    """The key of a pack that was given up is kept for backups, and goes with what lay in it."""
    files = slices(1)
    house.bring(files)
    house.compact()
    key = place_of(house).ref.pack_id
    pack_gone(house)
    house.bring(files)
    copies_of(house).settle()
    house.eraser().finish()
    assert house.site.parts.keys.known([key]) == {key}
    with house.site.database.write() as session:
        deletion.delete_study(session, house.studies()[0], house.site.clock.now())
    house.eraser().finish()
    assert house.site.parts.keys.known([key]) == set()


def test_every_event_of_it_is_in_the_chain(house: House) -> None:
    house.bring(slices(1))
    record_erased(house)
    house.bring(slices(1))
    copies_of(house).settle()
    with house.site.database.read() as session:
        assert audit.verify(session, house.site.services.metadata_key).intact
