"""The command `radrelay perfusion`: a folder of images in, a folder of results out; nothing is written unless all is.

It is also what the pipeline runs in a process of its own: progress as lines of JSON on standard output, a refusal as
one on standard error with the exit status 3.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from radrelay.app.perfusion_words import in_words, refusal_in_words
from radrelay.errors import Misconfigured, RadrelayError

if TYPE_CHECKING:
    from radrelay.analysis.images.reading import Read
    from radrelay.analysis.objects import Language, Order
    from radrelay.analysis.perfusion import Constants, Options, Result
    from radrelay.analysis.perfusion.pipeline import Progress
    from radrelay.analysis.study import Findings

REFUSED = 3
READING, WRITING = 0.15, 0.1  # of the whole, as progress tells it
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
RUN = "RADRELAY_ANALYSIS_RUN"
CORES = "RADRELAY_ANALYSIS_CORES"
COVERED = 0.95  # of the perfusion's slab by diffusion: what was not scanned is not free of infarction
Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command was told; `values` are constants and options by name."""

    folder: Path
    out: Path
    values: Mapping[str, object]
    series: Sequence[str] = ()
    language: str = "en"
    rules: Path | None = None
    progress: bool = False


def one_thread_each() -> None:
    """Have products of small matrices computed by one thread: must come before numpy is loaded."""
    if all(os.environ.get(name) == "1" for name in ONE_THREAD):
        return
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    if "numpy" in sys.modules:
        os.execv(sys.executable, [sys.executable, "-m", "radrelay", *sys.argv[1:]])  # noqa: S606 -- itself


def perfusion_command(wish: Wish) -> int:
    """Analyse a folder; returns the exit status: 0, or 3 where the study is refused, with the reason on stderr."""
    one_thread_each()
    from radrelay.analysis.perfusion import AnalysisRefused  # noqa: PLC0415 -- numpy is loaded only now

    try:
        told = _analysed(wish)
    except AnalysisRefused as error:
        _refuse(error, wish)
        return REFUSED
    if not wish.progress:
        print("\n".join(told))  # noqa: T201
    return 0


def _refuse(error: RadrelayError, wish: Wish) -> None:
    if wish.progress:
        said = {"code": error.code, "message": error.message, "facts": dict(error.facts)}
        print(json.dumps(said), file=sys.stderr)  # noqa: T201
        return
    print(f"radrelay: {refusal_in_words(error, language_of(wish))}", file=sys.stderr)  # noqa: T201


def language_of(wish: Wish) -> Language:
    """Return the language that the parameters name, else the command; raises `Misconfigured` for what is none."""
    chosen = wish.values.get("language") or wish.language
    if chosen not in ("de", "en"):
        raise Misconfigured("language: one of de, en")
    return "de" if chosen == "de" else "en"


def _analysed(wish: Wish) -> list[str]:
    from radrelay.analysis.images.reading import files_in, read_study  # noqa: PLC0415
    from radrelay.analysis.images.recognising import read_rules  # noqa: PLC0415

    constants, options = settings_of(wish.values)
    language_of(wish)
    _require_free(wish.out)
    tell = _teller(wish.progress)
    tell("reading", 0.0)
    read = read_study(files_in(wish.folder), wish.series, read_rules(wish.rules))
    tell("reading", READING)
    result = analysed(
        read, options, constants, lambda step, share: tell(step, READING + share * (1 - READING - WRITING))
    )
    tell("writing", 1 - WRITING)
    found = _written(wish, read, result)
    tell("writing", 1.0)
    return in_words(found, language_of(wish))


def analysed(read: Read, options: Options, constants: Constants, progress: Progress | None = None) -> Result:
    """Analyse what was read; what the reading warns of stands before what the analysis does."""
    from radrelay.analysis.images.onto import covered, onto  # noqa: PLC0415
    from radrelay.analysis.perfusion import Warned, analyse  # noqa: PLC0415

    study, warnings = read.study, list(read.warnings)
    images = study.perfusion
    assert images.times is not None  # noqa: S101 -- a stack over time has times
    if read.left_out:
        warnings.append(Warned("images-left-out", {"images": read.left_out}))
    diffusion = None
    if study.diffusion is not None and study.diffusion_weighted is not None:
        both = (study.diffusion, study.diffusion_weighted)
        if all(covered(one.slab, images.slab) >= COVERED for one in both):
            adc, weighted = (onto(one.values, one.slab, images.slab) for one in both)
            diffusion = (adc, weighted) if adc is not None and weighted is not None else None
        if diffusion is None:
            warnings.append(Warned("diffusion-elsewhere"))
    elif study.modality == "MR":
        warnings.append(Warned("no-diffusion"))
    chosen = replace(options, modality="MR" if study.modality == "MR" else "CT", te_s=study.te_s or options.te_s)
    result = analyse(
        images.values, images.times, images.slab.spacing, chosen, constants, progress, diffusion=diffusion,
        other_times=images.other_times,
    )  # fmt: skip
    return replace(result, warnings=(*warnings, *result.warnings))


