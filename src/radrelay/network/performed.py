"""Modality Performed Procedure Step as a provider: N-CREATE and N-SET, durable before the answer (PS3.4 F.7)."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from radrelay.errors import Conflict, Invalid, NotFound, RadrelayError
from radrelay.network import command, identifier
from radrelay.network.command import CommandSet
from radrelay.network.limits import ACTION_BYTES
from radrelay.network.negotiation import Context
from radrelay.network.ports import Peer, PerformedStepPort, StepSaid
from radrelay.network.session import Session
from radrelay.network.sop_classes import Service, is_uid
from radrelay.network.statuses import (
    DUPLICATE_SOP_INSTANCE,
    INVALID_ARGUMENT,
    MISSING_ATTRIBUTE,
    NO_SUCH_INSTANCE,
    NO_SUCH_SOP_CLASS,
    PROCESSING_FAILURE,
    SUCCESS,
)

log = structlog.get_logger(__name__)


class StepKnown(Conflict):
    """There is a performed procedure step with this UID already."""

    code = "step-known"
    dimse_status = DUPLICATE_SOP_INSTANCE


class StepUnknown(NotFound):
    """There is no performed procedure step with this UID."""

    code = "step-unknown"
    dimse_status = NO_SUCH_INSTANCE


class StepEnded(Conflict):
    """Performed Procedure Step Object may no longer be updated."""

    code = "step-ended"
    dimse_status = PROCESSING_FAILURE


class StepIncomplete(Invalid):
    """The performed procedure step lacks what it must say."""

    code = "step-incomplete"
    dimse_status = MISSING_ATTRIBUTE


class PerformedStepProvider:
    """Answers the N-CREATE and N-SET requests of one association."""

    def __init__(self, session: Session, steps: PerformedStepPort) -> None:
        self._session = session
        self._steps = steps

    def create(self, context: Context, request: CommandSet) -> None:
        """Serve one N-CREATE-RQ."""
        self._serve(context, request, request.text(command.AFFECTED_SOP_INSTANCE), self._steps.create)

    def change(self, context: Context, request: CommandSet) -> None:
        """Serve one N-SET-RQ."""
        self._serve(context, request, request.text(command.REQUESTED_SOP_INSTANCE), self._steps.change)

    def _serve(
        self, context: Context, request: CommandSet, sop_uid: str,
        take: Callable[[Peer, str, StepSaid], None],
    ) -> None:  # fmt: skip
        session = self._session
        data = session.read_data_set(context, ACTION_BYTES) if request.has_data_set else b""
        session.channel.message_ended()
        status, comment = SUCCESS, ""
        try:
            if context.service is not Service.PERFORMED_STEP:
                status = NO_SUCH_SOP_CLASS
            elif not is_uid(sop_uid):
                status = INVALID_ARGUMENT
            else:
                keys = identifier.decode(data, context.transfer_syntax, ACTION_BYTES)
                take(session.peer, sop_uid, StepSaid(keys, data, context.transfer_syntax))
        except RadrelayError as error:
            status, comment = error.dimse_status, error.message
        except Exception:  # why: a fault of one request must not cost the association its others
            log.exception("performed procedure step failed")
            status = PROCESSING_FAILURE
        log.info("performed procedure step answered", status=f"{status:04X}")
        session.respond(context, request, status, comment)
