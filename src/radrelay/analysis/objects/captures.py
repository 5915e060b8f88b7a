"""Pictures as Secondary Captures (PS3.3 A.8): one image per slice, true colour, where the slice lies in the patient.

One series per map, of single images: every viewer and every old archive takes them. Pixels are packed by run lengths
(PS3.5 G), which every toolkit reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radrelay.analysis.objects import header
from radrelay.analysis.objects.colours import Scale, coloured, overlaid
from radrelay.analysis.objects.order import Order, Place
from radrelay.analysis.objects.pictures import Frame, enlarged, enlargement, lesion_legend
from radrelay.analysis.objects.shown import Volume, late, maps, mean
from radrelay.analysis.objects.words import say
from radrelay.analysis.perfusion import Result
from radrelay.analysis.study import MapSeries, PerfusionStudy
from radrelay.dicom.encapsulated import encapsulate
from radrelay.dicom.encode import ENCODERS
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.pixels import FrameDescriptor
from radrelay.dicom.syntaxes import EXPLICIT_LE, RLE_LOSSLESS
from radrelay.dicom.writing import Elements, element, join
from radrelay.dicom.writing import header as element_header

Bytes = NDArray[np.uint8]
Object = tuple[str, bytes]
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
FIRST_NUMBER = 9001
UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Series:
    """A series of pictures: what is told of it, and how a slice (by its number) is painted."""

    told: MapSeries
    place: Place
    volume: Volume
    frame: Frame
    paint: Callable[[int], Bytes]


def series_of(study: PerfusionStudy, result: Result, order: Order) -> list[Series]:
    """Return the series of a result: core and late tissue on the mean image, the maps, the mean image."""
    grey = mean(study, result)
    wanted = [_lesions(grey, result, order), *(_plain(one, order) for one in (*maps(study, result), grey))]
    return [build(FIRST_NUMBER + number) for number, build in enumerate(wanted)]


def _plain(volume: Volume, order: Order) -> Callable[[int], Series]:
    def build(number: int) -> Series:
        name = say(order.language, volume.name)
        frame = _frame(volume, order, name)
        frame.scale(volume.scale)
        description = "Perfusion mean image" if volume.name == "mean" else f"Perfusion {volume.name}"
        return _series(volume, order, Place(volume.name, number, description), frame, lambda one: _painted(volume, one))

    return build


def _lesions(grey: Volume, result: Result, order: Order) -> Callable[[int], Series]:
    limit, mask = late(result)
    core = result.lesions.core

    def build(number: int) -> Series:
        frame = _frame(grey, order, say(order.language, "lesions", late=limit))
        frame.legend(lesion_legend(order.language, limit, core=result.lesions.core_known))
        place = Place("lesions", number, f"Perfusion core and Tmax > {limit:g} s")
        return _series(
            grey, order, place, frame, lambda one: overlaid(_painted(grey, one), core[one], mask[one])
        )  # fmt: skip

    return build


def _painted(volume: Volume, number: int) -> Bytes:
    return coloured(volume.values[number], volume.scale, None if volume.where is None else volume.where[number])


def _frame(volume: Volume, order: Order, title: str) -> Frame:
    rows, columns = volume.slab.rows, volume.slab.columns
    scale = enlargement(rows, columns)
    return Frame(rows * scale, columns * scale, order.language, title)


def _series(volume: Volume, order: Order, place: Place, frame: Frame, paint: Callable[[int], Bytes]) -> Series:
    scale: Scale = volume.scale
    count = volume.slab.slices
    uids = [_at(place, number).sop_uid(order) for number in range(count)]
    unit = "" if place.series == "lesions" else scale.unit
    told = MapSeries(place.series, unit, float(scale.least), float(scale.most), place.series_uid(order), uids)
    return Series(told, place, volume, frame, paint)


def _at(place: Place, number: int) -> Place:
    return Place(place.series, place.number, place.description, number + 1)


def written(study: PerfusionStudy, order: Order, series: Series) -> Iterator[Object]:
    """Give the files of a series: name and bytes of each."""
    volume, slab = series.volume, series.volume.slab
    scale = enlargement(slab.rows, slab.columns)
    for number in range(slab.slices):
        place = _at(series.place, number)
        picture = series.frame.upon(enlarged(series.paint(number), scale), number, slab.slices)
        elements = image(study, order, place, picture, f"{place.description} ({volume.scale.unit}). {order.method}")
        elements |= header.derived(volume.references[number], f"{place.description}. {order.method}")
        elements |= header.plane(slab, number, scale)
        yield _named(place), capture_file(order, place, elements)


def image(study: PerfusionStudy, order: Order, place: Place, picture: Bytes, comment: str) -> Elements:
    """Return the elements of a picture (rows, columns, 3) besides where it lies (PS3.3 C.7.6.3, C.8.6.1)."""
    rows, columns, _ = picture.shape
    found = header.about(study, order, place, SECONDARY_CAPTURE, study.modality)
    found |= header.lossiness(study)
    numbers = ((0x00280002, 3), (0x00280006, 0), (0x00280010, rows), (0x00280011, columns), (0x00280100, 8),
               (0x00280101, 8), (0x00280102, 7), (0x00280103, 0))  # fmt: skip
    found |= {tag: element(tag, "US", value) for tag, value in numbers}
    kind = place.series.upper()
    found |= {
        0x00080008: element(0x00080008, "CS", "DERIVED", "SECONDARY", "PERFUSION", kind),
        0x00080064: element(0x00080064, "CS", "WSD"),
        0x00200020: element(0x00200020, "CS"),
        0x00204000: element(0x00204000, "LT", comment[:1024]),
        0x00280004: element(0x00280004, "CS", "RGB"),
        0x00280301: element(0x00280301, "CS", "YES"),
        0x00280302: element(0x00280302, "CS", "NO"),
    }
    descriptor = FrameDescriptor(rows, columns, 3, 8, 8, 7, False, "RGB", 0, 1, EXPLICIT_LE)
    packed = ENCODERS["rle"].write(picture, descriptor, "RGB")
    found[0x7FE00010] = element_header(0x7FE00010, "OB", UNDEFINED) + encapsulate([packed])
    return found


def capture_file(order: Order, place: Place, elements: Elements) -> bytes:
    """Return a Secondary Capture as a file."""
    return file_meta(SECONDARY_CAPTURE, place.sop_uid(order), RLE_LOSSLESS) + join(elements)


def _named(place: Place) -> str:
    return f"{place.number}-{place.series}-{place.instance:03}.dcm"
