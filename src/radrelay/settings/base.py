"""What all parts of the settings share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MIB = 1 << 20
GIB = 1 << 30
HOUR_S = 3600
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Section(BaseModel):
    """A branch of the tree."""

    model_config = ConfigDict(frozen=True, extra="forbid")
