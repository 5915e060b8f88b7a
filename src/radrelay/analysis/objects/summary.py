"""The summary of a result on one page: maps, outlines, volumes, curves, motion, warnings, constants and program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radrelay.analysis.objects.captures import Series
from radrelay.analysis.objects.colours import table
from radrelay.analysis.objects.findings import frame_times, sides
from radrelay.analysis.objects.order import PROGRAM, Order
from radrelay.analysis.objects.pictures import lesion_legend
from radrelay.analysis.objects.plots import Line, plot
from radrelay.analysis.objects.sheet import INK, SOFT, WARN, Sheet
from radrelay.analysis.objects.shown import late
from radrelay.analysis.objects.words import number, say
from radrelay.analysis.perfusion import Result
from radrelay.analysis.study import PerfusionStudy

WIDTH, HEIGHT = 2000, 1414  # A4 across
MARGIN, RIGHT = 36, 1360
HEAD = 96
MOST_COLUMNS = 7
ROWS = ("lesions", "CBF", "CBV", "MTT", "TTP", "Tmax")
ARTERY, VEIN = (255, 110, 96), (96, 168, 255)
TURN = (246, 190, 80)
Box = tuple[float, float, float, float]


def summary(study: PerfusionStudy, result: Result, order: Order, series: Sequence[Series]) -> Sheet:
    """Return the page."""
    page = Sheet(WIDTH, HEIGHT)
    language = order.language
    page.text(MARGIN, 58, say(language, "title"), 38, bold=True)
    page.text(WIDTH - MARGIN, 46, f"{PROGRAM} · {order.local:%Y-%m-%d %H:%M}", 19, SOFT, right=True)
    page.text(WIDTH - MARGIN, 74, say(language, "research"), 19, WARN, right=True)
    _maps(page, result, order, {one.told.name: one for one in series}, sides(study.perfusion.slab.orientation))
    box = (RIGHT, HEAD, WIDTH - MARGIN)
    _volumes(page, (*box, 448), study, result, order)
    _curves(page, (box[0], 462, box[2], 730), study, result, order)
    _motion(page, (box[0], 744, box[2], 956), study, result, order)
    _warnings(page, (box[0], 970, box[2], 1144), study, result, order)
    _constants(page, (box[0], 1158, box[2], HEIGHT - MARGIN), study, result, order)
    return page


def chosen(result: Result, count: int) -> list[int]:
    """Return which slices are shown: all, or evenly spread ones that hold tissue."""
    holding = np.flatnonzero(result.tissue.any(axis=(1, 2)))
    holding = holding if holding.size else np.arange(result.tissue.shape[0])
    if holding.size <= count:
        return [int(one) for one in holding]
    return [int(holding[round(float(one))]) for one in np.linspace(0, holding.size - 1, count)]


def _maps(page: Sheet, result: Result, order: Order, series: dict[str, Series], edges: tuple[str, str]) -> None:
    """Draw a row of slices for each map, its scale at the left; number and the patient's sides on the first row."""
    slices = chosen(result, MOST_COLUMNS)
    label, high = 118, (HEIGHT - HEAD - MARGIN) // len(ROWS)
    across = RIGHT - 24 - MARGIN - label
    crop = _crop(result)
    rows, columns = crop[0].stop - crop[0].start, crop[1].stop - crop[1].start
    scale = min((high - 14) / rows, across / len(slices) / columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    gap = across / len(slices)
    for row, name in enumerate(ROWS):
        one, top = series[name], HEAD + row * high
        _label(page, (MARGIN, top, MARGIN + label - 20, top + high - 14), one, result, order)
        for place, at in enumerate(slices):
            left = round(MARGIN + label + place * gap + (gap - size[0]) / 2)
            page.picture(left, top + (high - 14 - size[1]) // 2, one.paint(at)[crop], size)
            if row == 0:
                page.text(left, top + 12, f"{at + 1}", 16, SOFT)
                lower = top + (high - 14 + size[1]) // 2 - 6
                page.text(left + 4, lower, edges[0], 16)
                page.text(left + size[0] - 4, lower, edges[1], 16, right=True)


def _crop(result: Result) -> tuple[slice, slice]:
    """Return the rows and columns around the tissue of all slices, with an edge for the skull."""
    found = []
    for axis in ((0, 2), (0, 1)):
        where = np.flatnonzero(result.tissue.any(axis=axis))
        whole = result.tissue.shape[2 - axis[1] + 1] if axis == (0, 1) else result.tissue.shape[1]
        first, last = (int(where[0]), int(where[-1]) + 1) if where.size else (0, whole)
        edge = max(2, round(0.1 * (last - first)))
        found.append(slice(max(0, first - edge), min(whole, last + edge)))
    return found[0], found[1]


def _label(page: Sheet, box: tuple[int, int, int, int], one: Series, result: Result, order: Order) -> None:
    left, upper, _, lower = box
    if one.told.name == "lesions":
        limit, _ = late(result)
        for place, (colour, text) in enumerate(lesion_legend(order.language, limit, core=result.lesions.core_known)):
            y = upper + 60 + 34 * place
            page.box((left, y - 12, left + 12, y), colour)
            page.text(left + 18, y, text, 15)
        return
    page.text(left, upper + 30, one.told.name, 26, bold=True)
    page.text(left, upper + 52, one.told.unit, 14, SOFT)
    top, high = upper + 70, lower - upper - 84
    colours = table()[np.linspace(255, 0, high).astype(np.uint8)]
    page.picture(left, top, np.ascontiguousarray(np.repeat(colours[:, None], 16, axis=1)), (16, high))
    for share in (0.0, 0.5, 1.0):
        value = one.told.least + share * (one.told.most - one.told.least)
        page.text(left + 24, top + (1 - share) * high + 6 - 3 * share, f"{value:g}", 15, SOFT)


def _volumes(page: Sheet, box: Box, study: PerfusionStudy, result: Result, order: Order) -> None:
    """Write volumes and ratios."""
    language, lesions = order.language, result.lesions
    page.panel(box, say(language, "volumes"))
    constants = result.constants
    unknown = say(language, "none")
    if not lesions.core_known:
        core = say(language, "core")
    elif study.modality == "CT":
        share = f"{100 * constants.core_relative_cbf:g}"
        core = say(language, "core-ct", share=share, late=constants.core_within_tmax_s)
    else:
        core = say(language, "core-mr", adc=constants.core_adc_um2_per_s)
    rows = [(core, f"{number(language, lesions.core_ml)} mL" if lesions.core_known else unknown)]
    rows += [
        (say(language, "late", limit=limit), f"{number(language, volume)} mL")
        for limit, volume in lesions.late_ml.items()
    ]
    mismatch = f"{number(language, lesions.mismatch_ml)} mL" if lesions.core_known else unknown
    rows.append((say(language, "mismatch"), mismatch))
    for key, ratio in (("ratio", lesions.ratio), ("intensity", lesions.intensity_ratio)):
        rows.append((say(language, key), unknown if ratio is None else number(language, ratio, 2)))
    step = min(36.0, (box[3] - box[1] - 70) / max(1, len(rows) - 1))
    strong = (0, len(rows) - 3, len(rows) - 2)
    for place, (name, value) in enumerate(rows):
        y = box[1] + 72 + place * step
        page.text(box[0] + 18, y, name, 19, INK if place in strong else SOFT)
        page.text(box[2] - 18, y, value, 22, INK, bold=place in strong, right=True)


def _curves(page: Sheet, box: Box, study: PerfusionStudy, result: Result, order: Order) -> None:
    language = order.language
    page.panel(box, say(language, "curves"))
    lines = [Line(say(language, "artery"), result.even_s.tolist(), result.artery.curve.tolist(), ARTERY)]
    if result.vein is not None:
        lines.append(Line(say(language, "vein"), result.even_s.tolist(), result.vein.curve.tolist(), VEIN))
    plot(page, _inner(box), lines, "1/s" if study.modality == "MR" else "HU")


def _motion(page: Sheet, box: Box, study: PerfusionStudy, result: Result, order: Order) -> None:
    language, moved = order.language, result.motion
    page.panel(box, say(language, "motion"))
    if moved is None:
        page.text(box[0] + 18, box[1] + 72, say(language, "not-corrected"), 19, SOFT)
        return
    times = frame_times(study)
    lines = [
        Line(say(language, "shift"), times, moved.moved_mm().tolist(), ARTERY),
        Line(say(language, "turn"), times, moved.turned_deg().tolist(), TURN),
    ]
    plot(page, _inner(box), lines, "", [times[one] for one in result.dropped])


def _inner(box: Box) -> tuple[float, float, float, float]:
    return box[0] + 66, box[1] + 66, box[2] - 22, box[3] - 34


def _warnings(page: Sheet, box: Box, study: PerfusionStudy, result: Result, order: Order) -> None:
    language = order.language
    page.panel(box, say(language, "warnings"))
    y, width = box[1] + 68, box[2] - box[0] - 36
    told = [say(language, one.code, **one.facts) for one in result.warnings]
    told += [say(language, one) for one in study.notes]
    size = 18 if len(told) < 5 else 14
    for text in told:
        y = page.lines(box[0] + 18, y, width, text, size, WARN)
    if not told:
        page.text(box[0] + 18, y, say(language, "no-warnings"), 18, SOFT)


def _constants(page: Sheet, box: Box, study: PerfusionStudy, result: Result, order: Order) -> None:
    """Write the method and its constants."""
    language, constants = order.language, result.constants
    page.panel(box, say(language, "constants"))
    index = constants.oscillation_index if constants.method == "oscillation-index" else constants.fixed_threshold
    rows = [
        say(language, constants.method, n=index),
        say(language, "density", density=constants.density_g_per_ml, k=constants.haematocrit_factor),
        say(language, "partial", n=result.partial_volume),
        say(language, "normal", n=result.lesions.normal_cbf),
        say(language, "smallest", n=constants.smallest_cluster_ml),
    ]
    for place, text in enumerate(rows):
        page.text(box[0] + 18, box[1] + 66 + place * 29, text, 18, SOFT)
