"""Imports as routes work with them: who may, and what stands."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import Session

from radrelay import access
from radrelay.access import GUEST, Principal, Right
from radrelay.archive.models import Holding, Study
from radrelay.archive.source_names import PORTALS
from radrelay.errors import RadrelayError
from radrelay.importer import cases
from radrelay.importer.acts import acts_of
from radrelay.importer.announced import sum_of
from radrelay.importer.brought import consent_of, consents_of
from radrelay.importer.connectors.guided import after, guided_by
from radrelay.importer.endings import as_it_came_until, files_ends
from radrelay.importer.errors import InMaintenance, PersonNeeded, PortalTrouble
from radrelay.importer.import_errors import (
    ForwardElsewhere,
    ImportChosenOtherwise,
    ImportUnknown,
    OrderUnknown,
)
from radrelay.importer.local_values import tidied_order, written
from radrelay.importer.models import ImportCase, ImportObject, ImportPerson
from radrelay.importer.names_gone import nameless
from radrelay.importer.reconciling import LocalPatient, Order
from radrelay.importer.standing import order_among, standing_of
from radrelay.importer.surroundings import Candidates, Known, Site
from radrelay.importer.written_down import (
    CheckedObject,
    checked_in,
    chosen_of,
    held_elsewhere,
    order_of,
    parted_of,
)
from radrelay.intake.envelope import Origin
from radrelay.intake.errors import SourceUnknown
from radrelay.intake.sources import PORTAL, SourceView, add_source, default_spec, free_name, get_source, list_sources
from radrelay.routing.destinations import get_destination
from radrelay.web.import_candidates import studies_apart
from radrelay.web.import_papers import papers_shown
from radrelay.web.import_shapes import (
    ActShown,
    Import,
    ImportDetail,
    OrderChosen,
    PatientChosen,
    StudyKept,
    detail,
    order_shown,
    shown,
)
from radrelay.web.import_sight import Sight, key_chosen, keys_filed, seen_by, told_of
from radrelay.web.import_wishes import OrderSeen, Under
from radrelay.web.reach import Reach
from radrelay.web.services import WebServices


class Orders(BaseModel):
    """Orders that a study from elsewhere may be filed under, the newest first."""

    orders: list[OrderChosen]


class GuideShown(BaseModel):
    """What a person does at a portal, in this order, by codes; `address` is the link, nothing where none is known."""

    host: str
    address: str
    doing: list[str]


def guide_of(services: WebServices, row: ImportCase) -> GuideShown:
    """Return what a person does to fetch an import by hand."""
    if row.sealed is None:
        return GuideShown(host="", address="", doing=["bring-file"])
    link = services.link_seal.open(row.id, row.sealed).link
    guided = guided_by(link, clear_loopback=services.settings.importer.trial)
    if guided is None:  # a health link is nothing that a browser opens
        return GuideShown(host=row.host, address="", doing=["ask-sender", "bring-file"])
    wants = json.loads(row.error_facts or "{}").get("kind")
    trouble: dict[str, PortalTrouble] = {
        "portal-maintenance": InMaintenance(),
        "portal-person-needed": PersonNeeded(kind=wants),
    }
    if row.error_code in trouble:
        guided = after(guided, trouble[row.error_code])
    return GuideShown(host=guided.host, address=guided.address.value, doing=list(guided.doing))


def source_ids(services: WebServices, session: Session, principal: Principal) -> list[uuid.UUID] | None:
    """Return the sources whose imports a principal may see and steer; none: of all."""
    if principal.role == GUEST:
        return []
    reach = access.reach_of_sources(session, principal, Right.FETCH, now=services.clock.now())
    return None if reach.every else sorted(reach.ids)


def may_begin(session: Session, principal: Principal, ids: Sequence[uuid.UUID] | None) -> bool:
    """Say whether somebody who may fetch into these sources may begin an import; none: into all."""
    found = [one for one in list_sources(session, principal.organisation_id) if one.kind == PORTAL and one.enabled]
    return ids is None or any(one.id in ids for one in found)


def source_for(services: WebServices, session: Session, principal: Principal, wanted: uuid.UUID | None) -> SourceView:
    """Return the source that an import comes by; raises `SourceUnknown` for one that the caller may not fetch into."""
    ids = source_ids(services, session, principal)
    found = [one for one in list_sources(session, principal.organisation_id) if one.kind == PORTAL and one.enabled]
    if not found and ids is None:
        name = free_name(session, principal.organisation_id, PORTALS)
        spec = default_spec(name, PORTAL, services.settings)
        found = [add_source(session, principal.organisation_id, spec, services.clock.now())]
    for one in found:
        if (ids is None or one.id in ids) and wanted in (None, one.id):
            return one
    raise SourceUnknown


def reached_case(
    services: WebServices, session: Session, principal: Principal, case_id: uuid.UUID, *, states: Sequence[str] = (),
    lock: bool = False,
) -> ImportCase:  # fmt: skip
    """Return an import that a principal may see and steer; raises `ImportUnknown`, `ImportElsewhere`."""
    row = cases.get_case(session, principal.organisation_id, case_id)
    ids = source_ids(services, session, principal)
    if ids is not None and row.source_id not in ids:
        raise ImportUnknown
    return cases.get_case(session, principal.organisation_id, case_id, states=states, lock=lock)


def raw_origin(session: Session, row: ImportCase, peer: str) -> Origin:
    """Return the origin of files that somebody brings."""
    source = get_source(session, row.organisation_id, row.source_id)
    origin = source.origin(
        peer=peer, correlation_id=row.correlation_id, parcel_id=row.parcel_id, account_id=row.account_id
    )
    return msgspec.structs.replace(origin, raw=True)


class Looked(NamedTuple):
    """An import as it was read at one moment: all that is asked and worked out of it is so outside of a session."""

    case: ImportCase
    people: list[ImportPerson]
    objects: list[CheckedObject]

    def person(self, number: int) -> ImportPerson:
        """Return somebody in it; raises `ImportUnknown`."""
        found = next((one for one in self.people if one.number == number), None)
        if found is None:
            raise ImportUnknown
        return found


def looked_at(services: WebServices, session: Session, principal: Principal, case_id: uuid.UUID) -> Looked:
    """Return an import that a principal may see, people before objects: a check that came between shows in those."""
    case = reached_case(services, session, principal, case_id)
    return Looked(case, cases.people_of(session, case_id), checked_in(session, case_id))


def known_of(services: WebServices, looked: Looked) -> Known:
    """Return what is here already of an import's objects, and of whom was chosen; no session is open meanwhile."""
    if services.importing is None:
        return Known()
    return services.importing.known(Site.of(looked.case), [one.arrived for one in looked.objects], looked.people)


