"""Why an object has no picture is said in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radrelay.dicom.header import parse
from radrelay.dicom.viewability import describe_viewability
from tests.dicom.objects import made, opened, wheel_file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rtplan.dcm", "RT plan"),
        ("rtstruct.dcm", "structure set"),
        ("waveform_ecg.dcm", "waveform"),
        ("reportsi.dcm", "structured report"),
        ("CT_small.dcm", None),
        ("rtdose.dcm", None),
        ("examples_ybr_color.dcm", None),
    ],
)
def test_objects_are_told_apart(name: str, said: str | None) -> None:
    data_set, ts = wheel_file(name)
    header = parse(data_set, ts)
    reason = describe_viewability(header.text(0x00080016), ts, header)
    assert (said in reason) if said is not None and reason else reason is None


def test_video_says_that_it_is_played(shared_data: Path) -> None:
    data_set, ts = opened(shared_data / "codecs" / "video-made" / "mpeg2-testsrc.dcm")
    assert "video" in str(describe_viewability("", ts, parse(data_set, ts)))


def test_too_many_samples_are_named() -> None:
    data_set, ts = made(np.zeros((4, 4), np.uint8), Rows=65535, Columns=65535)
    assert "the limit" in str(describe_viewability("", ts, parse(data_set, ts)))


def test_without_a_header_the_class_decides() -> None:
    assert describe_viewability("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1") is None
    assert "PDF" in str(describe_viewability("1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.1.2.1"))
    assert "no decoder" in str(describe_viewability("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"))
