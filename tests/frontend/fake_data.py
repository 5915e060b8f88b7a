"""Made-up studies, series and frames for the pages' tests: nobody's, the same in every run."""

from __future__ import annotations

import io
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NAMES = (
    ("Müller^Anna-Luise", "1961-03-14", "F"),
    ("Groß^Jürgen^^Dr.", "1948-11-02", "M"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "1975-07-21", "M"),
    ("Παπαδοπούλου^Ελένη", "1983-01-09", "F"),
    ("Hong^Gildong=洪^吉洞=홍^길동", "1990-12-30", "M"),
    ("قباني^لنزار", "1955-05-05", "M"),
    ("Schneider^Maximilian", "2019-08-17", "M"),
    ("Østergård^Søren", "1970-02-28", "M"),
    ("Nowak^Agnieszka", "1966-06-06", "F"),
    ("Dvořáková^Božena", "1932-10-11", "F"),
)
PROCEDURES = (
    (("CT",), "CT Thorax mit KM"),
    (("MR",), "MRT Schädel nativ und KM"),
    (("DX",), "Röntgen Thorax p.a."),
    (("US",), "Sonographie Abdomen"),
    (("CT", "SR"), "CT Abdomen/Becken, Verlaufskontrolle nach Therapie"),
    (("MG",), "Mammographie beidseits"),
)
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
DX_IMAGE = "1.2.840.10008.5.1.4.1.1.1.1"
US_CINE = "1.2.840.10008.5.1.4.1.1.3.1"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
REPORT = "1.2.840.10008.5.1.4.1.1.88.33"
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"
EXPLICIT_LE = "1.2.840.10008.1.2.1"


@dataclass
class FakeSeries:
    """A series and how its frames are drawn."""

    kind: str
    modality: str
    number: int
    description: str
    instances: int
    frames: int = 1
    frames_named: int = 0
    id: str = ""
    study_id: str = ""

    @property
    def named(self) -> int:
        """The number of frames that the header names."""
        return self.frames_named or self.frames

    def drawn(self, _place: int, _number: int) -> tuple[dict[str, Any], bytes] | None:
        """Return a frame of a series that draws its own."""
        return None

    @property
    def row(self) -> dict[str, Any]:
        """The series as the study shows it."""
        return {
            "id": self.id, "series_uid": f"1.2.826.0.1.{self.number}", "modality": self.modality,
            "number": self.number, "description": self.description, "body_part": "", "laterality": "",
            "instance_count": self.instances, "frame_count": self.instances * self.named, "bytes": 1,
            "pictured": self.kind not in ("pdf", "sr"), "protocol": "", "orientation": [], "frame_of_reference": None,
            "views": [],
        }  # fmt: skip

    @property
    def detail(self) -> dict[str, Any]:
        """The series with its instances."""
        classes = {"ct": CT_IMAGE, "dx": DX_IMAGE, "us": US_CINE, "pdf": PDF, "sr": REPORT, "map": PARAMETRIC_MAP}
        blank = {"pdf": "An encapsulated document.", "sr": "A structured report."}.get(self.kind)
        return {
            "id": self.id,
            "study_id": self.study_id,
            "frame_of_reference": None,
            "instances": [
                {
                    "id": f"{self.id}-{place}", "sop_uid": f"1.2.3.{place}", "sop_class_uid": classes[self.kind],
                    "number": place + 1, "rows": 1, "columns": 1, "view": "", "side": "", "frames": self.frames,
                    "frames_named": self.named, "why_not_code": "" if blank is None else "no-pixels",
                    "transfer_syntax": EXPLICIT_LE, "viewable": blank is None, "why_not": blank,
                    "position": [], "orientation": [], "pixel_spacing": [], "file_name": "", "thickness": None,
                    "time": None, "time_of": "", "trigger_time": None, "frame_of_reference": None,
                    "temporal_position": None, "acquisition": None, "echo_time": None, "echo_number": None,
                    "b_value": None, "kinds": [], "image_type": "",
                    "cine_rate": 25.0 if self.kind == "us" else None,
                }
                for place in range(self.instances)
            ],
        }  # fmt: skip


