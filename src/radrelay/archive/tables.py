"""The mapped tables as Core tables, for statements that go past the unit of work."""

from __future__ import annotations

from typing import cast

import sqlalchemy as sa

from radrelay.archive.models import (
    Attachment,
    Correction,
    Holding,
    Instance,
    InstanceHolding,
    Modality,
    Patient,
    Sender,
    Series,
    ShortToken,
    Study,
    Tombstone,
)
from radrelay.storage.columns import Base
from radrelay.storage.models import Erasure, KeptKey, LandingCursor, LandingRecord, Pack


def table_of(model: type[Base]) -> sa.Table:
    """Return the Core table of a mapped class."""
    return cast(sa.Table, model.__table__)


ATTACHMENT = table_of(Attachment)
CORRECTION = table_of(Correction)
HOLDING = table_of(Holding)
INSTANCE = table_of(Instance)
INSTANCE_HOLDING = table_of(InstanceHolding)
MODALITY = table_of(Modality)
PATIENT = table_of(Patient)
SENDER = table_of(Sender)
SERIES = table_of(Series)
STUDY = table_of(Study)
TOKEN = table_of(ShortToken)
TOMBSTONE = table_of(Tombstone)
ERASURE = table_of(Erasure)
KEPT_KEY = table_of(KeptKey)
LANDING_CURSOR = table_of(LandingCursor)
LANDING_RECORD = table_of(LandingRecord)
PACK = table_of(Pack)
