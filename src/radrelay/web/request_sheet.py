"""What is held of a person, as pages that a patient can read (PDF), in English or German.

In: what was found, as plain values, who saw it and where it went. Out: a PDF of A4 pages: of each examination what was
recorded, from whom and since when it is kept, until when, who has seen it; then to whom data went, and the rights.
Letters that `paper` cannot write (Arabic, Hebrew, Thai) are question marks: the JSON beside it has everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from radrelay.archive.source_names import source_name
from radrelay.mail import filled
from radrelay.privacy.contacts import Contacts
from radrelay.privacy.notice import Language
from radrelay.web.paper import bound
from radrelay.web.request_further import Rows, further, told_of
from radrelay.web.request_paper import INDENT, MARGIN, Writing, day_of, moment_of, read_name
from radrelay.web.request_words import KINDS, MODALITIES, ROLES, SEXES, WORDS

MOST_SEEN = 40  # of one examination; the JSON has all


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody who saw an examination: `by_link` with a link that was made for it."""

    name: str
    by_link: bool
    times: int
    last_at: datetime


def request_sheet(
    data: Mapping[str, Any], rows: Rows, went: Iterable[Mapping[str, str | int]], seen: Mapping[str, Sequence[Seen]],
    requester: str, house: Contacts, language: Language,
) -> bytes:  # fmt: skip
    """Return the PDF; `data` is as `GET …/data` gives it in values, `rows` are its further rows by table.

    `went` are rows of disclosures, `seen` who saw each study.
    """
    words, paper = WORDS[language], Writing()
    paper.line(words["title"], 20, "bold")
    paper.line(words["made"].format(who=requester, at=moment_of(data["at"], language)), space=4)
    if house.controller:
        paper.line(words["by"].format(who=", ".join(house.controller.splitlines())))
    empty = not data["studies"] and not data["aside"] and data["account"] is None and not told_of(rows)
    paper.line(words["nothing" if empty else "lead"], space=6)
    if data["studies"]:
        paper.line(words["studies"].format(n=len(data["studies"])), 14, "bold", 14)
    for study in sorted(data["studies"], key=lambda one: (one["study_date"] is None, one["study_date"] or date.max)):
        _study(paper, study, seen.get(str(study["id"]), ()), language)
    if data["aside"]:
        paper.line(words["aside"].format(n=len(data["aside"])), 14, "bold", 14)
        paper.line(words["aside-why"])
        for one in data["aside"]:
            paper.point(moment_of(one["received_at"], language))
    if data["account"] is not None:
        _account(paper, data["account"], language)
    further(paper, rows, language)
    if data["studies"] or data["aside"]:
        _went(paper, list(went), data["unclear"], language)
    _rights(paper, house, language)
    for place, page in enumerate(paper.pages, 1):
        page.text(MARGIN, MARGIN / 2, words["page"].format(n=place, of=len(paper.pages)), 8, grey=0.4)
    return bound(paper.pages, words["title"], language)


def _study(paper: Writing, study: Mapping[str, Any], seen: Sequence[Seen], language: Language) -> None:
    words = WORDS[language]
    kinds = ", ".join(MODALITIES[language].get(one, one) for one in study["modalities"].split("\\") if one)
    day = day_of(study["study_date"], language)
    heading = " · ".join(filter(None, (day, kinds, study["description"])))
    paper.line(heading or words["unnamed"], 12, "bold", 10)
    born, sex = day_of(study["birth_date"], language), SEXES[language].get(study["sex"], study["sex"])
    recorded = ", ".join(filter(None, (read_name(study["name"]), born and words["born"].format(day=born), sex)))
    for label, value in (
        ("recorded", recorded), ("accession", study["accession_number"]), ("place", study["institution"]),
        ("referring", read_name(study["referring_physician"])),
    ):  # fmt: skip
        if value:
            paper.point(f"{words[label]}: {value}")
    paper.point(filled(words["counts"], **study))
    for one in study["held_by"]:
        paper.point(_kept(one, language))
    if study["barred"]:
        paper.point(words["barred"])
    paper.point(words["images" if study["included"] else "not"])
    paper.point(words["seen" if seen else "unseen"])
    for who in seen[:MOST_SEEN]:
        line = words["seen-by-link" if who.by_link else "seen-by"]
        paper.line(
            filled(line, name=who.name, n=who.times, last=moment_of(who.last_at, language)), 9, indent=2 * INDENT
        )  # fmt: skip
    if len(seen) > MOST_SEEN:
        paper.line(words["more"].format(n=len(seen) - MOST_SEEN), 9, indent=2 * INDENT)
    paper.line(words["number"].format(uid=study["study_uid"]), 7, indent=INDENT)


def _kept(one: Mapping[str, Any], language: Language) -> str:
    words = WORDS[language]
    until = words["no-end"] if one["ends_at"] is None else words["until"].format(at=moment_of(one["ends_at"], language))
    text = words["kept"].format(
        source=source_name(one["source"], language), since=moment_of(one["received_at"], language), until=until
    )
    if one["hold_until"] is not None:
        text += " " + words["held"].format(reason=one["hold_reason"] or "–")
    return text + (" " + words["clinic"].format(clinic=one["clinic"]) if one["clinic"] else "")


def _account(paper: Writing, account: Mapping[str, Any], language: Language) -> None:
    words = WORDS[language]
    paper.line(words["account"], 14, "bold", 14)
    told = {
        "username": account["username"], "full-name": account["full_name"], "email": account["email"],
        "affiliation": account["affiliation"], "organisation": account["organisation"],
        "role": ROLES[language].get(account["role"]), "created": moment_of(account["created_at"], language),
        "groups": ", ".join(account["groups"]),
        "logins": account["logins"], "links": account["links"], "marks": account["marks"],
        "accepted": account["accepted"],
    }  # fmt: skip
    for label, value in told.items():
        if value not in (None, ""):
            paper.point(f"{words[label]}: {value}")


def _went(paper: Writing, rows: Sequence[Mapping[str, str | int]], unclear: int, language: Language) -> None:
    words = WORDS[language]
    paper.line(words["went"], 14, "bold", 14)
    if not rows:
        paper.line(words["went-nowhere"])
    for row in rows:
        at = moment_of(datetime.fromisoformat(str(row["at"])), language)
        made = datetime.strptime(str(row["study_date"]), "%Y%m%d").date() if row["study_date"] else None  # noqa: DTZ007
        what = " · ".join(filter(None, (day_of(made, language), str(row["description"]))))
        kind = KINDS[language].get(str(row["kind"]), str(row["kind"]))
        why = f" ({row['purpose']})" if row["purpose"] else ""
        paper.point(f"{at}: {kind} {row['recipient']}{why}{f', {what}' if what else ''}", 9)
    if unclear:
        paper.line(words["went-unclear"].format(n=unclear), space=4)


def _rights(paper: Writing, house: Contacts, language: Language) -> None:
    words = WORDS[language]
    paper.line(words["rights"], 14, "bold", 14)
    paper.line(words["rights-text"])
    officer = ", ".join(filter(None, (house.officer_name, house.officer_contact)))
    if officer:
        paper.line(words["officer"].format(who=officer))
    authority = ", ".join(filter(None, (house.authority_name, house.authority_url)))
    if authority:
        paper.line(words["authority"].format(who=authority))
