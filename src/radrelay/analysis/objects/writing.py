"""All objects of a result, one after the other, so that no more than one is held, and what is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from radrelay.analysis.objects import captures, header, parametric, shown
from radrelay.analysis.objects.document import PLACE as DOCUMENT
from radrelay.analysis.objects.document import document_file, pdf_of
from radrelay.analysis.objects.evidence import Evidence
from radrelay.analysis.objects.findings import findings_of
from radrelay.analysis.objects.identity import write_identity
from radrelay.analysis.objects.order import PROGRAM, Order, Place
from radrelay.analysis.objects.report import PLACE as REPORT
from radrelay.analysis.objects.report import report_file
from radrelay.analysis.objects.segments import PLACE as SEGMENTS
from radrelay.analysis.objects.segments import segmentation, segments_of
from radrelay.analysis.objects.summary import summary
from radrelay.analysis.objects.words import say
from radrelay.analysis.perfusion import Result
from radrelay.analysis.study import Findings, MapSeries, PerfusionStudy

FINDINGS = "findings.json"
SUMMARY = Place("summary", 9000, "Perfusion summary")
Take = Callable[[str, bytes], None]


def method_of(result: Result) -> str:
    """Return how a result was made, with every constant, as one line."""
    printed = result.constants.printed()
    said = "; ".join(f"{name}={_text(value)}" for name, value in printed.items())
    return f"{PROGRAM}: {said}; partial_volume={result.partial_volume:.3f}"


def _text(value: object) -> str:
    return ",".join(f"{one:g}" for one in value) if isinstance(value, tuple) else f"{value}"


def hand_over(study: PerfusionStudy, result: Result, order: Order, take: Take) -> Findings:
    """Hand every object of a result to `take`, by its name and as a DICOM file, the findings as JSON last."""
    order = replace(order, method=order.method or method_of(result))
    series = captures.series_of(study, result, order)
    for one in series:
        for name, content in captures.written(study, order, one):
            take(name, content)
    told = hand_over_summary(study, result, order, series, take)
    hand_over_measured(study, result, order, take)
    found = findings_of(study, result, order, [one.told for one in series], told)
    take(FINDINGS, msgspec.json.encode(found))
    return found


def hand_over_summary(
    study: PerfusionStudy, result: Result, order: Order, series: Sequence[captures.Series], take: Take
) -> MapSeries:
    """Hand over the summary as a picture, and as a document that says whose it is; return the picture's series."""
    page = summary(study, result, order, series)
    title = say(order.language, "title")
    elements = captures.image(study, order, SUMMARY, page.pixels(), f"{SUMMARY.description}. {order.method}")
    elements |= header.derived((), f"{SUMMARY.description}. {order.method}")
    take(f"{SUMMARY.number}-summary.dcm", captures.capture_file(order, SUMMARY, elements))
    write_identity(page, study, order.language)  # after the picture was taken: that is seen by alias, too
    pdf = pdf_of(page, f"{title} ({PROGRAM})", order.language)
    take(f"{DOCUMENT.number}-document.dcm", document_file(study, order, pdf, title))
    return MapSeries("summary", "", 0.0, 0.0, SUMMARY.series_uid(order), [SUMMARY.sop_uid(order)])


def hand_over_measured(study: PerfusionStudy, result: Result, order: Order, take: Take) -> None:
    """Hand over what programs read: the maps' values, segmentation and report."""
    source = Evidence(study, order, study.perfusion.slab, study.perfusion.references)
    for number, volume in enumerate(shown.maps(study, result)):
        place = parametric.place_of(volume, number)
        own = volume.references is study.perfusion.references
        of = source if own else Evidence(study, order, volume.slab, volume.references)
        take(f"{place.number}-{place.series}.dcm", parametric.map_file(of, order, volume, number))
    segments = segments_of(result)
    drawn = segmentation(source, result, order, segments)
    if drawn is not None:
        take(f"{SEGMENTS.number}-segments.dcm", source.file_bytes(drawn))
    take(f"{REPORT.number}-report.dcm", report_file(source, result, order, segments, drawn))


def write(study: PerfusionStudy, result: Result, order: Order, out: Path) -> Findings:
    """Write every object of a result, and the findings, into a folder."""
    out.mkdir(parents=True, exist_ok=True)

    def take(name: str, content: bytes) -> None:
        (out / name).write_bytes(content)

    return hand_over(study, result, order, take)
