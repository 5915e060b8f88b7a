"""An import that a patient brings by the page: begun with consent, looked at by its number, withdrawn at any time.

The number is a hundred random bits, kept as a hash. A withdrawal erases at once what is kept for the import alone, with
a proof. What had been filed by then is part of a patient's record, and staff decide on it. A filing that is under way
is brought to its end first, so that nobody has to guess what of it is here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.importer import beginning, broken_off, cases, hosts, names_gone, put_aside
from radrelay.importer.beginning import Asked, begin_link
from radrelay.importer.cases import FAILED, FETCHING, FILED, FILING, OVER
from radrelay.importer.errors import HostNotAllowed
from radrelay.importer.import_errors import ImportElsewhere, NumberUnknown, ReasonWanted
from radrelay.importer.models import ImportCase, ImportConsent, ImportReport
from radrelay.importer.patient_page import ALPHABET, BY_PATIENT
from radrelay.importer.sealing import LinkSeal
from radrelay.importer.taking_back import Gone, delete_filed
from radrelay.intake.models import RawFile
from radrelay.intake.raw_files import discard_raw
from radrelay.intake.sources import SourceView
from radrelay.storage.ids import new_id
from radrelay.storage.remembering import remember_set

NUMBER_SIGNS = 20
SHORTEST_REASON = 3
CONSENT_KEPT = timedelta(days=3 * 366)
"""So long it can be shown that somebody agreed and what was erased: claims end after three years."""
_LOOKS_LIKE = str.maketrans("OIL", "011")
_UNTRACKED = {"synchronize_session": False}
_ANEW = {"populate_existing": True}


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a patient agreed to: a version of the text, in which language."""

    text_id: uuid.UUID
    version: int
    sha256: str
    language: str


def begin(
    session: Session, source: SourceView, seal: LinkSeal, asked: Asked, link: str, agreed: Agreed, now: datetime
) -> tuple[ImportCase, str]:
    """Begin to fetch what a patient's link leads to; returns the number too, which is kept nowhere.

    Raises `NothingToFollow`.
    """
    case = begin_link(session, source, seal, asked, link, now)
    number = "".join(secrets.choice(ALPHABET) for _ in range(NUMBER_SIGNS))
    session.add(
        ImportConsent(
            id=new_id(), organisation_id=case.organisation_id, case_id=case.id, secret_hash=hash_of(number),
            text_id=agreed.text_id, text_version=agreed.version, text_sha256=agreed.sha256, language=agreed.language,
            given_at=now, proof="", decision="", decided_by="", decided_why="",
        )
    )  # fmt: skip
    session.flush()
    return case, number


def hash_of(number: str) -> bytes:
    """Return what a number is kept and found by, however it is written: spaces, small or wide letters, O for 0."""
    plain = unicodedata.normalize("NFKC", number[:200]).upper().translate(_LOOKS_LIKE)
    signs = "".join(c for c in plain if c in ALPHABET)
    return hashlib.sha256(signs.encode()).digest()


def found_by(session: Session, number: str, *, lock: bool = False) -> ImportConsent:
    """Return the consent of a number; raises `NumberUnknown`."""
    asked = sa.select(ImportConsent).where(ImportConsent.secret_hash == hash_of(number))
    found = session.scalar(asked.with_for_update() if lock else asked)
    if found is None:
        raise NumberUnknown
    return found


def consent_of(session: Session, case_id: uuid.UUID) -> ImportConsent | None:
    """Return the consent to an import, none if no patient has begun it."""
    return session.scalar(sa.select(ImportConsent).where(ImportConsent.case_id == case_id))


def consents_of(session: Session, case_ids: list[uuid.UUID]) -> dict[uuid.UUID, ImportConsent]:
    """Return the consents to some imports."""
    asked = sa.select(ImportConsent).where(ImportConsent.case_id.in_(case_ids))
    return {one.case_id: one for one in session.scalars(asked)}


