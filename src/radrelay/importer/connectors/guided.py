"""The way that is always there: a person opens the portal in a browser, and brings the file here.

Nothing is asked of the portal. What there is to do is told in codes, for a page to put in its words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from radrelay.importer.connectors.entered import link_in
from radrelay.importer.connectors.health_links import is_health_link
from radrelay.importer.connectors.ports import Lead
from radrelay.importer.errors import InMaintenance, LinkExpiredThere, LockedThere, PersonNeeded, PortalTrouble
from radrelay.importer.places import target_of
from radrelay.importer.secret import Secret

Doing = Literal[
    "ask-sender", "wait", "open", "enter-code", "enter-birth-date", "solve-captcha", "enter-sms-code", "prepare",
    "download-zip", "bring-file",
]  # fmt: skip
NAME = "guided"
_PERSON: dict[object, Doing] = {"captcha": "solve-captcha", "sms": "enter-sms-code"}


@dataclass(frozen=True, slots=True)
class Guided:
    """What a person does at a portal, in this order; `awaits` is what has to come of it."""

    host: str
    address: Secret
    doing: tuple[Doing, ...]
    awaits: Literal["file", "nothing"] = "file"

    @property
    def lead(self) -> Lead:
        """Return it as connectors do."""
        return Lead(NAME, self.host, Secret(""), self.address)


def guided_by(text: str, *, clear_loopback: bool = False) -> Guided | None:
    """Return what a person can do with a link, none if there is nothing to open; raises `PortalTrouble`."""
    link = link_in(text)
    if not link or is_health_link(link):
        return None
    target = target_of(link.partition("#")[0], clear_loopback=clear_loopback)
    doing: tuple[Doing, ...] = (
        "open", "enter-code", "enter-birth-date", "prepare", "download-zip", "bring-file",
    )  # fmt: skip
    return Guided(target.name, Secret(link), doing)


def after(guided: Guided, trouble: PortalTrouble) -> Guided:
    """Return what is to be done after a fetching of our own ended in a trouble."""
    if isinstance(trouble, LinkExpiredThere | LockedThere):
        return Guided(guided.host, guided.address, ("ask-sender",), "nothing")
    doing = list(guided.doing)
    if isinstance(trouble, InMaintenance):
        doing.insert(0, "wait")
    person = _PERSON.get(trouble.facts.get("kind")) if isinstance(trouble, PersonNeeded) else None
    if person is not None and person not in doing:
        doing.insert(doing.index("prepare"), person)
    return Guided(guided.host, guided.address, tuple(doing), guided.awaits)
