"""What a display must be able to, by what is read on it and by the class of its room (DIN 6868-157).

The standard's own text is not free; its numbers are taken from two public tables, named at each. What neither holds is
the site's to set (`DisplaySettings`), and where both speak the stricter one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from radrelay.settings import DisplaySettings

ROOMS_SOURCE = "DIN 6868-157:2014-11, table 1, as given by aycan (aycan.de) and Dimedtec (dimedtec.de)"
USES_SOURCE = "DIN 6868-157, requirements by body region, as given by EIZO (RadiCS-Anwendungsklassen, 2018-01)"
SITE_SOURCE = "this site's settings (displays.*)"


@dataclass(frozen=True, slots=True)
class RoomClass:
    """A class of rooms: how bright it may be there (lx), and whether its displays are for reading or for viewing."""

    code: str
    most_illuminance_lx: float
    for_reading: bool
    dental: bool = False


ROOMS: Mapping[str, RoomClass] = MappingProxyType(
    {
        room.code: room
        for room in (
            RoomClass("RK1", 50, for_reading=True),
            RoomClass("RK2", 100, for_reading=True),
            RoomClass("RK3", 500, for_reading=True),
            RoomClass("RK4", 1000, for_reading=False),
            RoomClass("RK5", 100, for_reading=True, dental=True),
            RoomClass("RK6", 1000, for_reading=True, dental=True),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of a display. None: nothing is.

    Luminances are in cd/m² with the ambient one, deviations in percent. The matrix is in pixels, the longer side first.
    """

    columns: int | None
    rows: int | None
    luminance: float | None
    ratio: float | None
    gsdf_deviation: float | None
    unevenness: float | None
    pixel_um: float | None = None


USES: Mapping[str, Limits] = MappingProxyType(
    {
        "mammography": Limits(2048, 2048, 250, 250, 10, 25),
        "stereotaxy": Limits(1024, 1024, 200, 100, 15, 25),
        "radiography": Limits(1600, 1200, 250, 250, 10, 25),
        "fluoroscopy": Limits(1024, 1024, 150, 100, 15, 25),
        "ct": Limits(1024, 1024, 150, 100, 15, 25),
        "other": Limits(None, None, None, None, None, None),  # MR, ultrasound and the like: the site's numbers alone
        "dental": Limits(1024, 768, 200, 100, None, 30),
        "viewing": Limits(None, None, None, None, None, None),
    }
)
"""What is read on a display, and what the standard asks for it."""

BRIGHT_DENTAL = Limits(1024, 768, 300, 100, None, 30)
"""Dental reading at the chair (RK6)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One number that is asked for, and where it comes from."""

    value: float
    source: str


Asked = Mapping[str, Limit]
"""Limits by criterion: columns, rows, pixel_um, illuminance, luminance, ratio, gsdf_deviation, unevenness."""

AT_MOST = frozenset({"illuminance", "gsdf_deviation", "unevenness"})


def fits(use: str, room_class: str) -> bool:
    """Say whether `use` can stand in a room of that class: dental with dental, viewing rooms for viewing alone."""
    room = ROOMS.get(room_class)
    if room is None or use not in USES:
        return False
    if not room.for_reading:
        return use == "viewing"
    return use == "viewing" or room.dental == (use == "dental")


def asked_of(use: str, room_class: str, settings: DisplaySettings) -> Asked:
    """Return the limits for a use in a room of that class; of a number that both name, the stricter.

    The site's numbers are about reading medical images: they are not asked of dental and of viewing displays.
    """
    room = ROOMS[room_class]
    norm = BRIGHT_DENTAL if use == "dental" and room_class == "RK6" else USES[use]
    asked = {"illuminance": Limit(room.most_illuminance_lx, ROOMS_SOURCE)}
    own: dict[str, float] = {}
    if use not in ("dental", "viewing"):
        own = {
            "columns": settings.least_matrix,
            "rows": settings.least_matrix,
            "pixel_um": settings.least_pixel_um,
            "luminance": settings.least_luminance,
            "ratio": settings.least_ratio,
            "gsdf_deviation": settings.most_gsdf_deviation,
            "unevenness": settings.most_unevenness,
        }
    for name in ("columns", "rows", "pixel_um", "luminance", "ratio", "gsdf_deviation", "unevenness"):
        limit = _stricter(name, getattr(norm, name), own.get(name))
        if limit is not None:
            asked[name] = limit
    return asked


def _stricter(name: str, norm: float | None, own: float | None) -> Limit | None:
    if norm is None:
        return None if own is None else Limit(own, SITE_SOURCE)
    if own is None or (own >= norm if name in AT_MOST else own <= norm):
        return Limit(norm, USES_SOURCE)
    return Limit(own, SITE_SOURCE)
