"""Shapes of what the REST interface takes and answers of displays and their checks."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from radrelay.displays import service

Use = Literal["mammography", "stereotaxy", "radiography", "fluoroscopy", "ct", "other", "dental", "viewing"]
Room = Literal["RK1", "RK2", "RK3", "RK4", "RK5", "RK6"]
Luminance = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=1, le=32_768)]
Place = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Micrometres = Annotated[float, Field(gt=0, le=5_000, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]*$")]


class DisplayFields(BaseModel):
    """What a person, and the browser, say of a display. Pixels are the device's, `css_…` the browser's own."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    name: Name
    room: Name
    room_class: Room
    use: Use
    columns: Pixels
    rows: Pixels
    pixel_um: Micrometres
    css_width: Pixels
    css_height: Pixels
    screen_left: Place = 0
    screen_top: Place = 0
    label: str = Field("", max_length=200, pattern=r"^[^\x00-\x1f]*$")


class NewDisplay(DisplayFields):
    """A display, and what its workstation is to be called if it is not known yet."""

    workstation: Name


class DisplayState(BaseModel):
    """Whether a display is checked for reading, and if not, why."""

    model_config = ConfigDict(from_attributes=True)

    checked: bool
    reason: service.Reason
    until: datetime | None


class Display(DisplayFields):
    """A display, as it stands."""

    id: uuid.UUID
    workstation_id: uuid.UUID
    workstation: str
    created_at: datetime
    retired_at: datetime | None
    state: DisplayState
    correction: list[int] | None
    """256 greys to send in place of greys 0 to 255, so that the display follows the GSDF."""
    corrected_by: uuid.UUID | None


class Here(BaseModel):
    """The workstation that asks, if it is known, and its displays."""

    workstation: str | None
    displays: list[Display]


class Displays(BaseModel):
    """All displays, by workstation and name."""

    displays: list[Display]


class RoomRule(BaseModel):
    """A class of rooms (DIN 6868-157)."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    most_illuminance_lx: float
    for_reading: bool
    dental: bool


class LimitRule(BaseModel):
    """A number that is asked, and where it comes from."""

    model_config = ConfigDict(from_attributes=True)

    value: float
    source: str


class Rule(BaseModel):
    """What is asked of a display for a use in a room of a class."""

    use: str
    room_class: str
    limits: dict[str, LimitRule]


class Rules(BaseModel):
    """What a check asks, and the limits that it judges by."""

    rooms: list[RoomRule]
    rules: list[Rule]
    questions: list[str]
    letters: int
    points: int


class ReadingFields(BaseModel):
    """What was read off a photometer: luminances in cd/m², the illuminance in lx."""

    model_config = ConfigDict(extra="forbid")

    greys: list[Annotated[int, Field(ge=0, le=255)]] = Field(min_length=5, max_length=256)
    luminances: list[Luminance] = Field(min_length=5, max_length=256)
    ambient: Luminance
    with_ambient: bool
    points: list[Luminance] = Field(default=[], max_length=5)
    illuminance: Annotated[float, Field(ge=0, le=200_000, allow_inf_nan=False)] | None = None


class CheckFields(BaseModel):
    """A check as entered: answers of a visual one, readings of one by photometer."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["visual", "photometer"]
    columns: Pixels
    rows: Pixels
    pixel_um: Micrometres
    answers: dict[str, bool] | None = Field(None, max_length=50)
    readings: ReadingFields | None = None
    instrument: Text = ""
    remark: Text = ""
    correct: bool = False
    through: uuid.UUID | None = None


class Criterion(BaseModel):
    """One thing that was judged."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    passed: bool
    value: float | None
    limit: float | None
    source: str


class Check(BaseModel):
    """A check in the log. `forecast` is the deviation from the GSDF (%) to expect behind its correction table."""

    id: uuid.UUID
    display_id: uuid.UUID
    kind: str
    passed: bool
    checked_at: datetime
    valid_until: datetime | None
    account_name: str
    display: dict[str, Any]
    entered: dict[str, Any]
    criteria: list[Criterion]
    corrects: bool
    forecast: float | None


class Checks(BaseModel):
    """The log of a display, the latest check first."""

    checks: list[Check]
