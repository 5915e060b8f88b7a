"""`radrelay demo`: an installation of its own with sample studies, so that the first look shows something.

Samples are generated phantoms with realistic headers and the real files that pydicom ships.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import structlog

from radrelay.app.core import open_core
from radrelay.dicom import phantoms
from radrelay.intake.files import FileLander
from radrelay.intake.landing import Landing
from radrelay.intake.parcels import Parcels
from radrelay.intake.sources import SourceBook
from radrelay.settings import Settings
from radrelay.storage.ids import new_id

log = structlog.get_logger(__name__)

MONTH_S = 30 * 24 * 3600


def demo_settings(settings: Settings) -> Settings:
    """Return the settings with a data directory beside the ordinary one, and studies that stay a month."""
    retention = settings.retention.model_copy(update={"uploaded_s": MONTH_S, "pushed_s": MONTH_S, "quiet_s": 5.0})
    folder = settings.data_dir.parent / f"{settings.data_dir.name}-demo"
    return settings.model_copy(update={"data_dir": folder, "retention": retention})


def load_samples(settings: Settings) -> int:
    """Land the samples as one parcel of the import source; returns how many files were kept."""
    core = open_core(settings)
    landing = Landing.open(settings, f"import-{new_id().hex[:24]}", core.keyring, core.clock)
    try:
        book = SourceBook(core.database, settings)
        book.refresh()
        parcels = Parcels(core.database, core.clock)
        origin = parcels.create(book.resolve("import"), "sample studies")
        lander = FileLander(landing, origin)
        kept = 0
        for name, content in _samples():
            kept += lander.land(name, [content], wait=False).landed is not None
        parcels.seal(landing, origin)
        log.info("samples loaded", files=kept)
        return kept
    finally:
        landing.close()
        core.close()


def _samples() -> Iterator[tuple[str, bytes]]:
    import pydicom.data  # noqa: PLC0415 -- slow to import, and only samples need it

    folder = Path(pydicom.data.__file__).parent / "test_files"
    for path in sorted(folder.glob("*.dcm")):
        yield f"pydicom/{path.name}", path.read_bytes()
    for number, content in enumerate(phantoms.samples()):  # last, so that the list begins with them
        yield f"phantoms/{number:04d}.dcm", content
