"""What people did of late with an import that changes what a colleague sees on its page: what, who, when.

It names no patient: whom somebody chose stands with the person in the parcel, and goes with that.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from radrelay.importer.models import ImportCase

MOST = 20
What = Literal["choose", "choose-none", "order", "file", "take-back", "give-up", "check", "birth-date", "bring-others"]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done: by whom, as they are shown (`by`) and known (`by_id`); with whom in the parcel, if any.

    `turn` counts on within an import.
    """

    turn: int
    what: What
    by: str
    by_id: str
    at: datetime
    number: int | None = None


def note(row: ImportCase, what: What, by: str, by_id: str, now: datetime, number: int | None = None) -> None:
    """Note that somebody did something with an import, in the transaction in which it is done."""
    before = acts_of(row)
    turn = before[-1].turn + 1 if before else 1
    acts = [*before, Act(turn, what, by[:200], by_id, now, number)][-MOST:]
    row.acts = json.dumps([asdict(one) | {"at": one.at.isoformat()} for one in acts])


def acts_of(row: ImportCase) -> list[Act]:
    """Return what was done of late with an import, in its order."""
    return [Act(**one | {"at": datetime.fromisoformat(one["at"])}) for one in json.loads(row.acts or "[]")]
