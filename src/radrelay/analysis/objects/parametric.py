"""Maps as Parametric Maps (PS3.3 A.75): 32-bit floats in their unit, with the standard's codes, one object per map."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from highdicom.pm import ParametricMap, RealWorldValueMapping

from radrelay.analysis.objects import evidence
from radrelay.analysis.objects.codes import EQUIVALENT, PERFUSION_ANALYSIS, QUANTITIES, UNITS
from radrelay.analysis.objects.evidence import Evidence
from radrelay.analysis.objects.order import RESEARCH, Order, Place
from radrelay.analysis.objects.shown import Volume

FIRST_NUMBER = 9101
LONGEST_LABEL = 16


def place_of(volume: Volume, number: int) -> Place:
    """Return where a map stands in the study."""
    return Place(f"map-{volume.name}", FIRST_NUMBER + number, f"Perfusion {volume.name} (values, for research use)")


def map_file(source: Evidence, order: Order, volume: Volume, number: int) -> bytes:
    """Return a map as a file; what is no tissue holds 0."""
    slab, scale = volume.slab, volume.scale
    found = ParametricMap(
        source_images=source.images,
        pixel_array=np.ascontiguousarray(volume.values, dtype=np.float32),
        **evidence.arguments(order, place_of(volume, number)),
        **evidence.device(),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(volume)],
        voi_lut_transformations=[
            hd.VOILUTTransformation((scale.least + scale.most) / 2, scale.most - scale.least, volume.name)
        ],
        content_label=volume.name.upper()[:LONGEST_LABEL],
        content_description=f"{volume.name}. {RESEARCH}"[:64],
        derivation=PERFUSION_ANALYSIS,
        plane_positions=[hd.PlanePositionSequence("PATIENT", [float(one) for one in at]) for at in slab.positions],
    )
    return source.file_bytes(found)


def _mapping(volume: Volume) -> RealWorldValueMapping:
    name = volume.name
    limits = np.finfo(np.float32)
    mapping = RealWorldValueMapping(
        lut_label=name[:LONGEST_LABEL],
        lut_explanation=f"{name} in {volume.scale.unit}"[:64],
        unit=UNITS[name],
        value_range=(float(limits.min), float(limits.max)),
        slope=1,
        intercept=0,
        quantity_definition=QUANTITIES[name],
    )
    if name in EQUIVALENT:
        value = mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
        value.EquivalentCodeSequence = [EQUIVALENT[name]]
    return mapping
