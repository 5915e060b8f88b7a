"""Answers an A-ASSOCIATE-RQ: which contexts are accepted in which transfer syntax, roles, extended negotiation.

Of a context's transfer syntaxes the first that the standard knows is taken, because a sender names first what
it holds: nothing has to be recompressed, and what is stored is what was held. One exception: when Implicit VR
Little Endian comes first and Explicit VR Little Endian is offered too, explicit is taken; toolkits list
the default syntax first by habit, and explicit keeps the value representations of private elements.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from radrelay import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from radrelay.network import pdu
from radrelay.network.ports import Model, Rejection, Services
from radrelay.network.sop_classes import (
    EXPLICIT_LITTLE,
    IDENTIFIER_SYNTAXES,
    IMPLICIT_LITTLE,
    SERVED_BY_UID,
    Service,
    is_known_transfer_syntax,
    is_uid,
    service_of,
)

APPLICATION_CONTEXT_UNKNOWN = Rejection(1, 1, 2, "application context not supported")
PROTOCOL_VERSION_UNKNOWN = Rejection(1, 2, 2, "protocol version not supported")

STORAGE_LEVEL = b"\x02\x00\x00\x00\x00\x00"
"""Extended negotiation of a storage SOP class (PS3.4 B.3.1): all attributes kept, nothing coerced."""
RELATIONAL = 1
PEER_PROVIDES = (Service.STORAGE, Service.COMMITMENT)
"""What a peer that opens an association may be provider of: C-GET, and reports of commitments that we asked for."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context. `peer_stores` says that the peer is storage provider (for C-GET)."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    service: Service
    model: Model | None
    relational: bool
    peer_stores: bool


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was negotiated, and the answer to send. `peer_max_bytes` 0 means that the peer sets no limit."""

    contexts: Mapping[int, Context]
    peer_max_bytes: int
    answer: bytes


def refuse(request: pdu.AssociateRequest) -> Rejection | None:
    """Return why a request cannot be served whoever sends it, or None."""
    if not request.protocol_version & 1:
        return PROTOCOL_VERSION_UNKNOWN
    if request.application_context != pdu.APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_UNKNOWN
    return None


def served_by(services: Services) -> frozenset[Service]:
    """Return what a listener accepts contexts for."""
    served = {Service.VERIFICATION, Service.STORAGE}
    if services.query is not None:
        served |= {Service.FIND, Service.MOVE, Service.GET, Service.COMMITMENT}
    if services.worklist is not None:
        served.add(Service.WORKLIST)
    if services.performed_steps is not None:
        served.add(Service.PERFORMED_STEP)
    return frozenset(served)


def negotiate(request: pdu.AssociateRequest, max_pdu_bytes: int, *, served: Container[Service]) -> Agreement:
    """Answer a request (PS3.8 7.1.1, PS3.7 D.3) by one who serves these services."""
    roles = {role.sop_class_uid: role for role in request.user.roles}
    extended = {one.sop_class_uid: one.information for one in request.user.extended}
    contexts: dict[int, Context] = {}
    answers = []
    for proposed in request.contexts:
        result, context = _answer(proposed, roles, extended, served)
        syntax = context.transfer_syntax if context else IMPLICIT_LITTLE
        answers.append(pdu.AnsweredContext(proposed.context_id, result, syntax))
        if context:
            contexts[proposed.context_id] = context
    accepted = {context.abstract_syntax: context.service for context in contexts.values()}
    user = pdu.UserInformation(
        maximum_length=max_pdu_bytes,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version=IMPLEMENTATION_VERSION_NAME,
        async_window=(1, 1) if request.user.async_window else None,
        roles=tuple(
            pdu.Role(role.sop_class_uid, role.scu, role.scp and accepted[role.sop_class_uid] in PEER_PROVIDES)
            for role in request.user.roles
            if role.sop_class_uid in accepted
        ),
        extended=tuple(
            _extended_answer(one, accepted[one.sop_class_uid])
            for one in request.user.extended
            if _is_extended(accepted.get(one.sop_class_uid))
        ),
    )
    accept = pdu.AssociateAccept(request.titles, tuple(answers), user)
    return Agreement(contexts, request.user.maximum_length, pdu.encode_accept(accept))


def choose_transfer_syntax(service: Service, proposed: tuple[str, ...]) -> str | None:
    """Return the transfer syntax to take of those proposed, or None when none can be."""
    if service is not Service.STORAGE:
        return next((syntax for syntax in IDENTIFIER_SYNTAXES if syntax in proposed), None)
    known = [syntax for syntax in proposed if is_known_transfer_syntax(syntax)]
    usable = known or [syntax for syntax in proposed if is_uid(syntax)]
    if not usable:
        return None
    if usable[0] == IMPLICIT_LITTLE and EXPLICIT_LITTLE in usable:
        return EXPLICIT_LITTLE
    return usable[0]


def _answer(
    proposed: pdu.ProposedContext,
    roles: Mapping[str, pdu.Role],
    extended: Mapping[str, bytes],
    served: Container[Service],
) -> tuple[int, Context | None]:
    uid = proposed.abstract_syntax
    service = service_of(uid)
    if service is None or service not in served:
        return pdu.ABSTRACT_SYNTAX_REFUSED, None
    syntax = choose_transfer_syntax(service, proposed.transfer_syntaxes)
    if syntax is None:
        return pdu.TRANSFER_SYNTAXES_REFUSED, None
    known = SERVED_BY_UID.get(uid)
    role = roles.get(uid)
    context = Context(
        context_id=proposed.context_id,
        abstract_syntax=uid,
        transfer_syntax=syntax,
        service=service,
        model=known.model if known else None,
        relational=extended.get(uid, b"\0")[:1] == b"\x01",
        peer_stores=service is Service.STORAGE and role is not None and role.scp,
    )
    return pdu.ACCEPTANCE, context


def _is_extended(service: Service | None) -> bool:
    return service in (Service.STORAGE, Service.FIND, Service.MOVE, Service.GET)


def _extended_answer(one: pdu.Extended, service: Service) -> pdu.Extended:
    if service is Service.STORAGE:
        return pdu.Extended(one.sop_class_uid, STORAGE_LEVEL)
    information = bytearray(len(one.information))  # all but relational queries are answered with "not supported"
    if information:
        information[0] = one.information[0] & RELATIONAL
    return pdu.Extended(one.sop_class_uid, bytes(information))
