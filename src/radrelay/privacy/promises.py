"""What is promised of people's data, and whether it is kept: judged by what is found, never by what is set.

In: the database, the keyring, the key store and the packs of this installation. Out: a `Report`; a promise is *good*
only where that was seen. *look* is what nobody can tell from here, or what wants a person; *bad* is a broken promise.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from radrelay.privacy import clocks, safekeeping, spans
from radrelay.privacy.spans import SourcePromise
from radrelay.privacy.standing import House, Kept, State
from radrelay.privacy.volume import alarms


@dataclass(frozen=True, slots=True)
class Report:
    """All promises, as they stood at a moment."""

    at: datetime
    sources: Sequence[SourcePromise]
    kept: Sequence[Kept]

    @property
    def state(self) -> State:
        """The worst of all."""
        states: set[State] = {one.state for one in self.sources} | {one.state for one in self.kept}
        return "bad" if "bad" in states else "look" if "look" in states else "good"


def report(house: House, organisation_id: uuid.UUID) -> Report:
    """Look at everything that is promised and return how it stands."""
    now = house.clock.now()
    with house.database.read() as session:
        expiry = spans.expiry_state(session, now)
        sources = spans.sources(session, organisation_id, now, trusted=expiry.state == "good")
        kept = [
            expiry,
            _deletions(spans.open_deletions(session, organisation_id, now)),
            safekeeping.backups(session, house.settings.privacy, now),
            safekeeping.record(session, organisation_id, now),
            safekeeping.age_of_keys(session, house, now),
            clocks.request_clocks(session, organisation_id, now),
            clocks.restrictions_kept(session, organisation_id, now),
            clocks.incident_clocks(session, organisation_id, now),
            alarms.standing(session, organisation_id),
        ]
    kept += [
        safekeeping.rows(house),
        safekeeping.bytes_sealed(house, organisation_id),
        *safekeeping.places_of_keys(house),
    ]
    return Report(now, sources, kept)


def _deletions(found: spans.OpenDeletions) -> Kept:
    if found.readable:
        text = f"{found.readable} deletions have not destroyed their keys after {spans.UNREADABLE}"
        return Kept("deletion", "bad", "deletion-readable", text, {"n": found.readable})
    if found.occupying:
        text = f"the bytes of {found.occupying} deletions still lie there after {spans.FREED}"
        return Kept("deletion", "bad", "deletion-occupying", text, {"n": found.occupying})
    return Kept("deletion", "good", "deletion-done", "nothing that was deleted is readable any more")
