"""The report of an incident as a page to be kept and printed, in English or German; it needs nothing from anywhere.

In: the report as plain values. Out: HTML in which everything from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from radrelay.privacy.notice import Language
from radrelay.web.action_words import action_words
from radrelay.web.request_paper import day_of, read_name

_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "title": "Report of an incident", "at": "Made at", "noticed": "Noticed", "period": "Period looked at",
        "access": "Access", "authority": "Authority to be told by (GDPR Art. 33: 72 hours)",
        "patients": "Patients to be told by (45 CFR 164.404: 60 days)", "told": "told", "what": "What is suspected",
        "outcome": "What was found and decided", "touched": "Patients whose data were touched, from the record",
        "nobody": "The record names none.", "patient": "Patient", "id": "ID", "first": "First", "last": "Last",
        "events": "Events", "left": "Left the house", "studies": "Studies", "did": "What was done",
        "reach": "What the access reaches", "reached": "Patients: {patients}; studies: {studies}. As things stand now"
        " and of what had come by the period's end. What was deleted since is in the record alone. The table names"
        " them.",
        "unnamed": "Events about patients whom the record does not name any more, or does not name: {n}",
        "searches": "Looks at lists (what stood in them is within what the access reaches): {n}",
        "links": "Links made in the period (look at each as an incident of its own): {n}",
        "changes": "Changes in the period of what the access reaches (see the record): {n}",
        "born": "Birth date", "account": "Account", "token": "API token", "link": "Link", "session": "One login",
        "device": "Device",
    },
    "de": {
        "title": "Bericht über einen Vorfall", "at": "Erstellt", "noticed": "Bemerkt", "period": "Betrachtete Zeit",
        "access": "Zugang", "authority": "Aufsichtsbehörde zu unterrichten bis (DSGVO Art. 33: 72 Stunden)",
        "patients": "Patienten zu unterrichten bis (45 CFR 164.404: 60 Tage)", "told": "unterrichtet",
        "what": "Was vermutet wird", "outcome": "Was gefunden und entschieden wurde",
        "touched": "Patienten, deren Daten berührt wurden, aus dem Protokoll", "nobody": "Das Protokoll nennt keine.",
        "patient": "Patient", "id": "ID", "first": "Zuerst", "last": "Zuletzt", "events": "Ereignisse",
        "left": "Aus dem Haus", "studies": "Studien", "did": "Was getan wurde", "reach": "Was der Zugang erreicht",
        "reached": "Patienten: {patients}; Studien: {studies}. Nach heutigem Stand und von dem, was bis zum Ende der"
        " Zeit gekommen war. Was seither gelöscht wurde, steht allein im Protokoll. Die Tabelle nennt sie.",
        "unnamed": "Ereignisse um Patienten, die das Protokoll nicht mehr oder nicht beim Namen nennt: {n}",
        "searches": "Blicke in Listen (was darin stand, liegt in dem, was der Zugang erreicht): {n}",
        "links": "In der Zeit gemachte Links (jeder ist als eigener Vorfall anzusehen): {n}",
        "changes": "Änderungen in der Zeit an dem, was der Zugang erreicht (siehe Protokoll): {n}",
        "born": "Geburtsdatum", "account": "Konto", "token": "API-Token", "link": "Link", "session": "Eine Anmeldung",
        "device": "Gerät",
    },
}  # fmt: skip
_STYLE = (
    "body{font:14px/1.45 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:.25rem .5rem;text-align:left;"
    "vertical-align:top}td:nth-child(2){overflow-wrap:anywhere;min-width:7rem}td:nth-child(8){overflow-wrap:anywhere}"
    "th{background:#eee}h1{font-size:1.5rem}h2{font-size:1.1rem}"
    "pre{white-space:pre-wrap;font:inherit}@media print{body{margin:0}tr{break-inside:avoid}}"
)


def incident_page(report: Mapping[str, Any], organisation: str, language: Language) -> str:
    """Return the page of a report, as `GET …/report` gives it in values."""
    words, incident = _WORDS[language], report["incident"]
    name = incident["subject_name"] or incident["subject"]
    told = {
        one: f", {words['told']}: {_moment(incident[f'{one}_told_at'])}" if incident[f"{one}_told_at"] else ""
        for one in ("authority", "patients")
    }
    facts = [
        (words["access"], f"{words[incident['kind']]}: {name}{_beside(name, incident['subject'])}"),
        (words["period"], f"{_moment(report['began_at'])} – {_moment(report['ended_at'])}"),
        (words["noticed"], _moment(incident["noticed_at"])),
        (words["authority"], f"{_moment(incident['authority_due_at'])}{told['authority']}"),
        (words["patients"], f"{_moment(incident['patients_due_at'])}{told['patients']}"),
    ]
    counted = [(report[one], words[one]) for one in ("unnamed", "searches")]
    counted += [(len(report[one]), words[one]) for one in ("links", "changes")]
    reach = words["reached"].format(patients=report["reached_patients"], studies=report["reached_studies"])
    parts = [
        f"<h1>{_text(words['title'])}: {_text(incident['title'])}</h1>",
        f"<p>{_text(organisation)}. {_text(words['at'])} {_moment(report['at'])}.</p>",
        _table((), facts),
        _block(words["what"], incident["description"]),
        _block(words["outcome"], incident["outcome"]),
        f"<h2>{_text(words['touched'])}</h2>",
        _touched(report["touched"], language),
        f"<h2>{_text(words['reach'])}</h2><p>{_text(reach)}</p>",
        "".join(f"<p>{_text(said.format(n=count))}</p>" for count, said in counted if count),
    ]
    head = f'<meta charset="utf-8"><title>{_text(incident["title"])}</title><style>{_STYLE}</style>'
    return f'<!DOCTYPE html><html lang="{language}"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _beside(name: str, subject: str) -> str:
    return "" if name == subject else f" ({subject})"


def _touched(lines: Iterable[Mapping[str, Any]], language: Language) -> str:
    words = _WORDS[language]
    rows = [
        (
            read_name(one["name"]), f"{one['patient_id']} {one['issuer']}".strip(),
            day_of(one["birth_date"], language), _moment(one["first_at"]), _moment(one["last_at"]),
            sum(one["actions"].values()), one["left"], ", ".join(one["studies"]),
            ", ".join(f"{action_words(name, language)}: {count}" for name, count in sorted(one["actions"].items())),
        )
        for one in lines
    ]  # fmt: skip
    heads = [words[one] for one in ("patient", "id", "born", "first", "last", "events", "left", "studies", "did")]
    return _table(heads, rows) if rows else f"<p>{_text(words['nobody'])}</p>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{_text(one)}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"


def _block(title: str, text: str) -> str:
    return f"<h2>{_text(title)}</h2><pre>{_text(text)}</pre>" if text else ""


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _text(value: object) -> str:
    return escape(str(value))
