"""What people set for themselves, such as hanging protocols and window presets, and an organisation's defaults.

A value is any JSON up to `LARGEST_BYTES`, kept by its name with a revision, so that two windows of one person do not
write over each other unseen. What it means is the front end's; nothing of a patient belongs into it.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay.errors import Conflict, Invalid, TooLarge
from radrelay.identity.models import Preference
from radrelay.storage.ids import new_id

LARGEST_BYTES = 64_000
MOST_NAMES = 64  # of one owner
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class PreferenceChanged(Conflict):
    """This setting was changed elsewhere in the meantime; take over the newer one first."""

    code = "preference-changed"


class PreferenceTooLarge(TooLarge):
    """This setting is larger than can be kept."""

    code = "preference-too-large"


class PreferenceInvalid(Invalid):
    """This setting cannot be kept."""

    code = "preference-invalid"


@dataclass(frozen=True, slots=True)
class Kept:
    """A setting as it is kept: JSON as ASCII text, "null" where there is none. Revision 0 was never set."""

    value: str = "null"
    revision: int = 0
    changed_at: datetime | None = None


NOTHING = Kept()


def read(session: Session, organisation_id: uuid.UUID, owner_id: uuid.UUID, name: str) -> Kept:
    """Return a setting of an account, or of an organisation (which owns its defaults itself)."""
    row = session.scalar(_one(organisation_id, owner_id, name))
    return NOTHING if row is None else Kept(row.value, row.revision, row.changed_at)


def write(
    session: Session, organisation_id: uuid.UUID, owner_id: uuid.UUID, name: str, value: object, based_on: int, *,
    now: datetime,
) -> Kept:  # fmt: skip
    """Keep `value` (none takes it away) in place of revision `based_on`; the same value again changes nothing.

    Raises
    ------
    PreferenceChanged
        When another revision stands there; the fact `revision` names it.
    PreferenceTooLarge, PreferenceInvalid
        When the value, the name or their number is beyond what is kept.
    """
    text = _encoded(value)
    if not NAME.fullmatch(name):
        raise PreferenceInvalid("a setting's name has up to 40 small letters, digits and dashes", field="name")
    row = session.scalar(_one(organisation_id, owner_id, name).with_for_update())
    if row is None:
        if based_on:
            raise PreferenceChanged(revision=0)
        if value is None:
            return NOTHING
        return _first(session, organisation_id, owner_id, name, text, now)
    if row.value != text:
        if row.revision != based_on:
            raise PreferenceChanged(revision=row.revision)
        row.value, row.revision, row.changed_at = text, row.revision + 1, now
    return Kept(row.value, row.revision, row.changed_at)


def _first(
    session: Session, organisation_id: uuid.UUID, owner_id: uuid.UUID, name: str, text: str, now: datetime
) -> Kept:
    own = sa.select(sa.func.count()).where(
        Preference.organisation_id == organisation_id, Preference.owner_id == owner_id
    )
    if (session.scalar(own) or 0) >= MOST_NAMES:
        raise PreferenceInvalid(f"no more than {MOST_NAMES} settings are kept", field="name")
    made = Preference(
        id=new_id(), organisation_id=organisation_id, owner_id=owner_id, name=name, value=text, revision=1,
        changed_at=now,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(made)
    except sa.exc.IntegrityError as error:  # somebody was first, just now
        raise PreferenceChanged(revision=1) from error
    return Kept(text, 1, now)


def _one(organisation_id: uuid.UUID, owner_id: uuid.UUID, name: str) -> sa.Select[Preference]:
    return sa.select(Preference).where(
        Preference.organisation_id == organisation_id, Preference.owner_id == owner_id, Preference.name == name
    )


def _encoded(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise PreferenceInvalid("the value is no JSON that can be kept", field="value") from error
    if len(text) > LARGEST_BYTES:
        raise PreferenceTooLarge(f"a setting may have {LARGEST_BYTES} bytes, this one has {len(text)}")
    return text
