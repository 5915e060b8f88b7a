"""Reading instances wherever they lie, while they move, after they went."""

from __future__ import annotations

import io
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pydicom
import pytest
import sqlalchemy as sa
from pydicom.uid import DeflatedExplicitVRLittleEndian

from radrelay.archive import deletion, reader
from radrelay.archive.instances import InstanceRef
from radrelay.archive.models import Instance
from radrelay.archive.reader import FrameNotThere, InstanceGone, InstanceReader
from radrelay.archive.recent import Recent
from radrelay.dicom import walk
from radrelay.storage.packs import PackDamaged
from radrelay.storage.segments import RecordGone
from tests.archive.house import House, data_set_of, house, made, slices, wheel_file

__all__ = ["house"]


def test_a_stream_goes_on_where_the_object_moved_to(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    file = slices(1)[0]
    house.bring([file])
    (ref,) = house.refs()
    broken = BrokenOff(house, after=10_000)
    monkeypatch.setattr(house.reader, "_segments", broken)
    pieces = house.reader.stream(ref)
    got = next(pieces)
    plain = InstanceReader(house.site.database, house.site.clock, house.site.parts.segments, house.site.parts.packs)
    assert house.compactor(reader=plain).compact_study(house.site.organisation_id, house.studies()[0]) == 1
    house.eraser().finish()
    assert got + b"".join(pieces) == data_set_of(file)
    assert broken.stopped


class BrokenOff:
    """A reader of segments whose streams end with the record's erasure in the middle."""

    def __init__(self, house: House, after: int) -> None:
        self._segments = house.site.parts.segments
        self._after = after
        self.stopped = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._segments, name)

    def stream(self, location: Any) -> Any:
        yield b"".join(self._segments.stream(location))[: self._after]
        self.stopped = True
        raise RecordGone


def test_what_was_found_before_it_moved_is_read_after(house: House) -> None:
    files = slices(2)
    house.bring(files)
    before = house.refs()
    house.compact()
    house.eraser().finish()
    packed = house.refs()
    assert [house.reader.data_set(ref) for ref in before] == [data_set_of(file) for file in files]
    with house.site.database.write() as session:
        deletion.delete_instance(session, before[0].id, house.site.clock.now())
    house.eraser().finish()  # the other one's pack is written anew
    fresh = InstanceReader(house.site.database, house.site.clock, house.site.parts.segments, house.site.parts.packs)
    assert fresh.data_set(before[1]) == fresh.data_set(packed[1]) == data_set_of(files[1])
    assert len(fresh.frame(before[1], 1).data) > 0
    for gone in (before[0], packed[0]):
        with pytest.raises(InstanceGone):
            fresh.data_set(gone)
        with pytest.raises(InstanceGone):
            next(fresh.stream(gone))


def test_an_entry_of_another_instance_is_never_handed_out(house: House) -> None:
    house.bring(slices(2))
    house.compact()
    with house.site.database.write() as session:
        session.execute(sa.update(Instance).values(pack_entry=1 - Instance.pack_entry))
    for ref in house.refs():
        for read in (
            house.reader.data_set,
            house.reader.header,
            lambda ref: house.reader.frame(ref, 1),
            house.site.services.metadata.one,
        ):
            with pytest.raises(PackDamaged):
                read(ref)


def multi_frame(syntax: str = "1.2.840.10008.1.2.1") -> tuple[bytes, np.ndarray]:
    data = pydicom.dcmread(io.BytesIO(slices(1)[0]))
    frames = np.arange(5 * 64 * 64, dtype=np.uint16).reshape(5, 64, 64)
    data.Rows = data.Columns = 64
    data.NumberOfFrames, data.PixelRepresentation, data.BitsStored, data.HighBit = 5, 0, 16, 15
    data.PixelData = frames.tobytes()
    data.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    out = io.BytesIO()
    pydicom.dcmwrite(out, data)
    return out.getvalue(), frames


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("packed", [False, True])
def test_frames_come_in_any_order_and_are_found_once(
    house: House, monkeypatch: pytest.MonkeyPatch, syntax: str, packed: bool
) -> None:
    file, frames = multi_frame(syntax)
    house.bring([file])
    if packed:
        house.compact()
    (ref,) = house.refs()
    counted = itertools.count()
    find = InstanceReader._find_layout

    def noted(self: InstanceReader, one: InstanceRef) -> Any:
        next(counted)
        return find(self, one)

    monkeypatch.setattr(InstanceReader, "_find_layout", noted)
    monkeypatch.setattr(reader, "FRAMES_AT_ONCE", 2)
    wanted = [5, 1, 3, 3, 2]
    got = [frame.as_received() for frame in house.reader.frames(ref, wanted)]
    assert got == [frames[number - 1].tobytes() for number in wanted]
    assert house.reader.frame(ref, 4).as_received() == frames[3].tobytes()
    assert house.reader.frame_count(ref) == 5
    assert next(counted) <= 1
    for number in (0, 6, -1):
        with pytest.raises(FrameNotThere):
            house.reader.frame(ref, number)


