"""Waveforms: ECG, pressures, voice (PS3.3 A.34, C.10.9, C.10.10).

In: the attributes of an object with a Waveform Sequence. Out: what each group of channels is (rate, units, filters),
its samples as little endian words, its annotations, and sound as a WAV. A value is a sample times `scale`, plus
`baseline`, in the channel's unit. Headers that name more samples than there are get those that are there.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from radrelay.dicom.header import Header

SEQUENCE = 0x54000100
DATA = 0x54001010
MOST_GROUPS = 64
MOST_CHANNELS = 512
MOST_ANNOTATIONS = 5000
LONGEST_TEXT = 2000
MOST_MOMENTS = 100
SOUND_CLASSES = "1.2.840.10008.5.1.4.1.1.9.4."
_LEAD = re.compile(r"\b(aVR|aVL|aVF|III|II|I|V[1-9]R?)\b", re.IGNORECASE)
_LEADS = {name.upper(): name for name in ("aVR", "aVL", "aVF", "III", "II", "I", *(f"V{n}" for n in range(1, 10)))}
_EXTENTS = frozenset({"POINT", "MULTIPOINT", "SEGMENT", "MULTISEGMENT", "BEGIN", "END"})
_MOMENT = re.compile(r"(\d{14})(\.\d{1,6})?")
_MEANINGS = {
    ("SCPECG", "5.7.1-3"): "Fiducial Point", ("SCPECG", "5.10.3-1"): "P Onset", ("SCPECG", "5.10.3-2"): "P Offset",
    ("SCPECG", "5.10.3-3"): "QRS Onset", ("SCPECG", "5.10.3-4"): "QRS Offset", ("SCPECG", "5.10.3-5"): "T Offset",
    ("SCPECG", "5.10.3-11"): "P Axis", ("SCPECG", "5.10.3-13"): "QRS Axis", ("SCPECG", "5.10.3-15"): "T Axis",
    ("SCPECG", "5.13.5-7"): "PR Interval", ("SCPECG", "5.13.5-9"): "QRS Duration",
    ("SCPECG", "5.13.5-11"): "QT Interval", ("SCPECG", "5.10.2.5-5"): "QTc Interval",
    ("SCPECG", "5.10.2.1-3"): "RR Interval", ("SCPECG", "5.10.2.1-5"): "PP Interval",
}  # fmt: skip
_SAMPLES: dict[tuple[int, str], str] = {
    (8, "SB"): "i1", (8, "UB"): "u1", (8, "MB"): "u1", (8, "AB"): "u1",
    (16, "SS"): "i2", (16, "US"): "u2", (32, "SL"): "i4", (32, "UL"): "u4", (64, "SV"): "i8", (64, "UV"): "u8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: `lead` is that of an ECG; filters in Hz, none where they are not known."""

    name: str
    lead: str
    scale: float
    baseline: float
    unit: str
    unit_name: str
    low_hz: float | None
    high_hz: float | None
    notch_hz: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Channels that were sampled together. `padding` is a sample that stands for none."""

    label: str
    originality: str
    frequency: float
    samples: int
    offset_s: float
    words: Literal["int16", "float32"]
    padding: float | None
    channels: list[Channel]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark or a measurement: of which group (from 1) and channels (from 1, none means all), and when in seconds.

    `extent` says what the seconds are (PS3.3 C.10.10.1.2): POINT, MULTIPOINT, SEGMENT, MULTISEGMENT, BEGIN, END; empty
    for the whole recording.
    """

    group: int
    channels: list[int]
    name: str
    text: str
    value: str
    unit: str
    extent: str
    seconds: list[float]


@dataclass(frozen=True, slots=True)
class Waveform:
    """A whole recording."""

    kind: Literal["ecg", "sound", "other"]
    at: str
    device: str
    groups: list[Group]
    annotations: list[Annotation]


class NoWaveform(ValueError):
    """There is no waveform in the object, or none that can be read."""


def read_waveform(header: Header, *, texts: bool = True) -> Waveform:
    """Return what an object's waveforms are; raises `NoWaveform`. Without `texts` free texts are left out."""
    items = header.items(SEQUENCE)[:MOST_GROUPS]
    groups = [_group(item) for item in items]
    if not groups:
        raise NoWaveform("the object holds no waveform")
    sound = header.text(0x00080016).startswith(SOUND_CLASSES)
    leads = any(channel.lead for group in groups for channel in group.channels)
    device = " ".join(part for part in (header.text(0x00080070), header.text(0x00081090)) if part)
    return Waveform(
        kind="sound" if sound else "ecg" if leads else "other",
        at=(header.text(0x0008002A) or header.text(0x00080023) + header.text(0x00080033))[: 26 if texts else 8],
        device=device,
        groups=groups,
        annotations=_annotations(header, groups, texts=texts),
    )


