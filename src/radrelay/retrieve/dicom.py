"""Archives that speak DICOM: C-FIND, C-MOVE and C-GET as a user (PS3.4 C)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from radrelay.errors import RadrelayError
from radrelay.network.client import FindClient, QueryRefused
from radrelay.network.limits import Limits
from radrelay.network.ports import Element, Level, Node, Peer, StoreOutcome, StoreWriter, TlsFiles
from radrelay.network.retriever import GetClient, MoveClient, Retrieved
from radrelay.retrieve.asking import (
    SERIES_UID,
    SOP_UID,
    above,
    held_of,
    image_keys,
    series_keys,
    series_of,
    study_keys,
    study_of,
)
from radrelay.retrieve.errors import Broken
from radrelay.retrieve.ports import (
    Answer,
    Came,
    FoundSeries,
    Held,
    Inventory,
    Order,
    PacsNode,
    Stop,
    Tell,
    Wanted,
)
from radrelay.settings import DicomSettings, RetrieveSettings

MOST_SERIES = 5_000
MOST_OBJECTS = 100_000
AT_ONCE = 100  # UIDs named in one request (PS3.4 C.2.2.2.2): longer lists are more than some archives read
FOREIGN = 0xA900

USUAL_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.1",
    "1.2.840.10008.5.1.4.1.1.1.1", "1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.12.1", "1.2.840.10008.5.1.4.1.1.12.2",
    "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.11.1",
    "1.2.840.10008.5.1.4.1.1.88.11", "1.2.840.10008.5.1.4.1.1.88.22", "1.2.840.10008.5.1.4.1.1.88.33",
    "1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.5.1.4.1.1.88.67", "1.2.840.10008.5.1.4.1.1.104.1",
    "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.7.4",
)  # fmt: skip
"""Taken where an archive does not tell its objects' classes: CT, MR, X-ray, mammography, ultrasound, reports."""


class Landing(Protocol):
    """Where what C-GET brings goes."""

    def storage(self, organisation_id: UUID, source_id: UUID, correlation_id: str) -> StudyStorage:
        """Return where objects of a source go."""
        ...

    def destination(self, organisation_id: UUID, source_id: UUID) -> str:
        """Return the AE title that C-MOVE is to name, so that what is sent comes to a source."""
        ...


class StudyStorage(Protocol):
    """A `StoragePort` whose writers tell of what study an object is, before it is kept."""

    def open_writer(self, peer: Peer) -> StudyWriter:
        """Return a writer for the objects of an association."""
        ...


class StudyWriter(StoreWriter, Protocol):
    """A `StoreWriter` that has read the head of an object before it ends."""

    def study_uid(self) -> str:
        """Return the Study Instance UID of the object that was written; after all of it, before `finish`."""
        ...


class DicomConnector:
    """Fulfils `retrieve.ports.Connector` over DICOM."""

    def __init__(self, dicom: DicomSettings, settings: RetrieveSettings, landing: Landing, tls: TlsFiles) -> None:
        self._dicom = dicom
        self._settings = settings
        self._landing = landing
        self._tls = tls

    def search(self, node: PacsNode, wanted: Wanted, most: int) -> Answer:
        """Return studies that match, at most so many; raises `Broken`, `SearchTooWide`."""
        keys = study_keys(wanted)
        with breaking(), FindClient(self._node(node), node.model) as client:
            matches = client.find_some("STUDY", keys, most)
        studies = [study_of(match) for match in matches.found]
        told = tuple(one for one in studies if one is not None)
        return Answer(told, matches.more, matches.unreadable + len(studies) - len(told))

    def series(self, node: PacsNode, order: Order) -> Sequence[FoundSeries]:
        """Return the series of a study; raises `Broken`."""
        with breaking(), FindClient(self._node(node), node.model) as client:
            return _series(client, order)

    def inventory(self, node: PacsNode, order: Order) -> Inventory:
        """Return what the archive has of an order; raises `Broken`.

        An archive that does not list objects is asked for its counts alone.
        """
        with breaking(), FindClient(self._node(node), node.model) as client:
            series = _series(client, order)
            listed: dict[str, Held] = {}
            try:
                for one in series:
                    for held in _objects(client, order, one.series_uid):
                        listed.setdefault(held.sop_uid, held)
            except QueryRefused:
                return Inventory(tuple(series))
        if not listed and any(one.instances != 0 for one in series):
            return Inventory(tuple(series))
        return Inventory(tuple(series), tuple(listed.values()))

    def fetch(
        self, node: PacsNode, order: Order, inventory: Inventory, missing: Sequence[Held] | None, tell: Tell, stop: Stop
    ) -> Came:
        """Bring an order here, or of it only the `missing` objects; raises `Broken`."""
        requests = list(_requests(order, missing))
        if node.method == "get":
            return self._get(node, order, inventory, requests, tell, stop)
        destination = self._landing.destination(node.organisation_id, node.source_id)
        with breaking(), MoveClient(self._node(node, patient=True), node.model) as mover:
            return _one_after_another(
                requests, lambda level, keys, told: mover.move(level, keys, destination, told, stop), tell
            )

    def _get(
        self,
        node: PacsNode,
        order: Order,
        inventory: Inventory,
        requests: Sequence[tuple[Level, list[Element]]],
        tell: Tell,
        stop: Stop,
    ) -> Came:
        storage = self._landing.storage(node.organisation_id, node.source_id, order.correlation_id)
        gate = OfOneStudy(storage, order.study_uid)
        classes = [one.sop_class_uid for one in inventory.listed or () if one.sop_class_uid] or list(USUAL_CLASSES)
        limits = Limits.of(self._dicom)

        def told(so_far: Came) -> None:
            tell(replace(so_far, foreign=gate.foreign))

        with breaking(), GetClient(self._node(node, patient=True), classes, gate, limits, node.model) as getter:
            came = _one_after_another(requests, lambda level, keys, show: getter.get(level, keys, show, stop), told)
            return replace(came, completed=getter.taken, foreign=gate.foreign)

    def _node(self, node: PacsNode, *, patient: bool = False) -> Node:
        settings = self._settings
        return Node(
            node.host,
            node.port,
            node.ae_title,
            node.calling_ae_title or self._dicom.ae_title,
            tls=self._tls if node.tls else None,
            connect_timeout_s=settings.connect_timeout_s,
            response_timeout_s=settings.retrieve_timeout_s if patient else settings.search_timeout_s,
        )


