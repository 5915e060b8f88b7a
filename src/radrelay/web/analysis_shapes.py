"""What the routes of analyses take and give."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from radrelay.web.problems import Trouble

Value = float | str | bool | list[float | list[float]] | None


class Parameter(BaseModel):
    """Something that may be set of an analysis: `default` is what counts here unless a run says otherwise.

    A list holds numbers, or lists of numbers (places as slice, row, column); `least` and `most` are how many.
    """

    name: str
    kind: Literal["number", "choice", "boolean", "list"]
    default: Value
    least: float | None
    most: float | None
    choices: list[str]
    unit: str


class Analysis(BaseModel):
    """A kind of analysis and how it is set here; `waiting` and `running` count runs."""

    kind: str
    name: str
    version: str
    enabled: bool
    parameters: list[Parameter]
    modalities: list[str]
    called_ae_titles: list[str]
    destination_id: uuid.UUID | None
    memory_bytes: int
    cores: int
    seconds: float
    waiting: int
    running: int


class WantedSetting(BaseModel):
    """What shall count from now on; what is not named stays. Memory and cores: null for the kind's own."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | None = None
    parameters: dict[str, Value] | None = None
    called_ae_titles: list[str] | None = Field(None, max_length=16)
    destination_id: uuid.UUID | None = None
    memory_bytes: int | None = Field(None, ge=64 << 20, le=1 << 44)
    cores: int | None = Field(None, ge=1, le=256)


class WantedRun(BaseModel):
    """What is to be run, with other values than the usual ones, on some series only."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=32)
    parameters: dict[str, Value] = {}
    series: list[uuid.UUID] = Field([], max_length=200)


class WantedRerun(BaseModel):
    """Values that are to be others than they were."""

    model_config = ConfigDict(extra="forbid")

    parameters: dict[str, Value] = {}


class ResultSeries(BaseModel):
    """A series that a run made; `series_id` once it is in the study. Who may not know the patient sees no UIDs."""

    series_uid: str
    series_id: uuid.UUID | None
    sop_uids: list[str]
    description: str


class Run(BaseModel):
    """A run. `reason`: why it was refused or failed; `share` is how far it is, from 0 to 1."""

    id: uuid.UUID
    study_id: uuid.UUID
    kind: str
    version: str
    state: Literal["waiting", "running", "done", "refused", "failed", "cancelled"]
    step: str
    share: float
    reason: Trouble | None
    parameters: dict[str, Value]
    asked_kind: str
    asked_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    results: list[ResultSeries]
    has_findings: bool
    rerun_of: uuid.UUID | None


class Runs(BaseModel):
    """Runs, newest first; `next_cursor` asks for older ones."""

    runs: list[Run]
    next_cursor: str | None


class Use(BaseModel):
    """An entry of the log of use: it says nothing of whom."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    kind: str
    version: str
    source: str
    asked_kind: str
    outcome: str
    reason: str
    seconds: float
