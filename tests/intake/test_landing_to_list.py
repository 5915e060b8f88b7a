"""From the door to the list: what lands is indexed once, whatever is killed in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from radrelay.archive.models import Instance, Study
from radrelay.dicom.errors import Malformed
from radrelay.dicom.part10 import parse_preamble
from radrelay.intake.errors import ObjectMismatch

from tests.intake.conftest import Site


def ct_file() -> bytes:
    return Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()


def test_a_pushed_object_is_a_study_in_the_list(site: Site) -> None:
    data = ct_file()
    head = parse_preamble(data)
    writer = site.landing("listen").open_object(site.origin())
    writer.begin(head.sop_class_uid, head.sop_uid, head.transfer_syntax_uid)
    for start in range(head.dataset_offset, len(data), 10_000):
        writer.write(memoryview(data)[start : start + 10_000])
    landed = writer.finish()
    assert landed.survey is not None
    assert landed.survey.sop_uid == head.sop_uid
    assert site.index() == 1
    assert site.rows(Study) == site.rows(Instance) == 1
    assert site.index() == 0
