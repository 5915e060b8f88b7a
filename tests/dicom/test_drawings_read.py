"""What other systems drew is read as they meant it: graphics, reports, contours, segments, key images, overlays."""

from __future__ import annotations

import highdicom as hd
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radrelay.dicom import drawings
from radrelay.dicom.drawings import Reference
from radrelay.dicom.drawings.colours import from_cielab
from radrelay.dicom.drawings.drawn import DrawingBroken, DrawingTooLarge, DrawingUnsupported, NotDrawing, Table
from radrelay.dicom.drawings.mask_runs import bit_runs, value_runs
from tests.dicom.drawn_objects import (
    COLOURS,
    SERIES,
    SPACE,
    blank,
    blended,
    blending_state,
    bytes_of,
    cites,
    code,
    content,
    document,
    drawn,
    header_of,
    item,
    measured,
    presentation_state,
    region,
    segmentation,
    slices,
    structure_set,
)
from tests.dicom.runs import unpacked_bits, unpacked_values

FIRST = Reference(f"{SERIES}.1")
LENGTH = ("410668003", "SCT", "Length")


def test_a_presentation_state_draws_every_simple_graphic_in_its_layer() -> None:
    found = drawn(presentation_state(slices(2)))
    assert (found.kind, found.label, found.description, found.creator) == (
        "presentation", "FINDING", "Kontrolle", "Müller^Anna",
    )  # fmt: skip
    assert found.made_at == "2026-02-03T10:11:12"
    (layer,) = found.groups
    assert (layer.name, layer.detail) == ("MARKS", "What was marked")
    kinds = [(shape.kind, shape.unit, shape.filled) for shape in found.shapes]
    assert kinds == [
        ("point", "pixel", False), ("polyline", "pixel", True), ("spline", "pixel", False), ("circle", "pixel", False),
        ("ellipse", "pixel", False), ("polyline", "display", False), ("text", "display", False),
    ]  # fmt: skip
    assert all(shape.images == (FIRST,) and shape.group == layer.number for shape in found.shapes)
    text = found.shapes[-1]
    assert (text.text, text.anchor, text.anchor_unit) == ("Herd, Größe 3", (30.0, 40.0), "pixel")
    assert text.points.tolist() == [pytest.approx([0.1, 0.1]), pytest.approx([0.4, 0.2])]
    assert found.images == (FIRST, Reference(f"{SERIES}.2"))


def test_a_presentation_state_says_how_images_are_shown() -> None:
    images = slices(2)
    window = item(WindowCenter="40", WindowWidth="400", ReferencedImageSequence=[cites(images[1])])
    area = item(
        DisplayedAreaTopLeftHandCorner=[11, 21], DisplayedAreaBottomRightHandCorner=[100, 120],
        PresentationSizeMode="SCALE TO FIT",
    )  # fmt: skip
    state = presentation_state(
        images, SoftcopyVOILUTSequence=Sequence([window]), PresentationLUTShape="INVERSE", ImageRotation=90,
        ImageHorizontalFlip="Y", DisplayedAreaSelectionSequence=Sequence([area]),
        ShutterShape=["RECTANGULAR", "CIRCULAR", "POLYGONAL"], ShutterLeftVerticalEdge=3, ShutterRightVerticalEdge=100,
        ShutterUpperHorizontalEdge=5, ShutterLowerHorizontalEdge=120, CenterOfCircularShutter=[64, 65],
        RadiusOfCircularShutter=30, VerticesOfThePolygonalShutter=[1, 2, 1, 9, 8, 9], ShutterPresentationValue=0x8080,
    )  # fmt: skip
    shown = drawn(state).presentation
    assert shown is not None
    assert (shown.invert, shown.rotation, shown.flip) == (True, 90, True)
    (voi,) = shown.windows
    assert (voi.center, voi.width, voi.images) == (40, 400, (Reference(f"{SERIES}.2"),))
    assert (shown.areas[0].first, shown.areas[0].last) == ((11, 21), (100, 120))
    shutters = {shutter.kind: shutter.points.tolist() for shutter in shown.shutters}
    assert shutters == {
        "rectangle": [[2, 4], [100, 120]],  # the pixels within are seen, with their whole area
        "circle": [[64.5, 63.5], [94.5, 63.5]],
        "polygon": [[1.5, 0.5], [8.5, 0.5], [8.5, 7.5]],
    }
    assert {shutter.colour for shutter in shown.shutters} == {"#808080"}


