"""Acts of the ledger that have no effect any more: what they say is destroyed, for it may name a person.

An act is kept so that no restored backup undoes it (`storage.remembering`). Once a later act says all that it said of a
row, a restriction was lifted, or the studies that were corrected are deleted, doing it again would change nothing: its
place in the ledger stays, so that every backup still finds that it was done, and its content goes.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from radrelay.storage.columns import Base
from radrelay.storage.keystore import KeyStore

Place = tuple[str, ...]
"""A table and the primary key of a row, as text."""


@dataclass(frozen=True, slots=True)
class Act:
    """An act as the ledger has it: its id, which follows the order in which acts were done, its name, what it says."""

    id: uuid.UUID
    name: str
    said: Mapping[str, Any]


def spend_acts(keys: KeyStore) -> int:
    """Destroy what acts say that have no effect any more; returns how many that were."""
    acts = [
        Act(entry.subject_id, entry.reason, msgspec.msgpack.decode(keys.opened(entry)))
        for entry in keys.acts()
        if entry.detail is not None
    ]
    corrected = {uuid.UUID(one) for act in acts if act.name == "correct" for one in act.said["studies"]}
    return keys.spend(spent(acts, keys.deleted(sorted(corrected))))


def spent(acts: Iterable[Act], deleted: Collection[uuid.UUID]) -> list[uuid.UUID]:
    """Return which acts have no effect any more; `deleted` are studies that are gone."""
    later = _Later(deleted)
    return [act.id for act in sorted(acts, key=lambda act: act.id, reverse=True) if later.has_all_of(act)]


class _Later:
    """What later acts say, while they are gone through from the newest on."""

    def __init__(self, deleted: Collection[uuid.UUID]) -> None:
        self._deleted = {str(one) for one in deleted}
        self._rows: set[Place] = set()
        self._values: set[tuple[Place, str]] = set()
        self._lifted: set[str] = set()

    def has_all_of(self, act: Act) -> bool:
        """Say whether later acts say all that this one did, and note what it says for those before."""
        known = _KINDS.get(act.name)
        return known is not None and known(self, act.said)

    def put(self, said: Mapping[str, Any]) -> bool:
        rows = {_place(said["table"], row) for row in said["rows"]}
        return self._note(rows)

    def gone(self, said: Mapping[str, Any]) -> bool:
        return self._note({_place(said["table"], said["key"])})

    def _note(self, rows: set[Place]) -> bool:
        known = rows <= self._rows
        self._rows |= rows
        return known

    def set(self, said: Mapping[str, Any]) -> bool:
        place = _place(said["table"], said["key"])
        values = {(place, str(column)) for column in said["values"]}
        known = place in self._rows or values <= self._values
        self._values |= values
        return known

    def restrict(self, said: Mapping[str, Any]) -> bool:
        return str(said["id"]) in self._lifted

    def lift(self, said: Mapping[str, Any]) -> bool:
        self._lifted.add(str(said["id"]))
        return False

    def correct(self, said: Mapping[str, Any]) -> bool:
        return {str(one) for one in said["studies"]} <= self._deleted


_KINDS: Mapping[str, Callable[[_Later, Mapping[str, Any]], bool]] = {
    "put": _Later.put, "gone": _Later.gone, "set": _Later.set, "restrict": _Later.restrict, "lift": _Later.lift,
    "correct": _Later.correct,
}  # fmt: skip


def _place(table: str, row: Mapping[str, Any]) -> Place:
    return (table, *(str(row.get(str(column.name))) for column in Base.metadata.tables[table].primary_key))
