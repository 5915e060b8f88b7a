"""The sheet that is handed out with a link: a QR code, how to open it, until when. It names no patient and no PIN.

Of a link that hands images out to programs a second page has the codes for these, which are no use in a browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import segno

from radrelay.identity.organisations import UNNAMED
from radrelay.web.paper import HEIGHT, WIDTH, Font, Paper, bound, can_write, lines_of, width_of

Language = Literal["de", "en"]
MARGIN, CODE, SMALL_CODE = 72, 220, 170
QUIET = 4  # modules of white around the code (ISO/IEC 18004)
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "title": "Your medical images",
        "lead": "With this sheet you see your images in the browser of a phone, a tablet or a computer. You need no"
        " program and no account.",
        "scan": "Point the camera of your phone at the code, and open the address that it shows.",
        "type": "Without a camera: type this address, exactly as it stands here.",
        "pin": "You will be asked for a PIN. It was given to you separately.",
        "birth-date": "You will be asked for the date of birth of the patient.",
        "email": "You will be asked for a code. Tap “Send code”, and it comes by e-mail to {address}.",
        "until": "Open until {until}",
        "once": "opens once",
        "times": "opens {uses} times",
        "download": "Images can be saved as DICOM files.",
        "programs": "For practices and hospitals",
        "programs-lead": "With this page a practice or a hospital takes the images over into its own system. You"
        " need it only where you are asked for it.",
        "exchange": "Programs that take in images by DICOM Link Exchange scan this code, or are given its address:",
        "health": "Programs and apps that read SMART Health Links scan this code:",
        "exchange-asks-pin": "Both ask for the PIN that was given to you.",
        "exchange-asks-birth-date": "Both ask for the date of birth of the patient.",
        "exchange-asks-none": "DICOM Link Exchange asks for the day of the examination.",
        "keep": "Whoever has this sheet may see the images. Keep it like a medical document, and give it only to whom"
        " you want to show them: your doctor, another hospital.",
        "keep-asked": "Whoever has this sheet and what is asked for may see the images. Keep it like a medical"
        " document, and give it only to whom you want to show them: your doctor, another hospital.",
    },
    "de": {
        "title": "Ihre medizinischen Bilder",
        "lead": "Mit diesem Blatt sehen Sie Ihre Bilder im Browser eines Telefons, Tablets oder Computers. Sie brauchen"
        " kein Programm und kein Konto.",
        "scan": "Richten Sie die Kamera Ihres Telefons auf den Code und öffnen Sie die Adresse, die erscheint.",
        "type": "Ohne Kamera: Geben Sie diese Adresse ein, genau so, wie sie hier steht.",
        "pin": "Sie werden nach einer PIN gefragt. Sie haben sie getrennt erhalten.",
        "birth-date": "Sie werden nach dem Geburtsdatum der Patientin oder des Patienten gefragt.",
        "email": "Sie werden nach einem Code gefragt. Tippen Sie auf „Code senden“, und er kommt per E-Mail an"
        " {address}.",
        "until": "Offen bis {until}",
        "once": "lässt sich einmal öffnen",
        "times": "lässt sich {uses}-mal öffnen",
        "download": "Die Bilder lassen sich als DICOM-Dateien speichern.",
        "programs": "Für Praxis und Krankenhaus",
        "programs-lead": "Mit dieser Seite übernimmt eine Praxis oder ein Krankenhaus die Bilder in das eigene System."
        " Sie brauchen sie nur, wenn Sie danach gefragt werden.",
        "exchange": "Programme, die Bilder über DICOM Link Exchange übernehmen, lesen diesen Code oder bekommen seine"
        " Adresse:",
        "health": "Programme und Apps, die SMART Health Links lesen, nehmen diesen Code:",
        "exchange-asks-pin": "Beide fragen nach der PIN, die Sie erhalten haben.",
        "exchange-asks-birth-date": "Beide fragen nach dem Geburtsdatum der Patientin oder des Patienten.",
        "exchange-asks-none": "DICOM Link Exchange fragt nach dem Tag der Untersuchung.",
        "keep": "Wer dieses Blatt hat, kann die Bilder sehen. Bewahren Sie es auf wie ein medizinisches Dokument, und"
        " geben Sie es nur an Menschen, denen Sie die Bilder zeigen möchten: Ihrer Ärztin, einem anderen Krankenhaus.",
        "keep-asked": "Wer dieses Blatt hat und angibt, wonach gefragt wird, kann die Bilder sehen. Bewahren Sie es auf"
        " wie ein medizinisches Dokument, und geben Sie es nur an Menschen, denen Sie die Bilder zeigen möchten: Ihrer"
        " Ärztin, einem anderen Krankenhaus.",
    },
}


@dataclass(frozen=True, slots=True)
class LinkSheet:
    """What stands on a sheet; `ends_at` is told in its own zone, of `sends_to` as much as may be read by others."""

    address: str
    organisation: str
    ends_at: datetime
    max_uses: int | None
    protection: str
    may_download: bool
    sends_to: str = ""
    exchange: str = ""
    health: str = ""


def link_sheet(sheet: LinkSheet, language: Language) -> bytes:
    """Return the sheet as a PDF of one A4 page, or two."""
    words = WORDS[language]
    pages = [_for_people(sheet, words, language)]
    pages += [_for_programs(sheet, words, language)] if sheet.exchange else []
    return bound(pages, words["title"], language)


def _for_people(sheet: LinkSheet, words: dict[str, str], language: Language) -> Paper:
    paper = Paper()
    y = _write(paper, _head(paper, sheet) - 40, words["title"], 25, "bold")
    y = _write(paper, y - 8, words["lead"], 11.5)
    y -= CODE + 6
    _code(paper, (WIDTH - CODE) / 2, y, CODE, sheet.address)
    y = _write(paper, y - 22, words["scan"], 11.5, "bold")
    if sheet.protection in ("pin", "birth-date", "email"):
        y = _write(paper, y - 2, words[sheet.protection].format(address=sheet.sends_to), 11.5)
    y = _address(paper, _write(paper, y - 10, words["type"], 11.5), sheet.address)
    paper.rule(MARGIN, y - 2, WIDTH - 2 * MARGIN)
    y = _write(paper, y - 24, _facts(sheet, words, language), 11.5, "bold")
    if sheet.may_download:
        y = _write(paper, y, words["download"], 11.5)
    _write(paper, y - 6, words["keep" if sheet.protection == "none" else "keep-asked"], 11.5)
    return paper


def _for_programs(sheet: LinkSheet, words: dict[str, str], language: Language) -> Paper:
    paper = Paper()
    y = _write(paper, _head(paper, sheet) - 40, words["programs"], 25, "bold")
    y = _write(paper, y - 8, words["programs-lead"], 11.5)
    y = _address(paper, _write(paper, y - 14, words["exchange"], 11.5, "bold"), sheet.exchange)
    y -= SMALL_CODE - 4
    _code(paper, MARGIN, y, SMALL_CODE, sheet.exchange)
    if sheet.health:
        y = _write(paper, y - 24, words["health"], 11.5, "bold") - SMALL_CODE + 8
        _code(paper, MARGIN, y, SMALL_CODE, sheet.health)
    y = _write(paper, y - 22, words[f"exchange-asks-{sheet.protection}"], 11.5)
    paper.rule(MARGIN, y - 2, WIDTH - 2 * MARGIN)
    y = _write(paper, y - 24, _facts(sheet, words, language), 11.5, "bold")
    _write(paper, y - 6, words["keep" if sheet.protection == "none" else "keep-asked"], 11.5)
    return paper


def _head(paper: Paper, sheet: LinkSheet) -> float:
    """Write whose sheet it is, where that can be written; else the address says so."""
    y: float = HEIGHT - MARGIN
    if sheet.organisation != UNNAMED and can_write(sheet.organisation):
        return _write(paper, y, sheet.organisation, 11, grey=0.4) + 16
    return y


def _code(paper: Paper, x: float, y: float, size: float, text: str) -> None:
    rows = [list(row) for row in segno.make(text, error="m", micro=False).matrix_iter(border=QUIET)]
    paper.squares(x, y, size, rows)


def _address(paper: Paper, y: float, address: str) -> float:
    for start in range(0, len(address), 62):
        y = _write(paper, y, address[start : start + 62], 11.5, "fixed")
    return y


def _facts(sheet: LinkSheet, words: dict[str, str], language: Language) -> str:
    until = sheet.ends_at.strftime("%d.%m.%Y, %H:%M Uhr" if language == "de" else "%d %B %Y, %H:%M")
    facts = [words["until"].format(until=until)]
    if sheet.max_uses is not None:
        facts.append(words["once"] if sheet.max_uses == 1 else words["times"].format(uses=sheet.max_uses))
    return ", ".join(facts)


def _write(paper: Paper, y: float, text: str, size: float, font: Font = "plain", grey: float = 0.1) -> float:
    """Write a paragraph whose first line stands on `y`, and return where the next would."""
    room = WIDTH - 2 * MARGIN
    for line in lines_of(text, size, room, font):
        shown = min(size, size * room / max(1.0, width_of(line, size, font)))
        paper.text(MARGIN, y, line, shown, font, grey)
        y -= size * 1.45
    return y
