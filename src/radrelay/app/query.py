"""C-FIND, C-MOVE, C-GET and storage commitment over the archive: fulfils the listener's `QueryPort`."""

from __future__ import annotations

import base64
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from radrelay import access, audit
from radrelay.access import Principal, Right
from radrelay.app.core import Core
from radrelay.app.stored import StoredItem, node_of
from radrelay.archive import levels, matching
from radrelay.archive.corrected import CorrectedReader
from radrelay.archive.instances import alive, find_instances
from radrelay.archive.models import Instance, Study
from radrelay.errors import Forbidden, OutOfResources
from radrelay.hl7.models import PerformedStep
from radrelay.hl7.worklist import Seeker, change_step, create_step, find_items
from radrelay.intake.models import Quarantined
from radrelay.network.ports import Element, ElementValue, Key, Node, Peer, Query, Reference, StepSaid
from radrelay.network.query_provider import LEVELS, UNIQUE_KEYS, IdentifierMismatch
from radrelay.privacy.volume.counting import Subject, note_sent
from radrelay.routing import performed
from radrelay.routing.destinations import find_by_ae_title, takes_copies_alone
from radrelay.storage.models import LandingRecord
from radrelay.storage.neighbours import NodeAway

LIMIT = 100_000  # matches of one query; what has more is told so, not cut in silence
INDEX_PATIENCE_S = 20.0


Event = tuple[str, tuple[str, str | UUID], Mapping[str, object], tuple[str, str, str] | None]
"""What the audit notes: action, subject, detail, patient (issuer, ID, name)."""


class TooManyMatches(OutOfResources):
    """More than 100000 match; ask for less."""

    code = "too-many-matches"


