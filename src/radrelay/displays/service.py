"""Displays and their checks: registering, checking, and whether a display is checked at the moment."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.dicom import gsdf
from radrelay.displays import judging, limits
from radrelay.displays.errors import (
    CheckInvalid,
    CheckTaken,
    DisplayExists,
    DisplayInvalid,
    DisplayNotFound,
    TooManyDisplays,
)
from radrelay.displays.judging import Criterion, Readings, Seen
from radrelay.displays.models import Display, DisplayCheck, Workstation
from radrelay.settings import DisplaySettings
from radrelay.storage.ids import new_id

MOST_DISPLAYS = 16
SECRET_BYTES = 32
LONGEST_SECRET = 64

Reason = Literal["checked", "never", "expired", "failed", "changed", "unmeasured", "viewing"]
Kind = Literal["visual", "photometer"]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person, and the browser, say of a display."""

    name: str
    room: str
    room_class: str
    use: str
    columns: int
    rows: int
    pixel_um: float
    css_width: int
    css_height: int
    screen_left: int
    screen_top: int
    label: str = ""

    def check(self) -> None:
        """Raise `DisplayInvalid`, naming the field, unless every field can be right."""
        for field in ("name", "room"):
            if not getattr(self, field).strip():
                raise DisplayInvalid(f"{field}: 1 to 100 characters", field=field)
        if not limits.fits(self.use, self.room_class):
            raise DisplayInvalid(f"use: {self.use} does not go with room class {self.room_class}", field="use")


@dataclass(frozen=True, slots=True)
class State:
    """Whether a display is checked; `until` is when it will no longer be, of one that is."""

    checked: bool
    reason: Reason
    until: datetime | None = None
    correction: bytes | None = None
    corrected_by: uuid.UUID | None = None
    """The check that the correction table comes from."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who checks."""

    account_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A check as entered. `through` names the check whose correction table the readings were taken behind."""

    check_id: uuid.UUID
    kind: Kind
    seen: Seen
    answers: Mapping[str, bool] | None = None
    readings: Readings | None = None
    instrument: str = ""
    remark: str = ""
    correct: bool = False
    through: uuid.UUID | None = None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def find_workstation(session: Session, organisation_id: uuid.UUID, secret: str) -> Workstation | None:
    """Return the workstation whose browser holds `secret`, if it is one."""
    if not secret or len(secret) > LONGEST_SECRET:
        return None
    return session.scalar(
        sa.select(Workstation).where(
            Workstation.secret_hash == _digest(secret), Workstation.organisation_id == organisation_id
        )
    )


def add_workstation(session: Session, organisation_id: uuid.UUID, name: str, now: datetime) -> tuple[Workstation, str]:
    """Add a workstation; returns it with the secret for its cookie."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = Workstation(
        id=new_id(), organisation_id=organisation_id, name=name.strip(), secret_hash=_digest(secret), created_at=now
    )
    session.add(row)
    session.flush()
    return row, secret


def displays_of(session: Session, workstation: Workstation) -> list[Display]:
    """Return the displays of a workstation that are not retired, the oldest first."""
    return list(
        session.scalars(
            sa.select(Display)
            .where(Display.workstation_id == workstation.id, Display.retired_at.is_(None))
            .order_by(Display.id)
        )
    )


def all_displays(session: Session, organisation_id: uuid.UUID) -> list[tuple[Workstation, Display]]:
    """Return every display of the organisation with its workstation, by their names; retired ones too."""
    rows = session.execute(
        sa.select(Workstation, Display)
        .join(Display, Display.workstation_id == Workstation.id)
        .where(Display.organisation_id == organisation_id)
        .order_by(Workstation.name, Display.name, Display.id)
    )
    return [(workstation, display) for workstation, display in rows]


def get_display(session: Session, organisation_id: uuid.UUID, display_id: uuid.UUID) -> Display:
    """Return a display; raises `DisplayNotFound`."""
    row = session.get(Display, display_id)
    if row is None or row.organisation_id != organisation_id:
        raise DisplayNotFound
    return row


