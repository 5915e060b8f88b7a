"""In which transfer syntax an object goes, of those that a peer takes."""

from __future__ import annotations

from collections.abc import Sequence

from radrelay.dicom.syntaxes import (
    DEFLATED_LE,
    EXPLICIT_LE,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    IMPLICIT_LE,
    J2K_LOSSLESS,
    JPEG_LS_LOSSLESS,
    RLE_LOSSLESS,
    syntax_of,
)
from radrelay.network.errors import ContextRefused

TARGETS = (
    EXPLICIT_LE,
    IMPLICIT_LE,
    JPEG_LS_LOSSLESS,
    J2K_LOSSLESS,
    HTJ2K_LOSSLESS,
    HTJ2K_LOSSLESS_RPCL,
    RLE_LOSSLESS,
    DEFLATED_LE,
)
"""What objects are transcoded to, best first; all of it lossless."""


def target_of(kept: str, accepted: Sequence[str]) -> str:
    """Return the best of `accepted` for an object kept in another; raises `ContextRefused` when there is none."""
    target = next((syntax for syntax in TARGETS if syntax in accepted), None)
    if target is None or syntax_of(kept).codec == "video":
        raise ContextRefused
    return target
