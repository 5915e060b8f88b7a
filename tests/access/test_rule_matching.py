"""Which studies a release rule fits: nobody's study reaches a group because two names look alike."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radrelay.access import Conditions, SenderFacts, SeriesFacts, StudyFacts, cleaned, fits
from radrelay.errors import Invalid

CLINIC, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
STUDY = StudyFacts(
    uuid.UUID(int=9),
    referring="Müller-Goethe^Jörg^^Dr.=山田^太郎",
    description="MRT Knie rechts",
    institution="Praxis Dr. Weiß",
    senders=(SenderFacts(CLINIC, "MR_NORD", "RADRELAY"), SenderFacts(OTHER)),
    series=(
        SeriesFacts("MR", "KNEE", "t2_tse sagittal", "", "Orthopädie Nord"),
        SeriesFacts("CT", "HEAD", "Schädel nativ", "Klinikum Süd", "Neurologie"),
    ),
)


@pytest.mark.parametrize(
    ("asked", "fit"),
    [
        ({"modality": "mr"}, True),
        ({"modality": "US, MR"}, True),
        ({"modality": "M"}, False),
        ({"modality": "CT", "body_part": "knee"}, False),  # of one series together
        ({"modality": "CT", "body_part": "head", "description": "schadel"}, True),
        ({"description": "KNIE", "modality": "CT"}, True),  # the study's description is every series'
        ({"description": "Hüfte"}, False),
        ({"referring": "goethe mueller"}, True),
        ({"referring": "Muller"}, True),  # an accent left out
        ({"referring": "Gothe"}, False),
        ({"referring": "Goeth"}, False),
        ({"referring": "山田"}, True),
        ({"institution": "PRAXIS DR WEISS"}, True),
        ({"institution": "Praxis Weiß"}, False),  # not one after the other
        ({"institution": "Klinikum", "modality": "CT"}, True),
        ({"institution": "Klinik"}, False),
        ({"department": "orthopaedie"}, True),
        ({"source_id": CLINIC, "calling_ae": "mr_nord, X"}, True),
        ({"source_id": OTHER, "calling_ae": "MR_NORD"}, False),  # of one sender together
        ({"calling_ae": "MR-NORD"}, False),
        ({"called_ae": "RADRELAY", "modality": "MR", "referring": "Jörg"}, True),
        ({"source_id": uuid.UUID(int=3)}, False),
    ],
)
def test_all_that_is_asked_must_hold(asked: dict[str, Any], fit: bool) -> None:
    assert fits(cleaned(Conditions(**asked)), STUDY) is fit


@pytest.mark.parametrize(
    "empty", [{}, {"description": " - "}, {"referring": "^="}, {"modality": ", ,"}, {"calling_ae": ","},
              {"institution": "\u200b"}, {"modality": "X" * 300}],
)  # fmt: skip
def test_a_rule_that_would_release_everything_is_refused(empty: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        cleaned(Conditions(**empty))


@settings(max_examples=30)
@given(st.sampled_from(("modality", "body_part", "referring", "institution", "department", "description")), st.text())
def test_a_study_of_which_nothing_is_known_fits_no_text(name: str, text: str) -> None:
    bare = StudyFacts(uuid.UUID(int=9), series=(SeriesFacts(),))
    asked: dict[str, Any] = {name: text}
    try:
        wanted = cleaned(Conditions(**asked))
    except Invalid:
        return
    assert not fits(wanted, bare)
