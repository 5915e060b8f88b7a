"""Brain perfusion from CT and MR: pure functions on arrays, with units and shapes in their words.

times, sampling     when each slice was acquired; curves at even times
grid, rigid, motion the grid that is worked on; frames put back in place
brain, arteries     where tissue is; the arterial input and the venous output
conversion          from HU or signal to what is in proportion to concentration
subspace, alike     noise taken away, lesions' edges kept
deconvolution, maps CBF, CBV, MTT, TTP, Tmax
lesions             core, hypoperfusion, mismatch
refusals, checking  why there are no maps; what a reader is to know
phantom             studies whose truth is known
pipeline            all of it in order: `analyse`
"""

from __future__ import annotations

from radrelay.analysis.perfusion.constants import METHODS, Constants, Method, Modality
from radrelay.analysis.perfusion.pipeline import STEPS, Options, Result, analyse
from radrelay.analysis.perfusion.refusals import WARNINGS, AnalysisRefused, Warned

__all__ = [
    "METHODS",
    "STEPS",
    "WARNINGS",
    "AnalysisRefused",
    "Constants",
    "Method",
    "Modality",
    "Options",
    "Result",
    "Warned",
    "analyse",
]
