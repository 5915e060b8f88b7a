"""The data of a run: Part-10 files of phantoms, a thousand CT slices or thousands of small MR, and tiny studies.

Pixels are those of a few phantom slices used over and over; headers, UIDs and positions are each file's own.
"""

from __future__ import annotations

import random
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from benchmarks.sender import EXPLICIT_LITTLE, Load, SentObject, read_file, restamped
from benchmarks.study_rows import FAMILIES, GIVEN
from radrelay.dicom import phantom_headers as headers
from radrelay.dicom import phantoms
from radrelay.dicom.part10 import file_meta
from radrelay.dicom.phantom_headers import StudyFacts
from radrelay.dicom.phantom_patients import PATIENTS
from radrelay.dicom.phantom_pictures import ChestCt, HeadMr
from radrelay.dicom.phantoms import FIRST_DAY
from radrelay.dicom.writing import Elements, element, header, join

PICTURES = 32
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def write_ct(folder: Path, count: int, seed: int = 1) -> list[Path]:
    """Write one series of `count` CT slices of 512², 526 kB each."""
    picture = ChestCt(512, seed)
    pixels = [picture.slice((n + 0.5) / PICTURES).tobytes() for n in range(min(PICTURES, count))]
    facts = StudyFacts(PATIENTS[seed % len(PATIENTS)], seed, "bench-ct", FIRST_DAY, "CT Chest low dose", "CT")
    series = headers.series_elements(facts, headers.CT_IMAGE, 2, "Thorax 1.0 B70f", "CHEST")
    shared = headers.study_elements(facts) | series | headers.ct_elements((-600, 1600), "B70f")
    shared |= headers.pixel_elements((512, 512))
    return _write(folder, facts, shared, pixels, count)


def write_mr(folder: Path, count: int, per_study: int = 100, seed: int = 1000) -> list[Path]:
    """Write `count` MR slices of 128², 34 kB each, in studies of `per_study`."""
    picture = HeadMr(128, seed, weighting="T2")
    pixels = [picture.slice((n + 0.5) / PICTURES).tobytes() for n in range(PICTURES)]
    paths: list[Path] = []
    for number in range((count + per_study - 1) // per_study):
        patient = PATIENTS[number % len(PATIENTS)]
        facts = StudyFacts(patient, seed + number, "bench-mr", FIRST_DAY + timedelta(hours=number), "MR Brain", "MR")
        series = headers.series_elements(facts, headers.MR_IMAGE, 2, "T2 tra", "BRAIN")
        shared = headers.study_elements(facts) | series | headers.mr_elements("T2")
        shared |= headers.pixel_elements((128, 128))
        paths += _write(folder / f"{number:04d}", facts, shared, pixels, min(per_study, count - len(paths)))
    return paths


def write_radiograph(folder: Path, seed: int = 3) -> list[Path]:
    """Write one radiograph of 2,000 rows and 2,500 columns, 10 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "radiograph.dcm"
    [content] = phantoms.study("cr-chest", seed=seed, slices=1, size=2500)
    path.write_bytes(content)
    return [path]


def _write(folder: Path, facts: StudyFacts, shared: Elements, pixels: list[bytes], count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    sop_class = headers.CT_IMAGE if facts.modality == "CT" else headers.MR_IMAGE
    paths = []
    for index in range(count):
        elements = shared | headers.image_elements(facts, 2, index + 1)
        elements |= headers.plane_elements((-180.0, -180.0, float(index)), 0.7, 1.0)
        sop_uid = elements[0x00080018][8:].rstrip(b"\0").decode("ascii")
        raw = pixels[index % len(pixels)]
        data = (file_meta(sop_class, sop_uid, EXPLICIT_LITTLE), join(elements), header(0x7FE00010, "OW", len(raw)), raw)
        path = folder / f"{index:05d}.dcm"
        path.write_bytes(b"".join(data))
        paths.append(path)
    return paths


def write_restamped(files: list[Path], folder: Path, stamp: int) -> None:
    """Copy files into `folder` with the UIDs that `stamp` gives them, for a sender that reads files."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(files):
        one = restamped(read_file(path), stamp)
        (folder / f"{number:05d}.dcm").write_bytes(
            file_meta(one.sop_class, one.sop_uid, one.transfer_syntax) + one.data_set
        )


def write_zip(files: list[Path], path: Path) -> None:
    """Put files into a ZIP, deflated as a quick program does."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in files:
            archive.write(file, f"study/{file.parent.name}/{file.name}")


def tiny_studies(first: int, count: int) -> Iterator[SentObject]:
    """Yield one object of 16×16 pixels for each study number from `first` on; the same number, the same study."""
    for number in range(first, first + count):
        rng = random.Random(number)
        name = f"{rng.choice(FAMILIES)}^{rng.choice(GIVEN)}"
        day = date(2020, 1, 1) + timedelta(days=number % 2000)
        uid = f"2.25.7700000000{number:07d}"
        elements: Elements = {
            tag: element(tag, vr, value)
            for tag, vr, value in (
                (0x00080005, "CS", "ISO_IR 192"),
                (0x00080016, "UI", SECONDARY_CAPTURE),
                (0x00080018, "UI", f"{uid}.1.1"),
                (0x00080020, "DA", f"{day:%Y%m%d}"),
                (0x00080030, "TM", f"{number % 24:02d}{number % 60:02d}00"),
                (0x00080050, "SH", f"ACC{number:07d}"),
                (0x00080060, "CS", rng.choice(("CT", "MR", "CR", "US"))),
                (0x00081030, "LO", rng.choice(("Thorax", "Abdomen", "Knie links", "Schädel"))),
                (0x00100010, "PN", name),
                (0x00100020, "LO", f"PAT{number:07d}"),
                (0x00100030, "DA", f"19{10 + number % 90:02d}0101"),
                (0x00100040, "CS", "O"),
                (0x0020000D, "UI", uid),
                (0x0020000E, "UI", f"{uid}.1"),
                (0x00200010, "SH", str(number)),
                (0x00200011, "IS", "1"),
                (0x00200013, "IS", "1"),
                (0x00280004, "CS", "MONOCHROME2"),
            )
        }
        words = ((0x00280002, 1), (0x00280010, 16), (0x00280011, 16), (0x00280100, 8), (0x00280101, 8))
        for tag, value in (*words, (0x00280102, 7), (0x00280103, 0)):
            elements[tag] = element(tag, "US", value)
        data = join(dict(sorted(elements.items()))) + header(0x7FE00010, "OW", 256) + bytes(256)
        yield SentObject(SECONDARY_CAPTURE, f"{uid}.1.1", EXPLICIT_LITTLE, data)


def tiny_loads(first: int, count: int, associations: int = 4) -> list[Load]:
    """Share tiny studies among associations."""
    share = (count + associations - 1) // associations
    return [
        Load(make=partial(tiny_studies, first + start, min(share, count - start))) for start in range(0, count, share)
    ]