def listed(
    services: WebServices, session: Session, principal: Principal, rows: Sequence[ImportCase]
) -> list[Import]:  # fmt: skip
    """Return imports as they are listed; whoever of the patients here is kept from who asks is not named."""
    ends = files_ends(session, [one.parcel_id for one in rows])
    ids = [one.id for one in rows]
    given, people = consents_of(session, ids), cases.people_in(session, ids)
    chosen = {key for some in people.values() for one in some if (key := key_chosen(one)) is not None}
    hidden = Sight.of(services, session, principal, chosen).hidden
    return [
        Import(**shown(one, people.get(one.id, []), ends.get(one.parcel_id), given.get(one.id), hidden))
        for one in rows
    ]  # fmt: skip


def detail_of(services: WebServices, principal: Principal, case_id: uuid.UUID) -> ImportDetail:
    """Return an import with how it stands now."""
    with services.database.read() as session:
        looked = looked_at(services, session, principal, case_id)
        papers = papers_shown(session, looked.case)
    row, parted = looked.case, parted_of(looked.objects)
    if row.names_end_at is None:
        people = [(one, nameless(parted.objects.get(one.number, ()))) for one in looked.people]
    else:
        known = known_of(services, looked)
        people = [(one, standing_of(row, one, parted, known)) for one in looked.people]
    with services.database.read() as session:
        here = _seen(services, session, principal, {one.arrived.study_uid for one in looked.objects})
        files_end = files_ends(session, [row.parcel_id]).get(row.parcel_id)
        consent, announced = consent_of(session, case_id), sum_of(session, case_id)
        sight = Sight.of(services, session, principal, {key for one in people for key in told_of(*one)})
        people = [(one, seen_by(sight, one, standing)) for one, standing in people]
        undecided = [standing.matched.compared for one, standing in people if one.state == "open"]
        apart = studies_apart(services, session, principal, row.source_id, undecided)
        found = detail(row, people, parted.objects, papers, here, files_end, consent, announced, apart, sight.hidden)
    keep_filed = timedelta(seconds=services.settings.importer.keep_filed_s)
    found.files_until = as_it_came_until(row, files_end, keep_filed)
    found.acts = [ActShown.of(one, principal.id) for one in acts_of(row)]
    return found


def _seen(services: WebServices, session: Session, principal: Principal, study_uids: set[str]) -> dict[str, StudyKept]:
    """Return the studies that are here and that the caller may see."""
    if not study_uids:
        return {}
    reach = Reach.of(services, session, principal, Right.SEE)
    found = reach.newest_studies([Study.study_uid.in_(sorted(study_uids)[:500])], 500)
    return {one.study_uid: StudyKept(one.id, one.expires_at) for one in found}


def require_destination(
    services: WebServices, session: Session, principal: Principal, row: ImportCase, number: int,
    destination_id: uuid.UUID | None,
) -> None:  # fmt: skip
    """Raise `DestinationNotFound` for one that is not the organisation's, `ForwardElsewhere` for what goes with it.

    Whole studies are sent on. Whoever fetches from portals may send on what those brought; of what came otherwise only
    who may forward it.
    """
    if destination_id is None:
        return
    get_destination(session, principal.organisation_id, destination_id)
    uids = sa.select(ImportObject.study_uid).where(ImportObject.case_id == row.id, ImportObject.person_number == number)
    otherwise = sa.exists().where(Holding.study_id == Study.id, Holding.source_id != row.source_id)
    here = sa.select(Study.id).where(Study.organisation_id == row.organisation_id, Study.study_uid.in_(uids), otherwise)
    reach = Reach.of(services, session, principal, Right.FORWARD)
    for study_id in session.scalars(here).all():
        try:
            reach.study(study_id, whole=True).require_clear()
        except RadrelayError as error:
            raise ForwardElsewhere from error


