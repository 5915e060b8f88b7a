"""Recordings read as their devices wrote them: values, leads, remarks, sound."""

from __future__ import annotations

import io
import wave
from contextlib import suppress

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.waveforms.numpy_handler import multiplex_array

from radrelay.dicom.errors import Malformed
from radrelay.dicom.header import Header, parse
from radrelay.dicom.syntaxes import EXPLICIT_LE
from radrelay.dicom.waveform import NoWaveform, read_waveform, samples_of, sound_of
from tests.collection import COLLECTION
from tests.dicom.objects import opened, wheel_file
from tests.dicom.test_report_text import header_of

ECG = "waveform_ecg.dcm"


def one_group(values: bytes, bits: int, form: str, channels: int = 1, **more: object) -> Header:
    return header_of(recording(values, bits, form, channels, **more))


def recording(values: bytes, bits: int, form: str, channels: int = 1, **more: object) -> Dataset:
    group, dataset = Dataset(), Dataset()
    group.NumberOfWaveformChannels, group.SamplingFrequency = channels, 8000
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = bits, form
    group.NumberOfWaveformSamples = len(values) * 8 // bits // channels
    group.ChannelDefinitionSequence = [Dataset() for _ in range(channels)]
    group.WaveformData = values
    group["WaveformData"].VR = "OW" if bits > 8 else "OB"
    for keyword, value in more.items():
        setattr(group, keyword, value)
    dataset.WaveformSequence = [group]
    return dataset


def test_an_ecg_has_its_leads_and_its_values_in_microvolts() -> None:
    header = parse(*wheel_file(ECG))
    found = read_waveform(header)
    assert (found.kind, found.device) == ("ecg", "Mortara Instrument, Inc. el250")
    rhythm = found.groups[0]
    leads = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"]
    assert [channel.lead for channel in rhythm.channels] == leads
    assert (rhythm.label, rhythm.frequency, rhythm.samples, rhythm.words) == ("RHYTHM", 1000, 10000, "int16")
    assert (rhythm.channels[0].low_hz, rhythm.channels[0].high_hz, rhythm.channels[0].notch_hz) == (0.05, 300, None)
    dataset = pydicom.dcmread(str(get_testdata_file(ECG, download=False)))
    for group in (1, 2):
        samples = np.frombuffer(samples_of(header, group), "<i2").reshape(-1, 12)
        scales = [channel.scale for channel in found.groups[group - 1].channels]
        assert np.allclose(samples * scales, multiplex_array(dataset, group - 1, as_raw=False))
    part = np.frombuffer(samples_of(header, 1, 4000, 10), "<i2").reshape(-1, 12)
    assert np.array_equal(part, np.frombuffer(samples_of(header, 1), "<i2").reshape(-1, 12)[4000:4010])


def test_remarks_and_measurements_come_with_their_times() -> None:
    found = read_waveform(parse(*wheel_file(ECG)))
    by_name = {one.name: one for one in found.annotations}
    assert (by_name["QTc Interval"].value, by_name["QTc Interval"].unit) == ("370", "ms")
    assert by_name["P Onset"].seconds
    assert "RITMO SINUSALE" in [one.text for one in found.annotations]
    hidden = read_waveform(parse(*wheel_file(ECG)), texts=False)
    assert "RITMO SINUSALE" not in [one.text for one in hidden.annotations]
    assert "QTc Interval" in [one.name for one in hidden.annotations]


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        ({"ReferencedSamplePositions": [1, 8001]}, [0.0, 1.0]),
        ({"ReferencedTimeOffsets": ["0.25", "1.5"]}, [0.25, 1.5]),  # seconds, not milliseconds
        ({"ReferencedDateTime": ["20260102030406.5+0100", "20260102030407"]}, [1.25, 1.75]),
        ({"ReferencedDateTime": ["2026"]}, []),
    ],
)
def test_a_moment_is_told_in_seconds_however_it_was_written(when: dict[str, object], seconds: list[float]) -> None:
    note, name = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = "5.10.3-1", "SCPECG", ""
    note.ConceptNameCodeSequence, note.ReferencedWaveformChannels = [name], [1, 0]
    note.TemporalRangeType = "MULTIPOINT"
    for keyword, value in when.items():
        setattr(note, keyword, value)
    dataset = recording(bytes(32000), 16, "SS", MultiplexGroupTimeOffset="250")
    dataset.WaveformAnnotationSequence, dataset.AcquisitionDateTime = [note], "20260102030405.000+0100"
    (read,) = read_waveform(header_of(dataset)).annotations
    assert (read.name, read.extent, read.seconds) == ("P Onset", "MULTIPOINT", seconds)