@pytest.mark.parametrize("kind", ["11.1", "11.2", "11.3", "11.4"])
def test_states_of_colour_and_of_blending_draw_alike(kind: str) -> None:
    state = presentation_state(slices(1))
    state.SOPClassUID = "1.2.840.10008.5.1.4.1.1." + kind
    found = drawn(state)
    assert len(found.shapes) == 7
    missing = {"11.3": ("colours-not-applied",), "11.4": ("blending-unreadable",)}  # a palette; what is blended
    assert found.notes == missing.get(kind, ())


def lookup(entries: list[int], first: int = 0, bits: int = 16) -> Dataset:
    return item(LUTDescriptor=[len(entries), first, bits], LUTData=np.array(entries, "<u2").tobytes())


def test_a_presentation_state_brings_its_tables() -> None:
    state = presentation_state(
        slices(1), ModalityLUTSequence=Sequence([lookup([0, 10, 20, 30], bits=8)]),
        SoftcopyVOILUTSequence=Sequence([item(VOILUTSequence=[lookup([0, 4095], 5, 12)])]),
        PresentationLUTSequence=Sequence([lookup([65535, 0])]),
    )  # fmt: skip
    found = drawn(state)
    shown = found.presentation
    assert shown is not None
    assert shown.modality_table == Table(0, 8, np.array([0, 10, 20, 30], "<u2").tobytes())
    assert shown.windows[0].table == Table(5, 12, np.array([0, 4095], "<u2").tobytes())
    assert shown.output_table == Table(0, 16, np.array([65535, 0], "<u2").tobytes())
    assert (shown.invert, found.notes) == (False, ())  # the table turns it over, once
    assert found.weight > 16


def test_a_table_that_cannot_be_read_is_said_and_left_out() -> None:
    state = presentation_state(slices(1), PresentationLUTSequence=Sequence([item(LUTDescriptor=[4, 0, 16])]))
    found = drawn(state)
    assert found.presentation is not None
    assert (found.presentation.output_table, found.notes) == (None, ("table-unreadable",))


def test_a_pseudo_colour_state_brings_its_palette_as_256_levels() -> None:
    state = presentation_state(slices(1))
    state.SOPClassUID = "1.2.840.10008.5.1.4.1.1.11.3"
    for colour, entries in (("Red", [0, 65535]), ("Green", [65535, 0]), ("Blue", [0, 0])):
        setattr(state, f"{colour}PaletteColorLookupTableDescriptor", [2, 0, 16])
        setattr(state, f"{colour}PaletteColorLookupTableData", np.array(entries, "<u2").tobytes())
    found = drawn(state)
    assert found.presentation is not None
    colours = np.frombuffer(found.presentation.palette, np.uint8).reshape(256, 3)
    assert (colours[0].tolist(), colours[255].tolist()) == ([0, 255, 0], [255, 0, 0])
    assert found.notes == ()


def pair() -> tuple[list[Dataset], list[Dataset]]:
    """Return two series of two images each in one frame of reference."""
    under, over = slices(2), slices(2)
    for image in over:
        image.SeriesInstanceUID = f"{SERIES}.7"
        image.SOPInstanceUID = f"{image.SOPInstanceUID}.7"
    return under, over


def test_a_blending_state_says_what_lies_over_what_and_how() -> None:
    under, over = pair()
    found = drawn(blending_state(under, over))
    assert found.presentation is not None
    blending = found.presentation.blending
    assert blending is not None
    assert [one.sop_uid for one in blending.under.images] == [image.SOPInstanceUID for image in under]
    assert [one.sop_uid for one in blending.over.images] == [image.SOPInstanceUID for image in over]
    windows = [part.window for part in (blending.under, blending.over)]
    assert [(one.center, one.width, one.function) for one in windows if one] == [
        (40, 400, "LINEAR"), (5000, 10000, "LINEAR"),
    ]  # fmt: skip
    assert blending.opacity == pytest.approx(0.3)
    assert blending.over.slope is None
    assert np.frombuffer(blending.palette, np.uint8).reshape(256, 3)[255].tolist() == [255, 0, 0]
    assert found.notes == ()
    header = header_of(bytes_of(blending_state(under, over)))
    named, _ = drawings.overlies(header, header.text(0x00080016))
    assert named == (SERIES, f"{SERIES}.7"), "it is listed over both"


