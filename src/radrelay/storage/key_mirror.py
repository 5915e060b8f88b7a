"""A key store and its mirror brought to agree, whatever each has missed.

Both hold keys, which keys are destroyed, and the ledger. What is destroyed in one is destroyed in both; every other key
and every entry that one has, the other gets: the mirror what came while it was away or by another node, the store what
was lost with it. Where both hold one key wrapped otherwise, the store's counts. So it may be done at any time, again
after a crash, and by several nodes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from uuid import UUID

import structlog

from radrelay.storage.key_tables import KeyRow, KeyTables
from radrelay.storage.keys import Keyring

BATCH = 1000
log = structlog.get_logger(__name__)


T = TypeVar("T")


@dataclass(frozen=True)
class Taken:
    """What the store had lost and the mirror gave back."""

    keys: int = 0
    entries: int = 0

    def __bool__(self) -> bool:
        return bool(self.keys or self.entries)


@dataclass(frozen=True)
class Difference:
    """How many keys and entries the mirror lacks (or holds wrapped otherwise), and how many keys it has beyond."""

    lacking: int = 0
    surplus: int = 0


def agree(store: KeyTables, mirror: KeyTables, keyring: Keyring) -> Taken:
    """Bring the two to hold the same; returns what the store had lost."""
    with keyring.wrapping():  # no version of the image key is destroyed under what is carried over
        born, mirror_born = store.made_at(), mirror.made_at()
        if born > mirror_born:
            store.set_made_at(mirror_born)
        elif mirror_born > born:
            mirror.set_made_at(born)
        _share_destroyed(store, mirror)
        keys = _share_keys(store, mirror)
        entries = _share_ledger(store, mirror)
    if keys or entries:
        log.warning("keys.taken_back_from_mirror", keys=keys, ledger_entries=entries)
    return Taken(keys, entries)


def difference(store: KeyTables, mirror: KeyTables) -> Difference:
    """Say how far the two are apart; what is being written just now does not count."""
    lacking: list[UUID] = []
    surplus: list[UUID] = []
    for ours, theirs in _apart(store.rows(), mirror.rows(), _key_of):
        if ours is not None:
            lacking.append(ours.key_id)
        elif theirs is not None:
            surplus.append(theirs.key_id)
    there, here = mirror.known(lacking), store.known(lacking)
    missing = sum(key_id in here and key_id not in there for key_id in lacking)
    otherwise = sum(store.wrapped(key_id) != mirror.wrapped(key_id) for key_id in lacking if key_id in here & there)
    beyond = mirror.known(surplus) - store.known(surplus)
    entries = sum(mirror.lacks_entries(part) for part in _parts(store.ledger(None)))
    return Difference(missing + otherwise + entries, len(beyond))


def _share_destroyed(store: KeyTables, mirror: KeyTables) -> None:
    apart = _apart(store.destroyed(), mirror.destroyed(), lambda key_id: key_id)
    for part in _parts(apart):
        for tables, gone in (
            (mirror, [ours for ours, _ in part if ours is not None]),
            (store, [theirs for ours, theirs in part if ours is None and theirs is not None]),
        ):
            if gone:
                tables.bury(gone)
                tables.shed()


def _share_keys(store: KeyTables, mirror: KeyTables) -> int:
    """Carry keys over both ways; returns how many the store had not."""
    taken = 0
    apart = _apart(store.rows(), mirror.rows(), _key_of)
    for part in _parts(apart):
        ours = [row for row, _ in part if row is not None]
        if ours:
            mirror.take(ours, replace=True)
        taken += store.take([row for mine, row in part if mine is None and row is not None])
    return taken


def _share_ledger(store: KeyTables, mirror: KeyTables) -> int:
    """Carry entries of the ledger over both ways; returns how many the store had not."""
    taken = 0
    for part in _parts(mirror.ledger(None)):
        taken += store.take_entries(part)
    if mirror.outline().entries != store.outline().entries:
        for part in _parts(store.ledger(None)):
            mirror.take_entries(part)
    return taken


def _apart(one: Iterator[T], other: Iterator[T], key: Callable[[T], UUID]) -> Iterator[tuple[T | None, T | None]]:
    """Yield what is in one alone, in the other alone, or not the same in both; each in the order of `key`."""
    ours, theirs = next(one, None), next(other, None)
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and key(ours) < key(theirs)):
            yield ours, None
            ours = next(one, None)
        elif ours is None or key(theirs) < key(ours):
            yield None, theirs
            theirs = next(other, None)
        else:
            if ours != theirs:
                yield ours, theirs
            ours, theirs = next(one, None), next(other, None)


def _parts(items: Iterator[T]) -> Iterator[list[T]]:
    while part := list(islice(items, BATCH)):
        yield part


def _key_of(row: KeyRow) -> UUID:
    return row.key_id
