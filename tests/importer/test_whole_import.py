"""A parcel from beginning to end, as data: looked at, matched, reconciled, filed; and the same parcel once more."""

from __future__ import annotations

from radrelay.dicom import phantoms
from radrelay.dicom.encapsulate import StudyContext
from radrelay.dicom.header import parse
from radrelay.dicom.part10 import parse_preamble
from radrelay.importer.arrived import ArrivedObject, Person
from radrelay.importer.differences import summed
from radrelay.importer.duplicates import Decision, KeptObject, decide
from radrelay.importer.findings import Local, of_parcel, of_person, worst
from radrelay.importer.gathering import gather
from radrelay.importer.matching import Candidate, match
from radrelay.importer.paper_places import PaperPlaces
from radrelay.importer.papers import paper_files
from radrelay.importer.reconciling import LocalPatient, Wanted, reconcile
from tests.importer.test_gathering import File
from tests.importer.test_papers import PDF
from tests.importer.test_reconciling import AT
from tests.importer.undoing import recipe, undo

FILES = [
    *(File(f"IMG/{number}", one) for number, one in enumerate(phantoms.study("ct-head", slices=3, size=16))),
    File("Befund.pdf", PDF),
]
DATA_SETS = {
    one.path: (one.content[head.dataset_offset :], head.transfer_syntax_uid)
    for one in FILES[:-1]
    for head in [parse_preamble(one.content)]
}


def test_a_parcel_becomes_the_local_patient_s_and_nothing_more_when_it_comes_again() -> None:
    kept: dict[str, list[KeptObject]] = {}
    first = filed_of(kept)
    assert len(first) == len(FILES)
    assert {parse(*one).text(0x00100020) for one in first} == {"4711"}
    assert len({parse(*one).text(0x0020000D) for one in first}) == 1
    assert filed_of(kept) == []


def filed_of(kept: dict[str, list[KeptObject]]) -> list[tuple[bytes, str]]:
    """Go through an import; return what was filed by it, data set and transfer syntax, papers too."""
    found = gather(FILES)
    parcel = found.parcel()
    (arrived,) = parcel.people
    said = arrived.person
    born = said.birth_date
    here = Candidate("worklist", Person(said.name.upper(), "4711", "KH", born, said.sex))
    matched = match(arrived, born, [here])
    assert matched.proposed is not None
    patient, key = LocalPatient(here.person.name, "4711", "KH"), ("KH", "4711")
    owners = {one.study_uid: {key} for versions in kept.values() for one in versions}
    decisions = decide(found.objects, kept, owners, key)
    assert worst((*of_parcel(parcel), *of_person(0, arrived, born, Local(matched, decisions)))) == "passed"
    made, told = [], []
    for one in (decision.arrived for decision in decisions if decision.action == "file"):
        data_set, ts = DATA_SETS[one.file]
        becomes = reconcile(data_set, ts, Wanted(patient), "Fern", AT)
        assert becomes is not None
        assert undo(*becomes, recipe(data_set, *becomes)) == data_set
        told.append((parse(data_set, ts), parse(*becomes)))
        made.append(becomes)
    assert all(count == len(told) for _, count in summed(told))
    for decision in decisions:
        if decision.action == "file":
            kept.setdefault(decision.arrived.sop_uid, []).append(filed(decision))
    return made + _papers(found.papers, PaperPlaces(parcel.people).of(found.papers[0]).study_uid, patient, kept)


def _papers(
    names: list[str], study_uid: str, patient: LocalPatient, kept: dict[str, list[KeptObject]]
) -> list[tuple[bytes, str]]:
    context = StudyContext(study_uid, patient.name, patient.patient_id, patient.issuer)
    made = []
    for name in names:
        for file in paper_files(name, PDF, context):
            head = parse_preamble(file)
            data_set = file[head.dataset_offset :]
            header = parse(data_set, head.transfer_syntax_uid)
            (decided,) = decide([ArrivedObject.whole(data_set, header, file=name)], kept, {}, ("KH", "4711"))
            if decided.action == "file":
                kept[decided.arrived.sop_uid] = [filed(decided)]
                made.append((data_set, head.transfer_syntax_uid))
    return made


def filed(decision: Decision) -> KeptObject:
    """Return an object as it is kept once it is filed, reconciled or not."""
    one = decision.arrived
    return KeptObject(one.sop_uid, one.study_uid, frozenset({one.digest}), one.transfer_syntax, one.pixels, one.header)
