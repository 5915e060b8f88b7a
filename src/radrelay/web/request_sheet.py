"""What is held of a person, as pages to be read (PDF), in English or German.

In: what was found, as plain values, and what was sent to whom. Out: a PDF of A4 pages. Letters that the standard fonts
have not are written as question marks: the JSON beside it has everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from radrelay.privacy.notice import Language
from radrelay.web.paper import HEIGHT, WIDTH, Font, Paper, bound, lines_of

MARGIN = 56
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "title": "What is held of you", "made": "Made on {at} by {who}", "studies": "Studies ({n})",
        "study": "{date} {modalities} {description}", "counts": "{series} series, {objects} objects, {marks} marks,"
        " {files} files, sent {deliveries} times, {links} links", "until": "held by {source} until {until}",
        "no-end": "it is deleted", "images": "The images are in the folder DICOM of the ZIP.", "not": "The images of"
        " this study are not in the ZIP: who made it may not have them.", "aside": "Kept aside ({n})",
        "went": "To whom data went in six years ({n})", "account": "Your account", "nothing": "Nothing is held.",
        "page": "Page {n} of {of}",
    },
    "de": {
        "title": "Was über Sie vorliegt", "made": "Erstellt am {at} von {who}", "studies": "Studien ({n})",
        "study": "{date} {modalities} {description}", "counts": "{series} Serien, {objects} Objekte, {marks}"
        " Markierungen, {files} Dateien, {deliveries}-mal versandt, {links} Links",
        "until": "über {source} bis {until}",
        "no-end": "gelöscht wird", "images": "Die Bilder liegen im Ordner DICOM des ZIP.", "not": "Die Bilder dieser"
        " Studie sind nicht im ZIP: Wer es erstellt hat, darf sie nicht haben.", "aside": "Zurückgestellt ({n})",
        "went": "Wohin Daten in sechs Jahren gingen ({n})", "account": "Ihr Konto", "nothing": "Es liegt nichts vor.",
        "page": "Seite {n} von {of}",
    },
}  # fmt: skip


class _Writing:
    """Lines on as many pages as they take."""

    def __init__(self) -> None:
        self.pages: list[Paper] = []
        self._y = 0.0

    def line(self, text: str, size: float = 10, font: Font = "plain", space: float = 0) -> None:
        """Write a text, broken where it is too long."""
        for place, part in enumerate(lines_of(text, size, WIDTH - 2 * MARGIN, font)):
            step = size * 1.4 + (space if place == 0 else 0)
            if not self.pages or self._y - step < MARGIN:
                self.pages.append(Paper())
                self._y = HEIGHT - MARGIN
            self._y -= step
            self.pages[-1].text(MARGIN, self._y, part, size, font)


def request_sheet(
    data: Mapping[str, Any], went: Iterable[Mapping[str, str | int]], who: str, language: Language
) -> bytes:
    """Return the PDF; `data` is as `GET …/data` gives it in values, `went` are rows of disclosures."""
    words, paper = _WORDS[language], _Writing()
    paper.line(words["title"], 18, "bold")
    paper.line(words["made"].format(at=_moment(data["at"]), who=who), 10)
    if data["studies"]:
        paper.line(words["studies"].format(n=len(data["studies"])), 13, "bold", 10)
    for study in data["studies"]:
        _study(paper, study, words)
    if data["aside"]:
        paper.line(words["aside"].format(n=len(data["aside"])), 13, "bold", 10)
        for one in data["aside"]:
            paper.line(f"{_moment(one['received_at'])} {one['code']}")
    if data["account"] is not None:
        _account(paper, data["account"], words)
    _went(paper, list(went), words)
    if not data["studies"] and not data["aside"] and data["account"] is None:
        paper.line(words["nothing"])
    for place, page in enumerate(paper.pages, 1):
        page.text(MARGIN, MARGIN / 2, words["page"].format(n=place, of=len(paper.pages)), 8, grey=0.4)
    return bound(paper.pages, words["title"], language)


def _account(paper: _Writing, account: Mapping[str, Any], words: Mapping[str, str]) -> None:
    paper.line(words["account"], 13, "bold", 10)
    for name, value in account.items():
        paper.line(f"{name}: {', '.join(value) if isinstance(value, list | tuple) else value}")


def _went(paper: _Writing, rows: Sequence[Mapping[str, str | int]], words: Mapping[str, str]) -> None:
    if rows:
        paper.line(words["went"].format(n=len(rows)), 13, "bold", 10)
    for row in rows:
        paper.line(f"{str(row['at'])[:16]} {row['kind']} {row['recipient']} {row['study_uid']}", 9)


def _study(paper: _Writing, study: Mapping[str, Any], words: Mapping[str, str]) -> None:
    named = {**study, "date": study["study_date"] or "", "modalities": study["modalities"].replace("\\", "/")}
    paper.line(words["study"].format(**named).strip() or study["study_uid"], 11, "bold", 6)
    paper.line(f"{study['name'].replace('^', ' ')} {study['birth_date'] or ''} {study['sex']}".strip())
    paper.line(study["study_uid"], 8, "fixed")
    paper.line(words["counts"].format(**study))
    for one in study["held_by"]:
        until = words["no-end"] if one["ends_at"] is None else _moment(one["ends_at"])
        paper.line(words["until"].format(source=one["source"], until=until))
    paper.line(words["images" if study["included"] else "not"])


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