def samples_of(header: Header, group: int, start: int = 0, count: int | None = None) -> bytes:
    """Return samples of group `group` (from 1) as little endian words, channel by channel within each sample.

    Raises `NoWaveform` when there is no such group, or its words are of no kind that is known.
    """
    items = header.items(SEQUENCE)[:MOST_GROUPS]
    if not 1 <= group <= len(items):
        raise NoWaveform("the object has no such group of channels")
    values = _values(items[group - 1])
    part = values[start:] if count is None else values[start : start + count]
    words = "<f4" if _words(items[group - 1]) == "float32" else "<i2"
    return np.ascontiguousarray(part).astype(words).tobytes()


def sound_of(header: Header, group: int = 1) -> bytes:
    """Return a group's samples as a WAV of 16-bit PCM; raises `NoWaveform`."""
    items = header.items(SEQUENCE)[:MOST_GROUPS]
    if not 1 <= group <= len(items):
        raise NoWaveform("the object has no such group of channels")
    item = items[group - 1]
    values, rate = _values(item), item.number(0x003A001A) or 0
    if not 1 <= rate <= 1_000_000 or not values.size:
        raise NoWaveform("the sound names no rate at which it was sampled")
    bits, form = _kind(item)
    if bits == 8 and form in ("UB", "SB"):
        values = (values.astype("<i2") - (128 if form == "UB" else 0)) * 256
    elif form == "US":
        values = (values.astype("<i4") - 32768).astype("<i2")
    elif values.dtype.itemsize > 2:
        values = np.clip(values, -32768, 32767)
    pcm = values.astype("<i2").tobytes()
    channels = values.shape[1]
    facts = struct.pack("<HHIIHH", 1, channels, round(rate), round(rate) * 2 * channels, 2 * channels, 16)
    body = b"WAVEfmt \x10\0\0\0" + facts + b"data" + struct.pack("<I", len(pcm)) + pcm
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _kind(item: Header) -> tuple[int, str]:
    return item.integer(0x54001004) or 0, item.text(0x54001006)


def _words(item: Header) -> Literal["int16", "float32"]:
    bits, form = _kind(item)
    return "int16" if bits == 8 or form == "SS" else "float32"


def _channel_count(item: Header) -> int:
    named = item.integer(0x003A0005) or len(item.items(0x003A0200))
    return max(0, min(named, MOST_CHANNELS))


