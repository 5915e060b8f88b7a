"""C-FIND as a provider: identifier in, one pending response for each match, cancel in between (PS3.4 C.4.1).

Matching is the port's matter. Responses that are ready together leave in one write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import monotonic

import structlog

from radrelay.errors import Invalid, RadrelayError
from radrelay.network import command, identifier
from radrelay.network.command import CommandSet
from radrelay.network.errors import AssociationEnded
from radrelay.network.identifier import QUERY_LEVEL, RETRIEVE_AE, SPECIFIC_CHARACTER_SET
from radrelay.network.limits import IDENTIFIER_BYTES
from radrelay.network.negotiation import Context
from radrelay.network.ports import Element, Key, Level, Model, Query, QueryPort
from radrelay.network.session import Session
from radrelay.network.sop_classes import Service
from radrelay.network.statuses import CANCELLED, CANNOT_UNDERSTAND, PENDING, SOP_CLASS_NOT_SUPPORTED, SUCCESS

log = structlog.get_logger(__name__)

LEVELS: dict[Model, tuple[Level, ...]] = {
    "patient": ("PATIENT", "STUDY", "SERIES", "IMAGE"),
    "study": ("STUDY", "SERIES", "IMAGE"),
}
UNIQUE_KEYS: dict[Level, int] = {
    "PATIENT": 0x00100020,
    "STUDY": 0x0020000D,
    "SERIES": 0x0020000E,
    "IMAGE": 0x00080018,
}
WORKLIST = "WORKLIST"
BATCH_BYTES = 64 * 1024
BATCH_S = 0.02


class IdentifierMismatch(Invalid):
    """The identifier does not fit the SOP class."""

    code = "identifier-mismatch"
    dimse_status = 0xA900


class WrongContext(Invalid):
    """The presentation context is for another service."""

    code = "wrong-context"
    dimse_status = SOP_CLASS_NOT_SUPPORTED


def read_query(session: Session, context: Context, request: CommandSet, service: Service) -> Query:
    """Read a request's identifier; raises a `RadrelayError` whose status answers the request."""
    data = _read(session, context, request)
    if context.service is not service or context.model is None:
        raise WrongContext
    keys = identifier.decode(data, context.transfer_syntax)
    return make_query(context.model, keys, relational=context.relational)


def read_keys(session: Session, context: Context, request: CommandSet) -> tuple[Key, ...]:
    """Read the identifier of a request that has no level (PS3.4 K.4.1.1.3.1)."""
    return identifier.decode(_read(session, context, request), context.transfer_syntax)


def _read(session: Session, context: Context, request: CommandSet) -> bytes:
    if not request.has_data_set:
        raise Invalid("the identifier is missing")
    data = session.read_data_set(context, IDENTIFIER_BYTES)
    session.channel.message_ended()
    return data


def make_query(model: Model, keys: Sequence[Key], *, relational: bool) -> Query:
    """Return the query that keys of an identifier make; raises `IdentifierMismatch` for a wrong level."""
    wanted = next((key.text.upper() for key in keys if key.tag == QUERY_LEVEL), "")
    level = next((level for level in LEVELS[model] if level == wanted), None)
    if level is None:
        raise IdentifierMismatch(f"level {wanted or 'missing'}; this model has {', '.join(LEVELS[model])}")
    rest = tuple(key for key in keys if key.tag not in (QUERY_LEVEL, RETRIEVE_AE))
    return Query(model, level, rest, relational)


class QueryProvider:
    """Answers the C-FIND requests of one association: of the archive, and of the worklist where there is one."""

    def __init__(self, session: Session, query: QueryPort) -> None:
        self._session = session
        self._query = query
        self._worklist = session.services.worklist

    def find(self, context: Context, request: CommandSet) -> None:
        """Serve one C-FIND-RQ up to its last response."""
        session = self._session
        began = monotonic()
        count, status, comment = 0, SUCCESS, ""
        level = ""
        try:
            level, matches, added = self._ask(context, request)
            try:
                count, cancelled = self._send_matches(context, request, added, matches)
            finally:
                close = getattr(matches, "close", None)
                if close:
                    close()
            status = CANCELLED if cancelled else SUCCESS
        except AssociationEnded:
            raise
        except RadrelayError as error:
            status, comment = error.dimse_status, error.message
        except Exception:  # why: a fault of one query must not cost the association its others
            log.exception("query failed")
            status, comment = CANNOT_UNDERSTAND, "unable to process"
        log.info(
            "query answered", level=level, matches=count, status=f"{status:04X}", seconds=round(monotonic() - began, 4)
        )
        session.respond(context, request, status, comment)

    def _ask(self, context: Context, request: CommandSet) -> tuple[str, Iterator[Sequence[Element]], list[Element]]:
        """Return the level of a request, what matches it, and what each answer has beside that."""
        session = self._session
        if context.service is Service.WORKLIST and self._worklist is not None:
            return WORKLIST, self._worklist.items(session.peer, read_keys(session, context, request)), []
        query = read_query(session, context, request, Service.FIND)
        retrieve_ae = session.services.retrieve_ae(session.peer.called_ae)
        added: list[Element] = [(QUERY_LEVEL, "CS", query.level), (RETRIEVE_AE, "AE", retrieve_ae)]
        return query.level, self._query.find(session.peer, query), added

    def _send_matches(
        self, context: Context, request: CommandSet, added: Sequence[Element], matches: Iterable[Sequence[Element]]
    ) -> tuple[int, bool]:
        """Send matches as pending responses; return how many, and whether the peer cancelled."""
        session, channel = self._session, self._session.channel
        pending = command.response(request, PENDING, data_set=True)
        batch = bytearray()
        flushed = 0.0
        count = 0
        for match in matches:
            body = identifier.encode(_complete(match, added), context.transfer_syntax)
            batch += channel.message(context.context_id, pending, body)
            count += 1
            now = monotonic()
            if len(batch) >= BATCH_BYTES or now - flushed >= BATCH_S:
                channel.send(batch)
                batch.clear()
                flushed = now
                if session.was_cancelled(request):
                    return count, True
        if batch:
            channel.send(batch)
        return count, session.was_cancelled(request)


def _complete(match: Sequence[Element], added: Sequence[Element]) -> list[Element]:
    """Return a match with what every response has; text is always written in our own character set."""
    present = {element[0] for element in match}
    elements = [element for element in match if element[0] != SPECIFIC_CHARACTER_SET]
    elements += [element for element in added if element[0] not in present]
    return elements
