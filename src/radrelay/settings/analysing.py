"""Settings of analyses."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from radrelay.settings.base import GIB, Section


class AnalysisSettings(Section):
    """Analyses of studies. Each is off until an organisation switches it on."""

    folder: Path | None = Field(
        None, description="folder of further analyses: in each of its folders an analysis.json and what it names"
    )
    rules: Path | None = Field(
        None, description="a site's own rules for which series is the perfusion, in the place of those shipped (TOML)"
    )
    language: Literal["de", "en"] | None = Field(
        None,
        description="language of the words in pictures and pages of results, where an organisation sets no other;"
        " none: that of letters (mail.language)",
    )
    concurrency: int = Field(1, description="runs at once on this machine", ge=1, le=16)
    memory_bytes: int = Field(4 * GIB, description="memory of all runs at once on this machine", ge=GIB // 8)
    cores: int = Field(2, description="processor cores of all runs at once on this machine", ge=1, le=256)
    nice: int = Field(10, description="how far runs stand back behind everything else (nice)", ge=0, le=19)
    memory_dir: Path = Field(
        Path("/dev/shm"),  # noqa: S108 -- each run makes a folder of its own in it, that nobody else may enter
        description="folder in memory that runs get their images in, where there is room",
    )
    attempts: int = Field(3, description="a run that broke off is begun anew so often", ge=1, le=10)
    retry_first_s: float = Field(30.0, description="wait before a run that broke off is begun anew", gt=0)
    keep_use_days: int = Field(3653, description="days that the log of use is kept; it names no patient", ge=1)
