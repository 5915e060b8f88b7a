"""Agreements about processing that are on record: GDPR Art. 28 (DPA), 45 CFR 164.504 (e) (BAA), and others.

One is entered as it was signed, and ended; nothing of it is changed, and none is ever deleted: what was agreed when has
to be shown years later.
"""

from __future__ import annotations

import unicodedata
import uuid
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Conflict, Invalid, NotFound
from radrelay.privacy.models import PrivacyAgreement
from radrelay.storage.ids import new_id

AgreementKind = Literal["dpa", "baa", "other"]
KINDS = ("dpa", "baa", "other")
MOST = 1000  # of one organisation
LONGEST_PARTY, LONGEST_TEXT = 200, 500


class AgreementInvalid(Invalid):
    """An agreement cannot be put on record like this."""

    code = "agreement-invalid"


class AgreementEnded(Conflict):
    """This agreement has ended already; what is on record of it stays as it is."""

    code = "agreement-ended"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed. `ends_on` is its last day, none: until it is ended; `document` says where it lies, or a note."""

    kind: AgreementKind
    party: str
    purpose: str
    signed_on: date
    ends_on: date | None = None
    document: str = ""


@dataclass(frozen=True, slots=True)
class AgreementView:
    """An agreement on record; `ended_on` is the last day of one that was ended."""

    id: uuid.UUID
    agreement: Agreement
    entered_at: datetime
    entered_by: str
    ended_on: date | None
    ended_why: str

    def counts(self, day: date) -> bool:
        """Say whether it holds on a day."""
        ends = [one for one in (self.ended_on, self.agreement.ends_on) if one is not None]
        return self.agreement.signed_on <= day and all(day <= one for one in ends)


def agreements(session: Session, organisation_id: uuid.UUID) -> list[AgreementView]:
    """Return an organisation's agreements, the last signed first, those that have ended among them."""
    rows = session.scalars(
        sa.select(PrivacyAgreement)
        .where(PrivacyAgreement.organisation_id == organisation_id)
        .order_by(PrivacyAgreement.signed_on.desc(), PrivacyAgreement.id.desc())
    )
    return [_view(row) for row in rows]


def enter(session: Session, organisation_id: uuid.UUID, wanted: Agreement, by: str, now: datetime) -> AgreementView:
    """Put an agreement on record; raises `AgreementInvalid`, which names the field."""
    values = _checked(wanted, now)
    own = sa.select(sa.func.count()).where(PrivacyAgreement.organisation_id == organisation_id)
    if (session.scalar(own) or 0) >= MOST:
        raise AgreementInvalid(f"at most {MOST} agreements are on record")
    row = PrivacyAgreement(
        id=new_id(), organisation_id=organisation_id, ended_on=None, ended_why="", entered_at=now,
        entered_by=by[:LONGEST_PARTY], revision=1, **values,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _view(row)


def end(
    session: Session, organisation_id: uuid.UUID, agreement_id: uuid.UUID, ended_on: date, why: str
) -> AgreementView:
    """Note an agreement's last day and why it ended.

    Raises `NotFound`, `AgreementEnded` for one that was ended before, or `AgreementInvalid`.
    """
    row = session.scalar(
        sa.select(PrivacyAgreement)
        .where(PrivacyAgreement.id == agreement_id, PrivacyAgreement.organisation_id == organisation_id)
        .with_for_update()
    )
    if row is None:
        raise NotFound("there is no such agreement")
    if row.ended_on is not None:
        raise AgreementEnded
    if ended_on < row.signed_on:
        raise AgreementInvalid("an agreement cannot end before it was signed", field="ended_on")
    row.ended_on, row.ended_why, row.revision = ended_on, _text("why", why, LONGEST_TEXT), row.revision + 1
    session.flush()
    return _view(row)


def _checked(wanted: Agreement, now: datetime) -> dict[str, object]:
    if wanted.kind not in KINDS:
        raise AgreementInvalid(f"an agreement's kind is one of {', '.join(KINDS)}", field="kind")
    if wanted.signed_on > now.date():
        raise AgreementInvalid("an agreement goes on record once it was signed, not before", field="signed_on")
    if wanted.ends_on is not None and wanted.ends_on < wanted.signed_on:
        raise AgreementInvalid("an agreement cannot end before it was signed", field="ends_on")
    return asdict(wanted) | {
        "party": _text("party", wanted.party, LONGEST_PARTY),
        "purpose": _text("purpose", wanted.purpose, LONGEST_TEXT),
        "document": _text("document", wanted.document, LONGEST_TEXT, needed=False),
    }


def _text(field: str, given: str, longest: int, *, needed: bool = True) -> str:
    clean = " ".join(given.split())
    if (needed and not clean) or len(clean) > longest or any(unicodedata.category(char)[0] == "C" for char in clean):
        least = 1 if needed else 0
        message = f"{field} has {least} to {longest} characters and no control characters"
        raise AgreementInvalid(message, field=field)
    return clean


def _view(row: PrivacyAgreement) -> AgreementView:
    agreed = Agreement(
        cast("AgreementKind", row.kind), row.party, row.purpose, row.signed_on, row.ends_on, row.document
    )  # fmt: skip
    return AgreementView(row.id, agreed, row.entered_at, row.entered_by, row.ended_on, row.ended_why)
