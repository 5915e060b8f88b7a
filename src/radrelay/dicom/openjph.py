"""HTJ2K (T.814) by OpenJPH through imagecodecs, where the binding as it is would give wrong pixels and say nothing.

In: samples, or a code stream. Out: a code stream, or samples, whole. Two faults are kept away from everybody else:

- OpenJPH fills its tables at their first use, and two first uses at once make wrong code streams and wrong pixels
  (https://github.com/aous72/OpenJPH/pull/243): the first use is here, alone.
- the binding copies lines in functions that cannot raise, so that what the codec complains of meanwhile is handed to
  `sys.unraisablehook`, and the lines not yet copied stay black: it is raised here after all.
"""

from __future__ import annotations

import sys
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from radrelay.dicom.elements import Buffer
from radrelay.dicom.pixels import Pixels

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_COPYING = ("imagecodecs._htj2k._copy_from_codestream", "imagecodecs._htj2k._copy_to_codestream")
_first = threading.Lock()
_missed = threading.local()


class Htj2kFault(RuntimeError):
    """OpenJPH gave up in the middle of a picture."""


def encode(samples: Pixels, **options: Any) -> bytes:
    """Return the code stream of samples, shape (rows, columns[, samples]); options are `imagecodecs.htj2k_encode`'s.

    Raises
    ------
    RuntimeError, ValueError
        When the codec does not take them.
    """
    _set_up()
    return bytes(_whole(imagecodecs.htj2k_encode, samples, options))


def decode(stream: Buffer, **options: Any) -> Pixels:
    """Return the samples of a code stream, whole; options are `imagecodecs.htj2k_decode`'s.

    Raises
    ------
    RuntimeError, ValueError
        When the codec cannot read all of it.
    """
    _set_up()
    return np.asarray(_whole(imagecodecs.htj2k_decode, stream, options))


def _set_up() -> None:
    with _first:
        _fill_tables()


@cache
def _fill_tables() -> None:
    """Use the codec's every table once: words up to 16 bits and of 32, lossless and not, grey and colour."""
    _watch()
    for kind in (np.uint8, np.uint16, np.int32):
        for reversible in (True, False):
            for shape in ((8, 8), (8, 8, 3)):
                picture = np.arange(np.prod(shape), dtype=kind).reshape(shape)
                stream = imagecodecs.htj2k_encode(picture, reversible=reversible)
                imagecodecs.htj2k_decode(bytes(stream), skipres=1)
                imagecodecs.htj2k_decode(bytes(stream))


def _watch() -> None:
    told = sys.unraisablehook

    def note(args: UnraisableHookArgs) -> None:
        if args.object in _COPYING:
            _missed.fault = str(args.exc_value)  # what is told to this thread: the hook is called where it happens
        else:
            told(args)

    sys.unraisablehook = note


def _whole(work: Any, given: Any, options: dict[str, Any]) -> Any:
    _missed.fault = None
    made = work(given, **options)
    if _missed.fault is not None:
        raise Htj2kFault(_missed.fault)
    return made