def answer(
    session: Session, consent: ImportConsent, seal: LinkSeal, answers: Mapping[str, str], birth_date: date | None,
    now: datetime,
) -> ImportCase:  # fmt: skip
    """Answer what the portal asks, or what was answered wrongly; raises `AttemptsSpent`, `ImportElsewhere`."""
    row = beginning.answer(session, consent.organisation_id, consent.case_id, seal, answers, now)
    if consent.withdrawn_at is not None:
        raise ImportElsewhere(state=row.state)
    if birth_date is not None:
        row.birth_date = birth_date
    return row


def go_on(session: Session, organisation_id: uuid.UUID, host: str, now: datetime) -> int:
    """Fetch what waits for a host that is confirmed now, whoever began it; returns how many imports that is about."""
    withdrawn = sa.exists().where(ImportConsent.case_id == ImportCase.id, ImportConsent.withdrawn_at.is_not(None))
    waiting = sa.select(ImportCase).where(
        ImportCase.organisation_id == organisation_id, ImportCase.state == FAILED, ~withdrawn,
        ImportCase.resumes == FETCHING, ImportCase.error_code == HostNotAllowed.code,
    )  # fmt: skip
    found = session.scalars(waiting.order_by(ImportCase.id).with_for_update(of=ImportCase).execution_options(**_ANEW))
    rows = [one for one in found if json.loads(one.error_facts).get("host", one.host) == host]
    for row in rows:
        cases.move(session, row, FETCHING, now)
    return len(rows)


def withdraw(session: Session, consent: ImportConsent, now: datetime) -> bool:
    """Withdraw a consent, in the caller's transaction with the archive locked; returns whether it stood till now.

    What a filing that is under way has begun with goes when that is through (`carry_out`).
    """
    stood = consent.withdrawn_at is None
    if stood:
        consent.withdrawn_at = now
        remember_set(session, consent, "withdrawn_at")
    carry_out(session, consent, now)
    return stood


def carry_out(session: Session, consent: ImportConsent, now: datetime, *, hung: bool = False) -> None:
    """Erase what is kept for a withdrawn import alone; what was filed waits for staff.

    A filing that is under way comes to its end first, unless it is `hung`.
    """
    row = session.get(ImportCase, consent.case_id, with_for_update=True, populate_existing=True)
    if consent.withdrawn_at is None or consent.proof or row is None or row.state == OVER:
        return
    if row.state == FILING and not hung:
        return
    session.execute(sa.delete(ImportReport).where(ImportReport.case_id == row.id), execution_options=_UNTRACKED)
    hosts.forget_asked(session, row)
    filed = [one.number for one in cases.people_of(session, row.id) if one.state == "filed"]
    consent.proof = json.dumps(_kept_of(session, row) | {"at": now.isoformat(), "filed": len(filed)})
    broken_off.drop(session, row, now, "withdrawn")
    if not filed:
        cases.end(session, row, "withdrawn", now)
        return
    discard_raw(session, [row.parcel_id], "withdrawn", now)
    put_aside.drop_all(session, row, now, "withdrawn")
    names_gone.forget_others(session, row, filed)
    cases.move(session, row, FILED, now)


def decide(
    session: Session, row: ImportCase, *, keep: bool, why: str, by: str, now: datetime
) -> tuple[ImportConsent, Gone]:
    """Delete what had been filed before a withdrawal, or keep it for a reason; what another import counts on stays.

    The import ends with it. Raises `ImportElsewhere` where there is nothing to decide, `ReasonWanted`, `TakeBackHeld`.
    """
    consent = consent_of(session, row.id)
    if consent is None or consent.withdrawn_at is None or consent.decision or row.state != FILED:
        raise ImportElsewhere(state=row.state)
    if keep and len(why.strip()) < SHORTEST_REASON:
        raise ReasonWanted
    filed = [one.number for one in cases.people_of(session, row.id) if one.state == "filed"]
    gone = Gone()
    for number in () if keep else filed:
        gone += delete_filed(session, row, number, now, "withdrawn")
    consent.decision, consent.decided_by, consent.decided_at = "kept" if keep else "deleted", by[:200], now
    consent.decided_why = why.strip()[:500]
    cases.end(session, row, "withdrawn", now)
    return consent, gone


