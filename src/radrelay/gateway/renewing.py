"""Keeps the certificate for outside fresh: asks for it once two thirds of its time are gone, and never takes one away.

What runs goes on being served whatever fails; a failure is tried again with growing pauses.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from radrelay.clock import Clock
from radrelay.errors import RadrelayError
from radrelay.gateway.acme_account import AcmeAccount
from radrelay.gateway.acme_files import AcmeFiles, AcmePlan, AcmeState
from radrelay.gateway.authority import private_pem
from radrelay.gateway.challenges import Challenges
from radrelay.gateway.errors import FolderUnwritable, NotTheNames
from radrelay.gateway.public import PublicFacts, checked, facts_of

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=15), timedelta(hours=12)
ASK_EACH = timedelta(hours=6)
JITTER = 0.02
"""Of its time: certificates of many sites that began together do not end together at the authority's door."""

log = structlog.get_logger(__name__)


class Authority(Protocol):
    """Who gives certificates."""

    def order(self, hosts: Sequence[str], answers: Challenges) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
        """Return a chain and its key."""
        ...

    def renewal(self, chain: bytes) -> datetime | None:
        """Return when it wants a certificate renewed, if it says so."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What came of asking."""

    facts: PublicFacts | None
    state: AcmeState


class Renewing:
    """Looks after one site's certificate."""

    def __init__(
        self,
        files: AcmeFiles,
        answers: Challenges,
        clock: Clock,
        trust: Path | None,
        opened: Callable[[AcmeAccount, ec.EllipticCurvePrivateKey], Authority],
    ) -> None:
        self._files = files
        self._answers = answers
        self._clock = clock
        self._trust = trust
        self._opened = opened
        self._unkept: tuple[int, AcmeState] | None = None
        """How it stands where that could not be written down, and the plan that it is of."""

    def look(self, hosts: Sequence[str]) -> Outcome | None:
        """Ask for a certificate for these names if it is time; None if it is not."""
        plan = self._files.plan()
        now = self._clock.now()
        state = self._state()
        if plan is None or not hosts or (state.again_at is not None and now < state.again_at):
            return None
        wanted = sorted(set(hosts))
        running = self._running()
        if running is not None and running.ends_at > now and all(running.covers(host) for host in wanted):
            state = self._asked(plan, state, now)
            if state.renews_at is None:
                state = replace(state, renews_at=renews_at(running))
                self._keep(state)
            if now < (state.renews_at or now):
                return None
        return self._order(plan, state, wanted, now)

    def _state(self) -> AcmeState:
        if self._unkept is not None and self._unkept[0] == self._files.plan_version():
            return self._unkept[1]
        return self._files.state()

    def _keep(self, state: AcmeState) -> None:
        """Note how it stands, in memory where the disk takes nothing."""
        self._unkept = None
        try:
            self._files.keep_state(state)
        except OSError as error:
            self._unkept = (self._files.plan_version(), state)
            log.warning("how the certificate for outside stands could not be kept", reason=_reason(error))

    def _running(self) -> PublicFacts | None:
        try:
            return facts_of(self._files.certificate.read_bytes())
        except (OSError, RadrelayError):
            return None

    def _order(self, plan: AcmePlan, state: AcmeState, wanted: Sequence[str], now: datetime) -> Outcome:
        try:
            self._files.check_room()  # first: authorities count orders, and give few certificates a week
            authority = self._opened(self._files.account(plan, self._trust), self._files.account_key())
            try:
                chain, key = authority.order(wanted, self._answers)
            finally:
                authority.close()
            pem, facts = checked(chain, private_pem(key), self._clock.now(), self._files.password)
            if not all(facts.covers(host) for host in wanted):
                raise NotTheNames
            if self._files.plan() != plan:  # changed or given up meanwhile: what was asked for is not wanted any more
                return Outcome(None, self._state())
            self._files.keep_certificate(pem)
        except RadrelayError as error:
            return self._failed(state, error, now)
        except OSError as error:
            return self._failed(state, FolderUnwritable(_reason(error)), now)
        fresh = AcmeState(renews_at=renews_at(facts), asked_at=now)
        self._keep(fresh)
        log.info("a certificate for outside was given", names=list(facts.names), until=f"{facts.ends_at:%Y-%m-%d}")
        return Outcome(facts, fresh)

    def _failed(self, state: AcmeState, error: RadrelayError, now: datetime) -> Outcome:
        pause = min(FIRST_PAUSE * 2 ** min(state.failures, 10), LONGEST_PAUSE) * random.uniform(0.8, 1.2)
        failed = replace(
            state, failures=state.failures + 1, again_at=now + pause, code=error.code, detail=error.message[:500]
        )
        self._keep(failed)
        log.warning("no certificate for outside was given", reason=error.code, detail=error.message)
        return Outcome(None, failed)

    def _asked(self, plan: AcmePlan, state: AcmeState, now: datetime) -> AcmeState:
        """Ask the authority for its own wish now and then: it may want certificates back early (RFC 9773)."""
        if state.renews_at is None or now >= state.renews_at:
            return state
        if state.asked_at is not None and now - state.asked_at < ASK_EACH:
            return state
        asked = replace(state, asked_at=now)
        try:
            authority = self._opened(self._files.account(plan, self._trust), self._files.account_key())
            try:
                wish = authority.renewal(self._files.certificate.read_bytes())
            finally:
                authority.close()
        except (RadrelayError, OSError) as error:
            log.info("the authority did not say when to renew", reason=getattr(error, "code", str(error)))
            wish = None
        if wish is not None and wish < state.renews_at:
            asked = replace(asked, renews_at=wish)
        self._keep(asked)
        return asked


def _reason(error: OSError) -> str:
    return f"the gateway's folder takes no file: {error.strerror or error}"


def renews_at(facts: PublicFacts) -> datetime:
    """Return a moment once two thirds of a certificate's time are gone."""
    life = facts.ends_at - facts.begins_at
    return facts.begins_at + life * (2 / 3 + random.uniform(0, JITTER))
