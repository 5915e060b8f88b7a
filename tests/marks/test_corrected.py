"""Marks on pictures that are corrected move to what is shown now, and lose nothing; so do the objects made of them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from radrelay.access import Grantee, Right, Target, grant
from radrelay.access.models import Grant
from radrelay.archive import corrections
from radrelay.archive.models import Holding, Instance, Study
from radrelay.marks.objects.report_reading import read_report
from tests.marks.marking import Shelf, file, in_space, length, listed, put, two_series
from tests.marks.test_filing import objects
from tests.web.conftest import Login, WebSite
from tests.web.test_corrections import completed, settled
from tests.web.test_studies import anna

__all__ = ["anna"]


def corrected(site: WebSite, study: Shelf, **values: str) -> None:
    with site.database.write() as session:
        corrections.correct(
            session, site.organisation_id, [study.study], values, by="dora", reason="mixed up", request_id=None,
            now=site.clock.now(),
        )  # fmt: skip
    while settled(site):
        pass


def given(site: WebSite, *targets: Target) -> None:
    with site.database.write() as session:
        for target in targets:
            grant(session, site.organisation_id, Grantee("account", "b"), target, [Right.SEE], now=site.clock.now())


def told_whose(site: WebSite) -> set[uuid.UUID | None]:
    """Return whose holdings, and grants on studies and series, say that they are, beside the study itself."""
    with site.database.read() as session:
        grants = sa.select(Grant.patient_id).where(Grant.target_kind.in_(("study", "series")))
        asked = (sa.select(Study.patient_id), sa.select(Holding.patient_id), grants)
        return {one for statement in asked for one in session.scalars(statement)}


def current(site: WebSite) -> dict[str, uuid.UUID]:
    """Return what is shown of each object, by its SOP Instance UID."""
    with site.database.read() as session:
        rows = session.execute(sa.select(Instance.sop_uid, Instance.id).where(Instance.current.is_(True)))
        return {row.sop_uid: row.id for row in rows}


def without_place(marks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.items() if name != "instance_id"} for one in marks]


def test_marks_are_on_the_corrected_pictures_with_all_they_said_and_what_was_filed_is_corrected_too(
    site: WebSite, anna: Login
) -> None:
    study = two_series(site, anna)
    given(site, Target("study", study.study), Target("series", study.series[0]))
    (whose,) = told_whose(site)
    drawn = [length(study.instances[0], text="Rundherd"), length(study.instances[1], kind="key", points=[], values=[]),
             in_space(site, study.series[0], text="Aorta")]  # fmt: skip
    for body in drawn:
        assert put(anna, study.study, uuid.uuid4(), body).status_code == 200
    filed = {one["sop_uid"]: one["kind"] for one in file(anna, study.study)}
    assert sorted(filed.values()) == ["key-objects", "presentation", "report"]
    site.index()
    completed(site)
    before, old, made = listed(anna, study.study)["marks"], current(site), {x.SOPInstanceUID: x for x in objects(site)}

    corrected(site, study, patient_name="Richtig^Rita", patient_id="R-77")
    (now,) = told_whose(site)
    assert now != whose, "lists that go by patients find it under whom it is of now"
    after, new = listed(anna, study.study)["marks"], current(site)
    assert without_place(after) == without_place(before), "nothing of a mark is lost, not who drew it nor when"
    assert new.keys() == old.keys()
    assert not set(new.values()) & set(old.values()), "each object was written anew"
    moved = {str(old[uid]): str(new[uid]) for uid in old}
    places = [one["instance_id"] and moved[one["instance_id"]] for one in before]
    assert [one["instance_id"] for one in after] == places
    series = {one["id"] for one in anna.http.get(f"/api/series/{study.series[0]}").json()["instances"]}
    ct = next(one for one in after if one["text"] == "Rundherd")
    assert ct["instance_id"] in series, "they are on pictures that are shown"

    for data in objects(site):
        was = made.pop(data.SOPInstanceUID)
        assert (data.PatientID, data.PatientName) == ("R-77", "Richtig^Rita")
        assert data.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].PatientID == "P1"
        for name in ("ReferencedSeriesSequence", "ContentSequence", "CurrentRequestedProcedureEvidenceSequence"):
            assert data.get(name) == was.get(name), "it is of the same pictures, and says the same of them"
    assert not made
    (report,) = objects(site, "SR")
    assert sorted(one.text for one in read_report(report)) == ["Aorta", "Rundherd"]

    site.clock.advance(timedelta(hours=1))
    again = put(anna, study.study, uuid.UUID(ct["id"]), {**drawn[0], "text": "grown", "revision": 1,
                "instance_id": ct["instance_id"]})  # fmt: skip
    assert again.status_code == 200, again.text
    assert "report" in {one["kind"] for one in file(anna, study.study)}
    site.index()
    first, second = objects(site, "SR")
    assert (first.PatientID, second.PatientID) == ("R-77", "R-77")
    assert second.PredecessorDocumentsSequence[0].StudyInstanceUID == first.StudyInstanceUID
    assert sorted(one.text for one in read_report(second)) == ["Aorta", "grown"]


def test_a_mark_that_is_drawn_while_its_picture_is_being_corrected_is_on_the_picture_that_is_shown(
    site: WebSite, anna: Login
) -> None:
    study = two_series(site, anna)
    completed(site)
    shown = study.instances[0]  # by a viewer that was opened before
    corrected(site, study, patient_name="Richtig^Rita")
    answer = put(anna, study.study, uuid.uuid4(), length(shown, text="late"))
    assert answer.status_code == 200, answer.text
    (mark,) = listed(anna, study.study)["marks"]
    assert mark["text"] == "late"
    assert mark["instance_id"] in {str(one) for one in current(site).values()}
