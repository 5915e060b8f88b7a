"""C-FIND, C-MOVE, C-GET and storage commitment over the archive: fulfils the listener's `QueryPort`."""

from __future__ import annotations

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
from radrelay.archive.instances import alive, find_instances
from radrelay.archive.models import Instance
from radrelay.archive.reader import InstanceReader
from radrelay.errors import Forbidden
from radrelay.network.ports import Element, Node, Peer, Query, Reference
from radrelay.routing.destinations import find_by_ae_title

LIMIT = 100_000  # matches of one query
INDEX_PATIENCE_S = 20.0


class ArchiveQuery:
    """Answers devices by what their AE title was granted."""

    def __init__(self, core: Core, organisation_id: UUID) -> None:
        self._core = core
        self._organisation_id = organisation_id
        self._reader = InstanceReader(core.database, core.clock, core.segments, core.packs)

    def find(self, peer: Peer, query: Query) -> Iterator[Sequence[Element]]:
        """Yield matches with the keys that were asked for, one page of rows at a time."""
        keys = {key.tag: key.text for key in query.keys}
        wanted = [(key.tag, key.vr) for key in query.keys]
        queries = matching.level_queries(keys)
        with self._core.database.read() as session:
            reach = self._scope(session, peer, Right.SEE)
            rows = levels.find(
                session,
                reach,
                query.level,
                queries,
                self._core.clock.now(),
                limit=LIMIT,
                clear=reach.identity == "clear",
            )
            found = [_elements(row, wanted) for row in rows]
        self._note(peer, "study.search", detail={"level": query.level, "matches": len(found)})
        yield from found

    def retrieve(self, peer: Peer, query: Query) -> Sequence[StoredItem]:
        """Return the instances that the unique keys name, within what the device may fetch."""
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
                instance_ids=None,
                within=Instance.id.in_(ids),
            )
        for study_id in {ref.study_id for ref in refs}:
            self._note(peer, "study.download", ("study", study_id), detail={"by": "retrieve"})
        return [StoredItem(ref, self._reader) for ref in refs]

    def move_destination(self, peer: Peer, ae_title: str) -> Node | None:
        """Return the node of a destination, or of a host that the settings name."""
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

    def committed(self, peer: Peer, references: Sequence[Reference]) -> Collection[str]:
        """Return the SOP Instance UIDs that are kept with their class, waiting a while for the index."""
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
            self._scope(session, peer, Right.SEE)
            for start in range(0, len(uids), 500):
                rows = session.execute(
                    sa.select(Instance.sop_uid, Instance.sop_class_uid).where(
                        Instance.organisation_id == self._organisation_id,
                        Instance.sop_uid.in_(uids[start : start + 500]),
                        Instance.current.is_(True),
                        alive(self._core.clock.now()),
                    )
                )
                kept |= {row.sop_uid for row in rows if row.sop_class_uid == wanted[row.sop_uid]}
        return kept

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
        reach = access.scope(session, self._principal(peer), right, now=self._core.clock.now())
        if reach.nothing:
            raise Forbidden(f"{peer.calling_ae} may not query")
        return reach

    def _note(
        self,
        peer: Peer,
        action: str,
        subject: tuple[str, str | UUID] = ("", ""),
        detail: Mapping[str, object] | None = None,
    ) -> None:
        with self._core.database.write() as session:
            audit.record(
                session,
                audit.AuditRecord(
                    action=action,
                    principal=self._principal(peer),
                    subject_kind=subject[0],
                    subject_id=subject[1],
                    detail=detail or {},
                    correlation_id=peer.association_id,
                ),
            )


def _elements(row: matching.Json, wanted: Sequence[tuple[int, str]]) -> list[Element]:
    """Return what was asked for of a match; attributes that are not known are empty (PS3.4 C.2.2.1.3)."""
    return [(tag, vr, _text(row.get(f"{tag:08X}"))) for tag, vr in wanted if vr != "SQ"]


def _text(attribute: Mapping[str, Any] | None) -> str:
    values = (attribute or {}).get("Value", [])
    return "\\".join(_person_name(value) if isinstance(value, dict) else str(value) for value in values)


def _person_name(value: Mapping[str, str]) -> str:
    groups = [value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")]
    return "=".join(groups).rstrip("=")
