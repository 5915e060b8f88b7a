"""Drawings that are damaged, hostile or huge: a clear error of ours, or what can be read, within time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from radrelay.dicom import drawings
from radrelay.dicom.drawings.drawn import Drawing, DrawingTooLarge
from radrelay.dicom.drawings.mask_runs import bit_runs
from radrelay.dicom.header import parse
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.dicom.writing import element, sequence
from radrelay.errors import RadrelayError
from radrelay.web import drawn
from tests.dicom.drawn_objects import (
    SPACE,
    bytes_of,
    cites,
    content,
    document,
    header_of,
    measured,
    presentation_state,
    region,
    segmentation,
    slices,
    structure_set,
)

IMAGES = slices(2)
RING: list[list[float]] = [[12.0, 22, 30], [15, 22, 30], [15, 25, 30], [12, 25, 30]]


def _masks() -> np.ndarray[Any, Any]:
    labels = np.zeros((2, 128, 128), np.uint8)
    labels[:, 10:20, 30:50] = 1
    return labels


def _overlaid() -> Dataset:
    image = slices(1)[0]
    for tag, vr, value in ((0x10, "US", 128), (0x11, "US", 128), (0x40, "CS", "G"), (0x50, "SS", [1, 1]),
                           (0x100, "US", 1), (0x102, "US", 0), (0x15, "IS", "1"),
                           (0x3000, "OW", bytes(2048))):  # fmt: skip
        image.add_new(0x60000000 | tag, vr, value)
    return image


MADE: dict[str, bytes] = {
    "11.1": bytes_of(presentation_state(IMAGES)),
    "88.33": bytes_of(document("88.33", ("126000", "DCM", "R"), [
        measured(("1", "99", "L"), 1, "mm", [region("POLYLINE", [1, 1, 4, 1], IMAGES[0])])])),
    "88.59": bytes_of(document("88.59", ("113000", "DCM", "K"), [
        content("IMAGE", ("1", "99", "x"), ReferencedSOPSequence=[cites(IMAGES[0], [1, 2])])])),
    "481.3": bytes_of(structure_set(IMAGES, [(1, "CLOSED_PLANAR", RING)])),
    "66.4": bytes_of(segmentation(IMAGES, _masks())),
    "2": bytes_of(_overlaid()),
}  # fmt: skip
PIECES = [b"\xff\xff\xff\xff",
          b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0", b"99999999",
          b"\0\0\xc0\x7f", b"\xff\xff", b"-1\\", b"SQ", b"FD", b"IS"]  # fmt: skip


def told(found: Drawing) -> bytes:
    """Return what a reader who sees all would be told: it must be JSON whatever was read."""
    images = {one.sop_uid: (b"", b"") for one in found.references()}
    body = msgspec.json.encode(drawn.told("x", found, drawn.Found(images, {}), clear=True))  # type: ignore[arg-type]
    assert b"NaN" not in body
    return body


def look(data: bytes, kind: str) -> None:
    sop_class = "1.2.840.10008.5.1.4.1.1." + kind
    try:
        header = parse(data, EXPLICIT_LE)
        drawings.overlies(header, sop_class)
        found = drawings.read(header, sop_class)
    except RadrelayError:
        return
    told(found)


@pytest.mark.parametrize("kind", sorted(MADE))
def test_damage_anywhere_is_an_error_of_ours_or_is_read_past(kind: str) -> None:
    whole = MADE[kind]
    data = header_of(whole).data

    @settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            st.tuples(st.integers(0, len(data)), st.one_of(st.sampled_from(PIECES), st.binary(max_size=4))), max_size=6
        ),
        st.one_of(st.none(), st.integers(0, len(data))),
    )
    def damaged(changes: list[tuple[int, bytes]], cut: int | None) -> None:
        hurt = bytearray(data)
        for at, piece in changes:
            hurt[at : at + len(piece)] = piece
        look(bytes(hurt[:cut]), kind)

    damaged()


@given(st.binary(max_size=600), st.sampled_from(sorted(MADE)))
@settings(deadline=None, database=None)
def test_any_bytes_are_no_drawing(data: bytes, kind: str) -> None:
    look(data, kind)


def nested(depth: int) -> bytes:
    inner = element(0x0040A040, "CS", "CONTAINER")
    for _ in range(depth):
        inner = element(0x0040A040, "CS", "CONTAINER") + sequence(0x0040A730, [[inner]])
    return inner


def many_frames() -> bytes:
    """A segmentation of one segment that names four thousand million frames."""
    return b"".join([
        element(0x00280008, "IS", "4294967295"), element(0x00280010, "US", 16),
        element(0x00280011, "US", 16), element(0x00480006, "UL", 1 << 31),
        element(0x00480007, "UL", 1 << 31), element(0x00620001, "CS", "BINARY"),
        sequence(0x00620002, [[element(0x00620004, "US", 1)]]),
    ])  # fmt: skip


def large_overlay() -> bytes:
    rows = 60_000
    return b"".join([
        element(0x00280010, "US", rows), element(0x00280011, "US", rows), element(0x60000010, "US", 4),
        element(0x60000011, "US", 4), element(0x60003000, "OW", b"\0\0"),
    ])  # fmt: skip


@pytest.mark.parametrize(("made", "kind"), [(many_frames, "66.4"), (large_overlay, "2")])
def test_what_would_take_much_memory_is_refused_before_it_does(made: Callable[[], bytes], kind: str) -> None:
    header = parse(made(), EXPLICIT_LE)
    tracemalloc.start()
    with pytest.raises(DrawingTooLarge):
        drawings.read(header, "1.2.840.10008.5.1.4.1.1." + kind)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


def test_documents_that_nest_without_end_are_read_as_far_as_the_limit() -> None:
    look(nested(2_000), "88.33")
    look(nested(60), "88.33")


def test_a_citation_of_itself_or_of_nothing_ends() -> None:
    circle = region("POINT", [1, 1], IMAGES[0])
    circle.ContentSequence[0].ReferencedContentItemIdentifier = [1, 1]
    look(header_of(bytes_of(document("88.33", ("1", "99", "x"), [circle]))).data, "88.33")


def half_a_million() -> bytes:
    """Return a structure set of 2,500 contours of 200 points each."""
    contours = []
    for place in range(2_500):
        turn = np.linspace(0, 6.28, 200)
        points = np.stack([np.cos(turn) * 80.123, np.sin(turn) * 60.456, np.full(200, place / 10)], -1)
        data = "\\".join(f"{value:.3f}" for value in points.reshape(-1))
        contours.append([element(0x30060042, "CS", "CLOSED_PLANAR"), element(0x30060050, "DS", data)])
    return b"".join([
        sequence(0x30060020, [[element(0x30060022, "IS", "1"), element(0x30060024, "UI", SPACE),
                               element(0x30060026, "LO", "Body")]]),
        sequence(0x30060039, [[sequence(0x30060040, contours), element(0x30060084, "IS", "1")]]),
    ])  # fmt: skip


@pytest.mark.soak
def test_half_a_million_points_are_read_and_told_in_seconds() -> None:
    data = half_a_million()
    start = time.process_time()
    found = drawings.read(parse(data, EXPLICIT_LE), STRUCTURES)
    body = told(found)
    took = time.process_time() - start
    assert sum(len(shape.points) for shape in found.shapes) == 500_000
    print(f"500,000 points: {len(data) >> 20} MB read and told as {len(body) >> 20} MB in {took:.2f} s of CPU")
    assert took < 6
    tracemalloc.start()
    drawings.read(parse(data, EXPLICIT_LE), STRUCTURES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"peak {peak >> 20} MB")
    assert peak < 6 * len(data)


STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"


def two_thousand_frames() -> bytes:
    frames = []
    for number in range(2_000):
        position = f"0\\0\\{number / 2}"
        frames.append([
            sequence(0x00089124, [[sequence(0x00082112, [[element(0x00081155, "UI", f"1.2.9.1.{number}")]])]]),
            sequence(0x00209113, [[element(0x00200032, "DS", position)]]),
            sequence(0x0062000A, [[element(0x0062000B, "US", 1)]]),
        ])  # fmt: skip
    shared = [
        sequence(0x00209116, [[element(0x00200037, "DS", "1\\0\\0\\0\\1\\0")]]),
        sequence(0x00289110, [[element(0x00180088, "DS", "0.5"), element(0x00280030, "DS", "0.7\\0.7")]]),
    ]
    edge = 512
    return b"".join([
        element(0x00280008, "IS", "2000"), element(0x00280010, "US", edge), element(0x00280011, "US", edge),
        element(0x00620001, "CS", "BINARY"), sequence(0x00620002, [[element(0x00620004, "US", 1)]]),
        sequence(0x52009229, [shared]), sequence(0x52009230, frames),
    ])  # fmt: skip


def test_two_thousand_frames_are_told_in_a_second_and_packed_in_milliseconds() -> None:
    data = two_thousand_frames()
    start = time.process_time()
    found = drawings.read(parse(data, EXPLICIT_LE), "1.2.840.10008.5.1.4.1.1.66.4")
    body = told(found)
    took = time.process_time() - start
    assert found.masks is not None
    assert len(found.masks.frames) == 2_000
    y, x = np.mgrid[:512, :512]
    mask = ((x - 256) ** 2 + (y - 200) ** 2 < 150**2).astype(np.uint8)
    start = time.process_time()
    for _ in range(50):
        runs = bit_runs(mask)
    each = (time.process_time() - start) / 50
    print(f"2,000 frames told in {took:.2f} s of CPU as {len(body) >> 10} kB")
    print(f"a mask of 512 × 512 packed in {each * 1e3:.2f} ms as {len(runs)} bytes")
    assert took < 4
    assert each < 0.02
    assert len(runs) < 2_500
