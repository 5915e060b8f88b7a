"""What a text may name of the real settings, in English and German, by placeholders such as `{retention}`.

A text is filled when it is published, so that what people accept is exactly what they read; `digest` tells later
whether the settings are still those that it was filled from.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.archive.models import Source
from radrelay.archive.source_names import source_name
from radrelay.errors import Invalid
from radrelay.identity.organisations import OrganisationView, organisation_of
from radrelay.privacy.contacts import Contacts, Processor, contacts_of, processors
from radrelay.privacy.in_browser import kept_here
from radrelay.privacy.regions import region_in
from radrelay.settings import StatisticsSettings

Language = Literal["en", "de"]
Facts = Mapping[Language, Mapping[str, str]]
PLACEHOLDER = re.compile(r"\{([^{}\n]{0,40})\}")
NAMES = (
    "organisation", "region", "controller", "officer", "authority", "retention", "processors", "statistics", "browser",
)  # fmt: skip
DAY_S, HOUR_S, MINUTE_S = 86400, 3600, 60
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "day": "day", "days": "days", "hour": "hour", "hours": "hours", "minute": "minute", "minutes": "minutes",
        "until": "until it is deleted", "never": "never longer than", "none": "nobody",
        "dpa": "DPA (GDPR Art. 28)", "baa": "BAA (HIPAA)", "both": "DPA and BAA", "of": "of",
        "missing": "not named yet", "somewhere": "a country that is not named yet",
        "cookie": "cookie", "local": "local storage", "tab": "storage of the tab",
        "off": "Usage is not counted.",
        "on": "Usage is counted of those who agree to it, under pseudonyms, and kept for {n} days.",
    },
    "de": {
        "day": "Tag", "days": "Tage", "hour": "Stunde", "hours": "Stunden", "minute": "Minute", "minutes": "Minuten",
        "until": "bis gelöscht wird", "never": "nie länger als", "none": "niemand",
        "dpa": "AVV (DSGVO Art. 28)", "baa": "BAA (HIPAA)", "both": "AVV und BAA", "of": "vom",
        "missing": "noch nicht benannt", "somewhere": "einem Land, das noch nicht benannt ist",
        "cookie": "Cookie", "local": "lokaler Speicher", "tab": "Speicher des Tabs",
        "off": "Die Nutzung wird nicht gezählt.",
        "on": "Die Nutzung wird gezählt, unter Pseudonymen und nur von denen, die einverstanden sind; "
        "das Gezählte bleibt {n} Tage.",
    },
}  # fmt: skip


class PlaceholderUnknown(Invalid):
    """A text names something that cannot be filled in."""

    code = "placeholder-unknown"


def facts_of(session: Session, organisation_id: uuid.UUID, statistics: StatisticsSettings) -> Facts:
    """Return what each placeholder stands for now, in both languages."""
    contacts = contacts_of(session, organisation_id)
    known = [processor for _, processor in processors(session, organisation_id)]
    own, spans = organisation_of(session, organisation_id), spans_of(session, organisation_id)
    return {
        language: _said(language, own, contacts, known, spans) | _counted(language, statistics)
        for language in ("en", "de")
    }


def names_nobody(text: str) -> bool:
    """Say whether a filled text has places where somebody is not named yet."""
    return any(words["missing"] in text for words in _WORDS.values())


def spans_of(session: Session, organisation_id: uuid.UUID) -> list[tuple[str, int | None, int | None]]:
    """Return each source in use with its retention and its ceiling in seconds; none is without end."""
    rows = session.execute(
        sa.select(Source.name, Source.retention_s, Source.max_age_s)
        .where(Source.organisation_id == organisation_id, Source.enabled.is_(True))
        .order_by(Source.name)
    ).all()
    return [(row.name, row.retention_s, row.max_age_s) for row in rows]


def _said(
    language: Language,
    own: OrganisationView,
    contacts: Contacts,
    known: list[Processor],
    spans: list[tuple[str, int | None, int | None]],
) -> dict[str, str]:
    words = _WORDS[language]
    lines = [
        f"- {_plain(source_name(name, language))}: {_span(language, kept, ceiling)}" for name, kept, ceiling in spans
    ]
    return {
        "organisation": _plain(own.name),
        "region": region_in(language, own.region) or words["somewhere"],
        "controller": _plain(contacts.controller) or words["missing"],
        "officer": _joined(contacts.officer_name, contacts.officer_contact) or words["missing"],
        "authority": _joined(contacts.authority_name, contacts.authority_url) or words["missing"],
        "retention": "\n".join(lines) or words["none"],
        "processors": "\n".join(_processor(language, one) for one in known) or words["none"],
    }


def _counted(language: Language, statistics: StatisticsSettings) -> dict[str, str]:
    words = _WORDS[language]
    said = words["on"].replace("{n}", str(statistics.retention_days)) if statistics.enabled else words["off"]
    lines = [
        f"- **{_plain(one.name.replace('*', '…'))}** ({words[one.where]}): "
        f"{one.english if language == 'en' else one.german}"
        for one in kept_here(counting=statistics.enabled)
    ]
    return {"statistics": said, "browser": "\n".join(lines)}


def _processor(language: Language, one: Processor) -> str:
    words = _WORDS[language]
    agreed = f", {words[one.agreement]} {words['of']} {one.agreed_on.isoformat()}" if one.agreed_on else ""
    linked = f", {one.privacy_url}" if one.privacy_url else ""
    return f"- **{_plain(one.name)}** ({one.country}): {_plain(one.purpose)}{agreed}{linked}"


def _span(language: Language, kept: int | None, ceiling: int | None) -> str:
    words = _WORDS[language]
    text = words["until"] if kept is None else _time(language, kept)
    return text if ceiling is None else f"{text}, {words['never']} {_time(language, ceiling)}"


def _time(language: Language, seconds: int) -> str:
    for name, length in (("day", DAY_S), ("hour", HOUR_S), ("minute", MINUTE_S)):
        if seconds % length == 0 and seconds >= length:
            count = seconds // length
            return f"{count} {_WORDS[language][name if count == 1 else f'{name}s']}"
    return f"{seconds} s"


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, map(_plain, parts)))


def _plain(text: str) -> str:
    """Return a name on one line without what would be taken for a form of the text."""
    return " ".join(text.replace("*", "").replace("{", "(").replace("}", ")").split())


def digest_of(facts: Facts) -> bytes:
    """Return SHA-256 over what could be filled in."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).digest()


def fill(text: str, facts: Mapping[str, str]) -> str:
    """Return a text with its placeholders filled; raises `PlaceholderUnknown`, which names the wrong one."""

    def put(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in facts:
            raise PlaceholderUnknown(f"{{{name}}} cannot be filled in; there are {', '.join(NAMES)}", name=name)
        return facts[name]

    return PLACEHOLDER.sub(put, text)
