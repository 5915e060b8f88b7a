"""Kinds of analyses: the built-in one, and those that a folder of descriptions names.

A description (`analysis.json`) says what an external program or a model takes, what may be set, and its limits. It is
the operator's: nobody who merely administers an organisation can have a program run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from radrelay import __version__
from radrelay.analysis.errors import AnalysisUnknown, ParametersInvalid
from radrelay.analysis.perfusion.constants import METHODS, Constants
from radrelay.errors import Misconfigured
from radrelay.settings import GIB, AnalysisSettings

log = structlog.get_logger(__name__)

DESCRIPTION = "analysis.json"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
ParameterKind = Literal["number", "choice", "boolean", "list"]
Value = float | str | bool | list[object] | None


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that may be set. A list's items are numbers or lists of numbers, between `least` and `most` of them."""

    name: str
    kind: ParameterKind
    default: Value = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""

    def checked(self, value: object) -> Value:
        """Return a value as it is kept; raises `ParametersInvalid`."""
        if value is None and self.default is None:
            return None
        if self.kind == "boolean" and isinstance(value, bool):
            return value
        if self.kind == "choice" and isinstance(value, str) and value in self.choices:
            return value
        if self.kind == "number" and _is_number(value) and self._within(float(value)):  # type: ignore[arg-type]
            return value  # type: ignore[return-value]
        if self.kind == "list" and isinstance(value, list) and self._within(len(value)) and _all_numbers(value):
            return value
        raise ParametersInvalid(f"{self.name}: that is no value of this parameter", field=self.name)

    def _within(self, number: float) -> bool:
        return (self.least is None or number >= self.least) and (self.most is None or number <= self.most)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _all_numbers(values: list[object]) -> bool:
    return all(_all_numbers(one) if isinstance(one, list) else _is_number(one) for one in values)


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run may use: of each of its processes the memory, of all of them the cores, the time and the output.

    `at_once`: so many runs on all machines together.
    """

    memory_bytes: int = 2 * GIB
    cores: int = 2
    seconds: float = 900.0
    output_bytes: int = GIB
    at_once: int = 1


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A label that a model gives voxels; category and type are codes: value, scheme, meaning."""

    value: int
    label: str
    category: tuple[str, str, str] = ("123037004", "SCT", "Anatomical Structure")
    type: tuple[str, str, str] = ("123037004", "SCT", "Anatomical Structure")


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model takes and gives: one volume of float32 as (1, 1, slices, rows, columns), labels of its voxels.

    Values are cut at `least` and `most`, then (value - `subtract`) / `divide`. `spacing_mm` (slices, rows, columns):
    the volume is resampled to it. The answer has a channel per label, of which the highest counts (`labels`), or one
    channel that is label 1 from `threshold` on (`threshold`).
    """

    file: str
    segments: tuple[Segment, ...]
    least: float | None = None
    most: float | None = None
    subtract: float = 0.0
    divide: float = 1.0
    spacing_mm: tuple[float, float, float] | None = None
    output: Literal["labels", "threshold"] = "labels"
    threshold: float = 0.5


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `analysis.json` says: a `program` (arguments before the two folders), or a `model` beside it."""

    name: str
    version: str
    title: str = ""
    modalities: tuple[str, ...] = ()
    program: tuple[str, ...] = ()
    model: Model | None = None
    parameters: tuple[Parameter, ...] = ()
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of analysis. `command`: what is run, before its input and its output folder."""

    name: str
    title: str
    version: str
    modalities: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    command: tuple[str, ...]
    limits: Limits
    built_in: bool = False
    folder: Path | None = None

    def checked(self, given: Mapping[str, object]) -> dict[str, Value]:
        """Return parameters as they are kept; raises `ParametersInvalid` naming which is none."""
        known = {one.name: one for one in self.parameters}
        if further := sorted(set(given) - set(known)):
            raise ParametersInvalid(f"{further[0][:64]}: there is no such parameter", field=further[0][:64])
        return {name: known[name].checked(value) for name, value in given.items()}

    def filled(self, *given: Mapping[str, Value]) -> dict[str, Value]:
        """Return every parameter's value: its default, or what the last of those given says."""
        values: dict[str, Value] = {one.name: one.default for one in self.parameters}
        for some in given:
            values |= {name: value for name, value in some.items() if name in values}
        return values


