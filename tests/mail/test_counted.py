"""What letters and pages of paper count: one is said as one."""

from __future__ import annotations

import re
from itertools import chain

import pytest

from radrelay.mail.counted import filled
from radrelay.mail.letters import KINDS, LANGUAGES, write
from radrelay.web.request_words import FURTHER, WORDS

COUNTED = ("days", "studies", "patients", "n", "objects", "files", "marks", "series")
BARE = re.compile(r"\{(" + "|".join(COUNTED) + r")\} +(\w+)")
SAME = {"more", "weitere", "series", "von", "of"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_study_of_one_person_is_said_as_one(language: str) -> None:
    facts = dict.fromkeys(
        ("username", "link", "until", "pin", "code", "who", "at", "due", "gigabytes", "since", "name", "address",
         "destination", "rule", "subject", "certificate", "machine", "file", "host", "step", "report", "born",
         "answers"), "x"
    )  # fmt: skip
    written = [
        write(kind, language, "House", facts | dict.fromkeys(COUNTED, "1")).text  # type: ignore[arg-type]
        for kind in KINDS
    ]
    wrong = re.compile(r"\b1 (days|studies|people|Tage|Studien|Personen)\b")
    assert [found.group() for text in written if (found := wrong.search(text))] == []
    assert any(re.search(r"\b1 (study of 1 person|Studie von 1 Person)\b", text) for text in written)


def test_no_page_counts_with_a_noun_of_many_alone() -> None:
    words = chain.from_iterable(part[language].items() for part in (WORDS, FURTHER) for language in ("de", "en"))
    bare = [(key, found.group()) for key, text in words for found in BARE.finditer(text)]
    assert [one for one in bare if one[1].split()[1] not in SAME] == []


def test_a_counted_noun_goes_by_its_number_and_values_are_no_words() -> None:
    text = "{name}: {n|time|times}"
    assert [filled(text, name="{n|a|b}", n=n) for n in (0, 1, 2)] == ["{n|a|b}: 0 times", "{n|a|b}: 1 time",
                                                                     "{n|a|b}: 2 times"]  # fmt: skip
