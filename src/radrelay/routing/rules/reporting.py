"""The action *report*: documents of a study (PDF, structured report) go to an HL7 receiver, each of them once.

What came later is sent when it has come; a document goes neither twice nor back to who has sent it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.orm import Session

from radrelay.archive import uncorrected
from radrelay.archive.instances import InstanceRef
from radrelay.archive.models import Study
from radrelay.routing.rules.actions import Met, Moment, Outcome, Wanted, known_only, wanted_text
from radrelay.routing.rules.errors import RuleInvalid

LONGEST_NAME = 64


class Due(Protocol):
    """What is to be sent of a study; `hl7.reports.passing.Passed` is one."""

    @property
    def new(self) -> Sequence[InstanceRef]: ...  # noqa: D102
    @property
    def from_there(self) -> int: ...  # noqa: D102  # how many came from the receiver
    @property
    def documents(self) -> int: ...  # noqa: D102  # how many there are at all


class Passing(Protocol):
    """Sends documents of studies; `hl7.reports.passing.ReportsOut` is one."""

    def receiver(self, session: Session, organisation_id: uuid.UUID, name: str) -> object:
        """Return an organisation's receiver; raises `NotFound`."""
        ...

    def due(self, session: Session, study: Study, receiver: str) -> Due:
        """Return what is still to go there."""
        ...

    def send(
        self, session: Session, study: Study, ref: InstanceRef, receiver: str, *, link: bool, held: bool
    ) -> uuid.UUID | None:
        """Write the message of a document; none for one that holds no report."""
        ...


@dataclass(frozen=True, slots=True)
class SendReports:
    """Sends the reports of a study by HL7, and those that come later."""

    passing: Passing
    name: str = "report"
    moments: Sequence[Moment] = ("complete",)
    again: bool = True

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept."""
        known_only(wanted, "receiver", "link")
        name, link = wanted_text(wanted, "receiver", LONGEST_NAME), wanted.get("link", False)
        if not isinstance(link, bool):
            raise RuleInvalid("link: true or false", field="link")
        self.passing.receiver(session, organisation_id, name)
        return {"receiver": name, "link": link}

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell how many would be sent, or why none."""
        return self._planned(session, met, wanted)[0]

    def _planned(self, session: Session, met: Met, wanted: Wanted) -> tuple[Outcome, Sequence[InstanceRef]]:
        receiver = str(wanted["receiver"])
        due = self.passing.due(session, met.study, receiver)
        told: dict[str, object] = {"receiver": receiver}
        if not due.new:
            sent = "came-from-there" if due.from_there == due.documents else "sent-already"
            return Outcome("skipped", sent if due.documents else "no-report", told), ()
        if uncorrected.is_awaited(session, met.study.id, met.clock.now()):
            return Outcome("skipped", "waits-for-correction", told, waits=True), ()
        return Outcome("done", facts=told | {"documents": len(due.new)}), due.new

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Write the messages, each of them on record as what left."""
        planned, new = self._planned(session, met, wanted)
        if planned.state != "done":
            return planned
        receiver, link = str(wanted["receiver"]), wanted["link"] is True
        sent = []
        for ref in new:
            message_id = self.passing.send(session, met.study, ref, receiver, link=link, held=met.owed)
            if message_id is not None:
                sent.append(str(message_id))
                met.record(session, "hl7.send", {"receiver": receiver, "link": link})
        if not sent:
            return Outcome("skipped", "no-report", {"receiver": receiver})
        return Outcome("done", "held-after-restore" if met.owed else "", {"receiver": receiver, "messages": sent})