def test_a_blending_state_that_cannot_be_followed_says_why() -> None:
    under, over = pair()
    step = item(ModalityLUTSequence=Sequence([lookup([0, 1])]))
    table = item(SoftcopyVOILUTSequence=Sequence([item(VOILUTSequence=Sequence([lookup([0, 1])]))]))
    another = item(SoftcopyVOILUTSequence=Sequence([item(WindowCenter=c, WindowWidth="9") for c in ("1", "2")]))
    curved = item(SoftcopyVOILUTSequence=Sequence([item(WindowCenter="1", WindowWidth="9", VOILUTFunction="SIGMOID")]))
    twice = blended("SUPERIMPOSED", over, 1, 2)
    twice.ReferencedSeriesSequence.append(blended("", under, 1, 2).ReferencedSeriesSequence[0])
    cases: list[tuple[str, Dataset | None, dict[str, object]]] = [
        ("blending-registered", None, {"ReferencedSpatialRegistrationSequence": Sequence([Dataset()])}),
        ("blending-unreadable", None, {"RelativeOpacity": 1.5}),
        ("blending-unreadable", None, {"RedPaletteColorLookupTableData": b""}),
        ("blending-unreadable", item(BlendingPosition="ABOVE"), {}),
        ("blending-many", twice, {}),
        *(("blending-values", part, {}) for part in (step, table, another, curved)),
    ]
    for why, part, more in cases:
        state = blending_state(under, over, **more)
        if part is not None:
            state.BlendingSequence[1].update(part)
        found = drawn(state)
        assert found.presentation is not None
        assert found.presentation.blending is None
        assert why in found.notes, why
    state = blending_state(under, over)
    state.SOPClassUID = "1.2.840.10008.5.1.4.1.1.11.8"
    assert drawn(state).notes == ("blending-advanced",)


def test_a_state_that_names_images_again_and_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radrelay.dicom.drawings.drawn.MENTION_LIMIT", 100)
    images = slices(2)
    windows = [item(WindowCenter="40", WindowWidth="400", ReferencedImageSequence=[cites(i) for i in images])] * 60
    with pytest.raises(DrawingTooLarge):
        drawn(presentation_state(images, SoftcopyVOILUTSequence=Sequence(windows)))


def test_a_measurement_report_marks_regions_with_what_was_measured() -> None:
    image = slices(1)[0]
    group = content("CONTAINER", ("125007", "DCM", "Measurement Group"), ContinuityOfContent="SEPARATE")
    group.ContentSequence = Sequence([
        content("TEXT", ("112039", "DCM", "Tracking Identifier"), "HAS OBS CONTEXT", TextValue="Lesion 1"),
        content("CODE", ("121071", "DCM", "Finding"), ConceptCodeSequence=[code("4147007", "SCT", "Mass")]),
        region("POLYLINE", [1, 1, 9, 1, 9, 9, 1, 1], image, "CONTAINS"),
        measured(LENGTH, 12.5, "mm"),
        measured(("42798000", "SCT", "Area"), 99.0, "mm2"),
    ])  # fmt: skip
    loose = measured(LENGTH, 7, "mm", [region("POLYLINE", [2, 2, 4, 2], image)])
    found = drawn(document("88.33", ("126000", "DCM", "Imaging Measurement Report"), [group, loose]))
    first, second = found.groups
    assert (first.name, first.detail, first.coded) == ("Lesion 1", "Mass", "Mass")
    assert [(value.name, value.value, value.unit) for value in first.values] == [
        ("Length", 12.5, "mm"), ("Area", 99.0, "mm2"),
    ]  # fmt: skip
    assert (second.name, second.values[0].value) == ("Length", 7)
    assert [(shape.kind, shape.group, shape.images) for shape in found.shapes] == [
        ("polygon", 1, (FIRST,)), ("polyline", 2, (FIRST,)),
    ]  # fmt: skip


def test_a_region_in_the_patient_names_its_frame_of_reference() -> None:
    def deep(kind: str, points: list[float], space: str = SPACE) -> Dataset:
        name = ("111030", "DCM", "Image Region")
        made = content("SCOORD3D", name, "INFERRED FROM", GraphicType=kind, GraphicData=points)
        made.ReferencedFrameOfReferenceUID = space
        return made

    below = [
        measured(LENGTH, 1, "mm", [deep("POLYGON", [0, 0, 1, 5, 0, 1, 5, 5, 1, 0, 0, 1])]),
        measured(LENGTH, 2, "mm", [deep("POINT", [0, 0, 1])]),
        measured(LENGTH, 3, "mm", [deep("ELLIPSOID", [0] * 18)]),
        measured(LENGTH, 4, "mm", [deep("POLYGON", [0, 0, 1])]),
    ]
    found = drawn(document("88.34", ("126000", "DCM", "Imaging Measurement Report"), below))
    assert [(s.kind, s.unit, s.frame_of_reference) for s in found.shapes] == [
        ("polygon", "patient", SPACE), ("point", "patient", SPACE), ("ellipsoid", "patient", SPACE),
    ]  # fmt: skip
    assert found.frames_of_reference == (SPACE,)
    assert found.notes == ("shape-unreadable",)


