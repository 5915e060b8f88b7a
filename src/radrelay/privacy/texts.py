"""Terms, privacy notice, and what patients agree to in versions: drafted, published for good, provable afterwards.

What is hashed is the version with both its languages, filled from the settings; what is accepted is that hash.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Conflict, Invalid, NotFound, TooLarge
from radrelay.identity.models import Account
from radrelay.importer.models import ImportConsent
from radrelay.privacy.contacts import contacts_of
from radrelay.privacy.models import PrivacyAcceptance, PrivacyText
from radrelay.privacy.notice import Language, digest_of, facts_of, fill
from radrelay.settings import StatisticsSettings
from radrelay.storage.ids import new_id

Kind = Literal["terms", "notice", "consent"]
KINDS: tuple[Kind, ...] = ("terms", "notice", "consent")
"""Terms and notice are accepted by each account; consent is what patients agree to who have images fetched."""
DRAFT = 0
LONGEST = 60_000
UNFILLED = bytes(32)


class TextChanged(Conflict):
    """This text was changed elsewhere in the meantime; look at the newer one first."""

    code = "text-changed"


class TextIncomplete(Invalid):
    """A text is published in both languages; one of them is empty."""

    code = "text-incomplete"


class TextTooLong(TooLarge):
    """A text has at most 60,000 characters."""

    code = "text-too-long"


class NotTheText(Conflict):
    """What was accepted is not what is in force; read the newer version first."""

    code = "not-the-text"


@dataclass(frozen=True, slots=True)
class TextView:
    """A version of a text, or its draft (version 0)."""

    id: uuid.UUID | None
    kind: Kind
    version: int
    english: str
    german: str
    sha256: str
    facts: str
    revision: int
    changed_at: datetime | None
    changed_by: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Who accepted which version, when, in which language, from where."""

    at: datetime
    username: str
    account_id: uuid.UUID
    kind: str
    version: int
    sha256: str
    language: str
    peer: str

    def row(self) -> dict[str, str | int]:
        """Return it as one row of a table."""
        return {
            "at": self.at.isoformat(), "username": self.username, "account_id": str(self.account_id),
            "kind": self.kind, "version": self.version, "sha256": self.sha256, "language": self.language,
            "peer": self.peer,
        }  # fmt: skip


COLUMNS = tuple(Accepted.__slots__)


def hash_of(kind: str, version: int, english: str, german: str) -> bytes:
    """Return SHA-256 over a version as one JSON array: kind, version, English, German."""
    return hashlib.sha256(json.dumps([kind, version, english, german], ensure_ascii=False).encode()).digest()


def draft_of(session: Session, organisation_id: uuid.UUID, kind: Kind) -> TextView:
    """Return the draft of a text; an empty one of revision 0 where nobody has written any."""
    row = _draft(session, organisation_id, kind)
    return TextView(None, kind, DRAFT, "", "", "", "", 0, None, "") if row is None else _view(row)


def save_draft(
    session: Session, organisation_id: uuid.UUID, kind: Kind, english: str, german: str, *,
    statistics: StatisticsSettings, revision: int, by: str, now: datetime,
) -> TextView:  # fmt: skip
    """Replace the draft of `revision`; raises `TextChanged`, `TextTooLong`, or `PlaceholderUnknown`."""
    if max(len(english), len(german)) > LONGEST:
        raise TextTooLong
    facts = facts_of(session, organisation_id, statistics)
    fill(english, facts["en"])
    fill(german, facts["de"])
    row = _draft(session, organisation_id, kind, lock=True)
    if (0 if row is None else row.revision) != revision:
        raise TextChanged
    if row is None:
        row = PrivacyText(
            id=new_id(), organisation_id=organisation_id, kind=kind, version=DRAFT, sha256=UNFILLED, facts=UNFILLED
        )
        session.add(row)
    row.english, row.german, row.revision, row.changed_at, row.changed_by = english, german, revision + 1, now, by
    session.flush()
    return _view(row)