def require_decided(session: Session, row: ImportCase) -> None:
    """Raise `ImportElsewhere` where a patient withdrew and staff have yet to decide on what had been filed, or will."""
    consent = consent_of(session, row.id)
    if consent is None or consent.withdrawn_at is None or consent.decision:
        return
    if row.state in (FILED, FILING):
        raise ImportElsewhere(state=row.state)


def run_out(session: Session, case_id: uuid.UUID, now: datetime) -> None:
    """End an import whose time is over, with the archive locked; a patient's withdrawal is carried out before."""
    consent = session.scalar(sa.select(ImportConsent).where(ImportConsent.case_id == case_id).with_for_update())
    row = session.get(ImportCase, case_id, populate_existing=True, with_for_update=True)
    if row is None or row.state == OVER or row.ends_at > now:  # filed meanwhile: its time is longer
        return
    if consent is not None and consent.withdrawn_at is not None:
        carry_out(session, consent, now, hung=True)
        if row.state == OVER:
            return
        consent.decision, consent.decided_at = "ended", now
    if row.asked_kind == BY_PATIENT:
        hosts.forget_asked(session, row)
    cases.end(session, row, "expired", now)


def names_run_out(session: Session, case_id: uuid.UUID, now: datetime, filed_until: datetime) -> None:
    """Have an import of which something is filed name nobody any more, with the archive locked; another one ends.

    A withdrawal is carried out before.
    """
    consent = session.scalar(sa.select(ImportConsent).where(ImportConsent.case_id == case_id).with_for_update())
    if consent is not None:
        carry_out(session, consent, now, hung=True)
    row = session.get(ImportCase, case_id, populate_existing=True, with_for_update=True)
    if row is None or row.state == OVER or not names_gone.are_due(row, now, filed_until):
        return
    if any(one.state == "filed" for one in cases.people_of(session, case_id)):
        names_gone.forget_names(session, row, now)
    else:  # what was filed was taken back
        row.ends_at = min(row.ends_at, now)
        run_out(session, case_id, now)


def owing(session: Session) -> list[uuid.UUID]:
    """Return consents that were withdrawn while something was under way, and whose imports are still here."""
    asked = (
        sa.select(ImportConsent.id)
        .join(ImportCase, ImportCase.id == ImportConsent.case_id)
        .where(ImportConsent.withdrawn_at.is_not(None), ImportConsent.proof == "")
        .where(ImportCase.state.not_in((OVER, FILING)))
    )
    return list(session.scalars(asked.limit(cases.PAGE)))


def forget(session: Session, now: datetime) -> int:
    """Forget numbers whose imports are forgotten, and consents of long ago; returns how many of these."""
    there = sa.exists().where(ImportCase.id == ImportConsent.case_id)
    closed = sa.update(ImportConsent).where(ImportConsent.secret_hash.is_not(None), ~there)
    session.execute(closed.values(secret_hash=None), execution_options=_UNTRACKED)
    old = sa.delete(ImportConsent).where(ImportConsent.given_at < now - CONSENT_KEPT, ~there)
    return int(getattr(session.execute(old, execution_options=_UNTRACKED), "rowcount", 0) or 0)


def _kept_of(session: Session, row: ImportCase) -> dict[str, object]:
    """Return what is kept of an import: files as they came, objects that it put into the quarantine, their bytes, and
    the ids that their keys are known by.
    """
    found = session.scalars(sa.select(RawFile).where(RawFile.parcel_id == row.parcel_id)).all()
    aside = put_aside.going(session, row)
    keys = [*(one.id for one in found), *(one.record_id for one in aside)]
    size = sum(one.size for one in found) + sum(one.size for one in aside)
    return {"files": len(keys), "bytes": size, "keys": [str(one) for one in keys]}
