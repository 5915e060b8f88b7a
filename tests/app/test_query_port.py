"""C-FIND, C-MOVE and C-GET over the archive: keys, levels, who may, how many."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from sqlalchemy import select

from radrelay import access, audit
from radrelay.access.models import Grant
from radrelay.app import query as query_module
from radrelay.app.core import Core
from radrelay.app.query import ArchiveQuery, TooManyMatches
from radrelay.archive import corrections, levels
from radrelay.archive.corrected import LOOK_S
from radrelay.archive.matching import BadMatchingKey
from radrelay.audit.models import AuditEvent
from radrelay.dicom.header import parse
from radrelay.errors import Forbidden
from radrelay.network.ports import Key, Level, Model, Peer, Query
from radrelay.network.query_provider import IdentifierMismatch
from tests.archive.house import House, house, made, slices
from tests.audit.recording import full

__all__ = ["house"]

PEER = Peer("127.0.0.1", 11112, "VIEWER", "RADRELAY", None, "0" * 32)
VRS = {
    0x00080016: "UI", 0x00080018: "UI", 0x00080020: "DA", 0x00080030: "TM", 0x00080050: "SH", 0x00080060: "CS",
    0x00080061: "CS", 0x00081030: "LO", 0x00081032: "SQ", 0x00100010: "PN", 0x00100020: "LO", 0x0020000D: "UI",
    0x0020000E: "UI", 0x00200011: "IS", 0x00200013: "IS", 0x00201206: "IS", 0x00201208: "IS", 0x00280010: "US",
    0x00400275: "SQ", 0x00081250: "SQ", 0x00100030: "DA", 0x00100021: "LO", 0x00080090: "PN",
}  # fmt: skip
STUDY, SERIES, SOP, PATIENT, NAME, BORN = 0x0020000D, 0x0020000E, 0x00080018, 0x00100020, 0x00100010, 0x00100030


def asked(
    level: Level, keys: dict[int, str], model: Model = "study", *, relational: bool = False, items: Any = None
) -> Query:
    listed = tuple(Key(tag, VRS[tag], text, (items or {}).get(tag, ())) for tag, text in keys.items())
    return Query(model, level, listed, relational)


def answers(port: ArchiveQuery, query: Query) -> list[dict[int, Any]]:
    return [{tag: value for tag, _, value in match} for match in port.find(PEER, query)]


@pytest.fixture
def port(house: House) -> ArchiveQuery:
    """The port over an archive with a CT of three slices and an MR of a patient with an umlaut."""
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "71250", "C4", "CT of the head"
    mr = made(
        "MR_small.dcm", StudyInstanceUID="1.2.8", SeriesInstanceUID="1.2.8.1", SOPInstanceUID="1.2.8.1.1",
        PatientName="Müller^Jörg=山田^太郎", PatientID="77", StudyDate="20240229", StudyTime="101500",
        AccessionNumber="A-1", SpecificCharacterSet="ISO_IR 192", ProcedureCodeSequence=Items([code]),
        StudyDescription="Kopf",
    )  # fmt: skip
    house.bring([*slices(3), mr])
    parts: Any = house.site.parts
    audit.install(house.site.database, "listen", house.site.clock, house.site.services.metadata_key)
    return ArchiveQuery(
        Core(
            settings=parts.settings, clock=parts.clock, node="", keyring=parts.keyring, keys=parts.keys,
            database=parts.database, packs=parts.packs, segments=parts.segments,
        ),
        house.site.organisation_id,
    )  # fmt: skip


def test_what_is_corrected_leaves_by_cmove_and_cget_with_the_new_values_before_it_is_written(
    house: House, port: ArchiveQuery
) -> None:
    (found,) = port.retrieve(PEER, asked("STUDY", {STUDY: "1.2.8"}))
    with house.site.database.write() as session:
        corrections.correct(
            session, house.site.organisation_id, [found.ref.study_id], {"patient_name": "Richtig^Rita"}, by="ADT",
            reason="merge", request_id=None, now=house.site.clock.now(), follows=True,
        )  # fmt: skip
    time.sleep(LOOK_S + 0.05)
    for item in (found, *port.retrieve(PEER, asked("STUDY", {STUDY: "1.2.8"}))):
        syntax, pieces = item.open([item.transfer_syntax])
        said = parse(b"".join(pieces), syntax)
        assert said.text(NAME) == "Richtig^Rita", "also of what was found before it was corrected"
        assert said.items(0x04000561)[0].items(0x04000550)[0].text(NAME) == "Müller^Jörg=山田^太郎"


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({STUDY: ""}, 2), ({STUDY: "1.2.9"}, 1), ({STUDY: "1.2.9\\1.2.8\\1.2.7"}, 2), ({NAME: "*"}, 2),
        ({NAME: "MUELLER*"}, 1), ({NAME: "M?ller^J*"}, 1), ({NAME: "*ohn*"}, 0), ({PATIENT: "7?"}, 1),
        ({0x00080020: "20240101-20241231"}, 1), ({0x00080020: "20240229", 0x00080030: "100000-110000"}, 1),
        ({0x00080020: "-20100101"}, 1), ({0x00080061: "CT\\MR"}, 2), ({0x00080061: "US"}, 0), ({0x00080060: "MR"}, 1),
        ({0x00080050: "A-1"}, 1), ({0x00081030: "ko*"}, 1), ({0x00280010: "7"}, 2),
    ],
)  # fmt: skip
def test_studies_match(port: ArchiveQuery, keys: dict[int, str], found: int) -> None:
    assert len(answers(port, asked("STUDY", {STUDY: "", **keys}))) == found


def test_what_is_asked_for_is_answered_and_what_is_not_known_is_empty(port: ArchiveQuery) -> None:
    (match,) = answers(
        port, asked("STUDY", {STUDY: "1.2.8", NAME: "", 0x00080061: "", 0x00201208: "", 0x00280010: "", 0x00081250: ""})
    )
    assert match == {
        STUDY: "1.2.8", NAME: "Müller^Jörg=山田^太郎", 0x00080061: "MR", 0x00201208: "1", 0x00280010: "",
        0x00081250: [],
    }  # fmt: skip


def test_sequences_are_returned_whole_or_as_far_as_asked(port: ArchiveQuery) -> None:
    (whole,) = answers(port, asked("STUDY", {STUDY: "1.2.8", 0x00081032: ""}))
    assert whole[0x00081032] == [
        [(0x00080100, "SH", "71250"), (0x00080102, "SH", "C4"), (0x00080104, "LO", "CT of the head")]
    ]
    wanted = {0x00081032: ((Key(0x00080104, "LO", ""), Key(0x00080103, "SH", "")),)}
    (part,) = answers(port, asked("STUDY", {STUDY: "1.2.8", 0x00081032: ""}, items=wanted))
    assert part[0x00081032] == [[(0x00080104, "LO", "CT of the head"), (0x00080103, "SH", "")]]


def test_every_level_answers(port: ArchiveQuery) -> None:
    patients = answers(port, asked("PATIENT", {PATIENT: "", NAME: ""}, "patient"))
    assert sorted(match[PATIENT] for match in patients) == ["1CT1", "77"]
    series = answers(port, asked("SERIES", {STUDY: "1.2.9", SERIES: "", 0x00080060: "CT", NAME: ""}))
    assert [(match[SERIES], match[NAME]) for match in series] == [("1.2.9.1", "CompressedSamples^CT1")]
    images = answers(port, asked("IMAGE", {STUDY: "1.2.9", SERIES: "1.2.9.1", SOP: "", 0x00200013: "", 0x00280010: ""}))
    assert [(m[SOP], m[0x00200013], m[0x00280010]) for m in images] == [
        (f"1.2.9.1.{n}", str(n), "128") for n in (1, 2, 3)
    ]
    one = answers(port, asked("IMAGE", {STUDY: "1.2.9", SERIES: "1.2.9.1", SOP: "1.2.9.1.2\\1.2.9.1.7"}))
    assert [match[SOP] for match in one] == ["1.2.9.1.2"]
    of_patient = answers(port, asked("STUDY", {PATIENT: "77", STUDY: ""}, "patient"))
    assert [match[STUDY] for match in of_patient] == ["1.2.8"]


@pytest.mark.parametrize(
    ("level", "keys", "model"),
    [
        ("SERIES", {SERIES: ""}, "study"), ("SERIES", {STUDY: "", SERIES: ""}, "study"),
        ("IMAGE", {STUDY: "1.2.9", SOP: ""}, "study"), ("STUDY", {STUDY: ""}, "patient"),
        ("IMAGE", {STUDY: "1.2.9", SERIES: "", SOP: ""}, "study"),
    ],
)  # fmt: skip
def test_keys_above_may_miss_only_in_relational_queries(
    port: ArchiveQuery, level: Level, keys: dict[int, str], model: Model
) -> None:
    with pytest.raises(IdentifierMismatch) as refused:
        answers(port, asked(level, keys, model))
    assert refused.value.dimse_status == 0xA900
    assert answers(port, asked(level, keys, model, relational=True))


def test_values_that_cannot_be_are_refused(port: ArchiveQuery) -> None:
    for tag, text in ((0x00080020, "soon"), (0x00080030, "99"), (0x00080020, "20240101-x")):
        with pytest.raises(BadMatchingKey):
            answers(port, asked("STUDY", {STUDY: "", tag: text}))


def test_matches_come_page_by_page_and_too_many_are_told(port: ArchiveQuery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "PAGE", 1)
    monkeypatch.setattr(levels, "PATIENT_PAGE", 1)
    for level, keys, count in (
        ("PATIENT", {PATIENT: ""}, 2), ("STUDY", {STUDY: ""}, 2), ("SERIES", {SERIES: ""}, 2), ("IMAGE", {SOP: ""}, 4),
    ):  # fmt: skip
        query = asked(level, keys, "patient", relational=True)  # type: ignore[arg-type]
        matches = answers(port, query)
        assert len({str(match) for match in matches}) == len(matches) == count, level
    monkeypatch.setattr(query_module, "LIMIT", 3)
    found = port.find(PEER, asked("IMAGE", {SOP: ""}, relational=True))
    assert len(list(itertools.islice(found, 3))) == 3
    with pytest.raises(TooManyMatches) as refused:
        next(found)
    assert refused.value.dimse_status == 0xA700


def test_retrieval_finds_what_the_keys_name_and_notes_it(port: ArchiveQuery, house: House) -> None:
    def uids(level: Level, keys: dict[int, str]) -> list[str]:
        return [item.sop_uid for item in port.retrieve(PEER, asked(level, keys))]

    assert uids("STUDY", {STUDY: "1.2.9"}) == ["1.2.9.1.1", "1.2.9.1.2", "1.2.9.1.3"]
    assert len(uids("STUDY", {STUDY: "1.2.9\\1.2.8"})) == 4
    assert uids("SERIES", {SERIES: "1.2.8.1"}) == ["1.2.8.1.1"]
    assert uids("IMAGE", {STUDY: "1.2.9", SERIES: "1.2.9.1", SOP: "1.2.9.1.3\\1.2.9.1.1"}) == ["1.2.9.1.1", "1.2.9.1.3"]
    assert uids("IMAGE", {STUDY: "1.2.8", SOP: "1.2.9.1.3"}) == []
    with house.site.database.read() as session:
        actions = list(session.scalars(select(AuditEvent.action)))
    assert actions.count("study.download") == 5
    item = port.retrieve(PEER, asked("IMAGE", {SOP: "1.2.8.1.1"}), "ELSEWHERE")[0]
    with house.site.database.read() as session:
        told = [event.detail for event in session.scalars(select(AuditEvent)) if event.action == "study.download"]
    assert ["ELSEWHERE" in one for one in told] == [False] * 5 + [True]
    syntax, pieces = item.open(["1.2.840.10008.1.2"])
    assert syntax == "1.2.840.10008.1.2"
    assert pydicom.uid.UID(item.sop_class_uid).name == "MR Image Storage"
    assert len(b"".join(pieces)) > 1000


def test_a_device_without_a_grant_is_refused(port: ArchiveQuery, house: House) -> None:
    with house.site.database.write() as session:
        session.query(Grant).filter(Grant.grantee_kind == "ae").delete()
    stranger = replace(PEER, calling_ae="STRANGER")
    for use in (lambda: list(port.find(stranger, asked("STUDY", {STUDY: ""}))),
                lambda: port.retrieve(stranger, asked("STUDY", {STUDY: "1.2.9"}))):  # fmt: skip
        with pytest.raises(Forbidden) as refused:
            use()
        assert refused.value.dimse_status == 0x0124


def test_a_device_that_sees_by_alias_learns_no_name_by_answer_or_by_asking(port: ArchiveQuery, house: House) -> None:
    with house.site.database.write() as session:
        session.query(Grant).update({"identity": "alias"})
    levels_of: dict[Level, Model] = {"PATIENT": "patient", "STUDY": "study", "SERIES": "study", "IMAGE": "study"}
    for level, model in levels_of.items():
        everything = {PATIENT: "", NAME: "", BORN: "", 0x00100021: "", 0x00080050: "", 0x00080090: "", STUDY: ""}
        told = answers(port, asked(level, everything, model, relational=True))
        assert not {text for row in told for tag, text in row.items() if tag != STUDY and text}, told
        for key, value in ((NAME, "MUELLER*"), (NAME, "NOBODY"), (PATIENT, "77"), (PATIENT, "0"), (BORN, "19000101-"),
                           (0x00100021, "X"), (0x00080050, "A-1")):  # fmt: skip
            with pytest.raises(Forbidden) as refused:
                answers(port, asked(level, {key: value}, model, relational=True))
            assert (refused.value.code, refused.value.dimse_status) == ("identity-hidden", 0x0124)
    with pytest.raises(Forbidden):
        port.retrieve(PEER, asked("STUDY", {NAME: "MUELLER*"}))


def test_a_device_gets_nothing_that_cannot_be_recorded(port: ArchiveQuery, house: House) -> None:
    with full(house.site.database):
        for use in (lambda: list(port.find(PEER, asked("STUDY", {STUDY: ""}))),
                    lambda: port.retrieve(PEER, asked("STUDY", {STUDY: "1.2.9"}))):  # fmt: skip
            with pytest.raises(audit.NotRecorded) as refused:
                use()
            assert refused.value.dimse_status == 0xA700
    assert len(answers(port, asked("STUDY", {STUDY: ""}))) == 2


def test_a_device_that_is_suspended_in_mid_retrieval_may_fetch_nothing_more(house: House, port: ArchiveQuery) -> None:
    port.require_retrieval(PEER)
    organisation, now = house.site.organisation_id, house.site.clock.now()
    with house.site.database.write() as session:
        access.suspend_device(session, organisation, PEER.calling_ae, now)
    for _ in range(2):
        with pytest.raises(Forbidden, match="suspended"):
            port.require_retrieval(PEER)
    with house.site.database.read() as session:
        told = session.scalars(select(AuditEvent.action).where(AuditEvent.action == "device.suspended")).all()
    assert len(told) == 1, "once in an association"
    with house.site.database.write() as session:
        access.suspend_device(session, organisation, PEER.calling_ae, None)
    port.require_retrieval(PEER)
