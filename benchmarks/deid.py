"""CT slices de-identified per second of one core, from a file's bytes to a file's bytes, beside dicom-anonymizer.

Both read, apply the Basic Profile and write in memory, one process each in turn; processor time counts, so that other
work on the machine tells little. The options that dicom-anonymizer does not know are measured alone.
"""

from __future__ import annotations

import io
import shutil
import time
import warnings
from collections.abc import Callable

import pydicom
from dicomanonymizer.simpledicomanonymizer import anonymize_dataset, initialize_actions_2024b

from benchmarks.objects import write_ct
from benchmarks.plan import Plan
from benchmarks.table import OURS, Aim, Line, interleaved, line
from radrelay.dicom.deidentify import Deidentified, Option, Project, deidentify
from radrelay.dicom.part10 import parse_preamble

PART = "deid"
ANONYMIZER = "dicom-anonymizer"
_BASIC = Project("benchmark", bytes(range(32)))
_CLEANED = Project(
    "benchmark",
    bytes(range(32)),
    frozenset({
        Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES, Option.SAFE_PRIVATE, Option.PATIENT, Option.CLEAN_STRUCTURED,
    }),
)  # fmt: skip


def run(plan: Plan) -> list[Line]:
    """De-identify the same slices in turns."""
    folder = plan.folder / PART
    files = [path.read_bytes() for path in write_ct(folder / "ct", plan.pick(400, 40))]
    shutil.rmtree(folder)
    theirs = files[: plan.pick(40, 5)]
    rules = initialize_actions_2024b()

    def per_second(work: Callable[[bytes], int], sources: list[bytes]) -> float:
        begun = time.process_time()
        for source in sources:
            work(source)
        return len(sources) / (time.process_time() - begun)

    basic = interleaved(
        plan.rounds,
        {
            OURS: lambda _: per_second(lambda source: _ours(source, _BASIC), files),
            ANONYMIZER: lambda _: per_second(lambda source: _theirs(source, rules), theirs),
        },
    )
    cleaned = interleaved(plan.rounds, {OURS: lambda _: per_second(lambda source: _ours(source, _CLEANED), files)})
    size = len(files[0]) / 1e3
    what = f"CT {size:.0f} kB de-identified, pixels untouched, one core"
    return plan.tell(
        [
            line(PART, f"{what}: Basic Profile", "slices/s", basic, Aim(200)),
            line(PART, f"{what}: descriptions and reports cleaned, dates moved, safe private kept", "slices/s",
                 cleaned, Aim(200)),
        ]
    )  # fmt: skip


def _ours(source: bytes, project: Project) -> int:
    head = parse_preamble(source[:4096])
    made = deidentify(memoryview(source)[head.dataset_offset :], head.transfer_syntax_uid, project)
    if not isinstance(made, Deidentified):
        raise RuntimeError(f"a slice was refused: {made.reasons}")
    return len(made.file)


def _theirs(source: bytes, rules: dict[object, object]) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data_set = pydicom.dcmread(io.BytesIO(source))
        anonymize_dataset(data_set, base_rules_gen=lambda: dict(rules))
        written = io.BytesIO()
        data_set.save_as(written)
    return written.tell()
