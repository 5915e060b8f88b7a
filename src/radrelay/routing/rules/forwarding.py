"""The action *forward*: a study is sent to a destination, and what comes of it later, too; nothing goes round.

A series that came from a node does not go back to it, and what Radrelay itself has delivered there is not sent again.
What has grown since is told by how many objects each series had, not by clocks.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.archive import uncorrected
from radrelay.archive.models import Instance, Series, Study
from radrelay.archive.of_study import of_studies
from radrelay.errors import Trouble
from radrelay.routing import deliveries
from radrelay.routing.deliveries import MOST_URGENT
from radrelay.routing.destinations import get_destination
from radrelay.routing.errors import DestinationOff, OwedAfterRestore
from radrelay.routing.models import Delivery, DeliveryReceipt, Destination
from radrelay.routing.rules.actions import Difference, Met, Moment, Outcome, Wanted, known_only, wanted_id, whole
from radrelay.routing.rules.errors import RuleInvalid
from radrelay.routing.rules.facts import BROUGHT
from radrelay.routing.rules.matching import Part

Preview = Callable[[Session, uuid.UUID, uuid.UUID, Study], Iterable[Difference]]
"""Tells what copies of an organisation's study by a project would have otherwise."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Asks for a delivery of the study, and later of the series that have grown.

    With a project of pseudonyms de-identified copies go, and the study stays as it is; `preview` tells what of its
    attributes would be another in them.
    """

    preview: Preview | None = None
    name: str = "forward"
    moments: Sequence[Moment] = ("complete",)
    again: bool = True

    def cleaned(self, session: Session, organisation_id: uuid.UUID, wanted: Wanted) -> dict[str, object]:
        """Return what is wanted as it is kept."""
        known_only(wanted, "destination_id", "priority", "project_id")
        priority = wanted.get("priority", 0)
        if not isinstance(priority, int) or isinstance(priority, bool) or abs(priority) > MOST_URGENT:
            raise RuleInvalid(f"priority: -{MOST_URGENT} to {MOST_URGENT}", field="priority")
        row = get_destination(session, organisation_id, wanted_id(wanted, "destination_id"))
        if wanted.get("project_id") is None:
            return {"destination_id": str(row.id), "priority": priority}
        project_id = wanted_id(wanted, "project_id")
        deliveries.project_for(session, row, project_id)
        return {"destination_id": str(row.id), "priority": priority, "project_id": str(project_id)}

    def plan(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Tell whether it would be sent, or why not, and what would be another in copies."""
        planned, project_id = self._planned(session, met, wanted), _project(session, met, wanted)
        if planned.state != "done" or project_id is None or self.preview is None:
            return planned
        return replace(planned, differences=tuple(self.preview(session, met.organisation_id, project_id, met.study)))

    def _planned(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        destination = get_destination(session, met.organisation_id, wanted_id(wanted, "destination_id"))
        told: dict[str, object] = {"destination": str(destination.id)}
        if not destination.enabled:
            raise DestinationOff
        grown, back = _grown(session, met), brought_by(destination, met.facts.senders)
        going = [one for one in grown.series if one not in back]
        if back.issuperset(grown.counts) or (grown.series and not going):
            return Outcome("skipped", "came-from-there", told)
        project_id = _project(session, met, wanted)
        if project_id is not None:
            told["project"] = str(project_id)
        if not going:
            return Outcome("skipped", "sent-already", told)
        if uncorrected.is_awaited(session, met.study.id, met.clock.now()):
            return Outcome("skipped", "waits-for-correction", told, waits=True)
        whole_study = len(going) == len(grown.counts)
        some = None if whole_study else [uuid.UUID(one) for one in going]
        if is_there(session, met.study.id, destination.id, project_id, some):
            return Outcome("skipped", "there-already", told | {"counts": grown.counts})
        return Outcome("done", facts=told | {"counts": grown.counts, "series": [] if whole_study else going})

    def carry_out(self, session: Session, met: Met, wanted: Wanted) -> Outcome:
        """Ask for the delivery, or one of each series that has grown."""
        planned = self._planned(session, met, wanted)
        if planned.state != "done":
            return planned
        wanted_series = planned.facts["series"]
        chosen = (
            [uuid.UUID(one) for one in wanted_series] if isinstance(wanted_series, list) and wanted_series else [None]
        )
        made = []
        for series_id in chosen:
            row = deliveries.request_delivery(
                session, met.clock, organisation_id=met.organisation_id,
                destination_id=wanted_id(wanted, "destination_id"), study_id=met.study.id, series_id=series_id,
                requested_by=met.rule_name, correlation_id=met.correlation, priority=whole(wanted["priority"]),
                project_id=_project(session, met, wanted),
                held=Trouble.of(OwedAfterRestore()) if met.owed else None,
            )  # fmt: skip
            made.append(str(row.id))
            detail = {"destination": wanted["destination_id"], "delivery": str(row.id), "series": series_id}
            if row.project_id is not None:
                detail["project"] = str(row.project_id)
            met.record(session, "study.forward", detail)
        return Outcome("done", "held-after-restore" if met.owed else "", {**planned.facts, "deliveries": made})


def _project(session: Session, met: Met, wanted: Wanted) -> uuid.UUID | None:
    """Return the project by which copies would go, none for originals; raises as `deliveries.request_delivery`."""
    destination = get_destination(session, met.organisation_id, wanted_id(wanted, "destination_id"))
    named = wanted_id(wanted, "project_id") if wanted.get("project_id") is not None else None
    return deliveries.project_for(session, destination, named)


def brought_by(destination: Destination, senders: Iterable[Part]) -> set[str]:
    """Return the series of a study that came from the destination alone: what others brought, too, goes there."""
    theirs: set[str] = set()
    others: set[str] = set()
    for part in senders:
        (theirs if came_from(destination, [part]) else others).update(part.get(BROUGHT, ()))
    return theirs - others


def came_from(destination: Destination, senders: Iterable[Part]) -> bool:
    """Say whether one of some senders is the destination itself.

    By its AE title, in whatever case. Of what came without one (DICOMweb) by its address, but this machine's own, which
    many programs may share.
    """
    title, host = destination.ae_title.strip().casefold(), destination.host.strip().casefold()
    for part in senders:
        titles, hosts = part.get("calling_ae", ()), part.get("host", ())
        if title and any(title == one.casefold() for one in titles):
            return True
        if not titles and any(host == one.casefold() and not access.is_loopback(one) for one in hosts):
            return True
    return False


def is_there(
    session: Session, study_id: uuid.UUID, destination_id: uuid.UUID, project_id: uuid.UUID | None = None,
    series_ids: Sequence[uuid.UUID] | None = None,
) -> bool:  # fmt: skip
    """Say whether the destination has answered that it has every object of a study, or of some of its series.

    Whoever sent it there.

    Copies by a project are other objects than the originals, or copies by another.
    """
    kept = sa.or_(DeliveryReceipt.status == 0, DeliveryReceipt.status.between(0xB000, 0xBFFF))
    receipts = (
        sa.select(DeliveryReceipt.sop_uid)
        .join(Delivery, Delivery.id == DeliveryReceipt.delivery_id)
        .where(
            Delivery.study_id == study_id,
            Delivery.destination_id == destination_id,
            Delivery.project_id.is_not_distinct_from(project_id),
            kept,
        )
    )
    current = sa.select(Instance.id).where(of_studies([study_id]), Instance.current.is_(True))
    if series_ids is not None:
        current = current.where(Instance.series_id.in_(series_ids))
    if session.scalar(current.limit(1)) is None:
        return False
    return session.scalar(current.where(Instance.sop_uid.not_in(receipts)).limit(1)) is None


@dataclass(frozen=True, slots=True)
class _Grown:
    counts: dict[str, int]  # objects of each series now
    series: list[str]  # that have more than when they were sent


def _grown(session: Session, met: Met) -> _Grown:
    of_study = (Series.organisation_id == met.organisation_id, Series.study_id == met.study.id)
    asked = sa.select(Series.id, Series.instance_count).where(*of_study).order_by(Series.id)
    counts = {str(series_id): count for series_id, count in session.execute(asked) if count}
    kept = (met.before or {}).get("counts")
    before: Mapping[str, int] = kept if isinstance(kept, Mapping) else {}
    return _Grown(counts, [one for one, count in counts.items() if count > before.get(one, 0)])