class ArchiveQuery:
    """Answers devices by what their AE title was granted."""

    def __init__(self, core: Core, organisation_id: UUID) -> None:
        self._core = core
        self._organisation_id = organisation_id
        self._reader = CorrectedReader(core.database, core.clock, core.segments, core.packs)

    def find(self, peer: Peer, query: Query) -> Iterator[Sequence[Element]]:
        """Yield matches with the keys that were asked for, one page of rows at a time.

        Raises
        ------
        IdentifierMismatch
            A unique key above the level is missing, and relational queries were not negotiated (PS3.4 C.4.1.2.2.1).
        TooManyMatches
            After the first 100,000, which were sent.
        """
        _require_keys_above(query)
        queries = matching.level_queries({key.tag: key.text for key in query.keys}, query.level)
        with self._core.database.read() as session:
            reach = self._scope(session, peer, Right.SEE)
        self._note(peer, [("study.search", ("", ""), {"level": query.level}, None)])
        clear = reach.identity == "clear"
        left = LIMIT
        now = self._core.clock.now()
        keys = [(key.tag, key.vr, f"{key.tag:08X}", key) for key in query.keys]
        for page in levels.pages(self._core.database, reach, query.level, queries, now, clear=clear):
            for row in page[:left]:
                yield [
                    (tag, vr, _text(row.get(name) or {}) if vr != "SQ" else answer_value(row, key))
                    for tag, vr, name, key in keys
                ]
            left -= len(page)
            if left < 0:
                raise TooManyMatches

    def items(self, peer: Peer, keys: Sequence[Key]) -> Iterator[Sequence[Element]]:
        """Yield the worklist items that match, to a modality that was granted the worklist; on record."""
        with self._core.database.read() as session:
            self._require_worklist(session, peer)
        self._note(peer, [("worklist.search", ("", ""), {}, None)])
        own_only = self._core.settings.hl7.worklist_own_only
        yield from find_items(self._core.database, Seeker(self._organisation_id, peer.calling_ae, own_only), keys)

    def create(self, peer: Peer, sop_uid: str, said: StepSaid) -> None:
        """Keep a step that a modality begins to perform, and pass it on to who wants it; on record."""
        now = self._core.clock.now()
        with self._core.database.write() as session:
            self._require_worklist(session, peer)
            row = create_step(session, self._organisation_id, peer.calling_ae, sop_uid, said.keys, now)
            performed.pass_on_begun(session, _told_step(row, said), now)
            self._note_step(session, peer, row)

    def change(self, peer: Peer, sop_uid: str, said: StepSaid) -> None:
        """Keep what a modality says further of a step, and pass it on to who was told of it; on record."""
        now = self._core.clock.now()
        with self._core.database.write() as session:
            self._require_worklist(session, peer)
            row = change_step(session, self._organisation_id, sop_uid, said.keys, now)
            performed.pass_on_changed(session, _told_step(row, said), now)
            self._note_step(session, peer, row)

    def _require_worklist(self, session: Session, peer: Peer) -> None:
        reach = self._scope(session, peer, Right.WORKLIST)
        if reach.identity != "clear" or not reach.everything:  # it names all who are awaited, not one study's patient
            raise Forbidden(f"{peer.calling_ae} may not ask for the worklist")

    def _note_step(self, session: Session, peer: Peer, row: PerformedStep) -> None:
        record = audit.AuditRecord(
            action="worklist.perform",
            principal=self._principal(peer),
            detail={"state": row.state},
            patient=(row.patient_issuer, row.patient_id, "") if row.patient_id else None,
            correlation_id=peer.association_id,
        )
        audit.record(session, record)

    def retrieve(self, peer: Peer, query: Query, destination: str = "") -> Sequence[StoredItem]:
        """Return the instances that the keys name, within what the device may fetch; on record with their destination.

        Keys above the level may be missing: a UID names one thing alone.
        """
        queries = matching.level_queries({key.tag: key.text for key in query.keys})
        with self._core.database.read() as session:
            reach = self._scope(session, peer, Right.DOWNLOAD)
            if reach.identity != "clear":
                raise Forbidden
            ids = levels.instance_ids(session, reach, queries, self._core.clock.now())
            refs = find_instances(
                session,
                self._core.clock.now(),
                organisation_id=self._organisation_id,
                within=Instance.id.in_(ids),
            )
            patients = _patients(session, {ref.study_id for ref in refs})
        told = {"by": "retrieve"} | ({"destination": destination} if destination else {})
        self._note(
            peer,
            [("study.download", ("study", study_id), told, patient) for study_id, patient in patients.items()],
            sum(ref.size for ref in refs),
        )
        return [StoredItem(ref, self._reader) for ref in refs]

    def require_retrieval(self, peer: Peer) -> None:
        """Raise `Forbidden` for a device that may fetch nothing any more: suspended, or its last grant ended."""
        with self._core.database.read() as session:
            self._scope(session, peer, Right.DOWNLOAD)

    def move_destination(self, peer: Peer, ae_title: str) -> Node | None:
        """Return the node of a destination, or of a host that the settings name; none of one that gets copies alone."""
        with self._core.database.read() as session:
            if takes_copies_alone(session, self._organisation_id, ae_title):
                return None
        return self.node_called(peer, ae_title)

    def node_called(self, peer: Peer, ae_title: str) -> Node | None:
        """Return the node that is told of commitments: of a destination, or of a host that the settings name."""
        del peer
        settings = self._core.settings.dicom
        with self._core.database.read() as session:
            row = find_by_ae_title(session, self._organisation_id, ae_title)
            if row is not None:
                return node_of(row, settings)
        named = settings.transfer_hosts.get(ae_title)
        if named is None:
            return None
        host, _, port = named.rpartition(":")
        return Node(host, int(port), ae_title, settings.ae_title)

    def require_query(self, peer: Peer) -> None:
        """Raise `Forbidden` for a device that may not ask."""
        with self._core.database.read() as session:
            self._scope(session, peer, Right.SEE)

    def committed(self, peer: Peer, references: Sequence[Reference]) -> Collection[str]:
        """Return the SOP Instance UIDs that are kept with their class, waiting a while for the index.

        What lies on a machine alone that is away is not among them: its sender may be the only one to have it.
        """
        wanted = {reference.sop_uid: reference.sop_class_uid for reference in references}
        until = time.monotonic() + INDEX_PATIENCE_S
        while True:
            kept = self._kept(peer, wanted)
            if len(kept) == len(wanted) or time.monotonic() > until:
                return kept
            time.sleep(0.25)

    def _kept(self, peer: Peer, wanted: Mapping[str, str]) -> set[str]:
        kept: set[str] = set()
        uids = list(wanted)
        with self._core.database.read() as session:
            self._granted(session, peer, Right.SEE)  # who asks was proven when it asked: the report comes later
            for start in range(0, len(uids), 500):
                rows = session.execute(
                    sa.select(Instance.sop_uid, Instance.sop_class_uid, LandingRecord.owner)
                    .join_from(Instance, LandingRecord, LandingRecord.id == Instance.record_id, isouter=True)
                    .where(
                        Instance.organisation_id == self._organisation_id,
                        Instance.sop_uid.in_(uids[start : start + 500]),
                        Instance.current.is_(True),
                        alive(self._core.clock.now()),
                    )
                )
                kept |= {
                    row.sop_uid
                    for row in rows
                    if row.sop_class_uid == wanted[row.sop_uid] and (row.owner is None or self._within_reach(row.owner))
                }
                aside = sa.select(Quarantined.sop_uid).where(
                    Quarantined.organisation_id == self._organisation_id,
                    Quarantined.sop_uid.in_(uids[start : start + 500]),
                    Quarantined.released_at.is_(None),
                )
                kept -= set(session.scalars(aside))  # the sender's own may be what is kept aside, and goes from there
        return kept

    def _within_reach(self, owner: str) -> bool:
        try:
            self._core.segments.require([owner])
        except NodeAway:
            return False
        return True

    def _principal(self, peer: Peer) -> Principal:
        return Principal(
            "ae",
            peer.calling_ae,
            peer.calling_ae,
            self._organisation_id,
            peer=peer.host,
            session_key=peer.association_id,
        )

    def _scope(self, session: Session, peer: Peer, right: Right) -> access.Scope:
        self._require_proven(session, peer)
        return self._granted(session, peer, right)

    def _granted(self, session: Session, peer: Peer, right: Right) -> access.Scope:
        reach = access.scope(session, self._principal(peer), right, now=self._core.clock.now())
        if reach.nothing:
            raise Forbidden(f"{peer.calling_ae} may not query")
        return reach

    def _require_proven(self, session: Session, peer: Peer) -> None:
        """Raise `Forbidden` for who only says a title: on record, once in an association."""
        caller = access.Caller(peer.calling_ae, peer.host, peer.tls_subject, peer.tls_fingerprint)
        verdict = access.judge(session, self._organisation_id, caller)
        if verdict == "bound":
            return
        alone = self._core.settings.dicom.unbound_callers or access.is_loopback(peer.host)
        if verdict == "unbound" and alone:
            return
        event = audit.AuditRecord(
            action=f"device.{verdict}",
            principal=self._principal(peer),
            subject_kind="ae",
            subject_id=peer.calling_ae,
            detail={"address": peer.host, "certificate": peer.tls_subject or "", "sha256": peer.tls_fingerprint or ""},
            outcome="failure",
            correlation_id=peer.association_id,
        )
        audit.record_once(self._core.database, peer.association_id, event)
        if verdict == "suspended":
            raise Forbidden(f"{peer.calling_ae} is suspended; ask the administrators of Radrelay")
        raise Forbidden(f"{peer.calling_ae} may not query from here")

    def _note(self, peer: Peer, events: Sequence[Event], size: int = 0) -> None:
        """Write what is about to be answered, and of how many bytes; durable before anything leaves."""
        if not events:
            return
        with self._core.database.write() as session:
            if size:
                subject = Subject(self._organisation_id, "ae", peer.calling_ae)
                note_sent(session, [(subject, size)], self._core.clock.now())
            audit.record_many(
                session,
                [
                    audit.AuditRecord(
                        action=action,
                        principal=self._principal(peer),
                        subject_kind=kind,
                        subject_id=subject_id,
                        detail=detail,
                        patient=patient,
                        correlation_id=peer.association_id,
                    )
                    for action, (kind, subject_id), detail, patient in events
                ],
            )


