"""Why a study yields no maps, and what a reader of its maps is to know: each with a code and facts."""

from __future__ import annotations

from dataclasses import dataclass, field

from radrelay.errors import Fact, Invalid


class AnalysisRefused(Invalid):
    """This study cannot be analysed."""

    code = "analysis-refused"


class NoContrast(AnalysisRefused):
    """No contrast reaches the arteries: the injection failed, or the scan missed it."""

    code = "perfusion-no-contrast"


class PlaceOutside(AnalysisRefused):
    """A place that was chosen for artery or vein lies outside of the images."""

    code = "perfusion-place-outside"


class TooFewFrames(AnalysisRefused):
    """There are fewer than 20 time points."""

    code = "perfusion-too-few-frames"


class TooShort(AnalysisRefused):
    """The scan is shorter than 40 seconds."""

    code = "perfusion-too-short"


class TimesUnordered(AnalysisRefused):
    """The acquisition times do not rise from one time point to the next."""

    code = "perfusion-times-unordered"


class TimesDuplicate(AnalysisRefused):
    """Several images of one slice carry the same acquisition time."""

    code = "perfusion-times-duplicate"


class TimesDisagree(AnalysisRefused):
    """The attributes that tell the acquisition time contradict each other."""

    code = "perfusion-times-disagree"


class FramesLost(AnalysisRefused):
    """Too many time points are missing, damaged or spoilt by motion."""

    code = "perfusion-frames-lost"


class BolusLost(AnalysisRefused):
    """Three time points in a row are missing or spoilt while the contrast passes."""

    code = "perfusion-bolus-lost"


class NotAHead(AnalysisRefused):
    """The images do not show a head."""

    code = "perfusion-not-a-head"


class SlicesMissing(AnalysisRefused):
    """Slices are missing from the scanned volume."""

    code = "perfusion-slices-missing"


class NotFinite(AnalysisRefused):
    """Images are damaged: they hold values that are no numbers."""

    code = "perfusion-not-finite"


WARNINGS = (
    "cut-off-before-wash-out",
    "sampling-over-3-s",
    "sampling-coarse",
    "partial-volume-over-2",
    "slab-under-8-cm",
    "much-motion",
    "frames-dropped",
    "artery-far-from-expected",
    "vein-not-found",
    "two-boluses",
    "gap-in-time",
    "gantry-tilt",
    "images-left-out",
    "images-missing",
    "slices-unsteady",
    "no-frame-of-reference",
    "diffusion-elsewhere",
    "no-diffusion",
)


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that a reader is to know: one of WARNINGS, and its numbers."""

    code: str
    facts: dict[str, Fact] = field(default_factory=dict)