def test_a_mammography_detection_report_marks_what_it_found() -> None:
    """TID 4000: images stand in a library, and marks cite them by their place in the tree (PS3.3 C.17.3.2.5)."""
    image = slices(1)[0]
    library = content("CONTAINER", ("111028", "DCM", "Image Library"), ContinuityOfContent="SEPARATE")
    library.ContentSequence = Sequence(
        [content("IMAGE", ("111032", "DCM", "Image"), ReferencedSOPSequence=[cites(image)])]
    )

    def mark(name: tuple[str, str, str], kind: str, points: list[float]) -> Dataset:
        cited = item(RelationshipType="SELECTED FROM", ReferencedContentItemIdentifier=[1, 1, 1])
        made = content("SCOORD", name, "HAS PROPERTIES", GraphicType=kind, GraphicData=points)
        made.ContentSequence = Sequence([cited])
        return made

    single = content("CODE", ("111059", "DCM", "Single Image Finding"), "INFERRED FROM")
    single.ConceptCodeSequence = Sequence([code("F-01796", "SRT", "Mammography breast density")])
    single.ContentSequence = Sequence([
        mark(("111010", "DCM", "Center"), "POINT", [50, 60]),
        mark(("111041", "DCM", "Outline"), "POLYLINE", [40, 50, 60, 50, 60, 70, 40, 50]),
    ])  # fmt: skip
    impression = content("CONTAINER", ("111017", "DCM", "CAD Processing and Findings Summary"))
    impression.ContentSequence = Sequence([single])
    found = drawn(document("88.50", ("111036", "DCM", "Mammography CAD Report"), [library, impression]))
    assert [(s.kind, s.images, s.group) for s in found.shapes] == [("point", (FIRST,), 1), ("polygon", (FIRST,), 1)]
    assert found.groups[0].name == "Mammography breast density"


def test_a_report_that_only_says_things_draws_nothing() -> None:
    text = content("TEXT", ("121071", "DCM", "Finding"), TextValue="Unremarkable")
    assert drawn(document("88.11", ("18748-4", "LN", "Diagnostic imaging study"), [text])).shapes == ()


def test_key_images_are_told_with_title_and_reason() -> None:
    images = slices(3)
    below = [
        content("TEXT", ("113012", "DCM", "Key Object Description"), TextValue="Für die Besprechung"),
        content("IMAGE", ("121112", "DCM", "Source"), ReferencedSOPSequence=[cites(images[2])]),
        content("IMAGE", ("121112", "DCM", "Source"), ReferencedSOPSequence=[cites(images[0], [2, 3])]),
    ]
    found = drawn(document("88.59", ("113000", "DCM", "Of Interest"), below))
    assert (found.kind, found.label, found.description) == ("key-objects", "Of Interest", "Für die Besprechung")
    assert found.flagged == (Reference(f"{SERIES}.3"), Reference(f"{SERIES}.1", 2), Reference(f"{SERIES}.1", 3))


def test_a_structure_set_draws_regions_in_the_patient() -> None:
    images = slices(2)
    square: list[list[float]] = [[12.0, 22, 30], [15, 22, 30], [15, 25, 30], [12, 25, 30]]
    found = drawn(
        structure_set(images, [(1, "CLOSED_PLANAR", square), (4, "POINT", square[:1]), (4, "OPEN_PLANAR", square)])
    )
    assert [(group.number, group.name, group.coded, group.colour) for group in found.groups] == [
        (1, "Region 1", "ORGAN", "#ff1000"), (4, "Region 4", "ORGAN", "#ff1000"),
    ]  # fmt: skip
    assert [(shape.kind, shape.group) for shape in found.shapes] == [("polygon", 1), ("point", 4), ("polyline", 4)]
    assert found.shapes[0].points.tolist() == square
    assert found.shapes[0].images == (FIRST,)
    assert found.shapes[0].frame_of_reference == SPACE
    assert drawings.overlies(header_of(bytes_of(structure_set(images, []))), found_class("481.3")) == (
        (SERIES,),
        (SPACE,),
    )