def _require_keys_above(query: Query) -> None:
    if query.relational:
        return
    order = LEVELS[query.model]
    for level in order[: order.index(query.level)]:
        values = query.values(UNIQUE_KEYS[level])
        if not values or not all(values) or any(mark in value for value in values for mark in "*?"):
            raise IdentifierMismatch(f"the unique key of level {level} is missing, and the query is not relational")


def _told_step(row: PerformedStep, said: StepSaid) -> performed.ToldStep:
    return performed.ToldStep(
        row.organisation_id, row.sop_uid, row.state, row.calling_ae, (row.patient_issuer, row.patient_id),
        row.study_uid, row.accession_number, said.data_set, said.transfer_syntax,
    )  # fmt: skip


def _patients(session: Session, study_ids: Collection[UUID]) -> dict[UUID, tuple[str, str, str]]:
    found: dict[UUID, tuple[str, str, str]] = {}
    ordered = list(study_ids)
    for start in range(0, len(ordered), 500):
        rows = session.execute(
            sa.select(Study.id, Study.patient_issuer, Study.patient_id_value, Study.patient_name).where(
                Study.id.in_(ordered[start : start + 500])
            )
        )
        found |= {row[0]: (row[1], row[2], row[3]) for row in rows}
    return found


def answer_value(row: Mapping[str, Any], key: Key) -> ElementValue:
    """Return what a match has of a key that was asked for; empty what is not known (PS3.4 C.2.2.1.3).

    Of a sequence's items the attributes that the key's own item names, all of them if it names none.
    """
    attribute = row.get(f"{key.tag:08X}") or {}
    if key.vr != "SQ":
        return _text(attribute)
    wanted = key.items[0] if key.items else ()
    items = [item for item in attribute.get("Value", []) if isinstance(item, dict)]
    if wanted:
        return [[(inner.tag, inner.vr, answer_value(item, inner)) for inner in wanted] for item in items]
    return [[_whole(int(tag, 16), found) for tag, found in sorted(item.items())] for item in items]


def _whole(tag: int, attribute: Mapping[str, Any]) -> Element:
    vr = str(attribute.get("vr", "UN"))
    if vr == "SQ":
        items = [item for item in attribute.get("Value", []) if isinstance(item, dict)]
        return tag, vr, [[_whole(int(inner, 16), found) for inner, found in sorted(item.items())] for item in items]
    if "InlineBinary" in attribute:
        return tag, vr, base64.b64decode(attribute["InlineBinary"])
    return tag, vr, _text(attribute)


def _text(attribute: Mapping[str, Any]) -> str:
    values = attribute.get("Value", ())
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return "\\".join(_person_name(v) if isinstance(v, dict) else "" if v is None else str(v) for v in values)


def _person_name(value: Mapping[str, str]) -> str:
    groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")