def settings_of(values: Mapping[str, object]) -> tuple[Constants, Options]:
    """Return constants and options by their names; raises `Misconfigured` for what is none or out of its bounds."""
    from radrelay.analysis.errors import ParametersInvalid  # noqa: PLC0415
    from radrelay.analysis.kinds import perfusion  # noqa: PLC0415
    from radrelay.analysis.perfusion import Constants, Options  # noqa: PLC0415

    known = {one.name for one in fields(Constants)}
    try:
        perfusion().checked({name: value for name, value in values.items() if value is not None})
        given: dict[str, Any] = {
            name: tuple(float(one) for one in cast("Sequence[float]", value)) if isinstance(value, list) else value
            for name, value in values.items() if name in known and value is not None
        }  # fmt: skip
        constants = Constants(**given)
        if min(constants.tmax_thresholds_s) <= 0:
            raise Misconfigured("tmax_thresholds_s: seconds over 0")
        places = {name: _places(values.get(name)) for name in ("artery", "vein")}
    except ParametersInvalid as error:
        raise Misconfigured(error.message) from error
    except (TypeError, ValueError) as error:
        raise Misconfigured(f"parameters: {error}") from error
    cores = os.environ.get(CORES, "")
    return constants, Options(
        correct_motion=bool(values.get("correct_motion", True)), artery=places["artery"], vein=places["vein"],
        workers=int(cores) if cores.isdigit() and int(cores) else None,
    )  # fmt: skip


def _places(said: object) -> tuple[Place, ...]:
    found = []
    for one in cast("Sequence[Sequence[float]]", said or ()):
        z, y, x = (int(number) for number in one)
        found.append((z, y, x))
    return tuple(found)


def _require_free(out: Path) -> None:
    if out.exists() and any(out.iterdir()):
        raise Misconfigured(f"{out}: the folder is not empty")


def _written(wish: Wish, read: Read, result: Result) -> Findings:
    """Write beside the folder, and put it in its place once all is there."""
    from radrelay.analysis.objects import write  # noqa: PLC0415

    wish.out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".perfusion-", dir=wish.out.parent))
    try:
        found = write(read.study, result, _order(wish, read, result), aside)
        if wish.out.exists():
            wish.out.rmdir()
        aside.chmod(0o755)
        aside.rename(wish.out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return found


def _order(wish: Wish, read: Read, result: Result) -> Order:
    from radrelay.analysis.objects import Order  # noqa: PLC0415

    language = language_of(wish)
    run = os.environ.get(RUN) or _run_of(read, {**wish.values, "language": language})
    return Order(run, datetime.now().astimezone(), language)


def _run_of(read: Read, values: Mapping[str, object]) -> str:
    """Return a name for what is analysed how, so that the same twice yields the same objects, and only the same."""
    from radrelay import __version__  # noqa: PLC0415

    digest = hashlib.sha256(json.dumps([__version__, dict(values)], sort_keys=True, default=str).encode())
    study = read.study
    for images in (study.perfusion, study.diffusion, study.diffusion_weighted):
        for column in () if images is None else images.references:
            for one in column:
                digest.update(f"{one.sop_uid}/{one.frame}".encode())
        digest.update(b"-")
    return digest.hexdigest()


def _teller(wanted: bool) -> Progress:
    def tell(step: str, share: float) -> None:
        if wanted:
            print(json.dumps({"step": step, "share": round(share, 3)}), flush=True)  # noqa: T201

    return tell


def phantom_command(
    out: Path, *, modality: str, noise: float, seed: int, pixels: int, slices: int, frames: int, jog: bool = False,
    enhanced: bool = False,
) -> int:  # fmt: skip
    """Write a digital phantom with a lesion as DICOM files."""
    one_thread_each()
    from radrelay.analysis.images.phantom_enhanced import write_enhanced  # noqa: PLC0415
    from radrelay.analysis.images.phantom_files import in_turns, lesion, write  # noqa: PLC0415

    if enhanced and modality == "MR":
        raise Misconfigured("--enhanced: of CT only")
    _require_free(out)
    recipe = lesion(modality=modality, noise=noise, seed=seed, pixels=pixels, slices=slices, frames=frames)
    recipe = in_turns(recipe) if jog else recipe
    print(f"{(write_enhanced if enhanced else write)(recipe, out)} images in {out}")  # noqa: T201
    return 0
