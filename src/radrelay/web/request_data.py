"""What is held of whom a request is about, and which images and files of it the caller may hand out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from radrelay.access import Principal, Right
from radrelay.archive.export import ExtraFile
from radrelay.archive.instances import InstanceRef
from radrelay.audit.disclosures import disclosure_of, left_of
from radrelay.privacy.holdings_of import Held, held
from radrelay.privacy.people_on_record import OnRecord, on_record
from radrelay.privacy.requests import RequestView
from radrelay.privacy.rows_of import Row, rows_of, whose
from radrelay.web.downloads import files_beside
from radrelay.web.reach import Reach
from radrelay.web.request_shapes import AccountShown, AsideShown, Data, HeldImportShown, StudyShown
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
        record = on_record(session, principal.organisation_id, one.subject, found, everything)
        alone = record.people <= 1
        rows = rows_of(session, whose(session, principal.organisation_id, one, found, everything, alone=alone))
        reach = Reach(session, principal, Right.DOWNLOAD, now, for_subject=True)
        if reach.scope.identity == "clear":
            for study in found.studies:
                mine = reach.living_at(study.received_at) if study.barred else reach  # what is over waits
                if mine.studies([study.id]):
                    included.add(study.id)
                    refs += mine.study_instances(study.id)
                    files += files_beside(services, session, mine, study.id)
    went, unclear = _went(services, principal, one, found, record)
    studies = [
        StudyShown.model_validate(study).model_copy(update={"included": study.id in included})
        for study in found.studies
    ]
    data = Data(
        at=now, studies=studies, aside=[AsideShown.model_validate(each) for each in found.aside],
        imports=[HeldImportShown.model_validate(each) for each in found.imports],
        account=None if found.account is None else AccountShown.model_validate(found.account),
        disclosures=len(went), unclear=unclear, other_issuers=list(found.other_issuers),
    )  # fmt: skip
    return RequestData(data, rows, refs, files, went)


def _went(
    services: WebServices, principal: Principal, one: RequestView, found: Held, record: OnRecord
) -> tuple[list[dict[str, str | int]], int]:
    """Return where data of the person went, and of how much more under the ID nobody can tell whose it was."""
    if one.subject.kind != "patient":
        return [], 0
    subject, studies = one.subject, [study.id for study in found.studies]
    left = left_of(
        services.database, principal.organisation_id, subject.issuer, subject.patient_id, studies, services.clock.now()
    )
    theirs = [(entry, record.is_theirs(entry)) for entry in left]
    went = [disclosure_of(entry).row() for entry, own in theirs if own]
    return went, sum(1 for _, own in theirs if own is None)