class OfOneStudy:
    """A storage that takes the objects of one study alone: an archive may send what nobody asked for."""

    def __init__(self, storage: StudyStorage, study_uid: str) -> None:
        self._storage = storage
        self._study_uid = study_uid
        self.foreign = 0

    def open_writer(self, peer: Peer) -> StoreWriter:
        """Return a writer that refuses objects of other studies."""
        return _Gate(self, self._storage.open_writer(peer))

    def refuses(self, study_uid: str) -> bool:
        """Tell, and count, whether an object is of another study."""
        if study_uid == self._study_uid:
            return False
        self.foreign += 1
        return True


class _Gate:
    def __init__(self, gate: OfOneStudy, writer: StudyWriter) -> None:
        self._gate = gate
        self._writer = writer
        self.begin = writer.begin
        self.write = writer.write
        self.abort = writer.abort

    def finish(self) -> StoreOutcome:
        if self._gate.refuses(self._writer.study_uid()):
            self._writer.abort()
            return StoreOutcome(FOREIGN, "not of the study that was asked for")
        return self._writer.finish()


@contextmanager
def breaking() -> Iterator[None]:
    """Turn whatever goes wrong on the wire into `Broken`."""
    try:
        yield
    except Broken:
        raise
    except RadrelayError as error:
        raise Broken(error) from error


def _series(client: FindClient, order: Order) -> list[FoundSeries]:
    matches = client.find_some("SERIES", series_keys(order), MOST_SERIES)
    found = (series_of(match) for match in matches.found)
    wanted = {one.series_uid: one for one in found if one is not None}
    return [one for uid, one in wanted.items() if order.series_uid in ("", uid)]


def _objects(client: FindClient, order: Order, series_uid: str) -> list[Held]:
    matches = client.find_some("IMAGE", image_keys(order, series_uid), MOST_OBJECTS)
    return [one for one in (held_of(match, series_uid) for match in matches.found) if one is not None]


def _requests(order: Order, missing: Sequence[Held] | None) -> Iterator[tuple[Level, list[Element]]]:
    """Yield what is to be asked for: the whole order at once, or its missing objects by name, series by series."""
    if missing is None:
        if order.series_uid:
            yield "SERIES", [*above(order), (SERIES_UID, "UI", order.series_uid)]
        else:
            yield "STUDY", above(order)
        return
    by_series: dict[str, list[str]] = {}
    for one in missing:
        by_series.setdefault(one.series_uid, []).append(one.sop_uid)
    for series_uid, uids in by_series.items():
        for start in range(0, len(uids), AT_ONCE):
            names = "\\".join(uids[start : start + AT_ONCE])
            yield "IMAGE", [*above(order), (SERIES_UID, "UI", series_uid), (SOP_UID, "UI", names)]


def _one_after_another(
    requests: Sequence[tuple[Level, list[Element]]],
    ask: Callable[[Level, list[Element], Callable[[Retrieved], None]], Retrieved],
    tell: Tell,
) -> Came:
    """Carry requests out and add up what came of them; ends at the first that was cancelled."""
    sum_of = Came()
    for level, keys in requests:
        before = sum_of

        def told(so_far: Retrieved, before: Came = before) -> None:
            tell(_added(before, so_far))

        sum_of = _added(before, ask(level, keys, told))
        if sum_of.cancelled:
            break
    return sum_of


def _added(before: Came, one: Retrieved) -> Came:
    worst = one.status if one.status or before.status is None else before.status
    return Came(
        completed=before.completed + one.completed + one.warnings,
        failed=before.failed + one.failed,
        status=worst,
        comment=one.comment or before.comment,
        cancelled=one.cancelled,
    )
