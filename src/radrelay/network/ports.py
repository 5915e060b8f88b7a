"""What the DICOM listener needs from the rest of Radrelay, as Protocols, and the values that pass through them.

`network` knows neither archive nor intake: the composition root hands in objects that fulfil these.
All calls to one association's ports come from that association's own thread.
An implementation reports trouble by raising a `radrelay.errors.RadrelayError`;
its `dimse_status` becomes the status of the response and its message the error comment.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias
from uuid import UUID

Model = Literal["patient", "study"]
Level = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]

ElementValue: TypeAlias = "str | bytes | Sequence[Sequence[Element]]"
Element: TypeAlias = tuple[int, str, ElementValue]
"""(tag, VR, value) of one attribute of a C-FIND match.

A value is text for every VR that can be written as text (several values parted by a backslash, numbers of
binary VRs in decimal: ``(0x00280010, "US", "512")``), bytes for other binary VRs, and a sequence of items,
each a sequence of elements, for SQ.
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of an association. `association_id` is the correlation id, 32 hex digits."""

    host: str
    port: int
    calling_ae: str
    called_ae: str
    tls_subject: str | None
    association_id: str
    implementation: str = ""
    tls_fingerprint: str | None = None  # SHA-256 of the client's verified certificate, hex


@dataclass(frozen=True, slots=True)
class Rejection:
    """An association's refusal: result, source and reason of PS3.8 9.3.4, and words for the log."""

    result: int
    source: int
    reason: int
    words: str


CALLED_AE_UNKNOWN = Rejection(1, 1, 7, "called AE title not recognised")
CALLING_AE_UNKNOWN = Rejection(1, 1, 3, "calling AE title not recognised")
TEMPORARY_CONGESTION = Rejection(2, 3, 1, "temporary congestion")
LOCAL_LIMIT_EXCEEDED = Rejection(2, 3, 2, "local limit exceeded")


@dataclass(frozen=True, slots=True)
class StoreOutcome:
    """Status of a C-STORE response (PS3.4 B.2.3) and, when it is not 0000, an error comment (LO, ASCII)."""

    status: int
    comment: str = ""


STORED = StoreOutcome(0x0000)


class StoreWriter(Protocol):
    """Takes one object after another of one association: begin, write…, then finish or abort."""

    def begin(self, sop_class_uid: str, sop_uid: str, transfer_syntax: str) -> None:
        """Start an object, with the UIDs of the command and the transfer syntax of its presentation context."""
        ...

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes of the data set. The view is valid during the call only."""
        ...

    def finish(self) -> StoreOutcome:
        """End the object; return once it is durable (or refused)."""
        ...

    def abort(self) -> None:
        """Forget the object begun; also called after `begin`, `write` or `finish` raised."""
        ...


class StoragePort(Protocol):
    """Where received objects go."""

    def open_writer(self, peer: Peer) -> StoreWriter:
        """Return the association's writer; called once, at its first C-STORE."""
        ...


