"""Worklists elsewhere, asked as a modality asks them (PS3.4 K): for whom and for what order something is to be taken.

What is answered is shown and not kept. Names and numbers match as archives match them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from radrelay.network.client import WorklistClient
from radrelay.network.ports import Element, Key, Node, TlsFiles
from radrelay.retrieve.asking import (
    ACCESSION,
    BIRTH_DATE,
    ISSUER,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    SEX,
    STUDY_UID,
    person,
)
from radrelay.retrieve.dicom import breaking
from radrelay.retrieve.errors import WorklistTooWide
from radrelay.retrieve.ports import PacsNode
from radrelay.settings import DicomSettings, RetrieveSettings

STEP = 0x00400100
STATION_AE, STEP_DATE, STEP_TIME, STEP_DESCRIPTION, STEP_ID = 0x00400001, 0x00400002, 0x00400003, 0x00400007, 0x00400009
PROCEDURE, PROCEDURE_ID = 0x00321060, 0x00401001

ITEM_KEYS: tuple[tuple[int, str], ...] = (
    (ACCESSION, "SH"), (PATIENT_NAME, "PN"), (PATIENT_ID, "LO"), (ISSUER, "LO"), (BIRTH_DATE, "DA"), (SEX, "CS"),
    (STUDY_UID, "UI"), (PROCEDURE, "LO"), (PROCEDURE_ID, "SH"),
)  # fmt: skip
STEP_KEYS: tuple[tuple[int, str], ...] = (
    (MODALITY, "CS"), (STATION_AE, "AE"), (STEP_DATE, "DA"), (STEP_TIME, "TM"), (STEP_DESCRIPTION, "LO"),
    (STEP_ID, "SH"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WantedItems:
    """What is looked for. Names may hold `*`."""

    patient_id: str = ""
    patient_name: str = ""
    accession_number: str = ""
    day: date | None = None
    modality: str = ""


@dataclass(frozen=True, slots=True)
class WorklistItem:
    """A scheduled step as a worklist tells of it; what it does not tell is empty."""

    patient_id: str = ""
    issuer: str = ""
    patient_name: str = ""
    birth_date: str = ""
    sex: str = ""
    accession_number: str = ""
    study_uid: str = ""
    procedure: str = ""
    procedure_id: str = ""
    modality: str = ""
    station_ae_title: str = ""
    date: str = ""
    time: str = ""
    description: str = ""
    step_id: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """What a worklist answered: `more` where it was stopped, and how many items could not be read."""

    found: tuple[WorklistItem, ...]
    more: bool = False
    unreadable: int = 0


class Worklists(Protocol):
    """Asks worklists elsewhere."""

    def items(self, node: PacsNode, wanted: WantedItems, most: int) -> Items:
        """Return items that match, at most so many; raises `Broken`."""
        ...


@dataclass(frozen=True)
class DicomWorklists:
    """Fulfils `Worklists` over DICOM."""

    dicom: DicomSettings
    settings: RetrieveSettings
    tls: TlsFiles

    def items(self, node: PacsNode, wanted: WantedItems, most: int) -> Items:
        """Return items that match, at most so many; raises `Broken`, `WorklistTooWide`."""
        keys = item_keys(wanted)
        where = Node(
            node.host,
            node.port,
            node.ae_title,
            node.calling_ae_title or self.dicom.ae_title,
            tls=self.tls if node.tls else None,
            connect_timeout_s=self.settings.connect_timeout_s,
            response_timeout_s=self.settings.search_timeout_s,
        )
        with breaking(), WorklistClient(where) as client:
            matches = client.find_some(None, keys, most)
        found = tuple(item_of(match, step) for match in matches.found for step in _steps(match))
        return Items(found, matches.more, matches.unreadable)


def require_narrow(wanted: WantedItems) -> None:
    """Raise `WorklistTooWide` unless a patient, a number or a day is named."""
    name = wanted.patient_name.replace("^", "").strip("*? ")
    if not (wanted.day or wanted.patient_id.strip("*? ") or wanted.accession_number.strip("*? ") or len(name) > 1):
        raise WorklistTooWide


def item_keys(wanted: WantedItems) -> list[Element]:
    """Return the identifier of a search (PS3.4 K.6.1.2.2); raises `WorklistTooWide`."""
    require_narrow(wanted)
    asked = {
        PATIENT_ID: wanted.patient_id.strip(),
        PATIENT_NAME: person(wanted.patient_name),
        ACCESSION: wanted.accession_number.strip(),
        STEP_DATE: wanted.day.strftime("%Y%m%d") if wanted.day else "",
        MODALITY: wanted.modality.strip(),
    }
    step: list[Element] = [(tag, vr, asked.get(tag, "")) for tag, vr in STEP_KEYS]
    return [*((tag, vr, asked.get(tag, "")) for tag, vr in ITEM_KEYS), (STEP, "SQ", [step])]


def item_of(match: Sequence[Key], step: Sequence[Key]) -> WorklistItem:
    """Return what a match tells of one of its steps."""
    told = {key.tag: key.text.strip() for key in (*step, *match)}
    return WorklistItem(
        patient_id=told.get(PATIENT_ID, ""),
        issuer=told.get(ISSUER, ""),
        patient_name=told.get(PATIENT_NAME, ""),
        birth_date=told.get(BIRTH_DATE, ""),
        sex=told.get(SEX, ""),
        accession_number=told.get(ACCESSION, ""),
        study_uid=told.get(STUDY_UID, ""),
        procedure=told.get(PROCEDURE, ""),
        procedure_id=told.get(PROCEDURE_ID, ""),
        modality=told.get(MODALITY, ""),
        station_ae_title=told.get(STATION_AE, ""),
        date=told.get(STEP_DATE, ""),
        time=told.get(STEP_TIME, ""),
        description=told.get(STEP_DESCRIPTION, ""),
        step_id=told.get(STEP_ID, ""),
    )


def _steps(match: Sequence[Key]) -> Sequence[Sequence[Key]]:
    """Return a match's steps; one that tells none is one all the same."""
    return next((key.items for key in match if key.tag == STEP and key.items), ((),))
