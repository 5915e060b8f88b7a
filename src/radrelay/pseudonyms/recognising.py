"""Where text may stand in a picture: proposed by Tesseract, which Debian has, decided by a person.

In: frames as PNG. Out: rectangles around what looks like text. The program runs as a process of its
own, with a time limit and without a file; where it is not installed nothing is proposed, and that is said.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator, Sequence

from PIL import Image

from radrelay.errors import Unavailable
from radrelay.pseudonyms.errors import NoRecogniser

PROGRAM = "tesseract"
TIMEOUT_S = 60
LEAST_CONFIDENCE = 20
"""Of 100, low on purpose: a rectangle too many costs a look, one too few a name."""
MARGIN = 4
SMALL, SMALL_ENLARGED = 1200, 2
MOST = 64
_WORD, _CONFIDENCE, _TEXT = "5", 10, 11
Rectangle = tuple[int, int, int, int]


class RecogniserFailed(Unavailable):
    """Text could not be looked for in this picture."""

    code = "recogniser-failed"


def installed() -> bool:
    """Say whether text can be looked for on this machine."""
    return shutil.which(PROGRAM) is not None


def propose(pictures: Sequence[bytes], columns: int, rows: int) -> tuple[Rectangle, ...]:
    """Return rectangles (x, y, width, height) in a picture's own pixels, over some of its frames as PNG.

    Raises
    ------
    NoRecogniser
        Tesseract is not installed.
    RecogniserFailed
        It did not end in time, or could not read a picture.
    """
    found: list[Rectangle] = []
    for picture in pictures:
        enlarged = SMALL_ENLARGED if columns < SMALL else 1
        found += [
            _widened(box, enlarged, columns, rows)
            for box in words_of(_table(_enlarged(picture, columns, rows, enlarged)))
        ]
    return merged(found)[:MOST]


def _enlarged(picture: bytes, columns: int, rows: int, factor: int) -> bytes:
    """Return a picture in grey at so many times its own size: small letters are read better so."""
    grey = Image.open(io.BytesIO(picture)).convert("L").resize((columns * factor, rows * factor))
    out = io.BytesIO()
    grey.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _table(png: bytes) -> str:
    program = shutil.which(PROGRAM)
    if program is None:
        raise NoRecogniser
    asked = [program, "stdin", "stdout", "--psm", "11", "tsv"]
    try:
        done = subprocess.run(  # noqa: S603 -- a fixed command, the picture by its input
            asked, input=png, capture_output=True, timeout=TIMEOUT_S, check=True, env={"OMP_THREAD_LIMIT": "1"}
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise RecogniserFailed from error
    return done.stdout.decode("utf-8", "replace")


def words_of(tsv: str) -> Iterator[Rectangle]:
    """Yield the rectangles of words in Tesseract's table."""
    for line in tsv.splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) <= _TEXT or cells[0] != _WORD or not cells[_TEXT].strip():
            continue
        if float(cells[_CONFIDENCE]) >= LEAST_CONFIDENCE:
            left, top, width, height = (int(cell) for cell in cells[6:10])
            yield left, top, width, height


def _widened(box: Rectangle, scale: int, columns: int, rows: int) -> Rectangle:
    """Return a rectangle in the picture's own pixels, a little larger on every side."""
    left, top = (max(0, int(at / scale) - MARGIN) for at in box[:2])
    right = min(columns, int((box[0] + box[2]) / scale) + 1 + MARGIN)
    bottom = min(rows, int((box[1] + box[3]) / scale) + 1 + MARGIN)
    return left, top, right - left, bottom - top


def merged(boxes: Sequence[Rectangle]) -> tuple[Rectangle, ...]:
    """Return rectangles that touch no other: those that do become one."""
    left = list(boxes)
    done: list[Rectangle] = []
    while left:
        box = left.pop()
        near = [other for other in left if _touch(box, other)]
        if near:
            left = [other for other in left if other not in near]
            left.append(_around([box, *near]))
        else:
            done.append(box)
    return tuple(sorted(done, key=lambda one: (one[1], one[0])))


def _touch(one: Rectangle, other: Rectangle) -> bool:
    return (
        one[0] <= other[0] + other[2] and other[0] <= one[0] + one[2]
        and one[1] <= other[1] + other[3] and other[1] <= one[1] + one[3]
    )  # fmt: skip


def _around(boxes: Sequence[Rectangle]) -> Rectangle:
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return left, top, right - left, bottom - top
