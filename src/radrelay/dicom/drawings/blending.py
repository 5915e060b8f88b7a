"""How a blending state lays one series over another (PS3.3 A.33.4, C.11.14; PS3.4 N.2.6).

The underlying images are grey, the superimposed ones go through the state's palette, and cover the others by its
relative opacity. What is not read, a second registration or values that no one window says, is noted, and nothing
is blended then.
"""

from __future__ import annotations

from collections.abc import Mapping

from radrelay.dicom.drawings import brightness
from radrelay.dicom.drawings.drawn import Blended, Blending, Draft, Reference, Window, finite
from radrelay.dicom.drawings.references import bounded, of_series
from radrelay.dicom.header import Header

STATE = "1.2.840.10008.5.1.4.1.1.11.4"
ADVANCED = "1.2.840.10008.5.1.4.1.1.11.8"
BLENDING, POSITION, OPACITY, REGISTRATIONS = 0x00700402, 0x00700405, 0x00700403, 0x00700404
_ADVANCED_INPUTS = 0x00701B01
_STRAIGHT = ("LINEAR", "LINEAR_EXACT")  # through which colours are laid
_WINDOWS, _TABLES, _MODALITY_TABLES = 0x00283110, 0x00283010, 0x00283000


class _NotBlended(Exception):
    """It is not blended here; the argument is the code of why."""


def inputs_of(header: Header) -> list[Header]:
    """Return the items that name the sets of images that are blended."""
    return [*header.items(BLENDING), *header.items(_ADVANCED_INPUTS)]


def series_of(header: Header) -> tuple[str, ...]:
    """Return the series of all sets of images, the underlying first."""
    ordered = sorted(inputs_of(header), key=lambda item: item.text(POSITION).upper() != "UNDERLYING")
    return tuple(uid for item in ordered for uid in of_series(item)[0])


def images_of(header: Header) -> tuple[Reference, ...]:
    """Return the images of all sets; raises `DrawingTooLarge`."""
    found: list[Reference] = []
    for item in inputs_of(header):
        found.extend(of_series(item)[1])
        bounded(len(found))
    return tuple(found)


def blending_of(header: Header, sop_class: str, draft: Draft) -> Blending | None:
    """Return how a state blends; none, and a note of why, where that is not to be had."""
    try:
        return _read(header, sop_class, draft)
    except _NotBlended as reason:
        draft.notes.add(str(reason))
        return None


def _read(header: Header, sop_class: str, draft: Draft) -> Blending:
    if sop_class == ADVANCED:
        raise _NotBlended("blending-advanced")
    if header.items(REGISTRATIONS):
        raise _NotBlended("blending-registered")
    sets: Mapping[str, Header] = {item.text(POSITION).upper(): item for item in header.items(BLENDING)}
    under, over = sets.get("UNDERLYING"), sets.get("SUPERIMPOSED")
    opacity = header.number(OPACITY)
    if under is None or over is None or opacity is None or not 0 <= opacity <= 1:
        raise _NotBlended("blending-unreadable")
    palette = brightness.palette_of(header, draft)
    if not palette:
        raise _NotBlended("blending-unreadable")
    lower, upper = _blended(under, draft), _blended(over, draft)
    if upper.window is not None and upper.window.function not in _STRAIGHT:
        raise _NotBlended("blending-values")
    return Blending(lower, upper, opacity, palette)


def _blended(item: Header, draft: Draft) -> Blended:
    """Read a set of images with its modality step and its window."""
    series, images = of_series(item)
    if len(set(series)) != 1 or not images:
        raise _NotBlended("blending-unreadable" if not series else "blending-many")
    windows = item.items(_WINDOWS)
    if item.items(_MODALITY_TABLES) or any(window.items(_TABLES) for window in windows):
        raise _NotBlended("blending-values")
    found = {_window(window) for window in windows}
    if len(found) > 1:
        raise _NotBlended("blending-values")
    slope, intercept = item.number(0x00281053), item.number(0x00281052)
    return Blended(draft.mention(images), next(iter(found), None), slope, intercept)


def _window(item: Header) -> Window:
    center, width = (next(iter(item.numbers(tag)), None) for tag in (0x00281050, 0x00281051))
    if center is None or width is None or width <= 0 or not finite((center, width)):
        raise _NotBlended("blending-values")
    return Window(center, width, item.text(0x00281056).upper() or "LINEAR")
