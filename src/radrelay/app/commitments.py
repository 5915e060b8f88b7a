"""Storage commitment that outlives the process: fulfils the listener's `CommitmentPort`, and reports what is due."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Sequence
from typing import Protocol

import structlog
from sqlalchemy.orm import Session

from radrelay.app.core import Core
from radrelay.errors import RadrelayError
from radrelay.network.commitment import deliver_report, make_report
from radrelay.network.errors import NodeUnreachable
from radrelay.network.ports import CommitmentReport, Node, Peer, QueryPort, Reference
from radrelay.routing import commitments
from radrelay.routing.commitments import Requested
from radrelay.routing.committing import Reporter, host_asked, take_report
from radrelay.routing.models import Delivery

log = structlog.get_logger(__name__)

LOOK_S = 1.0
AT_ONCE = 4


def is_at(host: str, address: str) -> bool:
    """Say whether a peer's IP address is that of a host, which may be a name; of one nobody knows it is not."""
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return address.removeprefix("::ffff:") in found


class Committing(QueryPort, Protocol):
    """What commitment needs of the archive's answers to peers."""

    def require_query(self, peer: Peer) -> None:
        """Raise `Forbidden` unless the peer may ask."""
        ...

    def node_called(self, peer: Peer, ae_title: str) -> Node | None:
        """Return the node that an AE title stands for."""
        ...


class Called(Protocol):
    """Knows whom a called AE title means, and by which title it is called; `SourceBook` does."""

    def organisation_of(self, called_ae: str) -> uuid.UUID:
        """Return the organisation; raises `SourceUnknown`."""
        ...

    def retrieve_ae(self, called_ae: str) -> str:
        """Return the AE title that its objects are fetched by."""
        ...


class DurableCommitments:
    """One process's commitment requests; thread-safe. `run` reports those that are due."""

    def __init__(self, core: Core, query: Committing, called: Called, owner: str) -> None:
        self._core = core
        self._query = query
        self._called = called
        self._owner = owner

    def remember(self, peer: Peer, transaction_uid: str, references: Sequence[Reference]) -> uuid.UUID:
        """Make a request durable; raises `Forbidden`, `TooManyCommitments`, `Unavailable`."""
        self._query.require_query(peer)
        requested = Requested(
            peer.calling_ae,
            peer.called_ae,
            peer.host[:255],
            peer.association_id,
            transaction_uid,
            tuple((reference.sop_class_uid, reference.sop_uid) for reference in references),
        )
        with self._core.database.write() as session:
            organisation_id = self._called.organisation_of(peer.called_ae)
            return commitments.remember(session, organisation_id, requested, self._owner, self._core.clock.now())

    def reported(self, key: uuid.UUID) -> None:
        """Forget a request whose report the peer has answered."""
        with self._core.database.write() as session:
            commitments.reported(session, key)

    def unreported(self, key: uuid.UUID) -> None:
        """Have the report sent on an association of its own."""
        with self._core.database.write() as session:
            commitments.due_now(session, key, self._core.clock.now())

    def report(self, peer: Peer, report: CommitmentReport) -> bool:
        """Write down what a node reports of a commitment that we asked for; false where nobody has."""
        with self._core.database.read() as session:
            host = host_asked(session, report.transaction_uid)
        reporter = Reporter(peer.calling_ae, peer.host, bool(host) and is_at(host, peer.host))
        with self._core.database.write() as session:
            return take_report(
                session, self._core.clock, self._core.settings.work, report, self._translated, reporter=reporter
            )  # fmt: skip

    def _translated(
        self, session: Session, delivery: Delivery, report: CommitmentReport, originals: Sequence[str]
    ) -> CommitmentReport:
        """Return what is reported of copies as a report on their originals."""
        from radrelay.pseudonyms import VaultSeal  # noqa: PLC0415 -- brings the codecs, for which `listen` has no room
        from radrelay.routing.copies import translated  # noqa: PLC0415 -- so does this

        return translated(session, VaultSeal(self._core.keyring.vault_key), delivery, report, originals)

    def release(self) -> None:
        """Have reported what the process before this one left open; call it before the first association."""
        with self._core.database.write() as session:
            commitments.release(session, self._owner, self._core.clock.now())

    def run(self, stop: threading.Event) -> None:
        """Report what is due until `stop` is set; what is under way then is done again by the next process."""
        while not stop.wait(LOOK_S):
            try:
                self._report_all(self._due(), stop)
            except RadrelayError as error:
                log.warning("commitment reports wait", reason=error.code)
            except Exception:  # why: without this loop a promise would stay unreported in silence
                log.exception("commitment reports broke off; they are begun again")

    def _report_all(self, due: Sequence[tuple[uuid.UUID, Requested]], stop: threading.Event) -> None:
        threads = [threading.Thread(target=self._report, args=(one,), name="commitment", daemon=True) for one in due]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive() and not stop.is_set():
                thread.join(0.2)

    def _due(self) -> list[tuple[uuid.UUID, Requested]]:
        now = self._core.clock.now()
        with self._core.database.read() as session:
            if not commitments.is_any_due(session, now):
                return []
        with self._core.database.write() as session:
            return commitments.claim_due(session, self._owner, now, AT_ONCE)

    def _report(self, claimed: tuple[uuid.UUID, Requested]) -> None:
        key, asked = claimed
        peer = Peer(asked.host, 0, asked.calling_ae, asked.called_ae, None, asked.association_id)
        with structlog.contextvars.bound_contextvars(correlation_id=asked.association_id):
            try:
                self._send(peer, asked)
            except RadrelayError as error:
                self._failed(key, peer, error.message)
            except Exception as error:  # why: a fault of one report must not leave it claimed and unreported
                log.exception("a commitment report failed")
                self._failed(key, peer, type(error).__name__)
            else:
                self.reported(key)
                log.info("commitment reported", ae_title=peer.calling_ae, attempt=asked.attempts)

    def _send(self, peer: Peer, asked: Requested) -> None:
        references = tuple(Reference(*pair) for pair in asked.references)
        node = self._query.node_called(peer, peer.calling_ae)
        if node is None:
            raise NodeUnreachable(f"no destination has the AE title {peer.calling_ae}")
        committed = self._query.committed(peer, references)
        retrieve_ae = self._called.retrieve_ae(peer.called_ae)
        event, elements = make_report(asked.transaction_uid, references, committed, retrieve_ae)
        deliver_report(node, event, elements)

    def _failed(self, key: uuid.UUID, peer: Peer, reason: str) -> None:
        with self._core.database.write() as session:
            kept = commitments.postpone(session, key, reason, self._core.settings.work, self._core.clock.now())
        log.warning("commitment report not delivered", ae_title=peer.calling_ae, reason=reason, tried_again=kept)
