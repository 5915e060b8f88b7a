"""The query parameters of rendered resources and thumbnails (PS3.18 8.3.5.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from radrelay.archive.instances import InstanceRef
from radrelay.archive.renditions import Region, Renditions
from radrelay.dicom.greyscale import Function, Window
from radrelay.errors import Invalid

FORMS: dict[str, Literal["jpeg", "png", "gif"]] = {"image/jpeg": "jpeg", "image/png": "png", "image/gif": "gif"}
"""The media types of pictures, the preferred first."""

MAX_EDGE = 16_384
_FUNCTIONS: dict[str, Function] = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_UNMET = ("annotation", "iccprofile")


class BadRendering(Invalid):
    """A parameter of the picture cannot be understood."""

    code = "bad-rendering"


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a picture is wanted; `size` is the viewport's width and height, `unmet` what is not done here."""

    window: Window | None = None
    region: Region | None = None
    size: tuple[int, int] | None = None
    quality: int = 90
    unmet: tuple[str, ...] = ()

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        found = {"Vary": "Accept"}
        if self.unmet:
            found["Warning"] = f'299 radrelay "not supported and ignored: {", ".join(self.unmet)}"'
        return found

    def picture(self, renditions: Renditions, ref: InstanceRef, number: int, media: str) -> bytes:
        """Return frame `number` as a picture of media type `media`."""
        return renditions.picture(
            ref,
            number,
            window=self.window,
            region=self.region,
            size=self.size,
            form=FORMS[media],
            quality=self.quality,
        )


def parse_rendering(parameters: Mapping[str, str]) -> Rendering:
    """Read the parameters; raises `BadRendering` naming the one that cannot be understood."""
    size, region = _viewport(parameters.get("viewport", ""))
    return Rendering(
        window=_window(parameters.get("window", "")),
        region=region,
        size=size,
        quality=_quality(parameters.get("quality", "")),
        unmet=tuple(name for name in _UNMET if parameters.get(name)),
    )


def _window(text: str) -> Window | None:
    """Read `center,width,function` (PS3.18 8.3.5.1.4)."""
    if not text:
        return None
    pieces = [piece.strip() for piece in text.split(",")]
    function = _FUNCTIONS.get(pieces[2].lower() if len(pieces) == 3 else "linear")
    if len(pieces) not in (2, 3) or function is None:
        raise BadRendering("window is center,width,function with the function linear, linear-exact or sigmoid")
    center, width = _float(pieces[0], "window"), _float(pieces[1], "window")
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise BadRendering("a window's width is at least 1, for linear-exact and sigmoid more than 0")
    return Window(center, width, function)


def _viewport(text: str) -> tuple[tuple[int, int] | None, Region | None]:
    """Read `vw,vh` or `vw,vh,sx,sy,sw,sh` (PS3.18 8.3.5.1.3); a region's missing parts mean the whole."""
    if not text:
        return None, None
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) not in (2, 6):
        raise BadRendering("viewport is width,height or width,height,left,top,width,height of the region")
    numbers = [round(_float(piece, "viewport")) if piece else 0 for piece in pieces]
    if not 1 <= min(numbers[:2]) <= max(numbers[:2]) <= MAX_EDGE:
        raise BadRendering(f"a viewport is 1 to {MAX_EDGE} pixels wide and high")
    size = numbers[0], numbers[1]
    return size, Region(numbers[2], numbers[3], numbers[4], numbers[5]) if len(numbers) == 6 else None


def _quality(text: str) -> int:
    if not text:
        return 90
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= 100):
        raise BadRendering("quality is a whole number from 1 to 100")
    return int(text)


def _float(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise BadRendering(f"{name}: {text[:20]!r} is no number") from error
    if not math.isfinite(number) or abs(number) > 1e9:
        raise BadRendering(f"{name}: {text[:20]!r} is out of range")
    return number