def publish(
    session: Session, organisation_id: uuid.UUID, kind: Kind, *, statistics: StatisticsSettings, revision: int, by: str,
    now: datetime,
) -> TextView:  # fmt: skip
    """Publish the draft of `revision`, filled from the settings as they are; raises `TextChanged`, `TextIncomplete`."""
    draft = _draft(session, organisation_id, kind, lock=True)
    if draft is None or draft.revision != revision:
        raise TextChanged
    if not draft.english.strip() or not draft.german.strip():
        raise TextIncomplete
    facts = facts_of(session, organisation_id, statistics)
    english, german = fill(draft.english, facts["en"]), fill(draft.german, facts["de"])
    newest = current(session, organisation_id, kind)
    version = 1 if newest is None else newest.version + 1
    row = PrivacyText(
        id=new_id(), organisation_id=organisation_id, kind=kind, version=version, english=english, german=german,
        sha256=hash_of(kind, version, english, german), facts=digest_of(facts), revision=revision, changed_at=now,
        changed_by=by,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _view(row)


def versions(session: Session, organisation_id: uuid.UUID, kind: Kind) -> list[TextView]:
    """Return the published versions of a text, newest first."""
    wanted = _published(organisation_id, kind).order_by(PrivacyText.version.desc())
    return [_view(row) for row in session.scalars(wanted)]


def current(session: Session, organisation_id: uuid.UUID, kind: Kind) -> TextView | None:
    """Return the version that is in force; none if none was published."""
    row = session.scalar(_published(organisation_id, kind).order_by(PrivacyText.version.desc()).limit(1))
    return None if row is None else _view(row)


def is_stale(session: Session, organisation_id: uuid.UUID, text: TextView, statistics: StatisticsSettings) -> bool:
    """Say whether the settings have changed since a version was filled from them."""
    return text.facts != digest_of(facts_of(session, organisation_id, statistics)).hex()


def required(session: Session, organisation_id: uuid.UUID) -> list[TextView]:
    """Return the versions that everybody with an account has to accept."""
    contacts = contacts_of(session, organisation_id)
    wanted: list[Kind] = []
    wanted += ["terms"] if contacts.terms_required else []
    wanted += ["notice"] if contacts.notice_required else []
    found = [current(session, organisation_id, kind) for kind in wanted]
    return [text for text in found if text is not None]


def accepted_by(session: Session, account_id: uuid.UUID, text_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Return those of the versions that an account has accepted."""
    known = sa.select(PrivacyAcceptance.text_id).where(
        PrivacyAcceptance.account_id == account_id, PrivacyAcceptance.text_id.in_(text_ids)
    )
    return set(session.scalars(known))


@dataclass(frozen=True, slots=True)
class Acceptor:
    """Who accepts, and how it came here."""

    organisation_id: uuid.UUID
    account_id: uuid.UUID
    username: str
    language: Language
    peer: str


def asked_of_newcomers(session: Session, organisation_id: uuid.UUID) -> list[TextView]:
    """Return what somebody accepts who signs up: the terms, asked of everybody or not, and what else is asked."""
    wanted = required(session, organisation_id)
    terms = current(session, organisation_id, "terms")
    return wanted if terms is None or terms in wanted else [terms, *wanted]


def accept_all(
    session: Session, who: Acceptor, given: Sequence[tuple[uuid.UUID, str]], now: datetime
) -> list[TextView]:
    """Note that a newcomer accepts all that is asked of newcomers; raises `NotTheText` for less, or another."""
    asked = asked_of_newcomers(session, who.organisation_id)
    if {one.id for one in asked} != {text_id for text_id, _ in given}:
        raise NotTheText
    return accept(session, who, given, now, asked)


def accept(
    session: Session, who: Acceptor, given: Sequence[tuple[uuid.UUID, str]], now: datetime,
    asked: Sequence[TextView] | None = None,
) -> list[TextView]:  # fmt: skip
    """Note that somebody accepts versions, each named by id and hash; returns those that are new.

    They are of those `asked`, by default what is asked of everybody. Raises `NotTheText` for one that is not, or whose
    hash is another.
    """
    session.execute(sa.select(Account.id).where(Account.id == who.account_id).with_for_update())  # one at a time
    wanted = {text.id: text for text in (required(session, who.organisation_id) if asked is None else asked)}
    for text_id, digest in given:
        if text_id not in wanted or wanted[text_id].sha256 != digest.lower():
            raise NotTheText
    before = accepted_by(session, who.account_id, [text_id for text_id, _ in given])
    fresh = [text_id for text_id in dict.fromkeys(text_id for text_id, _ in given) if text_id not in before]
    for text_id in fresh:
        session.add(
            PrivacyAcceptance(
                id=new_id(), organisation_id=who.organisation_id, account_id=who.account_id, username=who.username,
                text_id=text_id, language=who.language, peer=who.peer[:64], at=now,
            )
        )  # fmt: skip
    session.flush()
    return [wanted[text_id] for text_id in fresh]


def acceptances(session: Session, organisation_id: uuid.UUID) -> Iterator[Accepted]:
    """Yield who accepted what, newest first."""
    columns = (PrivacyText.kind, PrivacyText.version, PrivacyText.sha256)
    rows = session.execute(
        sa.select(PrivacyAcceptance, *columns)
        .join(PrivacyText, PrivacyText.id == PrivacyAcceptance.text_id)
        .where(PrivacyAcceptance.organisation_id == organisation_id)
        .order_by(PrivacyAcceptance.at.desc(), PrivacyAcceptance.id.desc())
    )
    for one, kind, version, digest in rows:
        yield Accepted(
            one.at, one.username, one.account_id, kind, version, digest.hex(), one.language, one.peer
        )  # fmt: skip


def accepted_count(session: Session, text_id: uuid.UUID) -> int:
    """Return how many accounts accepted a version, or patients agreed to it."""
    return sum(
        session.scalar(sa.select(sa.func.count()).select_from(table).where(table.text_id == text_id)) or 0
        for table in (PrivacyAcceptance, ImportConsent)
    )


def named(session: Session, organisation_id: uuid.UUID, kind: Kind, version: int) -> TextView:
    """Return one published version; raises `NotFound`."""
    row = session.scalar(_published(organisation_id, kind).where(PrivacyText.version == version))
    if row is None:
        raise NotFound("there is no such version")
    return _view(row)


def _published(organisation_id: uuid.UUID, kind: Kind) -> sa.Select[PrivacyText]:
    return sa.select(PrivacyText).where(
        PrivacyText.organisation_id == organisation_id, PrivacyText.kind == kind, PrivacyText.version > DRAFT
    )


def _draft(session: Session, organisation_id: uuid.UUID, kind: Kind, *, lock: bool = False) -> PrivacyText | None:
    wanted = sa.select(PrivacyText).where(
        PrivacyText.organisation_id == organisation_id, PrivacyText.kind == kind, PrivacyText.version == DRAFT
    )
    return session.scalar(wanted.with_for_update() if lock else wanted)


def _view(row: PrivacyText) -> TextView:
    return TextView(
        row.id, cast("Kind", row.kind), row.version, row.english, row.german, row.sha256.hex(), row.facts.hex(),
        row.revision, row.changed_at, row.changed_by,
    )  # fmt: skip
