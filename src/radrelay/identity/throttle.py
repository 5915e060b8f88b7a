"""Slowing down guesses without letting a stranger lock a doctor out.

Three counters: (address, name), address, name. A try is counted before the password is checked, so that tries in
parallel count too, and taken back when it was right. After some free tries each further one must wait, doubling up
to a cap; a try during the wait is refused unseen and not counted, so nobody can prolong another's wait. The
counters of address and name do not bind a device or an address that the account has logged in from before: a
stranger who fails on a doctor's name a thousand times slows down strangers only. Names are kept as hashes.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from radrelay.identity.errors import TooManyAttempts
from radrelay.identity.models import LoginAttempt
from radrelay.storage.ids import new_id

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Limit:
    """`free` tries, then a wait of `first_s`, twice that … up to `cap_s`; forgotten after `forget_s` without one."""

    free: int
    cap_s: int
    forget_s: int
    first_s: int = 2

    def wait_s(self, failures: int) -> int:
        """Return how long after the last of `failures` the next try may come, in seconds."""
        beyond = failures - self.free
        return 0 if beyond < 0 else min(self.cap_s, self.first_s << min(beyond, 20))


PAIR = Limit(free=5, cap_s=300, forget_s=3600)
ADDRESS = Limit(free=50, cap_s=60, forget_s=3600)
NAME = Limit(free=30, cap_s=60, forget_s=3600)
PASSED_ON_S = 1800


def passed_on(free: int) -> Limit:
    """Return the limit of a name whose password the directory checks, for tries from unknown places.

    A directory has limits of its own and locks the person out of everything else, too: fewer guesses reach it.
    """
    return Limit(free=free, cap_s=PASSED_ON_S, forget_s=PASSED_ON_S, first_s=PASSED_ON_S)


def address_key(address: str) -> str:
    """Return what an address is counted by: IPv4 whole, IPv6 by its /64, which one subscriber holds."""
    try:
        parsed = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def counters(
    address: str, folded_name: str, *, known: bool, device: str = "", of_name: Limit = NAME
) -> list[tuple[str, Limit]]:
    """Return the keys and limits that bind one try. A known device has a counter of its own, and that alone."""
    name = hashlib.sha256(folded_name.encode()).hexdigest()[:32]
    if device:
        return [(f"device:{device}:{name}", PAIR)]
    where = address_key(address)
    pair = (f"pair:{where}:{name}", PAIR)
    return [pair] if known else [pair, (f"address:{where}", ADDRESS), (f"name:{name}", of_name)]


def begin(session: Session, bound: list[tuple[str, Limit]], now: datetime) -> None:
    """Count one try against `bound`, or raise `TooManyAttempts` (with `retry_after_s`) and count nothing."""
    rows = _locked(session, bound)
    if len(rows) < len(bound) and session.get_bind().dialect.name == "postgresql":
        _set_up(session, sorted({key for key, _ in bound} - set(rows)), now)
        rows = _locked(session, bound)
    wait = max((_remaining_s(rows.get(key), limit, now) for key, limit in bound), default=0.0)
    if wait > 0:
        raise TooManyAttempts(retry_after_s=max(1, round(wait)))
    for key, limit in bound:
        row = rows.get(key)
        if row is None:
            session.add(LoginAttempt(id=new_id(), key=key, failures=1, last_at=now))
        else:
            row.failures = 1 if _forgotten(row, limit, now) else row.failures + 1
            row.last_at = now
    session.execute(sa.delete(LoginAttempt).where(LoginAttempt.last_at < now - KEPT))


def _locked(session: Session, bound: list[tuple[str, Limit]]) -> dict[str, LoginAttempt]:
    mine = sa.select(LoginAttempt).where(LoginAttempt.key.in_([key for key, _ in bound]))
    return {row.key: row for row in session.scalars(mine.order_by(LoginAttempt.key).with_for_update())}


def _set_up(session: Session, keys: Sequence[str], now: datetime) -> None:
    """Make counters that stand at none: of two who begin one at once the later waits, and counts on the other's."""
    rows = [{"id": new_id(), "key": key, "failures": 0, "last_at": now} for key in keys]
    session.execute(insert(LoginAttempt).on_conflict_do_nothing(index_elements=["key"]), rows)


def _forgotten(row: LoginAttempt, limit: Limit, now: datetime) -> bool:
    return now - row.last_at > timedelta(seconds=limit.forget_s)


def _remaining_s(row: LoginAttempt | None, limit: Limit, now: datetime) -> float:
    if row is None or _forgotten(row, limit, now):
        return 0.0
    passed = (now - row.last_at).total_seconds()
    if passed < 0:  # the clock went back: count from now instead of waiting for the old time to come round
        return 0.0
    return limit.wait_s(row.failures) - passed


def succeed(session: Session, bound: list[tuple[str, Limit]]) -> None:
    """Take the try back: it was right. What was counted for this person on this device or address is forgotten."""
    first, *others = [key for key, _ in bound]
    session.execute(sa.delete(LoginAttempt).where(LoginAttempt.key == first))
    if others:
        session.execute(
            sa.update(LoginAttempt)
            .where(LoginAttempt.key.in_(others), LoginAttempt.failures > 0)
            .values(failures=LoginAttempt.failures - 1)
        )


def take_back(session: Session, bound: list[tuple[str, Limit]]) -> None:
    """Take the try back, and leave what was counted before: who is right once may still have guessed."""
    session.execute(
        sa.update(LoginAttempt)
        .where(LoginAttempt.key.in_([key for key, _ in bound]), LoginAttempt.failures > 0)
        .values(failures=LoginAttempt.failures - 1)
    )
