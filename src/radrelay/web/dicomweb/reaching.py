"""From UIDs in a DICOMweb path to instances within the caller's reach; everything is looked up through the scope."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from fastapi import Request

from radrelay.access import Principal, Right
from radrelay.archive.errors import InstanceNotFound, SeriesNotFound, StudyNotFound
from radrelay.archive.instances import FoundInstances, InstanceRef, find_under
from radrelay.archive.tables import INSTANCE, SERIES, STUDY
from radrelay.web import trail
from radrelay.web.authentication import services_of
from radrelay.web.reach import Reach, ReachedStudy
from radrelay.web.services import WebServices


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names: a study, one of its series, one of that one's instances."""

    study_uid: str
    series_uid: str | None = None
    sop_uid: str | None = None

    @property
    def kind(self) -> str:
        """Return the level that the path names."""
        return "instance" if self.sop_uid else "series" if self.series_uid else "study"


@dataclass(frozen=True, slots=True)
class Reached:
    """Living instances that a path names, in order, and the study that they are of."""

    study: ReachedStudy
    found: FoundInstances

    @property
    def refs(self) -> tuple[InstanceRef, ...]:
        """Return the instances."""
        return self.found.refs

    @property
    def one(self) -> InstanceRef:
        """Return the only instance of a path that names one."""
        return self.refs[0]


_PLACE = (
    sa.select(STUDY.c.id.label("study_id"), SERIES.c.id.label("series_id"))
    .select_from(
        sa.outerjoin(
            STUDY, SERIES, sa.and_(SERIES.c.study_id == STUDY.c.id, SERIES.c.series_uid == sa.bindparam("series_uid"))
        )
    )
    .where(STUDY.c.organisation_id == sa.bindparam("organisation_id"), STUDY.c.study_uid == sa.bindparam("study_uid"))
)


def reach(services: WebServices, principal: Principal, right: Right, target: Target) -> Reached:
    """Find what `target` names; raises `StudyNotFound`, `SeriesNotFound` or `InstanceNotFound`.

    Without the right to see the patient's name nothing is handed out.
    """
    with services.database.read() as session:
        within = Reach.of(services, session, principal, right)
        series_uid = target.series_uid or ""
        found = session.execute(
            _PLACE,
            {"organisation_id": principal.organisation_id, "study_uid": target.study_uid, "series_uid": series_uid},
        ).one_or_none()
        if found is None:
            raise StudyNotFound
        study = within.study(found.study_id)
        study.require_clear()
        if target.series_uid is not None and found.series_id is None:
            raise SeriesNotFound
        instances = find_under(
            session,
            within.now,
            within.scope.series_filter(INSTANCE.c.study_id, INSTANCE.c.series_id),
            organisation_id=principal.organisation_id,
            study_id=found.study_id,
            series_id=found.series_id,
            sop_uid=target.sop_uid,
        )
    if not instances:
        raise InstanceNotFound if target.sop_uid else SeriesNotFound if target.series_uid else StudyNotFound
    return Reached(study, instances)


def note_view(
    services: WebServices, request: Request, principal: Principal, reached: Reached, action: str = "study.view"
) -> None:
    """Write that the study was seen, once per login; durable before the first byte leaves."""
    record = trail.event(
        request,
        principal,
        action,
        ("study", reached.study.id),
        patient=reached.study.patient,
        detail={"by": "dicomweb"},
    )
    if trail.seen(services.database, principal, record) and principal.kind == "link" and action == "study.download":
        with services.database.write() as session:
            trail.note_by_link(session, request, principal, services.clock.now())


def base_url(request: Request) -> str:
    """Return the address under which DICOMweb is reached, for addresses in answers.

    Some clients (dicomweb-client is one) leave the port out of Host; without a proxy, the own port is then meant.
    """
    address = request.base_url
    server = request.scope.get("server")
    if address.port is None and server and server[1] and not services_of(request).settings.web.behind_proxy:
        address = address.replace(port=server[1])
    return str(address).rstrip("/") + "/dicom-web"
