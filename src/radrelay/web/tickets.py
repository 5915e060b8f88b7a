"""Tickets of programs that a link let in: a JWT (RFC 7519) of ten minutes, signed, that names the visit's secret.

Nothing of the link, its maker or a patient stands in it. That it counts says nothing yet: the visit and its link are
looked up each time, so that what is revoked ends at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from radrelay.access import LinkKeys
from radrelay.errors import Unauthenticated

LASTS = timedelta(minutes=10)
ALGORITHM = "HS256"
LONGEST = 2000


class TicketRefused(Unauthenticated):
    """This ticket is none, or counts no more; give the link's answers again."""

    code = "ticket-refused"


def is_ticket(bearer: str) -> bool:
    """Say whether what a program bears looks like a JWT; tokens of the REST interface do not."""
    return bearer.count(".") == 2 and not bearer.startswith("rr_")


def ticket_for(keys: LinkKeys, secret: str, now: datetime, lasts: timedelta = LASTS) -> str:
    """Return a ticket for a visit."""
    claims = {"jti": secret, "iat": int(now.timestamp()), "exp": int((now + lasts).timestamp())}
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT"}, claims, OctKey.import_key(keys.ticket_key))


def secret_of(keys: LinkKeys, ticket: str, now: datetime) -> str:
    """Return the visit's secret; raises `TicketRefused`."""
    try:
        claims = jwt.decode(ticket[:LONGEST], OctKey.import_key(keys.ticket_key), [ALGORITHM]).claims
        secret, ends = claims["jti"], claims["exp"]
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise TicketRefused from error
    if not isinstance(secret, str) or not isinstance(ends, int | float) or now.timestamp() >= ends:
        raise TicketRefused
    return secret
