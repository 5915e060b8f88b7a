"""C-STORE as a provider, the hot path: fragments go to the port's writer as they come (PS3.4 B, PS3.7 9.1.1).

A port's error becomes the status of the response and the rest of the object is read and dropped,
so that the sender goes on with its next one.
"""

from __future__ import annotations

import structlog

from radrelay.errors import RadrelayError, TooLarge
from radrelay.network.command import AFFECTED_SOP_CLASS, AFFECTED_SOP_INSTANCE, CommandSet, store_response
from radrelay.network.errors import AssociationEnded
from radrelay.network.negotiation import Context
from radrelay.network.ports import StoreOutcome, StoreWriter
from radrelay.network.session import Session
from radrelay.network.sop_classes import Service
from radrelay.network.statuses import CANNOT_UNDERSTAND, PROCESSING_FAILURE, SOP_CLASS_NOT_SUPPORTED, is_warning

log = structlog.get_logger(__name__)


class StorageProvider:
    """Takes the objects of one association, one after another."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._channel = session.channel
        self._max_object_bytes = session.limits.max_object_bytes
        self._writer: StoreWriter | None = None

    def store(self, context: Context, request: CommandSet) -> None:
        """Serve one C-STORE-RQ up to its response."""
        session = self._session
        if not request.has_data_set:
            outcome = StoreOutcome(CANNOT_UNDERSTAND, "no data set")
        elif context.service is not Service.STORAGE:
            session.discard_data_set(context)
            outcome = StoreOutcome(SOP_CLASS_NOT_SUPPORTED, "not a storage context")
        else:
            outcome = self._take(context, request)
        status = outcome.status
        answer = store_response(request, status, outcome.comment)
        self._channel.send(self._channel.message(context.context_id, answer))
        if status == 0 or is_warning(status):
            session.tally.objects += 1
        else:
            session.tally.refused_objects += 1

    def _take(self, context: Context, request: CommandSet) -> StoreOutcome:
        """Pass the data set to the writer; the outcome is the port's, or what its error says."""
        channel, context_id = self._channel, context.context_id
        next_fragment, longest = channel.next_fragment, self._max_object_bytes
        total, ended = 0, False
        writer: StoreWriter | None = None
        try:
            writer = self._open_writer()
            write = writer.write
            writer.begin(
                request.text(AFFECTED_SOP_CLASS) or context.abstract_syntax,
                request.text(AFFECTED_SOP_INSTANCE),
                context.transfer_syntax,
            )
            while not ended:
                fragment = next_fragment()
                if channel.context_id != context_id or channel.is_command:
                    self._session.check_fragment(context_id, of_command=False)
                ended = channel.is_last
                total += len(fragment)
                if total > longest:
                    raise TooLarge(f"larger than {longest} bytes")
                if fragment:
                    write(fragment)
            outcome = writer.finish()
        except AssociationEnded:
            self._abort(writer)
            raise
        except RadrelayError as error:
            outcome = StoreOutcome(error.dimse_status, error.message)
            log.warning("object refused", code=error.code, status=f"{error.dimse_status:04X}", bytes=total)
        except Exception:  # why: a fault of one object must not cost the association its other objects
            outcome = StoreOutcome(PROCESSING_FAILURE, "processing failure")
            log.exception("object failed", bytes=total)
        else:
            self._session.tally.object_bytes += total
            return outcome
        self._abort(writer)
        if not ended:
            self._session.discard_data_set(context)
        return outcome

    def _open_writer(self) -> StoreWriter:
        if self._writer is None:
            self._writer = self._session.services.storage.open_writer(self._session.peer)
        return self._writer

    def _abort(self, writer: StoreWriter | None) -> None:
        if writer is None:
            return
        try:
            writer.abort()
        except Exception:  # why: cleaning up after a fault may fault again, and the first one is what counts
            log.exception("an object could not be given up cleanly")
            self._writer = None
