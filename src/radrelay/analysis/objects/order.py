"""What objects of a run are to be like: its own UIDs, when it was made, in which language pictures speak.

UIDs follow from the run alone, so that a run that is written twice yields the very same objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from radrelay import __version__
from radrelay.dicom.writing import derived_uid

Language = Literal["en", "de"]
MANUFACTURER = "Radrelay"
MODEL = "Radrelay perfusion"
PROGRAM = f"Radrelay {__version__}"
RESEARCH = "For research use, not a certified medical device"
SERIAL = "1"  # a program has none; enhanced objects want one (PS3.3 C.7.5.2)


@dataclass(frozen=True, slots=True)
class Order:
    """How the objects of a run are written; `run` names it, `made_at` without a zone is the site's local time.

    `method` says how it was made, with every constant.
    """

    run: str
    made_at: datetime
    language: Language = "en"
    method: str = ""

    @property
    def local(self) -> datetime:
        """The moment in the site's local time, which dates and times without offset are in."""
        return self.made_at.astimezone()

    def uid(self, *parts: object) -> str:
        """Return a UID that is this run's for what `parts` name."""
        return derived_uid("perfusion", self.run, *parts)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the study an object stands."""

    series: str
    number: int
    description: str
    instance: int = 1

    def series_uid(self, order: Order) -> str:
        """Return the UID of its series."""
        return order.uid("series", self.series)

    def sop_uid(self, order: Order) -> str:
        """Return the object's own UID."""
        return order.uid("object", self.series, self.instance)
