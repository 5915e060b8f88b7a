"""All real files: results can be read, hold nothing of the patient, and are as valid as their sources."""

from __future__ import annotations

import re
import subprocess
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from radrelay.dicom.deidentify import Deidentified, Option, Project, Refused, deidentify
from radrelay.dicom.deidentify.texts import is_technical
from radrelay.dicom.part10 import file_meta, parse_preamble
from radrelay.errors import RadrelayError
from tests.dicom.deidentify.made import outcome_of, project, read

TRUSTING = frozenset(("", "OT", "US", "CT", "MR", "XC", "SM", "SC", "DG", "SEG"))
ALL = tuple(
    option for option in Option if option not in (Option.FULL_DATES, Option.UIDS, Option.DEVICE, Option.INSTITUTION)
)
NAMES = frozenset({0x00100010, 0x00100020, 0x00100021, 0x00101000, 0x00101001, 0x00080090, 0x00080050})
VALID = ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm", "rtdose.dcm", "rtstruct.dcm", "reportsi.dcm", "liver_1frame.dcm",
         "examples_overlay.dcm", "examples_ybr_color.dcm", "examples_palette.dcm", "waveform_ecg.dcm",
         "ExplVR_BigEnd.dcm")  # fmt: skip


def files(folder: Path) -> Iterator[tuple[Path, bytes, str]]:
    """Yield the path, data set and transfer syntax of each file that is DICOM."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        whole = path.read_bytes()
        try:
            head = parse_preamble(whole)
        except RadrelayError:
            continue
        if head.transfer_syntax_uid and not (head.guessed and path.suffix not in (".dcm", "")):
            yield path, whole[head.dataset_offset :], head.transfer_syntax_uid


def words_of(source: Dataset) -> set[str]:
    """Return the words of the patient's and the physicians' names and numbers, those long enough to mean somebody."""
    texts = [str(element.value) for element in source.iterall() if int(element.tag) in NAMES]
    # why: phantoms called Perfusion or the like, whose pictures are of such a type
    words = {word for text in texts for word in re.split(r"[\\^=\s,'\[\]]+", text)}
    common = ("unknown", "anonymous", "patient", "removed")
    telling = (word for word in words if word.casefold() not in common and not is_technical(word))
    return {word for word in telling if len(word) > 5 and not word.isdecimal()}


def searched(path: Path, data_set: bytes, ts: str, ours: Project) -> Deidentified | Refused:
    """De-identify an object, and look for its patient in all of the result but its pixels."""
    made = deidentify(data_set, ts, ours)
    if isinstance(made, Refused):
        return made
    allowed = ("", "REMOVED", made.alias.patient_id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = read(made)
        assert again.PatientIdentityRemoved == "YES", path
        assert not [one.tag for one in again.iterall() if one.VR == "PN" and str(one.value) not in allowed], path
    return made


@pytest.mark.shared
@pytest.mark.parametrize("options", [(), ALL], ids=["basic", "all"])
def test_every_file_is_made_safe_or_kept_back(shared_data: Path, options: tuple[Option, ...]) -> None:
    ours = project(*options, trust_unmarked=TRUSTING)
    found: Counter[str] = Counter()
    for number, (path, data_set, ts) in enumerate(files(shared_data)):
        slices = "series" in path.parts or "ibsi-sts" in path.parts or "example_ct_dicom" in path.parts
        if "bomb" in path.name or "broken/pwnlab" in str(path) or (slices and number % 8):
            continue
        made = searched(path, data_set, ts, ours)
        found["made" if isinstance(made, Deidentified) else "refused"] += 1
        if isinstance(made, Refused) or ours.options:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            left = "\n".join(str(one.value) for one in read(made).iterall() if one.VR != "SQ").casefold()
            words = words_of(source)
        for word in words:
            assert word.casefold() not in left, f"{path}: a value of the patient is left"
    assert found["made"] > 300


@pytest.mark.shared
def test_hostile_files_do_no_harm(shared_data: Path) -> None:
    for path, data_set, ts in files(shared_data / "broken" / "pwnlab-cat01-10"):
        assert isinstance(deidentify(data_set, ts, project(*ALL)), Deidentified | Refused), path


def errors_of(path: Path) -> Counter[str]:
    """Return what dciodvfy calls an error, without the numbers that differ from run to run."""
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, timeout=60, check=False)
    lines = said.stderr.decode("latin-1").splitlines()
    return Counter(re.sub(r"<[^>]*>|[\d.]{6,}", "", line) for line in lines if line.startswith("Error"))


@pytest.mark.parametrize("options", [(), (Option.CLEAN_DESCRIPTORS, Option.MODIFIED_DATES, Option.SAFE_PRIVATE,
                                          Option.CLEAN_STRUCTURED, Option.CLEAN_PIXELS)],
                         ids=["basic", "cleaned"])  # fmt: skip
@pytest.mark.parametrize("name", VALID)
def test_results_are_as_valid_as_their_sources(name: str, options: tuple[Option, ...], tmp_path: Path) -> None:
    path = get_testdata_file(name, download=False)
    made = outcome_of(Path(str(path)), project(*options, trust_unmarked=TRUSTING))
    assert isinstance(made, Deidentified)
    source, result = tmp_path / "source.dcm", tmp_path / "result.dcm"
    whole = Path(str(path)).read_bytes()
    head = parse_preamble(whole)
    source.write_bytes(file_meta(head.sop_class_uid, "1.2.3", head.transfer_syntax_uid) + whole[head.dataset_offset :])
    result.write_bytes(made.file)
    added = errors_of(result) - errors_of(source)
    assert not added
