"""Why an object has no picture to show: in one sentence that a user understands.

In: SOP class, transfer syntax and, when at hand, the header. Out: None when it can be shown, else the reason
(PS3.4 B.5 for the classes, PS3.5 A.4 for what is video).
"""

from __future__ import annotations

from radrelay.dicom.decode import can_decode
from radrelay.dicom.elements import Attributes
from radrelay.dicom.pixels import NotViewable, PixelsTooLarge, describe, holds_pixels
from radrelay.dicom.syntaxes import syntax_of

_STORAGE = "1.2.840.10008.5.1.4.1.1."

_WITHOUT_PICTURE: tuple[tuple[str, str], ...] = (
    (f"{_STORAGE}88.59", "A key object selection points at other images; it holds no picture of its own."),
    (f"{_STORAGE}88.", "A structured report holds text and measurements, no picture."),
    (f"{_STORAGE}104.1", "An encapsulated PDF is read in a PDF reader, not as a picture."),
    (f"{_STORAGE}104.2", "An encapsulated CDA document is read as text, not as a picture."),
    (f"{_STORAGE}104.", "An encapsulated 3D model is opened in a 3D program, not as a picture."),
    (f"{_STORAGE}11.", "A presentation state tells how other images are shown; it holds no picture of its own."),
    (f"{_STORAGE}9.", "A waveform (ECG, sound) is drawn as a curve, not as a picture."),
    (f"{_STORAGE}66.1", "A spatial registration holds a transformation, no picture."),
    (f"{_STORAGE}66.2", "Spatial fiducials hold points, no picture."),
    (f"{_STORAGE}66.3", "A deformable registration holds a transformation, no picture."),
    (f"{_STORAGE}66.5", "A surface segmentation holds meshes, no picture."),
    (f"{_STORAGE}66.6", "Tractography results hold tracks, no picture."),
    (f"{_STORAGE}66", "Raw data is kept for the device that made it; it holds no picture."),
    (f"{_STORAGE}67", "A real world value mapping gives units to other images; it holds no picture."),
    (f"{_STORAGE}68.", "A surface scan holds a mesh, no picture."),
    (f"{_STORAGE}4.2", "MR spectroscopy holds spectra, no picture."),
    (f"{_STORAGE}481.3", "An RT structure set holds contours that are drawn over images; it holds no picture."),
    (f"{_STORAGE}481.4", "An RT treatment record holds no picture."),
    (f"{_STORAGE}481.5", "An RT plan holds no picture."),
    (f"{_STORAGE}481.6", "An RT treatment record holds no picture."),
    (f"{_STORAGE}481.7", "An RT treatment record holds no picture."),
    (f"{_STORAGE}481.8", "An RT ion plan holds no picture."),
    (f"{_STORAGE}481.9", "An RT ion treatment record holds no picture."),
    (f"{_STORAGE}78.", "A refraction or lens measurement holds values, no picture."),
    (f"{_STORAGE}79.1", "A macular grid report holds values, no picture."),
    (f"{_STORAGE}80.1", "A visual field measurement holds values, no picture."),
    (f"{_STORAGE}91.1", "Microscopy bulk annotations are drawn over slides; they hold no picture."),
    (f"{_STORAGE}131", "An assessment holds values, no picture."),
    (f"{_STORAGE}200.", "A procedure protocol holds settings, no picture."),
)


def describe_viewability(sop_class: str, ts: str, header: Attributes | None = None) -> str | None:
    """Say why an object cannot be shown as a picture; None when it can.

    Parameters
    ----------
    sop_class
        SOP Class UID, "" when unknown.
    ts
        Transfer Syntax UID.
    header
        The header's attributes; without it only SOP class and transfer syntax are judged.
    """
    syntax = syntax_of(ts)
    if syntax.codec == "video":
        return f"A video ({syntax.name}) is played, not shown as still frames."
    reason = next((why for prefix, why in _WITHOUT_PICTURE if _matches(sop_class, prefix)), "")
    if reason and (header is None or not holds_pixels(header)):
        return reason
    if not can_decode(syntax):
        return f"Its transfer syntax ({syntax.name}) has no decoder here."
    return _unfit(ts, header) if header is not None else None


def _unfit(ts: str, header: Attributes) -> str | None:
    """Return why the header makes no picture."""
    if not holds_pixels(header):
        return "The object holds no pixel data."
    try:
        describe(header, ts)
    except (NotViewable, PixelsTooLarge) as why:
        return why.message
    return None


def _matches(sop_class: str, prefix: str) -> bool:
    return sop_class.startswith(prefix) if prefix.endswith(".") else sop_class == prefix