def add_display(session: Session, workstation: Workstation, draft: Draft, now: datetime) -> Display:
    """Add a display to a workstation."""
    draft.check()
    present = displays_of(session, workstation)
    if len(present) >= MOST_DISPLAYS:
        raise TooManyDisplays
    row = Display(
        id=new_id(),
        organisation_id=workstation.organisation_id,
        workstation_id=workstation.id,
        created_at=now,
        retired_at=None,
    )
    return _describe(session, row, draft, present)


def change_display(session: Session, row: Display, draft: Draft) -> Display:
    """Describe a display anew. Where that changes what is asked of it, its checks no longer count."""
    draft.check()
    workstation = session.get_one(Workstation, row.workstation_id)
    return _describe(session, row, draft, displays_of(session, workstation))


def _describe(session: Session, row: Display, draft: Draft, present: Sequence[Display]) -> Display:
    if any(other.id != row.id and other.name == draft.name.strip() for other in present):
        raise DisplayExists("name: another display of this workstation has this name", field="name")
    for field, value in asdict(draft).items():
        setattr(row, field, value.strip() if isinstance(value, str) else value)
    session.add(row)
    session.flush()
    return row


def retire_display(row: Display, now: datetime) -> None:
    """Take a display out of use; its log stays."""
    row.retired_at = row.retired_at or now


def log_of(session: Session, display: Display, most: int | None = None) -> list[DisplayCheck]:
    """Return the checks of a display, the latest first."""
    return list(
        session.scalars(
            sa.select(DisplayCheck)
            .where(DisplayCheck.display_id == display.id)
            .order_by(DisplayCheck.checked_at.desc(), DisplayCheck.id.desc())
            .limit(most)
        )
    )


def submit(
    session: Session, display: Display, given: Submitted, person: Person, settings: DisplaySettings, now: datetime
) -> tuple[DisplayCheck, bool]:
    """Judge a check and add it to the log; returns it, and whether it is new: the same one twice is logged once."""
    if given.seen != Seen(display.columns, display.rows, display.pixel_um):
        raise CheckInvalid("seen: the screen is another than the display that was registered", field="seen")
    asked = limits.asked_of(display.use, display.room_class, settings)
    criteria = list(judging.judge_matrix(given.seen, asked))
    if given.kind == "visual":
        if given.answers is None or given.readings is not None:
            raise CheckInvalid("answers: a visual check has answers, and no readings", field="answers")
        criteria += judging.judge_answers(given.answers)
        valid_for = timedelta(hours=settings.visual_valid_h)
    else:
        if given.readings is None or given.answers is not None:
            raise CheckInvalid("readings: a check by photometer has readings, and no answers", field="readings")
        criteria += judging.judge_readings(given.readings, asked)
        valid_for = timedelta(days=settings.photometer_days)
    passed = all(criterion.passed for criterion in criteria)
    row = DisplayCheck(
        id=given.check_id,
        organisation_id=display.organisation_id,
        display_id=display.id,
        kind=given.kind,
        passed=passed,
        checked_at=now,
        valid_until=now + valid_for if passed else None,
        account_id=person.account_id,
        account_name=person.name,
        display=_json(_snapshot(display)),
        entered=_json(_entered(given)),
        criteria=_json([asdict(criterion) for criterion in criteria]),
        correction=_correction(session, display, given),
    )
    known = session.get(DisplayCheck, given.check_id)
    if known is not None:
        if (known.display_id, known.account_id, known.entered) != (row.display_id, row.account_id, row.entered):
            raise CheckTaken
        return known, False
    session.add(row)
    session.flush()
    return row, True


def _correction(session: Session, display: Display, given: Submitted) -> bytes | None:
    if given.readings is None:
        return None
    if given.through is not None:
        before = session.get(DisplayCheck, given.through)
        if given.correct or before is None or before.correction is None or not _is_of(before, display):
            raise CheckInvalid("through: no check of this display with a correction table", field="through")
        return before.correction
    return bytes(gsdf.correction(given.readings.response())) if given.correct else None


