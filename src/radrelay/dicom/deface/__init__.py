"""Faces taken out of series of head CT and MR, so that nobody is known by a rendering of them (PS3.15 E.3.2).

In: the slices of a series, one by one. Out: for each what of it has to go, or why that cannot be said surely; and a
slice without it. What is cut lies in front of a smooth surface that follows the brain, not the face.
"""

from radrelay.dicom.deface.face import Unsure, face_of
from radrelay.dicom.deface.painting import Defaced, deface
from radrelay.dicom.deface.stack import MOST_CELLS, Cut, Slice, cuts_of, read_slice

__all__ = ["MOST_CELLS", "Cut", "Defaced", "Slice", "Unsure", "cuts_of", "deface", "face_of", "read_slice"]
