"""What an analysis of perfusion writes: DICOM objects of the study that it was given, and what a page is told.

order, header       what objects are to be like; patient, study, series, equipment, sources
shown, colours      which volumes are shown, and in which colours
pictures, captures  slices as pictures with scale and words; as Secondary Captures
findings            what a page is told
writing             all of it in order: `write`, or `hand_over` without a folder
"""

from __future__ import annotations

from radrelay.analysis.objects.order import Language, Order
from radrelay.analysis.objects.writing import hand_over, write

__all__ = ["Language", "Order", "hand_over", "write"]
