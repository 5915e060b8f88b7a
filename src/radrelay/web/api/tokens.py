"""API tokens, for administrators: machines' keys to REST and DICOMweb."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from radrelay import access
from radrelay.web import trail
from radrelay.web.authentication import Administrator, Services

router = APIRouter(prefix="/tokens", tags=["tokens"])


class Token(BaseModel):
    """An API token without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    closed_at: datetime | None
    suspended_at: datetime | None
    may_launch: bool


class Tokens(BaseModel):
    """All tokens, newest first."""

    tokens: list[Token]


class WantedToken(BaseModel):
    """A token to be made. With `may_launch` its program may open the viewer in anybody's name (POST /api/launches)."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    role: Literal["admin", "user", "dpo", "service"] = "user"
    expires_at: AwareDatetime | None = None
    may_launch: bool = False


class TokenMade(BaseModel):
    """A new token; its secret is seen here and never again."""

    token: Token
    secret: str


@router.get("")
def list_tokens(services: Services, principal: Administrator) -> Tokens:
    """List the tokens."""
    with services.database.read() as session:
        found = services.identity.tokens(session, principal.organisation_id)
    return Tokens(tokens=[Token.model_validate(token) for token in found])


@router.post("", status_code=201)
def create_token(request: Request, services: Services, principal: Administrator, wanted: WantedToken) -> TokenMade:
    """Make a token."""
    with services.database.write() as session:
        made = services.identity.create_token(
            session, principal.organisation_id, name=wanted.name, role=wanted.role, expires_at=wanted.expires_at,
            maker_id=uuid.UUID(principal.id) if principal.kind == "account" else None,
            may_launch=wanted.may_launch,
        )  # fmt: skip
        detail = {"role": wanted.role, **({"launch": True} if wanted.may_launch else {})}
        trail.write(session, trail.event(request, principal, "token.create", ("token", made.token.id), detail=detail))
    return TokenMade(token=Token.model_validate(made.token), secret=made.secret)


@router.delete("/{token_id}", status_code=204)
def revoke_token(request: Request, services: Services, principal: Administrator, token_id: uuid.UUID) -> None:
    """Revoke a token; it is refused from now on, and in no group any more."""
    with services.database.write() as session:
        services.identity.revoke_token(session, principal.organisation_id, token_id)
        access.forget_member(session, principal.organisation_id, "token", str(token_id))
        trail.write(session, trail.event(request, principal, "token.revoke", ("token", token_id)))