@dataclass
class FakeStudy:
    """A study of the list."""

    row: dict[str, Any]
    series: list[FakeSeries] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)


def _instant(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def make_study(number: int, now: datetime) -> FakeStudy:
    """Make study `number`; those with low numbers came last."""
    name, birth_date, sex = NAMES[number % len(NAMES)]
    modalities, description = PROCEDURES[number % len(PROCEDURES)]
    received = now - timedelta(minutes=7 * number)
    expires = received + timedelta(hours=48)
    if number == 4:
        expires = now + timedelta(minutes=50)
    if number == 5:
        expires = now + timedelta(hours=7)
    study = FakeStudy(
        {
            "id": str(uuid.UUID(int=number + 1)), "study_uid": f"1.2.826.0.1.3680043.{number}",
            "patient": {"name": name, "id": f"P{10000 + number}", "issuer": "KLINIKUM" if number % 3 else "",
                        "birth_date": birth_date, "sex": sex},
            "study_date": received.date().isoformat(), "study_time": received.time().isoformat()[:8],
            "accession_number": f"A{202600 + number}", "description": description, "modalities": list(modalities),
            "series_count": 2, "instance_count": 2 if number else 94, "bytes": 52_600_000,
            "state": "arriving" if number == 0 else "complete", "first_received_at": _instant(received),
            "last_received_at": _instant(received), "expires_at": None if number == 7 else _instant(expires),
            "ceiling_at": _instant(now + timedelta(days=30)) if number == 3 else None, "held": number == 3,
            "sources": ["DICOM"] if number % 2 else ["Upload"],
        }
    )  # fmt: skip
    kinds = [FakeSeries("ct", "CT", 1, "Thorax 1,0 mm Weichteil", 2)]
    if number == 1:
        kinds = [
            FakeSeries("ct", "CT", 1, "Thorax 1,0 mm Weichteil", 60), FakeSeries("dx", "DX", 2, "Thorax p.a.", 1),
            FakeSeries("us", "US", 3, "Abdomen cine", 1, 30), FakeSeries("map", "MR", 4, "ADC", 3),
            FakeSeries("pdf", "DOC", 5, "Vorbefund", 1), FakeSeries("sr", "SR", 6, "Dosisbericht", 1),
        ]  # fmt: skip
        study.attachments = [{"id": "att-1", "file_name": "Überweisung.pdf", "file_size": 81_234,
                              "file_type": "application/pdf", "received_at": _instant(received)}]  # fmt: skip
    for place, one in enumerate(kinds):
        one.id, one.study_id = str(uuid.UUID(int=(number + 1) * 1000 + place)), study.row["id"]
    study.series = kinds
    return study


def make_studies(count: int) -> list[FakeStudy]:
    """Make the list."""
    now = datetime.now(UTC)
    return [make_study(number, now) for number in range(count)]


@lru_cache(maxsize=256)
def ct_slice(place: int, count: int, size: int = 256) -> NDArray[np.int16]:
    """Draw a chest-like slice in Hounsfield units."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    level = (place - count / 2) / count
    values = np.full((size, size), -1000.0)
    values[(x / 0.86) ** 2 + (y / 0.66) ** 2 < 1] = 45
    for side in (-1, 1):
        lung = ((x - side * 0.4) / 0.3) ** 2 + ((y + 0.02) / (0.46 - 0.25 * abs(level))) ** 2 < 1
        values[lung] = -860
        vessel = ((x - side * (0.36 + 0.2 * level)) / 0.03) ** 2 + ((y - 0.1) / 0.05) ** 2 < 1
        values[vessel & lung] = 30
    values[((x - 0.08) / 0.2) ** 2 + ((y + 0.12) / 0.2) ** 2 < 1] = 60
    values[(x / 0.1) ** 2 + ((y - 0.46) / 0.12) ** 2 < 1] = 420
    noise = np.random.default_rng(place).normal(0, 14, values.shape)
    drawn: NDArray[np.int16] = np.clip(values + noise, -1024, 3071).astype(np.int16)
    return drawn


@lru_cache
def _radiograph() -> NDArray[np.uint16]:
    y, x = np.mgrid[-1:1:1200j, -1:1:1000j]
    values = 3000 - 1800 * np.exp(-((x / 0.5) ** 2) - (y / 0.9) ** 2) + 150 * np.sin(14 * y) * (abs(x) > 0.1)
    drawn: NDArray[np.uint16] = np.clip(values, 0, 4095).astype(np.uint16)
    return drawn


@lru_cache(maxsize=64)
def _ultrasound(frame: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:240, 0:320]
    distance = np.hypot(x - 160, y + 30)
    fan = (distance > 50) & (distance < 260) & (abs(np.arctan2(x - 160, y + 30)) < 0.7)
    grey = (110 + 70 * np.sin(distance / 9 - frame / 3)) * fan
    picture = np.repeat(grey[..., None], 3, axis=2)
    picture[20:40, 20 : 20 + 8 * (frame % 30 + 1)] = (230, 120, 20)
    drawn: NDArray[np.uint8] = picture.astype(np.uint8)
    return drawn


def frame_of(series: FakeSeries, place: int, number: int) -> tuple[dict[str, Any], bytes]:
    """Return the facts and the samples of a frame."""
    if (own := series.drawn(place, number)) is not None:
        return own
    facts: dict[str, Any] = {
        "samples": 1, "bits_allocated": 16, "bits_stored": 16, "signed": False, "float": False,
        "photometric": "MONOCHROME2", "slope": 1.0, "intercept": 0.0, "window_center": None, "window_width": None,
        "window_function": "LINEAR", "invert": False, "voi_lut": None, "padding_value": None,
        "pixel_spacing": [0.8, 0.8], "pixel_aspect_ratio": [1.0, 1.0], "frames": series.frames,
        "frames_named": series.named, "cut": False, "missing": 0.0, "imager_spacing": None, "orientation": [],
        "patient_orientation": [],
    }  # fmt: skip
    pixels: NDArray[Any]
    if series.kind == "ct":
        pixels = (ct_slice(place, series.instances) + 1024).astype(np.uint16)
        facts |= {"bits_stored": 12, "intercept": -1024.0, "window_center": 40.0, "window_width": 400.0}
        facts["orientation"] = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    elif series.kind == "dx":
        pixels = _radiograph()
        facts |= {"bits_stored": 12, "photometric": "MONOCHROME1", "invert": True}
        facts |= {"pixel_spacing": None, "imager_spacing": [0.15, 0.15], "patient_orientation": ["L", "F"]}
    elif series.kind == "us":
        pixels = _ultrasound(number)
        facts |= {"samples": 3, "bits_allocated": 8, "bits_stored": 8, "photometric": "RGB"}
        facts |= {"pixel_aspect_ratio": [1.5, 1.0], "pixel_spacing": None}
    else:
        pixels = (np.hypot(*np.mgrid[-1:1:128j, -1:1:128j]) * (place + 1)).astype(np.float32)
        facts |= {"bits_allocated": 32, "bits_stored": 32, "float": True, "signed": True}
    facts |= {"rows": pixels.shape[0], "columns": pixels.shape[1]}
    return facts, pixels.tobytes()


def thumbnail_of(series: FakeSeries) -> bytes | None:
    """Return a small JPEG, none where there is no picture."""
    if series.kind in ("pdf", "sr"):
        return None
    facts, data = frame_of(series, series.instances // 2, 1)
    dtype = {8: np.uint8, 16: np.uint16, 32: np.float32}[facts["bits_allocated"]]
    shape = (facts["rows"], facts["columns"]) + ((3,) if facts["samples"] == 3 else ())
    values = np.frombuffer(data, dtype).reshape(shape).astype(float)
    low, high = (824, 1264) if series.kind == "ct" else (float(values.min()), float(values.max()) or 1.0)
    grey = np.clip((values - low) / (high - low), 0, 1) * 255
    picture = Image.fromarray((255 - grey if facts["invert"] else grey).astype(np.uint8))
    picture.thumbnail((128, 128))
    out = io.BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


def frame_header(facts: dict[str, Any]) -> str:
    """Return facts as the header X-Radrelay-Frame carries them."""
    return json.dumps(facts)
