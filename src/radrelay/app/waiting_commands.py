"""The commands of what waits for its release by hand: listed, released and rejected without the pages."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy.orm import Session

from radrelay import audit
from radrelay.app.commands import command_principal, opened
from radrelay.app.core import Core
from radrelay.app.pseudonyms import diversion
from radrelay.errors import NotFound
from radrelay.intake.awaiting import Done, WaitingRoom
from radrelay.intake.errors import AwaitingUnknown
from radrelay.intake.sources import list_sources
from radrelay.settings import Settings


def _room(core: Core) -> WaitingRoom:
    return WaitingRoom(core.database, core.segments, core.clock, diversion(core))


def _any(source_id: uuid.UUID) -> bool:
    return True


def list_command(settings: Settings) -> int:
    """Print what waits, one a line."""
    with opened(settings) as (core, prepared):
        with core.database.read() as session:
            names = {one.id: one.name for one in list_sources(session, prepared.organisation_id)}
        with core.database.write() as session:
            audit.record(session, audit.AuditRecord("waiting.list", command_principal(prepared)))
        found, _ = _room(core).waiting(prepared.organisation_id, _any, restricted=True)
        for one in found:
            here = f"  {one.here} here" if one.here else ""
            told = "  ".join(
                filter(None, (one.patient_id, one.patient_name, one.modality, one.description, one.sent_by))
            )
            source = names.get(one.source_id, "")
            print(f"{one.id}  {one.last_received_at:%Y-%m-%d %H:%M}  {source}  {one.objects} objects{here}  {told}")  # noqa: T201
    return 0


def decide_command(settings: Settings, ids: Sequence[str], source: str, *, release: bool) -> int:
    """Release or reject what waits, by ids or all of a source; tells how much."""
    with opened(settings) as (core, prepared):
        organisation, principal, room = prepared.organisation_id, command_principal(prepared), _room(core)
        source_id = _source(core, organisation, source) if source else None
        wanted = [_id(one) for one in ids]
        found = room.find(organisation, _any, ids=wanted, source_id=source_id, restricted=True)
        if not found:
            raise AwaitingUnknown

        def note(session: Session, done: Done) -> None:
            one, action = done.waited, "waiting.release" if release else "waiting.reject"
            detail = {"source": one.source_id, "study_uid": one.study_uid or None, "objects": done.objects,
                      "aside": done.aside}  # fmt: skip
            audit.record(session, audit.AuditRecord(action, principal, "awaiting", one.id, detail))

        for one in found:
            if release:
                done = room.release(organisation, one, None, note)
                print(f"{one.id}  {done.objects} released  {done.aside} to the quarantine")  # noqa: T201
            else:
                done = room.reject(organisation, one, None, principal.name, note)
                print(f"{one.id}  {done.aside} to the quarantine")  # noqa: T201
    return 0


def _source(core: Core, organisation_id: uuid.UUID, wanted: str) -> uuid.UUID:
    with core.database.read() as session:
        for one in list_sources(session, organisation_id):
            if wanted.casefold() in (str(one.id), one.name.casefold()):
                return one.id
    raise NotFound(f"there is no source {wanted!r}")


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise AwaitingUnknown(f"{text!r} is no id") from error
