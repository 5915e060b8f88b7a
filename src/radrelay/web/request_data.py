"""What is held of whom a request is about, and which images and files of it the caller may hand out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from radrelay.access import Principal, Right
from radrelay.archive.export import ExtraFile
from radrelay.archive.instances import InstanceRef
from radrelay.audit.disclosures import disclosures
from radrelay.privacy.holdings_of import Held, held
from radrelay.privacy.requests import RequestView
from radrelay.privacy.rows_of import Row, rows_of, whose
from radrelay.web.downloads import files_beside
from radrelay.web.reach import Reach
from radrelay.web.request_shapes import AccountShown, AsideShown, Data, StudyShown
from radrelay.web.services import WebServices


@dataclass(frozen=True, slots=True)
class RequestData:
    """What is `shown`, its rows by table, the objects and files that the caller may download, and where data went."""

    shown: Data
    rows: dict[str, list[Row]]
    refs: list[InstanceRef]
    files: list[ExtraFile]
    went: list[dict[str, str | int]]


def data_of(
    services: WebServices, principal: Principal, one: RequestView, meant: Callable[[Held], Held]
) -> RequestData:  # fmt: skip
    """Find what is held; `meant` chooses whose it is, and what is not left to clinics."""
    now, refs, files, included = services.clock.now(), list[InstanceRef](), list[ExtraFile](), set[uuid.UUID]()
    with services.database.read() as session:
        everything = held(session, principal.organisation_id, one.subject)
        found = meant(everything)
        rows = rows_of(session, whose(session, principal.organisation_id, one, found, everything))
        reach = Reach(session, principal, Right.DOWNLOAD, now, for_subject=True)
        if reach.scope.identity == "clear":
            for study in found.studies:
                mine = reach.living_at(study.received_at) if study.barred else reach  # what is over waits
                if mine.studies([study.id]):
                    included.add(study.id)
                    refs += mine.study_instances(study.id)
                    files += files_beside(services, session, mine, study.id)
    went = _went(services, principal, one)
    if len(found.studies) < len(everything.studies):  # the record knows several people under one ID
        own = {study.study_uid for study in found.studies}
        went = [each for each in went if each["study_uid"] in own]
    studies = [
        StudyShown.model_validate(study).model_copy(update={"included": study.id in included})
        for study in found.studies
    ]
    data = Data(
        at=now, studies=studies, aside=[AsideShown.model_validate(each) for each in found.aside],
        account=None if found.account is None else AccountShown.model_validate(found.account),
        disclosures=len(went), other_issuers=list(found.other_issuers),
    )  # fmt: skip
    return RequestData(data, rows, refs, files, went)


def _went(services: WebServices, principal: Principal, one: RequestView) -> list[dict[str, str | int]]:
    if one.subject.kind != "patient":
        return []
    now, subject = services.clock.now(), one.subject
    found = disclosures(services.database, principal.organisation_id, subject.issuer, subject.patient_id, now)
    return [each.row() for each in found]
