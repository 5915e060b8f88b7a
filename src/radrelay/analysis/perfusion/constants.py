"""What a perfusion result rests on: constants and thresholds, printed with every result.

Sources: density of brain tissue and the ratio of large- to small-vessel haematocrit as in Rempp 1994 and Calamante
1999; oscillation index Wu 2003; core and hypoperfusion thresholds as in DEFUSE 3 and EXTEND (Albers 2018, Ma 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

Modality = Literal["CT", "MR"]
Method = Literal["oscillation-index", "fixed-threshold"]
METHODS: tuple[Method, ...] = ("oscillation-index", "fixed-threshold")


@dataclass(frozen=True, slots=True)
class Constants:
    """Everything a user may set; units stand in the names."""

    density_g_per_ml: float = 1.04
    haematocrit_factor: float = 0.73
    method: Method = "oscillation-index"
    oscillation_index: float = 0.035
    fixed_threshold: float = 0.15
    core_relative_cbf: float = 0.30
    core_within_tmax_s: float = 6.0
    core_adc_um2_per_s: float = 620.0
    tmax_thresholds_s: tuple[float, ...] = (4.0, 6.0, 8.0, 10.0)
    normal_tmax_s: float = 4.0
    smallest_cluster_ml: float = 1.0
    vessel_cbv_ml_per_100g: float = 9.0
    partial_volume_limit: float = 3.0
    motion_translation_limit_mm: float = 15.0
    motion_rotation_limit_deg: float = 12.0

    def printed(self) -> Mapping[str, object]:
        """Return the settings by name, as they are printed with a result."""
        return asdict(self)
