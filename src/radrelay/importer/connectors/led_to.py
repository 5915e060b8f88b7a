"""What a document leads to: studies at WADO-RS services, files elsewhere, files within; and how each is brought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from radrelay.importer import watching
from radrelay.importer.connectors.kept_whole import Judged
from radrelay.importer.connectors.ports import Item
from radrelay.importer.connectors.wado import Pause, StudyAt, StudyFetch, refusal
from radrelay.importer.contents import Content
from radrelay.importer.downloading import Download, Downloaded, Sink, Tell
from radrelay.importer.errors import NotThere, PortalBusy, PortalRefused
from radrelay.importer.outgoing import Session

FILES: frozenset[Content] = frozenset({"zip", "dicom", "pdf", "jpeg", "png", "tiff"})
BUSY_PATIENCE = 20


@dataclass(frozen=True, slots=True)
class StudyThere:
    """A study at one WADO-RS service, or its series at several."""

    item: Item
    places: tuple[StudyAt, ...] = field(repr=False)

    def bring(self, session: Session, sink: Sink, tell: Tell, pause: Pause = watching.pause) -> Downloaded:
        """Bring it as a ZIP of its objects."""
        return StudyFetch(session, self.places, sink, tell, promised=self.item.files, pause=pause).bring()


@dataclass(frozen=True, slots=True)
class FileThere:
    """A file at an address."""

    item: Item
    url: str = field(repr=False)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    def bring(self, session: Session, sink: Sink, tell: Tell, pause: Pause = watching.pause) -> Downloaded:
        """Bring it as it is."""
        carried = Download(session, self.url, sink, accept=FILES, tell=tell, pause=pause)
        return carried_on(carried, session.outgoing.target(self.url).name, self.credentials, pause)


@dataclass(frozen=True, slots=True)
class FileWithin:
    """A file that a document carries in itself."""

    item: Item
    content: bytes = field(repr=False)
    host: str = ""

    def bring(self, session: Session, sink: Sink, tell: Tell, pause: Pause = watching.pause) -> Downloaded:
        """Hand it on."""
        del session, pause
        judged = Judged(sink, self.host, FILES, tell)
        judged.write(self.content)
        return judged.finish("", 0)


LedTo = StudyThere | FileThere | FileWithin


@dataclass(frozen=True, slots=True)
class Nowhere:
    """What a document names without a way to fetch it: it is told as missing."""

    item: Item


@dataclass(frozen=True, slots=True)
class SealedThere:
    """A file of a health link that is taken as it is, by its number there."""

    item: Item
    number: int


Named = LedTo | SealedThere | Nowhere


def nowhere(description: str = "", study: Item | None = None, files: int | None = None) -> Nowhere:
    """Return what cannot be fetched, of a study if it is of one."""
    item = study or Item("", description=description)
    return Nowhere(replace(item, id="nowhere", files=files, reachable=False))


def reached(named: Named) -> LedTo:
    """Return what is fetched as it stands; raises `NotThere` for what is not."""
    if isinstance(named, Nowhere | SealedThere):
        raise NotThere
    return named


def by_id(named: Iterable[Named]) -> dict[str, Named]:
    """Return what is named by the ids of its items, each once.

    A study that is named twice is fetched from all places; two files that have one id both stay.
    """
    found: dict[str, Named] = {}
    studies: dict[str, list[StudyThere]] = {}
    for one in named:
        before = found.get(one.item.id)
        if isinstance(one, StudyThere) and isinstance(before, StudyThere):
            studies.setdefault(one.item.id, [before]).append(one)
        elif isinstance(one, Nowhere) or before != one:
            item = one.item if before is None else replace(one.item, id=f"{one.item.id} {len(found) + 1}")
            found[item.id] = replace(one, item=item)
    return {**found, **{key: _joined(several) for key, several in studies.items()}}


def _joined(several: Sequence[StudyThere]) -> StudyThere:
    """Return one study that is named several times, with all its places."""
    counts = [one.item.files for one in several if one.item.files is not None]
    places = {
        (place.base, place.study_uid, place.series_uids, tuple(sorted(place.credentials.items()))): place
        for one in several
        for place in one.places
    }
    return StudyThere(replace(several[0].item, files=max(counts, default=None)), tuple(places.values()))


def carried_on(carried: Download, host: str, credentials: Mapping[str, str], pause: Pause) -> Downloaded:
    """Bring a download to its end; waits where the portal is busy, and says in our words what it refuses."""
    for _ in range(BUSY_PATIENCE):
        try:
            return carried.carry_on(credentials)
        except PortalBusy as busy:
            seconds = float(str(busy.facts.get("seconds", 1)))
            if seconds > 300:
                raise
            pause(max(1.0, seconds))
        except PortalRefused as refused:
            status = refused.facts.get("status")
            raise refusal(status if isinstance(status, int) else 500, host, {}) from refused
    raise PortalBusy(host=host, seconds=300)
