"""Pages of paper: names in the scripts of the patients, drawn by a viewer that has nothing but its own fonts."""

from __future__ import annotations

import re
from pathlib import Path

import pypdfium2

from radrelay.web.action_words import ACTIONS, FAMILIES
from radrelay.web.paper import WIDTH, bound, can_write
from radrelay.web.request_paper import MARGIN, Writing, read_name

NAMES = (
    "Çağla Öztürk",
    "İsmail Şahin",
    "Łucja Gąsienica",
    "Jiří Dvořák",
    "Őry Dorđe",
    "山田 太郎",
    "やまだ",
    "김철수",
    "Иван",
    "张伟",
)
WORDS = Path(__file__).parents[2] / "frontend" / "app" / "i18n"


def test_names_of_many_alphabets_are_drawn_and_can_be_copied() -> None:
    paper = Writing()
    for name in NAMES:
        assert can_write(name), name
        paper.line(name, 14)
    paper.line("頭" * 90, 12)
    paper.line("x" * 130, 12)
    document = pypdfium2.PdfDocument(bound(paper.pages, "Çağla", "de"))
    page = document[0]
    text = page.get_textpage().get_text_range()
    for name in NAMES:
        assert name in text, name
    drawn = page.render(scale=1, grayscale=True).to_numpy()
    assert drawn[:, int(WIDTH - MARGIN) + 2 :].min() > 200, "words without spaces end where the line does"
    accented, bare = _ink("ğğğğ"), _ink("gggg")
    assert accented > bare * 1.08, "the breve is there, which viewers' own fonts lack"
    document.close()


def _ink(text: str) -> int:
    paper = Writing()
    paper.line(text, 40)
    document = pypdfium2.PdfDocument(bound(paper.pages, "", "de"))
    dark = int((document[0].render(scale=2, grayscale=True).to_numpy() < 128).sum())
    document.close()
    return dark


def test_a_name_is_read_as_people_write_it() -> None:
    assert read_name("Yamada^Tarou=山田^太郎=やまだ^たろう") == "Tarou Yamada (山田 太郎)"
    assert read_name("=山田^太郎") == "山田 太郎"
    assert read_name("Müller^Anna^Maria^Dr.^MD") == "Dr. Anna Maria Müller MD"
    assert read_name("") == ""


def test_the_acts_of_a_report_have_the_words_of_the_pages() -> None:
    told: dict[str, dict[str, str]] = {}
    for language in ("en", "de"):
        for file in WORDS.glob(f"*{language}.ts"):
            for action, words in re.findall(r"'audit\.action\.([a-z.-]+)': '([^']*)'", file.read_text("utf-8")):
                told.setdefault(action, {})[language] = words
    assert {name: words for name, words in told.items() if name.partition(".")[0] in FAMILIES} == ACTIONS
