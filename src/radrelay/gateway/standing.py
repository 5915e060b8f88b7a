"""How it stands with the relays, as the agent writes it beside its enrolments and other roles and commands read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from radrelay.storage.durable_files import make_private_directory

ALIVE = timedelta(seconds=15)
AGAIN = timedelta(seconds=5)
FILE = "agent.json"
log = structlog.get_logger(__name__)


@dataclass
class LinkState:
    """How it stands with one relay."""

    relay: str
    connected: bool = False
    since: datetime | None = None
    site: str = ""
    hosts: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    public_port: int = 0
    certificate_ends: datetime | None = None
    trouble: str = ""
    breaks: int = 0
    ahead: int = 0
    taken: int = 0


class Board:
    """Writes it, when something has changed and now and then."""

    def __init__(self, folder: Path) -> None:
        make_private_directory(folder)
        self._file = folder / FILE
        self._last: list[dict[str, object]] | None = None
        self._written_at = datetime.min.replace(tzinfo=UTC)

    def show(self, states: Sequence[LinkState], now: datetime) -> None:
        """Write how it stands."""
        told = [asdict(state) for state in states]
        if told == self._last and now - self._written_at < AGAIN:
            return
        self._last, self._written_at = told, now
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_text(json.dumps({"at": now, "relays": told}, default=datetime.isoformat), encoding="utf-8")
            fresh.replace(self._file)
        except OSError as error:  # no room on the disk: the links go on
            log.warning("how it stands with the relays cannot be written", reason=error.strerror)


def standing(folder: Path, now: datetime) -> Sequence[LinkState] | None:
    """Return how it stands; None where no agent has said so lately."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if now - datetime.fromisoformat(told["at"]) > ALIVE:
            return None
        return [_state(one) for one in told["relays"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _state(told: dict[str, object]) -> LinkState:
    state = LinkState(**told)  # type: ignore[arg-type]  # as it was written
    for name in ("since", "certificate_ends"):
        value = told[name]
        setattr(state, name, datetime.fromisoformat(str(value)) if value else None)
    return state