def orders_of(services: WebServices, principal: Principal, case_id: uuid.UUID, number: int) -> Orders:
    """Return the orders of whom somebody is here; none before that is chosen."""
    with services.database.read() as session:
        of = Site.of(reached_case(services, session, principal, case_id))
        require_seen(services, session, principal, case_id, number)
        patient = chosen_of(person_in(session, case_id, number))
    if patient is None or services.importing is None:
        return Orders(orders=[])
    found = services.importing.orders(of, patient.patient_id, patient.issuer)
    return Orders(orders=[order_shown(one) for one in found])


def patient_chosen(services: WebServices, of: Site, chosen: PatientChosen | None) -> LocalPatient | None:
    """Return the patient who is chosen, as objects can hold it, with who issued the ID as far as it is known here.

    Raises `PatientUnusable`, `ValueTooLong` and `ValueUnwritable`.
    """
    if chosen is None:
        return None
    patient = written(LocalPatient(**chosen.model_dump()))
    return services.importing.issued(of, patient) if services.importing is not None else patient


def order_chosen(
    services: WebServices, of: Site, patient: LocalPatient | None, chosen: OrderChosen | None
) -> Order | None:
    """Return the order that is chosen, as it stands here; raises `OrderUnknown` where it is not the patient's."""
    if patient is None or chosen is None:
        return None
    found = None
    if services.importing is not None:
        orders = services.importing.orders(of, patient.patient_id, patient.issuer)
        found = order_among(tidied_order(Order(**chosen.model_dump())), orders)
    if found is None:
        raise OrderUnknown
    return found


def known_elsewhere(
    services: WebServices, principal: Principal, case_id: uuid.UUID, number: int, patient: LocalPatient | None
) -> Candidates:
    """Return whom archives elsewhere know by the ID that is chosen; what all of them told of it before counts."""
    with services.database.read() as session:
        of = Site.of(reached_case(services, session, principal, case_id))
        person = person_in(session, case_id, number)
        before, told = chosen_of(person), Candidates(*held_elsewhere(person))
    if patient is None or services.importing is None:
        return Candidates()
    if before is not None and before.patient_id == patient.patient_id and not told.silent:
        return told
    return services.importing.elsewhere(of, patient.patient_id)


def require_seen(
    services: WebServices, session: Session, principal: Principal, case_id: uuid.UUID, number: int,
    patient: LocalPatient | None = None,
) -> None:  # fmt: skip
    """Raise `PatientUnseen` where who was chosen, or is to be (`patient`), is kept from who asks."""
    keys = keys_filed(session, person_in(session, case_id, number))
    keys |= {(patient.issuer, patient.patient_id)} if patient is not None else set()
    Sight.of(services, session, principal, keys).require(*keys)


def require_all_seen(services: WebServices, session: Session, principal: Principal, case_id: uuid.UUID) -> None:
    """Raise `PatientUnseen` where somebody in an import was chosen, or is filed as, who is kept from who asks."""
    keys = {key for one in cases.people_of(session, case_id) for key in keys_filed(session, one)}
    Sight.of(services, session, principal, keys).require(*keys)


def chosen_in(session: Session, case_id: uuid.UUID, number: int) -> LocalPatient | None:
    """Return who somebody is here; none before that is chosen."""
    return chosen_of(person_in(session, case_id, number))


def require_chosen(session: Session, case_id: uuid.UUID, number: int, seen: Under | None) -> None:
    """Raise `ImportChosenOtherwise` where another is chosen than who asks sees; the import is locked."""
    chosen = chosen_in(session, case_id, number)
    key = (chosen.issuer, chosen.patient_id) if chosen is not None else None
    if key != ((seen.issuer, seen.patient_id) if seen is not None else None):
        raise ImportChosenOtherwise


def require_order(session: Session, case_id: uuid.UUID, number: int, seen: OrderSeen | None) -> None:
    """Raise `ImportChosenOtherwise` where another order is chosen than who asks sees; the import is locked."""
    order = order_of(person_in(session, case_id, number))
    key = (order.accession, order.procedure_id, order.step_id) if order is not None else None
    if key != ((seen.accession, seen.procedure_id, seen.step_id) if seen is not None else None):
        raise ImportChosenOtherwise


def whom_chosen(session: Session, case_id: uuid.UUID, number: int) -> tuple[str, str, str] | None:
    """Return who somebody is here, as the audit names people; none before that is chosen."""
    patient = chosen_in(session, case_id, number)
    return (patient.issuer, patient.patient_id, patient.name) if patient is not None else None


def person_in(session: Session, case_id: uuid.UUID, number: int) -> ImportPerson:
    """Return somebody in an import; raises `ImportUnknown`."""
    person = session.scalar(
        sa.select(ImportPerson).where(ImportPerson.case_id == case_id, ImportPerson.number == number)
    )
    if person is None:
        raise ImportUnknown
    return person
