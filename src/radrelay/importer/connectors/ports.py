"""What every connector does: it recognises what someone entered, and goes on that errand step by step.

`recognise` looks at text alone and asks nobody. An errand asks the portal for its questions, gives the answers, lists
what there is and brings it. Each step raises a `PortalTrouble` that says what staff can do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, Protocol, runtime_checkable

from radrelay.importer.downloading import Downloaded, Sink, Tell
from radrelay.importer.secret import Secret

QuestionKind = Literal["birth-date", "study-date", "password", "custom"]
AnswerForm = Literal["date", "text", "clicks"]
FIRST_LANGUAGES = ("en", "de")


@dataclass(frozen=True, slots=True)
class Lead:
    """What a text leads to: which connector, which host, and what opens it there, hidden from sight."""

    connector: str
    host: str
    token: Secret
    address: Secret = field(default=Secret(""))


@dataclass(frozen=True, slots=True)
class Question:
    """What a portal asks before it hands out. `texts` by language (ISO 639), as the portal words it."""

    id: str
    kind: QuestionKind
    form: AnswerForm
    texts: Mapping[str, str] = field(default_factory=dict)

    def text(self, language: str) -> str:
        """Return the question in a language, in one that most people read, or in the first there is."""
        wanted = [language, language.partition("-")[0], *FIRST_LANGUAGES]
        return next((self.texts[one] for one in wanted if one in self.texts), next(iter(self.texts.values()), ""))


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a portal names, as it describes it: a hint, which its bytes overrule.

    `reachable`: False for what is named without a way to fetch it; it is told as missing. Two things of one `id` come
    in one download.
    """

    id: str = field(repr=False)
    media_type: str = ""
    description: str = ""
    study_uid: str = ""
    study_date: date | None = None
    modalities: tuple[str, ...] = ()
    patient_name: str = field(default="", repr=False)
    birth_date: date | None = field(default=None, repr=False)
    sex: str = ""
    files: int | None = None
    reachable: bool = True


class Errand(Protocol):
    """One lead, followed."""

    def ask(self) -> tuple[Question, ...]:
        """Return what the portal asks; nothing when it hands out without."""
        ...

    def answer(self, answers: Mapping[str, str]) -> None:
        """Answer by the questions' ids: dates as YYYY-MM-DD, YYYYMMDD or DD.MM.YYYY; raises `AnswerWrong`, others."""
        ...

    def items(self) -> tuple[Item, ...]:
        """Return what there is; raises `NothingListed`."""
        ...

    def download(self, item: Item, sink: Sink, tell: Tell) -> Downloaded:
        """Bring one item."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """What a person is to do before an errand goes on: a question about what is on a picture (PNG).

    `within_s`: so long it waits. `again`: it had been asked before, of a walk that is no more.
    """

    question: Question
    picture: bytes = field(repr=False)
    within_s: float
    again: bool = False


@runtime_checkable
class LiveErrand(Errand, Protocol):
    """An errand that lives on while a person is asked, and has to be closed."""

    def carry_on(self, answers: Mapping[str, str], look: Callable[[], None]) -> Pending | None:
        """Go on to where the downloads begin, or to where a person is asked; `look` raises when it is not wanted."""
        ...

    def close(self) -> None:
        """End it."""
        ...


@runtime_checkable
class Stepping(Protocol):
    """An errand whose steps have names of their own."""

    step: str


class Connector(Protocol):
    """A language that portals speak."""

    @property
    def name(self) -> str:
        """Return what it is called in records."""
        ...

    def recognise(self, text: str) -> Lead | None:
        """Return what a text leads to, none if it is nothing of this language; asks nobody."""
        ...

    def open(self, lead: Lead) -> Errand:
        """Begin an errand."""
        ...