def found_class(number: str) -> str:
    return "1.2.840.10008.5.1.4.1.1." + number


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_a_segmentation_says_what_its_segments_are_and_where_frames_lie(kind: str) -> None:
    images = slices(3)
    labels = np.zeros((3, 128, 128), np.uint8)
    labels[0, 10:20, 30:50] = 1
    labels[1, 5:9, 5:9] = 2
    stacked = labels if kind != "FRACTIONAL" else np.stack([labels == 1, labels == 2], -1).astype(np.float32)
    found = drawn(segmentation(images, stacked, kind))
    assert [(g.number, g.name, g.coded, g.colour) for g in found.groups] == [
        (number, f"Part {number}", "Liver", "#{:02x}{:02x}{:02x}".format(*COLOURS[number - 1])) for number in (1, 2)
    ]
    masks = found.masks
    assert masks is not None
    assert (masks.rows, masks.columns, masks.thickness, masks.frame_of_reference) == (128, 128, 2, SPACE)
    assert masks.form == {"BINARY": "bits", "FRACTIONAL": "shares", "LABELMAP": "numbers"}[kind]
    assert [frame.group for frame in masks.frames] == ([0, 0] if kind == "LABELMAP" else [1, 2])
    by_place = {frame.position[2]: frame.images for frame in masks.frames}
    assert by_place == {30: (FIRST,), 32: (Reference(f"{SERIES}.2"),)}
    assert masks.frames[0].spacing == (0.5, 0.5)


def test_overlay_planes_lie_where_their_origin_says() -> None:
    image = slices(1)[0]
    bits = np.zeros((40, 50), np.uint8)
    bits[3, 4:9] = 1
    image.add_new(0x60020010, "US", 40)
    image.add_new(0x60020011, "US", 50)
    image.add_new(0x60020040, "CS", "G")
    image.add_new(0x60020050, "SS", [101, -2])
    image.add_new(0x60020100, "US", 1)
    image.add_new(0x60020102, "US", 0)
    image.add_new(0x60021500, "LO", "Markierung")
    image.add_new(0x60023000, "OW", np.packbits(bits, bitorder="little").tobytes())
    found = drawn(image)
    assert (found.kind, found.groups[0].name) == ("overlay", "Markierung")
    assert found.masks is not None
    plane = found.masks.planes[0]
    assert plane is not None
    grid = np.unpackbits(plane)[: 128 * 128].reshape(128, 128)
    assert np.argwhere(grid).tolist() == [[103, column] for column in range(1, 6)]


def test_what_draws_nothing_and_what_is_not_drawn_here_say_so() -> None:
    with pytest.raises(NotDrawing):
        drawn(slices(1)[0])
    for kind, code_of_it in (
        ("66.5", "surface-segmentation"),
        ("91.1", "bulk-annotations"),
        ("11.6", "volume-presentation"),
    ):
        with pytest.raises(DrawingUnsupported) as refused:
            drawn(blank(kind, "OT"))
        assert refused.value.facts["reason"] == code_of_it
    assert drawings.kind_of("1.2.840.10008.5.1.4.1.1.131") is None  # basic structured display


def test_a_drawing_that_is_cut_off_is_refused_rather_than_shown_in_part() -> None:
    ring = [[float(n), float(n % 7), 30.0] for n in range(2000)]
    file = bytes_of(structure_set(slices(1), [(1, "CLOSED_PLANAR", ring)]))
    with pytest.raises(DrawingBroken):
        drawings.read(header_of(file[:-200]), found_class("481.3"))


@pytest.mark.parametrize("data", ["1\\2\\x", "1\\2", "1_0\\2\\3", "nan\\1\\2", "1e999\\2\\3", ""])
def test_a_contour_with_a_number_that_is_none_is_left_out_and_noted(data: str) -> None:
    structures = structure_set(slices(1), [(1, "POINT", [[1.0, 2.0, 3.0]])])
    header = header_of(bytes_of(structures).replace(b"1\\2\\3 ", data.encode().ljust(6)[:6]))
    found = drawings.read(header, found_class("481.3"))
    if data[:6] != "1e999\\":
        assert (found.shapes, found.notes) == ((), ("shape-unreadable",))


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (12, 200, 77), (90, 90, 200)])
def test_recommended_colours_are_those_of_highdicom(rgb: tuple[int, int, int]) -> None:
    packed = hd.color.CIELabColor.from_rgb(*rgb).value
    shown = from_cielab([float(part) for part in packed])
    assert np.abs(np.array([int(shown[at : at + 2], 16) for at in (1, 3, 5)]) - rgb).max() <= 1


def test_masks_come_back_from_their_runs() -> None:
    random = np.random.default_rng(1)
    for shape in ((1, 1), (3, 5), (300, 411)):
        for share in (0.0, 0.01, 0.5, 1.0):
            mask = (random.random(shape) < share).astype(np.uint8)
            assert np.array_equal(unpacked_bits(bit_runs(mask), shape), mask)
            values = mask * random.integers(0, 40_000, shape).astype(np.uint16)
            assert np.array_equal(unpacked_values(value_runs(values), shape), values)
