"""Slices as pictures in colour: the map, its scale with numbers and unit, and what every picture must say.

Nothing of the patient is burned in: who knows the patient by alias alone sees pictures, too. Small images are enlarged
by whole pixels, so that the text can be read.
"""

from __future__ import annotations

import io
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from radrelay.analysis.objects.colours import CORE, LATE, Scale, table
from radrelay.analysis.objects.order import PROGRAM, Language
from radrelay.analysis.objects.words import say, written

Bytes = NDArray[np.uint8]
SMALLEST = 512
INK, SOFT, DARK = (255, 255, 255), (176, 186, 198), (0, 0, 0)


@lru_cache(maxsize=32)
def font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return Noto Sans, whose Latin letters lie beside this module: Pillow's own font has no letters but ASCII's."""
    name = f"NotoSans-{'Bold' if bold else 'Regular'}.ttf"
    file = io.BytesIO((resources.files(__package__) / "fonts" / name).read_bytes())
    return ImageFont.truetype(file, size)


def enlargement(rows: int, columns: int) -> int:
    """Return by how many pixels each pixel of an image is shown, so that the picture is no smaller than SMALLEST."""
    return max(1, -(-SMALLEST // max(rows, columns)))


def enlarged(picture: Bytes, scale: int) -> Bytes:
    """Return each pixel as `scale` × `scale`."""
    return picture if scale == 1 else picture.repeat(scale, axis=0).repeat(scale, axis=1)


class Frame:
    """What is burned into each picture of a series alike: drawn once, laid upon each slice."""

    def __init__(self, rows: int, columns: int, language: Language, title: str) -> None:
        self.rows, self.columns, self.language = rows, columns, language
        self.size = max(11, round(min(rows, columns) / 40))
        self._layer = Image.new("RGBA", (columns, rows))
        self._draw = ImageDraw.Draw(self._layer)
        self._text((0.6, 0.4), title, self.size + 4, INK)
        self._text((0.6, rows / self.size - 3.1), say(language, "research"), self.size, INK)
        self._text((0.6, rows / self.size - 1.7), PROGRAM, self.size - 1, SOFT)

    def _text(
        self, at: tuple[float, float], text: str, size: int, colour: tuple[int, int, int], anchor: str = "la"
    ) -> None:
        """Write at a place in sizes of the text, with a dark rim, so that it can be read upon anything."""
        place = (at[0] * self.size, at[1] * self.size)
        self._draw.text(place, text, colour, font(size), anchor, stroke_width=2, stroke_fill=DARK)

    def scale(self, scale: Scale, marks: int = 5) -> None:
        """Draw the colour scale along the right edge, its unit above."""
        across, least = max(10, self.columns // 40), round(self.rows * 0.22)
        high = self.rows - 2 * least
        left = self.columns - across - round(0.7 * self.size)
        colours = table(grey=scale.grey)[np.linspace(255, 0, high).astype(np.uint8)]
        bar = Image.fromarray(np.ascontiguousarray(np.repeat(colours[:, None], across, axis=1)))
        self._draw.rectangle((left - 1, least - 1, left + across, least + high), outline=SOFT)
        self._layer.paste(bar, (left, least))
        for share in np.linspace(0, 1, marks):
            value = scale.least + share * (scale.most - scale.least)
            y = least + (1 - share) * high
            self._draw.line((left - 4, y, left - 1, y), fill=INK)
            self._text(
                ((left - 7) / self.size, y / self.size), written(self.language, f"{value:g}"), self.size, INK, "rm"
            )
        self._text(((left + across) / self.size, least / self.size - 0.7), scale.unit, self.size, INK, "rs")

    def legend(self, rows: list[tuple[tuple[int, int, int], str]]) -> None:
        """Name the colours of outlines, at the upper right."""
        for number, (colour, text) in enumerate(rows):
            y = (0.6 + 1.5 * number) * self.size
            right = self.columns - 0.7 * self.size
            self._draw.rectangle((right - self.size, y, right, y + self.size), fill=colour, outline=DARK)
            self._text((right / self.size - 1.5, y / self.size - 0.1), text, self.size, INK, "ra")

    def upon(self, picture: Bytes, number: int, of: int) -> Bytes:
        """Return a slice's picture (rows, columns, 3) with everything upon it; `number` counts from 0."""
        whole = Image.fromarray(picture)
        whole.paste(self._layer, mask=self._layer)
        text = say(self.language, "slice", n=number + 1, of=of)
        ImageDraw.Draw(whole).text(
            (0.6 * self.size, 0.4 * self.size + 1.5 * (self.size + 4)), text, SOFT, font(self.size), stroke_width=2,
            stroke_fill=DARK,
        )  # fmt: skip
        return np.asarray(whole)


def lesion_legend(language: Language, late_s: float, *, core: bool) -> list[tuple[tuple[int, int, int], str]]:
    """Return the colours of core (where anything tells it) and late tissue with their names."""
    named = [(CORE, say(language, "core"))] if core else []
    return [*named, (LATE, say(language, "late", limit=late_s))]
