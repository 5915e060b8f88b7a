"""`radrelay demo`: an installation of its own with sample studies, so that the first look shows something.

Samples are generated phantoms with realistic headers and the real files that pydicom ships.
"""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import structlog
from pydicom.data import get_testdata_files

from radrelay.app.core import open_core
from radrelay.app.prepare import prepare
from radrelay.dicom import phantoms
from radrelay.intake.landing import Landing
from radrelay.intake.parcels import create_parcel
from radrelay.intake.sources import SourceBook
from radrelay.settings import Settings

log = structlog.get_logger(__name__)


def demo_settings(settings: Settings) -> Settings:
    """Return the settings with a data directory beside the ordinary one, and studies that stay a month."""
    month_s = 30 * 24 * 3600
    retention = settings.retention.model_copy(update={"uploaded_s": month_s, "pushed_s": month_s})
    return settings.model_copy(update={"data_dir": settings.data_dir.parent / "demo", "retention": retention})
