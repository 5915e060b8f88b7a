"""What a recipe file may say (TOML): its keys and their kinds. What they must say together is in `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from radrelay.importer.connectors.ports import QuestionKind

FailKind = Literal["wrong", "expired", "locked", "maintenance", "captcha", "sms", "not-there", "nothing"]
Result = Literal["fetched", "wrong", "expired", "locked", "maintenance", "captcha", "sms", "not-there", "nothing"]
MOST_STEPS, MOST_TAKEN = 30, 40
WAYS = ("button", "link", "label", "field", "text", "selector")


def _several(told: object) -> object:
    return told if isinstance(told, list) else [told]


def _json(told: Any) -> Any:
    """Let what TOML can say pass as far as JSON can."""
    if isinstance(told, Mapping):
        return {name: _json(one) for name, one in told.items()}
    if isinstance(told, list):
        return [_json(one) for one in told]
    if not isinstance(told, str | int | float | None) or (isinstance(told, float) and not isfinite(told)):
        raise PydanticCustomError("no_json", "dates, times and nan are no JSON")
    return told


Json = Annotated[Any, BeforeValidator(_json)]
Text = Annotated[StrictStr, Field(min_length=1, max_length=2000)]
Name = Annotated[StrictStr, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Texts = Annotated[tuple[Text, ...], BeforeValidator(_several), Field(max_length=20)]
Status = Annotated[StrictInt, Field(ge=100, le=599)]
Statuses = Annotated[tuple[Status, ...], BeforeValidator(_several), Field(max_length=20)]
Frames = Annotated[tuple[Mapping[Text, StrictStr], ...], BeforeValidator(_several), Field(max_length=3)]
Language = Annotated[StrictStr, Field(pattern=r"^[a-z]{2}(-[a-z0-9]+)*$")]
Scalar = StrictStr | StrictBool | StrictInt | StrictFloat
Seconds = Annotated[float, Field(ge=0.5, le=1800)]


class _Part(BaseModel):
    """A table of the file; a key that is not here is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Look(_Part):
    """How an answer looks: all that is named must hold, of several values one."""

    status: Statuses = ()
    text: Texts = ()
    pattern: Text | None = None
    at: Text | None = Field(None, alias="json")
    value: Scalar | None = Field(None, alias="is")
    element: Text | None = None
    where: Mapping[Text, StrictStr] = Field(default_factory=dict)
    address: Text | None = None


class Fail(Look):
    """How a failure looks, and which one it is. `guess`: it counts where an answer is not as it should be otherwise."""

    kind: FailKind = Field(alias="as")
    guess: StrictBool = False


class Take(_Part):
    """What is taken from an answer, and under which name."""

    name: Name = Field(alias="as")
    field: Text | None = None
    element: Text | None = None
    where: Mapping[Text, StrictStr] = Field(default_factory=dict)
    holds: Text | None = None
    attribute: Text | None = None
    at: Text | None = Field(None, alias="json")
    pattern: Text | None = None
    cookie: Text | None = None
    header: Text | None = None
    all: StrictBool = False


class Where(_Part):
    """An element of a page in a browser, in exactly one way: as people read it, by its name, or by a selector."""

    button: Text | None = None
    link: Text | None = None
    label: Text | None = None
    field: Text | None = None
    text: Text | None = None
    selector: Text | None = None

    @property
    def way(self) -> tuple[str, str]:
        """Return the way, and what is looked for."""
        return next((one, found) for one in WAYS if (found := getattr(self, one)) is not None)


class Fill(Where):
    """A field, and what it is filled with."""

    value: StrictStr = Field(alias="with")


class Wish(_Part):
    """What a person is asked while the browser waits: a text, or clicks on the picture of the page."""

    name: Name = Field(alias="as")
    kind: Literal["text", "clicks"] = "text"
    text: Mapping[Language, Text] = Field(default_factory=dict)


class Step(_Part):
    """One request: exactly one of get, post, wait and download is its address. In a browser: one thing that is done."""

    name: Text
    get: Text | None = None
    post: Text | None = None
    wait: Text | None = None
    download: Text | None = None
    form: Mapping[Text, StrictStr] | None = None
    multipart: StrictBool = False
    body: Mapping[Text, Json] | None = Field(None, alias="json")
    headers: Mapping[Text, Text] = Field(default_factory=dict)
    frame: Frames = ()
    expect: Look | None = None
    until: Look | None = None
    every_s: Seconds = 2.0
    most_s: Seconds = 600.0
    fails: tuple[Fail, ...] = Field((), max_length=20)
    take: tuple[Take, ...] = Field((), max_length=MOST_TAKEN)
    description: StrictStr = Field("", max_length=200)
    goto: Text | None = None
    fill: tuple[Fill, ...] | None = Field(None, min_length=1, max_length=20)
    click: Where | None = None
    wish: Wish | None = Field(None, alias="ask")
    save: Where | None = None
    when: Look | None = None
    within_s: Seconds = 30.0

    @property
    def address(self) -> str:
        """Return the address, of whichever kind it is."""
        return next(one for one in (self.get, self.post, self.wait, self.download, self.goto) if one is not None)

    @property
    def within(self) -> Frames:
        """Return the frames in which it is done in a browser; `goto` goes on to the page in them instead."""
        acts = self.fill is not None or self.click is not None or self.save is not None
        return self.frame if acts else ()

    @property
    def brings(self) -> bool:
        """Tell whether a parcel comes of it."""
        return self.download is not None or self.save is not None


class Link(_Part):
    """A link that the portal hands out on paper."""

    address: Text


class Ask(_Part):
    """What is asked of the person, unless the link holds it."""

    name: Name
    kind: QuestionKind = "custom"
    text: Mapping[Language, Text] = Field(default_factory=dict)

    @property
    def dated(self) -> bool:
        """Tell whether it is a day."""
        return self.kind in ("birth-date", "study-date")


class Exchange(_Part):
    """One request that a test awaits (exactly one of get and post), and what is answered."""

    get: Text | None = None
    post: Text | None = None
    form: Mapping[Text, StrictStr] | None = None
    body: Mapping[Text, Json] | None = Field(None, alias="json")
    headers: Mapping[Text, StrictStr] = Field(default_factory=dict)
    status: Status = 200
    sends: Mapping[Text, StrictStr] = Field(default_factory=dict)
    page: Annotated[StrictStr, Field(max_length=100_000)] | None = None
    answer: Json = None
    file: Text | None = None
    zip: StrictBool = False


class Test(_Part):
    """A walk that was recorded, with what it must come to."""

    __test__ = False

    name: Text
    link: Text
    answers: Mapping[Name, StrictStr] = Field(default_factory=dict)
    result: Result = "fetched"
    exchange: tuple[Exchange, ...] = Field((), max_length=200)


class Told(_Part):
    """A whole recipe file."""

    recipe: Literal[1]
    name: Text
    note: StrictStr = Field("", max_length=4000)
    browser: StrictBool = False
    hosts: tuple[Text, ...] = Field(min_length=1, max_length=20)
    link: tuple[Link, ...] = Field(min_length=1, max_length=20)
    ask: tuple[Ask, ...] = Field((), max_length=10)
    fails: tuple[Fail, ...] = Field((), max_length=40)
    step: tuple[Step, ...] = Field(min_length=1, max_length=MOST_STEPS)
    test: tuple[Test, ...] = Field((), max_length=40)
