"""Whose a page is, as the images that it came from say it: name, ID, birth date, study date, on one place of the page.

It stands on the document alone, which is handed out with the patient's name or not at all. Pictures have none of it:
who sees a study by alias sees them, and a header travels with each. Of pseudonymised images it is the alias.
"""

from __future__ import annotations

from radrelay.analysis.objects.header import text_of
from radrelay.analysis.objects.order import Language
from radrelay.analysis.objects.pictures import font
from radrelay.analysis.objects.sheet import INK, SOFT, Sheet
from radrelay.analysis.objects.words import say
from radrelay.analysis.study import PerfusionStudy

LEFT, RIGHT = 480, 1340
NAME_SIZE, SIZE, LEAST_SIZE = 26, 19, 11


def write_identity(page: Sheet, study: PerfusionStudy, language: Language) -> None:
    """Write whose the page is in its head; never cut off, but smaller where it is long."""
    _line(page, 46, name_of(study), NAME_SIZE, bold=True)
    _line(page, 74, "  ·  ".join(facts_of(study, language)), SIZE)


def name_of(study: PerfusionStudy) -> str:
    """Return the patient's name as a person writes it: family name, given names (PS3.5 6.2.1); a dash for none."""
    alphabetic = text_of(study.header, "PatientName").split("=")[0]
    family, *given = (part.strip() for part in alphabetic.split("^"))
    rest = " ".join(part for part in given if part)
    return ", ".join(part for part in (family, rest) if part) or "–"


def facts_of(study: PerfusionStudy, language: Language) -> list[str]:
    """Return patient ID, birth date and study date, those that the images tell."""
    told = (
        ("patient-id", text_of(study.header, "PatientID").strip()),
        ("born", _day(text_of(study.header, "PatientBirthDate"), language)),
        ("study-date", _day(text_of(study.header, "StudyDate"), language)),
    )
    return [f"{say(language, key)} {value}" for key, value in told if value]


def _day(said: str, language: Language) -> str:
    """Return a date (DA) as it is written in a language; what is none stays as it is."""
    said = said.strip()
    if len(said) != 8 or not said.isdigit():
        return said
    year, month, day = said[:4], said[4:6], said[6:]
    return f"{day}.{month}.{year}" if language == "de" else f"{year}-{month}-{day}"


def _line(page: Sheet, y: float, text: str, size: int, *, bold: bool = False) -> None:
    while size > LEAST_SIZE and font(size, bold=bold).getlength(text) > RIGHT - LEFT:
        size -= 1
    page.text(LEFT, y, text, size, INK if bold else SOFT, bold=bold)