def test_a_sample_that_stands_for_none_is_named_with_its_sign() -> None:
    header = one_group(b"\x00\x80\x01\x00", 16, "SS", WaveformPaddingValue=b"\x00\x80")
    assert read_waveform(header).groups[0].padding == -32768


@pytest.mark.parametrize(
    ("form", "bits", "raw", "expected"),
    [
        ("SB", 8, bytes([0, 255, 128, 127]), [0, -1, -128, 127]),
        ("UB", 8, bytes([0, 255, 128, 127]), [0, 255, 128, 127]),
        ("US", 16, b"\xff\xff\x01\x00", [65535, 1]),
        ("SL", 32, b"\xff\xff\xff\xff\x00\x00\x01\x00", [-1, 65536]),
        ("MB", 8, bytes([255, 128, 0, 127]), [0, 32124, -32124, 0]),
        ("AB", 8, bytes([0xD5, 0x55, 0xAA, 0x2A]), [8, -8, 32256, -32256]),
    ],
)
def test_every_kind_of_word_is_read(form: str, bits: int, raw: bytes, expected: list[int]) -> None:
    header = one_group(raw, bits, form)
    words = "<i2" if read_waveform(header).groups[0].words == "int16" else "<f4"
    assert np.frombuffer(samples_of(header, 1), words).tolist() == expected


def test_a_voice_is_heard_as_it_was_spoken() -> None:
    tone = (np.sin(np.arange(8000) / 8000 * 440 * 2 * np.pi) * 12000).astype("<i2")
    with wave.open(io.BytesIO(sound_of(one_group(tone.tobytes(), 16, "SS")))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (8000, 1, 8000)
        assert sound.readframes(8000) == tone.tobytes()
    unsigned = one_group(bytes([128, 128, 255, 0]), 8, "UB")
    assert np.frombuffer(sound_of(unsigned)[44:], "<i2").tolist() == [0, 0, 32512, -32768]


def test_what_names_more_than_there_is_gives_what_there_is() -> None:
    header = one_group(bytes(10), 16, "SS", 2, NumberOfWaveformSamples=1 << 30)
    assert read_waveform(header).groups[0].samples == 2
    for group in (0, 2):
        with pytest.raises(NoWaveform):
            samples_of(header, group)
    with pytest.raises(NoWaveform):
        samples_of(one_group(bytes(10), 16, "XX"), 1)
    with pytest.raises(NoWaveform):
        read_waveform(parse(*wheel_file("CT_small.dcm")))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_recording_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(wheel_file(ECG)[0])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, 12_000))] = data.draw(st.integers(0, 255))
    with suppress(Malformed, NoWaveform):
        header = parse(bytes(whole), EXPLICIT_LE)
        read_waveform(header)
        samples_of(header, 1)
        sound_of(header, 1)


@pytest.mark.shared
def test_a_deflated_recording_of_another_maker_reads_the_same() -> None:
    header = parse(*opened(COLLECTION / "codecs" / "cornerstone-dicomParser" / "deflate" / "wave_dfl"))
    found = read_waveform(header)
    assert (found.device, found.groups[0].padding) == ("GE Marquette MACLB", -32768)
    assert [channel.unit for channel in found.groups[0].channels] == ["mV"] * 12