def _values(item: Header) -> NDArray[Any]:
    """Return samples as (samples, channels), as the header's words say them; µ-law and A-law as 16-bit values."""
    bits, form = _kind(item)
    kind = _SAMPLES.get((bits, form))
    channels = _channel_count(item)
    if kind is None or not channels:
        raise NoWaveform(f"its samples are of {bits} bits, kind {form[:10]!r}, which is not known here")
    raw = item.raw(DATA)
    size = np.dtype(kind).itemsize * channels
    values = np.frombuffer(raw[: len(raw) // size * size], f"<{kind}").reshape(-1, channels)
    values = values[: item.integer(0x003A0010) or len(values)]
    if form in ("MB", "AB"):
        return np.take(_MU_LAW if form == "MB" else _A_LAW, values)
    return values


def _group(item: Header) -> Group:
    channels = [_channel(one) for one in item.items(0x003A0200)[:MOST_CHANNELS]]
    try:
        samples = len(_values(item))
    except NoWaveform:
        samples = 0
    padding = item.integers(0x5400100A)
    if padding and _words(item) == "int16" and padding[0] > 0x7FFF:
        padding = [padding[0] - 0x10000]  # written without a sign
    return Group(
        label=item.text(0x003A0020)[:100],
        originality=item.text(0x003A0004),
        frequency=item.number(0x003A001A) or 0.0,
        samples=samples,
        offset_s=(item.number(0x00181068) or 0.0) / 1000,
        words=_words(item),
        padding=float(padding[0]) if padding else None,
        channels=channels,
    )


def _channel(item: Header) -> Channel:
    source = item.items(0x003A0208)
    meaning = source[0].text(0x00080104) if source else ""
    label = item.text(0x003A0203)
    units = item.items(0x003A0211)
    sensitivity = item.number(0x003A0210)
    scale = (sensitivity if sensitivity is not None else 1.0) * (item.number(0x003A0212) or 1.0)
    found = _LEAD.search(label) or _LEAD.search(meaning)
    is_ecg = "lead" in meaning.lower() or bool(_LEAD.fullmatch(label.strip()))
    return Channel(
        name=(label or meaning)[:100],
        lead=_LEADS.get(found[1].upper(), found[1]) if found and is_ecg else "",
        scale=scale,
        baseline=item.number(0x003A0213) or 0.0,
        unit=units[0].text(0x00080100)[:20] if units and sensitivity is not None else "",
        unit_name=units[0].text(0x00080104)[:60] if units and sensitivity is not None else "",
        low_hz=item.number(0x003A0220) or None,
        high_hz=item.number(0x003A0221) or None,
        notch_hz=item.number(0x003A0222) or None,
    )


def _annotations(header: Header, groups: list[Group], *, texts: bool) -> list[Annotation]:
    found = []
    for item in header.items(0x0040B020)[:MOST_ANNOTATIONS]:
        pairs = item.integers(0x0040A0B0)
        group = pairs[0] if pairs else 1
        names, values, units = (item.items(tag) for tag in (0x0040A043, 0x0040A168, 0x004008EA))
        name, meaning = (_word(items[0]) if items else "" for items in (names, values))
        text = item.text(0x00700006)[:LONGEST_TEXT] if texts else ""
        if not (name or meaning or text):
            continue
        found.append(
            Annotation(
                group=group,
                channels=[] if 0 in pairs[1::2] else pairs[1::2][:MOST_CHANNELS],
                name=name,
                text=text or meaning,
                value=item.text(0x0040A30A)[:40],
                unit=units[0].text(0x00080100)[:20] if units else "",
                extent=item.text(0x0040A130).upper() if item.text(0x0040A130).upper() in _EXTENTS else "",
                seconds=_seconds(header, item, groups, group),
            )
        )
    return found


def _word(code: Header) -> str:
    """Return what a code means; where it does not say so itself, as known, or the code."""
    scheme, value = code.text(0x00080102), code.text(0x00080100)
    said = code.text(0x00080104) or _MEANINGS.get((scheme, value), "") or f"{scheme} {value}".strip()
    return said[:200]


def _seconds(header: Header, item: Header, groups: list[Group], number: int) -> list[float]:
    """Return when something is, in seconds from the group's beginning: by sample, offset or moment (PS3.3 C.10.10)."""
    if not 1 <= number <= len(groups):
        return []
    group = groups[number - 1]
    if group.frequency > 0 and (samples := item.integers(0x0040A132)):
        return [(place - 1) / group.frequency for place in samples[:MOST_MOMENTS]]
    if offsets := item.numbers(0x0040A138):
        return offsets[:MOST_MOMENTS]  # seconds after the start of the data
    start = _moment(header.text(0x0008002A))
    moments = [_moment(text) for text in item.texts(0x0040A13A)[:MOST_MOMENTS]]
    if start is None:
        return []
    return [(moment - start).total_seconds() - group.offset_s for moment in moments if moment is not None]


def _moment(text: str) -> datetime | None:
    """Return a DT (PS3.5 6.2) without its zone, which is that of its neighbours."""
    found = _MOMENT.match(text.strip())
    if found is None:
        return None
    whole, fraction = found.groups()
    try:
        return datetime.strptime(whole, "%Y%m%d%H%M%S") + timedelta(seconds=float(f"0{fraction or ''}"))  # noqa: DTZ007
    except ValueError:
        return None


def _mu_law() -> NDArray[np.int16]:
    """Return G.711 µ-law as 16-bit values, by code."""
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    size = (((code & 15) << 3) + 132 << (code >> 4 & 7)) - 132
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _a_law() -> NDArray[np.int16]:
    """Return G.711 A-law as 16-bit values, by code."""
    code = np.arange(256, dtype=np.int32) ^ 0x55
    part, step = code >> 4 & 7, (code & 15) << 4
    size = np.where(part == 0, step + 8, step + 264 << np.maximum(part - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


_MU_LAW, _A_LAW = _mu_law(), _a_law()
