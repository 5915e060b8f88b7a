"""How one promise stands, and what is looked at to tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from radrelay.clock import Clock
from radrelay.errors import Fact
from radrelay.settings import Settings
from radrelay.storage.database import Database
from radrelay.storage.keys import Keyring
from radrelay.storage.keystore import KeyStore
from radrelay.storage.packs import PackStore

State = Literal["good", "look", "bad"]


class House(Protocol):
    """What is looked at."""

    @property
    def settings(self) -> Settings: ...  # noqa: D102  # the names say it
    @property
    def clock(self) -> Clock: ...  # noqa: D102
    @property
    def keyring(self) -> Keyring: ...  # noqa: D102
    @property
    def keys(self) -> KeyStore: ...  # noqa: D102
    @property
    def database(self) -> Database: ...  # noqa: D102
    @property
    def packs(self) -> PackStore: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Kept:
    """A promise about the whole installation: what it is about, how it stands by code and facts, and plain English.

    Facts that end in `_at` are moments as ISO 8601, those in `_s` seconds.
    """

    subject: str
    state: State
    code: str
    text: str
    facts: Mapping[str, Fact] = field(default_factory=dict)