def fingerprint(row: DisplayCheck) -> str:
    """Return the SHA-256 of what a check says: the audit's chain holds it, so that a changed log shows."""
    said = (str(row.id), str(row.display_id), row.kind, row.passed, row.checked_at.isoformat(), row.account_id,
            row.account_name, row.display, row.entered, row.criteria, (row.correction or b"").hex())  # fmt: skip
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def state_of(session: Session, display: Display, settings: DisplaySettings, now: datetime) -> State:
    """Say whether a display is checked for reading: by eye lately, and by photometer where it ever was or must be."""
    visual, photometer = (_latest(session, display, kind) for kind in ("visual", "photometer"))
    table, maker = None, None
    if photometer is not None and photometer.correction is not None and _is_of(photometer, display):
        table, maker = photometer.correction, photometer.id
    reason = _reason(display, visual, photometer, settings, now)
    if reason != "checked":
        return State(checked=False, reason=reason, correction=table, corrected_by=maker)
    ends = [row.valid_until for row in (visual, photometer) if row is not None and row.valid_until is not None]
    return State(checked=True, reason="checked", until=min(ends), correction=table, corrected_by=maker)


def _latest(session: Session, display: Display, kind: str) -> DisplayCheck | None:
    return session.scalar(
        sa.select(DisplayCheck)
        .where(DisplayCheck.display_id == display.id, DisplayCheck.kind == kind)
        .order_by(DisplayCheck.checked_at.desc(), DisplayCheck.id.desc())
        .limit(1)
    )


def _reason(
    display: Display,
    visual: DisplayCheck | None,
    photometer: DisplayCheck | None,
    settings: DisplaySettings,
    now: datetime,
) -> Reason:
    if display.use == "viewing":
        return "viewing"
    if visual is None:
        return "never"
    if photometer is None and settings.photometer_required:
        return "unmeasured"
    stands: list[Reason] = [_standing(display, row, now) for row in (photometer, visual) if row is not None]
    return next((reason for reason in stands if reason != "checked"), "checked")


def _standing(display: Display, row: DisplayCheck, now: datetime) -> Reason:
    if not _is_of(row, display):
        return "changed"
    if row.valid_until is None:
        return "failed"
    return "checked" if row.checked_at <= now < row.valid_until else "expired"


SNAPSHOT = ("room", "room_class", "use", "columns", "rows", "pixel_um")


def _snapshot(display: Display) -> dict[str, Any]:
    return {field: getattr(display, field) for field in SNAPSHOT}


def _is_of(row: DisplayCheck, display: Display) -> bool:
    """Say whether a check is of this display as it stands now."""
    return row.display_id == display.id and json.loads(row.display) == _snapshot(display)


def _entered(given: Submitted) -> dict[str, Any]:
    return {
        "seen": asdict(given.seen),
        "answers": None if given.answers is None else dict(given.answers),
        "readings": None if given.readings is None else asdict(given.readings),
        "instrument": given.instrument,
        "remark": given.remark,
        "correct": given.correct,
        "through": None if given.through is None else str(given.through),
    }


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def criteria_of(row: DisplayCheck) -> list[Criterion]:
    """Return what a check was judged by."""
    return [Criterion(**one) for one in json.loads(row.criteria)]


def readings_of(row: DisplayCheck) -> Readings:
    """Return the readings of a check by photometer."""
    entered: dict[str, Any] = json.loads(row.entered)["readings"]
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entered.items()
    }
    return Readings(**fields)


def forecast(readings: Readings) -> float:
    """Return the deviation from the GSDF (percent) to expect behind a correction table made from `readings`."""
    response = readings.response()
    behind = gsdf.corrected(response, gsdf.correction(response))
    return max(abs(value) for value in gsdf.deviations(behind))