_BETWEEN = {
    "density_g_per_ml": (0.9, 1.2), "haematocrit_factor": (0.3, 1.0), "oscillation_index": (0.005, 0.5),
    "fixed_threshold": (0.01, 0.5), "core_relative_cbf": (0.05, 0.9), "core_within_tmax_s": (0, 30),
    "core_adc_um2_per_s": (300, 1000), "normal_tmax_s": (0, 30), "smallest_cluster_ml": (0, 100),
    "vessel_cbv_ml_per_100g": (1, 100), "partial_volume_limit": (1, 10), "motion_translation_limit_mm": (1, 100),
    "motion_rotation_limit_deg": (1, 90),
}  # fmt: skip
_UNITS = {"_g_per_ml": "g/mL", "_um2_per_s": "µm²/s", "_ml_per_100g": "mL/100 g", "_ml": "mL", "_mm": "mm", "_deg": "°",
          "_s": "s"}  # fmt: skip
MOST_PLACES = 64


def _unit(name: str) -> str:
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def perfusion(language: str = "en") -> Kind:
    """Return the built-in analysis of brain perfusion, whose pictures speak `language` unless a run says otherwise."""
    constants = Constants()
    parameters = [
        Parameter("artery", "list", [], 0, MOST_PLACES),
        Parameter("vein", "list", [], 0, MOST_PLACES),
        Parameter("language", "choice", language, choices=("en", "de")),
        Parameter("correct_motion", "boolean", default=True),
        Parameter("method", "choice", constants.method, choices=METHODS),
        Parameter("tmax_thresholds_s", "list", list(constants.tmax_thresholds_s), 1, 10, unit="s"),
    ]
    for name, (least, most) in _BETWEEN.items():
        parameters.append(Parameter(name, "number", getattr(constants, name), least, most, unit=_unit(name)))
    return Kind(
        "perfusion", "Perfusion", __version__, ("CT", "MR"), tuple(parameters), ("perfusion",),
        Limits(memory_bytes=4 * GIB, cores=2, seconds=900.0), built_in=True,
    )  # fmt: skip


class Kinds:
    """The kinds of this installation, read once; `language` is that of its letters."""

    def __init__(self, settings: AnalysisSettings, language: str = "en") -> None:
        built_in = perfusion(settings.language or language)
        self._kinds = {one.name: one for one in (built_in, *described(settings.folder))}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def __contains__(self, name: str) -> bool:
        return name in self._kinds

    def get(self, name: str) -> Kind:
        """Return a kind; raises `AnalysisUnknown`."""
        try:
            return self._kinds[name]
        except KeyError:
            raise AnalysisUnknown(f"there is no analysis {name[:32]!r} here", kind=name[:32]) from None


def described(folder: Path | None) -> list[Kind]:
    """Return the kinds that a folder holds, by name; a description that says nothing is told in the log, and left out.

    One that is wrong must not keep anything else from working.
    """
    found: dict[str, Kind] = {}
    for path in sorted(folder.glob(f"*/{DESCRIPTION}")) if folder is not None else ():
        try:
            kind = _kind_of(path)
            if kind.name in found or kind.name == "perfusion":
                raise Misconfigured(f"{path}: there are two analyses of the name {kind.name}")
        except Misconfigured as error:
            log.error("an analysis is left out: its description is wrong", reason=error.message)
            continue
        found[kind.name] = kind
    return list(found.values())


def description_at(path: Path) -> Description:
    """Return what a description says; raises `Misconfigured`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Description)
    except (OSError, msgspec.MsgspecError) as error:
        raise Misconfigured(f"{path}: {error}") from error


def _kind_of(path: Path) -> Kind:
    said = description_at(path)
    if not _NAME.fullmatch(said.name) or bool(said.program) == (said.model is not None):
        raise Misconfigured(f"{path}: it has a name of a-z, 0-9 and -, and either a program or a model")
    folder = path.parent
    if said.model is not None:
        command: tuple[str, ...] = ("model", str(path))
    else:
        first = folder / said.program[0]
        command = (str(first) if first.exists() else said.program[0], *said.program[1:])
    kind = Kind(
        said.name, said.title or said.name, said.version, said.modalities, said.parameters, command, said.limits,
        built_in=said.model is not None, folder=folder,
    )  # fmt: skip
    try:
        kind.checked({one.name: one.default for one in kind.parameters})
    except ParametersInvalid as error:
        raise Misconfigured(f"{path}: the default of {error.message}") from error
    return kind
