"""A page of a result that is drawn: texts, pictures, boxes; what was written is kept for a PDF."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from radrelay.analysis.objects.pictures import font

Colour = tuple[int, int, int]
BACK, PANEL, LINE = (14, 18, 24), (24, 30, 38), (58, 68, 82)
INK, SOFT, WARN = (240, 244, 248), (160, 172, 186), (255, 196, 84)


@dataclass(frozen=True, slots=True)
class Written:
    """A text that stands in the picture: the left end of its baseline, and its size, in pixels."""

    x: float
    y: float
    size: int
    text: str


@dataclass(slots=True)
class Sheet:
    """A picture that is drawn on, in pixels from the upper left corner."""

    width: int
    height: int
    written: list[Written] = field(default_factory=list)
    _picture: Image.Image = field(init=False)
    _draw: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        """Begin with a dark page."""
        self._picture = Image.new("RGB", (self.width, self.height), BACK)
        self._draw = ImageDraw.Draw(self._picture)

    def text(self, x: float, y: float, text: str, size: int = 20, colour: Colour = INK, *, bold: bool = False,
             right: bool = False) -> None:  # fmt: skip
        """Write a line whose baseline is `y`; `right`: it ends at `x`."""
        used = font(size, bold=bold)
        if right:
            x -= used.getlength(text)
        self._draw.text((x, y), text, colour, used, "ls")
        self.written.append(Written(x, y, size, text))

    def lines(self, x: float, y: float, width: float, text: str, size: int = 20, colour: Colour = INK) -> float:
        """Write a text in as many lines as it needs; return the next line's baseline."""
        used, line = font(size), ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and used.getlength(longer) > width:
                self.text(x, y, line, size, colour)
                y, line = y + size * 1.35, word
            else:
                line = longer
        self.text(x, y, line, size, colour)
        return y + size * 1.35

    def panel(self, box: tuple[float, float, float, float], title: str) -> None:
        """Draw a box (left, upper, right, lower) with its title."""
        self._draw.rounded_rectangle(box, 10, fill=PANEL)
        self.text(box[0] + 18, box[1] + 32, title, 21, bold=True)

    def box(self, box: tuple[float, float, float, float], colour: Colour) -> None:
        """Fill a box."""
        self._draw.rectangle(box, fill=colour)

    def way(self, points: list[tuple[float, float]], colour: Colour, width: int = 3) -> None:
        """Draw a line through points."""
        if len(points) > 1:
            self._draw.line(points, fill=colour, width=width, joint="curve")

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw a dot."""
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def picture(self, x: int, y: int, pixels: NDArray[np.uint8], size: tuple[int, int]) -> None:
        """Put a picture (rows, columns, 3) into a box of a size (across, down)."""
        self._picture.paste(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS), (x, y))

    def pixels(self) -> NDArray[np.uint8]:
        """Return the page (rows, columns, 3)."""
        return np.asarray(self._picture)