class AdmissionPort(Protocol):
    """Decides who may open an association."""

    def admit(self, peer: Peer) -> Rejection | None:
        """Return None to admit, or why not (`CALLED_AE_UNKNOWN`, `CALLING_AE_UNKNOWN`, …)."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute of an identifier.

    `text` is decoded by the identifier's character set, stripped of padding, several values parted by a
    backslash; empty means universal matching. Numbers of binary VRs are given in decimal.
    `items` holds the items of a sequence (an empty tuple for one without items, or another VR).
    """

    tag: int
    vr: str
    text: str
    items: tuple[tuple[Key, ...], ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """Return the values one by one; empty when there are none."""
        return tuple(self.text.split("\\")) if self.text else ()


@dataclass(frozen=True, slots=True)
class Query:
    """An identifier of C-FIND, C-MOVE or C-GET (PS3.4 C.4), without the level itself and the character set.

    `relational` says that relational queries were negotiated, so that higher unique keys may be missing.
    """

    model: Model
    level: Level
    keys: tuple[Key, ...]
    relational: bool = False

    def key(self, tag: int) -> Key | None:
        """Return the key of this tag, if it is there."""
        return next((key for key in self.keys if key.tag == tag), None)

    def values(self, tag: int) -> tuple[str, ...]:
        """Return the values of this tag's key; empty when it is missing or universal."""
        key = self.key(tag)
        return key.values if key else ()


class RetrieveItem(Protocol):
    """One instance that C-MOVE or C-GET sends."""

    @property
    def sop_class_uid(self) -> str:
        """Return its SOP Class UID."""
        ...

    @property
    def sop_uid(self) -> str:
        """Return its SOP Instance UID."""
        ...

    @property
    def transfer_syntax(self) -> str:
        """Return the transfer syntax that it is kept in."""
        ...

    def open(self, accepted: Sequence[str]) -> tuple[str, Iterable[bytes]]:
        """Return the data set in one of the `accepted` transfer syntaxes: which one, and its bytes in pieces.

        Raises a `RadrelayError` when it cannot be had in any of them; the sub-operation then counts as failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files for speaking TLS to a node: authorities to trust, and our certificate if it asks for one."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    check_host: bool = True


@dataclass(frozen=True, slots=True)
class Node:
    """A DICOM application entity that Radrelay calls."""

    host: str
    port: int
    ae_title: str
    calling_ae: str = "RADRELAY"
    tls: TlsFiles | None = None
    connect_timeout_s: float = 10.0
    response_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Reference:
    """A referenced instance of a storage commitment request."""

    sop_class_uid: str
    sop_uid: str


class QueryPort(Protocol):
    """Answers queries and retrievals; decides itself what this peer may see (`errors.Forbidden` → 0124)."""

    def find(self, peer: Peer, query: Query) -> Iterator[Sequence[Element]]:
        """Yield matches, each a list of elements in any order.

        (0008,0005), (0008,0052) and (0008,0054) are added by the provider where they are missing. The iterator
        is closed early when the peer cancels; a generator's `finally` is the place to give a connection back.
        """
        ...

    def retrieve(self, peer: Peer, query: Query, destination: str = "") -> Sequence[RetrieveItem]:
        """Return the instances that the unique keys name."""
        ...

    def require_retrieval(self, peer: Peer) -> None:
        """Raise for a peer that may fetch nothing any more; asked while a retrieval is under way."""
        ...

    def move_destination(self, peer: Peer, ae_title: str) -> Node | None:
        """Return the node that this AE title stands for, or None when it is unknown or not allowed."""
        ...

    def committed(self, peer: Peer, references: Sequence[Reference]) -> Collection[str]:
        """Return those SOP Instance UIDs that are kept with the referenced SOP class.

        What was acknowledged but is not yet indexed counts as kept: the implementation waits for the index.
        """
        ...


class WorklistPort(Protocol):
    """Answers modalities that ask for their work; decides itself what this peer may see (`errors.Forbidden` → 0124)."""

    def items(self, peer: Peer, keys: Sequence[Key]) -> Iterator[Sequence[Element]]:
        """Yield the items that match, each with what the keys ask for (PS3.4 K.4)."""
        ...


@dataclass(frozen=True, slots=True)
class StepSaid:
    """What is said of a performed procedure step: its attributes, and the data set as it came."""

    keys: Sequence[Key]
    data_set: bytes
    transfer_syntax: str


class PerformedStepPort(Protocol):
    """Keeps what modalities say of the steps that they perform; what it raises refuses the request."""

    def create(self, peer: Peer, sop_uid: str, said: StepSaid) -> None:
        """Keep a step that begins, durable on return (PS3.4 F.7.2.1)."""
        ...

    def change(self, peer: Peer, sop_uid: str, said: StepSaid) -> None:
        """Keep what is said further of a step, durable on return (PS3.4 F.7.2.2)."""
        ...


class CommitmentPort(Protocol):
    """Keeps storage commitment requests until their report was answered, whatever happens to this process."""

    def remember(self, peer: Peer, transaction_uid: str, references: Sequence[Reference]) -> UUID:
        """Make a request durable and return its key; what it raises refuses the request."""
        ...

    def reported(self, key: UUID) -> None:
        """Take note that the peer answered the report on its own association."""
        ...

    def unreported(self, key: UUID) -> None:
        """Take note that it did not: the report is to follow on an association of its own, at once."""
        ...


@dataclass(frozen=True, slots=True)
class CommitmentReport:
    """What a node reports of a commitment that we asked for: instances that it keeps, and why it keeps others not."""

    transaction_uid: str
    committed: frozenset[str]
    failed: Mapping[str, int]


class ReportPort(Protocol):
    """Takes reports of storage commitment that we asked for."""

    def report(self, peer: Peer, report: CommitmentReport) -> bool:
        """Make a report durable; returns false where nobody has asked for it."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """What a listener serves: without `query` storage and verification only, without the others none of theirs.

    `reports` takes what nodes report of commitments that we asked for.
    """

    storage: StoragePort
    admission: AdmissionPort
    query: QueryPort | None = None
    commitments: CommitmentPort | None = None
    worklist: WorklistPort | None = None
    reports: ReportPort | None = None
    performed_steps: PerformedStepPort | None = None
    retrieve_ae: Callable[[str], str] = str
    """Gives the AE title that what is found is fetched by, of the title that was called; by itself that same one."""