def test_deflated_objects_are_inflated_one_at_a_time_and_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.bring([multi_frame(DeflatedExplicitVRLittleEndian)[0]])
    (ref,) = house.refs()
    at_work: list[int] = []
    inflate = walk.inflate

    def noted(data: bytes, limit: int) -> bytes:
        at_work.append(1)
        assert len(at_work) == 1
        time.sleep(0.1)
        return inflate(data, limit)

    monkeypatch.setattr(reader, "inflate", noted)
    with ThreadPoolExecutor(4) as threads:
        frames = list(threads.map(lambda number: house.reader.frame(ref, number).as_received(), [1, 2, 3, 4]))
    assert frames == [multi_frame()[1][number].tobytes() for number in range(4)]


def test_a_header_longer_than_what_is_landed_apart_is_read_to_its_end(house: House) -> None:
    long = made("CT_small.dcm", ImageComments="x" * 10)
    data = pydicom.dcmread(io.BytesIO(long))
    block = data.private_block(0x0099, "LONG", create=True)
    block.add_new(1, "UT", "y" * 900_000)
    data.add_new(0x00209228, "UL", 7)
    out = io.BytesIO()
    data.save_as(out)
    house.bring([out.getvalue()])
    (ref,) = house.refs()
    header = house.reader.header(ref)
    assert header.integer(0x00280010) == 128
    assert header.bulk is not None
    assert len(house.reader.frame(ref, 1).data) == 128 * 128 * 2
    house.compact()
    (ref,) = house.refs()
    assert house.reader.header(ref).integer(0x00280010) == 128


def test_a_header_that_goes_on_and_on_is_read_as_far_as_its_limit(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pydicom.dcmread(io.BytesIO(made("CT_small.dcm")))
    data.private_block(0x0099, "LONG", create=True).add_new(1, "UT", "y" * 5_000_000)
    out = io.BytesIO()
    data.save_as(out)
    house.bring([out.getvalue()])
    (ref,) = house.refs()
    monkeypatch.setattr(reader, "HEADER_LIMIT", 1_500_000)
    assert len(house.reader.header(ref).data) == 1_500_000


def test_a_landed_head_is_no_more_than_the_header(house: House) -> None:
    house.bring([wheel_file("CT_small.dcm")])
    (ref,) = house.refs()
    assert len(house.reader.head(ref)) < 8_000


def test_what_is_kept_for_a_while_goes_though_nobody_asks() -> None:
    now = [0.0]
    kept: Recent[str, bytes] = Recent(100, len, 30.0, lambda: now[0])
    kept.put("a", bytes(10))
    now[0] = 20.0
    kept.put("b", bytes(20))
    assert kept.get("a") == bytes(10)  # being asked for makes nothing younger
    now[0] = 31.0
    kept.sweep()
    assert (kept.weight, kept.get("a"), kept.get("b")) == (20, None, bytes(20))
    now[0] = 51.0
    assert (kept.get("b"), kept.weight) == (None, 0)


def test_what_is_kept_is_bounded_by_weight() -> None:
    kept: Recent[str, bytes] = Recent(100, len)
    for name in "abcd":
        kept.put(name, bytes(30))
    assert kept.get("a") is None
    assert kept.get("b") == bytes(30)
    kept.put("e", bytes(40))  # b was used last: c goes
    assert (kept.get("c"), kept.get("b")) == (None, bytes(30))
    kept.put("b", bytes(10))
    assert kept.weight == 30 + 40 + 10
    kept.put("huge", bytes(101))
    assert kept.get("huge") is None
