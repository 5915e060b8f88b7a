"""What is said of recipes: pages have a word for each code, in both languages; no code is idle."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from radrelay.importer.recipes.words import ENGLISH, say

ROOT = Path(__file__).parents[2]
_ENTRY = re.compile(r"^  'recipe\.says\.([a-z-]+)': '(.*)',$", re.MULTILINE)
_PLACE = re.compile(r"\{(\w+)\}")


def catalogue(language: str) -> dict[str, str]:
    text = (ROOT / "frontend" / "app" / "i18n" / f"recipes.{language}.ts").read_text(encoding="utf-8")
    return {code: said.replace("\\\\", "\\") for code, said in _ENTRY.findall(text)}


@pytest.mark.parametrize("language", ["en", "de"])
def test_pages_say_all_that_is_said_of_recipes(language: str) -> None:
    told = catalogue(language)
    assert set(told) == set(ENGLISH)
    for code, text in ENGLISH.items():
        assert set(_PLACE.findall(text)) == set(_PLACE.findall(told[code])), code
    if language == "en":
        assert told == {code: text.replace("'", "\u2019") for code, text in ENGLISH.items()}


def test_no_code_is_idle() -> None:
    files = [one for one in (ROOT / "src" / "radrelay").glob("**/*.py") if one.name != "words.py"]
    source = "".join(text for text in (one.read_text(encoding="utf-8") for one in files) if "recipe" in text)
    assert [code for code in ENGLISH if f'"{code}"' not in source] == []


def test_words_are_plain_english_with_their_values() -> None:
    inner = say("take", name="csrf")
    assert str(say("test-outdated", came="wrong", why=inner, wanted="fetched")) == (
        "comes to wrong (csrf is not where the recipe takes it from), not to fetched"
    )
    assert say("take", name="a") == say("take", name="a") != say("take", name="b")
    assert len({say("take", name="a"), say("take", name="a")}) == 1
