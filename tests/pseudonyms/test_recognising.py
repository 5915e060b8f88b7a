"""Regions with text are proposed where Tesseract is installed, and it is said where it is not."""

from __future__ import annotations

import io
import shutil

import pytest
from PIL import Image, ImageDraw

from radrelay.pseudonyms import NoRecogniser, propose
from radrelay.pseudonyms.recognising import PROGRAM, merged, words_of


def a_picture() -> bytes:
    picture = Image.new("L", (640, 480), 20)
    pen = ImageDraw.Draw(picture)
    pen.text((20, 10), "QUASTENFLOSSER ZYPRIAN", fill=240, font_size=24)
    pen.text((420, 440), "12.03.1954", fill=240, font_size=20)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def test_text_is_found_and_nothing_is_proposed_without_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shutil.which(PROGRAM), "scripts/debian-packages test installs it"
    found = propose([a_picture()], 640, 480)
    for left, top in ((30, 22), (330, 22), (440, 452)):
        assert any(x <= left < x + w and y <= top < y + h for x, y, w, h in found), (left, top, found)
    assert all(x >= 0 and y >= 0 and x + w <= 640 and y + h <= 480 for x, y, w, h in found)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(NoRecogniser):
        propose([a_picture()], 640, 480)


def test_words_are_read_from_the_programs_table() -> None:
    head = "level\tpage\tblock\tpar\tline\tword\tleft\ttop\twidth\theight\tconf\ttext\n"
    rows = ("5\t1\t1\t1\t1\t1\t10\t20\t30\t8\t91.5\tMEIER", "5\t1\t1\t1\t1\t2\t50\t20\t30\t8\t3.0\t~",
            "5\t1\t1\t1\t1\t3\t90\t20\t30\t8\t80\t ", "4\t1\t1\t1\t1\t0\t10\t20\t30\t8\t-1\t")  # fmt: skip
    assert list(words_of(head + "\n".join(rows))) == [(10, 20, 30, 8)]
    assert merged([(0, 0, 10, 10), (8, 8, 10, 10), (50, 50, 5, 5)]) == ((0, 0, 18, 18), (50, 50, 5, 5))
