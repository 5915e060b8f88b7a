"""An archive with rules: studies arrive, become complete, and rules look at them as the role `work` has them do."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.archive import indexing
from radrelay.archive.instances import InstanceRef
from radrelay.archive.models import Study
from radrelay.audit.models import AuditEvent
from radrelay.clock import FixedClock
from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header
from radrelay.routing.destinations import DestinationDraft, create_destination
from radrelay.routing.models import Delivery
from radrelay.routing.rules import meetings
from radrelay.routing.rules.actions import Kinds, Met, Moment, Outcome, Wanted, named
from radrelay.routing.rules.coercing import Coerce
from radrelay.routing.rules.forwarding import Forward
from radrelay.routing.rules.keeping import Hold, Retain
from radrelay.routing.rules.meetings import Meeting
from radrelay.routing.rules.models import EVALUATE
from radrelay.routing.rules.service import Rule, WantedRoutingRule, add_rule
from radrelay.routing.rules.showing import Show
from radrelay.routing.rules.work import RuleWork, emit_due, note_complete
from radrelay.storage import outbox
from tests.archive.arriving import START, Door, arrival
from tests.backends import open_database
from tests.schema import lay


@dataclass
class Blow:
    """An action that goes wrong in a way that nobody thought of, as often as it is told to."""

    name: str = "blow"
    moments: Sequence[Moment] = ("arrival", "complete")
    again: bool = False
    times: int = 1
    done: list[uuid.UUID] = field(default_factory=list)

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        return dict(wanted)

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        return Outcome("done")

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        if self.times:
            self.times -= 1
            raise ZeroDivisionError
        self.done.append(met.study.id)
        return Outcome("done")


class NoHeaders:
    """Objects of which there are rows alone."""

    def header(self, ref: InstanceRef) -> Header:
        raise Malformed


class Ruled:
    """An archive in a folder."""

    def __init__(self, folder: Path) -> None:
        self.database = open_database(folder)
        lay(self.database)
        self.clock = FixedClock(START)
        self.door = Door(self.database)
        self.organisation_id = self.door.organisation_id
        audit.install(self.database, "work", self.clock, bytes(32))
        self.blow = Blow()
        self.kinds: Kinds = named([Show(), Retain(), Hold(), Coerce(), Forward(), self.blow])
        self.work = self.restarted()
        with self.database.write() as session:
            self.group_id = access.create_group(session, self.organisation_id, "Ward 3", now=START).id
            draft = DestinationDraft("PACS", "PACS", "127.0.0.1", 104)
            self.destination_id = create_destination(session, self.clock, self.organisation_id, draft).id

    def restarted(self) -> RuleWork:
        """Return what evaluates, as a process that has just started has it."""
        return RuleWork(self.database, self.clock, NoHeaders(), self.kinds, UTC)

    def rule(self, name: str, *actions: Mapping[str, object], when: Sequence[Any] = (), **more: Any) -> Rule:
        """Make a rule; `when` are triples of field, test and values."""
        asked = tuple({"field": one, "test": test, "values": values} for one, test, values in when)
        wanted = WantedRoutingRule(name, asked, actions, **more)
        with self.database.write() as session:
            return add_rule(session, self.organisation_id, wanted, self.kinds, "root", self.clock.now())

    def bring(self, calling_ae: str = "CT1", **changes: Any) -> Study:
        """Let an object of a study arrive from a device."""
        made = arrival(self.door.source, self.clock.now(), **changes)
        self.door.bring_all([replace(made, calling_ae=calling_ae, called_ae="RADRELAY")])
        return self.door.study(made.attributes.study_uid)

    def complete(self) -> int:
        """Let the quiet time pass and the rules look; returns how many studies they were to look at."""
        self.clock.advance(timedelta(seconds=40))
        with self.database.write() as session:
            note_complete(session, indexing.complete_quiet(session, self.clock.now()), self.clock.now())
        return self.due()

    def due(self) -> int:
        """Do what is asked for or due; returns how much."""
        with self.database.write() as session:
            emit_due(session, self.clock.now())
            events = outbox.open_events(session, [EVALUATE])
            outbox.mark_taken(session, [event.id for event in events], self.clock.now())
        for event in events:
            self.work.attempt(event)
        return len(events)

    def met(self, study: Study) -> list[Meeting]:
        """Return which rules met a study."""
        with self.database.read() as session:
            return meetings.meetings_of(session, self.organisation_id, study.id)

    def deliveries(self) -> list[Delivery]:
        with self.database.read() as session:
            return list(session.scalars(sa.select(Delivery).order_by(Delivery.id)))

    def events(self, action: str) -> list[dict[str, Any]]:
        """Return what the record tells of what rules did."""
        with self.database.read() as session:
            rows = session.scalars(
                sa.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.sequence)
            )
            return [json.loads(row.detail) for row in rows]

    def forward(self, destination_id: uuid.UUID | None = None) -> dict[str, object]:
        return {"kind": "forward", "destination_id": str(destination_id or self.destination_id)}
